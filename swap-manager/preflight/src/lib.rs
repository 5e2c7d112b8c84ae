//! Rehearses a module in a confined child process, before it may come near a request.
//!
//! [`Rehearsal`] starts the host's own executable anew; there [`run_if_child`] takes over in `main`, gives
//! up the file system, the network and every system call that a module has no use for, loads the module
//! and leads it through its life: `init`, a copy of the real state in and out, its self-test, recorded
//! calls, `drop`. What happened comes back by value: a [`Report`], or an error that names the step.
//!
//! In the order of reading: [`step`], [`request`], [`description`] and [`report`] are what is said; `frame`
//! is how; `rehearsal` and `spawn` are the parent; `child`, `confine` and `host` are the child.
//!
//! What this crate never does: fork a threaded process, run a module in the host, believe a child.
//!
//! The invariant it keeps: whatever a module does in there costs the host one child and a bounded time.
//! It is a rehearsal and not a jail: once admitted, a native module has the host's rights, and one that
//! means harm can pretend in here.

pub mod description;
pub mod report;
pub mod request;
pub mod step;

mod child;
mod confine;
mod frame;
mod host;
mod reading;
mod rehearsal;
mod spawn;

pub use child::run_if_child;
pub use description::{
    BehaviorDescription, DependencyDescription, DescribeError, Description, MethodDescription,
    ParamDescription, ResidentDescription,
};
pub use rehearsal::{Limits, Rehearsal, RehearsalError};
pub use report::{LogLine, Mapping, Report};
pub use request::{Expected, Replay, Request, ResidentSample, StateCopy};
pub use step::Step;
