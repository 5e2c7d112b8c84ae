//! The caller's side of a call: a component's core, one generation's binding, a proxy's link.
//!
//! A proxy never moves and never owns a module: it finds the binding that its activity is pinned to,
//! takes the method's slot and calls it. A method that the bound module lacks is offered to the module's
//! `does_not_understand` instead.
//!
//! Invariant: nothing in here can close a gate or change a binding; that is the host's alone.

use crate::abi::{BehaviorDesc, DynamicFn, ErasedFn, Slice, Status, Text};
use crate::activity::{Activity, Lane};
use crate::dynamic::{ValueOut, ValueRef};
use crate::error::{CallError, CallErrorKind};
use crate::sync::{AtomicPtr, Ordering};
use crate::value::Value;
use std::ffi::c_void;
use std::fmt;

/// Method slots per component, over all behaviors that callers see it as.
pub const MAX_SLOTS: usize = if cfg!(loom) { 1 } else { 128 };

/// What never moves of a component.
#[repr(C)]
pub struct ComponentCore {
    /// Its position in every lane's pin table.
    pub(crate) index: u32,
    /// The current binding; the lowest bit is set while the gate is closed.
    pub(crate) current: AtomicPtr<Binding>,
}

impl ComponentCore {
    /// Its position in every lane's pin table.
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Whether its gate is closed now.
    pub fn is_closed(&self) -> bool {
        self.current.load(Ordering::Acquire).addr() & 1 != 0
    }
}

/// One generation as callers see it.
#[repr(C)]
pub struct Binding {
    /// The module's instance; null when no module is bound.
    pub instance: *const c_void,
    /// Typed functions by slot; null where the module lacks the method.
    pub(crate) slots: [AtomicPtr<c_void>; MAX_SLOTS],
    /// Dynamic functions by selector; null where the module lacks the method.
    pub(crate) selected: [AtomicPtr<c_void>; MAX_SLOTS],
    /// Numbered upward within a component.
    pub generation: u64,
    /// The epoch from which on activities see this generation.
    pub since: u64,
    /// After a flip without a gate: what activities older than `since` still see.
    pub(crate) predecessor: AtomicPtr<Binding>,
    /// The slow paths.
    pub services: &'static BindingServices,
}

/// What the host does when a call is not an ordinary one.
#[repr(C)]
pub struct BindingServices {
    /// The size of this table.
    pub size: u32,
    /// The module lacks a method that the caller's behavior has.
    pub lacking: DynamicCall,
    /// A dynamic call by name.
    pub invoke: DynamicCall,
    /// A call panicked, and the panic was caught inside the module.
    pub failed: unsafe extern "C" fn(&Binding, &Lane, Status),
    /// A message, a timer or a signal for the active module. Only the host's own tasks call it.
    pub active: unsafe extern "C" fn(&Binding, &Lane, &ActiveCall<'_>) -> Status,
}

/// What an active module is called for.
#[derive(Clone, Copy)]
#[repr(C)]
pub enum ActiveCall<'a> {
    /// A mailbox message: its kind and its encoded payload.
    Message(Text<'a>, Slice<'a, u8>),
    /// A timer that fired, by its id.
    Timer(u64),
    /// A signal, by its number.
    Signal(i32),
}

/// A call by name with checked values.
pub type DynamicCall = unsafe extern "C" fn(
    &Binding,
    &Lane,
    Text<'_>,
    Slice<'_, ValueRef<'_>>,
    &mut ValueOut,
) -> Status;

impl Binding {
    /// The generation that an activity of this epoch sees: this one, or the youngest before it that was
    /// there when the activity began and was left reachable.
    #[inline(always)]
    pub fn seen_from(&self, epoch: u64) -> *const Binding {
        if self.since <= epoch { self } else { self.older(epoch) }
    }

    #[cold]
    fn older(&self, epoch: u64) -> *const Binding {
        let mut seen = self;
        while seen.since > epoch {
            // SAFETY: a predecessor is kept until no activity is older than the flip that replaced it, and
            // this one is.
            match unsafe { seen.predecessor.load(Ordering::Acquire).as_ref() } {
                Some(predecessor) => seen = predecessor,
                None => break,
            }
        }
        seen
    }

    /// The dynamic function at a selector's place.
    #[inline(always)]
    pub fn selected(&self, place: u32) -> Option<DynamicFn> {
        let function = self.selected.get(place as usize)?.load(Ordering::Relaxed);
        // SAFETY: places hold null or a dynamic function of the bound module; null is `None`.
        unsafe { std::mem::transmute::<*mut c_void, Option<DynamicFn>>(function) }
    }

    /// The typed function in a slot.
    #[inline(always)]
    pub fn slot(&self, slot: u32) -> Option<ErasedFn> {
        let function = self.slots.get(slot as usize)?.load(Ordering::Relaxed);
        // SAFETY: slots hold null or a function pointer of the bound module; null is `None`.
        unsafe { std::mem::transmute::<*mut c_void, Option<ErasedFn>>(function) }
    }
}

/// A method name that a component's host has given a place.
#[derive(Clone, Copy, Debug)]
pub struct Selector<'a> {
    /// The method's name.
    pub name: &'a str,
    /// Its place in every binding of the component.
    pub place: u32,
}

/// A caller's link to a component: where its behavior's slots begin.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ComponentLink {
    core: Option<&'static ComponentCore>,
    base: u32,
}

// SAFETY: a core is shared between threads and lives as long as the process.
unsafe impl Send for ComponentLink {}
// SAFETY: as above.
unsafe impl Sync for ComponentLink {}

/// Why a dynamic call had no ordinary answer.
#[derive(Clone, Debug, PartialEq)]
pub enum InvokeError {
    /// The call itself failed.
    Call(CallError),
    /// The method returned its own error.
    Method(Value),
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvokeError::Call(error) => error.fmt(f),
            InvokeError::Method(error) => write!(f, "the method answered with its error {error}"),
        }
    }
}

impl std::error::Error for InvokeError {}

impl From<CallError> for InvokeError {
    fn from(error: CallError) -> Self {
        InvokeError::Call(error)
    }
}

impl ComponentLink {
    /// A link to nothing: calls answer `NoSuchName`.
    pub const fn unlinked() -> Self {
        ComponentLink { core: None, base: 0 }
    }

    /// The host's answer to a lookup.
    pub const fn new(core: &'static ComponentCore, base: u32) -> Self {
        ComponentLink { core: Some(core), base }
    }

    /// The component behind the link.
    pub const fn core(&self) -> Option<&'static ComponentCore> {
        self.core
    }

    /// Enters the component and finds a method: its binding and, unless it lacks it, its function.
    #[inline(always)]
    pub fn method<'a>(
        &self,
        act: &'a Activity,
        method: u32,
    ) -> Result<(&'a Binding, Option<ErasedFn>), CallError> {
        let Some(core) = self.core else { return Err(CallError::new(CallErrorKind::NoSuchName)) };
        let bound = act.enter(core)?;
        Ok((bound, bound.slot(self.base + method)))
    }

    /// A typed call that the bound module lacks.
    #[cold]
    pub fn lacking(
        &self,
        act: &Activity,
        bound: &Binding,
        name: &str,
        args: &[Value],
    ) -> Result<Value, CallError> {
        if bound.instance.is_null() {
            return Err(CallError::new(CallErrorKind::Absent));
        }
        match self.dynamic(act, bound, bound.services.lacking, name, args) {
            Ok(value) => Ok(value),
            Err(InvokeError::Call(error)) => Err(error),
            Err(InvokeError::Method(_)) => Err(CallError::new(CallErrorKind::NotUnderstood)),
        }
    }

    /// A call by name: also reaches methods that the caller was not compiled against.
    pub fn invoke(&self, act: &Activity, name: &str, args: &[Value]) -> Result<Value, InvokeError> {
        let Some(core) = self.core else {
            return Err(CallError::new(CallErrorKind::NoSuchName).into());
        };
        let bound = act.enter(core)?;
        self.dynamic(act, bound, bound.services.invoke, name, args)
    }

    /// A call by selector: as by name, but the name was looked up once and for all.
    #[inline(always)]
    pub fn invoke_selected(
        &self,
        act: &Activity,
        selector: Selector<'_>,
        args: &[Value],
    ) -> Result<Value, InvokeError> {
        let Some(core) = self.core else {
            return Err(CallError::new(CallErrorKind::NoSuchName).into());
        };
        let bound = act.enter(core)?;
        let Some(function) = bound.selected(selector.place) else {
            return self.invoke(act, selector.name, args);
        };
        let mut out = ValueOut::new();
        let status = with_refs(args, |refs| {
            // SAFETY: the host put the module's own dynamic function there; the binding is pinned.
            unsafe { function(bound.instance, act.lane(), Slice::new(refs), &mut out) }
        });
        self.answer(act, bound, status, &mut out)
    }

    /// Hands the active module a message, a timer or a signal.
    pub fn active(&self, act: &Activity, call: &ActiveCall<'_>) -> Result<(), CallError> {
        let Some(core) = self.core else { return Err(CallError::new(CallErrorKind::NoSuchName)) };
        let bound = act.enter(core)?;
        // SAFETY: the function came from the host with the binding; the binding is pinned.
        match unsafe { (bound.services.active)(bound, act.lane(), call) } {
            Status::OK => Ok(()),
            status => Err(self.failed(act, bound, status)),
        }
    }

    #[inline(always)]
    fn dynamic(
        &self,
        act: &Activity,
        bound: &Binding,
        call: DynamicCall,
        name: &str,
        args: &[Value],
    ) -> Result<Value, InvokeError> {
        let mut out = ValueOut::new();
        let status = with_refs(args, |refs| {
            // SAFETY: the functions came from the host with the binding; the binding is pinned.
            unsafe { call(bound, act.lane(), Text::new(name), Slice::new(refs), &mut out) }
        });
        self.answer(act, bound, status, &mut out)
    }

    /// What a dynamic shim's status and output mean. A number is taken where it lies.
    #[inline(always)]
    fn answer(
        &self,
        act: &Activity,
        bound: &Binding,
        status: Status,
        out: &mut ValueOut,
    ) -> Result<Value, InvokeError> {
        match out.number() {
            Some(number) if status == Status::OK => Ok(Value::U64(number)),
            _ => self.other_answer(act, bound, status, out),
        }
    }

    #[inline(never)]
    fn other_answer(
        &self,
        act: &Activity,
        bound: &Binding,
        status: Status,
        out: &mut ValueOut,
    ) -> Result<Value, InvokeError> {
        let bad = InvokeError::Call(CallError::new(CallErrorKind::BadAnswer));
        match status {
            Status::OK => out.take().ok_or(bad),
            Status::ERR => Err(out.take().map_or(bad, InvokeError::Method)),
            Status::BAD_ARGUMENT => {
                let position = match out.take() {
                    Some(Value::U64(position)) => u32::try_from(position).unwrap_or(u32::MAX),
                    _ => u32::MAX,
                };
                Err(CallError { kind: CallErrorKind::BadArgument, detail: position }.into())
            }
            status => Err(self.failed(act, bound, status).into()),
        }
    }

    /// A shim's status that is neither success nor the method's own error.
    #[cold]
    pub fn failed(&self, act: &Activity, bound: &Binding, status: Status) -> CallError {
        if status == Status::PANICKED {
            // SAFETY: the function came from the host with the binding.
            unsafe { (bound.services.failed)(bound, act.lane(), status) };
            if let Some(core) = self.core {
                act.note_fault(core);
            }
        }
        CallError::from_status(status)
    }
}

/// The borrowed forms of arguments. Most calls have one argument or none.
#[inline(always)]
pub fn with_refs<R>(args: &[Value], call: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
    match args {
        [] => call(&[]),
        [one] => match ValueRef::simple(one) {
            Some(one) => call(&[one]),
            None => with_many_refs(args, call),
        },
        many => with_many_refs(many, call),
    }
}

/// The borrowed forms of several arguments, on the stack where they fit.
#[inline(never)]
fn with_many_refs<R>(args: &[Value], call: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
    const INLINE: usize = 8;
    let null = Value::Null;
    let empty = ValueRef::simple(&null).unwrap_or_else(|| ValueRef::encoded(&[]));
    let mut refs = [empty; INLINE];
    let mut scratch: Vec<Vec<u8>> = Vec::new();
    let simple = args.len() <= INLINE
        && args.iter().zip(&mut refs).all(|(arg, place)| match ValueRef::simple(arg) {
            Some(arg) => {
                *place = arg;
                true
            }
            None => false,
        });
    if simple {
        return call(&refs[..args.len()]);
    }
    scratch.resize_with(args.len(), Vec::new);
    let refs: Vec<_> =
        args.iter().zip(&mut scratch).map(|(arg, scratch)| ValueRef::new(arg, scratch)).collect();
    call(&refs)
}

/// A generated proxy: implements its behavior by calling the component it is linked to.
pub trait ProxyOf: Sized + Copy {
    /// The behavior, as the proxy was compiled.
    fn behavior() -> &'static BehaviorDesc;

    /// The proxy over a link that the host made for this behavior.
    fn over(link: ComponentLink) -> Self;

    /// The link.
    fn link(&self) -> ComponentLink;
}
