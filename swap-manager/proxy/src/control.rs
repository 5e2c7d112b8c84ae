//! The one hand that can close gates and change what components bind.
//!
//! A runtime comes with exactly one [`SwapControl`]; it cannot be cloned or made anew. Whoever holds it
//! is the swap manager.

use crate::component::Component;
use crate::generation::{Body, Code, Generation};
use crate::runtime::Runtime;
use s_sdk::component::Binding;
use s_sdk::hosting::StepError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Control over a runtime's gates and generations.
pub struct SwapControl {
    runtime: &'static Runtime,
    last_open_flip: AtomicU64,
}

/// Why gates were not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotClosed {
    /// Another swap keeps the gate.
    #[error("another swap kept the gate")]
    Taken,
    /// Activities from before the last open flip run on.
    #[error("requests from before the last swap still run")]
    OlderActivities,
}

/// Generations that are bound and filled but not yet published, one per component of a group.
pub struct Group {
    members: Vec<(&'static Component, Generation)>,
}

impl Group {
    /// The numbers of the generations, in the order of the group.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.members.iter().map(|(_, generation)| generation.number())
    }
}

/// What a flip replaced.
pub struct Flipped {
    /// The generations that served before, in the order of the group.
    pub before: Vec<Arc<Generation>>,
    /// The epoch that began with the flip: nothing older can reach the generations above.
    pub epoch: u64,
}

/// Somebody was inside until the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillInside;

impl SwapControl {
    pub(crate) const fn new(runtime: &'static Runtime) -> Self {
        SwapControl { runtime, last_open_flip: AtomicU64::new(0) }
    }

    /// The runtime.
    pub const fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// Creates an instance of a module for a component. It does not serve yet.
    ///
    /// # Errors
    /// The module refused or panicked in `init`.
    pub fn create(
        &self,
        component: &'static Component,
        code: Code,
    ) -> Result<Arc<Body>, StepError> {
        Body::create(self.runtime, component, code).map(Arc::new)
    }

    /// Binds bodies (or nothing) to components, as one group, not yet published.
    pub fn bind(&self, members: &[(&'static Component, Option<Arc<Body>>)]) -> Group {
        Group { members: members.iter().map(|(c, body)| (*c, c.bind(body.clone()))).collect() }
    }

    /// Publishes a group without closing a gate: older activities finish on what they began with.
    /// `None` when another swap kept the gate beyond the deadline.
    ///
    /// The predecessors stay reachable, and in memory, until no older activity runs.
    pub fn flip_open(&self, group: Group, deadline: Instant) -> Option<Flipped> {
        let gate = self.runtime.gate();
        if !gate.take_by(Some(deadline)) {
            return None;
        }
        let since = gate.next_epoch();
        let members: Vec<_> = group
            .members
            .into_iter()
            .map(|(component, mut generation)| {
                let predecessor: *const Binding = component.current().bound().binding();
                generation.bound_mut().set_since(since, predecessor);
                (component, Arc::new(generation))
            })
            .collect();
        let bindings: Vec<_> = members
            .iter()
            .map(|(component, generation)| {
                (component.key(), std::ptr::from_ref(generation.bound().binding()))
            })
            .collect();
        let epoch = gate.flip_open(&bindings);
        self.last_open_flip.store(epoch, Ordering::Release);
        let before = self.runtime.publish(members, epoch);
        gate.give_back();
        Some(Flipped { before, epoch })
    }

    /// Takes the gate and closes it for a group.
    ///
    /// Activities from before the last open flip must have ended: they may be pinned to one member of a
    /// group that flipped then, and a gated flip leaves them no way back to the other.
    ///
    /// Callers that arrive wait for `patience` beyond the deadline at most: what follows the closing has
    /// deadlines of its own.
    ///
    /// # Errors
    /// Older activities run on, or another swap keeps the gate, until the deadline.
    pub fn close(
        &self,
        group: &Group,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Closed, NotClosed> {
        self.pass(self.last_open_flip.load(Ordering::Acquire), deadline)
            .map_err(|_| NotClosed::OlderActivities)?;
        let gate = self.runtime.gate();
        if !gate.take_by(Some(deadline)) {
            return Err(NotClosed::Taken);
        }
        gate.close(
            group.members.iter().map(|(component, _)| component.key()).collect(),
            Some(deadline + patience),
        );
        Ok(Closed { runtime: self.runtime })
    }

    /// Waits until no activity is older than a flip; what it replaced is then let go of.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn pass(&self, epoch: u64, deadline: Instant) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        gate.fence();
        let passed = || gate.passed(epoch);
        wait_until(deadline, passed, |nap| {
            std::thread::sleep(nap);
            passed()
        })?;
        self.runtime.let_go_before(epoch);
        Ok(())
    }

    /// Keeps a generation loaded behind a component for the confirm window, or lets it go.
    pub fn keep_predecessor(
        &self,
        component: &'static Component,
        predecessor: Option<Arc<Generation>>,
    ) {
        component.keep_predecessor(predecessor);
    }
}

/// How often a waiting thread looks before it sleeps: readers that run are gone within microseconds.
const LOOKS: u32 = 64;

/// How often it yields then.
const YIELDS: u32 = 3;

/// How long it sleeps at most between two looks.
const NAP: Duration = Duration::from_micros(50);

/// Waits for readers: a little spinning, then giving them the processor, because readers that are still there
/// by then wait for one, perhaps for this very one. Yielding is the quicker way, but beside other work it
/// gives this thread's claim to the processor away with it, so the rest of the wait is slept.
fn wait_until(
    deadline: Instant,
    done: impl Fn() -> bool,
    done_or_sleep: impl Fn(Duration) -> bool,
) -> Result<(), StillInside> {
    for look in 0..LOOKS + YIELDS {
        if done() {
            return Ok(());
        }
        if look < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
    }
    while !done_or_sleep(NAP) {
        if Instant::now() >= deadline {
            return Err(StillInside);
        }
    }
    Ok(())
}

/// A group whose gates are closed. Dropping it opens them, on whatever is published by then.
pub struct Closed {
    runtime: &'static Runtime,
}

impl Closed {
    /// Waits until no activity is inside the group.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn drain(&self, deadline: Instant) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        wait_until(deadline, || gate.drained(), |nap| gate.drained_or_sleep(nap))
    }

    /// Publishes the group that the gates were closed for. They stay closed.
    pub fn flip(&self, group: Group) -> Flipped {
        let gate = self.runtime.gate();
        let since = gate.next_epoch();
        let members: Vec<_> = group
            .members
            .into_iter()
            .map(|(component, mut generation)| {
                generation.bound_mut().set_since(since, std::ptr::null());
                (component, Arc::new(generation))
            })
            .collect();
        let bindings: Vec<_> = members
            .iter()
            .map(|(_, generation)| std::ptr::from_ref(generation.bound().binding()))
            .collect();
        let epoch = gate.flip_closed(&bindings);
        Flipped { before: self.runtime.publish(members, epoch), epoch }
    }

    /// Opens the gates; answers when they were open.
    pub fn open(self) -> Instant {
        let gate = self.runtime.gate();
        let opened = gate.open();
        gate.give_back();
        // What dropping does is done.
        std::mem::forget(self);
        opened
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let gate = self.runtime.gate();
        gate.open();
        gate.give_back();
    }
}
