//! Octets that another program made, read and written by this module.

// The file below says `message_v3` for the module that it tests.
extern crate message_v3_rasn as message_v3;

#[path = "../../security-usm/tests/octets.rs"]
mod octets;
