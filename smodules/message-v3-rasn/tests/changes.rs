//! Users and modules that come, go and are carried, with this module before and after each swap.

// The file below says `message_v3` for the module that it tests.
extern crate message_v3_rasn as message_v3;

#[path = "../../security-usm/tests/changes.rs"]
mod changes;
