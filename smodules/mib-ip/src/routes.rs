//! inetCidrRouteTable (RFC 4292), the deprecated ipCidrRouteTable, and ipDefaultRouterTable.
//!
//! Routes of the main table: what the kernel keeps for its own addresses is none. inetCidrRoutePolicy is
//! {0 0}; a route without a next hop has {0 0 ifIndex}, so that one network on two interfaces is two rows
//! whose names do not depend on each other. Of routes that differ by their metric alone the best is shown.
//! inetCidrRouteAge is 0: "since it was last determined to be correct" is when the kernel's table was read.
//!
//! A network is ipv6(2) even where its addresses are good on one link only. RFC 4292 wants the types that
//! appear in an actual routing table, and speaks of a zone in inetCidrRouteDest "if one is present": the
//! kernel's has none, inetCidrRouteIfIndex names the link, and the policy and the next hop, which is ipv6z(4),
//! keep the rows of two links apart. `snmpnetstat -Cr` knows no other type. Where there is no next hop it is the
//! zero address, as in snmpd: RFC 4292 says that it should be unknown(0), but the tool reads as many octets of a
//! next hop as the network has, and would show a router where there is none.

use crate::values::integer;
use kernel_net::{Route, routes};
use mib_kit::{Column, Index, Inet, Rows};
use roles::varbind::VarValue::{Gauge32, Integer, IpAddress, Oid};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const V4_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 24, 4, 1];
pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 24, 7, 1];
pub(crate) const DEFAULT_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 37, 1];

/// Of a network, see above.
const NO_ZONE: u32 = 0;
/// A metric that is not used.
const NO_METRIC: i32 = -1;
/// ipDefaultRouterLifetime of a router without an end.
const FOR_EVER: u32 = 65535;

/// All routes at one time.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) all: Rows<(Inet, u32, Policy, Inet), Row>,
    pub(crate) v4: Rows<(Ipv4Addr, Ipv4Addr, u32, Ipv4Addr), RowV4>,
    pub(crate) default_routers: Rows<(Inet, u32), DefaultRouter>,
}

/// inetCidrRoutePolicy: {0 0}, or with an interface behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Policy(Option<u32>);

/// A row of inetCidrRouteTable.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    link: u32,
    kind: u8,
    origin: u8,
    metric: u32,
}

/// A row of ipCidrRouteTable.
pub(crate) struct RowV4 {
    network: Ipv4Addr,
    mask: Ipv4Addr,
    next_hop: Ipv4Addr,
    row: Row,
}

/// A row of ipDefaultRouterTable.
pub(crate) struct DefaultRouter {
    lifetime_s: u32,
    preference: i32,
}

impl Index for Policy {
    fn put(&self, arcs: &mut Vec<u32>) {
        match self.0 {
            None => arcs.extend([2, 0, 0]),
            Some(link) => arcs.extend([3, 0, 0, link]),
        }
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        match arcs {
            [2, 0, 0, rest @ ..] => {
                *arcs = rest;
                Some(Policy(None))
            }
            [3, 0, 0, link, rest @ ..] => {
                *arcs = rest;
                Some(Policy(Some(*link)))
            }
            _ => None,
        }
    }
}

impl Routes {
    pub(crate) fn read() -> std::io::Result<Self> {
        Ok(Routes::of(routes()?))
    }

    fn of(mut found: Vec<Route>) -> Self {
        // Of two rows with one index the first stays.
        found.sort_by_key(|route| route.metric);
        Routes {
            all: found.iter().map(row).collect(),
            v4: found.iter().filter_map(row_v4).collect(),
            default_routers: found.iter().filter_map(default_router).collect(),
        }
    }
}

fn row(route: &Route) -> ((Inet, u32, Policy, Inet), Row) {
    let is_direct = route.next_hop.is_unspecified();
    let policy = Policy((is_direct && route.link != 0).then_some(route.link));
    let network = Inet::of(route.network, NO_ZONE);
    let next_hop = Inet::of(route.next_hop, route.link);
    ((network, route.prefix.into(), policy, next_hop), Row::of(route))
}

impl Row {
    fn of(route: &Route) -> Self {
        let kind = match route.kind {
            1 if route.next_hop.is_unspecified() => 3, // local
            1 => 4,                                    // remote
            6 => 5,                                    // blackhole
            7 | 8 => 2,                                // reject
            _ => 1,                                    // other
        };
        Row { link: route.link, kind, origin: route.origin, metric: route.metric }
    }

    /// ipCidrRouteType, which has no blackhole.
    const fn kind_v4(&self) -> u8 {
        if self.kind == 5 { 2 } else { self.kind }
    }

    /// IANAipRouteProtocol, from RTPROT_*.
    const fn protocol(&self) -> i32 {
        match self.origin {
            2 => 2,     // local: the kernel itself
            3 | 4 => 3, // netmgmt: an administrator, at start or later
            1 | 9 => 4, // icmp: a redirect, a router's advertisement
            189 => 8,   // rip
            187 => 9,   // isIs
            188 => 13,  // ospf
            186 => 14,  // bgp
            192 => 16,  // ciscoEigrp
            16 => 19,   // dhcp
            _ => 1,     // other
        }
    }
}

fn row_v4(route: &Route) -> Option<((Ipv4Addr, Ipv4Addr, u32, Ipv4Addr), RowV4)> {
    let mask = kernel_net::address::masked(Ipv4Addr::BROADCAST.into(), route.prefix);
    match (route.network, mask, route.next_hop) {
        (IpAddr::V4(network), IpAddr::V4(mask), IpAddr::V4(next_hop)) => {
            let row = RowV4 { network, mask, next_hop, row: Row::of(route) };
            Some(((network, mask, 0, next_hop), row))
        }
        _ => None,
    }
}

fn default_router(route: &Route) -> Option<((Inet, u32), DefaultRouter)> {
    let leads_on = route.prefix == 0 && route.kind == 1 && !route.next_hop.is_unspecified();
    leads_on.then(|| {
        let lifetime_s = route.expires_s.map_or(FOR_EVER, |end| end.min(FOR_EVER));
        // low(-1), medium(0), high(1).
        let preference = match route.preference {
            1 => 1,
            3 => -1,
            _ => 0,
        };
        let index = (Inet::of(route.next_hop, route.link), route.link);
        (index, DefaultRouter { lifetime_s, preference })
    })
}

pub(crate) const NUMBERS: &[Column<Routes>] = &[
    Column::new(3, |all| u32::try_from(all.v4.len()).ok().map(Gauge32)),
    Column::new(6, |all| u32::try_from(all.all.len()).ok().map(Gauge32)),
];

pub(crate) const V4: &[Column<RowV4>] = &[
    Column::new(1, |row| Some(IpAddress(row.network.octets()))),
    Column::new(2, |row| Some(IpAddress(row.mask.octets()))),
    Column::new(3, |_| Some(Integer(0))),
    Column::new(4, |row| Some(IpAddress(row.next_hop.octets()))),
    Column::new(5, |row| integer(row.row.link)),
    Column::new(6, |row| Some(Integer(row.row.kind_v4().into()))),
    // The numbers that the older enumeration has are the same.
    Column::new(7, |row| Some(Integer(row.row.protocol())).filter(|_| row.row.protocol() <= 16)),
    Column::new(9, |_| Some(Oid(&[0, 0]))),
    Column::new(10, |_| Some(Integer(0))),
    Column::new(11, |row| integer(row.row.metric)),
    Column::new(12, |_| Some(Integer(NO_METRIC))),
    Column::new(13, |_| Some(Integer(NO_METRIC))),
    Column::new(14, |_| Some(Integer(NO_METRIC))),
    Column::new(15, |_| Some(Integer(NO_METRIC))),
    Column::new(16, |_| Some(Integer(1))),
];

pub(crate) const ROUTE: &[Column<Row>] = &[
    Column::new(7, |row| integer(row.link)),
    Column::new(8, |row| Some(Integer(row.kind.into()))),
    Column::new(9, |row| Some(Integer(row.protocol()))),
    // inetCidrRouteAge.
    Column::new(10, |_| Some(Gauge32(0))),
    // inetCidrRouteNextHopAS: 0 where it is not known.
    Column::new(11, |_| Some(Gauge32(0))),
    Column::new(12, |row| integer(row.metric)),
    Column::new(13, |_| Some(Integer(NO_METRIC))),
    Column::new(14, |_| Some(Integer(NO_METRIC))),
    Column::new(15, |_| Some(Integer(NO_METRIC))),
    Column::new(16, |_| Some(Integer(NO_METRIC))),
    // inetCidrRouteStatus: active.
    Column::new(17, |_| Some(Integer(1))),
];

pub(crate) const DEFAULT: &[Column<DefaultRouter>] = &[
    Column::new(4, |row| Some(Gauge32(row.lifetime_s))),
    Column::new(5, |row| Some(Integer(row.preference))),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn route(network: &str, prefix: u8, next_hop: &str, link: u32, metric: u32) -> Route {
        Route {
            network: network.parse().unwrap(),
            prefix,
            next_hop: next_hop.parse().unwrap(),
            link,
            kind: 1,
            origin: 2,
            metric,
            expires_s: None,
            preference: 0,
        }
    }

    #[test]
    fn one_network_on_two_interfaces_is_two_rows_and_the_best_of_two_metrics_stays() {
        let found = Routes::of(vec![
            route("10.0.0.0", 8, "0.0.0.0", 3, 0),
            route("10.0.0.0", 8, "0.0.0.0", 4, 0),
            route("fe80::", 64, "::", 3, 256),
            route("fe80::", 64, "::", 4, 256),
            route("::", 0, "fe80::1", 4, 2000),
            route("::", 0, "fe80::1", 4, 1024),
        ]);
        let rows: Vec<_> =
            found.all.iter().map(|((net, ..), row)| (net.kind(), row.kind, row.metric)).collect();
        assert_eq!(rows, [(1, 3, 0), (1, 3, 0), (2, 4, 1024), (2, 3, 256), (2, 3, 256)]);
        assert_eq!((found.v4.len(), found.default_routers.len()), (1, 1));
    }

    #[test]
    fn a_policy_has_its_arcs_and_comes_back() {
        for policy in [Policy(None), Policy(Some(7))] {
            let mut arcs = Vec::new();
            policy.put(&mut arcs);
            assert_eq!(Policy::whole(&arcs), Some(policy));
            assert_eq!(Policy::whole(&arcs[..arcs.len() - 1]), None);
        }
    }
}
