//! UDP (RFC 3417 §3): each thread has a socket of its own on the shared port, and answers what it hears.
//!
//! Invariant: a datagram is answered from the socket that received it, at most once; by the thread that received
//! it, or by those of `later.rs`.

use crate::answering::{Answer, Answering};
use crate::batch::{self, Batch};
use crate::latency::Latency;
use crate::later::{Later, ReplyTo};
use crate::watch::Post;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use s_engine::{Engine, Peer};
use s_proxy::Runtime;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// snmpUDPDomain (RFC 3417) and transportDomainUdpIpv6 (RFC 3419).
const DOMAIN_V4: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const DOMAIN_V6: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];

/// One batch in so many is timed.
const TIMED: u64 = 8;

/// How long a thread listens before it looks whether it should stop.
const LISTEN: Duration = Duration::from_millis(200);

/// Octets of datagrams that may wait for a thread to get a processor: a swap verifies and rehearses on the same ones.
const ROOM: usize = 1 << 20;

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
    // Beyond what the system allows everybody only for a start as root; with less it serves as well.
    if set_socket_recv_buffer_size_force(&socket, ROOM).is_err() {
        socket.set_recv_buffer_size(ROOM)?;
    }
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

/// One socket, and what came in by it and is not finished: that outlives a thread which is stuck in a module.
pub(crate) struct Inbox {
    socket: Arc<UdpSocket>,
    latency: Arc<Latency>,
    /// The batch of each thread that is at work here or was, the oldest first.
    batches: Mutex<Vec<Arc<Mutex<Batch>>>>,
}

impl Inbox {
    pub(crate) fn new(socket: UdpSocket, latency: &Arc<Latency>) -> Self {
        let latency = Arc::clone(latency);
        Inbox { socket: Arc::new(socket), latency, batches: Mutex::default() }
    }

    /// Answers what comes in for as long as the thread has its post. A stand-in begins with what stuck threads
    /// had received: it sends the answers that were made, and takes the datagrams that nobody has taken.
    pub(crate) fn serve(
        &self,
        runtime: &'static Runtime,
        engine: &Arc<Engine>,
        later: &Arc<Later>,
        post: &Post,
    ) {
        // One octet more than the largest message: what was cut is then seen to be too long.
        let largest = engine.facts().max_message_size() as usize + 1;
        let batch = Arc::new(Mutex::new(Batch::new(largest)));
        let mut thread = Thread {
            socket: &self.socket,
            later,
            post,
            answering: Answering::at(runtime, engine, post),
            request: Vec::new(),
            address: Vec::with_capacity(18),
        };
        let unfinished = {
            let mut batches = locked(&self.batches);
            let unfinished = batches.clone();
            batches.push(Arc::clone(&batch));
            unfinished
        };
        // Answers that were made do not wait for what is taken now.
        unfinished.iter().for_each(|batch| locked(batch).send(&self.socket));
        for batch in &unfinished {
            thread.finish(batch);
            self.forget(batch);
        }
        for number in 0_u64.. {
            let mut received = locked(&batch);
            // Asked with the lock: whoever stands in for this thread takes from the batch as it is.
            if !post.goes_on() {
                break;
            }
            // A timeout, a signal, or an ICMP error of an earlier answer: none is a datagram.
            let is_there = received.receive(&self.socket).is_ok();
            drop(received);
            if is_there {
                let since = number.is_multiple_of(TIMED).then(Instant::now);
                thread.finish(&batch);
                since.into_iter().for_each(|since| self.latency.note(since.elapsed()));
            }
        }
        self.forget(&batch);
    }

    fn forget(&self, batch: &Arc<Mutex<Batch>>) {
        locked(&self.batches).retain(|other| !Arc::ptr_eq(other, batch));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread that answers, and its memory.
struct Thread<'a> {
    socket: &'a Arc<UdpSocket>,
    later: &'a Arc<Later>,
    post: &'a Post,
    answering: Answering,
    request: Vec<u8>,
    address: Vec<u8>,
}

impl Thread<'_> {
    /// Answers what nobody has taken of a batch. It is not locked while a module is asked.
    fn finish(&mut self, batch: &Mutex<Batch>) {
        let Thread { socket, later, post, answering, request, address } = self;
        loop {
            let mut locked = locked(batch);
            let Some((at, from)) = locked.take_next(request) else {
                return locked.send(socket);
            };
            drop(locked);
            let domain = transport_address(from, address);
            let peer = Peer { domain, address };
            match answering.first(post, peer, request) {
                Answer::Octets(answer) => self::locked(batch).answer(at, answer),
                Answer::Nothing => {}
                // It needs a slow module, and others wait for this thread.
                Answer::Left(left) => {
                    let Some(envelope) = self::locked(batch).envelope(at) else { continue };
                    let reply_to = ReplyTo::Datagram(Arc::clone(socket), Box::new(envelope));
                    answering.leave(later, (domain, address, request), left, reply_to);
                }
            }
        }
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
