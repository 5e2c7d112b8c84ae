//! All that a module author compiles against.
//!
//! An S-module is an ordinary Rust `impl` of one or more behaviors. This crate and its macros write
//! everything between that `impl` and the host: the C-ABI shims, the descriptor that the host reads,
//! the proxies through which modules and hosts call each other, the encoding of values and state.
//!
//! What this crate never does: open a file or a socket, ask the clock, spawn a thread, hold global
//! state. Whatever a module needs from the outside it gets from its [`Host`].
//!
//! The invariant it keeps: nothing but C-ABI data crosses between host and module, and a panic never
//! does. Everything `unsafe` that a module needs is in here or in the code that the macros expand to:
//! this crate is the one room of the boundary, so the lint that bans unsafe code is lifted for it.
//!
//! In reading order: [`shape`] says what may cross and how a type is described; [`abi`] lays out the
//! tables; [`list`] and [`dynamic`] are the data that cross; [`activity`] is one piece of work and its
//! pinned generations; [`component`] is the caller's side of a call, [`shim`] the module's side;
//! [`module`] and [`host`] are what an author writes against; [`value`] and [`state`] are what is
//! carried from one version to the next.

#![allow(unsafe_code, reason = "the boundary itself: every block states the promise it relies on")]

pub mod sync;

pub mod abi;
pub mod activity;
pub mod component;
pub mod dynamic;
pub mod error;
pub mod host;
pub mod hosting;
pub mod list;
pub mod module;
pub mod resident;
pub mod shape;
pub mod shim;
pub mod state;
pub mod value;

pub use activity::{Activity, Handle};
pub use component::ProxyOf;
pub use error::CallError;
pub use host::{Critical, Host, Level};
pub use list::{Buf, Full, List};
pub use module::{Active, CarriesState, Module, Part, Refusal, Vote};
pub use s_sdk_macros::{Crossing, Plain, State, behavior, s_module};
pub use shape::{Crossing, Plain};
pub use state::State;
pub use value::Value;
