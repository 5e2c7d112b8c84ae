//! The event manager: publish and subscribe by tag.
//!
//! A tag is a dotted name such as `swap.commit`; a subscription names one tag, a prefix (`swap.*`) or
//! everything (`*`). Readers take events from a bounded queue of their own; sinks are called at once and
//! pass events on, to a mailbox for instance.
//!
//! What this crate never does: wait for a reader, drop an event without counting it, run a thread.
//!
//! Invariants: every subscriber sees events in publish order, each exactly once or counted as missed;
//! joining and leaving replace the list of subscribers and disturb nobody who stays.

mod queue;
mod tag;

pub use queue::{Closed, Subscription};
pub use tag::{MAX_TAG, Pattern, TagError};

use queue::Queue;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::ThreadId;
use std::time::SystemTime;

/// The octets one payload can have: what a subscriber's queue holds is bounded in memory too.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// How many events [`Events::new`] remembers for newcomers.
pub const RECENT: usize = 256;

/// One event, shared by all who see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Numbered upward in publish order, without gaps, from 1.
    pub sequence: u64,
    /// Its tag.
    pub tag: Arc<str>,
    /// The component, or the part of the host, that published it.
    pub source: Arc<str>,
    /// An encoded `Value`.
    pub payload: Arc<[u8]>,
    /// When it was published, as the host's clock has it.
    pub at: SystemTime,
}

/// What is called with every event of a pattern, on the publisher's thread.
pub type Sink = Arc<dyn Fn(&Arc<Event>) + Send + Sync>;

/// Why an event was not published or a subscription not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The tag or the pattern is not one.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The payload is larger than [`MAX_PAYLOAD`].
    #[error(
        "a payload of {octets} octets exceeds {MAX_PAYLOAD}: publish a reference to it instead"
    )]
    PayloadTooLarge {
        /// Its size.
        octets: usize,
    },
}

/// A sink's place in the event manager, for leaving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SinkId(u64);

/// The event manager. Copies are handles on the same one.
#[derive(Clone)]
pub struct Events(Arc<Manager>);

pub(crate) struct Manager {
    /// Copied on every change: a publisher works on the list that it began with.
    subscribers: RwLock<Arc<Vec<Subscriber>>>,
    /// Held while one event goes to all: this is what makes publish order the order of every subscriber.
    publishing: Mutex<()>,
    turn: Mutex<Turn>,
    recent: Mutex<Recent>,
    next_id: AtomicU64,
    panicked_sinks: AtomicU64,
}

/// Who publishes now, and what its own sinks published meanwhile.
#[derive(Default)]
struct Turn {
    publisher: Option<ThreadId>,
    nested: VecDeque<Unnumbered>,
}

struct Unnumbered {
    tag: Arc<str>,
    source: Arc<str>,
    payload: Arc<[u8]>,
}

struct Recent {
    last: u64,
    capacity: usize,
    events: VecDeque<Arc<Event>>,
}

#[derive(Clone)]
struct Subscriber {
    id: u64,
    pattern: Arc<Pattern>,
    outlet: Outlet,
}

#[derive(Clone)]
enum Outlet {
    Queue(Arc<Queue>),
    Sink(Sink),
}

/// No lock in this crate guards an invariant that a panicking holder could have broken half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Events {
    fn default() -> Self {
        Events::new()
    }
}

impl Events {
    /// An event manager without subscribers, remembering [`RECENT`] events.
    pub fn new() -> Self {
        Events::remembering(RECENT)
    }

    /// An event manager that remembers so many events.
    pub fn remembering(capacity: usize) -> Self {
        Events(Arc::new(Manager {
            subscribers: RwLock::default(),
            publishing: Mutex::default(),
            turn: Mutex::default(),
            recent: Mutex::new(Recent { last: 0, capacity, events: VecDeque::new() }),
            next_id: AtomicU64::new(1),
            panicked_sinks: AtomicU64::new(0),
        }))
    }

    /// Events of a pattern from now on, in a queue of this capacity.
    ///
    /// # Errors
    /// The pattern is not one.
    pub fn subscribe(&self, pattern: &str, capacity: usize) -> Result<Subscription, EventError> {
        let queue = Arc::new(Queue::new(capacity));
        let id = self.0.join(Pattern::parse(pattern)?, Outlet::Queue(Arc::clone(&queue)));
        Ok(Subscription::new(Arc::downgrade(&self.0), id, queue, VecDeque::new()))
    }

    /// The remembered events of a pattern, then those from now on: without a gap, and none twice.
    ///
    /// # Errors
    /// The pattern is not one.
    pub fn subscribe_with_history(
        &self,
        pattern: &str,
        capacity: usize,
    ) -> Result<Subscription, EventError> {
        let pattern = Pattern::parse(pattern)?;
        let queue = Arc::new(Queue::new(capacity));
        let id = self.0.join(pattern.clone(), Outlet::Queue(Arc::clone(&queue)));
        // An event is remembered before its publisher takes the list of subscribers. So an event whose
        // publisher did not see this one is in the history by now, and one that is in both counts once.
        let history = queue.begin_after(|| {
            let recent = lock(&self.0.recent);
            let events =
                recent.events.iter().filter(|event| pattern.matches(&event.tag)).cloned().collect();
            (recent.last, events)
        });
        Ok(Subscription::new(Arc::downgrade(&self.0), id, queue, history))
    }

    /// Calls a sink with every event of a pattern from now on. Sinks are called under the publishers'
    /// lock, so they must be quick: put it in a queue and return. A sink that panics is removed.
    ///
    /// # Errors
    /// The pattern is not one.
    pub fn subscribe_with(&self, pattern: &str, sink: Sink) -> Result<SinkId, EventError> {
        Ok(SinkId(self.0.join(Pattern::parse(pattern)?, Outlet::Sink(sink))))
    }

    /// Removes a sink; false when it is gone already. An event on its way may still reach it.
    pub fn leave(&self, sink: SinkId) -> bool {
        self.0.leave(sink.0)
    }

    /// Publishes an event and answers how many subscribers it reached. From within a sink it is
    /// delivered after the event that the sink was called with, and the answer is how many it is meant for.
    ///
    /// # Errors
    /// The tag is not one, or the payload is too large.
    pub fn publish(&self, tag: &str, source: &str, payload: &[u8]) -> Result<usize, EventError> {
        tag::check(tag)?;
        if payload.len() > MAX_PAYLOAD {
            return Err(EventError::PayloadTooLarge { octets: payload.len() });
        }
        let event = Unnumbered { tag: tag.into(), source: source.into(), payload: payload.into() };
        Ok(self.0.publish(event))
    }

    /// The remembered events of a pattern, oldest first.
    ///
    /// # Errors
    /// The pattern is not one.
    pub fn recent(&self, pattern: &str) -> Result<Vec<Arc<Event>>, EventError> {
        let pattern = Pattern::parse(pattern)?;
        let recent = lock(&self.0.recent);
        Ok(recent.events.iter().filter(|event| pattern.matches(&event.tag)).cloned().collect())
    }

    /// How many subscribers there are.
    pub fn subscribers(&self) -> usize {
        self.0.list().len()
    }

    /// How many sinks were removed because they panicked.
    pub fn panicked_sinks(&self) -> u64 {
        self.0.panicked_sinks.load(Ordering::Relaxed)
    }
}

impl Manager {
    fn list(&self) -> Arc<Vec<Subscriber>> {
        Arc::clone(&self.subscribers.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn join(&self, pattern: Pattern, outlet: Outlet) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let newcomer = Subscriber { id, pattern: Arc::new(pattern), outlet };
        let mut list = self.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        *list = Arc::new(list.iter().cloned().chain([newcomer]).collect());
        id
    }

    pub(crate) fn leave(&self, id: u64) -> bool {
        let mut list = self.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = list.iter().position(|subscriber| subscriber.id == id) else {
            return false;
        };
        let mut others = list.to_vec();
        let gone = others.remove(place);
        let before = std::mem::replace(&mut *list, Arc::new(others));
        drop(list);
        // What a sink captured is dropped without the lock: its destructor may come back here.
        drop((gone, before));
        true
    }

    fn publish(&self, event: Unnumbered) -> usize {
        let me = std::thread::current().id();
        {
            let mut turn = lock(&self.turn);
            if turn.publisher == Some(me) {
                let meant_for =
                    self.list().iter().filter(|s| s.pattern.matches(&event.tag)).count();
                turn.nested.push_back(event);
                return meant_for;
            }
        }
        let _publishing = lock(&self.publishing);
        lock(&self.turn).publisher = Some(me);
        let reached = self.deliver(event);
        loop {
            let mut turn = lock(&self.turn);
            let Some(nested) = turn.nested.pop_front() else {
                turn.publisher = None;
                return reached;
            };
            drop(turn);
            self.deliver(nested);
        }
    }

    /// Numbers an event, remembers it and hands it to all who asked for it, in that order.
    fn deliver(&self, event: Unnumbered) -> usize {
        let event = lock(&self.recent).add(event);
        let mut reached = 0;
        for subscriber in
            self.list().iter().filter(|subscriber| subscriber.pattern.matches(&event.tag))
        {
            match &subscriber.outlet {
                Outlet::Queue(queue) => reached += usize::from(queue.push(&event)),
                Outlet::Sink(sink) => match catch_unwind(AssertUnwindSafe(|| sink(&event))) {
                    Ok(()) => reached += 1,
                    Err(panic) => {
                        // Its destructor is the sink's own code and may panic again: it is never run.
                        std::mem::forget(panic);
                        if self.leave(subscriber.id) {
                            self.panicked_sinks.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                },
            }
        }
        reached
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        for subscriber in self.list().iter() {
            if let Outlet::Queue(queue) = &subscriber.outlet {
                queue.close();
            }
        }
    }
}

impl Recent {
    fn add(&mut self, event: Unnumbered) -> Arc<Event> {
        self.last += 1;
        let Unnumbered { tag, source, payload } = event;
        let event =
            Arc::new(Event { sequence: self.last, tag, source, payload, at: SystemTime::now() });
        self.events.push_back(Arc::clone(&event));
        while self.events.len() > self.capacity {
            self.events.pop_front();
        }
        event
    }
}

#[cfg(test)]
mod tests;
