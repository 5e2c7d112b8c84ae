//! The sans-IO core of the agent: an SNMP engine (RFC 3411 §3.1.1) with a command responder (RFC 3413 §3).
//!
//! A datagram goes in, an answer comes out, or none. It opens no socket, reads no clock of its own and
//! waits for nobody. Everything that could be otherwise is a module behind a proxy: the engine knows which
//! one is asked for what, in which order, and which counter a discard moves.
//!
//! In the order in which a datagram meets them: [`source`] says where it came from, [`limits`] whether it is
//! looked at, with `buckets` that fill with time; [`dispatch`] finds the message processing model; `command`
//! responds: [`access`] says what the sender may see, [`registry`] which module has a name, [`read`] and
//! [`set`] do what is asked, within what `work` allows, [`respond`] makes the answer fit. What is not answered
//! meets `refuse`, for a [`reason`], and is found in [`why`]. [`facts`] is the engine as its modules see it,
//! [`counters`] what it has counted, [`swaps`] what was replaced, [`notify`] is about what nobody asked for,
//! [`pace`] which modules are slow, [`scratch`] the memory that one thread reuses.
//!
//! Invariants: one datagram is one activity; it moves at most one discard counter; it is answered at most
//! once; and a warmed-up thread allocates nothing for a GET.

pub mod access;
mod buckets;
mod command;
pub mod counters;
pub mod dispatch;
pub mod facts;
pub mod limits;
pub mod notify;
mod onward;
pub mod pace;
pub mod read;
pub mod reason;
mod refuse;
pub mod registry;
pub mod respond;
pub mod scratch;
pub mod set;
pub mod source;
pub mod swaps;
pub mod why;
mod work;

pub use dispatch::{Engine, Models, Peer};
pub use facts::{Facts, Identity};
pub use limits::Limits;
pub use notify::Outlet;
pub use pace::{Pace, Patience, Progress, Watcher};
pub use reason::Reason;
pub use scratch::{Left, Scratch};
pub use source::Source;
pub use swaps::{Binding, SwapEnded};
pub use why::Why;
