//! A subscriber's bounded queue and the reader at its end.
//!
//! A full queue refuses the newest event and counts it; nobody ever waits for room.

use crate::{Event, Manager, lock};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

pub(crate) struct Queue {
    capacity: usize,
    content: Mutex<Content>,
    arrived: Condvar,
}

#[derive(Default)]
struct Content {
    events: VecDeque<Arc<Event>>,
    missed: u64,
    /// Events up to this one came another way: with the history.
    begins_after: u64,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Queue { capacity, content: Mutex::default(), arrived: Condvar::new() }
    }

    /// Puts an event in; false when it is counted as missed instead.
    pub(crate) fn push(&self, event: &Arc<Event>) -> bool {
        let mut content = lock(&self.content);
        if event.sequence <= content.begins_after {
            return true;
        }
        if content.events.len() >= self.capacity {
            content.missed += 1;
            return false;
        }
        content.events.push_back(Arc::clone(event));
        drop(content);
        self.arrived.notify_one();
        true
    }

    /// Begins anew after a history: what arrived so far is part of it.
    pub(crate) fn begin_after(
        &self,
        history: impl FnOnce() -> (u64, VecDeque<Arc<Event>>),
    ) -> VecDeque<Arc<Event>> {
        // Read under the queue's lock, so that everything in the queue by then is in the history.
        let mut content = lock(&self.content);
        let (last, events) = history();
        *content = Content { begins_after: last, ..Content::default() };
        events
    }

    pub(crate) fn close(&self) {
        lock(&self.content).closed = true;
        self.arrived.notify_all();
    }

    fn take(&self, deadline: Option<Instant>) -> Result<Option<Arc<Event>>, Closed> {
        let mut content = lock(&self.content);
        loop {
            if let Some(event) = content.events.pop_front() {
                return Ok(Some(event));
            }
            if content.closed {
                return Err(Closed);
            }
            content = match deadline {
                None => self.arrived.wait(content).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline
                        .checked_duration_since(Instant::now())
                        .filter(|left| !left.is_zero());
                    let Some(left) = left else { return Ok(None) };
                    self.arrived
                        .wait_timeout(content, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

/// The event manager is gone, and so is everything that it had published for this reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event manager is gone: no more events will come")]
pub struct Closed;

/// The reading end of a subscription. Dropping it leaves.
///
/// As an iterator it waits for each event and ends when the event manager is gone.
pub struct Subscription {
    manager: Weak<Manager>,
    id: u64,
    queue: Arc<Queue>,
    history: VecDeque<Arc<Event>>,
}

impl Subscription {
    pub(crate) fn new(
        manager: Weak<Manager>,
        id: u64,
        queue: Arc<Queue>,
        history: VecDeque<Arc<Event>>,
    ) -> Self {
        Subscription { manager, id, queue, history }
    }

    fn take(&mut self, deadline: Option<Instant>) -> Result<Option<Arc<Event>>, Closed> {
        match self.history.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.queue.take(deadline),
        }
    }

    /// The next event; `None` when there is none now.
    ///
    /// # Errors
    /// No more will come.
    pub fn try_recv(&mut self) -> Result<Option<Arc<Event>>, Closed> {
        self.recv_timeout(Duration::ZERO)
    }

    /// The next event; `None` when none came in time.
    ///
    /// # Errors
    /// No more will come.
    pub fn recv_timeout(&mut self, wait: Duration) -> Result<Option<Arc<Event>>, Closed> {
        // A wait beyond what the clock can count is a wait without an end.
        self.take(Instant::now().checked_add(wait))
    }

    /// How many events found the queue full so far.
    pub fn missed(&self) -> u64 {
        lock(&self.queue.content).missed
    }

    /// How many events can be read without waiting.
    pub fn waiting(&self) -> usize {
        self.history.len() + lock(&self.queue.content).events.len()
    }
}

impl Iterator for Subscription {
    type Item = Arc<Event>;

    fn next(&mut self) -> Option<Arc<Event>> {
        self.take(None).ok().flatten()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(manager) = self.manager.upgrade() {
            manager.leave(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    /// What comes between joining and reading the history is in the history, and counts neither twice
    /// nor as missed.
    #[test]
    fn a_queue_that_begins_after_a_history_forgets_what_that_holds() {
        let event = |sequence| {
            let (tag, source, payload) = ("a".into(), "test".into(), [].into());
            Arc::new(Event { sequence, tag, source, payload, at: SystemTime::UNIX_EPOCH })
        };
        let queue = Queue::new(1);
        assert!(queue.push(&event(1)) && !queue.push(&event(2)));
        let history = queue.begin_after(|| (3, [event(1), event(2), event(3)].into()));
        assert_eq!(history.len(), 3);
        assert!(queue.push(&event(3)), "on its way, but read already");
        assert!(queue.push(&event(4)) && !queue.push(&event(5)));
        let content = lock(&queue.content);
        assert_eq!((content.events.len(), content.events[0].sequence, content.missed), (1, 4, 1));
    }
}
