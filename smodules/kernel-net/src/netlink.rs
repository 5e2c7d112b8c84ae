//! Netlink: asking for dumps, taking messages apart (netlink(7), rtnetlink(7)).
//!
//! It never waits: the kernel makes the next part of a dump while it hands out the last one. Lengths in
//! messages are believed only as far as the octets go. Numbers are in the byte order of the machine.

use netlink_sys::{Socket, SocketAddr};
use std::io::{Error, ErrorKind, Result};

/// Which kernel tables: a netlink protocol.
pub use netlink_sys::protocols::{NETLINK_ROUTE, NETLINK_SOCK_DIAG};

/// As much as the kernel ever hands out at once.
const PART: usize = 64 * 1024;
/// A dump during which the table changed is begun anew, so many times.
const ATTEMPTS: usize = 3;

pub(crate) const HEADER: usize = 16;

const ERROR: u16 = 2;
const DONE: u16 = 3;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
const INTERRUPTED: u16 = 0x10;

/// Address families.
pub(crate) const INET: u8 = 2;
pub(crate) const INET6: u8 = 10;

/// A netlink socket that never blocks.
fn socket(protocol: isize) -> Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

/// All entries of a table. `body` is the request behind its header; `entries` takes what one message holds.
///
/// # Errors
/// The kernel refuses, or the socket cannot be had.
pub(crate) fn dump<T>(
    protocol: isize,
    kind: u16,
    body: &[u8],
    mut entries: impl FnMut(&[u8], &mut Vec<T>),
) -> Result<Vec<T>> {
    let socket = socket(protocol)?;
    let mut found = Vec::new();
    for _ in 0..ATTEMPTS {
        found.clear();
        socket.send(&request(kind, REQUEST | DUMP, body), 0)?;
        if receive(&socket, |message| entries(message.body, &mut found))? {
            break;
        }
    }
    Ok(found)
}

/// Asks for a change and waits for the kernel to say that it was made.
///
/// # Errors
/// The kernel's reason.
pub(crate) fn change(kind: u16, body: &[u8]) -> Result<()> {
    let socket = socket(NETLINK_ROUTE)?;
    socket.send(&request(kind, REQUEST | ACKNOWLEDGE, body), 0)?;
    receive(&socket, |_| {}).map(drop)
}

/// Messages up to the last one; false if the table changed meanwhile.
fn receive(socket: &Socket, mut take: impl FnMut(&Message<'_>)) -> Result<bool> {
    let (mut part, mut whole) = (Vec::with_capacity(PART), true);
    loop {
        part.clear();
        socket.recv(&mut part, 0)?;
        let mut rest = part.as_slice();
        while let Some(message) = Message::take(&mut rest) {
            whole &= message.flags & INTERRUPTED == 0;
            match message.kind {
                DONE => return Ok(whole),
                // An error of 0 acknowledges.
                ERROR => {
                    return match word(message.body, 0).map_or(0, u32::cast_signed) {
                        0 => Ok(whole),
                        code => Err(Error::from_raw_os_error(code.saturating_neg())),
                    };
                }
                _ => take(&message),
            }
        }
        if part.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    // A request is two headers and some attributes: far from 2^32 octets.
    let len = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut request = len.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.resize(HEADER, 0);
    request.extend(body);
    request
}

/// Changes of links, as they happen.
pub struct Changes {
    socket: Socket,
    part: Vec<u8>,
}

/// The multicast group of links.
const LINK_GROUP: u32 = 1;

impl Changes {
    /// Listens from now on.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn of_links() -> Result<Self> {
        let socket = socket(NETLINK_ROUTE)?;
        socket.add_membership(LINK_GROUP)?;
        Ok(Changes { socket, part: Vec::with_capacity(PART) })
    }

    /// What has changed since the last call: `take` gets a message's kind and body. Never waits.
    ///
    /// # Errors
    /// There were more changes than the socket holds, so some are lost; the next call goes on.
    pub fn take(&mut self, mut take: impl FnMut(u16, &[u8])) -> Result<()> {
        loop {
            self.part.clear();
            match self.socket.recv(&mut self.part, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            let mut rest = self.part.as_slice();
            while let Some(message) = Message::take(&mut rest) {
                take(message.kind, message.body);
            }
        }
    }
}

pub(crate) struct Message<'a> {
    kind: u16,
    flags: u16,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let len = word(rest, 0)? as usize;
        let (kind, flags) = (half(rest, 4)?, half(rest, 6)?);
        let body = rest.get(HEADER..len)?;
        *rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, flags, body })
    }
}

/// The attributes in some octets: kind and value of each.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (len, kind) = (half(rest, 0)?, half(rest, 2)?);
        let value = rest.get(4..len.into())?;
        rest = rest.get(usize::from(len).next_multiple_of(4)..).unwrap_or_default();
        // The two upper bits say how a value is nested and encoded.
        Some((kind & 0x3fff, value))
    })
}

pub(crate) fn text(value: &[u8]) -> Vec<u8> {
    value.split(|octet| *octet == 0).next().unwrap_or_default().to_vec()
}

pub(crate) fn byte(octets: &[u8], at: usize) -> Option<u8> {
    octets.get(at).copied()
}

pub(crate) fn half(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

pub(crate) fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

pub(crate) fn long(octets: &[u8], at: usize) -> Option<u64> {
    octets.get(at..)?.first_chunk().map(|octets| u64::from_ne_bytes(*octets))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len() + 4).unwrap();
        let mut octets = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    #[test]
    fn attributes_come_out_as_they_were_put_in() {
        let octets = [attribute(3, b"eth0\0"), attribute(0x8004, &[1])].concat();
        let found: Vec<_> = attributes(&octets).collect();
        assert_eq!(found, [(3, b"eth0\0".as_slice()), (4, &[1])]);
        assert_eq!(text(found[0].1), b"eth0");
    }

    #[test]
    fn a_length_of_zero_ends_the_messages() {
        let mut rest: &[u8] = &[0; 64];
        assert!(Message::take(&mut rest).is_none());
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }

    proptest! {
        #[test]
        fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = octets.as_slice();
            let mut taken = 0;
            while let Some(message) = Message::take(&mut rest) {
                taken += HEADER + message.body.len();
                prop_assert!(taken <= octets.len());
            }
            let inside: usize = attributes(&octets).map(|(_, value)| value.len() + 4).sum();
            prop_assert!(inside <= octets.len() + 3);
        }
    }
}
