//! What the fixtures share: the behaviors that they implement, and the skeleton of those that misbehave.
//!
//! This library is linked into every fixture module, so it never depends on the host's side: what tests
//! need of a host is in `scenarios/world`. Invariant: nothing in here has an exported symbol, or each
//! fixture would export it too.

pub mod misbehave;
pub mod roles;
