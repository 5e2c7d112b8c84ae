//! Routes of the main table (rtnetlink(7), RTM_GETROUTE).

use crate::address::ip;
use crate::netlink::{INET, INET6, NETLINK_ROUTE, attributes, byte, dump, half, word};
use std::io::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One way to a network. A route with several next hops is as many ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub network: IpAddr,
    /// How many bits of it count.
    pub prefix: u8,
    /// Who is asked to pass it on; unspecified where nobody has to.
    pub next_hop: IpAddr,
    /// The interface that it leaves through; 0 for none.
    pub link: u32,
    /// RTN_*.
    pub kind: u8,
    /// RTPROT_*.
    pub origin: u8,
    /// The smaller, the sooner it is taken.
    pub metric: u32,
    /// For how many seconds it is good, if it has an end.
    pub expires_s: Option<u32>,
    /// ICMPV6_ROUTER_PREF_*: 0 medium, 1 high, 3 low.
    pub preference: u8,
}

const GET_ROUTE: u16 = 26;
/// struct rtmsg.
const HEADER: usize = 12;
/// struct rtnexthop.
const HOP_HEADER: usize = 8;

const MAIN_TABLE: u32 = 254;
/// RTM_F_CLONED: what was learnt on the way, not a route.
const CLONED: u32 = 0x200;

/// Reads the routes of both families.
///
/// # Errors
/// The kernel refuses.
pub fn routes() -> Result<Vec<Route>> {
    let of = |family| {
        let mut request = [0; HEADER];
        request[0] = family;
        dump(NETLINK_ROUTE, GET_ROUTE, &request, |body, found| {
            let _ = ways(body, found);
        })
    };
    let mut found = of(INET)?;
    // A host may be without IPv6.
    found.extend(of(INET6).unwrap_or_default());
    Ok(found)
}

/// Appends the ways that a message holds.
pub(crate) fn ways(body: &[u8], found: &mut Vec<Route>) -> Option<()> {
    let family = byte(body, 0)?;
    let nobody = match family {
        INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut route = Route {
        network: nobody,
        prefix: byte(body, 1)?,
        next_hop: nobody,
        link: 0,
        kind: byte(body, 7)?,
        origin: byte(body, 5)?,
        metric: 0,
        expires_s: None,
        preference: 0,
    };
    let mut table = u32::from(byte(body, 4)?);
    let mut hops: &[u8] = &[];
    for (kind, value) in attributes(body.get(HEADER..)?) {
        match kind {
            1 => route.network = ip(family, value)?,
            4 => route.link = word(value, 0)?,
            5 => route.next_hop = ip(family, value)?,
            6 => route.metric = word(value, 0)?,
            9 => hops = value,
            // struct rta_cacheinfo: hundredths of a second until the end, 0 for none.
            12 => route.expires_s = word(value, 8).filter(|end| *end != 0).map(|end| end / 100),
            15 => table = word(value, 0)?,
            18 => route.next_hop = via(value)?,
            20 => route.preference = byte(value, 0)?,
            _ => {}
        }
    }
    if table != MAIN_TABLE || word(body, 8)? & CLONED != 0 {
        return None;
    }
    if hops.is_empty() {
        found.push(route);
    }
    while let (Some(len), Some(link)) = (half(hops, 0), word(hops, 4)) {
        let Some(inside) = hops.get(HOP_HEADER..len.into()) else { break };
        hops = hops.get(usize::from(len).next_multiple_of(4)..).unwrap_or_default();
        let next_hop = attributes(inside).find_map(|(kind, value)| match kind {
            5 => ip(family, value),
            18 => via(value),
            _ => None,
        });
        found.push(Route { link, next_hop: next_hop.unwrap_or(nobody), ..route });
    }
    Some(())
}

/// A next hop of another family: struct rtvia.
fn via(value: &[u8]) -> Option<IpAddr> {
    ip(u8::try_from(half(value, 0)?).ok()?, value.get(2..)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::tests::attribute;

    fn body(table: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![INET, 24, 0, 0, table, 4, 0, 1, 0, 0, 0, 0];
        body.extend(attributes.concat());
        body
    }

    #[test]
    fn a_route_with_two_next_hops_is_two_ways() {
        let hop = |link: u32, next: u8| {
            let inside = attribute(5, &[10, 0, 0, next]);
            let len = u16::try_from(HOP_HEADER + inside.len()).unwrap();
            [&len.to_ne_bytes()[..], &[0, 0], &link.to_ne_bytes(), &inside].concat()
        };
        let hops = attribute(9, &[hop(3, 1), hop(4, 2)].concat());
        let body = body(254, &[attribute(1, &[10, 1, 0, 0]), hops]);
        let mut found = Vec::new();
        ways(&body, &mut found).unwrap();
        let short: Vec<_> = found.iter().map(|r| (r.link, r.next_hop.to_string())).collect();
        assert_eq!(short, [(3, "10.0.0.1".to_owned()), (4, "10.0.0.2".to_owned())]);
        for cut in 0..body.len() {
            let _ = ways(&body[..cut], &mut Vec::new());
        }
    }

    #[test]
    fn other_tables_are_left_out() {
        let mut found = Vec::new();
        assert_eq!(ways(&body(255, &[]), &mut found), None);
        assert_eq!(found, []);
        assert!(ways(&body(254, &[attribute(4, &5u32.to_ne_bytes())]), &mut found).is_some());
        assert_eq!((found[0].link, found[0].network.to_string()), (5, "0.0.0.0".to_owned()));
    }

    #[test]
    fn the_kernel_answers() {
        assert!(routes().unwrap().iter().all(|route| route.prefix <= 128));
    }
}
