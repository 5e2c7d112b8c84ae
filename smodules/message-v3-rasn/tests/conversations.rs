//! The whole conversations of `security-usm`, with this module in front of it.

// The file below says `message_v3` for the module that it tests.
extern crate message_v3_rasn as message_v3;

#[path = "../../security-usm/tests/conversations.rs"]
mod conversations;
