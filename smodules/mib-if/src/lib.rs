//! IF-MIB (RFC 2863): ifTable, ifXTable, ifStackTable, ifRcvAddressTable, from the kernel's links.
//!
//! A snapshot of all links is taken when an activity finds the last one older than a second, and the
//! activity keeps it. ifAdminStatus can be written where the agent may change links, and
//! ifLinkUpDownTrapEnable always. Who goes up or down is told by linkUp and linkDown, once a second.
//!
//! In reading order: `interface` is a row and the snapshot, `tables` the columns, `change` what a SET
//! asks for, `watch` who went up or down, `links` the module.
//!
//! Invariant: ifIndex is the kernel's, so an interface keeps it as long as it is there. What an interface
//! does not count is not answered for, rather than answered with 0. Dates survive a swap.

mod change;
mod interface;
mod links;
mod tables;
mod watch;

pub use interface::View;
pub(crate) use links::IF_ENTRY;
use links::{IF_MIB, INTERFACES, with_if_mib};
pub use links::{IfMib, IfState, KnownInterface};
use mib_kit::{Mib, mib_module};
use s_sdk::{Host, Module, Refusal};

mib_module!(
    IfMib,
    component = "mib.if",
    version = "1.0.0",
    annotation = "RFC 2863: ifTable, ifXTable, ifStackTable, ifRcvAddressTable",
    depends("engine" = "^1"),
    carries_state,
    active
);

impl Module for IfMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mib = Mib::of(&[INTERFACES, IF_MIB]).described(&[(
            IF_MIB,
            "The MIB module to describe generic objects for network interface sub-layers",
        )]);
        IfMib::new(host, with_if_mib(mib))
    }
}
