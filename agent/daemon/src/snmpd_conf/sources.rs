//! Where a community may be used from: networks as `com2sec` writes them, and what is left of one when
//! others are cut out.
//!
//! Invariant: a [`Network`] has no bits behind its prefix.

use roles::settings::Source;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};

/// Whether addresses of IPv4 or of IPv6 are meant: net-snmp has a list for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn bits(self) -> u32 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

/// So many leading bits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) family: Family,
    /// From the highest bit of 128 down.
    start: u128,
    prefix: u32,
}

/// What a source says.
pub(super) struct Said {
    /// Whoever is in there is kept out.
    pub(super) negated: bool,
    pub(super) networks: Vec<Network>,
    /// Something to tell.
    pub(super) note: String,
}

impl Network {
    const fn everywhere(family: Family) -> Self {
        Network { family, start: 0, prefix: 0 }
    }

    fn of(ip: IpAddr, prefix: u32) -> Option<Self> {
        let (family, start) = match ip {
            IpAddr::V4(four) => (Family::V4, u128::from(u32::from(four)) << 96),
            IpAddr::V6(six) => (Family::V6, u128::from(six)),
        };
        (start & !mask(prefix) == 0).then_some(Network { family, start, prefix })
    }

    /// As the settings of the module have it.
    pub(super) fn source(&self) -> Source {
        let octets = self.start.to_be_bytes();
        let len = self.family.bits() as usize / 8;
        Source { address: octets.iter().copied().take(len).collect(), prefix: self.prefix }
    }

    const fn holds(&self, other: &Network) -> bool {
        self.prefix <= other.prefix && (self.start ^ other.start) & mask(self.prefix) == 0
    }

    /// What is left of it without another one: at most one network per bit.
    fn without(self, other: &Network) -> Vec<Network> {
        if self.family != other.family || !self.holds(other) {
            let gone = self.family == other.family && other.holds(&self);
            return if gone { Vec::new() } else { vec![self] };
        }
        let siblings = self.prefix + 1..=other.prefix;
        siblings
            .map(|prefix| {
                let bit = 1 << (128 - prefix);
                Network { start: (other.start ^ bit) & mask(prefix), prefix, ..self }
            })
            .collect()
    }
}

/// What is left of a network without others.
pub(super) fn without(network: Network, others: &[Network]) -> Vec<Network> {
    others.iter().fold(vec![network], |left, other| {
        left.into_iter().flat_map(|network| network.without(other)).collect()
    })
}

/// The highest bits.
const fn mask(prefix: u32) -> u128 {
    match u128::MAX.checked_shr(prefix) {
        Some(behind) => !behind,
        None => u128::MAX,
    }
}

/// What the word SOURCE says: `default`, `!`, an address or a host, `/` and bits or a mask.
///
/// # Errors
/// Cause and remedy.
pub(super) fn read(text: &str, family: Family) -> Result<Said, String> {
    if text == "default" {
        let networks = vec![Network::everywhere(family)];
        return Ok(Said { negated: false, networks, note: String::new() });
    }
    if text.starts_with("NETWORK") {
        return Err("this is the example's source: write your own".into());
    }
    let (negated, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let (host, bits) = text.split_once('/').map_or((text, ""), |(host, bits)| (host, bits));
    let prefix = prefix(bits, family)?;
    let (ips, note) = match (family, host.parse::<Ipv4Addr>(), host.parse::<Ipv6Addr>()) {
        (Family::V4, Ok(four), _) => (vec![IpAddr::V4(four)], String::new()),
        (Family::V6, _, Ok(six)) => (vec![IpAddr::V6(six)], String::new()),
        _ => {
            let ips = resolve(host, family)?;
            let shown: Vec<String> = ips.iter().map(ToString::to_string).collect();
            (ips, format!("the name means {} until the next reload", shown.join(", ")))
        }
    };
    let networks: Option<Vec<Network>> =
        ips.into_iter().map(|ip| Network::of(ip, prefix)).collect();
    let networks = networks.ok_or(
        "the source has bits behind its mask, so snmpd lets nobody in by it: set them to 0, or widen the mask",
    )?;
    Ok(Said { negated, networks, note })
}

fn prefix(text: &str, family: Family) -> Result<u32, String> {
    let most = family.bits();
    if text.is_empty() {
        return Ok(most);
    }
    if let Ok(bits) = text.parse::<u32>() {
        return if bits <= most {
            Ok(bits)
        } else {
            Err(format!("the mask has at most {most} bits"))
        };
    }
    let mask = match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok().map(|m| u128::from(u32::from(m)) << 96),
        Family::V6 => text.parse::<Ipv6Addr>().ok().map(u128::from),
    };
    let mask = mask.ok_or("the mask is neither a number of bits nor an address")?;
    if mask.leading_ones() == mask.count_ones() {
        Ok(mask.leading_ones())
    } else {
        // Stricter than snmpd, which takes any bits.
        Err("the mask has a gap, which snmpd takes and this agent does not: write networks one by one".into())
    }
}

fn resolve(host: &str, family: Family) -> Result<Vec<IpAddr>, String> {
    let found = (host, 0).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect::<Vec<_>>());
    let mut ips = found.unwrap_or_default();
    ips.retain(|ip| ip.is_ipv4() == (family == Family::V4));
    ips.dedup();
    if family == Family::V4 {
        // net-snmp takes the first one.
        ips.truncate(1);
    }
    if ips.is_empty() {
        return Err("the source is no address of that family, and no host's name that can be \
                    resolved: write an address, as in 10.0.0.0/8"
            .into());
    }
    Ok(ips)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(networks: &[Network]) -> Vec<String> {
        let text = |network: &Network| {
            let Source { address, prefix } = network.source();
            let ip = match <[u8; 4]>::try_from(&address[..]) {
                Ok(four) => IpAddr::from(four),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(&address[..]).unwrap()),
            };
            format!("{ip}/{prefix}")
        };
        networks.iter().map(text).collect()
    }

    #[test]
    fn sources_are_what_com2sec_takes_them_for() {
        use Family::{V4, V6};
        for (text, family, wanted) in [
            ("default", V4, "0.0.0.0/0"),
            ("default", V6, "::/0"),
            ("10.1.2.3", V4, "10.1.2.3/32"),
            ("10.0.0.0/8", V4, "10.0.0.0/8"),
            ("10.0.0.0/255.255.0.0", V4, "10.0.0.0/16"),
            ("10.0.0.0/", V4, "10.0.0.0/32"),
            ("0.0.0.0/0", V4, "0.0.0.0/0"),
            ("localhost", V4, "127.0.0.1/32"),
            ("2001:db8::/32", V6, "2001:db8::/32"),
            ("2001:db8::/ffff:ffff::", V6, "2001:db8::/32"),
            ("::1", V6, "::1/128"),
        ] {
            let said = read(text, family).unwrap();
            assert_eq!(shown(&said.networks), [wanted], "{text}");
            assert!(!said.negated);
        }
        assert!(read("!10.0.0.0/8", V4).unwrap().negated);
        assert!(read("!::1", V6).unwrap().negated);
        for (text, family, why) in [
            ("10.0.0.1/8", V4, "bits behind its mask"),
            ("10.0.0.0/33", V4, "at most 32 bits"),
            ("10.0.0.0/255.0.255.0", V4, "has a gap"),
            ("10.0.0.0/x", V4, "neither a number"),
            ("::1", V4, "no address of that family"),
            ("10.0.0.1", V6, "no address of that family"),
            ("NETWORK/24", V4, "the example's"),
            ("no.such.host.invalid", V4, "can be resolved"),
        ] {
            let found = read(text, family).map(|_| ()).unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }

    #[test]
    fn what_is_cut_out_is_left_out_and_nothing_else() {
        let network = |text: &str| read(text, Family::V4).unwrap().networks[0];
        let left = without(network("10.0.0.0/30"), &[network("10.0.0.1")]);
        assert_eq!(shown(&left), ["10.0.0.2/31", "10.0.0.0/32"]);
        assert!(without(network("10.0.0.1"), &[network("10.0.0.0/8")]).is_empty());
        assert_eq!(without(network("10.0.0.0/8"), &[network("11.0.0.0/8")]).len(), 1);
        // Each address is in what is left exactly if it is in none of what was cut out.
        let cut = [network("10.1.0.0/16"), network("10.2.3.4"), network("10.1.2.0/24")];
        let left = without(network("10.0.0.0/8"), &cut);
        for ip in ["10.0.0.0", "10.1.0.0", "10.1.2.3", "10.2.3.4", "10.2.3.5", "10.255.255.255"] {
            let one = network(ip);
            let wanted = !cut.iter().any(|cut| cut.holds(&one));
            assert_eq!(
                left.iter().filter(|left| left.holds(&one)).count(),
                usize::from(wanted),
                "{ip}"
            );
        }
        assert!(!left.iter().any(|left| left.holds(&network("11.0.0.0"))));
    }
}
