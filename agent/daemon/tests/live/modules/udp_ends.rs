//! Ends the process when it is asked, as a fault in memory would.
#![allow(missing_docs, reason = "a module made to fail")]

#[macro_use]
mod bad;

bad!("ends the process", std::process::abort());
