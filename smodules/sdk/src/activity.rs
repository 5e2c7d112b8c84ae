//! One piece of root work, the generations it is pinned to, and the reader's side of the gate.
//!
//! A [`Lane`] is the host's memory for one activity at a time: what the activity announced to writers
//! (its epoch, its pins) and what it keeps between calls. The pin table is at once the cache that makes
//! a second call into a component one load, and the announcement that makes a swap wait for it.
//!
//! Invariant: a lane's pins and epoch are written by the activity's own thread only; the swap manager
//! only reads them, after a fence that covers every core.
//!
//! ## The reader's steps
//! Begin: nothing; an activity is as old as its first meeting.
//! Enter a component: 1. a pin from earlier in this activity is the answer; 2. date the activity, if this
//! is its first meeting; 3. read the component's current binding; a closed gate goes the slow way; 4. if the
//! binding is younger than this activity and left its predecessor reachable (a flip without a gate), take
//! the predecessor; 5. announce the pin, 6. fence, 7. read the component again: unchanged means entered,
//! otherwise take the pin back.
//! Date: 1. read the global epoch, 2. announce it, 3. fence, 4. read it again; begin anew if it moved.
//! The first meeting does both with one fence: announce epoch and pin, fence, read the epoch again, then
//! the component. Only if both are unchanged is the binding looked at; a younger one means both anew, one
//! after the other. The epoch is read first, because who reads a flip's epoch also sees its bindings.
//! End: take all pins back, then the epoch.
//!
//! Announced epochs keep memory: a binding is freed only when no lane announces an epoch older than the
//! flip that replaced it. Announced pins keep state: a swap that moves state waits for the pins of its
//! own components only.

use crate::component::{Binding, ComponentCore};
use crate::error::{CallError, CallErrorKind};
use crate::list::Full;
use crate::shape::{Crossing, Plain, Shape, ShapeKind, ShapePart};
use crate::sync::{AtomicPtr, AtomicU64, Ordering, announce_fence};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64 as AtomicCount, compiler_fence};

/// Where lanes draw the numbers of their activities from. Not the model checker's: it decides nothing.
static SERIALS: AtomicCount = AtomicCount::new(0);

/// A lane draws so many serials at a time, so that lanes do not meet at the counter.
const SERIALS_DRAWN: u64 = 1 << 20;

/// The first of [`SERIALS_DRAWN`] numbers that no other lane has, now or later.
fn draw_serials() -> u64 {
    SERIALS.fetch_add(SERIALS_DRAWN, Ordering::Relaxed)
}

/// The epoch that a resting lane announces.
pub const IDLE: u64 = u64::MAX;

/// Octets that an activity can keep between calls.
pub const KEEP_BYTES: usize = 1024;

/// What is kept begins at a multiple of so many octets: a place.
const PLACE_BYTES: usize = 8;

/// How many places there are.
const PLACES: usize = KEEP_BYTES / PLACE_BYTES;

/// How many components one activity can meet.
pub const MAX_COMPONENTS: usize = if cfg!(loom) { 3 } else { 256 };

/// The host's memory for one activity at a time.
#[repr(C)]
pub struct Lane {
    /// The epoch announced by the running activity, or [`IDLE`] before its first meeting.
    pub(crate) epoch: AtomicU64,
    /// The host's epoch, moved by every flip.
    global_epoch: *const AtomicU64,
    /// The component that the last activity met first: its pin is taken back at every end.
    first: Cell<u32>,
    /// The reader fences for itself: the writer cannot do it for all threads, or is about to close a gate.
    full_fence: AtomicBool,
    /// The running activity leaves something to see to: further pins, what it kept, a component that failed.
    remains: Cell<bool>,
    /// One pin per component, by its index.
    pub(crate) pins: [AtomicPtr<Binding>; MAX_COMPONENTS],
    /// The slow way into a component: a closed gate, or a flip in passing.
    slow: SlowEnter,
    /// The host's own.
    context: *const std::ffi::c_void,
    /// The further components pinned by the running activity; the first `pinned` count.
    further: [Cell<u16>; MAX_COMPONENTS],
    pinned: Cell<u32>,
    /// The first component that failed in the running activity, plus one.
    faulty: Cell<u32>,
    /// Why the last component that was not entered was not.
    refusal: Cell<CallError>,
    /// The number of the running activity if it keeps something: no other one of this process has it, on
    /// whatever lane, so that a handle of another one is recognised.
    serial: Cell<u64>,
    kept: Cell<u32>,
    /// One bit per place: something kept begins there. Else its owner could write octets that pass for more.
    begins: [Cell<u64>; PLACES / 64],
    keep: UnsafeCell<Keep>,
}

#[repr(C, align(16))]
struct Keep([u8; KEEP_BYTES]);

/// The host's function for entering a component whose gate is closed.
pub type SlowEnter = unsafe extern "C" fn(&Lane, &ComponentCore, &mut CallError) -> *const Binding;

impl Lane {
    /// A resting lane. `context` and `slow` are the host's.
    pub(crate) fn new(
        global_epoch: *const AtomicU64,
        slow: SlowEnter,
        context: *const std::ffi::c_void,
        full_fence: bool,
    ) -> Self {
        Lane {
            epoch: AtomicU64::new(IDLE),
            global_epoch,
            first: Cell::new(0),
            full_fence: AtomicBool::new(full_fence),
            remains: Cell::new(false),
            pins: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            slow,
            context,
            further: std::array::from_fn(|_| Cell::new(0)),
            pinned: Cell::new(0),
            faulty: Cell::new(0),
            refusal: Cell::new(CallError::new(CallErrorKind::GateTimeout)),
            serial: Cell::new(draw_serials()),
            kept: Cell::new(0),
            begins: [const { Cell::new(0) }; PLACES / 64],
            keep: UnsafeCell::new(Keep([0; KEEP_BYTES])),
        }
    }

    /// The host's own pointer.
    pub(crate) const fn context(&self) -> *const std::ffi::c_void {
        self.context
    }

    /// Begins an activity on a resting lane.
    ///
    /// # Safety
    /// Only the driver calls this, on the one thread that drives the lane, and ends it before it begins
    /// another. The global epoch outlives the lane.
    #[inline(always)]
    pub(crate) unsafe fn begin(&self) -> &Activity {
        // SAFETY: `Activity` is a transparent view of a lane.
        unsafe { &*std::ptr::from_ref(self).cast::<Activity>() }
    }

    fn global_epoch(&self) -> &AtomicU64 {
        // SAFETY: whoever called `begin` promised that the epoch outlives the lane.
        unsafe { &*self.global_epoch }
    }

    /// Announces since when the running activity runs, unless it did.
    pub(crate) fn date(&self) {
        if self.epoch.load(Ordering::Relaxed) != IDLE {
            return;
        }
        let mut epoch = self.global_epoch().load(Ordering::Acquire);
        loop {
            self.epoch.store(epoch, Ordering::Release);
            self.announce();
            let now = self.global_epoch().load(Ordering::Acquire);
            if now == epoch {
                break;
            }
            epoch = now;
        }
    }

    /// Ends the running activity; answers the index of the first component that failed in it.
    ///
    /// Most activities meet one component, keep nothing and fail nowhere: for those nothing but the
    /// announcements is written.
    #[inline(always)]
    pub(crate) fn end(&self) -> Option<u32> {
        let faulty = if self.remains.get() { self.see_to_remains() } else { None };
        self.pin(self.first.get()).store(std::ptr::null_mut(), Ordering::Release);
        self.epoch.store(IDLE, Ordering::Release);
        faulty
    }

    /// Takes further pins back, and wipes what the activity kept, because it may have been a key; its
    /// handles are stale from here on.
    #[cold]
    #[inline(never)]
    fn see_to_remains(&self) -> Option<u32> {
        self.remains.set(false);
        for further in self.further.iter().take(self.pinned.replace(0) as usize) {
            self.pin(further.get().into()).store(std::ptr::null_mut(), Ordering::Release);
        }
        let used = self.kept.replace(0) as usize;
        if used != 0 {
            let next = self.serial.get() + 1;
            self.serial.set(if next.is_multiple_of(SERIALS_DRAWN) { draw_serials() } else { next });
            self.begins.iter().for_each(|begins| begins.set(0));
            // SAFETY: the lane is driven by one thread, and no reference into `keep` is ever handed out.
            unsafe {
                std::ptr::write_bytes(self.keep.get().cast::<u8>(), 0, used);
            }
            compiler_fence(Ordering::SeqCst);
        }
        self.faulty.replace(0).checked_sub(1)
    }

    /// The pin of a component.
    #[inline(always)]
    pub(crate) fn pin(&self, index: u32) -> &AtomicPtr<Binding> {
        // SAFETY: `GateKey::new` made the component, with an index below `MAX_COMPONENTS`.
        unsafe { self.pins.get_unchecked(index as usize) }
    }

    /// Makes what was written to the lane so far visible to a writer before anything read from here on.
    #[inline(always)]
    pub(crate) fn announce(&self) {
        // In this order in the program, too: who looks at the flag in vain has written before he looked.
        compiler_fence(Ordering::SeqCst);
        announce_fence(self.full_fence.load(Ordering::Relaxed));
    }

    /// Has the reader fence for itself, or leave that to the writer. Who turns it on fences for all threads
    /// before relying on it: a reader that did not see it by then has announced what it announces.
    pub(crate) fn fence_fully(&self, full: bool) {
        self.full_fence.store(full, Ordering::Relaxed);
    }

    /// Records a pin that is not the first meeting's.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "component indexes are below MAX_COMPONENTS"
    )]
    pub(crate) fn note_pin(&self, index: u32) {
        let n = self.pinned.get();
        // Each component is pinned once in an activity, so there is room for all of them.
        self.further[n as usize].set(index as u16);
        self.pinned.set(n + 1);
        self.remains.set(true);
    }
}

/// One piece of root work: one datagram, one timer, one mailbox message.
///
/// It is pinned to the generation of each component that it meets, from the first meeting to its end.
/// Every method of a behavior takes it first and passes it on to the components that it calls.
#[repr(transparent)]
pub struct Activity(Lane);

impl Activity {
    /// The lane behind the activity.
    #[inline(always)]
    pub const fn lane(&self) -> &Lane {
        &self.0
    }

    /// Enters a component: the generation that this activity sees of it from now on.
    #[inline(always)]
    pub fn enter(&self, component: &'static ComponentCore) -> Result<&Binding, CallError> {
        match self.met(component) {
            Some(bound) => Ok(bound),
            // The error takes the way through memory, so that the binding need not.
            None => Err(self.refusal()),
        }
    }

    #[cold]
    fn refusal(&self) -> CallError {
        self.0.refusal.get()
    }

    #[inline(always)]
    fn met(&self, component: &'static ComponentCore) -> Option<&Binding> {
        let lane = &self.0;
        let pin = lane.pin(component.index);
        let known = pin.load(Ordering::Relaxed);
        if !known.is_null() {
            // SAFETY: a pinned binding is not freed before the activity ends.
            return Some(unsafe { &*known });
        }
        if lane.epoch.load(Ordering::Relaxed) != IDLE {
            return self.enter_further(component);
        }
        let global_epoch = lane.global_epoch();
        let epoch = global_epoch.load(Ordering::Acquire);
        let current = component.current.load(Ordering::Acquire);
        // The lowest bit says that the gate is closed.
        if current.addr() & 1 != 0 {
            return self.enter_anew(component);
        }
        lane.epoch.store(epoch, Ordering::Release);
        pin.store(current, Ordering::Release);
        lane.announce();
        if global_epoch.load(Ordering::Acquire) != epoch
            || component.current.load(Ordering::Acquire) != current
        {
            return self.enter_anew(component);
        }
        // SAFETY: it is current after this lane announced an epoch from before its replacement.
        let bound = unsafe { &*current };
        if bound.since > epoch {
            return self.enter_anew(component);
        }
        lane.first.set(component.index);
        Some(bound)
    }

    /// The first meeting once more, step by step.
    #[cold]
    #[inline(never)]
    fn enter_anew(&self, component: &'static ComponentCore) -> Option<&Binding> {
        self.0.pin(component.index).store(std::ptr::null_mut(), Ordering::Release);
        self.0.epoch.store(IDLE, Ordering::Release);
        self.0.date();
        self.enter_further(component)
    }

    /// Enters a component in a dated activity.
    #[cold]
    #[inline(never)]
    fn enter_further(&self, component: &'static ComponentCore) -> Option<&Binding> {
        let lane = &self.0;
        let pin = lane.pin(component.index);
        let current = component.current.load(Ordering::Acquire);
        if current.addr() & 1 == 0 {
            // SAFETY: this lane announced its epoch before it read the pointer, so the binding is not freed.
            let bound = unsafe { &*current };
            let chosen = bound.seen_from(lane.epoch.load(Ordering::Relaxed));
            pin.store(chosen.cast_mut(), Ordering::Release);
            lane.announce();
            if component.current.load(Ordering::Acquire) == current {
                lane.note_pin(component.index);
                // SAFETY: now pinned.
                return Some(unsafe { &*chosen });
            }
            pin.store(std::ptr::null_mut(), Ordering::Release);
        }
        let mut error = CallError::new(CallErrorKind::GateTimeout);
        // SAFETY: the function came from the host that made the lane; it answers a pinned binding or null.
        let entered = unsafe { (lane.slow)(lane, component, &mut error).as_ref() };
        lane.refusal.set(error);
        entered
    }

    /// Notes that a component failed in this activity; the host decides what follows when it ends.
    pub fn note_fault(&self, component: &ComponentCore) {
        if self.0.faulty.get() == 0 {
            self.0.faulty.set(component.index + 1);
            self.0.remains.set(true);
        }
    }

    /// Keeps plain data until the activity ends: what a first call leaves for a later one.
    pub fn keep<T: Plain>(&self, value: T) -> Result<Handle<T>, CallError> {
        let lane = &self.0;
        let align = align_of::<T>().max(align_of::<u64>());
        let header = (lane.kept.get() as usize).next_multiple_of(PLACE_BYTES);
        let at = (header + 8).next_multiple_of(align);
        let end = at + size_of::<T>();
        if at >= KEEP_BYTES || end > KEEP_BYTES || align > align_of::<Keep>() {
            return Err(Full.into());
        }
        // SAFETY: `at..end` lies within `keep`, is aligned for `T`, and was not handed out before;
        // the header in front of it is aligned for its number.
        unsafe {
            let base = lane.keep.get().cast::<u8>();
            base.add(at - 8).cast::<u64>().write(const { T::SHAPE.hash() });
            base.add(at).cast::<T>().write(value);
        }
        #[expect(clippy::cast_possible_truncation, reason = "KEEP_BYTES fits")]
        lane.kept.set(end as u32);
        lane.remains.set(true);
        let place = at / PLACE_BYTES;
        let begins = &lane.begins[place / 64];
        begins.set(begins.get() | 1 << (place % 64));
        Ok(Handle::new(lane.serial.get(), place))
    }

    /// What was kept under a handle of this activity.
    pub fn recall<T: Plain>(&self, handle: Handle<T>) -> Result<T, CallError> {
        let lane = &self.0;
        let stale = CallError::new(CallErrorKind::StaleHandle);
        let place = handle.place();
        let begins = lane.begins[place / 64].get() >> (place % 64) & 1 == 1;
        if handle.serial() != lane.serial.get() || !begins {
            return Err(stale);
        }
        // SAFETY: something kept begins there, and the header in front says whether it is a `T`: then it is
        // aligned for one, and whole.
        unsafe {
            let at = lane.keep.get().cast::<u8>().add(place * PLACE_BYTES);
            if at.sub(8).cast::<u64>().read() != const { T::SHAPE.hash() } {
                return Err(stale);
            }
            Ok(at.cast::<T>().read())
        }
    }
}

/// A handle on something kept: valid from the call that made it to the end of its activity.
#[repr(C)]
pub struct Handle<T> {
    /// The activity's serial and the place, as digits.
    id: u64,
    kept: PhantomData<fn() -> T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl<T> Eq for Handle<T> {}

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({}:{})", self.serial(), self.place())
    }
}

impl<T> Handle<T> {
    const fn new(serial: u64, place: usize) -> Self {
        Handle { id: serial * PLACES as u64 + place as u64, kept: PhantomData }
    }

    const fn serial(self) -> u64 {
        self.id / PLACES as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "below PLACES")]
    const fn place(self) -> usize {
        (self.id % PLACES as u64) as usize
    }

    /// The handle of nothing: `recall` answers `StaleHandle`.
    pub const fn none() -> Self {
        // Nothing kept ever begins at place 0, because a header stands in front of everything.
        Self::new(0, 0)
    }

    /// Whether something was kept under it, in whatever activity.
    pub const fn is_some(&self) -> bool {
        self.place() != 0
    }

    /// The same handle, on something of another type: how a behavior names what only its implementor can
    /// read. A wrong type is no danger, because `recall` compares it with what was kept.
    pub const fn of<U>(self) -> Handle<U> {
        Handle { id: self.id, kept: PhantomData }
    }
}

// SAFETY: a number and a marker without size.
unsafe impl<T: Crossing> Crossing for Handle<T> {
    const SHAPE: &'static Shape = &Shape::with(
        ShapeKind::Handle,
        "handle",
        8,
        align_of::<u64>(),
        &[ShapePart { name: crate::abi::Text::new("id"), at: 0, shape: u64::SHAPE }],
        Some(T::SHAPE),
    );
}
// SAFETY: a number; a forged one is recognised by `recall`.
unsafe impl<T: Crossing + 'static> Plain for Handle<T> {}

impl<T> crate::dynamic::Dynamic for Handle<T> {
    fn to_value(&self) -> crate::Value {
        crate::Value::U64(self.id)
    }
    fn from_value(value: &crate::Value) -> Option<Self> {
        match value {
            crate::Value::U64(id) => Some(Handle { id: *id, kept: PhantomData }),
            _ => None,
        }
    }
}
