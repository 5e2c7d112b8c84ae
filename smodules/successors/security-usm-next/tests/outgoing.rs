//! Messages of our own, with this version.

// The file below says `security_usm` for the module that it tests.
extern crate security_usm_next as security_usm;

#[path = "../../../security-usm/tests/outgoing.rs"]
mod outgoing;
