//! One module instance, and one binding of it to its component.
//!
//! A [`Body`] is the instance with its method table; a [`Generation`] is a binding of a body, numbered
//! upward within its component. Taking a swap back binds the old body anew, as a younger generation:
//! a binding is never published twice, so what a reader holds never changes under it.

use crate::component::Component;
use crate::runtime::Runtime;
use s_sdk::abi::{BehaviorDesc, MethodEntry, ModuleDescriptor, Status};
use s_sdk::component::{ActiveCall, ComponentLink};
use s_sdk::dynamic::{ValueOut, ValueRef};
use s_sdk::hosting::{Bound, BoundSide, HostSide, Instance, StepError};
use s_sdk::{Activity, Level};
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A module's code: its checked descriptor, and whatever keeps it loaded.
#[derive(Clone)]
pub struct Code {
    descriptor: &'static ModuleDescriptor,
    keep: Arc<dyn Any + Send + Sync>,
}

impl Code {
    /// Code that stays loaded as long as `keep` lives. The loader checked the descriptor.
    pub fn new(descriptor: &'static ModuleDescriptor, keep: Arc<dyn Any + Send + Sync>) -> Self {
        Code { descriptor, keep }
    }

    /// Code that is part of the host: the factory set.
    pub fn linked(descriptor: &'static ModuleDescriptor) -> Self {
        Code { descriptor, keep: Arc::new(()) }
    }

    /// The descriptor.
    pub const fn descriptor(&self) -> &'static ModuleDescriptor {
        self.descriptor
    }

    /// What keeps it loaded.
    pub fn keep(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.keep
    }
}

/// The host's side of one instance.
pub struct HostPart {
    runtime: &'static Runtime,
    component: &'static Component,
    version: String,
    /// The resident tables that the module declares, by name and structural hash.
    residents: Vec<(String, u64)>,
    critical: AtomicU32,
    /// It was in an S-critical section at some time.
    was_critical: AtomicBool,
    last_panic: Mutex<String>,
    serves: AtomicBool,
    wishes: Mutex<Vec<Wish>>,
}

/// What a module asked for before it served and what others would notice: granted when it serves, forgotten
/// when it never does.
type Wish = Box<dyn FnOnce(&HostPart) -> Status + Send>;

/// So many wishes are kept: a module that never serves cannot fill the memory.
const WISHES: usize = 1024;

impl HostPart {
    /// Keeps a wish until the module serves; `None` when it does, and the wish is to be granted at once.
    fn later(&self, wish: impl FnOnce() -> Wish) -> Option<Status> {
        if self.serves.load(Ordering::Acquire) {
            return None;
        }
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        if self.serves.load(Ordering::Relaxed) {
            return None;
        }
        if wishes.len() == WISHES {
            return Some(Status::FULL);
        }
        wishes.push(wish());
        Some(Status::OK)
    }

    /// Grants what the module asked for before it served. Sinks and log run in here: no lock may be held.
    pub(crate) fn serve(&self) {
        let wishes = {
            let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
            self.serves.store(true, Ordering::Release);
            std::mem::take(&mut *wishes)
        };
        let refused =
            wishes.into_iter().map(|wish| wish(self)).filter(|&status| status != Status::OK);
        for status in refused {
            let what = "an event, message, timer or subscription from before it served was refused";
            self.log(Level::Warning, &format!("{what}: status {}", status.0));
        }
    }

    /// The message of the last panic that was caught in this instance.
    pub fn last_panic(&self) -> String {
        self.last_panic.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HostSide for HostPart {
    type Table = crate::runtime::Table;

    fn log(&self, level: Level, message: &str) {
        self.runtime.surroundings().log(level, self.component.name(), &self.version, message);
    }
    fn now(&self) -> u64 {
        self.runtime.now()
    }
    fn wall_clock(&self) -> u64 {
        self.runtime.surroundings().wall_clock()
    }
    fn random(&self, octets: &mut [u8]) -> bool {
        getrandom::fill(octets).is_ok()
    }
    fn count(&self, name: &str, add: u64) {
        self.runtime.surroundings().count(self.component.name(), name, add);
    }
    fn lookup(
        &self,
        component: &str,
        behavior: &'static BehaviorDesc,
    ) -> Result<ComponentLink, Status> {
        self.runtime.link(component, behavior).map_err(|error| error.status())
    }
    fn publish(&self, tag: &str, payload: &[u8]) -> Status {
        let later = self.later(|| {
            let (tag, payload) = (tag.to_owned(), payload.to_vec());
            Box::new(move |host| host.publish(&tag, &payload))
        });
        if let Some(status) = later {
            return status;
        }
        self.runtime.surroundings().publish(self.component.name(), tag, payload)
    }
    fn subscribe(&self, tag: &str, on: bool) -> Status {
        let later = self.later(|| {
            let tag = tag.to_owned();
            Box::new(move |host| host.subscribe(&tag, on))
        });
        if let Some(status) = later {
            return status;
        }
        self.runtime.surroundings().subscribe(self.component.name(), tag, on)
    }
    fn set_timer(&self, id: u64, after: u64, every: u64) -> Status {
        if let Some(status) = self.later(|| Box::new(move |host| host.set_timer(id, after, every)))
        {
            return status;
        }
        self.runtime.surroundings().set_timer(self.component.name(), id, after, every)
    }
    fn cancel_timer(&self, id: u64) -> Status {
        if let Some(status) = self.later(|| Box::new(move |host| host.cancel_timer(id))) {
            return status;
        }
        self.runtime.surroundings().cancel_timer(self.component.name(), id)
    }
    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        let later = self.later(|| {
            let (to, kind) = (component.to_owned(), kind.to_owned());
            let payload = payload.to_vec();
            Box::new(move |host| host.send(&to, &kind, &payload))
        });
        if let Some(status) = later {
            return status;
        }
        self.runtime.surroundings().send(component, kind, payload)
    }
    fn critical(&self, enters: bool) {
        if enters {
            self.was_critical.store(true, Ordering::Release);
            self.critical.fetch_add(1, Ordering::AcqRel);
        } else {
            self.critical.fetch_sub(1, Ordering::AcqRel);
        }
    }
    fn panicked(&self, message: &str) {
        *self.last_panic.lock().unwrap_or_else(PoisonError::into_inner) = message.to_owned();
        self.runtime.surroundings().log(
            Level::Error,
            self.component.name(),
            &self.version,
            &format!("panicked: {message}"),
        );
    }
    fn resident(&self, name: &str, row_hash: u64) -> Result<&'static Self::Table, Status> {
        // What a swap may do to tables is decided by what is declared.
        if !self.residents.iter().any(|(declared, hash)| declared == name && *hash == row_hash) {
            let cure = "declare it in `#[s_module(resident(\"table\" = Row))]`";
            self.log(
                Level::Error,
                &format!("opened the undeclared resident table `{name}` or row type: {cure}"),
            );
            return Err(Status::NO_SUCH_NAME);
        }
        self.runtime.surroundings().resident(self.component.name(), name, row_hash)
    }
}

/// So many methods are looked through rather than hashed: comparing a few lengths is quicker.
const SCAN: usize = 8;

/// A live instance of a module with its methods by name.
pub struct Body {
    instance: Instance<HostPart, Code>,
    methods: HashMap<&'static str, MethodEntry, foldhash::fast::RandomState>,
    calls_that_panicked: AtomicU64,
}

impl Body {
    /// Creates the instance.
    pub(crate) fn create(
        runtime: &'static Runtime,
        component: &'static Component,
        code: Code,
    ) -> Result<Self, StepError> {
        let descriptor = code.descriptor();
        let host = Arc::new(HostPart {
            runtime,
            component,
            version: descriptor.version.as_str().to_owned(),
            residents: descriptor
                .resident
                .get()
                .iter()
                .map(|table| (table.name.as_str().to_owned(), table.row.hash()))
                .collect(),
            critical: AtomicU32::new(0),
            was_critical: AtomicBool::new(false),
            last_panic: Mutex::default(),
            serves: AtomicBool::new(false),
            wishes: Mutex::default(),
        });
        let instance = Instance::init(descriptor, host, code)?;
        let methods = descriptor
            .methods
            .get()
            .iter()
            .map(|entry| (entry.desc.name.as_str(), *entry))
            .collect();
        Ok(Body { instance, methods, calls_that_panicked: AtomicU64::new(0) })
    }

    /// The instance.
    pub const fn instance(&self) -> &Instance<HostPart, Code> {
        &self.instance
    }

    /// The code.
    pub const fn code(&self) -> &Code {
        self.instance.code()
    }

    /// The module's version.
    pub fn version(&self) -> &'static str {
        self.code().descriptor().version.as_str()
    }

    /// A method by name, also `behavior.method`.
    pub fn method(&self, name: &str) -> Option<&MethodEntry> {
        let entries = self.code().descriptor().methods.get();
        if entries.len() <= SCAN {
            let found = entries.iter().find(|entry| entry.desc.name.octets() == name.as_bytes());
            return found.or_else(|| self.qualified(name));
        }
        self.methods.get(name).or_else(|| self.qualified(name))
    }

    /// A method as `behavior.method`.
    fn qualified(&self, name: &str) -> Option<&MethodEntry> {
        let (behavior, method) = name.rsplit_once('.')?;
        let entries = self.code().descriptor().methods.get();
        entries
            .iter()
            .find(|e| e.desc.name.as_str() == method && e.behavior.name.as_str() == behavior)
    }

    /// The method that a caller means by a structural hash.
    pub(crate) fn by_hash(&self, behavior: &str, hash: u64) -> Option<&MethodEntry> {
        let entries = self.code().descriptor().methods.get();
        entries.iter().find(|e| e.desc.hash == hash && e.behavior.name.as_str() == behavior)
    }

    /// Whether the module is in an S-critical section.
    pub fn is_critical(&self) -> bool {
        self.instance.host().critical.load(Ordering::Acquire) != 0
    }

    /// Whether the module has ever been in an S-critical section: its swaps close the gate, because a
    /// section that begins as they flip would be cut in two.
    pub fn was_critical(&self) -> bool {
        self.instance.host().was_critical.load(Ordering::Acquire)
    }

    /// Grants what the module asked for before it served, and from here on at once. Whoever flipped calls
    /// this when the gates are open: it runs other people's code.
    pub fn serve(&self) {
        self.instance.host().serve();
    }

    /// How many calls panicked in it.
    pub fn panics(&self) -> u64 {
        self.calls_that_panicked.load(Ordering::Relaxed)
    }
}

/// The host's part of a binding.
pub(crate) struct Side {
    number: u64,
    body: Option<Arc<Body>>,
}

impl BoundSide for Side {
    fn lacking(
        &self,
        act: &Activity,
        method: &str,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> Status {
        match &self.body {
            Some(body) => body.instance.does_not_understand(act, method, args, out).0,
            None => Status::NOT_UNDERSTOOD,
        }
    }

    fn invoke(
        &self,
        act: &Activity,
        method: &str,
        args: &[ValueRef<'_>],
        out: &mut ValueOut,
    ) -> Status {
        let Some(body) = &self.body else { return Status::ABSENT };
        match body.method(method) {
            Some(entry) => body.instance.call(entry, act, args, out),
            None => body.instance.does_not_understand(act, method, args, out).0,
        }
    }

    fn failed(&self, _: &Activity, _: Status) {
        let Some(body) = &self.body else { return };
        body.calls_that_panicked.fetch_add(1, Ordering::Relaxed);
        let host = body.instance.host();
        host.component.note_failure(self.number);
        host.runtime.surroundings().trouble(host.component, self.number, &host.last_panic());
    }

    fn active(&self, act: &Activity, call: &ActiveCall<'_>) -> Status {
        let Some(body) = &self.body else { return Status::ABSENT };
        match body.instance.active(act, call) {
            Ok(()) => Status::OK,
            Err(error) => {
                // A panic was logged where it was caught; any other reason would end here.
                if error.status != Status::PANICKED {
                    body.instance
                        .host()
                        .log(Level::Warning, &format!("took no message, timer or signal: {error}"));
                }
                error.status
            }
        }
    }
}

/// One binding of a body, or of nothing, to its component.
pub struct Generation {
    bound: Box<Bound<Side>>,
}

impl Generation {
    pub(crate) fn new(number: u64, body: Option<Arc<Body>>) -> Self {
        let this = body.as_ref().map_or(std::ptr::null(), |body| body.instance.this());
        Generation { bound: Box::new(Bound::new(this, number, Side { number, body })) }
    }

    pub(crate) fn bound(&self) -> &Bound<Side> {
        &self.bound
    }

    pub(crate) fn bound_mut(&mut self) -> &mut Bound<Side> {
        &mut self.bound
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.bound.side().number
    }

    /// The bound instance; none when the component is empty.
    pub fn body(&self) -> Option<&Arc<Body>> {
        self.bound.side().body.as_ref()
    }

    /// The version bound, or `(absent)`.
    pub fn version(&self) -> &'static str {
        self.body().map_or("(absent)", |body| body.version())
    }
}
