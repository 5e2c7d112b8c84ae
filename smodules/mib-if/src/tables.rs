//! The columns of IF-MIB.
//!
//! What Linux does not count is not answered for, rather than answered with 0: packets to a group or to all
//! that were sent, and packets to all that were received. The two deprecated columns that tools insist on,
//! ifOutNUcastPkts and ifOutQLen, are 0 nevertheless: `snmpstatus` and `snmpnetstat` stop at a row without.

use crate::interface::{Interface, View};
use mib_kit::syntax::integer as number_of;
use mib_kit::values::{self, integer, truth};
use mib_kit::{Column, Syntax};
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, Octets, Oid, TimeTicks};
use roles::varbind::{ErrorStatus, VarValue};

/// ifAlias has at most so many characters.
const MAX_ALIAS: usize = 64;

/// The column of ifAdminStatus.
pub(crate) const ADMIN_STATUS: u32 = 7;

pub(crate) const NUMBER: &[Column<View>] = &[Column::new(1, |view| integer(view.interfaces.len()))];

pub(crate) const CHANGES: &[Column<View>] = &[
    Column::new(5, |view| Some(TimeTicks(view.table_last_change))),
    Column::new(6, |view| Some(TimeTicks(view.stack_last_change))),
];

pub(crate) const IF_TABLE: &[Column<Interface>] = &[
    Column::new(1, |row| integer(row.link.index)),
    Column::new(2, |row| Some(Octets(&row.link.name))),
    Column::new(3, |row| Some(Integer(row.link.if_type()))),
    Column::new(4, |row| integer(row.link.mtu)),
    // RFC 2863: what does not fit is 4294967295, and what has no bandwidth is 0.
    Column::new(5, |row| Some(Gauge32(row.speed_mbit.unwrap_or(0).saturating_mul(1_000_000)))),
    Column::new(6, |row| Some(Octets(row.link.phys_address()))),
    Column::writable(
        ADMIN_STATUS,
        |row| Some(Integer(row.admin_status())),
        // testing(3) is nothing that a link of Linux can be made to do.
        Syntax::Enumeration(&[1, 2]),
        |row, value| ask(&mut row.asked_up, value),
    ),
    Column::new(8, |row| Some(Integer(row.link.oper_status()))),
    Column::new(9, |row| Some(TimeTicks(row.last_change))),
    Column::new(10, |row| wrapped(row.link.counters.rx_octets)),
    Column::new(11, |row| wrapped(row.link.counters.rx_unicast())),
    // ifInNUcastPkts: of these the kernel counts what is to a group.
    Column::new(12, |row| wrapped(row.link.counters.multicast)),
    Column::new(13, |row| wrapped(row.link.counters.rx_dropped)),
    Column::new(14, |row| wrapped(row.link.counters.rx_errors)),
    Column::new(15, |row| wrapped(row.link.counters.no_handler)),
    Column::new(16, |row| wrapped(row.link.counters.tx_octets)),
    Column::new(17, |row| wrapped(row.link.counters.tx_packets)),
    // ifOutNUcastPkts: the kernel counts these as ifOutUcastPkts.
    Column::new(18, |_| Some(Counter32(0))),
    Column::new(19, |row| wrapped(row.link.counters.tx_dropped)),
    Column::new(20, |row| wrapped(row.link.counters.tx_errors)),
    // ifOutQLen: the kernel does not tell how long the queue is, only how long it may be.
    Column::new(21, |_| Some(Gauge32(0))),
    // ifSpecific: RFC 1213 has zeroDotZero where there is nothing more to be said.
    Column::new(22, |_| Some(Oid(&[0, 0]))),
];

pub(crate) const IF_X_TABLE: &[Column<Interface>] = &[
    Column::new(1, |row| Some(Octets(&row.link.name))),
    Column::new(2, |row| wrapped(row.link.counters.multicast)),
    Column::new(6, |row| Some(Counter64(row.link.counters.rx_octets))),
    Column::new(7, |row| Some(Counter64(row.link.counters.rx_unicast()))),
    Column::new(8, |row| Some(Counter64(row.link.counters.multicast))),
    Column::new(10, |row| Some(Counter64(row.link.counters.tx_octets))),
    Column::new(11, |row| Some(Counter64(row.link.counters.tx_packets))),
    Column::writable(
        14,
        |row| Some(truth(row.tells)),
        Syntax::TRUTH_VALUE,
        |row, value| ask(&mut row.asked_tells, value),
    ),
    Column::new(15, |row| Some(Gauge32(row.speed_mbit.unwrap_or(0)))),
    Column::new(16, |row| Some(truth(row.link.is_promiscuous()))),
    Column::new(17, |row| Some(truth(row.has_connector))),
    Column::new(18, |row| Some(Octets(alias(&row.link.alias)))),
    Column::new(19, |row| Some(TimeTicks(row.discontinuity))),
];

/// ifStackStatus: active.
pub(crate) const STACK: &[Column<()>] = &[Column::new(3, |()| Some(Integer(1)))];

/// ifRcvAddressStatus: active. ifRcvAddressType.
pub(crate) const RECEIVED: &[Column<i32>] =
    &[Column::new(2, |_| Some(Integer(1))), Column::new(3, |kind| Some(Integer(*kind)))];

/// Notes what is asked for: 1 is yes and 2 is no, of up and down and of a TruthValue.
fn ask(asked: &mut Option<bool>, value: VarValue<'_>) -> Result<(), ErrorStatus> {
    *asked = Some(number_of(value)? == 1);
    Ok(())
}

/// ifAlias as a DisplayString may be: as much as fits, cut between characters.
fn alias(alias: &[u8]) -> &[u8] {
    let mut end = alias.len().min(MAX_ALIAS);
    let is_inside = |end: usize| alias.get(end).is_some_and(|octet| octet & 0xc0 == 0x80);
    while end > 0 && is_inside(end) {
        end -= 1;
    }
    &alias[..end]
}

/// RFC 2863 §3.1.6: a 32-bit counter is the lower half of the 64-bit one.
const fn wrapped(counter: u64) -> Option<VarValue<'static>> {
    Some(Counter32(values::wrapped(counter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thirty_two_bit_counter_is_the_lower_half() {
        assert_eq!(wrapped((7 << 32) + 5), Some(Counter32(5)));
    }

    #[test]
    fn an_alias_is_cut_between_characters() {
        let long = [vec![b'a'; 63], "é".as_bytes().to_vec()].concat();
        assert_eq!(alias(&long), &long[..63]);
        assert_eq!(alias(b"up"), b"up");
        assert_eq!(alias(&[0x80; 70]), b"");
    }
}
