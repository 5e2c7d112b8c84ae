//! The behavior that the template implements: what callers compile against.
//!
//! A role lives in a crate of its own. Callers know it and not the module behind it, and every version of
//! every module that claims it depends on it and on no other module: a library holds exactly one module.

use s_sdk::{Activity, CallError, behavior};

/// Keeps a running total.
#[behavior]
pub trait Tally {
    /// Adds to the total and answers the new one.
    fn add(&self, act: &Activity, amount: u64) -> Result<u64, CallError>;

    /// The total.
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}
