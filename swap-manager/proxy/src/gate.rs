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
//! Close: 1. remember the group, 2. tag every member's current pointer, 3. fence all cores. Any reader
//! that did not see the tag has announced its pin by now.
//! Drain: look at every lane until none is pinned to a member.
//! Flip, gated: 1. publish the new bindings, still tagged, 2. move the epoch, 3. open by removing tags.
//! Flip, open: 1. publish the new bindings, each leading back to its predecessor, 2. move the epoch:
//! that store is the moment of the flip for all members at once, because younger activities see the new
//! bindings and older ones the predecessors, whatever order they enter in.
//! Grace: a predecessor is unreachable when no lane announces an epoch older than the flip.

#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
use s_sdk::component::{Binding, ComponentCore};
use s_sdk::error::CallErrorKind;
use s_sdk::hosting::{Gatekeeper, Inside, LaneDriver, LaneWatch};
use s_sdk::CallError;
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
    lanes: Mutex<Vec<LaneWatch>>,
    closing: Mutex<Closing>,
    opened: Condvar,
    /// Somebody came to a closed gate, so its activity before that one has ended.
    arrived: Condvar,
}

/// The group whose gates are closed now.
#[derive(Default)]
struct Closing {
    members: Vec<&'static ComponentCore>,
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

/// Whether a component's gate is closed now.
pub fn is_closed(component: &ComponentCore) -> bool {
    component.current.load(Ordering::Acquire).addr() & 1 != 0
}

impl Gate {
    /// An open gate.
    pub fn new(fence: Fence) -> Self {
        Gate {
            epoch: AtomicU64::new(1),
            fence,
            lanes: Mutex::new(Vec::new()),
            closing: Mutex::new(Closing::default()),
            opened: Condvar::new(),
            arrived: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Closing> {
        // The lock guards no invariant that a panicking holder could have broken half-way.
        self.closing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<LaneWatch>> {
        self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A new lane for a thread.
    pub fn lane(&'static self) -> LaneDriver {
        let full = matches!(self.fence, Fence::Everywhere);
        let (driver, watch) = LaneDriver::new(self, &self.epoch, full);
        self.lanes().push(watch);
        driver
    }

    /// Forgets a lane whose thread is gone.
    pub fn forget(&self, lane: &LaneWatch) {
        self.lanes().retain(|known| !known.is(lane));
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
        self.lock().taken = false;
        self.opened.notify_all();
    }

    /// Closes the gates of a group. Activities that arrive wait, until the deadline at most.
    pub fn close(&self, members: Vec<&'static ComponentCore>, deadline: Option<Instant>) {
        let mut closing = self.lock();
        for member in &members {
            let current = member.current.load(Ordering::Relaxed);
            member.current.store(tagged(current), Ordering::SeqCst);
        }
        closing.members = members;
        closing.deadline = deadline;
        self.fence.fence();
    }

    /// Whether no activity is inside the closed group.
    pub fn drained(&self) -> bool {
        self.nobody_in(&self.lock())
    }

    fn nobody_in(&self, closing: &Closing) -> bool {
        self.lanes().iter().all(|lane| !closing.members.iter().any(|member| lane.is_pinned(member.index)))
    }

    /// Whether no activity is inside the closed group; if one is, sleeps until a caller comes to the closed
    /// gate, or for so long.
    ///
    /// Whoever is inside and not running waits for a processor, perhaps for this very one: sleeping gives it
    /// away at once and keeps this thread's claim to get it back, which yielding would forfeit.
    pub fn drained_or_sleep(&self, at_most: Duration) -> bool {
        let closing = self.lock();
        if self.nobody_in(&closing) {
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
            member.current.store(tagged(binding.cast_mut()), Ordering::Release);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Opens the gates again, on whatever is published; answers when they were open.
    pub fn open(&self) -> Instant {
        let mut closing = self.lock();
        for member in std::mem::take(&mut closing.members) {
            let current = member.current.load(Ordering::Relaxed);
            member.current.store(untagged(current), Ordering::Release);
        }
        closing.deadline = None;
        drop(closing);
        let opened = Instant::now();
        // Whoever is woken may take the processor from this thread at once.
        self.opened.notify_all();
        opened
    }

    /// Flips a group without closing it: every binding leads back to its predecessor.
    pub fn flip_open(&self, members: &[(&'static ComponentCore, *const Binding)]) -> u64 {
        let _closing = self.lock();
        for (member, binding) in members {
            member.current.store(binding.cast_mut(), Ordering::Release);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The epoch that the next flip will begin.
    pub fn next_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire) + 1
    }

    /// Whether no activity older than an epoch runs. Call [`Gate::fence`] once before asking.
    pub fn passed(&self, epoch: u64) -> bool {
        self.lanes().iter().all(|lane| lane.epoch().is_none_or(|announced| announced >= epoch))
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
    fn enter(&self, lane: &Inside<'_>, component: &ComponentCore) -> Result<*const Binding, CallError> {
        let mut closing = self.lock();
        loop {
            // Nested calls of an admitted activity always pass: it is pinned to a member, the drain waits
            // for it, and it would wait for the drain.
            let admitted = || closing.members.iter().any(|member| lane.is_pinned(member.index));
            if !is_closed(component) || admitted() {
                return Ok(lane.pin(component));
            }
            self.arrived.notify_all();
            let deadline = closing.deadline;
            closing = self.wait(closing, deadline).ok_or(CallError::new(CallErrorKind::GateTimeout))?;
        }
    }
}

impl Gate {
    /// Waits for the gate to change; `None` when the deadline is over. The model has no clock.
    fn wait<'a>(&self, closing: MutexGuard<'a, Closing>, deadline: Option<Instant>) -> Option<MutexGuard<'a, Closing>> {
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
mod loom_models {
    //! The gate under every interleaving and every weak ordering that the model checker can find.

    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;
    use s_sdk::Activity;
    use s_sdk::abi::Status;
    use s_sdk::dynamic::{ValueOut, ValueRef};
    use s_sdk::hosting::{Bound, BoundSide};
    use s_sdk::sync::AtomicPtr;

    struct Nothing;

    impl BoundSide for Nothing {
        fn lacking(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
            Status::NOT_UNDERSTOOD
        }
        fn invoke(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
            Status::NOT_UNDERSTOOD
        }
        fn failed(&self, _: &Activity, _: Status) {}
    }

    fn binding(generation: u64, since: u64, predecessor: *const Binding) -> &'static Binding {
        let mut bound = Bound::new(std::ptr::null(), generation, Nothing);
        bound.set_since(since, predecessor);
        Box::leak(Box::new(bound)).binding()
    }

    fn component(index: u32, binding: &'static Binding) -> &'static ComponentCore {
        let current = AtomicPtr::new(std::ptr::from_ref(binding).cast_mut());
        Box::leak(Box::new(ComponentCore { index, current }))
    }

    fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(model);
    }

    /// An activity that meets two members of a group flipped without a gate meets the same version of
    /// both, and neither is freed while it is inside.
    #[test]
    fn an_open_flip_is_seen_whole_and_keeps_its_predecessors() {
        check(3, || {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
            let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
            let (a, b) = (component(0, a1), component(1, b1));
            let freed = Arc::new(AtomicBool::new(false));
            let mut lane = gate.lane();
            let reader = {
                let freed = Arc::clone(&freed);
                thread::spawn(move || {
                    let act = lane.begin();
                    let first = act.enter(a).unwrap().generation;
                    let second = act.enter(b).unwrap().generation;
                    assert_eq!(first, second, "half of a group");
                    assert!(first == 2 || !freed.load(Ordering::Relaxed), "freed under a reader");
                    drop(act);
                })
            };
            let since = gate.next_epoch();
            let (a2, b2) = (binding(2, since, a1), binding(2, since, b1));
            let epoch = gate.flip_open(&[(a, a2), (b, b2)]);
            gate.fence();
            while !gate.passed(epoch) {
                thread::yield_now();
            }
            freed.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
    }

    /// There and back again without a pause: an old activity that meets one member before and the other
    /// after both flips still sees one side only.
    #[test]
    fn two_open_flips_in_a_row_are_each_seen_whole() {
        check(2, || {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
            let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
            let (a, b) = (component(0, a1), component(1, b1));
            let mut lane = gate.lane();
            let reader = thread::spawn(move || {
                let act = lane.begin();
                let first = act.enter(a).unwrap().generation;
                let second = act.enter(b).unwrap().generation;
                assert_eq!(first, second, "half of a group");
            });
            let since = gate.next_epoch();
            let (a2, b2) = (binding(2, since, a1), binding(2, since, b1));
            gate.flip_open(&[(a, a2), (b, b2)]);
            let since = gate.next_epoch();
            let (a3, b3) = (binding(3, since, a2), binding(3, since, b2));
            gate.flip_open(&[(a, a3), (b, b3)]);
            reader.join().unwrap();
        });
    }

    /// While a gate is closed and drained, the swap manager is alone with the state; nobody meets half
    /// of the group afterwards.
    #[test]
    fn a_closed_gate_gives_the_state_to_one_side_only() {
        check(2, || {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
            let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
            let (a, b) = (component(0, a1), component(1, b1));
            let state = Arc::new(UnsafeCell::new(1u64));
            let mut lane = gate.lane();
            let reader = {
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let act = lane.begin();
                        let first = act.enter(a).unwrap().generation;
                        let seen = state.with(|state| {
                            // SAFETY: the gate keeps the writer out while this activity is inside; that
                            // is what the model checks.
                            #[allow(unsafe_code)]
                            unsafe {
                                *state
                            }
                        });
                        let second = act.enter(b).unwrap().generation;
                        assert_eq!((first, second), (seen, seen), "a version that does not fit the state");
                        drop(act);
                    }
                })
            };
            assert!(gate.take_by(None));
            gate.close(vec![a, b], None);
            while !gate.drained() {
                thread::yield_now();
            }
            state.with_mut(|state| {
                // SAFETY: the group is drained and closed.
                #[allow(unsafe_code)]
                unsafe {
                    *state = 2;
                }
            });
            let since = gate.next_epoch();
            let (a2, b2) = (binding(2, since, std::ptr::null()), binding(2, since, std::ptr::null()));
            gate.flip_closed(&[a2, b2]);
            gate.open();
            gate.give_back();
            reader.join().unwrap();
        });
    }

    /// A swap that is given up leaves everybody on the old version, and nobody waiting.
    #[test]
    fn a_gate_that_opens_on_the_old_version_lets_everybody_in() {
        check(2, || {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
            let a1 = binding(1, 0, std::ptr::null());
            let a = component(0, a1);
            let mut lane = gate.lane();
            let reader = thread::spawn(move || {
                let act = lane.begin();
                assert_eq!(act.enter(a).unwrap().generation, 1);
            });
            assert!(gate.take_by(None));
            gate.close(vec![a], None);
            gate.open();
            gate.give_back();
            reader.join().unwrap();
            assert!(gate.drained());
        });
    }
}
