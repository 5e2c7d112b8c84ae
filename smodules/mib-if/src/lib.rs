//! IF-MIB (RFC 2863): ifNumber, ifTable, ifXTable, ifTableLastChange, from the kernel's links.
//!
//! A snapshot of all links is taken when an activity finds the last one older than a second, and the
//! activity keeps it. It never changes a link: what RFC 2863 lets an agent make read-only is so.
//!
//! Invariant: ifIndex is the kernel's, so an interface keeps it as long as it is there. What an interface
//! does not count is not answered for, rather than answered with 0.

mod link;
mod netlink;
mod sysfs;

use link::Link;
use mib_kit::{Cache, Column, Mib, Rows, Scalars, Served, Table, mib_module};
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, Octets, TimeTicks};
use roles::varbind::{ErrorStatus, VarValue};
use s_sdk::{Activity, Host, Level, Module, Refusal};
use std::time::Duration;

const INTERFACES: &[u32] = &[1, 3, 6, 1, 2, 1, 2];
const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 31];
const IF_MIB_OBJECTS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1];
const IF_X_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// A snapshot is good for so long.
const MAX_AGE: Duration = Duration::from_secs(1);

/// ifAlias has at most so many characters.
const MAX_ALIAS: usize = 64;

/// A row of ifTable and ifXTable.
struct Interface {
    link: Link,
    /// Megabits per second; None where nobody knows.
    speed_mbit: Option<u32>,
    has_connector: bool,
    last_change: u32,
}

/// All interfaces at one time.
pub struct View {
    interfaces: Rows<u32, Interface>,
    table_last_change: u32,
}

const NUMBER: &[Column<View>] = &[Column::new(1, |view| integer(view.interfaces.len()))];

const LAST_CHANGE: &[Column<View>] =
    &[Column::new(5, |view| Some(TimeTicks(view.table_last_change)))];

const IF_TABLE: &[Column<Interface>] = &[
    Column::new(1, |row| integer(row.link.index)),
    Column::new(2, |row| Some(Octets(&row.link.name))),
    Column::new(3, |row| Some(Integer(row.link.if_type()))),
    Column::new(4, |row| integer(row.link.mtu)),
    Column::new(5, |row| Some(Gauge32(row.speed_mbit.unwrap_or(0).saturating_mul(1_000_000)))),
    Column::new(6, |row| Some(Octets(row.link.phys_address()))),
    Column::new(7, |row| Some(Integer(row.link.admin_status()))),
    Column::new(8, |row| Some(Integer(row.link.oper_status()))),
    Column::new(9, |row| Some(TimeTicks(row.last_change))),
    Column::new(10, |row| wrapped(row.link.counters.rx_octets)),
    Column::new(11, |row| wrapped(row.link.counters.rx_unicast())),
    Column::new(13, |row| wrapped(row.link.counters.rx_dropped)),
    Column::new(14, |row| wrapped(row.link.counters.rx_errors)),
    Column::new(15, |row| wrapped(row.link.counters.no_handler)),
    Column::new(16, |row| wrapped(row.link.counters.tx_octets)),
    Column::new(17, |row| wrapped(row.link.counters.tx_packets)),
    Column::new(19, |row| wrapped(row.link.counters.tx_dropped)),
    Column::new(20, |row| wrapped(row.link.counters.tx_errors)),
];

const IF_X_TABLE: &[Column<Interface>] = &[
    Column::new(1, |row| Some(Octets(&row.link.name))),
    Column::new(2, |row| wrapped(row.link.counters.multicast)),
    Column::new(6, |row| Some(Counter64(row.link.counters.rx_octets))),
    Column::new(7, |row| Some(Counter64(row.link.counters.rx_unicast()))),
    Column::new(8, |row| Some(Counter64(row.link.counters.multicast))),
    Column::new(10, |row| Some(Counter64(row.link.counters.tx_octets))),
    Column::new(11, |row| Some(Counter64(row.link.counters.tx_packets))),
    // ifLinkUpDownTrapEnable: disabled, since nothing here notifies.
    Column::new(14, |_| Some(Integer(2))),
    Column::new(15, |row| Some(Gauge32(row.speed_mbit.unwrap_or(0)))),
    Column::new(16, |row| Some(truth(row.link.is_promiscuous()))),
    Column::new(17, |row| Some(truth(row.has_connector))),
    Column::new(18, |row| Some(Octets(&row.link.alias[..row.link.alias.len().min(MAX_ALIAS)]))),
    // ifCounterDiscontinuityTime: the kernel does not tell.
    Column::new(19, |_| Some(TimeTicks(0))),
];

fn integer(number: impl TryInto<i32>) -> Option<VarValue<'static>> {
    number.try_into().ok().map(Integer)
}

/// RFC 2863 §3.1.6: a 32-bit counter is the lower half of the 64-bit one.
#[expect(clippy::cast_possible_truncation, reason = "counters wrap")]
const fn wrapped(counter: u64) -> Option<VarValue<'static>> {
    Some(Counter32(counter as u32))
}

/// A TruthValue.
const fn truth(holds: bool) -> VarValue<'static> {
    Integer(if holds { 1 } else { 2 })
}

/// The module.
pub struct IfMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View>,
    cache: Cache<View>,
}

mib_module!(
    IfMib,
    component = "mib.if",
    version = "1.0.0",
    annotation = "RFC 2863: ifTable, ifXTable",
    depends("engine" = "^1")
);

impl Module for IfMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(IfMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: Mib::of(&[INTERFACES, IF_MIB])
                .described(&[(
                    IF_MIB,
                    "The MIB module to describe generic objects for network interface sub-layers",
                )])
                .with(Scalars::new(INTERFACES, NUMBER, |view: &View| view))
                .with(Table::new(IF_ENTRY, IF_TABLE, |view: &View| &view.interfaces))
                .with(Table::new(IF_X_ENTRY, IF_X_TABLE, |view: &View| &view.interfaces))
                .with(Scalars::new(IF_MIB_OBJECTS, LAST_CHANGE, |view: &View| view))
                .made()?,
            cache: Cache::new(MAX_AGE),
        })
    }
}

impl Served for IfMib {
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
        let now = || self.host.now();
        let view = self.cache.of(act, now, |last| {
            let up_time = self.engine.up_time(act)?;
            let links =
                self.links().ok_or(MibError { status: ErrorStatus::GenErr, index: 0, call: 0 })?;
            Ok::<_, MibError>(View::new(links, last, up_time))
        })?;
        answer(&view)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl IfMib {
    fn links(&self) -> Option<Vec<Link>> {
        let read = netlink::links().or_else(|error| {
            self.host.count("if_netlink_failures", 1);
            self.host.log(Level::Debug, &format!("links over netlink: {error}; reading sysfs"));
            sysfs::links()
        });
        read.inspect_err(|error| {
            self.host.log(Level::Warning, &format!("links cannot be read: {error}"));
        })
        .ok()
    }
}

impl View {
    /// The interfaces that are there now, with what is known of them from the snapshot before.
    fn new(links: Vec<Link>, last: Option<&View>, up_time: u32) -> Self {
        let known = |link: &Link| last?.interfaces.get(&link.index);
        let interfaces: Rows<u32, Interface> = links
            .into_iter()
            .map(|link| (link.index, Interface::new(known(&link), last.is_some(), link, up_time)))
            .collect();
        // RFC 2863: of the last creation or deletion of an entry; 0 if that was before the agent came.
        let table_last_change = last.map_or(0, |last| {
            let indexes =
                |rows: &Rows<u32, Interface>| rows.iter().map(|(index, _)| index).collect();
            let (new, old): (Vec<u32>, Vec<u32>) =
                (indexes(&interfaces), indexes(&last.interfaces));
            if new == old { last.table_last_change } else { up_time }
        });
        View { interfaces, table_last_change }
    }
}

impl Interface {
    fn new(known: Option<&Interface>, agent_was_there: bool, link: Link, up_time: u32) -> Self {
        let same = known.filter(|known| {
            known.link.name == link.name && known.link.oper_status() == link.oper_status()
        });
        // Speed and connector are files to read: only where the carrier or the device is another.
        let unmoved = same.filter(|known| known.link.carrier_changes == link.carrier_changes);
        let (speed_mbit, has_connector) = match unmoved {
            Some(known) => (known.speed_mbit, known.has_connector),
            None if link.is_ethernet() => {
                (sysfs::speed_mbit(&link.name), sysfs::has_device(&link.name))
            }
            None => (None, false),
        };
        let last_change = match same {
            Some(known) => known.last_change,
            None if agent_was_there => up_time,
            None => 0,
        };
        Interface { link, speed_mbit, has_connector, last_change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, oper_state: u8) -> Link {
        Link { index, oper_state, ..Link::default() }
    }

    #[test]
    fn changes_are_dated_by_the_snapshot_that_sees_them() {
        let first = View::new(vec![link(2, 6), link(1, 6)], None, 100);
        let dates = |view: &View| {
            let rows: Vec<_> =
                view.interfaces.iter().map(|(i, row)| (i, row.last_change)).collect();
            (view.table_last_change, rows)
        };
        assert_eq!(dates(&first), (0, vec![(1, 0), (2, 0)]));
        let second = View::new(vec![link(1, 6), link(2, 2)], Some(&first), 200);
        assert_eq!(dates(&second), (0, vec![(1, 0), (2, 200)]));
        let third = View::new(vec![link(2, 2), link(3, 6)], Some(&second), 300);
        assert_eq!(dates(&third), (300, vec![(2, 200), (3, 300)]));
        let fourth = View::new(vec![link(2, 2), link(3, 6)], Some(&third), 400);
        assert_eq!(dates(&fourth), (300, vec![(2, 200), (3, 300)]));
    }

    #[test]
    fn both_ways_of_reading_links_agree() {
        let facts = |links: std::io::Result<Vec<Link>>| {
            let mut facts: Vec<_> = links
                .unwrap()
                .into_iter()
                .map(|l| (l.index, l.name, l.hardware, l.mtu, l.address, l.oper_state))
                .collect();
            facts.sort();
            facts
        };
        let found = facts(netlink::links());
        assert_eq!(found, facts(sysfs::links()));
        assert!(found.iter().any(|(_, name, hardware, ..)| name == b"lo" && *hardware == 772));
    }

    #[test]
    fn a_thirty_two_bit_counter_is_the_lower_half() {
        assert_eq!(wrapped((7 << 32) + 5), Some(Counter32(5)));
    }
}
