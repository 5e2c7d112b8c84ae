//! The behaviors of an SNMP engine: the service interfaces of RFC 3411 §4 as roles that modules fill.
//!
//! This crate is the contract between the agent and its modules, and between one module and another. It
//! never does any SNMP itself: no codec, no cryptography, no tables. It changes alone and with care.
//!
//! In the order in which a datagram meets them: [`message`] takes it apart, [`security`] proves where it
//! came from with the help of [`auth`] and [`privacy`] (in v1 and v2c [`community`] does), [`access`] says
//! what its sender may see, [`mib`] answers. [`notify`] tells others without being asked. [`engine`] is what
//! they all may ask, [`components`] what it is made of, [`swaps`] what was replaced in it, [`settings`] how they
//! are configured. [`varbind`] is what they all speak of, [`wire`] how that stands in a message, [`error`] how they refuse. Each file
//! opens with the role's contract in numbered sentences; [`contract`] holds the suites that hold a module to
//! them.
//!
//! Rules of every role, beside its own:
//! 1. The caller owns every buffer. A method appends to its outputs and never reads what is in them, so
//!    that a caller who clears and reuses them allocates nothing.
//! 2. After an error outputs mean nothing: a caller discards what was appended.
//! 3. What does not fit in a bounded output is an error (`Full`), never a shortened answer, unless the
//!    method says otherwise.
//! 4. A handle that a method answers is good until its activity ends, and for the module that made it.
//! 5. Methods are called from many threads at once, and an answer depends on arguments, the module's state
//!    and the host's services only.

pub mod error;
pub mod varbind;
pub mod wire;

pub mod access;
pub mod auth;
pub mod community;
pub mod message;
pub mod mib;
pub mod notify;
pub mod privacy;
pub mod security;

pub mod components;
pub mod engine;
pub mod settings;
pub mod swaps;

pub mod contract;
