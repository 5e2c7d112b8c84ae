//! What the fixtures share: the behaviors that they implement, the skeletons of those that misbehave
//! and of those that are active.
//!
//! This library is linked into every fixture module, so it never depends on the host's side: what tests
//! need of a host is in `scenarios/world`. Invariant: nothing in here has an exported symbol, or each
//! fixture would export it too.

pub mod misbehave;
pub mod roles;
pub mod taker;
