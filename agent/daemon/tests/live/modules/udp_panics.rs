//! Panics when it is asked.
#![allow(missing_docs, reason = "a module made to fail")]

#[macro_use]
mod bad;

bad!("panics", panic!("as it was made to"));
