//! Targets that need what is in this library only.

pub mod configuration;
pub mod kept;
pub mod snmpd_conf;
pub mod stream;
