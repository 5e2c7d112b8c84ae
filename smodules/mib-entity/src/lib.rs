//! ENTITY-MIB (RFC 6933): the host, and in it the components of this agent with the versions that serve; and
//! the same from our side in the SAGENT-MIB, with generations and times.
//!
//! A swap is a change of equipment, so that managers see it where they look for one: entLastChangeTime moves,
//! and entPhysicalSoftwareRev says the version. It never tells of other equipment than the host as a whole,
//! and knows nothing of swaps but what the engine tells.
//!
//! Invariant: a component keeps its index as long as the process lives, because the engine numbers it so.

mod physical;

use mib_kit::{Column, Mib, Rows, Scalars, Scratch, Served, Table, mib_module};
use physical::{Chassis, Physical};
use roles::components::{ComponentEntry, Components, ComponentsProxy};
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use roles::varbind::VarValue::{Counter64, Integer, Octets, Oid, TimeTicks};
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal};
use std::sync::OnceLock;
use std::time::Duration;

const ENTITY: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1];
const PHYSICAL_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1];
const LOGICAL_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 2, 1, 1];
const LP_MAPPING_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 3, 1, 1];
const CONTAINS_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 3, 3, 1];
const GENERAL: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 4];

/// sagentComponents of the SAGENT-MIB.
const COMPONENTS: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 2, 1];
const COMPONENT_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 2, 1, 2, 1];

/// mib-2: what the one logical entity is.
const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];

/// entPhysicalIndex of the host; components come behind it.
const CHASSIS: u32 = 1;

/// A row of sagentComponentTable.
struct Component {
    name: Vec<u8>,
    version: Vec<u8>,
    annotation: Vec<u8>,
    generation: u64,
    since: u32,
}

/// What one call answers from.
#[derive(Default)]
pub struct View {
    last_change: u32,
    /// last_change when the rows were made, if there can have been no further one in that hundredth.
    as_of: Option<u32>,
    engine_id: Buf,
    components: Rows<u32, Component>,
    physical: Rows<u32, Physical>,
    /// The chassis, and what is in it.
    contains: Rows<(u32, u32), u32>,
    /// This agent, which is one engine and one context.
    logical: Rows<u32, Vec<u8>>,
    /// The agent, and what it manages: all that there is.
    mapping: Rows<(u32, u32), u32>,
}

const COMPONENT_COLUMNS: &[Column<Component>] = &[
    Column::new(2, |row| Some(Octets(&row.name))),
    Column::new(3, |row| Some(Octets(&row.version))),
    Column::new(4, |row| Some(Counter64(row.generation))),
    Column::new(5, |row| Some(TimeTicks(row.since))),
    Column::new(6, |row| Some(Octets(&row.annotation))),
];

const LAST_CHANGE: &[Column<View>] = &[Column::new(1, |view| Some(TimeTicks(view.last_change)))];

const LOGICAL_COLUMNS: &[Column<Vec<u8>>] = &[
    Column::new(2, |_| Some(Octets(b"SNMP engine"))),
    Column::new(3, |_| Some(Oid(MIB_2))),
    // entLogicalCommunity is deprecated: a community is nobody's business.
    Column::new(4, |_| Some(Octets(b""))),
    // The module does not know where the agent listens, and no address has no octets.
    Column::new(7, |engine_id| Some(Octets(engine_id))),
    Column::new(8, |_| Some(Octets(b""))),
];

/// entLPPhysicalIndex, entPhysicalChildIndex: the second part of the index.
const SECOND_PART: &[Column<u32>] =
    &[Column::new(1, |index| i32::try_from(*index).ok().map(Integer))];

/// The module.
pub struct EntityMib {
    host: Host,
    engine: EngineProxy,
    engine_components: ComponentsProxy,
    mib: Mib<View>,
    /// Not looked at before the module is asked: a rehearsal ends a module that opens a file.
    chassis: OnceLock<Chassis>,
    views: Scratch<View>,
    asked: Scratch<(List<ComponentEntry>, Buf)>,
}

mib_module!(
    EntityMib,
    component = "mib.entity",
    version = "1.0.0",
    annotation = "RFC 6933: the host and the components; SAGENT-MIB",
    depends("engine" = "^1")
);

impl Module for EntityMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(EntityMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            engine_components: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: Mib::of(&[ENTITY, COMPONENTS])
                .described(&[
                    (&[1, 3, 6, 1, 2, 1, 47], "The MIB module for representing entities"),
                    (&[1, 3, 6, 1, 4, 1, 32_473, 1], "SAGENT-MIB: the components of this agent"),
                ])
                .with(Table::new(PHYSICAL_ENTRY, physical::COLUMNS, |view: &View| &view.physical))
                .with(Table::new(LOGICAL_ENTRY, LOGICAL_COLUMNS, |view: &View| &view.logical))
                .with(Table::new(LP_MAPPING_ENTRY, SECOND_PART, |view: &View| &view.mapping))
                .with(Table::new(CONTAINS_ENTRY, SECOND_PART, |view: &View| &view.contains))
                .with(Scalars::new(GENERAL, LAST_CHANGE, |view: &View| view))
                .with(Scalars::new(COMPONENTS, LAST_CHANGE, |view: &View| view))
                .with(Table::new(COMPONENT_ENTRY, COMPONENT_COLUMNS, |view: &View| {
                    &view.components
                }))
                .made()?,
            chassis: OnceLock::new(),
            views: Scratch::default(),
            asked: Scratch::default(),
        })
    }
}

impl Served for EntityMib {
    type View = View;
    type State = ();

    fn mib(&self) -> &Mib<View> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        self.views.lend(|view| {
            view.last_change = self.engine_components.last_change(act)?;
            if view.as_of != Some(view.last_change) {
                self.renew(act, view)?;
                // Within the hundredth of the last change there may be another one.
                let past = self.engine.up_time(act)? != view.last_change;
                view.as_of = past.then_some(view.last_change);
            }
            answer(view)
        })
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl EntityMib {
    fn renew(&self, act: &Activity, view: &mut View) -> Result<(), CallError> {
        view.engine_id.clear();
        self.engine.engine_id(act, &mut view.engine_id)?;
        view.components = self.asked.lend(|(entries, texts)| {
            entries.clear();
            texts.clear();
            self.engine_components.components(act, entries, texts)?;
            let text = |span: roles::varbind::Span| span.of(texts).unwrap_or_default().to_vec();
            let rows = entries.iter().map(|entry| {
                let component = Component {
                    name: text(entry.name),
                    version: text(entry.version),
                    annotation: text(entry.annotation),
                    generation: entry.generation,
                    since: entry.since,
                };
                (entry.number, component)
            });
            Ok::<_, CallError>(rows.collect())
        })?;
        let chassis = self.chassis.get_or_init(Chassis::look).row();
        // An empty component is a name and no equipment.
        let serving = view.components.iter().filter(|(_, row)| !row.version.is_empty());
        let modules = (0..).zip(serving).filter_map(|(place, (number, row))| {
            let index = CHASSIS.checked_add(number)?;
            let texts = [&row.name, &row.version, &row.annotation];
            Some((index, Physical::module(place, texts.map(Vec::as_slice))))
        });
        view.physical = [(CHASSIS, chassis)].into_iter().chain(modules).collect();
        let indexes = || view.physical.iter().map(|(index, _)| index);
        view.contains = indexes().skip(1).map(|index| ((CHASSIS, index), index)).collect();
        view.mapping = indexes().map(|index| ((1, index), index)).collect();
        view.logical = [(1, view.engine_id.to_vec())].into_iter().collect();
        Ok(())
    }
}
