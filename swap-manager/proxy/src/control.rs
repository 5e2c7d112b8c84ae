//! The one hand that can close gates and change what components bind.
//!
//! A runtime comes with exactly one [`SwapControl`]; it cannot be cloned or made anew. Whoever holds it
//! is the swap manager.

use crate::component::Component;
use crate::generation::{Body, Code, Generation};
use crate::runtime::Runtime;
use s_sdk::component::Binding;
use s_sdk::hosting::StepError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Control over a runtime's gates and generations.
pub struct SwapControl {
    runtime: &'static Runtime,
}

/// Generations that are bound and filled but not yet published, one per component of a group.
pub struct Group {
    members: Vec<(&'static Component, Generation)>,
}

/// What a flip replaced.
pub struct Flipped {
    /// The generations that served before, in the order of the group.
    pub before: Vec<Arc<Generation>>,
    /// The epoch that began with the flip: nothing older can reach the generations above.
    pub epoch: u64,
}

/// The drain did not end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillInside;

impl SwapControl {
    pub(crate) const fn new(runtime: &'static Runtime) -> Self {
        SwapControl { runtime }
    }

    /// The runtime.
    pub const fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// Creates an instance of a module for a component. It does not serve yet.
    ///
    /// # Errors
    /// The module refused or panicked in `init`.
    pub fn create(&self, component: &'static Component, code: Code) -> Result<Arc<Body>, StepError> {
        Body::create(self.runtime, component, code).map(Arc::new)
    }

    /// Binds bodies (or nothing) to components, as one group, not yet published.
    pub fn bind(&self, members: &[(&'static Component, Option<Arc<Body>>)]) -> Group {
        Group { members: members.iter().map(|(c, body)| (*c, c.bind(body.clone()))).collect() }
    }

    /// Publishes a group without closing a gate: older activities finish on what they began with.
    /// `None` when another swap kept the gate beyond the deadline.
    ///
    /// The predecessors stay reachable until [`SwapControl::pass`]; no member may be flipped again before.
    pub fn flip_open(&self, group: Group, deadline: Instant) -> Option<Flipped> {
        let gate = self.runtime.gate();
        if !gate.take_by(Some(deadline)) {
            return None;
        }
        let since = gate.next_epoch();
        let members: Vec<_> = group
            .members
            .into_iter()
            .map(|(component, mut generation)| {
                let predecessor: *const Binding = component.current().bound().binding();
                generation.bound_mut().set_since(since, predecessor);
                (component, Arc::new(generation))
            })
            .collect();
        let bindings: Vec<_> = members
            .iter()
            .map(|(component, generation)| (component.core(), std::ptr::from_ref(generation.bound().binding())))
            .collect();
        let epoch = gate.flip_open(&bindings);
        let before = members.into_iter().map(|(component, generation)| component.publish(generation)).collect();
        gate.give_back();
        Some(Flipped { before, epoch })
    }

    /// Takes the gate and closes it for a group; `None` when another swap kept it beyond the deadline.
    pub fn close(&self, group: &Group, deadline: Instant) -> Option<Closed> {
        let gate = self.runtime.gate();
        if !gate.take_by(Some(deadline)) {
            return None;
        }
        gate.close(group.members.iter().map(|(component, _)| component.core()).collect(), Some(deadline));
        Some(Closed { runtime: self.runtime })
    }

    /// Waits until no activity is older than a flip.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn pass(&self, epoch: u64, deadline: Instant) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        gate.fence();
        wait_until(deadline, || gate.passed(epoch))
    }

    /// Keeps a generation loaded behind a component for the confirm window, or lets it go.
    pub fn keep_predecessor(
        &self,
        component: &'static Component,
        predecessor: Option<Arc<Generation>>,
    ) -> Option<Arc<Generation>> {
        let let_go = component.keep_predecessor(predecessor);
        if let Some(current) = let_go.as_ref().map(|_| component.current()) {
            current.bound().forget_predecessor();
        }
        let_go
    }
}

/// Waits for readers: a little spinning, then giving the processor to those waited for, then sleeping.
fn wait_until(deadline: Instant, mut done: impl FnMut() -> bool) -> Result<(), StillInside> {
    let mut looks = 0u32;
    while !done() {
        looks += 1;
        match looks {
            0..=32 => std::hint::spin_loop(),
            33..=400 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50)),
        }
        // The clock costs more than a look.
        if looks.is_multiple_of(16) && Instant::now() >= deadline {
            return Err(StillInside);
        }
    }
    Ok(())
}

/// A group whose gates are closed. Dropping it opens them, on whatever is published by then.
pub struct Closed {
    runtime: &'static Runtime,
}

impl Closed {
    /// Waits until no activity is inside the group.
    ///
    /// # Errors
    /// One was, until the deadline.
    pub fn drain(&self, deadline: Instant) -> Result<(), StillInside> {
        let gate = self.runtime.gate();
        wait_until(deadline, || gate.drained())
    }

    /// Publishes the group that the gates were closed for. They stay closed.
    pub fn flip(&self, group: Group) -> Flipped {
        let gate = self.runtime.gate();
        let since = gate.next_epoch();
        let members: Vec<_> = group
            .members
            .into_iter()
            .map(|(component, mut generation)| {
                generation.bound_mut().set_since(since, std::ptr::null());
                (component, Arc::new(generation))
            })
            .collect();
        let bindings: Vec<_> =
            members.iter().map(|(_, generation)| std::ptr::from_ref(generation.bound().binding())).collect();
        let epoch = gate.flip_closed(&bindings);
        let before = members.into_iter().map(|(component, generation)| component.publish(generation)).collect();
        Flipped { before, epoch }
    }

    /// Opens the gates.
    pub fn open(self) {}
}

impl Drop for Closed {
    fn drop(&mut self) {
        let gate = self.runtime.gate();
        gate.open();
        gate.give_back();
    }
}
