//! Tasks: the host-owned loop of an active module.
//!
//! An active module has a mailbox, timers and signals and runs no thread of its own. Its component's
//! [`Task`] has the one thread: it takes the next piece of work, enters the component through the gate
//! as one activity, and calls the generation that it meets there. While the gate is closed the task
//! waits with that piece in hand and the rest queues; so the module is swapped under a task that never
//! notices.
//!
//! What this crate never does: decide about a swap, lead a module's life, install a signal handler.
//!
//! Invariants: messages of a mailbox are handled in the order they were accepted, each by one
//! activity; an accepted message is handled, or counted as failed with its reason, or handed back when
//! the task stops; a refused one is the sender's to know, and counted.
//!
//! Reading order: [`mailbox`], [`timers`], [`task`], [`registry`].

pub mod mailbox;
pub mod registry;
pub mod task;
pub mod timers;

pub use mailbox::{MAX_KIND, MAX_PAYLOAD, Mailbox, Message, SendError, Statistics};
pub use registry::{TaskError, Tasks};
pub use task::{Options, StillRunning, Task, TaskHandle};
