//! Does one thing wrong.
#![allow(missing_docs, reason = "a module made to fail")]
#![allow(unsafe_code, reason = "a static constructor and a stray pointer have no safe form")]

#[macro_use]
mod faulty;

faulty!(note);
