//! A component: a name, its proxy's core, and the generation that it binds now.
//!
//! Callers see a component through views: a behavior as they were compiled against it, laid out as a
//! range of slots. Binding a module fills every range, method by method, by name and structural hash;
//! what the module lacks stays empty and becomes `does_not_understand`.

use crate::generation::{Body, Generation};
use crate::runtime::RuntimeError;
use s_sdk::abi::BehaviorDesc;
use s_sdk::component::{ComponentCore, ComponentLink, InvokeError, Selector};
use s_sdk::hosting::{Bound, GateKey, SLOTS};
use s_sdk::{Activity, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What happens to a request in which a module panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExceptionPolicy {
    /// The caller gets the error.
    Fail = 0,
    /// While the predecessor is still loaded, it answers this request from its start. One that handed its
    /// state over, or left together with others, must come back first, as under `Rollback`.
    RetryOnPredecessor = 1,
    /// The swap that brought the module is taken back, and the predecessor answers.
    Rollback = 2,
}

/// An S-component. It lives as long as the process.
pub struct Component {
    name: String,
    link: ComponentLink,
    key: GateKey,
    policy: AtomicU8,
    /// The youngest generation in which a call panicked.
    failed: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    layout: Layout,
    current: Arc<Generation>,
    /// Kept loaded during the confirm window, and whether it may answer for its successor.
    predecessor: Option<(Arc<Generation>, bool)>,
    last_number: u64,
}

/// Which slot means which method.
#[derive(Default)]
struct Layout {
    /// The slots in use, each a behavior's name and a method's hash.
    slots: Vec<(String, u64)>,
    views: HashMap<(String, u64), u32>,
    /// Selectors by place; leaked, because components live as long as the process.
    selectors: Vec<&'static str>,
}

impl Layout {
    fn fill(&self, bound: &Bound<crate::generation::Side>, body: Option<&Arc<Body>>) {
        let Some(body) = body else { return };
        for (slot, (behavior, hash)) in self.slots.iter().enumerate() {
            bound.set_slot(slot, body.by_hash(behavior, *hash).map(|entry| entry.typed));
        }
        for (place, name) in self.selectors.iter().enumerate() {
            bound.set_selected(place, body.method(name).map(|entry| entry.dynamic));
        }
    }
}

impl Component {
    pub(crate) fn new(name: &str, index: u32) -> &'static Self {
        let vacant = Arc::new(Generation::new(0, None));
        let key = GateKey::new(index, vacant.bound().binding());
        Box::leak(Box::new(Component {
            name: name.to_owned(),
            link: ComponentLink::new(key.core(), 0),
            key,
            policy: AtomicU8::new(ExceptionPolicy::Rollback as u8),
            failed: AtomicU64::new(0),
            state: Mutex::new(State {
                layout: Layout::default(),
                current: vacant,
                predecessor: None,
                last_number: 0,
            }),
            changed: Condvar::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What readers see of it.
    pub const fn core(&self) -> &'static ComponentCore {
        self.key.core()
    }

    /// What changes it: for this crate only.
    pub(crate) const fn key(&self) -> &GateKey {
        &self.key
    }

    /// The generation bound now.
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.state().current)
    }

    /// The generation before, while it is kept for a rollback.
    pub fn predecessor(&self) -> Option<Arc<Generation>> {
        self.state().predecessor.as_ref().map(|(generation, _)| Arc::clone(generation))
    }

    /// The generation before, while it may answer a request in which the current one failed.
    pub(crate) fn stand_in(&self) -> Option<Arc<Generation>> {
        let state = self.state();
        let (generation, _) = state.predecessor.as_ref().filter(|(_, stands_in)| *stands_in)?;
        Some(Arc::clone(generation))
    }

    /// What happens to a request in which its module panics.
    pub fn policy(&self) -> ExceptionPolicy {
        match self.policy.load(Ordering::Relaxed) {
            0 => ExceptionPolicy::Fail,
            1 => ExceptionPolicy::RetryOnPredecessor,
            _ => ExceptionPolicy::Rollback,
        }
    }

    /// Sets what happens to a request in which its module panics.
    pub fn set_policy(&self, policy: ExceptionPolicy) {
        self.policy.store(policy as u8, Ordering::Relaxed);
    }

    /// The link of a caller that was compiled against this behavior.
    pub(crate) fn view(
        &self,
        behavior: &'static BehaviorDesc,
    ) -> Result<ComponentLink, RuntimeError> {
        let mut state = self.state();
        let key = (behavior.name.as_str().to_owned(), behavior.hash());
        if let Some(&base) = state.layout.views.get(&key) {
            return Ok(ComponentLink::new(self.core(), base));
        }
        let methods = behavior.methods.get();
        let base = state.layout.slots.len();
        if base + methods.len() > SLOTS {
            return Err(RuntimeError::TooManyViews { component: self.name.clone(), slots: SLOTS });
        }
        state.layout.slots.extend(methods.iter().map(|method| (key.0.clone(), method.hash)));
        let current = Arc::clone(&state.current);
        state.layout.fill(current.bound(), current.body());
        let base = u32::try_from(base).unwrap_or(u32::MAX);
        state.layout.views.insert(key, base);
        Ok(ComponentLink::new(self.core(), base))
    }

    /// A selector for a method name, which makes calls by it as cheap as calls by number.
    ///
    /// # Errors
    /// The component has no more places.
    pub fn selector(&self, name: &str) -> Result<Selector<'static>, RuntimeError> {
        let mut state = self.state();
        if let Some(place) = state.layout.selectors.iter().position(|known| *known == name) {
            let name = state.layout.selectors[place];
            return Ok(Selector { name, place: u32::try_from(place).unwrap_or(u32::MAX) });
        }
        let place = state.layout.selectors.len();
        if place >= SLOTS {
            return Err(RuntimeError::TooManyViews { component: self.name.clone(), slots: SLOTS });
        }
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        state.layout.selectors.push(name);
        let current = Arc::clone(&state.current);
        state.layout.fill(current.bound(), current.body());
        Ok(Selector { name, place: u32::try_from(place).unwrap_or(u32::MAX) })
    }

    /// A call by name.
    ///
    /// # Errors
    /// The call failed, or the method answered with its own error.
    pub fn invoke(
        &self,
        act: &Activity,
        method: &str,
        args: &[Value],
    ) -> Result<Value, InvokeError> {
        self.link.invoke(act, method, args)
    }

    /// A call by selector.
    ///
    /// # Errors
    /// The call failed, or the method answered with its own error.
    #[inline]
    pub fn invoke_selected(
        &self,
        act: &Activity,
        selector: Selector<'_>,
        args: &[Value],
    ) -> Result<Value, InvokeError> {
        self.link.invoke_selected(act, selector, args)
    }

    /// A new generation of a body, its slots filled, not yet published.
    pub(crate) fn bind(&self, body: Option<Arc<Body>>) -> Generation {
        let mut state = self.state();
        state.last_number += 1;
        let generation = Generation::new(state.last_number, body);
        state.layout.fill(generation.bound(), generation.body());
        generation
    }

    /// Records a published generation, and answers the one before. Slots that callers added between
    /// `bind` and now are filled here.
    pub(crate) fn publish(&self, next: Arc<Generation>) -> Arc<Generation> {
        let mut state = self.state();
        state.layout.fill(next.bound(), next.body());
        let before = std::mem::replace(&mut state.current, next);
        drop(state);
        self.changed.notify_all();
        before
    }

    pub(crate) fn keep_predecessor(&self, predecessor: Option<(Arc<Generation>, bool)>) {
        let before = std::mem::replace(&mut self.state().predecessor, predecessor);
        self.changed.notify_all();
        // Dropped without the lock: a module's destructor may run.
        drop(before);
    }

    /// Notes that a call panicked in a generation.
    pub(crate) fn note_failure(&self, number: u64) {
        self.failed.fetch_max(number, Ordering::AcqRel);
    }

    /// Waits until a generation younger than the one that failed last serves; false when none came in
    /// time, or none can come because no predecessor is kept.
    pub(crate) fn wait_past_failure(&self, deadline: Instant) -> bool {
        let failed = self.failed.load(Ordering::Acquire);
        let mut state = self.state();
        while state.current.number() <= failed {
            let left =
                deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            let Some(left) = left.filter(|_| state.predecessor.is_some()) else { return false };
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }
}
