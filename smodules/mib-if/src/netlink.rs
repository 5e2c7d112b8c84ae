//! All links of the network namespace in one dump (rtnetlink(7), RTM_GETLINK).
//!
//! It never waits: the kernel makes the next part of a dump while it hands out the last one. Lengths in
//! messages are believed only as far as the octets go. Numbers are in the byte order of the machine.

use crate::link::{Counters, Link};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::io::{Error, ErrorKind, Result};

/// As much as the kernel ever hands out at once.
const PART: usize = 64 * 1024;
/// A dump during which links came or went is begun anew, so many times.
const ATTEMPTS: usize = 3;

const MESSAGE_HEADER: usize = 16;
const LINK_HEADER: usize = 16;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const REQUEST_DUMP: u16 = 0x301;
const INTERRUPTED: u16 = 0x10;

/// Reads all links.
pub(crate) fn links() -> Result<Vec<Link>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_non_blocking(true)?;
    let mut links = Vec::new();
    for _ in 0..ATTEMPTS {
        links.clear();
        if dump(&socket, &mut links)? {
            break;
        }
    }
    Ok(links)
}

/// One dump; false if links came or went during it.
fn dump(socket: &Socket, links: &mut Vec<Link>) -> Result<bool> {
    socket.send(&request(), 0)?;
    let (mut part, mut whole) = (Vec::with_capacity(PART), true);
    loop {
        part.clear();
        socket.recv(&mut part, 0)?;
        let mut rest = part.as_slice();
        while let Some(message) = Message::take(&mut rest) {
            whole &= message.flags & INTERRUPTED == 0;
            match message.kind {
                NEW_LINK => links.extend(link(message.body)),
                DONE => return Ok(whole),
                ERROR => {
                    let code = word(message.body, 0).map_or(0, u32::cast_signed);
                    return Err(Error::from_raw_os_error(code.saturating_neg()));
                }
                _ => {}
            }
        }
        if part.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

fn request() -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "two headers")]
    let len = (MESSAGE_HEADER + LINK_HEADER) as u32;
    let mut request = len.to_ne_bytes().to_vec();
    request.extend(GET_LINK.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.resize(MESSAGE_HEADER + LINK_HEADER, 0);
    request
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let len = word(rest, 0)? as usize;
        let (kind, flags) = (half(rest, 4)?, half(rest, 6)?);
        let body = rest.get(MESSAGE_HEADER..len)?;
        *rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, flags, body })
    }
}

/// A link from the body of its message: struct ifinfomsg and attributes.
fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        hardware: half(body, 2)?,
        index: word(body, 4)?,
        flags: word(body, 8)?,
        ..Link::default()
    };
    let mut rest = body.get(LINK_HEADER..)?;
    while let (Some(len), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let Some(value) = rest.get(4..len.into()) else { break };
        rest = rest.get(usize::from(len).next_multiple_of(4)..).unwrap_or_default();
        // The two upper bits say how a value is nested and encoded.
        match kind & 0x3fff {
            1 => link.address = value.to_vec(),
            3 => link.name = text(value),
            4 => link.mtu = word(value, 0)?,
            16 => link.oper_state = *value.first()?,
            20 => link.alias = text(value),
            23 => link.counters = counters(value)?,
            35 => link.carrier_changes = word(value, 0)?,
            _ => {}
        }
    }
    Some(link)
}

/// struct rtnl_link_stats64, of which older kernels have less.
fn counters(value: &[u8]) -> Option<Counters> {
    let at = |place: usize| long(value, place * 8);
    Some(Counters {
        rx_packets: at(0)?,
        tx_packets: at(1)?,
        rx_octets: at(2)?,
        tx_octets: at(3)?,
        rx_errors: at(4)?,
        tx_errors: at(5)?,
        rx_dropped: at(6)?,
        tx_dropped: at(7)?,
        multicast: at(8)?,
        no_handler: at(23).unwrap_or(0),
    })
}

fn text(value: &[u8]) -> Vec<u8> {
    value.split(|octet| *octet == 0).next().unwrap_or_default().to_vec()
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

fn long(octets: &[u8], at: usize) -> Option<u64> {
    octets.get(at..)?.first_chunk().map(|octets| u64::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len() + 4).unwrap();
        let mut octets = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    fn body() -> Vec<u8> {
        let mut body = vec![0; LINK_HEADER];
        body[2..4].copy_from_slice(&1u16.to_ne_bytes());
        body[4..8].copy_from_slice(&7u32.to_ne_bytes());
        body[8..12].copy_from_slice(&0x41u32.to_ne_bytes());
        let stats: Vec<u8> = (1..=23u64).flat_map(u64::to_ne_bytes).collect();
        for (kind, value) in [
            (3, b"eth7\0".as_slice()),
            (1, &[2, 0, 0, 0, 0, 7]),
            (4, &1500u32.to_ne_bytes()),
            (99, b"unknown"),
            (23, &stats),
            (16, &[6]),
            (20, b"uplink\0"),
        ] {
            body.extend(attribute(kind, value));
        }
        body
    }

    #[test]
    fn a_link_is_read_and_what_is_unknown_is_passed_over() {
        let link = link(&body()).unwrap();
        assert_eq!((link.index, link.hardware, link.flags, link.mtu), (7, 1, 0x41, 1500));
        assert_eq!((&link.name[..], &link.alias[..]), (b"eth7".as_slice(), b"uplink".as_slice()));
        assert_eq!((link.counters.rx_packets, link.counters.multicast), (1, 9));
        assert_eq!((link.if_type(), link.oper_status(), link.counters.rx_unicast()), (6, 1, 0));
    }

    #[test]
    fn octets_that_are_cut_anywhere_or_lie_about_lengths_never_do_harm() {
        let body = body();
        for cut in 0..body.len() {
            let _ = link(&body[..cut]);
        }
        for at in 0..body.len() {
            for octet in [0, 1, 3, 0xff] {
                let mut body = body.clone();
                body[at] = octet;
                let _ = link(&body);
            }
        }
        let mut rest: &[u8] = &[0; 64];
        assert!(Message::take(&mut rest).is_none());
    }
}
