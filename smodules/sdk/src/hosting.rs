//! The host's side of the boundary, so that a host needs no unsafe code of its own.
//!
//! A host implements [`HostSide`] for what its modules may ask, [`Gatekeeper`] for entering a component
//! whose gate is closed, and [`BoundSide`] for calls that are not ordinary; it drives activities through
//! [`LaneDriver`]s and leads a module's life through [`Instance`]. Module authors do not need this file.

use crate::abi::{BehaviorDesc, DynamicFn, ErasedFn, MethodEntry};
use crate::abi::{HostLink, HostServices, Lifecycle, ModuleDescriptor, Slice, Status, Text};
use crate::activity::{Activity, IDLE, Lane, MAX_COMPONENTS};
use crate::component::{
    ActiveCall, Binding, BindingServices, ComponentCore, ComponentLink, MAX_SLOTS,
};
use crate::dynamic::{ValueOut, ValueRef};
use crate::error::CallError;
use crate::host::Level;
use crate::list::Buf;
use crate::module::Part;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

// ===== What modules may ask =====

/// The services of a host for one instance of a module.
pub trait HostSide: Send + Sync + 'static {
    /// The host's resident tables. They live as long as the process.
    type Table: Table;

    /// A log line.
    fn log(&self, level: Level, message: &str);
    /// Nanoseconds on a clock that never steps.
    fn now(&self) -> u64;
    /// Nanoseconds since 1970.
    fn wall_clock(&self) -> u64;
    /// Fills with random octets; false when there are none to be had.
    fn random(&self, octets: &mut [u8]) -> bool;
    /// Adds to a counter.
    fn count(&self, name: &str, add: u64);
    /// Resolves a component as a behavior.
    fn lookup(
        &self,
        component: &str,
        behavior: &'static BehaviorDesc,
    ) -> Result<ComponentLink, Status>;
    /// Publishes an event.
    fn publish(&self, tag: &str, payload: &[u8]) -> Status;
    /// Subscribes this module's mailbox to a tag, or ends that.
    fn subscribe(&self, tag: &str, on: bool) -> Status;
    /// Starts a timer.
    fn set_timer(&self, id: u64, after: u64, every: u64) -> Status;
    /// Stops a timer.
    fn cancel_timer(&self, id: u64) -> Status;
    /// Puts a message in a mailbox.
    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status;
    /// The module enters or leaves an S-critical section.
    fn critical(&self, enters: bool);
    /// A panic was caught in the module.
    fn panicked(&self, message: &str);
    /// Opens a resident table.
    fn resident(&self, name: &str, row_hash: u64) -> Result<&'static Self::Table, Status>;
}

/// A resident table.
pub trait Table: Send + Sync + 'static {
    /// Copies the row under a key; false when there is none of that size.
    fn read(&self, key: &[u8], row: &mut [u8]) -> bool;
    /// Writes a row.
    fn put(&self, key: &[u8], row: &[u8]) -> Status;
    /// Removes a row; false when there was none.
    fn remove(&self, key: &[u8]) -> bool;
    /// Copies the first row after a key and answers its key.
    fn next(&self, after: &[u8], row: &mut [u8]) -> Option<Vec<u8>>;
    /// How many rows there are.
    fn len(&self) -> u64;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Services<H>(PhantomData<H>);

/// The context that a service was called with.
///
/// # Safety
/// `context` is the `H` of the link that the service came with.
unsafe fn side<'a, H>(context: *const c_void) -> &'a H {
    // SAFETY: by the caller's promise; the instance keeps its host alive.
    unsafe { &*context.cast::<H>() }
}

/// A module's output memory as octets.
///
/// # Safety
/// So many octets can be written there.
unsafe fn octets<'a>(ptr: *mut u8, len: usize) -> &'a mut [u8] {
    // SAFETY: plain octets; zeroed first, because the module's memory may be uninitialised.
    unsafe {
        ptr.write_bytes(0, len);
        std::slice::from_raw_parts_mut(ptr, len)
    }
}

macro_rules! services {
    ($($name:ident($host:ident $(, $arg:ident: $type:ty)*) $(-> $result:ty)? $body:block)*) => {
        impl<H: HostSide> Services<H> {
            $(unsafe extern "C" fn $name(context: *const c_void $(, $arg: $type)*) $(-> $result)? {
                // SAFETY: the module passes the context of its own link.
                let $host = unsafe { side::<H>(context) };
                $body
            })*

            #[expect(clippy::cast_possible_truncation, reason = "a table of function pointers")]
            const TABLE: HostServices = HostServices {
                size: size_of::<HostServices>() as u32,
                $($name: Self::$name,)*
                resident_get: Self::resident_get,
                resident_put: Self::resident_put,
                resident_remove: Self::resident_remove,
                resident_next: Self::resident_next,
                resident_len: Self::resident_len,
                standard_library: crate::abi::STANDARD_LIBRARY,
            };
        }
    };
}

services! {
    log(host, level: u32, message: Text<'_>) {
        let level = match level {
            0 => Level::Error,
            1 => Level::Warning,
            2 => Level::Info,
            _ => Level::Debug,
        };
        host.log(level, message.as_str());
    }
    now(host) -> u64 { host.now() }
    wall_clock(host) -> u64 { host.wall_clock() }
    random(host, ptr: *mut u8, len: usize) -> Status {
        // SAFETY: the module passes its own buffer.
        if host.random(unsafe { octets(ptr, len) }) { Status::OK } else { Status::REFUSED }
    }
    count(host, name: Text<'_>, add: u64) { host.count(name.as_str(), add); }
    lookup(host, component: Text<'_>, behavior: &'static BehaviorDesc, link: &mut ComponentLink) -> Status {
        match host.lookup(component.as_str(), behavior) {
            Ok(found) => {
                *link = found;
                Status::OK
            }
            Err(status) => status,
        }
    }
    publish(host, tag: Text<'_>, payload: Slice<'_, u8>) -> Status { host.publish(tag.as_str(), payload.get()) }
    subscribe(host, tag: Text<'_>) -> Status { host.subscribe(tag.as_str(), true) }
    unsubscribe(host, tag: Text<'_>) -> Status { host.subscribe(tag.as_str(), false) }
    set_timer(host, id: u64, after: u64, every: u64) -> Status { host.set_timer(id, after, every) }
    cancel_timer(host, id: u64) -> Status { host.cancel_timer(id) }
    send(host, component: Text<'_>, kind: Text<'_>, payload: Slice<'_, u8>) -> Status {
        host.send(component.as_str(), kind.as_str(), payload.get())
    }
    critical(host, enters: bool) { host.critical(enters); }
    panicked(host, message: Text<'_>) { host.panicked(message.as_str()); }
    resident_open(host, name: Text<'_>, row_hash: u64, table: &mut *const c_void) -> Status {
        match host.resident(name.as_str(), row_hash) {
            Ok(found) => {
                *table = std::ptr::from_ref(found).cast();
                Status::OK
            }
            Err(status) => status,
        }
    }
}

impl<H: HostSide> Services<H> {
    unsafe extern "C" fn resident_get(
        table: *const c_void,
        key: Slice<'_, u8>,
        row: *mut u8,
        len: usize,
    ) -> Status {
        // SAFETY: tables live as long as the process; the module passes room for a row.
        let (table, row) = unsafe { (side::<H::Table>(table), octets(row, len)) };
        if table.read(key.get(), row) { Status::OK } else { Status::NO_SUCH_NAME }
    }

    unsafe extern "C" fn resident_put(
        table: *const c_void,
        key: Slice<'_, u8>,
        row: Slice<'_, u8>,
    ) -> Status {
        // SAFETY: tables live as long as the process.
        unsafe { side::<H::Table>(table) }.put(key.get(), row.get())
    }

    unsafe extern "C" fn resident_remove(table: *const c_void, key: Slice<'_, u8>) -> Status {
        // SAFETY: as above.
        if unsafe { side::<H::Table>(table) }.remove(key.get()) {
            Status::OK
        } else {
            Status::NO_SUCH_NAME
        }
    }

    unsafe extern "C" fn resident_next(
        table: *const c_void,
        after: Slice<'_, u8>,
        key: &mut Buf,
        row: *mut u8,
        len: usize,
    ) -> Status {
        // SAFETY: as in `resident_get`.
        let (table, row) = unsafe { (side::<H::Table>(table), octets(row, len)) };
        match table.next(after.get(), row) {
            Some(found) => match key.append(&found) {
                Ok(()) => Status::OK,
                Err(_) => Status::FULL,
            },
            None => Status::NO_SUCH_NAME,
        }
    }

    unsafe extern "C" fn resident_len(table: *const c_void) -> u64 {
        // SAFETY: as above.
        unsafe { side::<H::Table>(table) }.len()
    }
}

// ===== A module's life =====

/// A lifecycle step that did not go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// What the shim answered.
    pub status: Status,
    /// The module's reason, or the panic's message.
    pub reason: String,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Status::PANICKED => write!(f, "panicked: {}", self.reason),
            _ if self.reason.is_empty() => write!(f, "answered with status {}", self.status.0),
            _ => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for StepError {}

/// A live instance of a module, its host, and whatever keeps its code in memory.
pub struct Instance<H: HostSide, C> {
    this: *mut c_void,
    lifecycle: &'static Lifecycle,
    host: Arc<H>,
    // Dropped last: the code of the functions above.
    code: C,
}

// SAFETY: `Module` requires `Send + Sync`, and the host's side is both.
unsafe impl<H: HostSide, C: Send> Send for Instance<H, C> {}
// SAFETY: as above.
unsafe impl<H: HostSide, C: Sync> Sync for Instance<H, C> {}

fn outcome(status: Status, why: &Buf) -> Result<(), StepError> {
    match status {
        Status::OK => Ok(()),
        status => Err(StepError { status, reason: String::from_utf8_lossy(why).into_owned() }),
    }
}

/// Reasons are for people: a module cannot make the host hold more than this.
const REASON_BYTES: usize = 4096;

impl<H: HostSide, C> Instance<H, C> {
    /// Creates an instance. `code` keeps the library of the descriptor loaded.
    ///
    /// # Errors
    /// The module refused or panicked.
    pub fn init(
        descriptor: &'static ModuleDescriptor,
        host: Arc<H>,
        code: C,
    ) -> Result<Self, StepError> {
        let lifecycle = descriptor.lifecycle;
        let link = HostLink { context: Arc::as_ptr(&host).cast(), services: &Services::<H>::TABLE };
        let mut this = std::ptr::null_mut();
        let mut why = Buf::bounded(REASON_BYTES);
        // SAFETY: the descriptor was checked at load; the host outlives the instance, which holds it.
        let status = unsafe { (lifecycle.init)(link, &mut this, &mut why) };
        outcome(status, &why)?;
        Ok(Instance { this, lifecycle, host, code })
    }

    /// The host's side of this instance.
    pub fn host(&self) -> &Arc<H> {
        &self.host
    }

    /// What keeps the code loaded.
    pub const fn code(&self) -> &C {
        &self.code
    }

    /// The address that bindings call.
    pub const fn this(&self) -> *const c_void {
        self.this
    }

    fn step(&self, step: impl FnOnce(*const c_void, &mut Buf) -> Status) -> Result<(), StepError> {
        let mut why = Buf::bounded(REASON_BYTES);
        let status = step(self.this, &mut why);
        outcome(status, &why)
    }

    /// Asks for the module's vote.
    ///
    /// # Errors
    /// A NO vote with its reason, or a panic.
    pub fn prepare(&self, part: Part<'_>) -> Result<(), StepError> {
        let (comes, other) = match part {
            Part::Comes { after } => (true, after),
            Part::Goes { before } => (false, before),
        };
        // SAFETY: `this` is the live instance of this lifecycle.
        self.step(|this, why| unsafe {
            (self.lifecycle.prepare)(this, comes, Text::new(other), why)
        })
    }

    /// The module is quiescent from here on.
    ///
    /// # Errors
    /// A panic.
    pub fn hold(&self) -> Result<(), StepError> {
        // SAFETY: as in `prepare`.
        self.step(|this, why| unsafe { (self.lifecycle.hold)(this, why) })
    }

    /// The module serves from here on.
    ///
    /// # Errors
    /// A panic.
    pub fn restart(&self) -> Result<(), StepError> {
        // SAFETY: as in `prepare`.
        self.step(|this, why| unsafe { (self.lifecycle.restart)(this, why) })
    }

    /// The module will not be called again.
    ///
    /// # Errors
    /// A panic.
    pub fn term(&self) -> Result<(), StepError> {
        // SAFETY: as in `prepare`.
        self.step(|this, why| unsafe { (self.lifecycle.term)(this, why) })
    }

    /// The module's state as some version; empty when it carries none.
    ///
    /// # Errors
    /// The module cannot export that version, or panicked.
    pub fn export_state(&self, version: u32) -> Result<Buf, StepError> {
        let mut state = Buf::new();
        // SAFETY: as in `prepare`; the buffer comes back with the function that frees it, and is dropped
        // before the code is.
        self.step(|this, why| unsafe {
            (self.lifecycle.export_state)(this, version, &mut state, why)
        })?;
        Ok(state)
    }

    /// Gives the module a predecessor's state.
    ///
    /// # Errors
    /// The module cannot import it, or panicked.
    pub fn import_state(&self, version: u32, state: &[u8]) -> Result<(), StepError> {
        // SAFETY: as in `prepare`.
        self.step(|this, why| unsafe {
            (self.lifecycle.import_state)(this, version, Slice::new(state), why)
        })
    }

    /// The module's check of itself.
    ///
    /// # Errors
    /// The check failed, or panicked.
    pub fn self_test(&self, act: &Activity) -> Result<(), StepError> {
        // SAFETY: as in `prepare`; the lane is lent for the call.
        self.step(|this, why| unsafe { (self.lifecycle.self_test)(this, act.lane(), why) })
    }

    /// Offers the module a method that it lacks.
    pub fn does_not_understand(
        &self,
        act: &Activity,
        method: &str,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> (Status, String) {
        let mut why = Buf::bounded(REASON_BYTES);
        // SAFETY: as in `self_test`.
        let status = unsafe {
            (self.lifecycle.does_not_understand)(
                self.this,
                act.lane(),
                Text::new(method),
                Slice::new(args),
                out,
                &mut why,
            )
        };
        (status, String::from_utf8_lossy(&why).into_owned())
    }

    /// A dynamic call of one of the module's own entries.
    #[inline]
    pub fn call(
        &self,
        entry: &MethodEntry,
        act: &Activity,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> Status {
        // SAFETY: as in `self_test`; the entry is of this instance's descriptor.
        unsafe { (entry.dynamic)(self.this, act.lane(), Slice::new(args), out) }
    }

    /// Hands the active module a message, a timer or a signal.
    ///
    /// # Errors
    /// As for the three below.
    pub fn active(&self, act: &Activity, call: &ActiveCall<'_>) -> Result<(), StepError> {
        match *call {
            ActiveCall::Message(kind, payload) => {
                self.on_message(act, kind.as_str(), payload.get())
            }
            ActiveCall::Timer(id) => self.on_timer(act, id),
            ActiveCall::Signal(signal) => self.on_signal(act, signal),
        }
    }

    /// Hands the module a mailbox message with an encoded payload.
    ///
    /// # Errors
    /// A panic, or a payload that is not a value.
    pub fn on_message(&self, act: &Activity, kind: &str, payload: &[u8]) -> Result<(), StepError> {
        // SAFETY: as in `self_test`.
        self.step(|this, why| unsafe {
            (self.lifecycle.on_message)(this, act.lane(), Text::new(kind), Slice::new(payload), why)
        })
    }

    /// Tells the module that a timer fired.
    ///
    /// # Errors
    /// A panic.
    pub fn on_timer(&self, act: &Activity, id: u64) -> Result<(), StepError> {
        // SAFETY: as in `self_test`.
        self.step(|this, why| unsafe { (self.lifecycle.on_timer)(this, act.lane(), id, why) })
    }

    /// Tells the module of a signal.
    ///
    /// # Errors
    /// A panic.
    pub fn on_signal(&self, act: &Activity, signal: i32) -> Result<(), StepError> {
        // SAFETY: as in `self_test`.
        self.step(|this, why| unsafe { (self.lifecycle.on_signal)(this, act.lane(), signal, why) })
    }
}

impl<H: HostSide, C> Drop for Instance<H, C> {
    fn drop(&mut self) {
        // SAFETY: `init` made the instance, and this is the only place that frees it. Its status says
        // whether its destructor panicked, which was reported already.
        let _ = unsafe { (self.lifecycle.drop)(self.this) };
    }
}

/// The state schema of a module, encoded; empty when it carries none.
pub fn schema_of(descriptor: &'static ModuleDescriptor) -> Result<Vec<u8>, StepError> {
    let mut schema = Buf::new();
    // SAFETY: the descriptor was checked at load.
    let status = unsafe { (descriptor.lifecycle.schema)(&mut schema) };
    outcome(status, &Buf::new())?;
    Ok(schema.to_vec())
}

// ===== Activities =====

/// How a host lets activities into a component the slow way.
pub trait Gatekeeper: Sync + 'static {
    /// Enters a component whose gate is closed or was flipped in passing: pins and answers a binding.
    ///
    /// # Errors
    /// The gate did not open in time.
    fn enter(
        &self,
        lane: &Inside<'_>,
        component: &ComponentCore,
    ) -> Result<*const Binding, CallError>;
}

/// A lane as its own activity's thread sees it while it waits at a gate.
pub struct Inside<'a>(&'a Lane);

impl Inside<'_> {
    /// Whether the activity is pinned to a component.
    pub fn is_pinned(&self, index: u32) -> bool {
        !self.0.pins[index as usize].load(Ordering::Relaxed).is_null()
    }

    /// Pins the activity to the generation that it sees of a component, closed gate or not.
    ///
    /// The gatekeeper excludes flips while it calls this.
    pub fn pin(&self, component: &ComponentCore) -> *const Binding {
        let current = component.current.load(Ordering::Acquire).map_addr(|address| address & !1);
        // SAFETY: this lane announced its epoch before it read the pointer, so the binding is not freed.
        let chosen = unsafe { &*current }.seen_from(self.0.epoch.load(Ordering::Relaxed));
        self.pin_to(component.index, chosen);
        chosen
    }

    fn pin_to(&self, index: u32, binding: *const Binding) {
        self.0.pins[index as usize].store(binding.cast_mut(), Ordering::Release);
        self.0.note_pin(index);
    }
}

unsafe extern "C" fn enter_slowly<G: Gatekeeper>(
    lane: &Lane,
    component: &ComponentCore,
    error: &mut CallError,
) -> *const Binding {
    // SAFETY: `LaneDriver::new` put a `&'static G` there.
    let gatekeeper = unsafe { &*lane.context().cast::<G>() };
    match gatekeeper.enter(&Inside(lane), component) {
        Ok(binding) => binding,
        Err(found) => {
            *error = found;
            std::ptr::null()
        }
    }
}

/// A lane as the swap manager sees it: what its activity announced, nothing else.
#[derive(Clone)]
pub struct LaneWatch(Arc<Lane>);

// SAFETY: only the atomics of the lane are reached through a watch.
unsafe impl Send for LaneWatch {}
// SAFETY: as above.
unsafe impl Sync for LaneWatch {}

impl LaneWatch {
    /// Whether two watches look at the same lane.
    pub fn is(&self, other: &LaneWatch) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The epoch of the running activity; `None` while the lane rests.
    pub fn epoch(&self) -> Option<u64> {
        Some(self.0.epoch.load(Ordering::Acquire)).filter(|&epoch| epoch != IDLE)
    }

    /// Whether the running activity is pinned to a component.
    pub fn is_pinned(&self, index: u32) -> bool {
        !self.0.pins[index as usize].load(Ordering::Acquire).is_null()
    }

    /// Whether the running activity is pinned to this binding of a component.
    pub fn is_pinned_to(&self, index: u32, binding: *const Binding) -> bool {
        std::ptr::eq(self.0.pins[index as usize].load(Ordering::Acquire), binding)
    }

    /// Has the lane's reader fence for itself from here on, or leave that to the writer again.
    pub fn fence_fully(&self, full: bool) {
        self.0.fence_fully(full);
    }
}

/// Drives a lane: one thread, one activity at a time.
pub struct LaneDriver {
    lane: Arc<Lane>,
}

// SAFETY: the driver may move to another thread between activities; `begin` borrows it exclusively, and
// the activity it lends cannot move, because it is neither `Send` nor `Sync`.
unsafe impl Send for LaneDriver {}

impl LaneDriver {
    /// A lane of a host. `full_fence` is for hosts that cannot fence for all threads.
    #[expect(clippy::arc_with_non_send_sync, reason = "a watch reaches only the atomics")]
    pub fn new<G: Gatekeeper>(
        gatekeeper: &'static G,
        epoch: &'static AtomicU64,
        full_fence: bool,
    ) -> (Self, LaneWatch) {
        let context = std::ptr::from_ref(gatekeeper).cast();
        let lane = Arc::new(Lane::new(epoch, enter_slowly::<G>, context, full_fence));
        (LaneDriver { lane: Arc::clone(&lane) }, LaneWatch(lane))
    }

    /// Begins an activity.
    #[inline(always)]
    pub fn begin(&mut self) -> Running<'_> {
        // SAFETY: the exclusive borrow lasts until the activity ends; the epoch is static.
        let activity = unsafe { self.lane.begin() };
        Running { activity }
    }

    /// Begins an activity that meets one component in a generation that is not the current one. The pin is
    /// announced when this returns: whoever looks after it for whether the generation still may be met
    /// either learns that it may not, or is waited for.
    pub fn begin_preferring<'a, T: BoundSide>(
        &'a mut self,
        component: &ComponentCore,
        generation: &'a Bound<T>,
    ) -> Running<'a> {
        let running = self.begin();
        let lane = running.activity.lane();
        lane.date();
        Inside(lane).pin_to(component.index, generation.binding());
        lane.announce();
        running
    }

    /// What the swap manager sees of this lane.
    pub fn watch(&self) -> LaneWatch {
        LaneWatch(Arc::clone(&self.lane))
    }
}

/// A running activity. It ends when it is dropped.
pub struct Running<'a> {
    activity: &'a Activity,
}

impl Running<'_> {
    /// Ends the activity and answers which component failed in it first.
    #[inline(always)]
    pub fn finish(self) -> Option<u32> {
        let faulty = self.activity.lane().end();
        std::mem::forget(self);
        faulty
    }
}

impl Deref for Running<'_> {
    type Target = Activity;
    #[inline(always)]
    fn deref(&self) -> &Activity {
        self.activity
    }
}

impl Drop for Running<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.activity.lane().end();
    }
}

// ===== Bindings =====

/// The key to what one component binds: made with the component, and the only way to change it. Whoever
/// keeps it to itself is the only one who can close the gate.
pub struct GateKey(&'static ComponentCore);

impl GateKey {
    /// A component that lives as long as the process, and its key.
    ///
    /// # Panics
    /// `index` is not below [`MAX_COMPONENTS`]: a lane would have no pin for it.
    pub fn new(index: u32, first: &Binding) -> Self {
        assert!((index as usize) < MAX_COMPONENTS, "component {index} of at most {MAX_COMPONENTS}");
        let current = AtomicPtr::new(std::ptr::from_ref(first).cast_mut());
        GateKey(Box::leak(Box::new(ComponentCore { index, current })))
    }

    /// The component, for everybody.
    pub const fn core(&self) -> &'static ComponentCore {
        self.0
    }

    /// What is published, the tag of a closed gate included.
    pub fn published(&self) -> *mut Binding {
        self.0.current.load(Ordering::Relaxed)
    }

    /// Publishes a binding, which must outlive every activity that can reach it.
    pub fn publish(&self, binding: *mut Binding, order: Ordering) {
        self.0.current.store(binding, order);
    }
}

/// What a host does for calls that are not ordinary.
pub trait BoundSide: Send + Sync + 'static {
    /// The module lacks a method that the caller's behavior has.
    fn lacking(
        &self,
        act: &Activity,
        method: &str,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> Status;
    /// A dynamic call by name.
    fn invoke(
        &self,
        act: &Activity,
        method: &str,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> Status;
    /// A call panicked, and the panic was caught inside the module.
    fn failed(&self, act: &Activity, status: Status);
    /// A message, a timer or a signal for the active module. A host without tasks has none.
    fn active(&self, act: &Activity, call: &ActiveCall<'_>) -> Status {
        let _ = (act, call);
        Status::NOT_UNDERSTOOD
    }
}

/// A binding together with the host's part of its generation.
#[repr(C)]
pub struct Bound<T: BoundSide> {
    binding: Binding,
    side: T,
}

// SAFETY: instance and functions are those of a module, which is `Send + Sync`.
unsafe impl<T: BoundSide> Send for Bound<T> {}
// SAFETY: as above.
unsafe impl<T: BoundSide> Sync for Bound<T> {}

impl<T: BoundSide> Bound<T> {
    #[expect(clippy::cast_possible_truncation, reason = "a table of function pointers")]
    const SERVICES: BindingServices = BindingServices {
        size: size_of::<BindingServices>() as u32,
        lacking: Self::lacking,
        invoke: Self::invoke,
        failed: Self::failed,
        active: Self::active,
    };

    /// A binding of an instance (null: none) with empty slots.
    pub fn new(instance: *const c_void, generation: u64, side: T) -> Self {
        Bound {
            binding: Binding {
                instance,
                slots: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
                selected: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
                generation,
                since: 0,
                predecessor: AtomicPtr::new(std::ptr::null_mut()),
                services: &Self::SERVICES,
            },
            side,
        }
    }

    /// Puts a function, or none, into a slot.
    pub fn set_slot(&self, slot: usize, function: Option<ErasedFn>) {
        if let Some(place) = self.binding.slots.get(slot) {
            let function =
                function.map_or(std::ptr::null_mut(), |function| function as *mut c_void);
            place.store(function, Ordering::Release);
        }
    }

    /// Puts a dynamic function, or none, where a selector finds it.
    pub fn set_selected(&self, selector: usize, function: Option<DynamicFn>) {
        if let Some(place) = self.binding.selected.get(selector) {
            let function =
                function.map_or(std::ptr::null_mut(), |function| function as *mut c_void);
            place.store(function, Ordering::Release);
        }
    }

    /// The binding.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Sets the epoch from which on the binding is seen, and what older activities see instead, before
    /// it is published.
    pub fn set_since(&mut self, since: u64, predecessor: *const Binding) {
        self.binding.since = since;
        self.binding.predecessor = AtomicPtr::new(predecessor.cast_mut());
    }

    /// The host's part.
    pub const fn side(&self) -> &T {
        &self.side
    }

    /// # Safety
    /// The binding is the first field of a `Bound<T>`.
    unsafe fn side_of(binding: &Binding) -> &T {
        // SAFETY: `repr(C)`: the binding is at the front of the `Bound`.
        unsafe { &(*std::ptr::from_ref(binding).cast::<Self>()).side }
    }

    unsafe extern "C" fn lacking(
        binding: &Binding,
        lane: &Lane,
        method: Text<'_>,
        args: Slice<'_, ValueRef<'_>>,
        out: &mut ValueOut,
    ) -> Status {
        // SAFETY: the function was reached through the binding's services; the lane runs an activity.
        let (side, act) =
            unsafe { (Self::side_of(binding), &*std::ptr::from_ref(lane).cast::<Activity>()) };
        side.lacking(act, method.as_str(), args.get(), out)
    }

    unsafe extern "C" fn invoke(
        binding: &Binding,
        lane: &Lane,
        method: Text<'_>,
        args: Slice<'_, ValueRef<'_>>,
        out: &mut ValueOut,
    ) -> Status {
        // SAFETY: as above.
        let (side, act) =
            unsafe { (Self::side_of(binding), &*std::ptr::from_ref(lane).cast::<Activity>()) };
        // SAFETY: callers make the text from a `&str`.
        side.invoke(act, unsafe { method.as_str_unchecked() }, args.get(), out)
    }

    unsafe extern "C" fn failed(binding: &Binding, lane: &Lane, status: Status) {
        // SAFETY: as above.
        let (side, act) =
            unsafe { (Self::side_of(binding), &*std::ptr::from_ref(lane).cast::<Activity>()) };
        side.failed(act, status);
    }

    unsafe extern "C" fn active(binding: &Binding, lane: &Lane, call: &ActiveCall<'_>) -> Status {
        // SAFETY: as above.
        let (side, act) =
            unsafe { (Self::side_of(binding), &*std::ptr::from_ref(lane).cast::<Activity>()) };
        side.active(act, call)
    }
}

/// The number of slots a binding has.
pub const SLOTS: usize = MAX_SLOTS;
