//! Users and modules that come, go and are carried, with this version before and after each swap.

// The file below says `security_usm` for the module that it tests.
extern crate security_usm_next as security_usm;

#[path = "../../../security-usm/tests/changes.rs"]
mod changes;
