//! The sans-IO core of the agent: an SNMP engine (RFC 3411 §3.1.1) with a command responder (RFC 3413 §3).
//!
//! A datagram goes in, an answer comes out, or none. It opens no socket, reads no clock of its own and
//! waits for nobody. Everything that could be otherwise is a module behind a proxy: the engine knows which
//! one is asked for what, in which order, and which counter a discard moves.
//!
//! In the order in which a datagram meets them: [`dispatch`] finds the message processing model and
//! discards, [`access`] says what the sender may see, [`registry`] which module has a name, [`read`] and
//! [`set`] do what is asked, [`respond`] makes the answer fit. [`facts`] is the engine as its modules see
//! it, [`counters`] what it has counted, [`scratch`] the memory that one thread reuses.
//!
//! Invariants: one datagram is one activity; it moves at most one discard counter; it is answered at most
//! once; and a warmed-up thread allocates nothing for a GET.

pub mod access;
pub mod counters;
pub mod dispatch;
pub mod facts;
pub mod read;
pub mod registry;
pub mod respond;
pub mod scratch;
pub mod set;

pub use dispatch::{Engine, Limits, Models, Peer};
pub use facts::{Facts, Identity};
pub use scratch::Scratch;
