//! Threads that end together.
//!
//! Invariant: once [`Threads::end`] has returned, no thread that was started here is left but those that a
//! module has kept for the whole of the patience; they end with the process.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Threads, and whether they are to end.
#[derive(Default)]
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    started: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    /// Set when all are to end.
    pub(crate) const fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Whether all are to end.
    pub(crate) fn are_to_end(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Has all of them end.
    pub(crate) fn tell_to_end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Starts one.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(
        &self,
        name: String,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        self.adopt(Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    /// Takes one in that somebody else has started.
    pub(crate) fn adopt(&self, thread: JoinHandle<()>) {
        let mut started = self.started();
        // Stand-ins come and go as long as the agent runs.
        started.retain(|thread| !thread.is_finished());
        started.push(thread);
    }

    fn started(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until they have ended, but no longer than this; answers how many have not.
    pub(crate) fn end(&self, patience: Duration) -> usize {
        self.tell_to_end();
        let until = Instant::now() + patience;
        loop {
            let mut started = self.started();
            // One that panicked said so.
            started.retain(|thread| !thread.is_finished());
            if started.is_empty() || Instant::now() >= until {
                return started.len();
            }
            drop(started);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn all_have_ended_but_those_that_cannot() {
        let threads = Threads::default();
        let (let_go, held) = channel::<()>();
        threads.start("held".into(), move || assert!(held.recv().is_err())).unwrap();
        let stop = Arc::clone(threads.stop());
        let obeys = move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        threads.start("obeys".into(), obeys).unwrap();
        while threads.end(Duration::ZERO) > 1 {}
        assert_eq!(threads.end(Duration::ZERO), 1);
        drop(let_go);
        assert_eq!(threads.end(Duration::from_secs(60)), 0);
    }
}
