//! ipAddressTable, ipAddressPrefixTable and the deprecated ipAddrTable, from the kernel's addresses.
//!
//! An address that is good on its link only is ipv6z with the link as its zone (RFC 4001), so that the same
//! one on two links is two rows. Nothing here survives a restart of the host, so all of it is volatile.

use crate::values::{integer, truth, up_time_at};
use kernel_net::{Address, addresses, host_up_time};
use mib_kit::{Column, Index, Inet, Rows};
use roles::varbind::VarValue::{Gauge32, Integer, IpAddress, Oid, TimeTicks};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const V4_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 20, 1];
pub(crate) const PREFIX_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 32, 1];
pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 34, 1];

/// A RowPointer points to the first column that can be read: ipAddressPrefixOrigin.
const PREFIX_ORIGIN: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 32, 1, 5];

/// IFA_F_*. The first says of IPv4 that an address is not the link's first one.
const TEMPORARY: u32 = 0x01;
const OPTIMISTIC: u32 = 0x04;
const DUPLICATE: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;
const NO_PREFIX_ROUTE: u32 = 0x200;
const STABLE_PRIVACY: u32 = 0x800;

/// The largest datagram that is put together.
const MAX_DATAGRAM: i32 = 65535;

/// All addresses at one time.
#[derive(Default)]
pub(crate) struct Addresses {
    pub(crate) all: Rows<Inet, Row>,
    pub(crate) prefixes: Rows<(u32, Inet, u32), Prefix>,
    pub(crate) v4: Rows<Ipv4Addr, AddressV4>,
}

/// A row of ipAddressTable.
pub(crate) struct Row {
    link: u32,
    /// unicast(1), anycast(2), broadcast(3).
    kind: i32,
    prefix: Vec<u32>,
    origin: i32,
    status: i32,
    created: u32,
    changed: u32,
}

/// A row of ipAddressPrefixTable.
pub(crate) struct Prefix {
    origin: i32,
    is_on_link: bool,
    is_autonomous: bool,
    preferred_s: u32,
    valid_s: u32,
}

/// A row of ipAddrTable.
pub(crate) struct AddressV4 {
    address: Ipv4Addr,
    link: u32,
    mask: Ipv4Addr,
    /// The last bit of the broadcast address.
    broadcast_bit: i32,
}

impl Addresses {
    pub(crate) fn read(up_time: u32) -> std::io::Result<Self> {
        Ok(Addresses::of(&addresses()?, up_time, host_up_time()))
    }

    fn of(found: &[Address], up_time: u32, host_up_time: u32) -> Self {
        let rows = |address: &Address| {
            let row = |kind| Row {
                link: address.link,
                kind,
                prefix: pointer(address),
                origin: origin(address),
                status: status(address),
                created: up_time_at(up_time, host_up_time.wrapping_sub(address.created)),
                changed: up_time_at(up_time, host_up_time.wrapping_sub(address.changed)),
            };
            let index = |address: IpAddr, link| Inet::of(address, link);
            let broadcast = address.broadcast.map(|to| (index(to, address.link), row(3)));
            [Some((index(address.address, address.link), row(1))), broadcast]
        };
        Addresses {
            all: found.iter().flat_map(rows).flatten().collect(),
            prefixes: found
                .iter()
                .map(|address| (prefix_index(address), prefix(address)))
                .collect(),
            v4: found.iter().filter_map(address_v4).collect(),
        }
    }
}

fn prefix_index(address: &Address) -> (u32, Inet, u32) {
    let network = Inet::of(address.network(), address.link);
    (address.link, network, address.prefix.into())
}

fn pointer(address: &Address) -> Vec<u32> {
    let mut name = PREFIX_ORIGIN.to_vec();
    prefix_index(address).put(&mut name);
    name
}

/// Whether the lower half of an IPv6 address was made of an Ethernet address (RFC 4291, appendix A).
fn is_of_hardware(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.octets()[11..13] == [0xff, 0xfe])
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// IpAddressOriginTC: manual(2), dhcp(4), linklayer(5), random(6), other(1). The kernel does not say who put
/// an address there; whether it has an end, and how it is made, tells most of it.
fn origin(address: &Address) -> i32 {
    let is_v6 = address.address.is_ipv6();
    let is_made = is_v6 && (!address.is_permanent() || is_link_local(address.address));
    match address.is_permanent() {
        _ if is_made && address.flags & (TEMPORARY | STABLE_PRIVACY) != 0 => 6,
        _ if is_made && is_of_hardware(address.address) => 5,
        true => 2,
        false if is_v6 && address.prefix < 128 => 1,
        false => 4,
    }
}

/// IpAddressStatusTC.
fn status(address: &Address) -> i32 {
    let has = |flag| address.flags & flag != 0;
    match () {
        () if has(DUPLICATE) => 7,
        () if has(OPTIMISTIC) => 8,
        () if has(TENTATIVE) => 6,
        () if has(DEPRECATED) => 2,
        () => 1,
    }
}

fn prefix(address: &Address) -> Prefix {
    let is_advertised =
        address.address.is_ipv6() && !address.is_permanent() && address.prefix < 128;
    Prefix {
        // IpAddressPrefixOriginTC: manual(2), wellknown(3), dhcp(4), routeradv(5).
        origin: match address.is_permanent() {
            _ if is_link_local(address.address) => 3,
            true => 2,
            false if is_advertised => 5,
            false => 4,
        },
        is_on_link: address.flags & NO_PREFIX_ROUTE == 0,
        is_autonomous: is_advertised && !is_link_local(address.address),
        preferred_s: address.preferred_s,
        valid_s: address.valid_s,
    }
}

fn address_v4(found: &Address) -> Option<(Ipv4Addr, AddressV4)> {
    let IpAddr::V4(address) = found.address else { return None };
    let IpAddr::V4(mask) = kernel_net::address::masked(Ipv4Addr::BROADCAST.into(), found.prefix)
    else {
        return None;
    };
    let broadcast_bit = match found.broadcast {
        Some(IpAddr::V4(broadcast)) => i32::from(broadcast.octets()[3] & 1),
        _ => 0,
    };
    Some((address, AddressV4 { address, link: found.link, mask, broadcast_bit }))
}

pub(crate) const V4: &[Column<AddressV4>] = &[
    Column::new(1, |row| Some(IpAddress(row.address.octets()))),
    Column::new(2, |row| integer(row.link)),
    Column::new(3, |row| Some(IpAddress(row.mask.octets()))),
    Column::new(4, |row| Some(Integer(row.broadcast_bit))),
    Column::new(5, |_| Some(Integer(MAX_DATAGRAM))),
];

pub(crate) const PREFIX: &[Column<Prefix>] = &[
    Column::new(5, |row| Some(Integer(row.origin))),
    Column::new(6, |row| Some(truth(row.is_on_link))),
    Column::new(7, |row| Some(truth(row.is_autonomous))),
    Column::new(8, |row| Some(Gauge32(row.preferred_s))),
    Column::new(9, |row| Some(Gauge32(row.valid_s))),
];

pub(crate) const ADDRESS: &[Column<Row>] = &[
    Column::new(3, |row| integer(row.link)),
    Column::new(4, |row| Some(Integer(row.kind))),
    Column::new(5, |row| Some(Oid(&row.prefix))),
    Column::new(6, |row| Some(Integer(row.origin))),
    Column::new(7, |row| Some(Integer(row.status))),
    Column::new(8, |row| Some(TimeTicks(row.created))),
    Column::new(9, |row| Some(TimeTicks(row.changed))),
    // ipAddressRowStatus: active. ipAddressStorageType: volatile.
    Column::new(10, |_| Some(Integer(1))),
    Column::new(11, |_| Some(Integer(2))),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, prefix: u8, flags: u32) -> Address {
        Address {
            link: 4,
            address: text.parse().unwrap(),
            prefix,
            broadcast: None,
            flags,
            origin: 0,
            preferred_s: u32::MAX,
            valid_s: u32::MAX,
            created: 700,
            changed: 950,
        }
    }

    #[test]
    fn origins_and_states_are_told_from_flags_and_form() {
        for (text, prefix, flags, expected) in [
            ("10.0.0.1", 24, 0x80, (2, 1)),
            ("10.0.0.1", 24, 0, (4, 1)),
            ("fe80::fc:ff:fe00:1", 64, 0x80, (5, 1)),
            ("fe80::1", 64, 0x880, (6, 1)),
            ("fd00::fc:ff:fe00:1", 64, 0x20, (5, 2)),
            ("fd00::1", 64, 0x01, (6, 1)),
            ("fd00::1", 128, 0x40, (4, 6)),
            ("fd00::1", 64, 0x88, (2, 7)),
        ] {
            let address = address(text, prefix, flags);
            assert_eq!((origin(&address), status(&address)), expected, "{text} {flags:#x}");
        }
    }

    #[test]
    fn an_address_points_to_the_prefix_that_it_is_in() {
        let found = Addresses::of(&[address("fe80::1", 64, 0x80)], 500, 1000);
        let (index, _) = found.prefixes.iter().next().unwrap();
        let mut name = PREFIX_ORIGIN.to_vec();
        index.put(&mut name);
        let (inet, row) = found.all.iter().next().unwrap();
        assert_eq!(row.prefix, name);
        assert_eq!(inet.kind(), 4);
        // 300 and 50 hundredths ago.
        assert_eq!((row.created, row.changed), (200, 450));
    }

    #[test]
    fn what_was_there_before_the_agent_came_is_dated_zero() {
        let found = Addresses::of(&[address("10.0.0.1", 8, 0x80)], 100, 1000);
        let (_, row) = found.all.iter().next().unwrap();
        assert_eq!((row.created, row.changed), (0, 50));
        let (_, v4) = found.v4.iter().next().unwrap();
        assert_eq!((v4.mask, v4.broadcast_bit), (Ipv4Addr::new(255, 0, 0, 0), 0));
    }
}
