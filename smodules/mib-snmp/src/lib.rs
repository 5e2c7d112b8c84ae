//! What an engine says of itself: the snmp group (RFC 3418), snmpEngine (RFC 3411), and the counters of
//! what was discarded (RFC 3412, 3413, 3414).
//!
//! It never counts: counters are the engine's, and are found by their place in [`Counter::ALL`]. The one
//! variable of its own is snmpEnableAuthenTraps.
//!
//! Invariant: while snmpEnableAuthenTraps is configured it cannot be written, and what was written before
//! comes back when the setting goes.

use mib_kit::syntax::integer;
use mib_kit::{Column, Mib, Scalars, Scratch, Served, Store, Syntax, mib_module};
use roles::engine::{Engine, EngineProxy};
use roles::error::Counter;
use roles::mib::MibError;
use roles::privacy::EngineTime;
use roles::settings::{self, Persistence, Settings, SnmpSettings};
use roles::varbind::VarValue::{Counter32, Integer, Octets};
use roles::varbind::{ErrorStatus, VarValue};
use s_sdk::value::Field;
use s_sdk::{Activity, Buf, CallError, CarriesState, Host, List, Module, Refusal, State};
use std::time::Duration;

const SNMP: &[u32] = &[1, 3, 6, 1, 2, 1, 11];
const SNMP_ENGINE: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 2, 1];
const SNMP_MPD_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 11, 2, 1];
const SNMP_TARGET_OBJECTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1];
const USM_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1];

/// snmpEnableAuthenTraps: enabled and disabled.
const ENABLED: i32 = 1;
const DISABLED: i32 = 2;

/// snmpEnableAuthenTraps.
#[derive(Clone, Copy)]
pub struct AuthenTraps {
    /// Goes before what was written, and cannot be written over.
    configured: Option<bool>,
    written: i32,
}

impl Default for AuthenTraps {
    fn default() -> Self {
        AuthenTraps { configured: None, written: DISABLED }
    }
}

impl AuthenTraps {
    fn value(self) -> i32 {
        match self.configured {
            Some(true) => ENABLED,
            Some(false) => DISABLED,
            None => self.written,
        }
    }

    fn write(&mut self, value: VarValue<'_>) -> Result<(), ErrorStatus> {
        if self.configured.is_some() {
            // RFC 3416 §4.2.5 step 9: it is there, and cannot be changed no matter what is written.
            return Err(ErrorStatus::NotWritable);
        }
        self.written = integer(value)?;
        Ok(())
    }
}

/// What one call answers from.
#[derive(Default)]
pub struct View {
    counters: List<u32>,
    engine: Identity,
    authen_traps: AuthenTraps,
}

/// Who the engine is.
struct Identity {
    id: Buf,
    clock: EngineTime,
    max_message_size: u32,
}

impl Default for Identity {
    fn default() -> Self {
        let clock = EngineTime { boots: 0, time_seconds: 0 };
        Identity { id: Buf::new(), clock, max_message_size: 0 }
    }
}

/// A counter, by its place; a hole where the engine is older than the counter.
const fn counter<const PLACE: usize>() -> Column<List<u32>> {
    let number = match Counter::ALL[PLACE].instance() {
        [.., number, 0] => *number,
        _ => panic!("the counter is no scalar"),
    };
    Column::new(number, |counters: &List<u32>| counters.get(PLACE).copied().map(Counter32))
}

fn counters(view: &View) -> &List<u32> {
    &view.counters
}

/// The column of each counter that is named.
macro_rules! counters {
    ($($counter:ident),*) => { &[$(counter::<{ Counter::$counter as usize }>()),*] };
}

const SNMP_COUNTERS: &[Column<List<u32>>] = counters![
    InPackets,
    BadVersions,
    BadCommunityNames,
    BadCommunityUses,
    AsnParseErrs,
    SilentDrops,
    ProxyDrops
];

const MPD_COUNTERS: &[Column<List<u32>>] =
    counters![UnknownSecurityModels, InvalidMsgs, UnknownPduHandlers];

const TARGET_COUNTERS: &[Column<List<u32>>] = counters![UnavailableContexts, UnknownContexts];

const USM_COUNTERS: &[Column<List<u32>>] = counters![
    UnsupportedSecLevels,
    NotInTimeWindows,
    UnknownUserNames,
    UnknownEngineIds,
    WrongDigests,
    DecryptionErrors
];

const AUTHEN_TRAPS: &[Column<AuthenTraps>] = &[Column::writable(
    30,
    |traps| Some(Integer(traps.value())),
    Syntax::TRUTH_VALUE,
    AuthenTraps::write,
)];

const ENGINE: &[Column<Identity>] = &[
    Column::new(1, |engine| Some(Octets(&engine.id))),
    Column::new(2, |engine| number(engine.clock.boots)),
    Column::new(3, |engine| number(engine.clock.time_seconds)),
    Column::new(4, |engine| number(engine.max_message_size)),
];

/// An INTEGER that is not negative.
fn number(number: u32) -> Option<VarValue<'static>> {
    i32::try_from(number).ok().map(Integer)
}

/// The module.
pub struct SnmpMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View, AuthenTraps>,
    authen_traps: Store<AuthenTraps>,
    views: Scratch<View>,
}

mib_module!(
    SnmpMib,
    component = "mib.snmp",
    version = "1.0.0",
    annotation = "RFC 3411, 3412, 3414, 3418: the engine and its counters",
    depends("engine" = "^1"),
    also(Settings, Persistence),
    carries_state
);

impl Module for SnmpMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(SnmpMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: Mib::of(&[
                SNMP,
                SNMP_ENGINE,
                SNMP_MPD_STATS,
                // snmpTargetSpinLock and the tables between them are not answered for here.
                &[1, 3, 6, 1, 6, 3, 12, 1, 4],
                &[1, 3, 6, 1, 6, 3, 12, 1, 5],
                USM_STATS,
            ])
            .described(&[
                (&[1, 3, 6, 1, 6, 3, 10, 3, 1, 1], "The SNMP Management Architecture MIB."),
                (
                    &[1, 3, 6, 1, 6, 3, 11, 3, 1, 1],
                    "The MIB for Message Processing and Dispatching.",
                ),
            ])
            .with(Scalars::new(SNMP, SNMP_COUNTERS, counters))
            .with(
                Scalars::new(SNMP, AUTHEN_TRAPS, |view: &View| &view.authen_traps)
                    .writable(|traps| traps),
            )
            .with(Scalars::new(SNMP_ENGINE, ENGINE, |view: &View| &view.engine))
            .with(Scalars::new(SNMP_MPD_STATS, MPD_COUNTERS, counters))
            .with(Scalars::new(SNMP_TARGET_OBJECTS, TARGET_COUNTERS, counters))
            .with(Scalars::new(USM_STATS, USM_COUNTERS, counters))
            .made()?,
            authen_traps: Store::new(AuthenTraps::default()),
            views: Scratch::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }
}

impl Served for SnmpMib {
    type View = View;
    type State = AuthenTraps;

    fn mib(&self) -> &Mib<View, AuthenTraps> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        self.views.lend(|view| {
            view.counters.clear();
            self.engine.counters(act, &mut view.counters)?;
            view.engine.id.clear();
            self.engine.engine_id(act, &mut view.engine.id)?;
            view.engine.clock = self.engine.clock(act)?;
            view.engine.max_message_size = self.engine.max_message_size(act)?;
            view.authen_traps = *self.authen_traps.state();
            answer(view)
        })
    }

    fn store(&self) -> Option<&Store<AuthenTraps>> {
        Some(&self.authen_traps)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl Settings for SnmpMib {
    fn check(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        settings::report(&read(document), problems)
    }

    fn apply(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        let read = read(document);
        if let Ok(settings) = &read {
            self.authen_traps.update(|traps| traps.configured = settings.authentication_traps);
        }
        settings::report(&read, problems)
    }
}

/// The settings; otherwise what is wrong with the document.
fn read(document: &[u8]) -> Result<SnmpSettings, Vec<String>> {
    settings::read(document).map_err(|problem| vec![problem])
}

/// What outlasts the process: what was written.
#[derive(Debug, PartialEq, Eq, Field)]
pub struct Kept {
    /// snmpEnableAuthenTraps.
    pub authen_traps: i32,
}

impl Persistence for SnmpMib {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        // The one thing that is kept says itself whether it changed.
        Ok(u64::from(self.authen_traps.state().written.cast_unsigned()))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        let document = settings::write(&Kept { authen_traps: self.authen_traps.state().written });
        Ok(kept.append(&document)?)
    }

    fn restore(&self, _act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let kept = settings::read::<Kept>(kept).ok();
        let good = kept.filter(|kept| matches!(kept.authen_traps, ENABLED | DISABLED));
        let restored = good.map(|kept| {
            self.authen_traps.update(|traps| traps.written = kept.authen_traps);
        });
        Ok(restored.is_some())
    }
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "mib-snmp", version = 2, step(1 => 2, default(configured: Option<bool>)))]
pub struct SnmpState {
    /// snmpEnableAuthenTraps, as it was written.
    pub authen_traps: i32,
    /// snmpEnableAuthenTraps, as it is configured.
    pub configured: Option<bool>,
}

impl CarriesState for SnmpMib {
    type State = SnmpState;

    fn export(&self) -> SnmpState {
        let AuthenTraps { configured, written } = *self.authen_traps.state();
        SnmpState { authen_traps: written, configured }
    }

    fn import(&self, state: SnmpState) -> Result<(), Refusal> {
        let SnmpState { authen_traps, configured } = state;
        self.authen_traps
            .update(|traps| *traps = AuthenTraps { configured, written: authen_traps });
        Ok(())
    }
}
