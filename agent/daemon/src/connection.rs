//! One connection of a stream: its messages come whole out of what was received, and leave whole.
//!
//! Invariant: as many answers leave as requests were answered, in their order; while one has not left whole, no
//! further request is looked at.

use crate::stream::{Answers, Limits, TURN};
use crate::udp::transport_address;
use rustix::event::PollFlags;
use s_engine::{Left, Peer};
use socket2::{SockAddr, Socket};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// transportDomainTcpIpv4, transportDomainTcpIpv6 and transportDomainLocal (RFC 3419).
const DOMAINS: [&[u32]; 3] = [
    &[1, 3, 6, 1, 2, 1, 100, 1, 5],
    &[1, 3, 6, 1, 2, 1, 100, 1, 6],
    &[1, 3, 6, 1, 2, 1, 100, 1, 13],
];

/// What a connection waits for.
pub(crate) struct Waiting {
    pub(crate) number: u64,
    pub(crate) socket: Arc<Socket>,
    pub(crate) what: PollFlags,
    /// There is something to do whatever comes.
    pub(crate) has_more: bool,
}

pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) socket: Arc<Socket>,
    pub(crate) domain: &'static [u32],
    /// The address of the peer, as its domain writes it.
    pub(crate) address: Vec<u8>,
    /// None for a peer on this machine's own sockets.
    pub(crate) host: Option<IpAddr>,
    /// What came and was not looked at yet.
    received: Vec<u8>,
    /// Answers, and how much of them has left.
    pub(crate) answers: Vec<u8>,
    sent: usize,
    /// When a message was whole last.
    pub(crate) since: Instant,
    pub(crate) was_answered: bool,
    /// There may be a whole message in `received`.
    has_more: bool,
    /// The peer sends no more.
    has_ended: bool,
    pub(crate) is_over: bool,
}

impl Connection {
    pub(crate) fn new(number: u64, socket: Socket, from: &SockAddr) -> Option<Self> {
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
            number,
            socket: Arc::new(socket),
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
    pub(crate) fn waits_for(&self) -> Waiting {
        let is_free = self.answers.is_empty();
        let what = if is_free { PollFlags::IN } else { PollFlags::OUT };
        let has_more = self.has_more && is_free;
        Waiting { number: self.number, socket: Arc::clone(&self.socket), what, has_more }
    }

    /// Answers some of its messages; answers the one that is left for later.
    pub(crate) fn turn(
        &mut self,
        ready: PollFlags,
        limits: Limits,
        chunk: &mut [u8],
        answers: &mut dyn Answers,
    ) -> Option<(Vec<u8>, Left)> {
        self.flush();
        if !self.answers.is_empty() || self.is_over {
            return None;
        }
        if !self.has_more && ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match (&*self.socket).read(chunk) {
                Ok(0) => self.has_ended = true,
                Ok(len) => self.received.extend_from_slice(&chunk[..len]),
                Err(error) if is_passing(&error) => return None,
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
            let left = answers.answer(peer, &self.received[..len], &mut self.answers);
            let message = self.received.drain(..len);
            if let Some(left) = left {
                return Some((message.collect(), left));
            }
            drop(message);
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
        None
    }

    /// Sends what the peer takes of the answers.
    pub(crate) fn flush(&mut self) {
        while self.sent < self.answers.len() {
            match (&*self.socket).write(&self.answers[self.sent..]) {
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
pub(crate) fn is_passing(error: &io::Error) -> bool {
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
}
