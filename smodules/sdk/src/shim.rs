//! The module's side of a call: what the macros expand to comes here.
//!
//! Every function that a host can reach catches panics, because the module has its own copy of the
//! standard library and a panic that left it would end the process.

use crate::abi::{
    BehaviorDesc, ErasedFn, HostLink, Lifecycle, MethodDesc, MethodEntry, STANDARD_LIBRARY, Slice,
    Status, Text,
};
use crate::activity::{Activity, Lane};
use crate::dynamic::{Dynamic, Output, ValueOut, ValueRef};
use crate::error::{CallError, CallErrorKind};
use crate::host::Host;
use crate::list::Buf;
use crate::module::{Active, CarriesState, Module, Part, Refusal, Vote};
use crate::shape::Plain;
use crate::state::State;
use crate::value::Value;
use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A module's instance as the host holds it: the author's value and the way to the host.
pub struct Instance<M> {
    module: M,
    host: Host,
}

/// The activity behind a lane that the host lent.
///
/// # Safety
/// The host lends the lane of the running activity for the length of the call.
#[inline(always)]
unsafe fn activity<'a>(lane: *const Lane) -> &'a Activity {
    // SAFETY: by the caller's promise; `Activity` is a transparent view of a lane.
    unsafe { &*lane.cast::<Activity>() }
}

/// Where a panic of this module happened, between the hook and whoever caught it.
#[derive(Clone, Copy)]
struct Place {
    file: [u8; 60],
    len: u8,
    line: u32,
}

const NOWHERE: Place = Place { file: [0; 60], len: 0, line: 0 };

thread_local! {
    // Without a destructor, so that it does not pin the module.
    static PLACE: Cell<Place> = const { Cell::new(NOWHERE) };
}

/// A module prints nothing: its panics go to the host's log, not to the standard error. Printing a
/// backtrace would map the module's own file as well and keep it mapped.
///
/// A module that is linked into the host shares the host's hook and leaves it alone.
fn keep_panics_quiet(host: &HostLink) {
    if host.services.standard_library == STANDARD_LIBRARY {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let mut place = NOWHERE;
        if let Some(location) = panic.location() {
            // The end of a path says more than its beginning.
            let file = location.file().as_bytes();
            let end = &file[file.len().saturating_sub(place.file.len())..];
            place.file[..end.len()].copy_from_slice(end);
            (place.len, place.line) = (u8::try_from(end.len()).unwrap_or(0), location.line());
        }
        PLACE.set(place);
    }));
}

/// What a panic said, and where.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic without a message)");
    let Place { file, len, line } = PLACE.get();
    if line == 0 {
        return said.to_owned();
    }
    format!("{said} ({}:{line})", String::from_utf8_lossy(&file[..usize::from(len)]))
}

#[cold]
fn report(host: &Host, panic: &(dyn Any + Send)) -> Status {
    host.panicked(&message_of(panic));
    Status::PANICKED
}

/// Drops a panic's payload, which is the module's own code and may panic again.
#[cold]
fn caught(host: &Host, panic: Box<dyn Any + Send>) -> Status {
    let status = report(host, panic.as_ref());
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    status
}

/// A typed call.
///
/// # Safety
/// `this` is an instance of `M` that [`lifecycle`]'s `init` made; `lane` is lent for the call; the
/// outputs have room for their types.
#[inline(always)]
pub unsafe fn call<M, T: Plain, E: Plain>(
    this: *const c_void,
    lane: *const Lane,
    answer: *mut T,
    error: *mut E,
    body: impl FnOnce(&M, &Activity) -> Result<T, E>,
) -> Status {
    // SAFETY: by the caller's promise.
    let (instance, act) = unsafe { (&*this.cast::<Instance<M>>(), activity(lane)) };
    // The outputs are written in there: what a closure hands out of `catch_unwind` goes through memory twice.
    let called = catch_unwind(AssertUnwindSafe(|| match body(&instance.module, act) {
        // SAFETY: by the caller's promise.
        Ok(value) => unsafe {
            answer.write(value);
            Status::OK
        },
        // SAFETY: by the caller's promise.
        Err(value) => unsafe {
            error.write(value);
            Status::ERR
        },
    }));
    called.unwrap_or_else(|panic| caught(&instance.host, panic))
}

/// What is done seldom, out of the way of what is done always.
#[cold]
#[inline(never)]
pub fn seldom<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// The arguments of a dynamic call, taken by position and checked one by one.
pub struct Args<'a>(&'a [ValueRef<'a>]);

/// The position of the argument that does not fit.
pub struct Misfit(pub u32);

impl<'a> Args<'a> {
    /// A plain value, or an owned list.
    #[inline(always)]
    pub fn value<T: Dynamic>(&self, position: u32) -> Result<T, Misfit> {
        T::from_arg(&self.0[position as usize]).ok_or(Misfit(position))
    }

    /// A slice.
    #[inline(always)]
    pub fn slice<T: Dynamic + Clone>(&self, position: u32) -> Result<Cow<'_, [T]>, Misfit> {
        T::slice_from_arg(&self.0[position as usize]).ok_or(Misfit(position))
    }

    /// A text.
    pub fn text(&self, position: u32) -> Result<&'a str, Misfit> {
        self.0[position as usize].as_text().ok_or(Misfit(position))
    }
}

/// A dynamic call of a method with so many inputs.
///
/// # Safety
/// As for [`call`]; `args` is borrowed for the call.
#[inline(always)]
pub unsafe fn dynamic<M>(
    this: *const c_void,
    lane: *const Lane,
    args: Slice<'_, ValueRef<'_>>,
    out: &mut ValueOut,
    inputs: u32,
    body: impl FnOnce(&M, &Activity, &Args<'_>, &mut ValueOut) -> Result<Status, Misfit>,
) -> Status {
    // SAFETY: by the caller's promise.
    let (instance, act) = unsafe { (&*this.cast::<Instance<M>>(), activity(lane)) };
    let args = Args(args.get());
    if args.0.len() != inputs as usize {
        return misfit(out, u32::try_from(args.0.len()).unwrap_or(u32::MAX).min(inputs));
    }
    let called = catch_unwind(AssertUnwindSafe(|| match body(&instance.module, act, &args, out) {
        Ok(status) => status,
        Err(Misfit(position)) => misfit(out, position),
    }));
    called.unwrap_or_else(|panic| caught(&instance.host, panic))
}

#[cold]
fn misfit(out: &mut ValueOut, position: u32) -> Status {
    out.put_scalar(crate::dynamic::Tag::U64, u64::from(position));
    Status::BAD_ARGUMENT
}

/// The answer of a dynamic call with outputs: a map of the result and each output by name.
pub fn answer_with_outputs(result: Value, outputs: &[(&str, Value)]) -> Value {
    let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Map(outputs.chain([("return".to_owned(), result)]).collect())
}

/// Takes such a map apart again: the result when the name is `return`, else an output.
pub fn part_of_answer<T: Dynamic>(answer: &Value, name: &str) -> Result<T, CallError> {
    let part = match answer {
        Value::Map(parts) => parts.get(name),
        _ => None,
    };
    part.and_then(T::from_value).ok_or(CallError::new(CallErrorKind::BadAnswer))
}

/// Refills an output from an answer.
pub fn refill<T: Output>(output: &mut T, answer: &Value, name: &str) -> Result<(), CallError> {
    output.refill(part_of_answer(answer, name)?)
}

/// The entry of a method in a behavior's table, while compiling.
pub const fn entry_of(entries: &'static [MethodEntry], name: &str) -> MethodEntry {
    let mut i = 0;
    while i < entries.len() {
        if same(entries[i].desc.name.octets(), name.as_bytes()) {
            return entries[i];
        }
        i += 1;
    }
    panic!("the behavior has no such method");
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// How many entries there are in all groups, while compiling.
pub const fn count(groups: &[&[MethodEntry]]) -> usize {
    let (mut count, mut group) = (0, 0);
    while group < groups.len() {
        count += groups[group].len();
        group += 1;
    }
    count
}

/// Joins a module's own entries with those of further behaviors, while compiling.
pub const fn join<const N: usize>(groups: &[&'static [MethodEntry]]) -> [MethodEntry; N] {
    assert!(count(groups) == N, "the joined table has another length");
    let mut joined = [const { std::mem::MaybeUninit::<MethodEntry>::uninit() }; N];
    let (mut at, mut group) = (0, 0);
    while group < groups.len() {
        let mut i = 0;
        while i < groups[group].len() {
            joined[at] = std::mem::MaybeUninit::new(groups[group][i]);
            at += 1;
            i += 1;
        }
        group += 1;
    }
    // SAFETY: all `N` entries were written above, and the two arrays have the same layout.
    unsafe { std::mem::transmute_copy(&joined) }
}

/// The description of a behavior, through its trait object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a behavior",
    label = "a module implements behaviors only",
    note = "put `#[behavior]` on the trait"
)]
pub trait Behavior {
    /// Its description.
    const DESC: &'static BehaviorDesc;
}

/// The method table of a behavior for one module type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a behavior of the module `{M}`",
    label = "a module implements behaviors only",
    note = "put `#[behavior]` on the trait, and implement it and `Module` for the type"
)]
pub trait BehaviorFor<M> {
    /// All methods of the behavior, with the module's functions.
    const ENTRIES: &'static [MethodEntry];
}

/// A method's entry.
pub const fn entry(
    behavior: &'static BehaviorDesc,
    desc: &'static MethodDesc,
    typed: ErasedFn,
    dynamic: crate::abi::DynamicFn,
) -> MethodEntry {
    MethodEntry { behavior, desc, typed, dynamic }
}

// ===== Lifecycle =====

/// Runs a lifecycle step of an instance; a refusal goes to `why`.
///
/// # Safety
/// `this` is a live instance of `M`.
unsafe fn step<M: Module>(
    this: *const c_void,
    why: &mut Buf,
    body: impl FnOnce(&M) -> Result<(), Refusal>,
) -> Status {
    // SAFETY: by the caller's promise.
    let instance = unsafe { &*this.cast::<Instance<M>>() };
    match catch_unwind(AssertUnwindSafe(|| body(&instance.module))) {
        Ok(Ok(())) => Status::OK,
        Ok(Err(refusal)) => refused(why, &refusal.0),
        Err(panic) => {
            say_panic(why, panic.as_ref());
            caught(&instance.host, panic)
        }
    }
}

fn refused(why: &mut Buf, reason: &str) -> Status {
    // The reason is for people: a bounded buffer that cannot hold all of it holds none, which is honest.
    let _ = why.append(reason.as_bytes());
    Status::REFUSED
}

fn say_panic(why: &mut Buf, panic: &(dyn Any + Send)) {
    let _ = why.append(message_of(panic).as_bytes());
}

unsafe extern "C" fn init<M: Module>(
    link: HostLink,
    this: &mut *mut c_void,
    why: &mut Buf,
) -> Status {
    keep_panics_quiet(&link);
    let host = Host::new(link);
    match catch_unwind(AssertUnwindSafe(|| M::init(host))) {
        Ok(Ok(module)) => {
            *this = Box::into_raw(Box::new(Instance { module, host })).cast();
            Status::OK
        }
        Ok(Err(refusal)) => refused(why, &refusal.0),
        Err(panic) => {
            say_panic(why, panic.as_ref());
            caught(&host, panic)
        }
    }
}

unsafe extern "C" fn prepare<M: Module>(
    this: *const c_void,
    comes: bool,
    other: Text<'_>,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance.
    unsafe {
        step::<M>(this, why, |module| {
            let other = other.as_str();
            let part =
                if comes { Part::Comes { after: other } } else { Part::Goes { before: other } };
            match module.prepare(part) {
                Vote::Yes => Ok(()),
                Vote::No(reason) => Err(Refusal(reason)),
            }
        })
    }
}

macro_rules! moments {
    ($($name:ident),*) => {$(
        unsafe extern "C" fn $name<M: Module>(this: *const c_void, why: &mut Buf) -> Status {
            // SAFETY: the host passes a live instance.
            unsafe {
                step::<M>(this, why, |module| {
                    module.$name();
                    Ok(())
                })
            }
        }
    )*};
}
moments!(hold, restart, term);

unsafe extern "C" fn drop_instance<M: Module>(this: *mut c_void) -> Status {
    // SAFETY: the host passes an instance that `init` boxed, once, and never uses it again.
    let instance = unsafe { Box::from_raw(this.cast::<Instance<M>>()) };
    let host = instance.host;
    match catch_unwind(AssertUnwindSafe(|| drop(instance))) {
        Ok(()) => Status::OK,
        Err(panic) => caught(&host, panic),
    }
}

unsafe extern "C" fn export_nothing(_: *const c_void, _: u32, _: &mut Buf, _: &mut Buf) -> Status {
    Status::OK
}

unsafe extern "C" fn import_nothing(
    _: *const c_void,
    _: u32,
    _: Slice<'_, u8>,
    _: &mut Buf,
) -> Status {
    Status::OK
}

unsafe extern "C" fn schema_of_nothing(_: &mut Buf) -> Status {
    Status::OK
}

unsafe extern "C" fn export_state<M: CarriesState>(
    this: *const c_void,
    version: u32,
    out: &mut Buf,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance.
    unsafe {
        step::<M>(this, why, |module| {
            let mut octets = Vec::new();
            module
                .export()
                .export(version, &mut octets)
                .map_err(|error| Refusal(error.to_string()))?;
            *out = octets.into();
            Ok(())
        })
    }
}

unsafe extern "C" fn import_state<M: CarriesState>(
    this: *const c_void,
    version: u32,
    octets: Slice<'_, u8>,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance.
    unsafe {
        step::<M>(this, why, |module| {
            let state = M::State::import(version, octets.get())
                .map_err(|error| Refusal(error.to_string()))?;
            module.import(state)
        })
    }
}

unsafe extern "C" fn schema<M: CarriesState>(out: &mut Buf) -> Status {
    match catch_unwind(|| M::State::schema().to_value().encode()) {
        Ok(octets) => {
            *out = octets.into();
            Status::OK
        }
        Err(panic) => {
            std::mem::forget(panic);
            Status::PANICKED
        }
    }
}

unsafe extern "C" fn does_not_understand<M: Module>(
    this: *const c_void,
    lane: *const Lane,
    method: Text<'_>,
    args: Slice<'_, ValueRef<'_>>,
    out: &mut ValueOut,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance and lends the lane.
    unsafe {
        let act = activity(lane);
        let status = step::<M>(this, why, |module| {
            let args: Option<Vec<Value>> = args.get().iter().map(ValueRef::to_value).collect();
            let args = args.ok_or("an argument is not a value")?;
            out.put(&module.does_not_understand(act, method.as_str(), &args)?);
            Ok(())
        });
        if status == Status::REFUSED { Status::NOT_UNDERSTOOD } else { status }
    }
}

unsafe extern "C" fn self_test<M: Module>(
    this: *const c_void,
    lane: *const Lane,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance and lends the lane.
    unsafe { step::<M>(this, why, |module| module.self_test(activity(lane))) }
}

unsafe extern "C" fn no_message(
    _: *const c_void,
    _: *const Lane,
    _: Text<'_>,
    _: Slice<'_, u8>,
    _: &mut Buf,
) -> Status {
    Status::NOT_UNDERSTOOD
}

unsafe extern "C" fn no_timer(_: *const c_void, _: *const Lane, _: u64, _: &mut Buf) -> Status {
    Status::NOT_UNDERSTOOD
}

unsafe extern "C" fn no_signal(_: *const c_void, _: *const Lane, _: i32, _: &mut Buf) -> Status {
    Status::NOT_UNDERSTOOD
}

unsafe extern "C" fn on_message<M: Active>(
    this: *const c_void,
    lane: *const Lane,
    kind: Text<'_>,
    payload: Slice<'_, u8>,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance and lends the lane.
    unsafe {
        step::<M>(this, why, |module| {
            let payload =
                Value::decode(payload.get()).map_err(|error| Refusal(error.to_string()))?;
            module.on_message(activity(lane), kind.as_str(), &payload);
            Ok(())
        })
    }
}

unsafe extern "C" fn on_timer<M: Active>(
    this: *const c_void,
    lane: *const Lane,
    id: u64,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance and lends the lane.
    unsafe {
        step::<M>(this, why, |module| {
            module.on_timer(activity(lane), id);
            Ok(())
        })
    }
}

unsafe extern "C" fn on_signal<M: Active>(
    this: *const c_void,
    lane: *const Lane,
    signal: i32,
    why: &mut Buf,
) -> Status {
    // SAFETY: the host passes a live instance and lends the lane.
    unsafe {
        step::<M>(this, why, |module| {
            module.on_signal(activity(lane), signal);
            Ok(())
        })
    }
}

/// The lifecycle of a module that carries no state and is not active.
#[expect(clippy::cast_possible_truncation, reason = "a table of function pointers")]
pub const fn lifecycle<M: Module>() -> Lifecycle {
    Lifecycle {
        size: size_of::<Lifecycle>() as u32,
        init: init::<M>,
        prepare: prepare::<M>,
        hold: hold::<M>,
        restart: restart::<M>,
        term: term::<M>,
        drop: drop_instance::<M>,
        export_state: export_nothing,
        import_state: import_nothing,
        schema: schema_of_nothing,
        does_not_understand: does_not_understand::<M>,
        self_test: self_test::<M>,
        on_message: no_message,
        on_timer: no_timer,
        on_signal: no_signal,
    }
}

impl Lifecycle {
    /// The same lifecycle for a module that carries state.
    #[must_use]
    pub const fn carrying_state<M: CarriesState>(mut self) -> Self {
        self.export_state = export_state::<M>;
        self.import_state = import_state::<M>;
        self.schema = schema::<M>;
        self
    }

    /// The same lifecycle for an active module.
    #[must_use]
    pub const fn active<M: Active>(mut self) -> Self {
        self.on_message = on_message::<M>;
        self.on_timer = on_timer::<M>;
        self.on_signal = on_signal::<M>;
        self
    }
}
