//! The engine as its modules see it: the component `engine`, filled by the host itself.
//!
//! Its module is linked, never packaged, because what it tells lives in the host. A module is made without
//! arguments, so [`Facts::while_starting`] lays the facts ready for the one that is made meanwhile.

use crate::counters::Counters;
use roles::engine::Engine;
use roles::privacy::EngineTime;
use roles::varbind::VarBinds;
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, s_module};
use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
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
}

/// The sysORTable.
#[derive(Default)]
struct Resources {
    entries: VarBinds,
    up_times: Vec<u32>,
    last_change: u32,
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
        Arc::new(Facts { identity, counters: Counters::default(), resources: Mutex::default() })
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
        if up_times != resources.up_times || entries.len() != resources.entries.len() {
            resources.last_change = now;
        }
        (resources.entries, resources.up_times) = (entries, up_times);
    }
}

/// The module of the component `engine`.
pub struct EngineModule(Arc<Facts>);

impl Module for EngineModule {
    fn init(_: Host) -> Result<Self, Refusal> {
        let facts = READY.with_borrow(Option::clone);
        facts.map(EngineModule).ok_or("only the host itself fills this component".into())
    }
}

#[s_module(component = "engine", version = "1.0.0", annotation = "the host's own")]
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
        Ok(self.0.resources.lock().unwrap_or_else(PoisonError::into_inner).last_change)
    }
}
