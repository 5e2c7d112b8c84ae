//! The tables that cross the boundary: C layout, sizes in front, methods only appended.
//!
//! Whoever creates a buffer names the function that frees it; no `Box`, `String` or `dyn` of one
//! compiler is handed to another. The number to raise when any of these layouts changes is
//! [`ABI_VERSION`]; a host refuses a descriptor of another version in `load`.

use crate::activity::Lane;
use crate::component::ComponentLink;
use crate::dynamic::{ValueOut, ValueRef};
use crate::list::Buf;
use crate::shape::Shape;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;

/// The version of every layout in this crate that crosses the boundary.
pub const ABI_VERSION: u32 = 4;

/// The target triple this copy of the SDK was compiled for.
pub const TARGET: &str = env!("S_MODULE_TARGET");

/// The compiler that compiled this copy of the SDK.
pub const TOOLCHAIN: &str = env!("S_MODULE_TOOLCHAIN");

/// Exported descriptors are named with this prefix and the crate's name.
pub const EXPORT_PREFIX: &str = "s_module_";

/// A borrowed slice in C layout.
#[repr(C)]
pub struct Slice<'a, T> {
    ptr: *const T,
    len: usize,
    borrow: PhantomData<&'a [T]>,
}

impl<T> Clone for Slice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Slice<'_, T> {}

// SAFETY: a slice is a shared borrow of its elements.
unsafe impl<T: Sync> Sync for Slice<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Send for Slice<'_, T> {}

impl<'a, T> Slice<'a, T> {
    /// The C view of a slice.
    pub const fn new(slice: &'a [T]) -> Self {
        Slice { ptr: slice.as_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The slice again.
    #[inline(always)]
    pub const fn get(&self) -> &'a [T] {
        // SAFETY: the fields are private and set only from a slice that lives for 'a.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// Where the elements are; the loader checks that nothing stored points into an unloaded library.
    pub const fn as_ptr(&self) -> *const T {
        self.ptr
    }
}

/// Borrowed UTF-8 in C layout.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text<'a>(Slice<'a, u8>);

impl<'a> Text<'a> {
    /// The C view of a text.
    pub const fn new(text: &'a str) -> Self {
        Text(Slice::new(text.as_bytes()))
    }

    /// The text again. Another compiler's side may have broken its word, so this looks.
    pub fn as_str(&self) -> &'a str {
        std::str::from_utf8(self.0.get()).unwrap_or("(not UTF-8)")
    }

    /// The text of a call, without looking.
    ///
    /// # Safety
    /// Whoever made it has the text's word: [`Text::new`], on this side or the other, takes nothing else.
    pub(crate) const unsafe fn as_str_unchecked(&self) -> &'a str {
        // SAFETY: by the caller's promise.
        unsafe { std::str::from_utf8_unchecked(self.0.get()) }
    }

    /// Its octets.
    pub const fn octets(&self) -> &'a [u8] {
        self.0.get()
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a shim or a host service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Status(pub u32);

impl Status {
    /// Done; outputs are written.
    pub const OK: Status = Status(0);
    /// The method returned its own error; the error output is written.
    pub const ERR: Status = Status(1);
    /// The module panicked and the panic was caught inside it.
    pub const PANICKED: Status = Status(2);
    /// A dynamic argument does not fit.
    pub const BAD_ARGUMENT: Status = Status(3);
    /// No such method, and no other answer.
    pub const NOT_UNDERSTOOD: Status = Status(4);
    /// Refused, with a reason in the reason buffer.
    pub const REFUSED: Status = Status(5);
    /// Not available while rehearsing.
    pub const REHEARSAL: Status = Status(6);
    /// A name that nobody registered.
    pub const NO_SUCH_NAME: Status = Status(7);
    /// A bound was reached; nothing was stored.
    pub const FULL: Status = Status(8);
    /// More components or views than the host has room for.
    pub const CAPACITY: Status = Status(9);
    /// No module is bound.
    pub const ABSENT: Status = Status(10);
}

/// A function pointer whose real signature is keyed by its method's hash.
pub type ErasedFn = unsafe extern "C" fn();

/// The dynamic shim of a method: checks the arguments, calls, encodes the answer.
pub type DynamicFn = unsafe extern "C" fn(
    *const c_void,
    *const Lane,
    Slice<'_, ValueRef<'_>>,
    &mut ValueOut,
) -> Status;

/// A parameter of a method.
#[repr(C)]
pub struct ParamDesc {
    /// Its name.
    pub name: Text<'static>,
    /// Its type; [`crate::shape::ShapeKind::RefMut`] marks an output.
    pub shape: &'static Shape,
}

/// A method of a behavior.
#[repr(C)]
pub struct MethodDesc {
    /// Its name.
    pub name: Text<'static>,
    /// The first line of its documentation.
    pub doc: Text<'static>,
    /// The version of the behavior that introduced it.
    pub since: u32,
    /// Parameters after the activity.
    pub params: Slice<'static, ParamDesc>,
    /// What it returns.
    pub returns: &'static Shape,
    /// The error it returns.
    pub error: &'static Shape,
    /// Structural hash over name, parameter shapes, result and error.
    pub hash: u64,
}

impl MethodDesc {
    /// The structural hash of a method. Parameter names do not count.
    pub const fn hash_of(name: &str, params: &[ParamDesc], returns: &Shape, error: &Shape) -> u64 {
        let mut hash = crate::shape::Fnv::new().text(name.as_bytes()).number(params.len() as u64);
        let mut i = 0;
        while i < params.len() {
            hash = params[i].shape.mix(hash);
            i += 1;
        }
        error.mix(returns.mix(hash)).0
    }

    /// The signature as a person reads it.
    pub fn signature(&self) -> String {
        let params: Vec<String> = self
            .params
            .get()
            .iter()
            .map(|p| format!("{}: {}", p.name, p.shape.describe()))
            .collect();
        format!(
            "{}({}) -> {} or {}",
            self.name,
            params.join(", "),
            self.returns.describe(),
            self.error.describe()
        )
    }
}

/// A behavior: a role that modules implement and callers compile against.
#[repr(C)]
pub struct BehaviorDesc {
    /// The size of this table.
    pub size: u32,
    /// The version of the behavior.
    pub version: u32,
    /// Its name.
    pub name: Text<'static>,
    /// The first line of its documentation.
    pub doc: Text<'static>,
    /// Its methods, in slot order.
    pub methods: Slice<'static, MethodDesc>,
}

impl BehaviorDesc {
    /// The structural hash of the whole behavior.
    pub fn hash(&self) -> u64 {
        let start =
            crate::shape::Fnv::new().text(self.name.octets()).number(u64::from(self.version));
        self.methods.get().iter().fold(start, |hash, method| hash.number(method.hash)).0
    }
}

/// A method as one module offers it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct MethodEntry {
    /// The behavior it belongs to.
    pub behavior: &'static BehaviorDesc,
    /// What it is; `desc.hash` keys the typed function.
    pub desc: &'static MethodDesc,
    /// Called with plain C arguments.
    pub typed: ErasedFn,
    /// Called with checked values.
    pub dynamic: DynamicFn,
}

/// A component that a module calls.
#[repr(C)]
pub struct DependencyDesc {
    /// The component's name.
    pub component: Text<'static>,
    /// The range of versions it accepts, as in Cargo.
    pub range: Text<'static>,
}

/// A resident table that a module uses.
#[repr(C)]
pub struct ResidentDesc {
    /// The table's name within its component.
    pub name: Text<'static>,
    /// The shape of a row.
    pub row: &'static Shape,
}

/// What a host reads first: everything about one module.
#[repr(C)]
pub struct ModuleDescriptor {
    /// The size of this table: a host reads no further.
    pub size: u32,
    /// [`ABI_VERSION`] of the SDK that compiled it.
    pub abi_version: u32,
    /// The target triple.
    pub target: Text<'static>,
    /// The compiler.
    pub toolchain: Text<'static>,
    /// The module's name: the name of its crate.
    pub name: Text<'static>,
    /// The component it is made for.
    pub component: Text<'static>,
    /// Its version, `major.minor.patch`.
    pub version: Text<'static>,
    /// What changed, in the author's words.
    pub annotation: Text<'static>,
    /// The behaviors it implements.
    pub behaviors: Slice<'static, &'static BehaviorDesc>,
    /// The methods it offers: not necessarily all of its behaviors'.
    pub methods: Slice<'static, MethodEntry>,
    /// The components it calls.
    pub dependencies: Slice<'static, DependencyDesc>,
    /// The resident tables it uses.
    pub resident: Slice<'static, ResidentDesc>,
    /// What the host may do with it.
    pub lifecycle: &'static Lifecycle,
    /// What it asks of the host, from [`flags`].
    pub flags: u32,
}

/// Bits of [`ModuleDescriptor::flags`].
pub mod flags {
    /// It has a mailbox, timers and signals, run by the host's task.
    pub const ACTIVE: u32 = 1;
    /// It exports and imports state at a swap.
    pub const CARRIES_STATE: u32 = 2;
}

/// `init prepare hold restart term` and the state interfaces: how the host leads a module's life.
///
/// Every function catches panics; `why` receives the reason when the status is not `OK`.
#[repr(C)]
pub struct Lifecycle {
    /// The size of this table.
    pub size: u32,
    /// Creates an instance.
    pub init: unsafe extern "C" fn(HostLink, &mut *mut c_void, &mut Buf) -> Status,
    /// Asks for a vote; the flag says whether the module comes (true) or goes.
    pub prepare: unsafe extern "C" fn(*const c_void, bool, Text<'_>, &mut Buf) -> Status,
    /// The module is quiescent from here on.
    pub hold: unsafe extern "C" fn(*const c_void, &mut Buf) -> Status,
    /// The module serves from here on, for the first time or again.
    pub restart: unsafe extern "C" fn(*const c_void, &mut Buf) -> Status,
    /// The module will not be called again.
    pub term: unsafe extern "C" fn(*const c_void, &mut Buf) -> Status,
    /// Frees the instance.
    pub drop: unsafe extern "C" fn(*mut c_void) -> Status,
    /// Exports the state as an older or the own version; the buffer is the module's until it is dropped.
    pub export_state: unsafe extern "C" fn(*const c_void, u32, &mut Buf, &mut Buf) -> Status,
    /// Imports state that was exported as some version.
    pub import_state: unsafe extern "C" fn(*const c_void, u32, Slice<'_, u8>, &mut Buf) -> Status,
    /// The state schema as an encoded value; empty when nothing is carried.
    pub schema: unsafe extern "C" fn(&mut Buf) -> Status,
    /// Answers a method that the module lacks.
    pub does_not_understand: unsafe extern "C" fn(
        *const c_void,
        *const Lane,
        Text<'_>,
        Slice<'_, ValueRef<'_>>,
        &mut ValueOut,
        &mut Buf,
    ) -> Status,
    /// The module's own check of itself.
    pub self_test: unsafe extern "C" fn(*const c_void, *const Lane, &mut Buf) -> Status,
    /// A mailbox message: kind and encoded payload.
    pub on_message: unsafe extern "C" fn(
        *const c_void,
        *const Lane,
        Text<'_>,
        Slice<'_, u8>,
        &mut Buf,
    ) -> Status,
    /// A timer by its id.
    pub on_timer: unsafe extern "C" fn(*const c_void, *const Lane, u64, &mut Buf) -> Status,
    /// A signal by its number.
    pub on_signal: unsafe extern "C" fn(*const c_void, *const Lane, i32, &mut Buf) -> Status,
}

/// A module's link to its host: a context of the host's and the services that take it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct HostLink {
    /// The host's own, one per instance.
    pub context: *const c_void,
    /// The services.
    pub services: &'static HostServices,
}

// SAFETY: the host promises that its context may be used from any thread.
unsafe impl Send for HostLink {}
// SAFETY: as above.
unsafe impl Sync for HostLink {}

/// Everything a module gets from the outside.
#[repr(C)]
pub struct HostServices {
    /// The size of this table.
    pub size: u32,
    /// Writes a log line at a level (0 error, 1 warning, 2 information, 3 debugging).
    pub log: unsafe extern "C" fn(*const c_void, u32, Text<'_>),
    /// Nanoseconds on a clock that never steps.
    pub now: unsafe extern "C" fn(*const c_void) -> u64,
    /// Nanoseconds since 1970.
    pub wall_clock: unsafe extern "C" fn(*const c_void) -> u64,
    /// Fills a buffer with random octets.
    pub random: unsafe extern "C" fn(*const c_void, *mut u8, usize) -> Status,
    /// Adds to a counter.
    pub count: unsafe extern "C" fn(*const c_void, Text<'_>, u64),
    /// Resolves a component as a behavior.
    pub lookup: unsafe extern "C" fn(
        *const c_void,
        Text<'_>,
        &'static BehaviorDesc,
        &mut ComponentLink,
    ) -> Status,
    /// Publishes an event by tag.
    pub publish: unsafe extern "C" fn(*const c_void, Text<'_>, Slice<'_, u8>) -> Status,
    /// Events of a tag arrive in the module's mailbox from now on.
    pub subscribe: unsafe extern "C" fn(*const c_void, Text<'_>) -> Status,
    /// No more events of a tag.
    pub unsubscribe: unsafe extern "C" fn(*const c_void, Text<'_>) -> Status,
    /// Starts or restarts a timer: id, nanoseconds until it fires, period (0: once).
    pub set_timer: unsafe extern "C" fn(*const c_void, u64, u64, u64) -> Status,
    /// Stops a timer.
    pub cancel_timer: unsafe extern "C" fn(*const c_void, u64) -> Status,
    /// Puts a message in another component's mailbox.
    pub send: unsafe extern "C" fn(*const c_void, Text<'_>, Text<'_>, Slice<'_, u8>) -> Status,
    /// Enters (true) or leaves an S-critical section.
    pub critical: unsafe extern "C" fn(*const c_void, bool),
    /// Reports a caught panic.
    pub panicked: unsafe extern "C" fn(*const c_void, Text<'_>),
    /// Opens a resident table: name, row hash; the answer is a table for the functions below.
    pub resident_open:
        unsafe extern "C" fn(*const c_void, Text<'_>, u64, &mut *const c_void) -> Status,
    /// Reads a row by key into the buffer; `NO_SUCH_NAME` when there is none.
    pub resident_get: unsafe extern "C" fn(*const c_void, Slice<'_, u8>, *mut u8, usize) -> Status,
    /// Writes a row.
    pub resident_put: unsafe extern "C" fn(*const c_void, Slice<'_, u8>, Slice<'_, u8>) -> Status,
    /// Removes a row; `NO_SUCH_NAME` when there was none.
    pub resident_remove: unsafe extern "C" fn(*const c_void, Slice<'_, u8>) -> Status,
    /// The first key after one and its row; an empty key asks for the first.
    pub resident_next:
        unsafe extern "C" fn(*const c_void, Slice<'_, u8>, &mut Buf, *mut u8, usize) -> Status,
    /// How many rows there are.
    pub resident_len: unsafe extern "C" fn(*const c_void) -> u64,
    /// Which copy of the standard library the host has: a module that is linked into it shares it.
    pub standard_library: *const c_void,
}

/// This side's copy of the standard library, told by where one of its functions is.
pub(crate) const STANDARD_LIBRARY: *const c_void = std::panic::set_hook as *const c_void;
