//! The timing service: one thread that holds the deadlines of all running swaps, and hears of trouble.
//!
//! A swap's own steps run on whatever thread brought the last answer. When such a step hangs in a
//! module's code, this thread takes the swap over at its deadline: gates open, the swap is aborted, and
//! the answer that comes late, or never, changes nothing.

use crate::execution::Execution;
use s_transaction::Trouble;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A call panicked in a generation.
pub(crate) struct Report {
    pub(crate) component: String,
    pub(crate) generation: u64,
    pub(crate) message: String,
}

/// How often deadlines are looked at. Phases take milliseconds at least, and a late look only makes a
/// deadline later.
const TICK: Duration = Duration::from_millis(2);

/// How long to sleep when no swap runs.
const IDLE: Duration = Duration::from_millis(50);

/// All running swaps.
pub(crate) type Running = Arc<Mutex<Vec<Arc<Execution>>>>;

pub(crate) fn run(running: &Running, reports: &Receiver<Report>) {
    let swaps = || running.lock().unwrap_or_else(PoisonError::into_inner).clone();
    loop {
        let wait = if swaps().is_empty() { IDLE } else { TICK };
        match reports.recv_timeout(wait) {
            Ok(Report { component, generation, message }) => {
                let trouble = Trouble::Panic(message);
                swaps().iter().for_each(|swap| swap.trouble(&component, generation, &trouble));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        swaps().iter().for_each(Execution::look_at_deadlines);
    }
}
