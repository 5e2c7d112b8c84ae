//! The suites that hold a module to its role's contract, whoever wrote it.
//!
//! A suite is ordinary code that answers which sentence is broken, so one and the same suite runs in a
//! module's tests, through a proxy, and in the rehearsal as the module's own `self_test`. It is behind no
//! feature: a module that does not call its suite does not contain it.

pub mod access;
pub mod auth;
pub mod message;
pub mod mib;
pub mod privacy;

use std::fmt;

/// A sentence of a contract that a module breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The role, as its file is named.
    pub role: &'static str,
    /// The number of the sentence in that file.
    pub sentence: u32,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sentence {} of the contract in `roles::{}` is broken: {}",
            self.sentence, self.role, self.seen
        )
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for s_sdk::Refusal {
    fn from(broken: Broken) -> Self {
        s_sdk::Refusal(broken.to_string())
    }
}
