//! Addresses of interfaces (rtnetlink(7), RTM_GETADDR).

use crate::netlink::{INET, INET6, NETLINK_ROUTE, attributes, byte, dump, word};
use std::io::Result;
use std::net::IpAddr;

/// An address that an interface has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub link: u32,
    /// The address itself.
    pub address: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
    /// The network's broadcast address, if it has one.
    pub broadcast: Option<IpAddr>,
    /// IFA_F_*.
    pub flags: u32,
    /// IFAPROT_*: who put it there; 0 where the kernel does not tell.
    pub origin: u8,
    /// For how many seconds it is preferred and valid; `u32::MAX` is for ever.
    pub preferred_s: u32,
    /// For how many seconds it is valid.
    pub valid_s: u32,
    /// When it came, in hundredths of a second since the host started.
    pub created: u32,
    /// When it was changed last, in hundredths of a second since the host started.
    pub changed: u32,
}

const GET_ADDRESS: u16 = 22;
/// struct ifaddrmsg.
const HEADER: usize = 8;

/// IFA_F_PERMANENT.
const PERMANENT: u32 = 0x80;

/// Reads all addresses of the network namespace.
///
/// # Errors
/// The kernel refuses.
pub fn addresses() -> Result<Vec<Address>> {
    dump(NETLINK_ROUTE, GET_ADDRESS, &[0; HEADER], |body, found| found.extend(address(body)))
}

pub(crate) fn address(body: &[u8]) -> Option<Address> {
    let family = byte(body, 0)?;
    let (mut peer, mut local, mut broadcast) = (None, None, None);
    let mut flags = u32::from(byte(body, 2)?);
    let (mut origin, mut times) = (0, [u32::MAX, u32::MAX, 0, 0]);
    for (kind, value) in attributes(body.get(HEADER..)?) {
        match kind {
            1 => peer = ip(family, value),
            2 => local = ip(family, value),
            4 => broadcast = ip(family, value),
            6 => {
                let at = |place: usize| word(value, place * 4);
                times = [at(0)?, at(1)?, at(2)?, at(3)?];
            }
            8 => flags = word(value, 0)?,
            11 => origin = byte(value, 0)?,
            _ => {}
        }
    }
    let [preferred_s, valid_s, created, changed] = times;
    Some(Address {
        link: word(body, 4)?,
        // Over a link between two, the first is the other end's; alone it is one's own.
        address: local.or(peer)?,
        prefix: byte(body, 1)?,
        broadcast,
        flags,
        origin,
        preferred_s,
        valid_s,
        created,
        changed,
    })
}

/// An address of a family.
pub(crate) fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        INET => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        INET6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

impl Address {
    /// Whether it has no end.
    pub const fn is_permanent(&self) -> bool {
        self.flags & PERMANENT != 0
    }

    /// The network that it is in.
    pub fn network(&self) -> IpAddr {
        masked(self.address, self.prefix)
    }
}

/// An address without the bits behind a prefix.
pub fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::from((v4.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::from((v6.to_bits() & mask).to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::tests::attribute;

    #[test]
    fn an_address_is_read_and_cut_octets_do_no_harm() {
        let mut body = vec![INET, 24, 0x80, 0, 4, 0, 0, 0];
        body[4..8].copy_from_slice(&4u32.to_ne_bytes());
        let times: Vec<u8> = [9u32, 10, 11, 12].into_iter().flat_map(u32::to_ne_bytes).collect();
        body.extend(attribute(1, &[10, 0, 0, 2]));
        body.extend(attribute(2, &[10, 0, 0, 1]));
        body.extend(attribute(4, &[10, 0, 0, 255]));
        body.extend(attribute(6, &times));
        let found = address(&body).unwrap();
        assert_eq!((found.link, found.prefix, found.is_permanent()), (4, 24, true));
        assert_eq!(found.address.to_string(), "10.0.0.1");
        assert_eq!(found.network().to_string(), "10.0.0.0");
        assert_eq!((found.preferred_s, found.changed), (9, 12));
        for cut in 0..body.len() {
            let _ = address(&body[..cut]);
        }
    }

    #[test]
    fn masks_of_every_length_are_masks() {
        let all = |prefix| masked("255.255.255.255".parse().unwrap(), prefix).to_string();
        assert_eq!(
            (all(0), all(9), all(32)),
            ("0.0.0.0".into(), "255.128.0.0".into(), "255.255.255.255".into())
        );
        assert_eq!(masked("fd00::1".parse().unwrap(), 0).to_string(), "::");
        assert_eq!(masked("fd00::ff".parse().unwrap(), 124).to_string(), "fd00::f0");
        assert_eq!(masked("fd00::1".parse().unwrap(), 200).to_string(), "fd00::1");
    }

    #[test]
    fn the_loopback_has_its_address() {
        let found = addresses().unwrap();
        assert!(found.iter().any(|a| a.address.is_loopback() && a.prefix == 8));
    }
}
