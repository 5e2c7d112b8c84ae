//! The module as the agent has it: through proxies, beside the modules that it calls, with a mailbox and a
//! wire that the tests look into.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod contract;
#[path = "../../../mib-kit/tests/hosted/kept.rs"]
mod kept;
mod swapping;
mod tables;
mod telling;
mod world;
