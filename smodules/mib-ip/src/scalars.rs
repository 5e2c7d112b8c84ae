//! The scalars: what IP is set to, and the counters that RFC 4293 deprecates and managers still read.

use crate::values::{counter32, integer, truth};
use kernel_net::{Numbers, protocol_numbers};
use mib_kit::Column;
use roles::varbind::VarValue;
use std::fs::read_to_string;

/// Counters and settings of the protocols.
#[derive(Default)]
pub(crate) struct Protocols {
    numbers: Numbers,
    reassembly_s: Option<i32>,
    forwards6: Option<bool>,
    hop_limit6: Option<i32>,
}

impl Protocols {
    pub(crate) fn read() -> std::io::Result<Self> {
        let setting = |file: &str| -> Option<i32> {
            read_to_string(format!("/proc/sys/net/{file}")).ok()?.trim().parse().ok()
        };
        Ok(Protocols {
            numbers: protocol_numbers()?,
            reassembly_s: setting("ipv4/ipfrag_time"),
            forwards6: setting("ipv6/conf/all/forwarding").map(|forwards| forwards != 0),
            hop_limit6: setting("ipv6/conf/default/hop_limit"),
        })
    }
}

fn number<'a>(all: &Protocols, name: &str) -> Option<VarValue<'a>> {
    integer(all.numbers.get(name)?)
}

fn counter<'a>(all: &Protocols, name: &str) -> Option<VarValue<'a>> {
    all.numbers.get(name).map(counter32)
}

pub(crate) const IP: &[Column<Protocols>] = &[
    Column::new(1, |all| number(all, "IpForwarding")),
    Column::new(2, |all| number(all, "IpDefaultTTL")),
    Column::new(3, |all| counter(all, "IpInReceives")),
    Column::new(4, |all| counter(all, "IpInHdrErrors")),
    Column::new(5, |all| counter(all, "IpInAddrErrors")),
    Column::new(6, |all| counter(all, "IpForwDatagrams")),
    Column::new(7, |all| counter(all, "IpInUnknownProtos")),
    Column::new(8, |all| counter(all, "IpInDiscards")),
    Column::new(9, |all| counter(all, "IpInDelivers")),
    Column::new(10, |all| counter(all, "IpOutRequests")),
    Column::new(11, |all| counter(all, "IpOutDiscards")),
    Column::new(12, |all| counter(all, "IpOutNoRoutes")),
    // ipReasmTimeout is seconds; the kernel's ReasmTimeout is a count of datagrams.
    Column::new(13, |all| all.reassembly_s.map(VarValue::Integer)),
    Column::new(14, |all| counter(all, "IpReasmReqds")),
    Column::new(15, |all| counter(all, "IpReasmOKs")),
    Column::new(16, |all| counter(all, "IpReasmFails")),
    Column::new(17, |all| counter(all, "IpFragOKs")),
    Column::new(18, |all| counter(all, "IpFragFails")),
    Column::new(19, |all| counter(all, "IpFragCreates")),
    Column::new(25, |all| all.forwards6.map(truth)),
    Column::new(26, |all| all.hop_limit6.map(VarValue::Integer)),
    // ipAddressSpinLock: nothing of the table can be written, so it never moves.
    Column::new(33, |_| Some(VarValue::Integer(0))),
];

pub(crate) const ICMP: &[Column<Protocols>] = &[
    Column::new(1, |all| counter(all, "IcmpInMsgs")),
    Column::new(2, |all| counter(all, "IcmpInErrors")),
    Column::new(3, |all| counter(all, "IcmpInDestUnreachs")),
    Column::new(4, |all| counter(all, "IcmpInTimeExcds")),
    Column::new(5, |all| counter(all, "IcmpInParmProbs")),
    Column::new(6, |all| counter(all, "IcmpInSrcQuenchs")),
    Column::new(7, |all| counter(all, "IcmpInRedirects")),
    Column::new(8, |all| counter(all, "IcmpInEchos")),
    Column::new(9, |all| counter(all, "IcmpInEchoReps")),
    Column::new(10, |all| counter(all, "IcmpInTimestamps")),
    Column::new(11, |all| counter(all, "IcmpInTimestampReps")),
    Column::new(12, |all| counter(all, "IcmpInAddrMasks")),
    Column::new(13, |all| counter(all, "IcmpInAddrMaskReps")),
    Column::new(14, |all| counter(all, "IcmpOutMsgs")),
    Column::new(15, |all| counter(all, "IcmpOutErrors")),
    Column::new(16, |all| counter(all, "IcmpOutDestUnreachs")),
    Column::new(17, |all| counter(all, "IcmpOutTimeExcds")),
    Column::new(18, |all| counter(all, "IcmpOutParmProbs")),
    Column::new(19, |all| counter(all, "IcmpOutSrcQuenchs")),
    Column::new(20, |all| counter(all, "IcmpOutRedirects")),
    Column::new(21, |all| counter(all, "IcmpOutEchos")),
    Column::new(22, |all| counter(all, "IcmpOutEchoReps")),
    Column::new(23, |all| counter(all, "IcmpOutTimestamps")),
    Column::new(24, |all| counter(all, "IcmpOutTimestampReps")),
    Column::new(25, |all| counter(all, "IcmpOutAddrMasks")),
    Column::new(26, |all| counter(all, "IcmpOutAddrMaskReps")),
];
