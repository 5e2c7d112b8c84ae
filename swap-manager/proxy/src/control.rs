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
    /// No activity is older than this epoch: seen once, true for ever.
    passed: AtomicU64,
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

/// Somebody was inside until the deadline, or until nobody wanted to wait any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillInside;

impl SwapControl {
    pub(crate) const fn new(runtime: &'static Runtime) -> Self {
        SwapControl { runtime, passed: AtomicU64::new(0) }
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

    /// Takes the gate for one swap; `None` when another kept it beyond the deadline.
    pub fn take(&self, deadline: Instant) -> Option<Taken> {
        self.runtime.gate().take_by(Some(deadline)).then_some(Taken { runtime: self.runtime })
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
    ) -> Result<(Closed, Drain), NotClosed> {
        self.pass(self.runtime.last_open_flip(), deadline)
            .map_err(|_| NotClosed::OlderActivities)?;
        let taken = self.take(deadline).ok_or(NotClosed::Taken)?;
        let keys: Vec<_> = group.members.iter().map(|(component, _)| component.key()).collect();
        let drain = Drain {
            runtime: self.runtime,
            members: keys.iter().map(|key| key.core().index()).collect(),
        };
        let at = self.runtime.gate().close(keys, Some(deadline + patience));
        Ok((Closed { taken, at }, drain))
    }

    /// Waits until no activity is older than a flip; what it replaced is then let go of.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn pass(&self, epoch: u64, deadline: Instant) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        if self.passed.load(Ordering::Acquire) < epoch {
            gate.fence();
            let passed = || gate.passed(epoch);
            wait_until(deadline, passed, |nap| {
                std::thread::sleep(nap);
                passed()
            })?;
            self.passed.fetch_max(epoch, Ordering::AcqRel);
        }
        self.runtime.let_go_before(epoch);
        Ok(())
    }

    /// Keeps what a component binds now loaded behind it, before a swap replaces it: trouble that comes with
    /// the flip already finds it. `stands_in` says whether it may answer a request in which its successor
    /// failed: not where state has moved or other members changed with it.
    pub fn keep_predecessor(&self, component: &'static Component, stands_in: bool) {
        component.keep_predecessor(Some((component.current(), stands_in)));
    }

    /// No rollback can bring the predecessor back any more, and no request turns to it from here on.
    pub fn let_predecessor_go(&self, component: &'static Component) {
        component.keep_predecessor(None);
    }

    /// Waits until no activity is on a generation that nobody turns to any more.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn leave(
        &self,
        component: &'static Component,
        generation: &Generation,
        deadline: Instant,
    ) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        gate.fence();
        let left = || gate.nobody_on(component.core().index(), generation.bound().binding());
        wait_until(deadline, left, |nap| {
            std::thread::sleep(nap);
            left()
        })
    }
}

/// How often a waiting thread looks before it sleeps: readers that run are gone within microseconds.
const LOOKS: u32 = 8;

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
    mut done_or_sleep: impl FnMut(Duration) -> bool,
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

/// The gate, held for one swap: nobody else flips or closes. Dropping it opens what was closed, on whatever
/// is published by then, and gives it back.
pub struct Taken {
    runtime: &'static Runtime,
}

impl Taken {
    /// Publishes a group without closing a gate: older activities finish on what they began with.
    ///
    /// The predecessors stay reachable, and in memory, until no older activity runs.
    pub fn flip_open(&self, group: Group) -> Flipped {
        let gate = self.runtime.gate();
        let (members, bindings) = numbered(group, gate.next_epoch(), |component| {
            std::ptr::from_ref::<Binding>(component.current().bound().binding())
        });
        let keys: Vec<_> = members.iter().map(|(component, _)| component.key()).collect();
        let epoch = gate.flip_open(&keys, &bindings);
        self.runtime.note_open_flip(epoch);
        Flipped { before: self.runtime.publish(members, epoch), epoch }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let gate = self.runtime.gate();
        gate.open();
        gate.give_back();
    }
}

/// The members of a group as they are published: seen from an epoch on, older activities led to the
/// predecessor.
fn numbered(
    group: Group,
    since: u64,
    predecessor: impl Fn(&Component) -> *const Binding,
) -> (Vec<(&'static Component, Arc<Generation>)>, Vec<*const Binding>) {
    let member = |(component, mut generation): (&'static Component, Generation)| {
        generation.bound_mut().set_since(since, predecessor(component));
        (component, Arc::new(generation))
    };
    let members: Vec<_> = group.members.into_iter().map(member).collect();
    let bindings = members
        .iter()
        .map(|(_, generation)| std::ptr::from_ref(generation.bound().binding()))
        .collect();
    (members, bindings)
}

/// Whoever was inside a group when its gates closed.
pub struct Drain {
    runtime: &'static Runtime,
    members: Vec<u32>,
}

impl Drain {
    /// Waits until nobody is inside, as long as that is wanted.
    ///
    /// # Errors
    /// Somebody was, until the deadline or until `wanted` said no.
    pub fn wait(&self, deadline: Instant, wanted: impl Fn() -> bool) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        let mut given_up = false;
        wait_until(
            deadline,
            || gate.drained(&self.members),
            |nap| {
                given_up = !wanted();
                given_up || gate.drained_or_sleep(&self.members, nap)
            },
        )?;
        if given_up { Err(StillInside) } else { Ok(()) }
    }
}

/// A group whose gates are closed. Dropping it opens them.
pub struct Closed {
    taken: Taken,
    at: Instant,
}

impl Closed {
    /// When they were closed.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Publishes the group that the gates were closed for. They stay closed. Where somebody is still inside
    /// (`drained` is false), older activities are led to what was there before, as by an open flip: one that
    /// met one member goes on with the others of that side.
    pub fn flip(&self, group: Group, drained: bool) -> Flipped {
        let runtime = self.taken.runtime;
        let gate = runtime.gate();
        let (members, bindings) = numbered(group, gate.next_epoch(), |component| {
            if drained {
                std::ptr::null()
            } else {
                std::ptr::from_ref(component.current().bound().binding())
            }
        });
        let epoch = gate.flip_closed(&bindings);
        if !drained {
            runtime.note_open_flip(epoch);
        }
        Flipped { before: runtime.publish(members, epoch), epoch }
    }

    /// Opens the gates; answers when they were open.
    pub fn open(self) -> Instant {
        // Dropping opens them once more, which does nothing, and gives the gate back.
        self.taken.runtime.gate().open()
    }
}
