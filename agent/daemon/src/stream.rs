//! Streams: TCP (RFC 3430) and sockets of this machine. One thread serves all connections of all listeners,
//! a message at a time in turn.
//!
//! It never waits for one peer, and never holds more of one than a message and an answer. Invariants: as
//! many answers leave a connection as requests on it were answered, in their order; a peer that does not
//! take its answers is asked for no more requests; and there are never more connections than the limits
//! say, so that a slow or hostile peer costs a place and nothing else.

use crate::udp::transport_address;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use s_engine::Peer;
use socket2::{SockAddr, Socket};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// transportDomainTcpIpv4, transportDomainTcpIpv6 and transportDomainLocal (RFC 3419).
const DOMAINS: [&[u32]; 3] = [
    &[1, 3, 6, 1, 2, 1, 100, 1, 5],
    &[1, 3, 6, 1, 2, 1, 100, 1, 6],
    &[1, 3, 6, 1, 2, 1, 100, 1, 13],
];

/// How long the thread sleeps at most before it looks whether it should stop, and who idles.
const TICK: Duration = Duration::from_millis(200);

/// So much is read at once.
const CHUNK: usize = 16 * 1024;

/// So many messages of one connection are answered before the others have their turn.
const TURN: usize = 8;

/// What peers may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections at once from one address; all peers on this machine's own sockets count as one.
    pub(crate) connections_per_host: usize,
    /// The time from one whole message to the next.
    pub(crate) idle: Duration,
    /// Octets of a message.
    pub(crate) message_size: usize,
}

impl Limits {
    /// The usual limits, for messages of so many octets.
    pub(crate) const fn new(message_size: usize) -> Self {
        Limits {
            connections: 64,
            connections_per_host: 16,
            idle: Duration::from_secs(120),
            message_size,
        }
    }
}

/// Answers a message into the buffer, or not.
pub(crate) type Answer<'a> = dyn FnMut(Peer<'_>, &[u8], &mut Vec<u8>) + 'a;

/// Answers what comes in on streams until told to stop. The listeners do not block.
pub(crate) fn serve(
    listeners: &[Socket],
    limits: Limits,
    stop: &AtomicBool,
    answer: &mut Answer<'_>,
) {
    let mut connections: Vec<Connection> = Vec::new();
    // After an accept that failed (no descriptors left) the listeners rest for a moment.
    let mut rest_until = Instant::now();
    let mut chunk = vec![0; CHUNK];
    while !stop.load(Ordering::Relaxed) {
        let resting = rest_until > Instant::now();
        let heard: &[Socket] = if resting { &[] } else { listeners };
        let mut waiting: Vec<PollFd<'_>> = heard
            .iter()
            .map(|listener| PollFd::new(listener, PollFlags::IN))
            .chain(connections.iter().map(Connection::waits_for))
            .collect();
        let has_more = connections.iter().any(|one| one.has_more && one.answers.is_empty());
        let tick = if has_more { Duration::ZERO } else { TICK };
        let tick = Timespec { tv_sec: 0, tv_nsec: tick.subsec_nanos().into() };
        if poll(&mut waiting, Some(&tick)).is_err() {
            // Interrupted by a signal.
            continue;
        }
        let ready: Vec<PollFlags> = waiting.iter().map(PollFd::revents).collect();
        let (of_listeners, of_connections) = ready.split_at(heard.len());

        for (connection, ready) in connections.iter_mut().zip(of_connections) {
            if !ready.is_empty() || connection.has_more {
                connection.turn(*ready, limits, &mut chunk, answer);
            }
        }
        let now = Instant::now();
        connections.retain(|connection| {
            !connection.is_over && now.duration_since(connection.since) < limits.idle
        });
        for (listener, _) in
            heard.iter().zip(of_listeners).filter(|(_, ready)| ready.contains(PollFlags::IN))
        {
            match listener.accept() {
                Ok((socket, from)) => admit(&mut connections, socket, &from, limits),
                Err(error) if is_passing(&error) => {}
                Err(_) => rest_until = now + TICK,
            }
        }
    }
}

/// Takes a connection in, if there is a place for it or one can be made.
fn admit(connections: &mut Vec<Connection>, socket: Socket, from: &SockAddr, limits: Limits) {
    let Some(connection) = Connection::new(socket, from) else { return };
    let of_host = connections.iter().filter(|other| other.host == connection.host).count();
    if of_host >= limits.connections_per_host {
        // RFC 3430 §2 allows to refuse connections; the peer may use UDP.
        return;
    }
    if connections.len() >= limits.connections {
        // Who was never answered goes first, then who was silent for the longest time.
        let last = connections
            .iter()
            .enumerate()
            .min_by_key(|(_, other)| (other.was_answered, other.since))
            .map(|(at, _)| at);
        if let Some(at) = last {
            connections.swap_remove(at);
        }
    }
    connections.push(connection);
}

struct Connection {
    socket: Socket,
    domain: &'static [u32],
    /// The address of the peer, as its domain writes it.
    address: Vec<u8>,
    /// None for a peer on this machine's own sockets.
    host: Option<IpAddr>,
    /// What came and was not looked at yet.
    received: Vec<u8>,
    /// Answers, and how much of them has left.
    answers: Vec<u8>,
    sent: usize,
    /// When a message was whole last.
    since: Instant,
    was_answered: bool,
    /// There may be a whole message in `received`.
    has_more: bool,
    /// The peer sends no more.
    has_ended: bool,
    is_over: bool,
}

impl Connection {
    fn new(socket: Socket, from: &SockAddr) -> Option<Self> {
        socket.set_nonblocking(true).ok()?;
        let mut address = Vec::new();
        let [tcp, tcp6, local] = DOMAINS;
        let (domain, host) = match from.as_socket() {
            Some(peer) => {
                // Answers are whole; to wait for more of them only delays.
                socket.set_tcp_nodelay(true).ok()?;
                transport_address(peer, &mut address);
                (if peer.is_ipv6() { tcp6 } else { tcp }, Some(peer.ip()))
            }
            None => (local, None),
        };
        Some(Connection {
            socket,
            domain,
            address,
            host,
            received: Vec::new(),
            answers: Vec::new(),
            sent: 0,
            since: Instant::now(),
            was_answered: false,
            has_more: false,
            has_ended: false,
            is_over: false,
        })
    }

    /// Requests, once the answers to the last ones have left.
    fn waits_for(&self) -> PollFd<'_> {
        let what = if self.answers.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&self.socket, what)
    }

    fn turn(
        &mut self,
        ready: PollFlags,
        limits: Limits,
        chunk: &mut [u8],
        answer: &mut Answer<'_>,
    ) {
        self.flush();
        if !self.answers.is_empty() || self.is_over {
            return;
        }
        if !self.has_more && ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match self.socket.read(chunk) {
                Ok(0) => self.has_ended = true,
                Ok(len) => self.received.extend_from_slice(&chunk[..len]),
                Err(error) if is_passing(&error) => return,
                Err(_) => self.is_over = true,
            }
        }
        self.has_more = true;
        for _ in 0..TURN {
            let len = match frame(&self.received, limits.message_size) {
                Frame::Whole(len) => len,
                Frame::Part => {
                    self.has_more = false;
                    self.is_over |= self.has_ended;
                    break;
                }
                Frame::No => {
                    // Nobody knows where the next message begins. What came is looked at, so that it counts.
                    self.is_over = true;
                    self.received.len().min(limits.message_size)
                }
            };
            let peer = Peer { domain: self.domain, address: &self.address };
            answer(peer, &self.received[..len], &mut self.answers);
            self.received.drain(..len);
            self.since = Instant::now();
            self.was_answered |= !self.answers.is_empty();
            self.flush();
            if !self.answers.is_empty() || self.is_over {
                break;
            }
        }
        if self.received.is_empty() {
            // A connection that rests keeps no memory.
            self.received = Vec::new();
        }
    }

    /// Sends what the peer takes of the answers.
    fn flush(&mut self) {
        while self.sent < self.answers.len() {
            match self.socket.write(&self.answers[self.sent..]) {
                Ok(len) if len > 0 => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {
                    self.is_over = true;
                    return;
                }
            }
        }
        (self.answers, self.sent) = (Vec::new(), 0);
    }
}

/// Errors that say nothing about the connection.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | Interrupted | WouldBlock)
}

#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// A message of so many octets.
    Whole(usize),
    /// The beginning of one.
    Part,
    /// No message, or a larger one than is taken.
    No,
}

/// Where a message ends: it is a SEQUENCE of definite length (RFC 3430 §2.1, RFC 3417 §8).
fn frame(octets: &[u8], largest: usize) -> Frame {
    let [tag, octets @ ..] = octets else { return Frame::Part };
    if *tag != 0x30 {
        return Frame::No;
    }
    let [first, octets @ ..] = octets else { return Frame::Part };
    let (header, contents) = match *first {
        short @ ..=0x7f => (2, usize::from(short)),
        // No message needs more than four; more may be leading zeros only.
        long @ 0x81..=0x88 => {
            let count = usize::from(long & 0x7f);
            let Some(digits) = octets.get(..count) else { return Frame::Part };
            let contents = digits.iter().fold(0_u64, |sum, digit| (sum << 8) | u64::from(*digit));
            (2 + count, usize::try_from(contents).unwrap_or(usize::MAX))
        }
        _ => return Frame::No,
    };
    match contents.checked_add(header) {
        Some(len) if len <= largest && octets.len() + 2 >= len => Frame::Whole(len),
        Some(len) if len <= largest => Frame::Part,
        _ => Frame::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_message_ends_where_its_length_says() {
        assert_eq!(frame(&[], 100), Frame::Part);
        assert_eq!(frame(&[0x30], 100), Frame::Part);
        assert_eq!(frame(&[0x30, 2, 1], 100), Frame::Part);
        assert_eq!(frame(&[0x30, 2, 1, 2], 100), Frame::Whole(4));
        assert_eq!(frame(&[0x30, 2, 1, 2, 0x30], 100), Frame::Whole(4));
        assert_eq!(frame(&[0x30, 0x82, 0, 1, 7], 100), Frame::Whole(5));
        assert_eq!(frame(&[0x30, 0x82, 0], 100), Frame::Part);
        assert_eq!(frame(&[0x30, 0x80, 0, 0], 100), Frame::No, "indefinite");
        assert_eq!(frame(&[0x02, 1, 1], 100), Frame::No);
        assert_eq!(frame(&[0x30, 99], 100), Frame::No, "larger than is taken");
        assert_eq!(frame(&[0x30, 98], 100), Frame::Part);
        assert_eq!(frame(&[[0x30, 0x88].as_slice(), &[0xff; 8]].concat(), 100), Frame::No);
        assert_eq!(frame(&[0x30, 0x89], 100), Frame::No);
    }

    /// A server that answers each message with itself, and the address it listens on.
    fn echo<T>(limits: Limits, test: impl FnOnce(SocketAddr, &str) -> T) -> T {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listen = |domain, address: &SockAddr| {
            let socket = Socket::new(domain, Type::STREAM, None).unwrap();
            socket.bind(address).unwrap();
            socket.listen(64).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        let tcp = listen(Domain::IPV4, &loopback.into());
        let unix = listen(Domain::UNIX, &SockAddr::unix(&path).unwrap());
        let address = tcp.local_addr().unwrap().as_socket().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let listeners = [tcp, unix];
            let stop = &stop;
            scope.spawn(move || {
                serve(&listeners, limits, stop, &mut |_, message, answers| {
                    if message.starts_with(&[0x30]) {
                        answers.extend_from_slice(message);
                    }
                });
            });
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                test(address, path.to_str().unwrap())
            }));
            stop.store(true, Ordering::Relaxed);
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn is_answered(mut stream: impl io::Read + io::Write) -> bool {
        let message = [0x30, 3, 1, 2, 3];
        let mut answer = [0; 5];
        stream.write_all(&message).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == message
    }

    #[test]
    fn messages_in_pieces_and_many_at_once_are_answered_in_their_order() {
        echo(Limits::new(1000), |address, path| {
            let mut tcp = connect(address);
            let mut all = Vec::new();
            for number in 0..100_u8 {
                all.extend_from_slice(&[0x30, 0x81, 4, number, 1, 2, 3]);
            }
            let mut sender = tcp.try_clone().unwrap();
            let sent = all.clone();
            let sending = std::thread::spawn(move || {
                for piece in sent.chunks(5) {
                    sender.write_all(piece).unwrap();
                }
                sender.shutdown(Shutdown::Write).unwrap();
            });
            let mut answers = Vec::new();
            tcp.read_to_end(&mut answers).unwrap();
            sending.join().unwrap();
            assert_eq!(answers, all);
            let unix = UnixStream::connect(path).unwrap();
            unix.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            assert!(is_answered(unix));
        });
    }

    #[test]
    fn what_is_no_message_ends_its_connection_and_no_other() {
        echo(Limits::new(1000), |address, _| {
            let good = connect(address);
            assert!(is_answered(&good));
            for bad in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x30, 0x80, 0, 0], &[0x30, 0x82, 9, 9]] {
                let mut stream = connect(address);
                stream.write_all(bad).unwrap();
                // A reset is an end, too.
                let _ = stream.read_to_end(&mut Vec::new());
                assert!(is_answered(&good));
            }
        });
    }

    #[test]
    fn who_takes_no_answers_is_asked_for_no_more_requests_and_delays_nobody() {
        echo(Limits::new(60_000), |address, _| {
            let greedy = connect(address);
            greedy.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
            let message = [&[0x30, 0x82, 0xc3, 0x50][..], &[7; 50_000]].concat();
            let mut written = 0;
            // Until the server reads no more: far less than would be written to one that does.
            while written < 1 << 28 {
                match (&greedy).write(&message) {
                    Ok(len) => written += len,
                    Err(_) => break,
                }
            }
            assert!(written < 1 << 28, "somebody kept {written} octets");
            assert!(is_answered(connect(address)));
        });
    }

    #[test]
    fn places_are_limited_and_whoever_idles_loses_his() {
        let limits = Limits { connections: 4, connections_per_host: 4, ..Limits::new(1000) };
        echo(limits, |address, path| {
            let held: Vec<_> = (0..4).map(|_| connect(address)).collect();
            assert!(held.iter().take(3).all(is_answered));
            // A fifth of the same host is refused.
            assert!(!is_answered(connect(address)));
            // Somebody else takes the place of the one that never asked anything.
            let mut other = UnixStream::connect(path).unwrap();
            other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            assert!(is_answered(&mut other));
            assert!(held.iter().take(3).all(is_answered));
            assert!(!is_answered(&held[3]));
        });
        let limits = Limits { idle: Duration::from_millis(50), ..Limits::new(1000) };
        echo(limits, |address, _| {
            let mut slow = connect(address);
            slow.write_all(&[0x30, 3, 1]).unwrap();
            // Ends because it idles: the read would time out otherwise.
            let _ = slow.read_to_end(&mut Vec::new()).unwrap();
        });
    }
}
