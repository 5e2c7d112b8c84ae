//! Small servers for people and programs on this machine: one request at a time, a thread for each server.
//!
//! Invariant: nobody is given more than so many octets and so much time, so that whoever dawdles delays the
//! next one by no more than that, and requests of SNMP by nothing.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the thread sleeps at most before it looks whether it should stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// The time for a request and its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Octets of a request.
const LARGEST: usize = 8 * 1024;

/// Hands connections to `answer`, one after the other, until told to stop. The listeners do not block.
pub(crate) fn serve(listeners: &[Socket], stop: &AtomicBool, mut answer: impl FnMut(&Socket)) {
    while !stop.load(Ordering::Relaxed) {
        let mut waiting: Vec<_> =
            listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        if poll(&mut waiting, Some(&TICK)).is_err() {
            continue;
        }
        for listener in listeners {
            match listener.accept() {
                Ok((connection, _)) => {
                    let has_limits = connection.set_nonblocking(false).is_ok()
                        && connection.set_write_timeout(Some(PATIENCE)).is_ok();
                    if has_limits {
                        answer(&connection);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // No descriptors left, or a connection that is gone already: later, and not at once.
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// A request up to and including `end`.
///
/// # Errors
/// The connection's; `InvalidData` for a request that is too long, `TimedOut` for one that takes too long.
pub(crate) fn request(mut connection: &Socket, end: &[u8]) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_read_timeout(Some(left))?;
        match connection.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => request.extend_from_slice(&chunk[..len]),
        }
        if request.len() > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(at) = request.windows(end.len()).position(|window| window == end) {
            request.truncate(at + end.len());
            return Ok(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_request_ends_where_it_says_and_is_no_longer_than_allowed() {
        let (ours, mut theirs) =
            Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        theirs.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(request(&ours, b"\n").unwrap(), b"one\n");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // It may be cut off at any moment.
                let _ = (&theirs).write_all(&[b'x'; LARGEST * 4]);
            });
            let error = request(&ours, b"\n").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            drop(ours);
        });
    }

    #[test]
    fn who_says_nothing_is_not_waited_for() {
        let (ours, _theirs) =
            Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        let error = request(&ours, b"\n").unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    }
}
