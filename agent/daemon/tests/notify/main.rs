//! Notifications as their receivers meet them: sent by the agent as a program, received by net-snmp's own
//! `snmptrapd`, which acknowledges informs.
//!
//! Every test starts an agent and a receiver of its own, on ports that the system gave away a moment before.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod links;
mod programs;
mod snmpd_conf;
mod told;
