//! The behavior that the benchmark calls: as little work as a call can have.
//!
//! It belongs to the benchmark and to its fixtures, which both include this file; nothing else sees it.
//! Invariant: every method but `resize` takes a few nanoseconds, so that what is measured is the call.

use s_sdk::{Activity, CallError, Plain, behavior};

/// Who answered, and how often it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub(crate) struct Answer {
    /// All counted calls, over all versions.
    pub(crate) counted: u64,
    /// The major version of the module.
    pub(crate) version: u64,
}

/// What the benchmark calls.
#[behavior]
pub(crate) trait Bench {
    /// One step of a number: the least work that cannot be left out.
    fn step(&self, act: &Activity, number: u64) -> Result<u64, CallError>;
    /// Counts this call; the count is carried.
    fn count(&self, act: &Activity) -> Result<Answer, CallError>;
    /// Carries so many octets from now on.
    fn resize(&self, act: &Activity, octets: u64) -> Result<u64, CallError>;
    /// A method that no module of the benchmark has.
    #[optional]
    fn missing(&self, act: &Activity, number: u64) -> Result<u64, CallError>;
}
