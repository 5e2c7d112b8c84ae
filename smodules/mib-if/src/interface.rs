//! An interface, and all of them at one time: what the kernel says, and what is remembered of before.
//!
//! It never reads links by itself; speed and connector are files that it reads where something moved.

use kernel_net::{Link, sysfs};
use mib_kit::{Octets, Rows};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

/// A row of ifTable and ifXTable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    pub(crate) link: Link,
    /// Megabits per second; None where nobody knows.
    pub(crate) speed_mbit: Option<u32>,
    pub(crate) has_connector: bool,
    pub(crate) last_change: u32,
    /// When its counters began anew; 0 if they did not since the agent came.
    pub(crate) discontinuity: u32,
    /// Whether its going up and down is told.
    pub(crate) tells: bool,
    /// What a SET asks for: whether it is to be up, whether it is to tell.
    pub(crate) asked_up: Option<bool>,
    pub(crate) asked_tells: Option<bool>,
}

/// All interfaces at one time.
#[derive(Default)]
pub struct View {
    pub(crate) interfaces: Rows<u32, Interface>,
    pub(crate) table_last_change: u32,
    pub(crate) stack_last_change: u32,
    /// When it was made, on a clock that never steps.
    pub(crate) taken: Duration,
    stack: OnceLock<Rows<(u32, u32), ()>>,
    received: OnceLock<Rows<(u32, Octets), i32>>,
}

/// ifRcvAddressType.
const VOLATILE: i32 = 2;
const NON_VOLATILE: i32 = 3;

impl View {
    /// The interfaces that are there now, with what is known of them from the snapshot before, and what
    /// managers have said of who tells.
    pub(crate) fn new(
        links: Vec<Link>,
        last: Option<&View>,
        told: &BTreeMap<u32, bool>,
        up_time: u32,
        taken: Duration,
    ) -> Self {
        let masters: BTreeSet<u32> = links.iter().map(|link| link.master).collect();
        let interfaces: Rows<u32, Interface> = links
            .into_iter()
            .map(|link| {
                // RFC 2863: by default, those tell that are on top of no other.
                let is_lowest = link.lower == 0 && !masters.contains(&link.index);
                let tells = told.get(&link.index).copied().unwrap_or(is_lowest);
                let known = last.and_then(|last| last.interfaces.get(&link.index));
                let row = Interface::new(known, last.is_some(), link, up_time);
                (row.link.index, Interface { tells, ..row })
            })
            .collect();
        // RFC 2863: of the last creation or deletion of an entry; 0 if that was before the agent came.
        let dates = last.map_or((0, 0), |last| {
            let places = |rows: &Rows<u32, Interface>| {
                let place = |row: &Interface| (row.link.index, row.link.master, row.link.lower);
                rows.values().map(place).collect::<Vec<_>>()
            };
            let (new, old) = (places(&interfaces), places(&last.interfaces));
            let same_table = new.iter().map(|place| place.0).eq(old.iter().map(|place| place.0));
            (
                if same_table { last.table_last_change } else { up_time },
                if new == old { last.stack_last_change } else { up_time },
            )
        });
        let (table_last_change, stack_last_change) = dates;
        View { interfaces, table_last_change, stack_last_change, taken, ..View::default() }
    }

    /// What a predecessor knew.
    pub(crate) fn inherited(
        interfaces: Rows<u32, Interface>,
        table_last_change: u32,
        stack_last_change: u32,
    ) -> Self {
        View { interfaces, table_last_change, stack_last_change, ..View::default() }
    }

    /// The rows of ifStackTable: higher layer, lower layer, and 0 beyond the highest and the lowest.
    pub(crate) fn stack(&self) -> &Rows<(u32, u32), ()> {
        self.stack.get_or_init(|| {
            let is_there = |index: &u32| *index != 0 && self.interfaces.get(index).is_some();
            let pairs: BTreeSet<(u32, u32)> = self
                .interfaces
                .values()
                .flat_map(|Interface { link, .. }| {
                    [(link.master, link.index), (link.index, link.lower)]
                })
                .filter(|(higher, lower)| is_there(higher) && is_there(lower))
                .collect();
            let with_higher: BTreeSet<u32> = pairs.iter().map(|(_, lower)| *lower).collect();
            let with_lower: BTreeSet<u32> = pairs.iter().map(|(higher, _)| *higher).collect();
            let indexes = || self.interfaces.values().map(|row| row.link.index);
            let tops =
                indexes().filter(|index| !with_higher.contains(index)).map(|index| (0, index));
            let bottoms =
                indexes().filter(|index| !with_lower.contains(index)).map(|index| (index, 0));
            pairs.iter().copied().chain(tops).chain(bottoms).map(|pair| (pair, ())).collect()
        })
    }

    /// The rows of ifRcvAddressTable: whose packets an interface takes. Its own address was there at its
    /// start; the others came with programs.
    pub(crate) fn received(&self) -> &Rows<(u32, Octets), i32> {
        self.received.get_or_init(|| {
            let own = self.interfaces.values().flat_map(|Interface { link, .. }| {
                let address = link.phys_address().to_vec();
                let broadcast =
                    if address.is_empty() { Vec::new() } else { link.broadcast.clone() };
                [(link.index, address, NON_VOLATILE), (link.index, broadcast, VOLATILE)]
            });
            // Where the kernel does not tell, they are not there.
            let groups = sysfs::multicast_addresses().unwrap_or_default();
            let groups = groups
                .into_iter()
                .filter(|(index, _)| self.interfaces.get(index).is_some())
                .map(|(index, address)| (index, address, VOLATILE));
            own.chain(groups)
                .filter(|(_, address, _)| !address.is_empty())
                .map(|(index, address, kind)| ((index, Octets(address)), kind))
                .collect()
        })
    }
}

impl Interface {
    fn new(known: Option<&Interface>, agent_was_there: bool, link: Link, up_time: u32) -> Self {
        let now_or_never = if agent_was_there { up_time } else { 0 };
        let same = known.filter(|known| known.link.name == link.name);
        // Speed and connector are files to read: only where the carrier or the device is another.
        let looked = OnceCell::new();
        let look = || *looked.get_or_init(|| look(&link));
        let unmoved = same.filter(|known| {
            known.link.carrier_changes == link.carrier_changes
                && known.link.oper_status() == link.oper_status()
        });
        let (speed_mbit, has_connector) =
            unmoved.map_or_else(look, |known| (known.speed_mbit, known.has_connector));
        // RFC 2863: when it entered its current operational state.
        let last_change = same
            .filter(|known| known.link.oper_status() == link.oper_status())
            .map_or(now_or_never, |known| known.last_change);
        let discontinuity = same
            .filter(|known| !link.counters.began_anew(&known.link.counters))
            .map_or(now_or_never, |known| known.discontinuity);
        Interface {
            link,
            speed_mbit,
            has_connector,
            last_change,
            discontinuity,
            ..Interface::default()
        }
    }

    /// ifAdminStatus: up or down.
    pub(crate) const fn admin_status(&self) -> i32 {
        if self.link.is_wanted_up() { 1 } else { 2 }
    }
}

fn look(link: &Link) -> (Option<u32>, bool) {
    let speed = link.may_have_speed().then(|| sysfs::speed_mbit(&link.name)).flatten();
    (speed, link.may_have_connector() && sysfs::has_device(&link.name))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use kernel_net::link::Counters;

    pub(crate) fn link(index: u32, oper_state: u8) -> Link {
        Link { index, oper_state, ..Link::default() }
    }

    pub(crate) fn view(links: Vec<Link>, last: Option<&View>, up_time: u32) -> View {
        View::new(links, last, &BTreeMap::new(), up_time, Duration::ZERO)
    }

    #[test]
    fn changes_are_dated_by_the_snapshot_that_sees_them() {
        let first = view(vec![link(2, 6), link(1, 6)], None, 100);
        let dates = |view: &View| {
            let rows: Vec<_> =
                view.interfaces.iter().map(|(i, row)| (i, row.last_change)).collect();
            (view.table_last_change, rows)
        };
        assert_eq!(dates(&first), (0, vec![(1, 0), (2, 0)]));
        let second = view(vec![link(1, 6), link(2, 2)], Some(&first), 200);
        assert_eq!(dates(&second), (0, vec![(1, 0), (2, 200)]));
        let third = view(vec![link(2, 2), link(3, 6)], Some(&second), 300);
        assert_eq!(dates(&third), (300, vec![(2, 200), (3, 300)]));
        let fourth = view(vec![link(2, 2), link(3, 6)], Some(&third), 400);
        assert_eq!(dates(&fourth), (300, vec![(2, 200), (3, 300)]));
    }

    #[test]
    fn counters_that_go_back_are_a_discontinuity_and_nothing_else_is() {
        let counted = |rx_octets| Link {
            counters: Counters { rx_octets, ..Counters::default() },
            ..link(1, 6)
        };
        let date = |view: &View| view.interfaces.get(&1).unwrap().discontinuity;
        let first = view(vec![counted(10)], None, 100);
        let second = view(vec![counted(20)], Some(&first), 200);
        let third = view(vec![counted(5)], Some(&second), 300);
        let fourth = view(vec![counted(5)], Some(&third), 400);
        assert_eq!([date(&first), date(&second), date(&third), date(&fourth)], [0, 0, 300, 300]);
    }

    #[test]
    fn layers_stand_on_each_other_and_on_nothing() {
        // A VLAN 3 on 1; a bridge 4 with 1 and 2 as its ports; 9 is not there.
        let links = vec![
            Link { master: 4, ..link(1, 6) },
            Link { master: 4, lower: 9, ..link(2, 6) },
            Link { lower: 1, ..link(3, 6) },
            link(4, 6),
        ];
        let first = view(links.clone(), None, 100);
        let pairs: Vec<_> = first.stack().iter().map(|(pair, ())| pair).collect();
        assert_eq!(pairs, [(0, 3), (0, 4), (1, 0), (2, 0), (3, 1), (4, 1), (4, 2)]);
        let tells: Vec<_> = first.interfaces.values().map(|row| row.tells).collect();
        assert_eq!(tells, [true, false, false, false]);
        // The stack is another when a port leaves; the table is the same.
        let second = view([vec![link(1, 6)], links[1..].to_vec()].concat(), Some(&first), 200);
        assert_eq!((second.stack_last_change, second.table_last_change), (200, 0));
    }

    #[test]
    fn own_addresses_and_broadcast_are_received() {
        let ether =
            Link { address: vec![2, 0, 0, 0, 0, 1], broadcast: vec![255; 6], ..link(70_000, 6) };
        let all = view(vec![ether, Link { broadcast: vec![0; 6], ..link(70_001, 6) }], None, 1);
        let found: Vec<_> = all
            .received()
            .iter()
            .map(|((index, Octets(address)), kind)| (index, address[0], *kind))
            .collect();
        assert_eq!(found, [(70_000, 2, 3), (70_000, 255, 2)]);
    }
}
