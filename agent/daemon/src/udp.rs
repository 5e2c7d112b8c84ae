//! UDP (RFC 3417 §3): each thread has a socket of its own on the shared port, and answers what it hears.
//!
//! Invariant: a datagram is answered by the thread that received it, from the socket that received it, at
//! most once.

use crate::batch::{self, Batch};
use crate::watch::Receiving;
use s_engine::{Patience, Peer, Scratch};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// snmpUDPDomain (RFC 3417) and transportDomainUdpIpv6 (RFC 3419).
const DOMAIN_V4: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const DOMAIN_V6: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];

/// How long a thread listens before it looks whether it should stop.
const LISTEN: Duration = Duration::from_millis(200);

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
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))
}

/// Answers what comes in until told to stop.
pub(crate) fn serve(receiving: &Receiving) {
    let Receiving { runtime, engine, later, socket, .. } = receiving;
    let mut worker = runtime.worker();
    let mut scratch = Scratch::new();
    scratch.set_patience(Patience::Leaving);
    scratch.set_progress(Arc::clone(&receiving.progress));
    // One octet more than the largest message: what was cut is then seen to be too long.
    let mut batch = Batch::new(engine.facts().max_message_size() as usize + 1);
    let mut address = Vec::with_capacity(18);
    while receiving.goes_on() {
        // A timeout, a signal, or an ICMP error of an earlier answer: none is a datagram.
        let Ok(count) = batch.receive(socket) else { continue };
        for at in 0..count {
            let Some((from, request)) = batch.datagram(at) else { continue };
            let domain = transport_address(from, &mut address);
            let peer = Peer { domain, address: &address };
            scratch.begin();
            let mut is_there = worker.serve(|act| engine.answer(act, peer, request, &mut scratch));
            if scratch.is_left() {
                // It needs a slow module, and others wait for this thread.
                let is_set = scratch.is_left_set();
                let is_taken = batch
                    .envelope(at)
                    .is_some_and(|envelope| later.take(socket, envelope, (from, request), is_set));
                if is_taken {
                    continue;
                }
                scratch.set_patience(Patience::Avoiding);
                is_there = worker.serve(|act| engine.answer(act, peer, request, &mut scratch));
                scratch.set_patience(Patience::Leaving);
            }
            if is_there {
                batch.answer(at, scratch.answer());
            }
        }
        batch.send(socket);
    }
}

/// The address of a peer as its transport domain writes it.
pub(crate) fn transport_address(from: SocketAddr, address: &mut Vec<u8>) -> &'static [u32] {
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
