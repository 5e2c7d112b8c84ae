//! UDP (RFC 3417 §3): each thread has a socket of its own on the shared port, and answers what it hears.
//!
//! Invariant: a datagram is answered by the thread that received it, from the socket that received it, at
//! most once.

use crate::batch::{self, Batch};
use s_engine::{Engine, Peer, Scratch};
use s_proxy::Runtime;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// snmpUDPDomain (RFC 3417) and transportDomainUdpIpv6 (RFC 3419).
const DOMAIN_V4: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const DOMAIN_V6: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];

/// How long a thread listens before it looks whether it should stop.
const LISTEN: Duration = Duration::from_millis(200);

/// An address as snmpd spells it: `udp:127.0.0.1:1161`, `udp6:[::1]:1161`, `127.0.0.1:1161`, `1161`.
///
/// # Errors
/// Cause and remedy.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    const REMEDY: &str = "write udp:ADDRESS:PORT or udp6:[ADDRESS]:PORT";
    let (transport, rest) = match text.split_once(':') {
        Some((transport @ ("udp" | "udp6" | "udpv6"), rest)) => (transport, rest),
        Some((transport @ ("tcp" | "tcp6" | "unix" | "ssh" | "tlstcp" | "dtlsudp"), _)) => {
            return Err(format!(
                "`{text}`: this agent does not listen on {transport} yet; {REMEDY}"
            ));
        }
        _ => ("udp", text),
    };
    let any = if transport == "udp" { "0.0.0.0" } else { "::" };
    let whole = rest.parse().ok();
    let port = || rest.parse().ok().map(|port| (any.parse(), port));
    let host = || rest.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|host| (Ok(host), 161));
    whole
        .or_else(|| {
            port().or_else(host).and_then(|(host, port)| Some(SocketAddr::new(host.ok()?, port)))
        })
        .ok_or_else(|| format!("`{text}` is no address; {REMEDY}"))
}

/// A socket that shares its port with the sockets of other threads.
///
/// # Errors
/// The system's.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    socket.set_read_timeout(Some(LISTEN))?;
    socket.bind(&SockAddr::from(address))?;
    let socket = socket.into();
    if address.ip().is_unspecified() {
        batch::tell_arrival(&socket, address.is_ipv6())?;
    }
    Ok(socket)
}

/// Whether somebody else has the port: sockets that share one do not notice each other.
///
/// # Errors
/// The system's; `AddrInUse` when somebody has it.
pub(crate) fn claim(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address).map(drop)
}

/// Answers what comes in until told to stop.
pub(crate) fn serve(
    runtime: &'static Runtime,
    engine: &Engine,
    socket: &UdpSocket,
    stop: &Arc<AtomicBool>,
) {
    let mut worker = runtime.worker();
    let mut scratch = Scratch::new();
    // One octet more than the largest message: what was cut is then seen to be too long.
    let mut batch = Batch::new(engine.facts().max_message_size() as usize + 1);
    let mut address = Vec::with_capacity(18);
    while !stop.load(Ordering::Relaxed) {
        // A timeout, a signal, or an ICMP error of an earlier answer: none is a datagram.
        let Ok(count) = batch.receive(socket) else { continue };
        for at in 0..count {
            let Some((from, request)) = batch.datagram(at) else { continue };
            let domain = transport_address(from, &mut address);
            let peer = Peer { domain, address: &address };
            scratch.begin();
            if worker.serve(|act| engine.answer(act, peer, request, &mut scratch)) {
                batch.answer(at, scratch.answer());
            }
        }
        batch.send(socket);
    }
}

/// The address of a peer as its transport domain writes it.
fn transport_address(from: SocketAddr, address: &mut Vec<u8>) -> &'static [u32] {
    address.clear();
    let domain = match from.ip() {
        IpAddr::V4(v4) => {
            address.extend(v4.octets());
            DOMAIN_V4
        }
        IpAddr::V6(v6) => {
            address.extend(v6.octets());
            DOMAIN_V6
        }
    };
    address.extend(from.port().to_be_bytes());
    domain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelled_as_snmpd_spells_them() {
        let port = |text: &str| address(text).map(|found| found.to_string());
        assert_eq!(port("udp:127.0.0.1:1161"), Ok("127.0.0.1:1161".into()));
        assert_eq!(port("127.0.0.1:1161"), Ok("127.0.0.1:1161".into()));
        assert_eq!(port("udp6:[::1]:1161"), Ok("[::1]:1161".into()));
        assert_eq!(port("udp6:1161"), Ok("[::]:1161".into()));
        assert_eq!(port("udp:161"), Ok("0.0.0.0:161".into()));
        assert_eq!(port("10.1.2.3"), Ok("10.1.2.3:161".into()));
        assert!(port("tcp:127.0.0.1:1161").unwrap_err().contains("not listen on tcp"));
        assert!(port("udp:here").unwrap_err().contains("write udp:ADDRESS:PORT"));
    }
}
