//! Modules pushed into a running agent, over its real sockets, while a manager keeps asking with authentication
//! and privacy.
//!
//! In reading order: `world` starts an agent that trusts this test, makes packages of what cargo has built, and
//! keeps asking; `successors` swaps each version that is kept for that, `gained` those with which an agent can more
//! than it was built for; `orders` swaps all of these in many orders; `refused` pushes what must not serve;
//! `gallery` pushes modules that fail in each phase; `recovery` has modules fail after they were let in;
//! `operators` is two of them at once; `disk` is a full disk and `clock` one that steps; `monitoring` is what
//! managers see of it; `attacks` has one test for each attack of `docs/security.md`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

#[path = "../started/mod.rs"]
mod started;

mod attacks;
mod clock;
mod disk;
mod gained;
mod gallery;
mod monitoring;
mod operators;
mod orders;
mod recovery;
mod refused;
mod successors;
mod world;
