//! The engine as its modules see it: the component `engine`, filled by the host itself.
//!
//! Its module is linked, never packaged, because what it tells lives in the host. A module is made without
//! arguments, so [`Facts::while_starting`] lays the facts ready for the one that is made meanwhile.

use crate::counters::Counters;
use crate::notify::Outlet;
use crate::swaps::SwapLog;
use roles::components::{self, ComponentEntry, Components};
use roles::engine::Engine;
use roles::notify::Transport;
use roles::privacy::EngineTime;
use roles::swaps::Swaps;
use roles::varbind::VarBinds;
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, s_module};
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Who the engine is, since when, and by which clock.
pub struct Identity {
    /// snmpEngineID.
    pub engine_id: Vec<u8>,
    /// snmpEngineBoots: durable before the first answer.
    pub boots: u32,
    /// snmpEngineMaxMessageSize.
    pub max_message_size: u32,
    /// The time since the engine started. It never steps.
    pub clock: Box<dyn Fn() -> Duration + Send + Sync>,
}

/// What the engine knows of itself.
pub struct Facts {
    identity: Identity,
    counters: Counters,
    resources: Mutex<Resources>,
    /// sysORLastChange: asked for with every GET of the system group, so nobody locks for it.
    resources_changed: AtomicU32,
    components: Mutex<Made>,
    pub(crate) swaps: Mutex<SwapLog>,
    /// The way out for notifications, once the host has one.
    pub(crate) outlet: OnceLock<Box<dyn Outlet>>,
}

/// The sysORTable.
#[derive(Default)]
struct Resources {
    entries: VarBinds,
    up_times: Vec<u32>,
}

/// What serves where, as of the last look.
#[derive(Default)]
struct Made {
    /// Numbered by their places, from 1: components stay as long as the process.
    components: Vec<Serving>,
    last_change: u32,
}

/// A component, and the module that serves in it.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The component's name.
    pub name: String,
    /// The generation.
    pub generation: u64,
    /// The module's version; empty where there is none.
    pub version: &'static str,
    /// What the module's author says of it.
    pub annotation: &'static str,
    /// sysUpTime when the generation was noticed.
    since: u32,
}

impl Serving {
    /// What a component binds now.
    pub fn of(component: &s_proxy::Component) -> Self {
        let current = component.current();
        let module = current.body().map(|body| body.code().descriptor());
        Serving {
            name: component.name().to_owned(),
            generation: current.number(),
            version: module.map_or("", |module| module.version.as_str()),
            annotation: module.map_or("", |module| module.annotation.as_str()),
            since: 0,
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("boots", &self.identity.boots).finish_non_exhaustive()
    }
}

thread_local! {
    static READY: RefCell<Option<Arc<Facts>>> = const { RefCell::new(None) };
}

impl Facts {
    /// An engine that has counted nothing yet.
    pub fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Facts {
            identity,
            counters: Counters::default(),
            resources: Mutex::default(),
            resources_changed: AtomicU32::new(0),
            components: Mutex::default(),
            swaps: Mutex::default(),
            outlet: OnceLock::new(),
        })
    }

    /// Runs `start` with these facts ready for the module of the component `engine`.
    pub fn while_starting<T>(self: &Arc<Self>, start: impl FnOnce() -> T) -> T {
        READY.set(Some(Arc::clone(self)));
        let started = start();
        READY.set(None);
        started
    }

    /// Its counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// snmpEngineID.
    pub fn engine_id(&self) -> &[u8] {
        &self.identity.engine_id
    }

    /// snmpEngineMaxMessageSize.
    pub const fn max_message_size(&self) -> u32 {
        self.identity.max_message_size
    }

    /// The time since the engine started: the time of limits and of refusals.
    pub fn now(&self) -> Duration {
        (self.identity.clock)()
    }

    /// sysUpTime: hundredths of a second, wrapping after 497 days.
    #[expect(clippy::cast_possible_truncation, reason = "TimeTicks wrap (RFC 2578 §7.1.8)")]
    pub fn up_time(&self) -> u32 {
        ((self.identity.clock)().as_millis() / 10) as u32
    }

    /// snmpEngineBoots and snmpEngineTime (RFC 3414 §2.2.2).
    pub fn clock(&self) -> EngineTime {
        const LATEST: u64 = 0x7fff_ffff;
        let seconds = (self.identity.clock)().as_secs();
        // Time at its maximum would be the next boot; 68 years after a start that is as good as never.
        let time_seconds = u32::try_from(seconds.min(LATEST)).unwrap_or(u32::MAX);
        EngineTime { boots: self.identity.boots, time_seconds }
    }

    /// Takes over the sysORTable, when modules have come or gone. What stays keeps its sysORUpTime.
    pub fn set_resources(&self, entries: VarBinds) {
        let now = self.up_time();
        let mut resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |entry: roles::varbind::VarBind<'_>| {
            resources.entries.iter().position(|known| known == entry)
        };
        let up_times: Vec<u32> = entries
            .iter()
            .map(|entry| known(entry).map_or(now, |at| resources.up_times[at]))
            .collect();
        let is_changed = up_times != resources.up_times || entries.len() != resources.entries.len();
        (resources.entries, resources.up_times) = (entries, up_times);
        if is_changed {
            // Last: whoever sees the new time sees the new table.
            self.resources_changed.store(now, Ordering::Release);
        }
    }
}

impl Facts {
    /// Takes over what serves where, in the order in which components were added. What serves as before
    /// keeps the time since when it does; answers the places where something else serves, and its generation.
    pub fn set_components(&self, mut components: Vec<Serving>) -> Vec<(usize, u64)> {
        let now = self.up_time();
        let mut made = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shorter = components.len() < made.components.len();
        let mut changed = Vec::new();
        for (place, serving) in components.iter_mut().enumerate() {
            let known = made.components.get(place);
            let known = known.filter(|known| known.generation == serving.generation);
            if known.is_none() {
                changed.push((place, serving.generation));
            }
            serving.since = known.map_or(now, |known| known.since);
        }
        let is_changed = is_shorter || !changed.is_empty();
        if is_changed {
            made.last_change = now;
        }
        made.components = components;
        drop(made);
        if is_changed {
            // Last: whoever sees the new revision sees the new components.
            self.components_changed();
        }
        changed
    }

    /// Goes over all components: number, name, whether a module serves.
    pub(crate) fn each_component(
        &self,
        mut each: impl FnMut(u32, &str, bool) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let made = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbered = (1..).zip(&made.components);
        numbered.try_for_each(|(number, serving)| {
            each(number, &serving.name, !serving.version.is_empty())
        })
    }
}

/// The module of the component `engine`.
pub struct EngineModule(Arc<Facts>);

impl EngineModule {
    pub(crate) const fn facts(&self) -> &Arc<Facts> {
        &self.0
    }
}

impl Module for EngineModule {
    fn init(_: Host) -> Result<Self, Refusal> {
        let facts = READY.with_borrow(Option::clone);
        facts.map(EngineModule).ok_or("only the host itself fills this component".into())
    }
}

#[s_module(
    component = "engine",
    version = "1.0.0",
    annotation = "the host's own",
    also(Components, Swaps, Transport)
)]
impl Engine for EngineModule {
    fn engine_id(&self, _: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(&self.0.identity.engine_id)?)
    }

    fn clock(&self, _: &Activity) -> Result<EngineTime, CallError> {
        Ok(self.0.clock())
    }

    fn max_message_size(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(self.0.identity.max_message_size)
    }

    fn up_time(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(self.0.up_time())
    }

    fn counters(&self, _: &Activity, values: &mut List<u32>) -> Result<(), CallError> {
        Ok(values.append(&self.0.counters.all())?)
    }

    fn sys_or_entries(
        &self,
        _: &Activity,
        entries: &mut VarBinds,
        up_times: &mut List<u32>,
    ) -> Result<(), CallError> {
        let resources = self.0.resources.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in resources.entries.iter() {
            entries.push(entry.name, entry.value)?;
        }
        Ok(up_times.append(&resources.up_times)?)
    }

    fn sys_or_last_change(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(self.0.resources_changed.load(Ordering::Acquire))
    }
}

impl Components for EngineModule {
    fn components(
        &self,
        _: &Activity,
        entries: &mut List<ComponentEntry>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        let made = self.0.components.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, serving) in (1..).zip(&made.components) {
            components::push(
                (entries, texts),
                (number, serving.generation, serving.since),
                [&serving.name, serving.version, serving.annotation],
            )?;
        }
        Ok(())
    }

    fn last_change(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(self.0.components.lock().unwrap_or_else(PoisonError::into_inner).last_change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn what_serves_as_before_keeps_its_time_and_the_last_change_is_that_of_a_swap() {
        let hundredths = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&hundredths);
        let facts = Facts::new(Identity {
            engine_id: vec![],
            boots: 1,
            max_message_size: 484,
            clock: Box::new(move || Duration::from_millis(clock.load(Ordering::Relaxed) * 10)),
        });
        let serving = |generation| Serving {
            name: "mib".into(),
            generation,
            version: "1.0.0",
            annotation: "",
            since: 0,
        };
        let look = |at, generations: &[u64]| {
            hundredths.store(at, Ordering::Relaxed);
            facts.set_components(generations.iter().map(|number| serving(*number)).collect());
            let made = facts.components.lock().unwrap();
            let since: Vec<_> = made.components.iter().map(|serving| serving.since).collect();
            (since, made.last_change)
        };
        assert_eq!(look(5, &[1, 1]), (vec![5, 5], 5));
        assert_eq!(look(9, &[1, 1]), (vec![5, 5], 5));
        assert_eq!(look(11, &[1, 2]), (vec![5, 11], 11));
        assert_eq!(look(12, &[1, 2, 1]), (vec![5, 11, 12], 12));
    }
}
