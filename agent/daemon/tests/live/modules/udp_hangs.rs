//! Never comes back from a question.
#![allow(missing_docs, reason = "a module made to fail")]

#[macro_use]
mod bad;

bad!(
    "hangs",
    loop {
        std::thread::park()
    }
);
