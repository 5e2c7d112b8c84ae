//! Components: the part of an S-application that never moves, and how calls get through it.
//!
//! A [`Component`] is a name with a proxy behind it for the life of the process; the module behind the
//! proxy comes and goes as [`generation::Generation`]s. A [`Worker`] runs activities that call
//! components; the [`gate`] decides which generation each activity meets, and makes a group of
//! components change as one.
//!
//! What this crate never does: load code, decide about a swap, touch a disk. Whoever holds the one
//! [`SwapControl`] of a runtime can close gates and flip generations; nobody else can, because nothing
//! public leads there.
//!
//! Reading order: [`gate`] (the swap manager's side; the readers' side is `s_sdk::activity`),
//! `generation`, `component`, `runtime`, `worker`, `control`.

mod active;
mod component;
mod control;
pub mod gate;
mod generation;
mod names;
mod runtime;
mod worker;

pub use component::{Component, ExceptionPolicy};
pub use control::{Closed, Drain, Flipped, Group, NotClosed, StillInside, SwapControl, Taken};
pub use generation::{Body, Code, Generation, HostPart};
pub use names::Named;
pub use runtime::{Runtime, RuntimeError, Surroundings, Table};
pub use worker::Worker;
