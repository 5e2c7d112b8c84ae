//! Sockets of TCP and UDP: over netlink (sock_diag(7)), or from /proc/net where that cannot be had.

use crate::netlink::{INET, INET6, NETLINK_SOCK_DIAG, attributes, byte, dump, word};
use mib_kit::Inet;
use std::io::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its own end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// The kernel's number of a TCP state.
    pub state: u8,
    /// Its number among files; 0 where it is no file any more.
    pub inode: u32,
    /// The interface that it is bound to; 0 for all.
    pub link: u32,
    /// Whether it takes what comes over IPv4 and over IPv6.
    pub is_dual: bool,
}

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// The kernel's numbers of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp = 6,
    /// UDP.
    Udp = 17,
}

/// SOCK_DIAG_BY_FAMILY.
const BY_FAMILY: u16 = 20;
/// struct inet_diag_req_v2.
const REQUEST: usize = 56;
/// struct inet_diag_msg.
const HEADER: usize = 72;
/// INET_DIAG_SKV6ONLY.
const ONLY_V6: u16 = 11;

/// Reads all sockets of a protocol.
///
/// # Errors
/// Neither netlink nor /proc answers.
pub fn sockets(protocol: Protocol) -> Result<Vec<Socket>> {
    diag(protocol).or_else(|_| proc(protocol))
}

fn diag(protocol: Protocol) -> Result<Vec<Socket>> {
    let of = |family| {
        let mut request = [0; REQUEST];
        request[0] = family;
        request[1] = protocol as u8;
        // In all states.
        request[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        dump(NETLINK_SOCK_DIAG, BY_FAMILY, &request, |body, found| found.extend(socket(body)))
    };
    let mut found = of(INET)?;
    // A host may be without IPv6.
    found.extend(of(INET6).unwrap_or_default());
    Ok(found)
}

/// struct inet_diag_msg; ports are in the order of the network.
pub(crate) fn socket(body: &[u8]) -> Option<Socket> {
    let family = byte(body, 0)?;
    let rest = body.get(HEADER..)?;
    let port = |at: usize| body.get(at..)?.first_chunk().map(|port| u16::from_be_bytes(*port));
    let only_v6 = attributes(rest).find(|(kind, _)| *kind == ONLY_V6);
    let local = Endpoint { address: address(family, body, 8)?, port: port(4)? };
    Some(Socket {
        local,
        remote: Endpoint { address: address(family, body, 24)?, port: port(6)? },
        state: byte(body, 1)?,
        inode: word(body, 68)?,
        link: word(body, 40)?,
        is_dual: is_any6(local) && only_v6.is_some_and(|(_, value)| byte(value, 0) == Some(0)),
    })
}

fn address(family: u8, body: &[u8], at: usize) -> Option<IpAddr> {
    match family {
        INET => body.get(at..)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        INET6 => body.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}

fn is_any6(local: Endpoint) -> bool {
    local.address == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

/// A line of text for each socket. Which of them take IPv4 too is not told; the kernel's default is both.
fn proc(protocol: Protocol) -> Result<Vec<Socket>> {
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let mut found = lines(&std::fs::read_to_string(format!("/proc/net/{name}"))?);
    found.extend(lines(&std::fs::read_to_string(format!("/proc/net/{name}6")).unwrap_or_default()));
    Ok(found)
}

pub(crate) fn lines(text: &str) -> Vec<Socket> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (endpoint(fields.next()?)?, endpoint(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    // Behind the state: queues, timer, retransmissions, user, timeout, inode.
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Socket { local, remote, state, inode, link: 0, is_dual: is_any6(local) })
}

/// Address and port in hexadecimal; the address as words in the byte order of the machine.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    if !address.is_ascii() {
        return None;
    }
    let mut octets = [0; 16];
    for (at, word) in octets.chunks_exact_mut(4).take(address.len() / 8).enumerate() {
        let number = u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?;
        word.copy_from_slice(&number.to_ne_bytes());
    }
    let address = match address.len() {
        8 => octets.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into())?,
        32 => Ipv6Addr::from(octets).into(),
        _ => return None,
    };
    Some(Endpoint { address, port: u16::from_str_radix(port, 16).ok()? })
}

/// InetAddressType, InetAddress, InetPortNumber (RFC 4001): parts of an index.
pub type EndpointIndex = (Inet, u32);

impl Socket {
    /// Its own end as parts of an index. A socket that takes both families has no address (RFC 4022 and
    /// 4113: the type is unknown and the address of no length).
    pub fn local_index(&self) -> EndpointIndex {
        let address = if self.is_dual { Inet::Unknown } else { self.inet(self.local.address) };
        (address, self.local.port.into())
    }

    /// The other end as parts of an index.
    pub fn remote_index(&self) -> EndpointIndex {
        (self.inet(self.remote.address), self.remote.port.into())
    }

    /// Whether nothing is said of the other end.
    pub fn is_unconnected(&self) -> bool {
        self.remote.port == 0 && self.remote.address.is_unspecified()
    }

    /// The address of the IPv4 side, if it has one.
    pub fn local_v4(&self) -> Option<Ipv4Addr> {
        if self.is_dual { Some(Ipv4Addr::UNSPECIFIED) } else { v4(self.local.address) }
    }

    /// The other end's, likewise.
    pub fn remote_v4(&self) -> Option<Ipv4Addr> {
        if self.is_dual { Some(Ipv4Addr::UNSPECIFIED) } else { v4(self.remote.address) }
    }

    fn inet(&self, address: IpAddr) -> Inet {
        Inet::of(address, self.link)
    }
}

/// What goes over IPv4, whichever way a program writes it.
fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn a_line_is_a_socket_and_anything_else_is_none() {
        let address = u32::from_ne_bytes([127, 0, 0, 1]);
        let text = format!(
            "   0: {address:08X}:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1049 1 0"
        );
        let found = line(&text).unwrap();
        assert_eq!(found.local_index(), (Inet::V4([127, 0, 0, 1]), 2024));
        assert!(found.is_unconnected());
        assert_eq!((found.state, found.inode), (10, 1049));
        let title = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        assert_eq!(line(title), None);
        for cut in 0..text.len() - 10 {
            let _ = line(&text[..cut]);
        }
    }

    #[test]
    fn an_address_of_ipv6_is_four_words() {
        let one = u32::from_ne_bytes([0, 0, 0, 1]);
        let found = endpoint(&format!("000000000000000000000000{one:08X}:0016")).unwrap();
        assert_eq!((found.address, found.port), (IpAddr::V6(Ipv6Addr::LOCALHOST), 22));
    }

    #[test]
    fn netlink_and_proc_know_the_same_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ports = [
            listener.local_addr().unwrap().port(),
            stream.local_addr().unwrap().port(),
            udp.local_addr().unwrap().port(),
        ];
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let ours = |found: Result<Vec<Socket>>| {
                let mut ours: Vec<_> = found
                    .unwrap()
                    .into_iter()
                    .filter(|socket| ports.contains(&socket.local.port))
                    .map(|socket| (socket.local_index(), socket.remote.port, socket.inode))
                    .collect();
                ours.sort();
                ours
            };
            let found = ours(diag(protocol));
            assert_eq!(found, ours(proc(protocol)));
            assert!(!found.is_empty());
        }
    }

    #[test]
    fn a_listener_for_both_families_has_no_address() {
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        let found = sockets(Protocol::Tcp).unwrap();
        let found = found.iter().find(|socket| socket.local.port == port).unwrap();
        assert_eq!(found.local_index(), (Inet::Unknown, port.into()));
        assert_eq!(found.local_v4(), Some(Ipv4Addr::UNSPECIFIED));
    }

    #[test]
    fn octets_of_any_length_do_no_harm() {
        let octets = [INET6; 200];
        for cut in 0..octets.len() {
            let _ = socket(&octets[..cut]);
        }
    }
}
