//! The notification originator (RFC 3413 §3.3): tells others what has happened, by traps and informs.
//!
//! Who is told is in the tables of SNMP-TARGET-MIB and SNMP-NOTIFICATION-MIB, which are configured and can
//! be written by SET. In reading order: `target` and `notification` are the rows, `tables` how what is
//! configured lies over what came by SET, `settings` what may be configured; `select` says who is told,
//! `pdu` what, `informs` who has not acknowledged, and `originate` takes the steps of the RFC, which `counts`
//! counts.
//!
//! It is an active module: whoever has something to tell puts it into the mailbox, which is bounded, and
//! goes on. It opens no socket, knows no key, and never calls another module while it holds a lock of its
//! own, so that it cannot keep a swap of that module from draining.
//!
//! Invariant: a notification that was taken over is sent, withheld, failed or given up, and each of these
//! is counted.

mod counts;
mod informs;
mod notification;
mod originate;
mod pdu;
mod select;
mod settings;
mod tables;
mod target;

pub use informs::Waiting;

use counts::Counts;
use informs::Informs;
use mib_kit::syntax::integer;
use mib_kit::{Column, Mib, Revision, Scalars, Served, Store, Table, mib_module};
use notification::{
    FILTER_COLUMNS, FILTER_ENTRY, Filter, NOTIFY_COLUMNS, NOTIFY_ENTRY, Notify, PROFILE_COLUMNS,
    PROFILE_ENTRY, Profile,
};
use pdu::Notification;
use roles::access::AccessControlProxy;
use roles::engine::{Engine, EngineProxy};
use roles::message::{MessageHeader, MessageProcessingProxy};
use roles::mib::{MibAccessProxy, MibError};
use roles::notify::{MAX_BINDINGS, Notifier, Statistics, TransportProxy};
use roles::settings::{Persistence, Settings};
use roles::varbind::{ErrorStatus, Span, VarBinds};
use s_sdk::error::CallErrorKind;
use s_sdk::value::Field;
use s_sdk::{
    Active, Activity, Buf, CallError, CarriesState, Host, Level, Module, Refusal, State, Value,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tables::{Kept, Layers, Tables, lasts};
use target::{
    ADDR_COLUMNS, ADDR_ENTRY, PARAMS_COLUMNS, PARAMS_ENTRY, TargetAddr, TargetParams, named,
};

/// The component's own name: what waits, waits in its mailbox.
const COMPONENT: &str = "notify";

/// The kind of message that is a notification.
const NOTIFICATION: &str = "notification";

/// The octets that a notification may have in the mailbox, which holds many of them.
const MAX_NOTIFICATION: usize = 1 << 16;

/// The module.
pub struct NotifyModule {
    host: Host,
    engine: EngineProxy,
    transport: TransportProxy,
    access: AccessControlProxy,
    /// Where snmpEnableAuthenTraps is.
    snmp: MibAccessProxy,
    /// By the number of the message processing model.
    models: BTreeMap<u32, MessageProcessingProxy>,
    /// The engine never changes it (contract of the engine, 1), so it is asked once.
    own_engine_id: OnceLock<Box<[u8]>>,
    mib: Mib<Layers, Layers>,
    store: Store<Layers>,
    revision: Revision,
    informs: Mutex<Informs>,
    counts: Counts,
    /// Why the last message to a target was not sent, so that the log has each reason once.
    told: Mutex<BTreeSet<(Vec<u8>, String)>>,
}

mib_module!(
    NotifyModule,
    component = "notify",
    version = "1.0.0",
    annotation = "RFC 3413: traps and informs",
    depends("engine" = "^1"),
    also(Notifier, Settings, Persistence),
    carries_state,
    active
);

const SPIN_LOCK: &[Column<i32>] = &[Column::test_and_incr(1)];

/// All that is declared: both MIBs, but for the counters of SNMP-TARGET-MIB, which are the engine's.
fn declared() -> Result<Mib<Layers, Layers>, Refusal> {
    type Both = Layers;
    Mib::of(&[target::SPIN_LOCK, target::ADDR_TABLE, target::PARAMS_TABLE, notification::OBJECTS])
        .described(&[(
            &[1, 3, 6, 1, 6, 3, 13, 3, 1, 3],
            "The MIB modules for managing SNMP Notification, plus filtering.",
        )])
        .with(
            Scalars::new(target::OBJECTS, SPIN_LOCK, |state: &Both| &state.spin_lock)
                .writable(|state: &mut Both| &mut state.spin_lock),
        )
        .with(
            Table::new(ADDR_ENTRY, ADDR_COLUMNS, |state: &Both| &state.tables.addrs)
                .writable(
                    |state: &Both| &state.tables.addrs,
                    |state: &mut Both| &mut state.tables.addrs,
                )
                .creatable(|name| named(name, &TargetAddr::NEW)),
        )
        .with(
            Table::new(PARAMS_ENTRY, PARAMS_COLUMNS, |state: &Both| &state.tables.params)
                .writable(
                    |state: &Both| &state.tables.params,
                    |state: &mut Both| &mut state.tables.params,
                )
                .creatable(|name| named(name, &TargetParams::NEW)),
        )
        .with(
            Table::new(NOTIFY_ENTRY, NOTIFY_COLUMNS, |state: &Both| &state.tables.notifies)
                .writable(
                    |state: &Both| &state.tables.notifies,
                    |state: &mut Both| &mut state.tables.notifies,
                )
                .creatable(|name| named(name, &Notify::NEW)),
        )
        .with(
            Table::new(PROFILE_ENTRY, PROFILE_COLUMNS, |state: &Both| &state.tables.profiles)
                .writable(
                    |state: &Both| &state.tables.profiles,
                    |state: &mut Both| &mut state.tables.profiles,
                )
                .creatable(|name| named(name, &Profile::NEW)),
        )
        .with(
            Table::new(FILTER_ENTRY, FILTER_COLUMNS, |state: &Both| &state.tables.filters)
                .writable(
                    |state: &Both| &state.tables.filters,
                    |state: &mut Both| &mut state.tables.filters,
                )
                .creatable(Filter::made),
        )
        .made()
}

impl Module for NotifyModule {
    fn init(host: Host) -> Result<Self, Refusal> {
        let missing = |name: &str, error: CallError| Refusal(format!("{name}: {error}"));
        let mut models = BTreeMap::new();
        for (model, name) in [(0, "message.v1"), (1, "message.v2c"), (3, "message.v3")] {
            models.insert(model, host.lookup(name).map_err(|error| missing(name, error))?);
        }
        // A start that nobody guesses: for request-ids, and for the spin lock (RFC 2579, TestAndIncr).
        let mut random = [0; 8];
        host.random(&mut random).map_err(|error| Refusal(format!("no random numbers: {error}")))?;
        let [a, b, c, d, lock @ ..] = random;
        let mut state = Layers::default();
        state.spin_lock = i32::from_be_bytes(lock) & i32::MAX;
        Ok(NotifyModule {
            engine: host.lookup("engine").map_err(|error| missing("engine", error))?,
            transport: host.lookup("engine").map_err(|error| missing("engine", error))?,
            access: host.lookup("access.vacm").map_err(|error| missing("access.vacm", error))?,
            snmp: host.lookup("mib.snmp").map_err(|error| missing("mib.snmp", error))?,
            models,
            own_engine_id: OnceLock::new(),
            mib: declared()?,
            store: Store::new(state),
            revision: Revision::default(),
            informs: Mutex::new(Informs::beginning_with(u32::from_be_bytes([a, b, c, d]))),
            counts: Counts::default(),
            told: Mutex::default(),
            host,
        })
    }

    fn restart(&self) {
        self.wake();
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::notify::harmless(self, act)?;
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }
}

impl Served for NotifyModule {
    type View = Layers;
    type State = Layers;

    fn mib(&self) -> &Mib<Layers, Layers> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Layers) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.store.state())
    }

    fn store(&self) -> Option<&Store<Layers>> {
        Some(&self.store)
    }

    /// Where and as whom cannot be changed while a row is active (snmpTargetAddrRowStatus,
    /// snmpTargetParamsRowStatus), whatever the order of the bindings.
    fn judge(
        &self,
        before: &Layers,
        draft: &Layers,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        let (old, new) = (&before.tables, &draft.tables);
        let addr = new.addrs.iter().find(|(index, row)| {
            old.addrs.get(index).is_some_and(|old| old.differs_while_active(row))
        });
        let params = new.params.iter().find(|(index, row)| {
            old.params.get(index).is_some_and(|old| old.differs_while_active(row))
        });
        let (entry, name) = match (addr, params) {
            (Some((name, _)), _) => (ADDR_ENTRY, name),
            (None, Some((name, _))) => (PARAMS_ENTRY, name),
            (None, None) => return Ok(()),
        };
        let is_of_row = |position: &usize| {
            let row = binds.get(*position).and_then(|bind| bind.name.strip_prefix(entry));
            let arcs = row.and_then(|row| row.get(1..)).unwrap_or_default();
            arcs.iter().copied().eq(name.0.0.iter().copied().map(u32::from))
        };
        let position = which.positions().find(is_of_row).unwrap_or(which.at as usize);
        Err(MibError::at(ErrorStatus::InconsistentValue, position))
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl Notifier for NotifyModule {
    fn notify(
        &self,
        act: &Activity,
        notification: &[u32],
        context_name: &[u8],
        bindings: &VarBinds,
    ) -> Result<(), CallError> {
        let up_time = self.engine.up_time(act)?;
        let whole = bindings.len() <= MAX_BINDINGS && bindings.iter().count() == bindings.len();
        let waits = if whole {
            let waiting = Notification::of(notification, context_name, up_time, bindings);
            self.post(&waiting.to_value())
        } else {
            Err(CallError::new(CallErrorKind::Full))
        };
        match waits {
            Ok(()) => self.counts.accepted.add(),
            Err(_) => {
                self.counts.dropped.add();
                self.host.count("notify.dropped", 1);
            }
        }
        waits
    }

    fn answered(
        &self,
        act: &Activity,
        header: MessageHeader,
        transport_domain: &[u32],
        transport_address: &[u8],
        pdu: &[u8],
    ) -> Result<bool, CallError> {
        Ok(self.hear(act, header, (transport_domain, transport_address), pdu))
    }

    fn statistics(&self, _act: &Activity) -> Result<Statistics, CallError> {
        Ok(self.counts.statistics(self.informs().len()))
    }
}

impl Active for NotifyModule {
    fn on_message(&self, act: &Activity, kind: &str, payload: &Value) {
        match Notification::from_value(payload.clone()) {
            Ok(notification) if kind == NOTIFICATION => self.originate(act, &notification),
            Ok(_) | Err(_) => {
                let text = format!("a message `{kind}` is no notification: send it by `notify`");
                self.host.log(Level::Warning, &text);
            }
        }
        self.wake();
    }

    fn on_timer(&self, act: &Activity, _id: u64) {
        self.repeat(act);
        self.wake();
    }
}

impl NotifyModule {
    /// Puts a notification into the mailbox.
    fn post(&self, notification: &Value) -> Result<(), CallError> {
        if notification.encode().len() > MAX_NOTIFICATION {
            return Err(CallError::new(CallErrorKind::Full));
        }
        self.host.send(COMPONENT, NOTIFICATION, notification)
    }

    /// Asks to be woken when the first inform's time is over.
    fn wake(&self) {
        const TIMER: u64 = 1;
        let due = self.informs().next_due(self.host.now());
        if let Some(after) = due
            && let Err(error) = self.host.set_timer(TIMER, after, None)
        {
            self.host.log(Level::Error, &format!("informs are not repeated: no timer: {error}"));
        }
    }

    fn informs(&self) -> MutexGuard<'_, Informs> {
        // Every change under the lock is whole before anything could panic.
        self.informs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a SET changed that outlasts the process, as a document.
fn document(state: &Layers) -> Vec<u8> {
    roles::settings::write(&state.written().kept(lasts))
}

impl Settings for NotifyModule {
    fn check(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        roles::settings::report(&settings::checked(document), out)
    }

    fn apply(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        let checked = settings::checked(document);
        if let Ok(settings) = &checked {
            self.store.update(|state| state.configure(settings.clone()));
        }
        roles::settings::report(&checked, out)
    }
}

impl Persistence for NotifyModule {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.revision.of(&self.store, document))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        Ok(kept.append(&document(&self.store.state()))?)
    }

    fn restore(&self, _act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let kept = roles::settings::read::<Kept>(kept);
        let restore = |kept| self.store.update(|state| state.restore(Tables::from(kept)));
        Ok(kept.map(restore).is_ok())
    }
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "notify", version = 1)]
pub struct NotifyState {
    /// The settings in force, as their document.
    pub settings: Vec<u8>,
    /// What came by SET, as its document.
    pub written: Vec<u8>,
    /// snmpTargetSpinLock.
    pub spin_lock: i32,
    /// The next request-id.
    pub next_id: u32,
    /// The informs that wait for an acknowledgement.
    pub waiting: Vec<Waiting>,
    /// What became of notifications so far, in the order of [`Statistics`].
    pub counts: Vec<u32>,
}

impl CarriesState for NotifyModule {
    type State = NotifyState;

    fn export(&self) -> NotifyState {
        let state = self.store.state();
        let (next_id, waiting) = self.informs().export();
        NotifyState {
            settings: roles::settings::write(&state.settings),
            written: roles::settings::write(&state.written().kept(|_| true)),
            spin_lock: state.spin_lock,
            next_id,
            waiting,
            counts: self.counts.export(),
        }
    }

    fn import(&self, state: NotifyState) -> Result<(), Refusal> {
        let settings = settings::checked(&state.settings);
        let settings = settings.map_err(|problems| Refusal(problems.join("; ")))?;
        let written: Kept = roles::settings::read(&state.written)?;
        self.store.update(|tables| {
            tables.configure(settings);
            tables.restore(Tables::from(written));
            tables.spin_lock = state.spin_lock;
        });
        self.informs().import(state.next_id, state.waiting);
        self.counts.import(&state.counts);
        Ok(())
    }
}

/// snmpEnableAuthenTraps: enabled.
const ENABLED: i32 = 1;

impl NotifyModule {
    /// Whether snmpEnableAuthenTraps allows authenticationFailure. Where nobody answers it is not allowed.
    fn tells_of_failed_authentication(&self, act: &Activity) -> bool {
        use roles::mib::MibAccess as _;
        const AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30, 0];
        let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
        let asked = names.push_name(AUTHEN_TRAPS).is_ok()
            && self.snmp.get(act, b"", &names, Span::new(0, 1), &mut answers).is_ok();
        asked && answers.get(0).is_some_and(|bind| integer(bind.value) == Ok(ENABLED))
    }
}
