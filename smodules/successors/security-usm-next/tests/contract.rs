//! The contract suite of message processing, with this version behind it, for every user.

// The file below says `security_usm` for the module that it tests.
extern crate security_usm_next as security_usm;

#[path = "../../../security-usm/tests/contract.rs"]
mod contract;
