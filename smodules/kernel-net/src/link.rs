//! Network interfaces (rtnetlink(7), RTM_GETLINK and RTM_NEWLINK), wherever they were read from.

use crate::netlink::{
    Changes, INET6, NETLINK_ROUTE, attributes, byte, change, dump, half, long, text, word,
};
use std::io::Result;

/// What the kernel says of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number, which it keeps as long as it is there.
    pub index: u32,
    /// Its name.
    pub name: Vec<u8>,
    /// What an administrator calls it.
    pub alias: Vec<u8>,
    /// What kind of virtual link it is; empty for one with hardware.
    pub kind: Vec<u8>,
    /// ARPHRD_*.
    pub hardware: u16,
    /// IFF_*.
    pub flags: u32,
    /// The largest packet.
    pub mtu: u32,
    /// The address of its own layer.
    pub address: Vec<u8>,
    /// The broadcast address of its own layer.
    pub broadcast: Vec<u8>,
    /// IF_OPER_*.
    pub oper_state: u8,
    /// Moves with every change of the carrier.
    pub carrier_changes: u32,
    /// How many have asked it to take all packets.
    pub promiscuity: u32,
    /// The link that this one is a part of: a bridge, a bond; 0 for none.
    pub master: u32,
    /// The link that this one is on top of; 0 for none, or one elsewhere.
    pub lower: u32,
    /// What went through it.
    pub counters: Counters,
}

/// What went through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub struct Counters {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_octets: u64,
    pub tx_octets: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub multicast: u64,
    pub no_handler: u64,
}

/// struct ifinfomsg.
const LINK_HEADER: usize = 16;

const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const SET_LINK: u16 = 19;

const UP: u32 = 0x1;
const RUNNING: u32 = 0x40;
const PROMISCUOUS: u32 = 0x100;

const ETHER: u16 = 1;
const LOOPBACK: u16 = 772;

/// Reads all links of the network namespace.
///
/// # Errors
/// The kernel refuses.
pub fn links() -> Result<Vec<Link>> {
    dump(NETLINK_ROUTE, GET_LINK, &[0; LINK_HEADER], |body, links| links.extend(link(body)))
}

/// Brings a link up or down.
///
/// # Errors
/// The kernel's reason: there is no such link, or CAP_NET_ADMIN is missing.
pub fn set_up(index: u32, up: bool) -> Result<()> {
    change(SET_LINK, &set_request(index, if up { UP } else { 0 }, UP))
}

/// Whether links may be changed at all: asks for a change of nothing.
///
/// # Errors
/// The kernel's reason.
pub fn may_set(index: u32) -> Result<()> {
    change(SET_LINK, &set_request(index, 0, 0))
}

fn set_request(index: u32, flags: u32, mask: u32) -> Vec<u8> {
    let words = [0, index, flags, mask];
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// What happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came, or something about it is another now.
    Is(Box<Link>),
    /// It went.
    Went(u32),
}

impl Changes {
    /// What happened to links since the last call, in order.
    ///
    /// # Errors
    /// Some of it was lost.
    pub fn links(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.take(|kind, body| match kind {
            NEW_LINK => changes.extend(link(body).map(|link| Change::Is(Box::new(link)))),
            DELETED_LINK => changes.extend(word(body, 4).map(Change::Went)),
            _ => {}
        })?;
        Ok(changes)
    }
}

/// A link from the body of its message: struct ifinfomsg and attributes.
pub(crate) fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        hardware: half(body, 2)?,
        index: word(body, 4)?,
        flags: word(body, 8)?,
        ..Link::default()
    };
    let mut elsewhere = false;
    for (kind, value) in attributes(body.get(LINK_HEADER..)?) {
        match kind {
            1 => link.address = value.to_vec(),
            2 => link.broadcast = value.to_vec(),
            3 => link.name = text(value),
            4 => link.mtu = word(value, 0)?,
            5 => link.lower = word(value, 0)?,
            10 => link.master = word(value, 0)?,
            16 => link.oper_state = byte(value, 0)?,
            18 => {
                let kind = attributes(value).find(|(kind, _)| *kind == 1);
                link.kind = kind.map_or_else(Vec::new, |(_, name)| text(name));
            }
            20 => link.alias = text(value),
            23 => link.counters = counters(value)?,
            30 => link.promiscuity = word(value, 0)?,
            35 => link.carrier_changes = word(value, 0)?,
            37 => elsewhere = true,
            _ => {}
        }
    }
    // A link names itself where it is on top of none. What is in another namespace is none of ours, and the
    // other end of a pair is no layer.
    if elsewhere || link.lower == link.index || link.kind == b"veth" {
        link.lower = 0;
    }
    // A message about a port of a bridge has a family, and little else: it is not about the link.
    (byte(body, 0)? == 0 && !link.name.is_empty()).then_some(link)
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

impl Link {
    /// ifType, from the kernel's number of the hardware.
    pub const fn if_type(&self) -> i32 {
        match self.hardware {
            ETHER => 6,                               // ethernetCsmacd
            774 => 15,                                // fddi
            512 => 23,                                // ppp
            LOOPBACK => 24,                           // softwareLoopback
            256..=259 => 28,                          // slip
            770 => 32,                                // frameRelay
            19 => 37,                                 // atm
            801..=803 => 71,                          // ieee80211
            513 => 118,                               // hdlc
            768 | 769 | 776 | 777 | 778 | 823 => 131, // tunnel
            24 => 144,                                // ieee1394
            32 => 199,                                // infiniband
            _ => 1,                                   // other
        }
    }

    /// Whether an administrator wants it to be up.
    pub const fn is_wanted_up(&self) -> bool {
        self.flags & UP != 0
    }

    /// ifOperStatus. Drivers that do not keep a state, the loopback among them, are taken at their flags.
    pub const fn oper_status(&self) -> i32 {
        match self.oper_state {
            1 => 6, // notPresent
            2 => 2, // down
            3 => 7, // lowerLayerDown
            4 => 3, // testing
            5 => 5, // dormant
            6 => 1, // up
            _ if self.flags & (UP | RUNNING) == UP | RUNNING => 1,
            _ => 2,
        }
    }

    /// The address of its own layer: empty for an interface that has none.
    pub fn phys_address(&self) -> &[u8] {
        if self.address.iter().all(|octet| *octet == 0) { &[] } else { &self.address }
    }

    /// Whether it takes all packets: also where a tool and not an administrator asked for it.
    pub const fn is_promiscuous(&self) -> bool {
        self.promiscuity > 0 || self.flags & PROMISCUOUS != 0
    }

    /// Whether it may have a speed now: without a carrier no driver says one.
    pub const fn may_have_speed(&self) -> bool {
        self.hardware == ETHER && self.flags & RUNNING != 0
    }

    /// Whether it may have a connector: hardware does.
    pub const fn may_have_connector(&self) -> bool {
        self.hardware == ETHER && self.kind.is_empty()
    }
}

impl Counters {
    /// Received packets that were for one receiver. The kernel counts the others among all.
    pub const fn rx_unicast(&self) -> u64 {
        self.rx_packets.saturating_sub(self.multicast)
    }

    /// Whether a counter went back since `before`: then it began anew.
    pub const fn began_anew(&self, before: &Counters) -> bool {
        self.rx_packets < before.rx_packets
            || self.tx_packets < before.tx_packets
            || self.rx_octets < before.rx_octets
            || self.tx_octets < before.tx_octets
    }
}

/// What IPv6 knows of an interface. What it counts is for /proc to say: over netlink counters have numbers
/// that changed from kernel to kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link6 {
    /// The interface.
    pub index: u32,
    /// IFF_*.
    pub flags: u32,
    /// Whether it forwards.
    pub forwards: bool,
    /// The largest packet that is put together.
    pub max_reassembled: u32,
    /// How long a neighbour is taken for reachable, in milliseconds.
    pub reachable_ms: u32,
    /// How long between solicitations of a neighbour, in milliseconds.
    pub retransmit_ms: u32,
}

/// What IPv6 says of its interfaces.
///
/// # Errors
/// The kernel refuses.
pub fn links6() -> Result<Vec<Link6>> {
    let mut request = [0; LINK_HEADER];
    request[0] = INET6;
    dump(NETLINK_ROUTE, GET_LINK, &request, |body, links| links.extend(link6(body)))
}

impl Link6 {
    /// Whether an administrator wants it to be up.
    pub const fn is_up(&self) -> bool {
        self.flags & UP != 0
    }
}

fn link6(body: &[u8]) -> Option<Link6> {
    let mut link = Link6 { index: word(body, 4)?, flags: word(body, 8)?, ..Link6::default() };
    let protocol = attributes(body.get(LINK_HEADER..)?).find(|(kind, _)| *kind == 12)?.1;
    for (kind, value) in attributes(protocol) {
        match kind {
            2 => link.forwards = word(value, 0)? != 0,
            5 => {
                link.max_reassembled = word(value, 0)?;
                link.reachable_ms = word(value, 8)?;
                link.retransmit_ms = word(value, 12)?;
            }
            _ => {}
        }
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::tests::attribute;

    fn body() -> Vec<u8> {
        let mut body = vec![0; LINK_HEADER];
        body[2..4].copy_from_slice(&1u16.to_ne_bytes());
        body[4..8].copy_from_slice(&7u32.to_ne_bytes());
        body[8..12].copy_from_slice(&0x41u32.to_ne_bytes());
        let stats: Vec<u8> = (1..=23u64).flat_map(u64::to_ne_bytes).collect();
        let info = attribute(1, b"vlan\0");
        for (kind, value) in [
            (3, b"eth7\0".as_slice()),
            (1, &[2, 0, 0, 0, 0, 7]),
            (4, &1500u32.to_ne_bytes()),
            (5, &3u32.to_ne_bytes()),
            (10, &9u32.to_ne_bytes()),
            (99, b"unknown"),
            (23, &stats),
            (16, &[6]),
            (18, &info),
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
        assert_eq!((link.lower, link.master, &link.kind[..]), (3, 9, b"vlan".as_slice()));
    }

    #[test]
    fn the_other_end_of_a_pair_and_a_link_elsewhere_are_no_lower_layer() {
        let elsewhere = [body(), attribute(37, &[0; 4])].concat();
        assert_eq!(link(&elsewhere).unwrap().lower, 0);
        let pair = [body(), attribute(18, &attribute(1, b"veth\0"))].concat();
        assert_eq!(link(&pair).unwrap().lower, 0);
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
                let _ = (link(&body), link6(&body));
            }
        }
    }

    #[test]
    fn both_ways_of_reading_links_agree() {
        let facts = |links: Result<Vec<Link>>| {
            let mut facts: Vec<_> = links
                .unwrap()
                .into_iter()
                .map(|l| (l.index, l.name, l.hardware, l.mtu, l.address, l.oper_state))
                .collect();
            facts.sort();
            facts
        };
        let found = facts(links());
        assert_eq!(found, facts(crate::sysfs::links()));
        assert!(found.iter().any(|(_, name, hardware, ..)| name == b"lo" && *hardware == 772));
    }

    #[test]
    fn ipv6_knows_its_interfaces() {
        let Ok(found) = links6() else { return };
        let known: Vec<u32> = links().unwrap().into_iter().map(|link| link.index).collect();
        assert!(found.iter().all(|link| known.contains(&link.index)));
        assert!(found.iter().all(|link| link.max_reassembled >= 1280), "{found:?}");
    }
}
