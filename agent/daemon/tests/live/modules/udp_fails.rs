//! Has no answer when it is asked.
#![allow(missing_docs, reason = "a module made to fail")]

#[macro_use]
mod bad;

use roles::varbind::ErrorStatus;

bad!("fails", Err(MibError { status: ErrorStatus::GenErr, index: 0, call: 0 }));
