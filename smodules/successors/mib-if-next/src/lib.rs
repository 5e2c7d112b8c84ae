//! IF-MIB (RFC 2863) with columns of our own: sagentIfTable of the SAGENT-MIB, which augments ifTable.
//!
//! The columns say of each link what IF-MIB has no place for: its kind, what it is a part of, what it is on top
//! of, how often its carrier changed. All else is what `mib-if` does: it is compiled with the same sources, and
//! carries the same state. It never reads anything that its predecessor does not read.
//!
//! Invariant: names are only added, so a walk that began before a swap goes on behind it.

#[path = "../../../mib-if/src/change.rs"]
mod change;
#[path = "../../../mib-if/src/interface.rs"]
mod interface;
#[path = "../../../mib-if/src/links.rs"]
mod links;
#[path = "../../../mib-if/src/tables.rs"]
mod tables;
#[path = "../../../mib-if/src/watch.rs"]
mod watch;

use interface::Interface;
pub use interface::View;
pub(crate) use links::IF_ENTRY;
use links::{IF_MIB, INTERFACES, with_if_mib};
pub use links::{IfMib, IfState, KnownInterface};
use mib_kit::values::integer;
use mib_kit::{Column, Mib, Table, mib_module};
use roles::varbind::VarValue::{Counter32, Octets};
use s_sdk::{Host, Module, Refusal};

/// sagentInterfaces of the SAGENT-MIB.
const SAGENT_INTERFACES: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 2, 2];
const SAGENT_IF_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 2, 2, 1, 1];

const SAGENT_IF_TABLE: &[Column<Interface>] = &[
    Column::new(1, |row| Some(Octets(&row.link.kind))),
    Column::new(2, |row| integer(row.link.master)),
    Column::new(3, |row| integer(row.link.lower)),
    Column::new(4, |row| Some(Counter32(row.link.carrier_changes))),
];

mib_module!(
    IfMib,
    component = "mib.if",
    version = "1.1.0",
    annotation = "RFC 2863: ifTable, ifXTable, ifStackTable, ifRcvAddressTable; sagentIfTable",
    depends("engine" = "^1"),
    carries_state,
    active
);

impl Module for IfMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mib = Mib::of(&[INTERFACES, IF_MIB, SAGENT_INTERFACES]).described(&[
            (IF_MIB, "The MIB module to describe generic objects for network interface sub-layers"),
            (SAGENT_INTERFACES, "SAGENT-MIB: what IF-MIB does not say of interfaces"),
        ]);
        let own = Table::new(SAGENT_IF_ENTRY, SAGENT_IF_TABLE, |view: &View| &view.interfaces);
        IfMib::new(host, with_if_mib(mib).with(own))
    }
}
