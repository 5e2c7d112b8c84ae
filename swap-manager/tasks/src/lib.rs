//! The host-owned loop of an active module.
