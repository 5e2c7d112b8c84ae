//! Who sent a datagram, as far as that can be told from it: the address, apart from the port.
//!
//! It never resolves a name, and it believes nothing: an address of UDP proves nothing about its sender.

use crate::dispatch::Peer;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a datagram came from, in a form of fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An internet address and a port.
    Internet(IpAddr, u16),
    /// This machine: a socket in its file system.
    Local,
}

impl Source {
    /// The source that a transport address is of (RFC 3417 §2, RFC 3419: the octets of the address, then
    /// those of the port; behind a scoped IPv6 address stands its zone).
    pub fn of(peer: &Peer<'_>) -> Self {
        let port = |high: u8, low: u8| u16::from_be_bytes([high, low]);
        match *peer.address {
            [a, b, c, d, high, low] => {
                Source::Internet(Ipv4Addr::new(a, b, c, d).into(), port(high, low))
            }
            [ref address @ .., high, low] if matches!(address.len(), 16 | 20) => {
                let mut octets = [0; 16];
                octets.copy_from_slice(&address[..16]);
                let address = Ipv6Addr::from(octets);
                // One IPv4 peer is one peer, whichever socket heard it.
                let ip = address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4);
                Source::Internet(ip, port(high, low))
            }
            _ => Source::Local,
        }
    }

    /// The internet address.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Source::Internet(ip, _) => Some(*ip),
            Source::Local => None,
        }
    }

    /// Whoever can send from this address can send from all that have the same block: an IPv4 address, or
    /// the 64 leading bits of an IPv6 address. None for this machine itself.
    pub fn block(&self) -> Option<u64> {
        match self.ip()? {
            // Below all prefixes that are in use: ::/8 is reserved (RFC 4291 §2.4).
            IpAddr::V4(v4) => Some(u64::from(u32::from(v4))),
            IpAddr::V6(v6) => u64::try_from(u128::from(v6) >> 64).ok(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Internet(IpAddr::V4(v4), port) => write!(f, "{v4}:{port}"),
            Source::Internet(IpAddr::V6(v6), port) => write!(f, "[{v6}]:{port}"),
            Source::Local => f.write_str("local"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &[u8]) -> Source {
        Source::of(&Peer { domain: &[], address })
    }

    #[test]
    fn every_form_of_address_is_read() {
        assert_eq!(of(&[192, 0, 2, 1, 0, 161]).to_string(), "192.0.2.1:161");
        let mut v6 = vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2];
        assert_eq!(of(&v6).to_string(), "[2001:db8:0:7::9]:258");
        v6.splice(16..16, [0, 0, 0, 3]);
        assert_eq!(of(&v6).to_string(), "[2001:db8:0:7::9]:258");
        assert_eq!(of(b"/run/s").to_string(), "47.114.117.110:12147");
        for local in [&b""[..], b"/run/snmp", &[0; 17]] {
            assert_eq!(of(local), Source::Local);
        }
    }

    #[test]
    fn neighbours_of_one_ipv6_network_are_one_block() {
        let v6 = |network: u8, host: u8| {
            let mut octets = [0; 18];
            (octets[0], octets[7], octets[15]) = (0x20, network, host);
            of(&octets).block()
        };
        assert_eq!(v6(1, 1), v6(1, 2));
        assert_ne!(v6(1, 1), v6(2, 1));
        assert_ne!(of(&[10, 0, 0, 1, 0, 1]).block(), of(&[10, 0, 0, 2, 0, 1]).block());
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1, 0, 9];
        assert_eq!(of(&mapped).block(), of(&[10, 0, 0, 1, 0, 1]).block());
    }
}
