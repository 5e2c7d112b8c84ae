//! The loop: one thread that leads one component's work through the gate, piece by piece.
//!
//! ## What becomes of a piece of work
//! 1. Handled: the module's handler returned.
//! 2. The gate stayed closed beyond the swap's deadline, or no module is bound: the task keeps the piece
//!    in hand and tries again, while the rest queues as long as there is room.
//! 3. A handler panicked: `Worker::serve` begins the piece anew as the component's policy says, on the
//!    predecessor or after the rollback.
//! 4. Anything else, or still failing after 3: it is logged and counted as failed, and the next one
//!    is taken.

use crate::mailbox::{Mailbox, Message, Work};
use crate::registry::TaskError;
use s_proxy::{Component, Runtime, Worker};
use s_sdk::error::CallErrorKind;
use s_sdk::{CallError, Level};
use std::ops::Deref;
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

/// How long a task waits before it tries again to enter a component that binds nothing. Nobody waits
/// for it but the messages themselves, and a look costs less than a microsecond.
const ABSENT_PAUSE: Duration = Duration::from_millis(2);

/// How long a dropped handle waits for its task: longer than a gate stays closed without a deadline.
const DROP_WAIT: Duration = Duration::from_secs(10);

/// How a task is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many messages can wait; at least one.
    pub capacity: usize,
    /// The thread's name; empty means the component's.
    pub name: String,
}

impl Default for Options {
    fn default() -> Self {
        Options { capacity: 1024, name: String::new() }
    }
}

/// The loop of an active module's component.
pub struct Task {
    mailbox: Mailbox,
    component: &'static Component,
    runtime: &'static Runtime,
}

/// The owner's hold on a task. Dropping it stops the task.
///
/// It is used like the task's [`Mailbox`], which others get a copy of.
pub struct TaskHandle {
    mailbox: Mailbox,
    thread: ThreadId,
    /// Kept so that the thread is known by its handle; it is waited for through the mailbox.
    _join: JoinHandle<()>,
}

/// The task is still in a handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the task of `{component}` is still handling its last piece of work: it ends when that does"
)]
pub struct StillRunning {
    /// The component.
    pub component: String,
}

impl Task {
    /// Starts the task of a component.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn spawn(
        runtime: &'static Runtime,
        component: &'static Component,
        options: Options,
    ) -> Result<TaskHandle, TaskError> {
        let mailbox = Mailbox::new(runtime, component.name(), options.capacity);
        let task = Task { mailbox: mailbox.clone(), component, runtime };
        let name = if options.name.is_empty() { component.name().to_owned() } else { options.name };
        let join =
            std::thread::Builder::new().name(name).spawn(move || task.run()).map_err(|source| {
                TaskError::NoThread { component: component.name().to_owned(), source }
            })?;
        Ok(TaskHandle { mailbox, thread: join.thread().id(), _join: join })
    }

    fn run(self) {
        // Whatever ends the thread, senders and the owner learn of it.
        let _ended = Ended(&self.mailbox);
        let mut worker = self.runtime.worker();
        while let Some(work) = self.mailbox.next() {
            if let Err(work) = self.lead_through(&mut worker, work) {
                self.mailbox.give_back(work);
                return;
            }
        }
    }

    /// Leads a piece of work to its end; gives it back when the task is to stop before.
    fn lead_through(&self, worker: &mut Worker, work: Work) -> Result<(), Work> {
        loop {
            let outcome = worker.serve(|act| match &work {
                Work::Message(message) => {
                    self.component.on_message(act, &message.kind, &message.payload)
                }
                Work::Timer(id) => self.component.on_timer(act, *id),
                Work::Signal(number) => self.component.on_signal(act, *number),
            });
            match outcome {
                Ok(()) => {
                    self.mailbox.handled(&work);
                    return Ok(());
                }
                Err(CallError {
                    kind: CallErrorKind::Absent | CallErrorKind::GateTimeout, ..
                }) => {
                    if !self.mailbox.pause(ABSENT_PAUSE) {
                        return Err(work);
                    }
                }
                Err(error) => {
                    self.report(&work, error);
                    return Ok(());
                }
            }
        }
    }

    fn report(&self, work: &Work, error: CallError) {
        let what = match work {
            Work::Message(message) => {
                format!("message `{}` of {} octets", message.kind, message.payload.len())
            }
            Work::Timer(id) => format!("timer {id}"),
            Work::Signal(number) => format!("signal {number}"),
        };
        let reason = format!("{what} was not handled: {error}");
        let version = self.component.current().version();
        self.runtime.surroundings().log(Level::Error, self.component.name(), version, &reason);
        self.mailbox.failed(reason);
    }
}

struct Ended<'a>(&'a Mailbox);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl TaskHandle {
    /// A copy of the mailbox, for senders.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Stops the task after the piece of work in hand, and hands back the messages that were accepted
    /// and not handled, in their order. From now on senders are told that it stopped.
    ///
    /// Called by one of the task's own handlers it cannot wait for that handler, and says so.
    ///
    /// # Errors
    /// The handler did not return in time. The task still stops when it does; ask again for the rest.
    pub fn stop(&self, wait: Duration) -> Result<Vec<Message>, StillRunning> {
        self.mailbox.stop();
        let own_handler = std::thread::current().id() == self.thread;
        if own_handler || !self.mailbox.wait_for_end(wait) {
            return Err(StillRunning { component: self.component().to_owned() });
        }
        Ok(self.mailbox.take_rest())
    }
}

impl Deref for TaskHandle {
    type Target = Mailbox;

    fn deref(&self) -> &Mailbox {
        &self.mailbox
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        // Who drops a handle has no use for what was left; whoever has calls `stop`.
        let _ = self.stop(DROP_WAIT);
    }
}
