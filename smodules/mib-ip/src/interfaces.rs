//! ipv4InterfaceTable, ipv6InterfaceTable, ipv6ScopeZoneIndexTable: what each version of IP knows of an
//! interface.

use crate::statistics::same_indexes;
use crate::values::integer;
use kernel_net::link::Link6;
use kernel_net::{Address, Link, addresses, links, links6, retransmit_times};
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Gauge32, Integer, Octets, TimeTicks};
use std::net::IpAddr;

pub(crate) const V4_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 28, 1];
pub(crate) const V6_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 30, 1];
pub(crate) const ZONE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 36, 1];

/// The largest datagram that is put together.
const MAX_DATAGRAM: u32 = 65535;

/// All interfaces at one time.
#[derive(Default)]
pub(crate) struct Interfaces {
    pub(crate) v4: Rows<u32, InterfaceV4>,
    pub(crate) v6: Rows<u32, InterfaceV6>,
    pub(crate) zones: Rows<u32, u32>,
    v4_last_change: u32,
    v6_last_change: u32,
}

/// A row of ipv4InterfaceTable.
pub(crate) struct InterfaceV4 {
    is_up: bool,
    retransmit_ms: u32,
}

/// A row of ipv6InterfaceTable.
pub(crate) struct InterfaceV6 {
    link: Link6,
    /// The lower half of its address on the link.
    identifier: Vec<u8>,
}

impl Interfaces {
    pub(crate) fn read(last: Option<&Self>, up_time: u32) -> std::io::Result<Self> {
        // A host may be without IPv6.
        let (v6, addresses) = (links6().unwrap_or_default(), addresses()?);
        Ok(Interfaces::of(&links()?, &retransmit_times()?, v6, &addresses, last, up_time))
    }

    fn of(
        links: &[Link],
        times: &[(u32, u64)],
        v6: Vec<Link6>,
        addresses: &[Address],
        last: Option<&Self>,
        up_time: u32,
    ) -> Self {
        let links: Rows<u32, &Link> = links.iter().map(|link| (link.index, link)).collect();
        let identifiers: Rows<u32, Vec<u8>> = addresses
            .iter()
            .filter_map(|address| match address.address {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                    Some((address.link, v6.octets()[8..].to_vec()))
                }
                _ => None,
            })
            .collect();
        let v4: Rows<u32, InterfaceV4> = times
            .iter()
            .filter_map(|(index, retransmit_ms)| {
                let is_up = links.get(index)?.is_wanted_up();
                let retransmit_ms = u32::try_from(*retransmit_ms).unwrap_or(u32::MAX);
                Some((*index, InterfaceV4 { is_up, retransmit_ms }))
            })
            .collect();
        let v6: Rows<u32, InterfaceV6> = v6
            .into_iter()
            .map(|link| {
                let identifier = identifiers.get(&link.index).cloned().unwrap_or_default();
                (link.index, InterfaceV6 { link, identifier })
            })
            .collect();
        // RFC 4293: of the last creation or deletion of a row; 0 if that was before the agent came.
        let (v4_last_change, v6_last_change) = last.map_or((0, 0), |last| {
            let at = |same: bool, known| if same { known } else { up_time };
            (
                at(same_indexes(&v4, &last.v4), last.v4_last_change),
                at(same_indexes(&v6, &last.v6), last.v6_last_change),
            )
        });
        let zones = v6.iter().map(|(index, _)| (index, index)).collect();
        Interfaces { v4, v6, zones, v4_last_change, v6_last_change }
    }
}

pub(crate) const CHANGES: &[Column<Interfaces>] = &[
    Column::new(27, |all| Some(TimeTicks(all.v4_last_change))),
    Column::new(29, |all| Some(TimeTicks(all.v6_last_change))),
];

pub(crate) const V4: &[Column<InterfaceV4>] = &[
    Column::new(2, |_| integer(MAX_DATAGRAM)),
    Column::new(3, |row| Some(Integer(if row.is_up { 1 } else { 2 }))),
    Column::new(4, |row| Some(Gauge32(row.retransmit_ms))),
];

pub(crate) const V6: &[Column<InterfaceV6>] = &[
    Column::new(2, |row| Some(Gauge32(row.link.max_reassembled.clamp(1500, MAX_DATAGRAM)))),
    Column::new(3, |row| Some(Octets(&row.identifier))),
    Column::new(5, |row| Some(Integer(if row.link.is_up() { 1 } else { 2 }))),
    Column::new(6, |row| Some(Gauge32(row.link.reachable_ms))),
    Column::new(7, |row| Some(Gauge32(row.link.retransmit_ms))),
    // forwarding(1), notForwarding(2).
    Column::new(8, |row| Some(Integer(if row.link.forwards { 1 } else { 2 }))),
];

/// A link is a zone of its own; of all wider scopes the host has one zone, which is the default.
const fn default_zone(number: u32) -> Column<u32> {
    Column::new(number, |_| Some(Gauge32(0)))
}

pub(crate) const ZONE: &[Column<u32>] = &[
    Column::new(2, |link| Some(Gauge32(*link))),
    default_zone(3),
    default_zone(4),
    default_zone(5),
    default_zone(6),
    default_zone(7),
    default_zone(8),
    default_zone(9),
    default_zone(10),
    default_zone(11),
    default_zone(12),
    default_zone(13),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_dated_when_rows_come_or_go() {
        let link = |index| Link { index, flags: 1, ..Link::default() };
        let at = |times: &[(u32, u64)], last: Option<&Interfaces>, up_time| {
            Interfaces::of(&[link(1), link(2)], times, Vec::new(), &[], last, up_time)
        };
        let first = at(&[(1, 1000), (9, 1000)], None, 100);
        assert_eq!((first.v4.len(), first.v4_last_change), (1, 0));
        let second = at(&[(1, 1000), (2, 1000)], Some(&first), 200);
        let third = at(&[(1, 1000), (2, 1000)], Some(&second), 300);
        assert_eq!(
            (second.v4_last_change, third.v4_last_change, third.v6_last_change),
            (200, 200, 0)
        );
    }
}
