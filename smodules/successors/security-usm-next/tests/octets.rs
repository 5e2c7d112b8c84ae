//! Every octet of a message matters, with this version.

// The file below says `security_usm` for the module that it tests.
extern crate security_usm_next as security_usm;

#[path = "../../../security-usm/tests/octets.rs"]
mod octets;
