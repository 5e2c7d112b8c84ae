//! Small servers for people and programs on this machine: a request and its answer on each connection, all of
//! them served by one thread.
//!
//! It never waits for one caller. Invariants: nobody is given more than so many octets and so much time, and
//! there are never more callers than places; when all are taken, who has been silent for the longest time
//! gives way, so that those who dawdle delay nobody, and requests of SNMP least of all.

use crate::connection::is_passing;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use std::io::{self, Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the thread sleeps at most before it looks whether it should stop, and who dawdles.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// The time for a request, and the same for its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Octets of a request.
const LARGEST: usize = 8 * 1024;

/// Callers at once.
const PLACES: usize = 64;

/// So many are let in at a listener before those who are in have their turn: fewer than there are places, so
/// that whoever asks at once is heard before the next ones could take his.
const AT_ONCE: usize = 16;

/// Answers requests, each up to and including `end`, until told to stop. The listeners do not block; an empty
/// answer ends the connection, as the end of any other does.
pub(crate) fn serve(
    listeners: &[Socket],
    stop: &AtomicBool,
    end: &[u8],
    mut answer: impl FnMut(&[u8]) -> Vec<u8>,
) {
    let mut callers: Vec<Caller> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let listening = listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN));
        let mut polled: Vec<PollFd<'_>> =
            listening.chain(callers.iter().map(Caller::waits)).collect();
        if poll(&mut polled, Some(&TICK)).is_err() {
            // Interrupted by a signal.
            continue;
        }
        let is_ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        let now = Instant::now();
        let (of_listeners, of_callers) = is_ready.split_at(listeners.len());
        let mut of_callers = of_callers.iter();
        callers.retain_mut(|caller| match of_callers.next() {
            Some(true) => caller.turn(now, end, &mut answer),
            _ => caller.has_time(now),
        });
        for (listener, _) in listeners.iter().zip(of_listeners).filter(|(_, ready)| **ready) {
            for _ in 0..AT_ONCE {
                match listener.accept() {
                    Ok((socket, _)) => {
                        if socket.set_nonblocking(true).is_ok() {
                            callers.push(Caller::new(socket, now));
                        }
                    }
                    Err(error) if is_passing(&error) => break,
                    // No descriptors left: later, and not at once.
                    Err(_) => {
                        std::thread::sleep(Duration::from_millis(50));
                        break;
                    }
                }
            }
        }
        callers.sort_by_key(|caller| caller.since);
        callers.drain(..callers.len().saturating_sub(PLACES));
    }
}

/// Somebody who asks one thing.
struct Caller {
    socket: Socket,
    /// When it came, or asked.
    since: Instant,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// How much of the answer has left.
    sent: usize,
}

impl Caller {
    const fn new(socket: Socket, since: Instant) -> Self {
        Caller { socket, since, request: Vec::new(), answer: Vec::new(), sent: 0 }
    }

    fn waits(&self) -> PollFd<'_> {
        let what = if self.answer.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&self.socket, what)
    }

    /// Does what can be done without waiting; says whether there is more to do.
    fn turn(
        &mut self,
        now: Instant,
        end: &[u8],
        answer: &mut impl FnMut(&[u8]) -> Vec<u8>,
    ) -> bool {
        let heard = match self.answer.is_empty() {
            true => self.hear(now, end, answer),
            false => Ok(()),
        };
        match heard.and_then(|()| self.speak()) {
            Ok(()) => false,
            // Whoever goes away is not waited for.
            Err(error) => is_passing(&error) && self.has_time(now),
        }
    }

    fn has_time(&self, now: Instant) -> bool {
        now.duration_since(self.since) < PATIENCE
    }

    fn hear(
        &mut self,
        now: Instant,
        end: &[u8],
        answer: &mut impl FnMut(&[u8]) -> Vec<u8>,
    ) -> io::Result<()> {
        let mut chunk = [0; 1024];
        match (&self.socket).read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => self.request.extend_from_slice(&chunk[..len]),
        }
        let found = self.request.windows(end.len()).position(|window| window == end);
        match found {
            Some(at) if at < LARGEST => {
                self.since = now;
                self.answer = answer(&self.request[..at + end.len()]);
                Ok(())
            }
            None if self.request.len() < LARGEST => Err(io::ErrorKind::WouldBlock.into()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn speak(&mut self) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.answer.get(self.sent..) {
            self.sent += (&self.socket).write(rest)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, SockAddr, Type};
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    /// A server that answers a line with itself, `many` times.
    fn echo(many: usize, test: impl FnOnce(&Path)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(64).unwrap();
        listener.set_nonblocking(true).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&[listener], &stop, b"\n", |line| line.repeat(many)));
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&path)));
            stop.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    fn connect(path: &Path) -> UnixStream {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn rest_of(mut stream: UnixStream) -> Vec<u8> {
        let mut text = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut text);
        text
    }

    #[test]
    fn a_request_ends_where_it_says_and_is_no_longer_than_allowed() {
        echo(1, |path| {
            let mut stream = connect(path);
            for piece in [&b"on"[..], b"e", b"\ntwo\n"] {
                stream.write_all(piece).unwrap();
            }
            assert_eq!(rest_of(stream), b"one\n");
            let mut long = connect(path);
            // It may be cut off at any moment.
            let _ = long.write_all(&[b'x'; LARGEST * 4]).and_then(|()| long.write_all(b"\n"));
            assert_eq!(rest_of(long), b"");
        });
    }

    #[test]
    fn a_long_answer_leaves_whole_to_who_takes_it_slowly() {
        const MANY: usize = 1 << 22;
        echo(MANY, |path| {
            let mut stream = connect(path);
            stream.write_all(b"\n").unwrap();
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(rest_of(stream).len(), MANY);
        });
    }

    #[test]
    fn who_says_nothing_is_let_go_and_delays_nobody() {
        echo(1, |path| {
            let idle: Vec<_> = (0..4 * PLACES).map(|_| connect(path)).collect();
            let mut stream = connect(path);
            stream.write_all(b"one\n").unwrap();
            assert_eq!(rest_of(stream), b"one\n");
            // Those that came first gave way, the last ones ran out of time: no read times out.
            for mut one in idle {
                assert_eq!(one.read(&mut [0; 1]).unwrap(), 0);
            }
        });
    }
}
