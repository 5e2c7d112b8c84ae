//! Streams: TCP (RFC 3430) and sockets of this machine. One thread serves all connections of all listeners,
//! a message at a time in turn.
//!
//! It never waits for one peer, and never holds more of one than a message and an answer. A connection whose
//! message is being answered belongs to whoever answers it, so a thread that is stuck in a module, and a
//! request that is left for later, keep one connection from the others' turns and no more. Invariants: as
//! many answers leave a connection as requests on it were answered, in their order; a peer that does not
//! take its answers is asked for no more requests; and there are never more connections than the limits
//! say, so that a slow or hostile peer costs a place and nothing else.

use crate::connection::{Connection, Waiting, is_passing};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use s_engine::{Left, Peer};
use socket2::{SockAddr, Socket};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the thread sleeps at most before it looks whether it should stop, and who idles.
const TICK: Duration = Duration::from_millis(200);

/// So much is read at once.
const CHUNK: usize = 16 * 1024;

/// So many messages of one connection are answered before the others have their turn.
pub(crate) const TURN: usize = 8;

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

/// Who answers messages.
pub(crate) trait Answers {
    /// Answers a message into the buffer, or not; or says that it is left for later.
    fn answer(&mut self, peer: Peer<'_>, message: &[u8], into: &mut Vec<u8>) -> Option<Left>;

    /// Takes over what is left for later, with the connection that waits for it.
    fn leave(&mut self, away: Away, message: &[u8], left: Left);
}

/// The listeners and all connections: they outlive a thread that is stuck in a module.
pub(crate) struct Streams {
    listeners: Vec<Socket>,
    limits: Limits,
    connections: Mutex<Connections>,
    /// A connection has come back: the end that is written to, and the one that is listened on.
    came_back: (UnixStream, UnixStream),
}

#[derive(Default)]
struct Connections {
    here: Vec<Connection>,
    /// The hosts of those whose message is being answered, whichever thread has them.
    away: Vec<Option<IpAddr>>,
    /// How many there have been.
    count: u64,
}

/// A connection whose message is being answered. It is read from no further until the answer has left.
pub(crate) struct Away {
    connection: Connection,
    streams: Arc<Streams>,
}

impl Away {
    /// The transport domain and the address of the peer.
    pub(crate) fn peer(&self) -> (&'static [u32], Vec<u8>) {
        (self.connection.domain, self.connection.address.clone())
    }

    /// It is served again, once its answer, if there is one, has left.
    pub(crate) fn come_back(mut self, answer: &[u8]) {
        self.connection.answers.extend_from_slice(answer);
        self.connection.was_answered |= !answer.is_empty();
        self.connection.since = Instant::now();
        self.connection.flush();
        self.streams.put_back(self.connection);
        // Where the buffer is full, there is something to hear already.
        let _ = (&self.streams.came_back.0).write(&[0]);
    }
}

impl Streams {
    /// Serves listeners, which do not block.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn new(listeners: Vec<Socket>, limits: Limits) -> io::Result<Arc<Self>> {
        let came_back = UnixStream::pair()?;
        came_back.0.set_nonblocking(true)?;
        came_back.1.set_nonblocking(true)?;
        Ok(Arc::new(Streams { listeners, limits, connections: Mutex::default(), came_back }))
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection out for as long as one of its messages is answered.
    fn take(&self, number: u64) -> Option<Connection> {
        let mut connections = self.connections();
        let at = connections.here.iter().position(|one| one.number == number)?;
        let connection = connections.here.swap_remove(at);
        connections.away.push(connection.host);
        Some(connection)
    }

    fn put_back(&self, connection: Connection) {
        let mut connections = self.connections();
        if let Some(at) = connections.away.iter().position(|host| *host == connection.host) {
            connections.away.swap_remove(at);
        }
        if !connection.is_over {
            connections.here.push(connection);
        }
    }

    /// Answers what comes in for as long as `goes_on`. It may be called again while an earlier call is stuck
    /// in a message: the connection of that message is the only one that waits.
    pub(crate) fn serve(self: &Arc<Self>, goes_on: &dyn Fn() -> bool, answers: &mut dyn Answers) {
        // After an accept that failed (no descriptors left) the listeners rest for a moment.
        let mut rest_until = Instant::now();
        let mut chunk = vec![0; CHUNK];
        while goes_on() {
            let heard = match rest_until > Instant::now() {
                true => &[],
                false => &self.listeners[..],
            };
            let waiting: Vec<Waiting> =
                self.connections().here.iter().map(Connection::waits_for).collect();
            let has_more = waiting.iter().any(|one| one.has_more);
            let mut polled: Vec<PollFd<'_>> = heard
                .iter()
                .map(|listener| PollFd::new(listener, PollFlags::IN))
                .chain(waiting.iter().map(|one| PollFd::new(&*one.socket, one.what)))
                .chain([PollFd::new(&self.came_back.1, PollFlags::IN)])
                .collect();
            let tick = if has_more { Duration::ZERO } else { TICK };
            let tick = Timespec { tv_sec: 0, tv_nsec: tick.subsec_nanos().into() };
            if poll(&mut polled, Some(&tick)).is_err() {
                // Interrupted by a signal.
                continue;
            }
            let ready: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
            let (of_listeners, of_connections) = ready.split_at(heard.len());
            // Only to be woken; what came back is among the others next time.
            let _ = (&self.came_back.1).read(&mut chunk);

            for (one, ready) in waiting.iter().zip(of_connections) {
                if !ready.is_empty() || one.has_more {
                    self.turn(one.number, *ready, &mut chunk, answers);
                }
                if !goes_on() {
                    return;
                }
            }
            let now = Instant::now();
            let idle = self.limits.idle;
            self.connections().here.retain(|one| now.duration_since(one.since) < idle);
            for (listener, _) in
                heard.iter().zip(of_listeners).filter(|(_, ready)| ready.contains(PollFlags::IN))
            {
                match listener.accept() {
                    Ok((socket, from)) => self.connections().admit(socket, &from, self.limits),
                    Err(error) if is_passing(&error) => {}
                    Err(_) => rest_until = now + TICK,
                }
            }
        }
    }

    /// Serves one connection, which nobody else has meanwhile.
    fn turn(
        self: &Arc<Self>,
        number: u64,
        ready: PollFlags,
        chunk: &mut [u8],
        answers: &mut dyn Answers,
    ) {
        let Some(mut connection) = self.take(number) else { return };
        match connection.turn(ready, self.limits, chunk, answers) {
            None => self.put_back(connection),
            Some((message, left)) => {
                let away = Away { connection, streams: Arc::clone(self) };
                answers.leave(away, &message, left);
            }
        }
    }
}

impl Connections {
    /// Takes a connection in, if there is a place for it or one can be made.
    fn admit(&mut self, socket: Socket, from: &SockAddr, limits: Limits) {
        self.count += 1;
        let Some(connection) = Connection::new(self.count, socket, from) else { return };
        let hosts = self.here.iter().map(|other| other.host).chain(self.away.iter().copied());
        if hosts.filter(|host| *host == connection.host).count() >= limits.connections_per_host {
            // RFC 3430 §2 allows to refuse connections; the peer may use UDP.
            return;
        }
        if self.here.len() + self.away.len() >= limits.connections {
            // Who was never answered goes first, then who was silent for the longest time.
            let last = self
                .here
                .iter()
                .enumerate()
                .min_by_key(|(_, other)| (other.was_answered, other.since))
                .map(|(at, _)| at);
            let Some(at) = last else { return };
            self.here.swap_remove(at);
        }
        self.here.push(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Answers what is a message with itself.
    struct Echo;

    impl Answers for Echo {
        fn answer(&mut self, _: Peer<'_>, message: &[u8], into: &mut Vec<u8>) -> Option<Left> {
            if message.starts_with(&[0x30]) {
                into.extend_from_slice(message);
            }
            None
        }

        fn leave(&mut self, away: Away, _: &[u8], _: Left) {
            away.come_back(&[]);
        }
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
            let streams = Streams::new(vec![tcp, unix], limits).unwrap();
            let goes_on = || !stop.load(Ordering::Relaxed);
            scope.spawn(move || streams.serve(&goes_on, &mut Echo));
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
