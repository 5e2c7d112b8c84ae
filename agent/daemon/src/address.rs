//! Where to listen, as snmpd spells it: a transport, a colon, an address of that transport.
//!
//! It opens nothing. Invariant: what is printed of an address is read as that address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// A place where requests may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Datagrams (RFC 3417 §3).
    Udp(SocketAddr),
    /// A stream (RFC 3430).
    Tcp(SocketAddr),
    /// A stream that does not leave the machine.
    Unix(PathBuf),
}

const REMEDY: &str = "write udp:ADDRESS:PORT, udp6:[ADDRESS]:PORT, tcp:, tcp6:, or unix:/PATH";

/// The port of SNMP (RFC 3417 §3.2, RFC 3430 §2.2).
const PORT: u16 = 161;

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (transport, rest) = match text.split_once(':') {
            Some(("unix", path)) => return unix(text, path),
            Some(("udp", rest)) => (Some((Listen::Udp as fn(_) -> _, false)), rest),
            Some(("udp6" | "udpv6" | "udpipv6", rest)) => {
                (Some((Listen::Udp as fn(_) -> _, true)), rest)
            }
            Some(("tcp", rest)) => (Some((Listen::Tcp as fn(_) -> _, false)), rest),
            Some(("tcp6" | "tcpv6" | "tcpipv6", rest)) => {
                (Some((Listen::Tcp as fn(_) -> _, true)), rest)
            }
            Some((transport @ ("ssh" | "tlstcp" | "dtlsudp" | "sctp" | "ipx"), _)) => {
                return Err(format!(
                    "`{text}`: this agent does not listen on {transport}; {REMEDY}"
                ));
            }
            _ if text.starts_with('/') => return unix(text, text),
            _ => (None, text),
        };
        // Without a transport the address says which family is meant.
        let (listen, family) = match transport {
            Some((listen, six)) => (listen, Some(six)),
            None => (Listen::Udp as fn(SocketAddr) -> Listen, None),
        };
        let address = socket_address(rest, family == Some(true))
            .filter(|address| family.is_none_or(|six| six == address.is_ipv6()));
        address.map(listen).ok_or_else(|| format!("`{text}` is no address; {REMEDY}"))
    }
}

fn unix(text: &str, path: &str) -> Result<Listen, String> {
    // A relative path would mean another place after a restart from elsewhere; sun_path has 108 octets.
    if path.starts_with('/') && path.len() < 108 {
        Ok(Listen::Unix(path.into()))
    } else {
        Err(format!("`{text}`: a socket's path begins with / and is shorter than 108 octets"))
    }
}

/// `HOST:PORT`, `HOST` or `PORT`.
fn socket_address(text: &str, six: bool) -> Option<SocketAddr> {
    let any = if six { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    if let Ok(port) = text.parse() {
        return Some(SocketAddr::new(any, port));
    }
    if let Some(host) = host(text, six) {
        return Some(SocketAddr::new(host, PORT));
    }
    let (name, port) = text.rsplit_once(':')?;
    Some(SocketAddr::new(host(name, six)?, port.parse().ok()?))
}

fn host(text: &str, six: bool) -> Option<IpAddr> {
    match text {
        // The one name that needs nobody to resolve it.
        "localhost" if six => Some(Ipv6Addr::LOCALHOST.into()),
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        _ => text.trim_matches(['[', ']']).parse().ok(),
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let six = |address: &SocketAddr| if address.is_ipv6() { "6" } else { "" };
        match self {
            Listen::Udp(address) => write!(f, "udp{}:{address}", six(address)),
            Listen::Tcp(address) => write!(f, "tcp{}:{address}", six(address)),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Addresses, several of which may stand in one text with commas between, as in snmpd's `agentaddress`.
///
/// # Errors
/// Which text is wrong, and the remedy.
pub(crate) fn read(texts: &[String]) -> Result<Vec<Listen>, (usize, String)> {
    let mut all: Vec<Listen> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        for text in text.split(',') {
            add(&mut all, text.parse().map_err(|problem| (at, problem))?)
                .map_err(|problem| (at, problem))?;
        }
    }
    Ok(all)
}

/// Adds an address to others.
///
/// # Errors
/// It is one of them.
pub(crate) fn add(all: &mut Vec<Listen>, address: Listen) -> Result<(), String> {
    if all.contains(&address) {
        return Err(format!("{address} is named twice; take one of them away"));
    }
    all.push(address);
    Ok(())
}

/// A list as people read it.
pub(crate) fn list(addresses: &[Listen]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelled_as_snmpd_spells_them() {
        for (text, printed) in [
            ("udp:127.0.0.1:1161", "udp:127.0.0.1:1161"),
            ("127.0.0.1:1161", "udp:127.0.0.1:1161"),
            ("udp6:[::1]:1161", "udp6:[::1]:1161"),
            ("udpv6:[::1]", "udp6:[::1]:161"),
            ("[::1]:1161", "udp6:[::1]:1161"),
            ("udp6:1161", "udp6:[::]:1161"),
            ("udp:161", "udp:0.0.0.0:161"),
            ("10.1.2.3", "udp:10.1.2.3:161"),
            ("localhost:1161", "udp:127.0.0.1:1161"),
            ("tcp:localhost", "tcp:127.0.0.1:161"),
            ("tcp6:localhost:1161", "tcp6:[::1]:1161"),
            ("tcp:10.1.2.3:1161", "tcp:10.1.2.3:1161"),
            ("unix:/run/agent", "unix:/run/agent"),
            ("/run/agent", "unix:/run/agent"),
        ] {
            let address: Listen = text.parse().unwrap();
            assert_eq!(address.to_string(), printed);
            assert_eq!(printed.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_told_with_the_remedy() {
        for (text, wanted) in [
            ("dtlsudp:10161", "not listen on dtlsudp"),
            ("udp:here", "write udp:ADDRESS:PORT"),
            ("udp:[::1]:161", "write udp:ADDRESS:PORT"),
            ("udp6:127.0.0.1:161", "udp6:[ADDRESS]:PORT"),
            ("tcp:127.0.0.1:70000", "is no address"),
            ("unix:agent", "begins with /"),
            ("", "is no address"),
        ] {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
