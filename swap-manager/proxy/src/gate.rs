//! The swap manager's side of the gate: close, drain, flip, open.
//!
//! Readers announce and never wait for each other (`s_sdk::activity` has their steps). Everything here
//! is slow by comparison and runs under one lock, which is what keeps two swaps from closing gates at
//! the same time: an activity that waits at one gate while it is pinned behind another can then only
//! ever wait for one transaction, so two of them cannot lock each other.
//!
//! Invariant: between [`Gate::close`] and [`Gate::open`] no activity enters a member of the group,
//! except one that is pinned to a member already; and once [`Gate::drained`] says so, none is inside.
//!
//! ## The writer's steps
//! Brace: 1. tell every reader to fence for itself, 2. fence all cores: that interrupts every processor, which
//! takes a while, so it is done before anybody has to wait. A reader that did not see the order announced
//! its pin before the fence; every other one fences from here on.
//! Close: 1. remember the group, 2. tag every member's current pointer, 3. fence. Any reader that did not see
//! the tag has announced its pin by now.
//! Drain: look at every lane until none is pinned to a member.
//! Flip, gated: 1. publish the new bindings, still tagged, 2. move the epoch, 3. open by removing tags.
//! Flip, open: 1. publish the new bindings, each leading back to its predecessor, 2. move the epoch:
//! that store is the moment of the flip for all members at once, because younger activities see the new
//! bindings and older ones the predecessors, whatever order they enter in.
//! Grace: a predecessor is unreachable when no lane announces an epoch older than the flip.

#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
use s_sdk::CallError;
use s_sdk::component::{Binding, ComponentCore};
use s_sdk::error::CallErrorKind;
use s_sdk::hosting::{GateKey, Gatekeeper, Inside, LaneDriver, LaneWatch};
use s_sdk::sync::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How the writer makes readers' announcements visible.
#[derive(Clone, Copy)]
pub enum Fence {
    /// Both sides use the full fence.
    Everywhere,
    /// The writer fences for all threads of the process; readers need only their compiler's fence.
    ByWriter(fn()),
}

impl Fence {
    fn fence(self) {
        match self {
            Fence::Everywhere => fence(Ordering::SeqCst),
            Fence::ByWriter(all_threads) => all_threads(),
        }
    }
}

/// The gate of one runtime.
pub struct Gate {
    epoch: AtomicU64,
    fence: Fence,
    lanes: Mutex<Lanes>,
    closing: Mutex<Closing>,
    opened: Condvar,
    /// Somebody came to a closed gate, so its activity before that one has ended.
    arrived: Condvar,
}

/// Everybody who may be inside.
#[derive(Default)]
struct Lanes {
    watches: Vec<LaneWatch>,
    /// Readers fence for themselves: always, or because a gate closes.
    full_fence: bool,
}

/// The group whose gates are closed now.
#[derive(Default)]
struct Closing {
    members: Vec<&'static GateKey>,
    deadline: Option<Instant>,
    /// A swap holds the gate, closed or about to close.
    taken: bool,
}

fn tagged(binding: *mut Binding) -> *mut Binding {
    binding.map_addr(|address| address | 1)
}

fn untagged(binding: *mut Binding) -> *mut Binding {
    binding.map_addr(|address| address & !1)
}

impl Gate {
    /// An open gate.
    pub fn new(fence: Fence) -> Self {
        Gate {
            epoch: AtomicU64::new(1),
            fence,
            lanes: Mutex::new(Lanes {
                watches: Vec::new(),
                full_fence: matches!(fence, Fence::Everywhere),
            }),
            closing: Mutex::new(Closing::default()),
            opened: Condvar::new(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Closing> {
        // The lock guards no invariant that a panicking holder could have broken half-way.
        self.closing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A new lane for a thread.
    pub fn lane(&'static self) -> LaneDriver {
        let mut lanes = self.lanes();
        let (driver, watch) = LaneDriver::new(self, &self.epoch, lanes.full_fence);
        lanes.watches.push(watch);
        driver
    }

    /// Forgets a lane whose thread is gone.
    pub fn forget(&self, lane: &LaneWatch) {
        self.lanes().watches.retain(|known| !known.is(lane));
    }

    /// Takes the gate for a swap, when it is free by the deadline.
    pub fn take_by(&self, deadline: Option<Instant>) -> bool {
        let mut closing = self.lock();
        while closing.taken {
            match self.wait(closing, deadline) {
                Some(woken) => closing = woken,
                None => return false,
            }
        }
        closing.taken = true;
        true
    }

    /// Gives the gate back.
    pub fn give_back(&self) {
        self.let_readers_fence(matches!(self.fence, Fence::Everywhere));
        self.lock().taken = false;
        self.opened.notify_all();
    }

    fn let_readers_fence(&self, full: bool) {
        let mut lanes = self.lanes();
        if lanes.full_fence != full {
            lanes.full_fence = full;
            lanes.watches.iter().for_each(|lane| lane.fence_fully(full));
        }
    }

    /// Closes the gates of a group, which the caller has taken; answers when. Activities that arrive wait,
    /// until the deadline at most.
    pub fn close(&self, members: Vec<&'static GateKey>, deadline: Option<Instant>) -> Instant {
        self.let_readers_fence(true);
        self.fence.fence();
        let mut closing = self.lock();
        let closed = Instant::now();
        for member in &members {
            member.publish(tagged(member.published()), Ordering::SeqCst);
        }
        closing.members = members;
        closing.deadline = deadline;
        fence(Ordering::SeqCst);
        closed
    }

    /// Whether no activity is inside a closed group.
    pub fn drained(&self, members: &[u32]) -> bool {
        let inside = |lane: &LaneWatch| members.iter().any(|&member| lane.is_pinned(member));
        !self.lanes().watches.iter().any(inside)
    }

    /// Whether no activity is inside the closed group; if one is, sleeps until a caller comes to the closed
    /// gate, or for so long.
    ///
    /// Whoever is inside and not running waits for a processor, perhaps for this very one: sleeping gives it
    /// away at once and keeps this thread's claim to get it back, which yielding would forfeit.
    pub fn drained_or_sleep(&self, members: &[u32], at_most: Duration) -> bool {
        let closing = self.lock();
        if self.drained(members) {
            return true;
        }
        // Callers take the same lock before they tell of their arrival: none is missed in between. The
        // model has no clock, and looks again instead.
        #[cfg(not(loom))]
        drop(self.arrived.wait_timeout(closing, at_most));
        #[cfg(loom)]
        let _ = (closing, at_most);
        false
    }

    /// Publishes the new bindings of a closed group. `bindings` are in the order of the group.
    pub fn flip_closed(&self, bindings: &[*const Binding]) -> u64 {
        let closing = self.lock();
        for (member, binding) in closing.members.iter().zip(bindings) {
            member.publish(tagged(binding.cast_mut()), Ordering::Release);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Opens the gates again, on whatever is published; answers when they were open.
    pub fn open(&self) -> Instant {
        let mut closing = self.lock();
        for member in std::mem::take(&mut closing.members) {
            member.publish(untagged(member.published()), Ordering::Release);
        }
        closing.deadline = None;
        drop(closing);
        let opened = Instant::now();
        // Whoever is woken may take the processor from this thread at once.
        self.opened.notify_all();
        opened
    }

    /// Flips a group without closing it: every binding leads back to its predecessor.
    pub fn flip_open(&self, members: &[&'static GateKey], bindings: &[*const Binding]) -> u64 {
        let _closing = self.lock();
        for (member, binding) in members.iter().zip(bindings) {
            member.publish(binding.cast_mut(), Ordering::Release);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The epoch that the next flip will begin.
    pub fn next_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire) + 1
    }

    /// Whether no activity older than an epoch runs. Call [`Gate::fence`] once before asking.
    pub fn passed(&self, epoch: u64) -> bool {
        self.lanes()
            .watches
            .iter()
            .all(|lane| lane.epoch().is_none_or(|announced| announced >= epoch))
    }

    /// Whether no activity is pinned to this binding. Call [`Gate::fence`] once before asking.
    pub fn nobody_on(&self, component: u32, binding: *const Binding) -> bool {
        self.lanes().watches.iter().all(|lane| !lane.is_pinned_to(component, binding))
    }

    /// Makes what readers announced before now visible to this thread.
    pub fn fence(&self) {
        self.fence.fence();
    }
}

/// How long a caller waits at a gate for which no deadline was set.
const UNSET_WAIT: Duration = Duration::from_secs(5);

impl Gatekeeper for Gate {
    /// The slow way in. The lock keeps every flip and close out, so a plain look is enough here.
    fn enter(
        &self,
        lane: &Inside<'_>,
        component: &ComponentCore,
    ) -> Result<*const Binding, CallError> {
        let mut closing = self.lock();
        loop {
            // Nested calls of an admitted activity always pass: it is pinned to a member, the drain waits
            // for it, and it would wait for the drain.
            let admitted =
                || closing.members.iter().any(|member| lane.is_pinned(member.core().index()));
            if !component.is_closed() || admitted() {
                return Ok(lane.pin(component));
            }
            self.arrived.notify_all();
            let deadline = closing.deadline;
            closing =
                self.wait(closing, deadline).ok_or(CallError::new(CallErrorKind::GateTimeout))?;
        }
    }
}

impl Gate {
    /// Waits for the gate to change; `None` when the deadline is over. The model has no clock.
    fn wait<'a>(
        &self,
        closing: MutexGuard<'a, Closing>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, Closing>> {
        #[cfg(loom)]
        {
            let _ = (deadline, UNSET_WAIT);
            Some(self.opened.wait(closing).unwrap_or_else(std::sync::PoisonError::into_inner))
        }
        #[cfg(not(loom))]
        {
            let now = Instant::now();
            let deadline = deadline.unwrap_or(now + UNSET_WAIT);
            let left = deadline.checked_duration_since(now).filter(|left| !left.is_zero())?;
            match self.opened.wait_timeout(closing, left) {
                Ok((closing, _)) => Some(closing),
                Err(poisoned) => Some(poisoned.into_inner().0),
            }
        }
    }
}

#[cfg(all(loom, test))]
#[path = "gate_models.rs"]
mod loom_models;
