//! The runtime: the components of one S-application, by name.

use crate::component::Component;
use crate::control::SwapControl;
use crate::gate::{Fence, Gate};
use crate::generation::Generation;
use crate::names::{Named, Names};
use crate::worker::Worker;
use s_sdk::abi::{BehaviorDesc, Status};
use s_sdk::activity::MAX_COMPONENTS;
use s_sdk::component::ComponentLink;
use s_sdk::{Level, ProxyOf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What a runtime lends to its modules and cannot make itself.
///
/// A host that lacks something leaves the method out: modules are told that there is no such thing.
pub trait Surroundings: Send + Sync + 'static {
    /// A log line of a module.
    fn log(&self, level: Level, component: &str, version: &str, message: &str) {
        let _ = (level, component, version, message);
    }
    /// Nanoseconds since 1970.
    fn wall_clock(&self) -> u64 {
        0
    }
    /// Adds to a counter of a component.
    fn count(&self, component: &str, name: &str, add: u64) {
        let _ = (component, name, add);
    }
    /// Publishes an event.
    fn publish(&self, component: &str, tag: &str, payload: &[u8]) -> Status {
        let _ = (component, tag, payload);
        Status::NO_SUCH_NAME
    }
    /// Subscribes a component's mailbox to a tag, or ends that.
    fn subscribe(&self, component: &str, tag: &str, on: bool) -> Status {
        let _ = (component, tag, on);
        Status::NO_SUCH_NAME
    }
    /// Starts a timer of a component's task.
    fn set_timer(&self, component: &str, id: u64, after: u64, every: u64) -> Status {
        let _ = (component, id, after, every);
        Status::NO_SUCH_NAME
    }
    /// Stops one.
    fn cancel_timer(&self, component: &str, id: u64) -> Status {
        let _ = (component, id);
        Status::NO_SUCH_NAME
    }
    /// Puts a message in a component's mailbox.
    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        let _ = (component, kind, payload);
        Status::NO_SUCH_NAME
    }
    /// Opens a resident table of a component.
    fn resident(
        &self,
        component: &str,
        name: &str,
        row_hash: u64,
    ) -> Result<&'static Table, Status> {
        let _ = (component, name, row_hash);
        Err(Status::NO_SUCH_NAME)
    }
    /// A call panicked in this generation. Called on the caller's thread: must not wait.
    fn trouble(&self, component: &'static Component, generation: u64, message: &str) {
        let _ = (component, generation, message);
    }
}

/// A resident table, whatever keeps its rows.
pub struct Table(Box<dyn s_sdk::hosting::Table>);

impl Table {
    /// A table that lives as long as the process.
    pub fn leak(table: impl s_sdk::hosting::Table) -> &'static Self {
        Box::leak(Box::new(Table(Box::new(table))))
    }
}

impl s_sdk::hosting::Table for Table {
    fn read(&self, key: &[u8], row: &mut [u8]) -> bool {
        self.0.read(key, row)
    }
    fn put(&self, key: &[u8], row: &[u8]) -> Status {
        self.0.put(key, row)
    }
    fn remove(&self, key: &[u8]) -> bool {
        self.0.remove(key)
    }
    fn next(&self, after: &[u8], row: &mut [u8]) -> Option<Vec<u8>> {
        self.0.next(after, row)
    }
    fn len(&self) -> u64 {
        self.0.len()
    }
}

/// Why a runtime could not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// A name that nothing is bound to.
    #[error("no component is named `{name}`: register it, or check the spelling")]
    NoSuchName {
        /// The name.
        name: String,
    },
    /// The name means something already.
    #[error("the name `{name}` is taken: rebind it instead of registering it again")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A lane has one pin for each component, and no more room.
    #[error("a runtime holds {MAX_COMPONENTS} components and has them all")]
    TooManyComponents,
    /// Too many behaviors or selectors of one component.
    #[error("component `{component}` has {slots} slots and they are all in use")]
    TooManyViews {
        /// The component.
        component: String,
        /// How many there are.
        slots: usize,
    },
    /// The module refused to start.
    #[error("component `{component}`: {reason}")]
    Init {
        /// The component.
        component: String,
        /// The module's reason.
        reason: String,
    },
}

impl RuntimeError {
    pub(crate) const fn status(&self) -> Status {
        match self {
            RuntimeError::NoSuchName { .. } => Status::NO_SUCH_NAME,
            RuntimeError::TooManyComponents | RuntimeError::TooManyViews { .. } => Status::CAPACITY,
            RuntimeError::NameTaken { .. } | RuntimeError::Init { .. } => Status::REFUSED,
        }
    }
}

/// The components of one S-application and the gate before them. It lives as long as the process.
pub struct Runtime {
    gate: Gate,
    names: Names,
    components: RwLock<Vec<&'static Component>>,
    surroundings: Arc<dyn Surroundings>,
    /// Generations that were replaced, with the epoch that no older activity may outlive them.
    replaced: Mutex<Vec<(u64, Arc<Generation>)>>,
    /// The epoch that the last flip without a gate began.
    last_open_flip: AtomicU64,
    next_index: AtomicU32,
    registering: Mutex<()>,
    started: Instant,
}

impl Runtime {
    /// A runtime without components, and the one control over its gates and generations.
    pub fn start(
        surroundings: Arc<dyn Surroundings>,
        fence: Fence,
    ) -> (&'static Self, SwapControl) {
        let runtime: &'static Runtime = Box::leak(Box::new(Runtime {
            gate: Gate::new(fence),
            names: Names::default(),
            components: RwLock::default(),
            surroundings,
            replaced: Mutex::default(),
            last_open_flip: AtomicU64::new(0),
            next_index: AtomicU32::new(0),
            registering: Mutex::default(),
            started: Instant::now(),
        }));
        (runtime, SwapControl::new(runtime))
    }

    pub(crate) const fn gate(&'static self) -> &'static Gate {
        &self.gate
    }

    pub(crate) fn last_open_flip(&self) -> u64 {
        self.last_open_flip.load(Ordering::Acquire)
    }

    pub(crate) fn note_open_flip(&self, epoch: u64) {
        self.last_open_flip.store(epoch, Ordering::Release);
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// Records a flip, and answers what it replaced. That stays in memory until [`Runtime::let_go_before`]
    /// hears that nobody can reach it: a reader may just have read its address.
    pub(crate) fn publish(
        &self,
        members: Vec<(&'static Component, Arc<Generation>)>,
        epoch: u64,
    ) -> Vec<Arc<Generation>> {
        let before: Vec<_> = members
            .into_iter()
            .map(|(component, generation)| component.publish(generation))
            .collect();
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.extend(before.iter().map(|generation| (epoch, Arc::clone(generation))));
        before
    }

    /// Lets go of what flips up to this epoch replaced: no older activity runs.
    pub(crate) fn let_go_before(&self, epoch: u64) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, gone) = replaced.drain(..).partition(|(flip, _)| *flip > epoch);
        *replaced = kept;
        drop(replaced);
        // Dropped without the lock: a module's destructor may run.
        let gone: Vec<(u64, Arc<Generation>)> = gone;
        drop(gone);
    }

    /// What the runtime lends to its modules.
    pub fn surroundings(&self) -> &dyn Surroundings {
        &*self.surroundings
    }

    /// Nanoseconds since the runtime started.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Adds an empty component. What it binds is the swap manager's business.
    ///
    /// # Errors
    /// The name is taken, or a lane has no more pins.
    pub fn add_component(&'static self, name: &str) -> Result<&'static Component, RuntimeError> {
        let _one_at_a_time = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        if self.names.resolve(name).is_some() {
            return Err(RuntimeError::NameTaken { name: name.to_owned() });
        }
        let index = self.next_index.load(Ordering::Relaxed);
        if index as usize >= MAX_COMPONENTS {
            return Err(RuntimeError::TooManyComponents);
        }
        self.next_index.store(index + 1, Ordering::Relaxed);
        let component = Component::new(name, index);
        self.components.write().unwrap_or_else(PoisonError::into_inner).push(component);
        self.names.bind(name, Some(component));
        Ok(component)
    }

    /// The component behind a name.
    pub fn component(&self, name: &str) -> Option<&'static Component> {
        self.names.resolve(name)
    }

    /// All components, in the order they were added.
    pub fn components(&self) -> Vec<&'static Component> {
        self.components.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn by_index(&self, index: u32) -> Option<&'static Component> {
        self.components.read().unwrap_or_else(PoisonError::into_inner).get(index as usize).copied()
    }

    /// Registers a further name for a component.
    ///
    /// # Errors
    /// The name is taken.
    pub fn register(&self, name: &str, component: &'static Component) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        if self.names.resolve(name).is_some() {
            return Err(RuntimeError::NameTaken { name: name.to_owned() });
        }
        self.names.bind(name, Some(component));
        Ok(())
    }

    /// Binds a registered name to another component; holders of [`Named`] proxies follow.
    ///
    /// # Errors
    /// The name is not registered.
    pub fn rebind(
        &self,
        name: &str,
        component: &'static Component,
    ) -> Result<&'static Component, RuntimeError> {
        let _one_at_a_time = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        if self.names.resolve(name).is_none() {
            return Err(RuntimeError::NoSuchName { name: name.to_owned() });
        }
        Ok(self.names.bind(name, Some(component)).unwrap_or(component))
    }

    /// Takes a further name away. A component's own name stays.
    ///
    /// # Errors
    /// The name is not registered, or it is a component's own.
    pub fn unregister(&self, name: &str) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        match self.names.resolve(name) {
            None => Err(RuntimeError::NoSuchName { name: name.to_owned() }),
            Some(component) if component.name() == name => {
                Err(RuntimeError::NameTaken { name: name.to_owned() })
            }
            Some(_) => {
                self.names.bind(name, None);
                Ok(())
            }
        }
    }

    /// All names and what they mean.
    pub fn all_names(&self) -> Vec<(String, &'static Component)> {
        self.names.all()
    }

    pub(crate) fn link(
        &self,
        name: &str,
        behavior: &'static BehaviorDesc,
    ) -> Result<ComponentLink, RuntimeError> {
        let component = self
            .component(name)
            .ok_or_else(|| RuntimeError::NoSuchName { name: name.to_owned() })?;
        component.view(behavior)
    }

    /// A proxy of a component. It stays good whatever is swapped behind it.
    ///
    /// # Errors
    /// No such name, or the component has no more slots.
    pub fn proxy<P: ProxyOf>(&self, name: &str) -> Result<P, RuntimeError> {
        Ok(P::over(self.link(name, P::behavior())?))
    }

    /// A proxy that follows a name.
    ///
    /// # Errors
    /// As for [`Runtime::proxy`].
    pub fn named<P: ProxyOf>(&'static self, name: &str) -> Result<Named<P>, RuntimeError> {
        Named::new(self, name)
    }

    /// A worker for this thread.
    pub fn worker(&'static self) -> Worker {
        Worker::new(self)
    }
}

/// How long a request waits for a rollback before its caller gets the error.
pub(crate) const ROLLBACK_WAIT: Duration = Duration::from_secs(2);
