//! The contract suite of message processing, on this module.

// The file below says `message_v3` for the module that it tests.
extern crate message_v3_rasn as message_v3;

#[path = "../../security-usm/tests/contract.rs"]
mod contract;
