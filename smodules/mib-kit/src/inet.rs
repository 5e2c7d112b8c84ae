//! Internet addresses as parts of an index (RFC 4001): InetAddressType and InetAddress.
//!
//! It never says a type that does not fit the octets: both come from one value.

use crate::index::Index;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An InetAddressType with its InetAddress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inet {
    /// unknown(0): no octets.
    #[default]
    Unknown,
    /// ipv4(1).
    V4([u8; 4]),
    /// ipv6(2).
    V6([u8; 16]),
    /// ipv4z(3): with a zone.
    V4z([u8; 4], u32),
    /// ipv6z(4): with a zone.
    V6z([u8; 16], u32),
}

impl Inet {
    /// An address. One that is good on its link only carries the link's number as its zone (RFC 4007), if
    /// that is known, and IPv4 inside of IPv6 is IPv4.
    pub fn of(address: IpAddr, link: u32) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Inet::V4(v4.octets()),
            IpAddr::V6(v6) if link != 0 && v6.is_unicast_link_local() => {
                Inet::V6z(v6.octets(), link)
            }
            IpAddr::V6(v6) => Inet::V6(v6.octets()),
        }
    }

    /// InetAddressType.
    pub const fn kind(&self) -> i32 {
        match self {
            Inet::Unknown => 0,
            Inet::V4(_) => 1,
            Inet::V6(_) => 2,
            Inet::V4z(..) => 3,
            Inet::V6z(..) => 4,
        }
    }
}

impl From<Ipv4Addr> for Inet {
    fn from(address: Ipv4Addr) -> Self {
        Inet::V4(address.octets())
    }
}

impl From<Ipv6Addr> for Inet {
    fn from(address: Ipv6Addr) -> Self {
        Inet::V6(address.octets())
    }
}

/// The type, the number of octets, an arc per octet.
impl Index for Inet {
    fn put(&self, arcs: &mut Vec<u32>) {
        arcs.push(self.kind().cast_unsigned());
        let (address, zone): (&[u8], Option<u32>) = match self {
            Inet::Unknown => (&[], None),
            Inet::V4(address) => (address, None),
            Inet::V6(address) => (address, None),
            Inet::V4z(address, zone) => (address, Some(*zone)),
            Inet::V6z(address, zone) => (address, Some(*zone)),
        };
        let zone = zone.map(u32::to_be_bytes);
        let octets = address.iter().chain(zone.iter().flatten()).copied().map(u32::from);
        let at = arcs.len();
        arcs.push(0);
        arcs.extend(octets);
        // At most 20 octets.
        arcs[at] = u32::try_from(arcs.len() - at - 1).unwrap_or(u32::MAX);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        let (kind, len) = (u32::take(arcs)?, u32::take(arcs)?);
        Some(match (kind, len) {
            (0, 0) => Inet::Unknown,
            (1, 4) => Inet::V4(<[u8; 4]>::take(arcs)?),
            (2, 16) => Inet::V6(<[u8; 16]>::take(arcs)?),
            (3, 8) => Inet::V4z(<[u8; 4]>::take(arcs)?, zone(arcs)?),
            (4, 20) => Inet::V6z(<[u8; 16]>::take(arcs)?, zone(arcs)?),
            _ => return None,
        })
    }
}

fn zone(arcs: &mut &[u32]) -> Option<u32> {
    <[u8; 4]>::take(arcs).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_arcs_and_comes_back() {
        let link_local = "fe80::1".parse::<Ipv6Addr>().unwrap();
        let mut with_zone = vec![4, 20, 0xfe, 0x80];
        with_zone.extend([0; 13]);
        with_zone.extend([1, 0, 0, 1, 2]);
        for (inet, arcs) in [
            (Inet::Unknown, vec![0, 0]),
            (Inet::V4([10, 0, 0, 1]), vec![1, 4, 10, 0, 0, 1]),
            (Inet::V4z([10, 0, 0, 1], 7), vec![3, 8, 10, 0, 0, 1, 0, 0, 0, 7]),
            (Inet::of(link_local.into(), 258), with_zone),
        ] {
            let mut put = Vec::new();
            inet.put(&mut put);
            assert_eq!(put, arcs);
            assert_eq!(Inet::whole(&arcs), Some(inet));
            assert_eq!(Inet::whole(&arcs[..arcs.len() - 1]), None);
        }
        assert_eq!(Inet::whole(&[1, 5, 10, 0, 0, 1, 0]), None);
    }

    #[test]
    fn zones_are_for_what_is_good_on_its_link_only() {
        let of = |address: &str, link| Inet::of(address.parse().unwrap(), link).kind();
        assert_eq!((of("fe80::1", 3), of("fe80::1", 0), of("fd00::1", 3)), (4, 2, 2));
        assert_eq!(of("::ffff:10.0.0.1", 3), 1);
    }
}
