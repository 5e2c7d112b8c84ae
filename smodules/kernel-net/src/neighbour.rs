//! Neighbours: which address of a lower layer an address has (rtnetlink(7), RTM_GETNEIGH), and how patient
//! the kernel is with them (RTM_GETNEIGHTBL).

use crate::address::ip;
use crate::netlink::{INET, NETLINK_ROUTE, attributes, byte, dump, half, long, word};
use std::io::Result;
use std::net::IpAddr;

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface that it is behind.
    pub link: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its address in the lower layer.
    pub phys_address: Vec<u8>,
    /// NUD_*.
    pub state: u16,
    /// How long ago it was updated, in hundredths of a second.
    pub updated_ago: u32,
}

const GET_NEIGHBOUR: u16 = 30;
const GET_TABLE: u16 = 66;
/// struct ndmsg.
const HEADER: usize = 12;
/// struct ndtmsg.
const TABLE_HEADER: usize = 4;

/// NUD_NOARP: nobody has to be asked for these, multicast among them.
const NO_ARP: u16 = 0x40;

/// Reads all neighbours that somebody was asked for.
///
/// # Errors
/// The kernel refuses.
pub fn neighbours() -> Result<Vec<Neighbour>> {
    let request = [0; HEADER];
    dump(NETLINK_ROUTE, GET_NEIGHBOUR, &request, |body, found| found.extend(neighbour(body)))
}

pub(crate) fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let (family, state) = (byte(body, 0)?, half(body, 8)?);
    let (mut address, mut phys_address, mut updated_ago) = (None, Vec::new(), 0);
    for (kind, value) in attributes(body.get(HEADER..)?) {
        match kind {
            1 => address = ip(family, value),
            2 => phys_address = value.to_vec(),
            3 => updated_ago = word(value, 8)?,
            _ => {}
        }
    }
    let link = word(body, 4)?;
    let found = Neighbour { link, address: address?, phys_address, state, updated_ago };
    // No state at all is no neighbour.
    (state & NO_ARP == 0 && state != 0).then_some(found)
}

/// How long the kernel waits before it asks for an IPv4 neighbour again: milliseconds, by interface.
///
/// # Errors
/// The kernel refuses.
pub fn retransmit_times() -> Result<Vec<(u32, u64)>> {
    let mut request = [0; TABLE_HEADER];
    request[0] = INET;
    dump(NETLINK_ROUTE, GET_TABLE, &request, |body, found| found.extend(retransmit_time(body)))
}

pub(crate) fn retransmit_time(body: &[u8]) -> Option<(u32, u64)> {
    let parameters = attributes(body.get(TABLE_HEADER..)?).find(|(kind, _)| *kind == 6)?.1;
    let of = |wanted| attributes(parameters).find(|(kind, _)| *kind == wanted);
    // The table's own parameters are of no interface.
    Some((word(of(1)?.1, 0)?, long(of(5)?.1, 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::tests::attribute;

    fn body(state: u16) -> Vec<u8> {
        let mut body = vec![INET, 0, 0, 0];
        body.extend(3u32.to_ne_bytes());
        body.extend(state.to_ne_bytes());
        body.extend([0, 1]);
        body.extend(attribute(1, &[10, 0, 0, 9]));
        body.extend(attribute(2, &[2, 0, 0, 0, 0, 9]));
        let info: Vec<u8> = [1u32, 2, 300, 4].into_iter().flat_map(u32::to_ne_bytes).collect();
        body.extend(attribute(3, &info));
        body
    }

    #[test]
    fn a_neighbour_is_read_and_one_that_nobody_is_asked_for_is_none() {
        let found = neighbour(&body(2)).unwrap();
        assert_eq!((found.link, found.state, found.updated_ago), (3, 2, 300));
        assert_eq!(found.phys_address, [2, 0, 0, 0, 0, 9]);
        assert_eq!((neighbour(&body(0x40)), neighbour(&body(0))), (None, None));
        let body = body(2);
        for cut in 0..body.len() {
            let _ = neighbour(&body[..cut]);
        }
    }

    #[test]
    fn every_interface_of_ipv4_has_its_time() {
        let found = retransmit_times().unwrap();
        assert!(found.iter().any(|(link, _)| *link == 1), "{found:?}");
    }
}
