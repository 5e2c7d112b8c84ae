//! The suites that hold a module to its role's contract, whoever wrote it.
//!
//! A suite is ordinary code that answers which sentence is broken, so one and the same suite runs in a
//! module's tests, through a proxy, and in the rehearsal as the module's own `self_test`. It is behind no
//! feature: a module that does not call its suite does not contain it. Where a suite changes a module or
//! needs others beside it, a part named `harmless` does neither: that is what a rehearsal runs, between the
//! state that it was given and the calls that are replayed on it.

pub mod access;
pub mod auth;
pub mod community;
pub mod engine;
pub mod message;
pub mod mib;
pub mod notify;
pub mod privacy;
pub mod security;
pub mod settings;
pub mod swaps;

use s_sdk::Activity;
use std::fmt;

/// What is done in one activity.
pub type Step<'a> = &'a mut dyn FnMut(&Activity) -> Result<(), Broken>;

/// Runs what it is given in an activity of its own: an activity keeps only so much, and what is said of
/// activities that begin later is seen in none that has begun.
pub type InActivity<'a> = &'a mut dyn FnMut(Step<'_>) -> Result<(), Broken>;

/// What is found in an activity of its own.
fn within<T>(
    in_activity: InActivity<'_>,
    mut find: impl FnMut(&Activity) -> Result<T, Broken>,
) -> Result<T, Broken> {
    let mut found = None;
    in_activity(&mut |act| {
        found = Some(find(act)?);
        Ok(())
    })?;
    let idle = || "the caller of the suite ran no activity".to_owned();
    found.ok_or_else(|| Broken { role: "contract", sentence: 0, seen: idle() })
}

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
