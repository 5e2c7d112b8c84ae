//! Conversations between two engines, with this version in each.

// The file below says `security_usm` for the module that it tests.
extern crate security_usm_next as security_usm;

#[path = "../../../security-usm/tests/conversations.rs"]
mod conversations;
