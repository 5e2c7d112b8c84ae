//! Notifications on the wire: the sockets that they leave from, and the threads that hear their answers.
//!
//! A socket for each version of IP, on a port that the system gives. Nothing that comes in here is answered,
//! so the port opens no way into the agent. Invariant: sending never waits; a datagram that the system
//! does not take at once is lost, as any datagram may be, and counted by who sent it.

use crate::udp::transport_address;
use roles::notify::{
    Notifier as _, NotifierProxy, Statistics, UDP_DOMAIN, UDP_IPV6_DOMAIN, canonical, standard,
};
use roles::varbind::VarBinds;
use rustix::net::SendFlags;
use s_engine::{Engine, Outlet, Peer, Scratch};
use s_proxy::Runtime;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread listens before it looks whether it should stop.
const LISTEN: Duration = Duration::from_millis(200);

/// The sockets; none of a version that the system does not have.
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

/// Opens the way out for notifications, and tells everybody that the agent has started.
///
/// # Errors
/// The system gives no socket, or no thread.
pub(crate) fn start(
    runtime: &'static Runtime,
    engine: &Arc<Engine>,
    stop: &Arc<AtomicBool>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let open = |any: IpAddr| {
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(LISTEN))?;
        Ok::<_, io::Error>(socket)
    };
    let v4 = open(Ipv4Addr::UNSPECIFIED.into());
    let v6 = open(Ipv6Addr::UNSPECIFIED.into());
    let (v4, v6) = match (v4, v6) {
        (Err(error), Err(_)) => return Err(error),
        (v4, v6) => (v4.ok(), v6.ok()),
    };
    let mut threads = Vec::new();
    for (name, socket) in [("notify-v4", &v4), ("notify-v6", &v6)] {
        let Some(socket) = socket else { continue };
        let (socket, engine, stop) = (socket.try_clone()?, Arc::clone(engine), Arc::clone(stop));
        let thread = std::thread::Builder::new().name(name.to_owned());
        threads.push(thread.spawn(move || listen(runtime, &engine, &socket, &stop))?);
    }
    engine.facts().set_outlet(Box::new(Sockets { v4, v6 }));
    // What is kept over a restart may be configured anew, so it is never a warmStart (RFC 3418).
    runtime.worker().serve(|act| engine.notify(act, standard::COLD_START, &VarBinds::new()));
    Ok(threads)
}

/// What became of notifications so far; none while the module cannot say.
pub(crate) fn statistics(runtime: &'static Runtime) -> Option<Statistics> {
    let notifier: NotifierProxy = runtime.proxy("notify").ok()?;
    runtime.worker().serve(|act| notifier.statistics(act)).ok()
}

/// Hands what answers notifications to the engine until told to stop.
fn listen(runtime: &'static Runtime, engine: &Engine, socket: &UdpSocket, stop: &Arc<AtomicBool>) {
    let mut worker = runtime.worker();
    let mut scratch = Scratch::new();
    // One octet more than the largest message: what was cut is then seen to be too long.
    let mut room = vec![0; engine.facts().max_message_size() as usize + 1];
    let mut address = Vec::with_capacity(18);
    while !stop.load(Ordering::Relaxed) {
        // A timeout, a signal, or an ICMP error of something sent earlier: none is a datagram.
        let Ok((len, from)) = socket.recv_from(&mut room) else { continue };
        let Some(datagram) = room.get(..len) else { continue };
        let domain = transport_address(from, &mut address);
        let peer = Peer { domain, address: &address };
        scratch.begin();
        worker.serve(|act| engine.hear(act, peer, datagram, &mut scratch));
    }
}

impl Sockets {
    fn of(&self, to: SocketAddr) -> Option<&UdpSocket> {
        if to.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

impl Outlet for Sockets {
    fn send(&self, domain: &[u32], address: &[u8], message: &[u8]) -> bool {
        let Some(to) = socket_address(domain, address) else { return false };
        let Some(socket) = self.of(to) else { return false };
        let sent = || rustix::net::sendto(socket, message, SendFlags::DONTWAIT, &to);
        // An ICMP error of something sent earlier, to anybody, is told here once.
        let first = sent();
        matches!(first.or_else(|_| sent()), Ok(len) if len == message.len())
    }

    fn source_of(&self, domain: &[u32], address: &[u8]) -> Vec<u8> {
        let Some(to) = socket_address(domain, address) else { return Vec::new() };
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting sends nothing; it asks the routes.
        let source = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(to)?;
            socket.local_addr()
        });
        match source.map(|source| source.ip()) {
            Ok(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Ok(IpAddr::V6(v6)) => v6.octets().to_vec(),
            Err(_) => Vec::new(),
        }
    }
}

/// An address of a transport domain; none of one that is not UDP.
fn socket_address(domain: &[u32], address: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = address.split_last_chunk::<2>()?;
    let ip: IpAddr = match canonical(domain) {
        UDP_DOMAIN => <[u8; 4]>::try_from(ip).ok()?.into(),
        UDP_IPV6_DOMAIN => <[u8; 16]>::try_from(ip).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::contract::notify::{Reachable, transport_suite};
    use roles::notify::{Transport, UDP_IPV4_DOMAIN};
    use s_sdk::{Activity, Buf, CallError};

    fn sockets() -> Sockets {
        let bind = |any: IpAddr| UdpSocket::bind((any, 0)).ok();
        Sockets { v4: bind(Ipv4Addr::UNSPECIFIED.into()), v6: bind(Ipv6Addr::UNSPECIFIED.into()) }
    }

    /// The sockets as the engine lends them to modules.
    struct Out(Sockets);

    impl Transport for Out {
        fn send(
            &self,
            _: &Activity,
            transport_domain: &[u32],
            transport_address: &[u8],
            message: &[u8],
        ) -> Result<bool, CallError> {
            Ok(self.0.send(transport_domain, transport_address, message))
        }
        fn source_of(
            &self,
            _: &Activity,
            transport_domain: &[u32],
            transport_address: &[u8],
            source: &mut Buf,
        ) -> Result<(), CallError> {
            Ok(source.append(&self.0.source_of(transport_domain, transport_address))?)
        }
    }

    struct Nothing;

    impl s_proxy::Surroundings for Nothing {}

    #[test]
    fn the_contract_of_the_way_out_holds() {
        let (runtime, _) = Runtime::start(Arc::new(Nothing), s_proxy::gate::Fence::Everywhere);
        let (mut worker, out) = (runtime.worker(), Out(sockets()));
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut address = vec![127, 0, 0, 1];
        address.extend(receiver.local_addr().unwrap().port().to_be_bytes());
        let to = Reachable { domain: UDP_DOMAIN, address: &address };
        let mut received = || {
            let (mut room, mut messages) = ([0; 1500], Vec::new());
            while let Ok((len, from)) = receiver.recv_from(&mut room) {
                assert_eq!(from.ip(), Ipv4Addr::LOCALHOST);
                messages.push(room[..len].to_vec());
            }
            messages
        };
        transport_suite(&out, &worker.activity(), to, &mut received).unwrap();
        assert_eq!(out.0.source_of(UDP_DOMAIN, &address), [127, 0, 0, 1]);
    }

    #[test]
    fn an_address_that_is_not_of_udp_is_none() {
        assert_eq!(
            socket_address(UDP_IPV4_DOMAIN, &[10, 0, 0, 1, 0, 162]),
            Some("10.0.0.1:162".parse().unwrap())
        );
        assert!(socket_address(UDP_IPV6_DOMAIN, &[0; 18]).is_some());
        for (domain, address) in [
            (UDP_DOMAIN, &[0; 5][..]),
            (UDP_DOMAIN, &[0; 18]),
            (UDP_IPV6_DOMAIN, &[0; 6]),
            (&[1, 3], &[0; 6]),
            (UDP_DOMAIN, &[0]),
        ] {
            assert_eq!(socket_address(domain, address), None);
        }
        assert!(!sockets().send(&[1, 3], &[0; 6], b"hello"));
    }
}
