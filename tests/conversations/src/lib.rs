//! An agent without sockets: the engine and linked modules, with a clock that a test moves.
//!
//! [`agent`] is the agent and how it is configured, [`sample`] the MIB modules that it has beside the
//! real ones, [`compose`] a manager that writes its own octets with its own [`keys`], [`script`] the files under `recorded`.
//! It never asks a clock or for randomness; what the agent itself draws at random (salts, its first
//! msgID) is in no recorded answer.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

pub mod agent;
pub mod compose;
pub mod keys;
pub mod sample;
pub mod script;

pub use agent::Agent;
