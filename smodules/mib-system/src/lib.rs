//! SNMPv2-MIB (RFC 3418): the system group with the sysORTable, and snmpSetSerialNo.
//!
//! What is configured comes as settings, what a manager writes is kept, and the rest is what the kernel
//! says of the host when the module is first asked. It never keeps time: sysUpTime and the sysORTable are the
//! engine's.
//!
//! Invariant: a configured sysContact, sysName or sysLocation cannot be written, and what was written
//! before comes back when the setting goes.

mod host;
mod text;

use mib_kit::syntax::{first_number, test_and_increment};
use mib_kit::{
    Column, Mib, Revision, Rows, Scalars, Scratch, Served, Store, Syntax, Table, mib_module,
};
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use roles::settings::{self, Persistence, Settings, SystemSettings};
use roles::varbind::VarBinds;
use roles::varbind::VarValue::{Integer, Octets, Oid, TimeTicks};
use s_sdk::value::Field;
use s_sdk::{Activity, Buf, CallError, CarriesState, Host, List, Module, Refusal, State};
use std::sync::{Arc, Once};
use std::time::Duration;
use text::Text;

const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
const SYS_OR_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 9, 1];
const SNMP_SET: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 6];

/// sysObjectID where nothing is configured: sagentdLinux of the SAGENT-MIB.
const PRODUCT: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 1, 1];

/// sysServices where nothing is configured: internet and applications, as hosts have.
const SERVICES: i32 = 72;

/// The group's own variables.
#[derive(Clone, Debug, Default)]
pub struct System {
    descr: Text,
    object_id: Vec<u32>,
    contact: Text,
    name: Text,
    location: Text,
    services: i32,
    set_serial: i32,
}

/// What the engine says.
#[derive(Default)]
struct Time {
    up_time: u32,
    last_change: u32,
}

/// An entry of the sysORTable.
struct SysOr {
    id: Vec<u32>,
    descr: Vec<u8>,
    up_time: u32,
}

/// What one call answers from.
#[derive(Default)]
pub struct View {
    system: Arc<System>,
    time: Time,
    sys_or: Rows<u32, SysOr>,
    /// sysORLastChange when the entries were read, if they cannot change unseen.
    sys_or_as_of: Option<u32>,
}

impl System {
    /// What a SET changed that outlasts the process.
    fn kept(&self) -> Kept {
        Kept {
            contact: self.contact.written.clone(),
            name: self.name.written.clone(),
            location: self.location.written.clone(),
        }
    }
}

fn group(view: &View) -> &System {
    &view.system
}

const SYSTEM_COLUMNS: &[Column<System>] = &[
    Column::new(1, |system| Some(Octets(system.descr.value()))),
    Column::new(2, |system| Some(Oid(&system.object_id))),
    Column::writable(
        4,
        |system| Some(Octets(system.contact.value())),
        Syntax::DisplayString(0, 255),
        |system, value| system.contact.write(value),
    ),
    Column::writable(
        5,
        |system| Some(Octets(system.name.value())),
        Syntax::DisplayString(0, 255),
        |system, value| system.name.write(value),
    ),
    Column::writable(
        6,
        |system| Some(Octets(system.location.value())),
        Syntax::DisplayString(0, 255),
        |system, value| system.location.write(value),
    ),
    Column::new(7, |system| Some(Integer(system.services))),
];

const TIME_COLUMNS: &[Column<Time>] = &[
    Column::new(3, |time| Some(TimeTicks(time.up_time))),
    Column::new(8, |time| Some(TimeTicks(time.last_change))),
];

const SYS_OR_COLUMNS: &[Column<SysOr>] = &[
    Column::new(2, |entry| Some(Oid(&entry.id))),
    Column::new(3, |entry| Some(Octets(&entry.descr))),
    Column::new(4, |entry| Some(TimeTicks(entry.up_time))),
];

const SNMP_SET_COLUMNS: &[Column<System>] = &[Column::writable(
    1,
    |system| Some(Integer(system.set_serial)),
    Syntax::TEST_AND_INCR,
    |system, value| test_and_increment(&mut system.set_serial, value),
)];

/// The module.
pub struct SystemMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View, System>,
    store: Store<System>,
    revision: Revision,
    /// Whether the host was looked at: no file may be read before the module serves.
    looked: Once,
    views: Scratch<View>,
    entries: Scratch<(VarBinds, List<u32>)>,
}

mib_module!(
    SystemMib,
    component = "mib.system",
    version = "1.0.0",
    annotation = "RFC 3418: system, sysORTable, snmpSetSerialNo",
    depends("engine" = "^1"),
    also(Settings, Persistence),
    carries_state
);

impl Module for SystemMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let engine = host.lookup("engine").map_err(|error| format!("engine: {error}"))?;
        let system = System {
            descr: Text::default(),
            object_id: PRODUCT.to_vec(),
            contact: Text::default(),
            name: Text::default(),
            location: Text::default(),
            services: SERVICES,
            set_serial: first_number(host, "snmpSetSerialNo"),
        };
        Ok(SystemMib {
            host,
            engine,
            mib: Mib::of(&[SYSTEM, SNMP_SET])
                .described(&[(&[1, 3, 6, 1, 6, 3, 1], "The MIB module for SNMP entities")])
                .with(Scalars::new(SYSTEM, SYSTEM_COLUMNS, group).writable(|system| system))
                .with(Scalars::new(SYSTEM, TIME_COLUMNS, |view: &View| &view.time))
                .with(Table::new(SYS_OR_ENTRY, SYS_OR_COLUMNS, |view: &View| &view.sys_or))
                .with(Scalars::new(SNMP_SET, SNMP_SET_COLUMNS, group).writable(|system| system))
                .made()?,
            store: Store::new(system),
            revision: Revision::default(),
            looked: Once::new(),
            views: Scratch::default(),
            entries: Scratch::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }
}

impl Served for SystemMib {
    type View = View;
    type State = System;

    fn mib(&self) -> &Mib<View, System> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        self.looked.call_once(|| self.look());
        self.views.lend(|view| {
            view.system = self.store.state();
            view.time.up_time = self.engine.up_time(act)?;
            view.time.last_change = self.engine.sys_or_last_change(act)?;
            if view.sys_or_as_of != Some(view.time.last_change) {
                view.sys_or = self.sys_or(act)?;
                // Within the tick of the last change there may be another one.
                let past = view.time.up_time != view.time.last_change;
                view.sys_or_as_of = past.then_some(view.time.last_change);
            }
            answer(view)
        })
    }

    fn store(&self) -> Option<&Store<System>> {
        Some(&self.store)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl SystemMib {
    fn look(&self) {
        let found = host::found();
        self.store.update(|system| {
            system.descr.default = found.descr.into_bytes();
            system.name.default = found.name.into_bytes();
        });
    }

    /// The entries of the sysORTable, in the order of sysORIndex.
    fn sys_or(&self, act: &Activity) -> Result<Rows<u32, SysOr>, CallError> {
        self.entries.lend(|(entries, up_times)| {
            entries.clear();
            up_times.clear();
            self.engine.sys_or_entries(act, entries, up_times)?;
            let rows = (1..).zip(entries.iter().zip(up_times.iter()));
            Ok(rows
                .map(|(index, (entry, up_time))| {
                    let descr = match entry.value {
                        Octets(descr) => descr.to_vec(),
                        _ => Vec::new(),
                    };
                    (index, SysOr { id: entry.name.to_vec(), descr, up_time: *up_time })
                })
                .collect())
        })
    }

    fn keep(&self, kept: Kept) {
        self.store.update(|system| {
            system.contact.written = kept.contact;
            system.name.written = kept.name;
            system.location.written = kept.location;
        });
    }

    fn configure(&self, settings: &SystemSettings) {
        let configured = |text: &String| (!text.is_empty()).then(|| text.clone().into_bytes());
        self.store.update(|system| {
            system.descr.configured = configured(&settings.descr);
            system.contact.configured = configured(&settings.contact);
            system.name.configured = configured(&settings.name);
            system.location.configured = configured(&settings.location);
            system.object_id = if settings.object_id.is_empty() {
                PRODUCT.to_vec()
            } else {
                settings.object_id.clone()
            };
            let services = i32::try_from(settings.services).unwrap_or(SERVICES);
            system.services = if services == 0 { SERVICES } else { services };
        });
    }
}

impl Settings for SystemMib {
    fn check(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        settings::report(&checked(document), problems)
    }

    fn apply(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        let checked = checked(document);
        if let Ok(settings) = &checked {
            self.configure(settings);
        }
        settings::report(&checked, problems)
    }
}

/// The settings, or a line for each problem.
fn checked(document: &[u8]) -> Result<SystemSettings, Vec<String>> {
    let settings: SystemSettings = settings::read(document).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    for (name, text) in [
        ("sysDescr", &settings.descr),
        ("sysContact", &settings.contact),
        ("sysName", &settings.name),
        ("sysLocation", &settings.location),
    ] {
        if text.len() > 255 || !text.is_ascii() {
            problems.push(format!(
                "{name} is not ASCII of at most 255 characters; shorten or respell it"
            ));
        }
    }
    if !matches!(settings.object_id[..], [] | [0 | 1, 0..40, ..] | [2, _, ..])
        || settings.object_id.len() > 128
    {
        problems.push("sysObjectID is no object identifier; give one of 2 to 128 arcs".to_owned());
    }
    if settings.services > 127 {
        problems
            .push("sysServices is above 127; give the sum of the layers' powers of two".to_owned());
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// What outlasts the process: what was written.
#[derive(Debug, Default, PartialEq, Eq, Field)]
pub struct Kept {
    /// sysContact.
    pub contact: Option<Vec<u8>>,
    /// sysName.
    pub name: Option<Vec<u8>>,
    /// sysLocation.
    pub location: Option<Vec<u8>>,
}

impl Persistence for SystemMib {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.revision.of(&self.store, |system| settings::write(&system.kept())))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        Ok(kept.append(&settings::write(&self.store.state().kept()))?)
    }

    fn restore(&self, _act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let kept = settings::read::<Kept>(kept);
        Ok(kept.map(|kept| self.keep(kept)).is_ok())
    }
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "mib-system", version = 1)]
pub struct SystemState {
    /// The settings in force, as their document.
    pub settings: Vec<u8>,
    /// What was written, as its document.
    pub kept: Vec<u8>,
    /// snmpSetSerialNo.
    pub set_serial: i32,
}

impl CarriesState for SystemMib {
    type State = SystemState;

    fn export(&self) -> SystemState {
        let system = self.store.state();
        let text = |text: &Text| {
            let configured = text.configured.clone().unwrap_or_default();
            String::from_utf8(configured).unwrap_or_default()
        };
        let settings = SystemSettings {
            descr: text(&system.descr),
            object_id: system.object_id.clone(),
            contact: text(&system.contact),
            name: text(&system.name),
            location: text(&system.location),
            services: system.services.cast_unsigned(),
        };
        SystemState {
            settings: settings::write(&settings),
            kept: settings::write(&system.kept()),
            set_serial: system.set_serial,
        }
    }

    fn import(&self, state: SystemState) -> Result<(), Refusal> {
        self.configure(&settings::read(&state.settings)?);
        self.keep(settings::read(&state.kept)?);
        self.store.update(|system| system.set_serial = state.set_serial);
        Ok(())
    }
}
