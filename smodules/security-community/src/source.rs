//! Internet addresses, as transports write them, and the networks that they lie in.
//!
//! It never resolves a name. Invariant: an IPv4 address written inside of IPv6 is the IPv4 address, so that
//! a source means the same whichever socket a message came through.

use roles::settings::Source;
use std::net::{IpAddr, Ipv6Addr};

/// snmpUDPDomain (RFC 3417): an IPv4 address and a port.
const SNMP_UDP_DOMAIN: &[u32] = &[1, 3, 6, 1, 6, 1, 1];

/// transportDomains (RFC 3419): the last arc says which.
const TRANSPORT_DOMAINS: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1];

/// The internet address of a peer; none for transports that have no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(Option<IpAddr>);

impl Address {
    /// The address within a transport address, which ends with a zone where its domain has one, and a port.
    pub(crate) fn of(domain: &[u32], address: &[u8]) -> Self {
        let last = match domain.strip_prefix(TRANSPORT_DOMAINS) {
            Some([last]) => *last,
            _ if domain == SNMP_UDP_DOMAIN => 1,
            _ => return Address(None),
        };
        let behind = match last {
            // transportDomainUdp, Tcp and Sctp over Ipv4 and Ipv6, each with and without zone.
            1 | 2 | 5 | 6 | 9 | 10 => 2,
            3 | 4 | 7 | 8 | 11 | 12 => 6,
            _ => return Address(None),
        };
        // Those over Ipv4 have the odd numbers.
        let width = if last % 2 == 1 { 4 } else { 16 };
        let octets = address.get(..width).filter(|_| address.len() == width + behind);
        Address(octets.and_then(ip))
    }

    /// Whether the address lies in a source.
    pub(crate) fn is_in(self, network: &Network) -> bool {
        self.0.is_some_and(|ip| {
            let (ip, bits) = left_aligned(ip);
            bits == network.bits && (ip ^ network.start) & mask(network.prefix) == 0
        })
    }
}

/// A source, ready to be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// The address, from the highest bit down.
    start: u128,
    /// 32 or 128.
    bits: u32,
    prefix: u32,
}

impl Network {
    /// The network of a source; otherwise what is wrong with it.
    pub(crate) fn of(source: &Source) -> Result<Self, String> {
        let Source { address, prefix } = source;
        let plain = match <[u8; 4]>::try_from(&address[..]) {
            Ok(four) => Some(IpAddr::from(four)),
            Err(_) => <[u8; 16]>::try_from(&address[..]).ok().map(IpAddr::from),
        };
        let Some(plain) = plain else {
            return Err(format!(
                "a source has an address of {} octets: give 4 for IPv4 or 16 for IPv6",
                address.len()
            ));
        };
        let width = 8 * u32::try_from(address.len()).unwrap_or(u32::MAX);
        if *prefix > width {
            return Err(format!("the source {plain}/{prefix}: give a prefix of at most {width}"));
        }
        // An IPv4 address in IPv6 is compared as IPv4, so its prefix counts from there. A shorter prefix
        // reaches beyond the embedded addresses and stays one of IPv6.
        let mapped = Ipv6Addr::to_ipv4_mapped;
        let (ip, prefix) = match plain {
            IpAddr::V6(six) if *prefix >= 96 => match mapped(&six) {
                Some(four) => (IpAddr::V4(four), prefix - 96),
                None => (plain, *prefix),
            },
            _ => (plain, *prefix),
        };
        let (start, bits) = left_aligned(ip);
        if start & !mask(prefix) != 0 {
            return Err(format!(
                "the source {plain}/{} has bits behind its prefix: set them to 0, or give /{width} \
                 for the one address",
                source.prefix
            ));
        }
        Ok(Network { start, bits, prefix })
    }
}

/// An address of four octets or sixteen.
fn ip(octets: &[u8]) -> Option<IpAddr> {
    match <[u8; 4]>::try_from(octets) {
        Ok(four) => Some(IpAddr::from(four)),
        Err(_) => {
            let six = Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?);
            Some(six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4))
        }
    }
}

/// The bits of an address from the highest bit down, and how many there are.
fn left_aligned(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    }
}

/// The highest bits.
const fn mask(prefix: u32) -> u128 {
    match u128::MAX.checked_shr(prefix) {
        Some(behind) => !behind,
        None => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain(last: u32) -> Vec<u32> {
        [TRANSPORT_DOMAINS, &[last]].concat()
    }

    fn network(address: &[u8], prefix: u32) -> Network {
        Network::of(&Source { address: address.to_vec(), prefix }).unwrap()
    }

    fn v4(octets: [u8; 4]) -> Address {
        Address(Some(IpAddr::from(octets)))
    }

    #[test]
    fn an_address_is_what_its_domain_says() {
        let four = [10, 1, 2, 3];
        let six: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let behind = |octets: &[u8], more: usize| [octets, &vec![0xff; more]].concat();
        for (last, octets, more) in [
            (1, &four[..], 2),
            (3, &four, 6),
            (5, &four, 2),
            (2, &six, 2),
            (4, &six, 6),
            (6, &six, 2),
            (8, &six, 6),
        ] {
            let address = Address::of(&domain(last), &behind(octets, more));
            assert_eq!(address, Address(ip(octets)), "{last}");
            for wrong in [0, 1, more - 1, more + 1] {
                let address = Address::of(&domain(last), &behind(octets, wrong));
                assert_eq!(address, Address(None), "{last} with {wrong} octets behind");
            }
        }
        assert_eq!(Address::of(SNMP_UDP_DOMAIN, &behind(&four, 2)), v4(four));
        // An address of the other family is none of this domain.
        assert_eq!(Address::of(&domain(1), &behind(&six, 2)), Address(None));
        assert_eq!(Address::of(&domain(2), &behind(&four, 2)), Address(None));
        // transportDomainLocal, a domain name, and no domain at all.
        for domain in [&domain(13)[..], &domain(14), TRANSPORT_DOMAINS, &[]] {
            assert_eq!(Address::of(domain, &behind(&four, 2)), Address(None));
        }
    }

    #[test]
    fn an_embedded_ipv4_address_is_that_address() {
        let mut mapped = [0; 18];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 7]);
        let address = Address::of(&domain(2), &mapped);
        assert_eq!(address, v4([10, 0, 0, 7]));
        assert!(address.is_in(&network(&[10, 0, 0, 0], 8)));
        assert_eq!(network(&mapped[..16], 128), network(&[10, 0, 0, 7], 32));
    }

    #[test]
    fn a_family_holds_none_of_the_other() {
        let everything = [network(&[0; 4], 0), network(&[0; 16], 0)];
        let six = Address::of(&domain(2), &[0x20; 18]);
        assert_eq!(everything.map(|network| six.is_in(&network)), [false, true]);
        assert_eq!(everything.map(|network| v4([1, 2, 3, 4]).is_in(&network)), [true, false]);
        assert_eq!(everything.map(|network| Address(None).is_in(&network)), [false, false]);
    }

    #[test]
    fn a_source_that_means_nothing_is_a_problem() {
        for (address, prefix, remedy) in [
            (&[10, 0, 0][..], 8, "give 4 for IPv4 or 16 for IPv6"),
            (&[10, 0, 0, 0], 33, "give a prefix of at most 32"),
            (&[0x20; 16], 129, "give a prefix of at most 128"),
            (&[10, 0, 0, 1], 8, "set them to 0, or give /32"),
            (&[10, 0, 0, 1], 0, "set them to 0"),
        ] {
            let problem = Network::of(&Source { address: address.to_vec(), prefix }).unwrap_err();
            assert!(problem.contains(remedy), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_what_shares_its_prefix(a: u32, b: u32, prefix in 0u32..=32) {
            let start = a & u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            let same = (0..prefix).all(|bit| (a ^ b) & (1 << (31 - bit)) == 0);
            let network = network(&start.to_be_bytes(), prefix);
            prop_assert_eq!(v4(b.to_be_bytes()).is_in(&network), same);
            prop_assert!(v4(a.to_be_bytes()).is_in(&network));
        }

        #[test]
        fn any_octets_are_an_address_or_none(last in 0u32..20, octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Address::of(&domain(last), &octets).is_in(&network(&[0; 16], 0));
        }
    }
}
