//! What IP and ICMP count, as tables: ipSystemStatsTable, ipIfStatsTable, icmpStatsTable, icmpMsgStatsTable.
//!
//! Linux counts by interface for IPv6 only, so ipIfStatsTable has rows for that only. A counter that the
//! kernel does not keep is not answered for, rather than answered with 0.

use crate::values::{counter32, counter64};
use kernel_net::{Numbers, interface_numbers, protocol_numbers};
use mib_kit::{Column, Index, Rows};
use roles::varbind::VarValue::{Gauge32, TimeTicks};
use std::sync::Arc;

pub(crate) const ICMP_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 5, 29, 1];
pub(crate) const MESSAGE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 5, 30, 1];
pub(crate) const SYSTEM_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 31, 1, 1];
pub(crate) const INTERFACE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 31, 3, 1];

/// How often the counters may move, in milliseconds: the age of a view and its part.
const REFRESH_MS: u32 = 1000;

/// InetVersion.
const V4: u32 = 1;
const V6: u32 = 2;

/// The counters of one version, of the host or of an interface.
pub(crate) struct Counted {
    numbers: Arc<Numbers>,
    version: u32,
    /// sysUpTime when they began anew; 0 if they did not since the agent came.
    discontinuity: u32,
}

/// icmpMsgStatsInPkts and icmpMsgStatsOutPkts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Messages {
    received: i64,
    sent: i64,
}

/// The tables of the host.
#[derive(Default)]
pub(crate) struct Statistics {
    pub(crate) system: Rows<u32, Counted>,
    pub(crate) icmp: Rows<u32, Counted>,
    pub(crate) messages: Rows<(u32, u32), Messages>,
}

/// The table of the interfaces.
#[derive(Default)]
pub(crate) struct IfStatistics {
    pub(crate) rows: Rows<(u32, u32), Counted>,
    last_change: u32,
}

impl Counted {
    /// A number of IP, by the names that each version has for it; IPv4 has some in another list.
    fn ip(&self, name: &str) -> Option<i64> {
        match self.version {
            V4 => self.numbers.of("Ip", name).or_else(|| self.numbers.of("IpExt", name)),
            _ => self.numbers.of("Ip6", name),
        }
    }

    fn icmp(&self, name: &str) -> Option<i64> {
        self.numbers.of(if self.version == V4 { "Icmp" } else { "Icmp6" }, name)
    }

    /// Datagrams that were forwarded: IPv6 counts them under another name.
    fn forwarded(&self) -> Option<i64> {
        self.ip(if self.version == V4 { "ForwDatagrams" } else { "OutForwDatagrams" })
    }

    /// Datagrams that left: older kernels do not count them by themselves.
    fn transmitted(&self) -> Option<i64> {
        let sum = || {
            let (made, extra) = (self.ip("OutRequests")?, self.forwarded()?);
            let (fragments, whole) = (self.ip("FragCreates")?, self.ip("FragOKs")?);
            Some(made + extra + fragments - whole - self.ip("OutDiscards")?)
        };
        self.ip("OutTransmits").or_else(sum)
    }

    /// Datagrams that had to be cut up: those that could be, and those that could not.
    fn to_be_cut(&self) -> Option<i64> {
        Some(self.ip("FragOKs")? + self.ip("FragFails")?)
    }
}

impl Statistics {
    pub(crate) fn read() -> std::io::Result<Self> {
        let numbers = Arc::new(protocol_numbers()?);
        let has = |name| numbers.get(name).is_some();
        let of = |version| Counted { numbers: Arc::clone(&numbers), version, discontinuity: 0 };
        let rows = |v4, v6| {
            let versions = [(V4, has(v4)), (V6, has(v6))].into_iter().filter(|(_, known)| *known);
            versions.map(|(version, _)| (version, of(version))).collect()
        };
        Ok(Statistics {
            system: rows("IpInReceives", "Ip6InReceives"),
            icmp: rows("IcmpInMsgs", "Icmp6InMsgs"),
            messages: messages(&numbers),
        })
    }
}

/// RFC 4293: a row for every type of message that was counted in either direction.
fn messages(numbers: &Numbers) -> Rows<(u32, u32), Messages> {
    let mut rows: Rows<(u32, u32), Messages> = Rows::default();
    let kinds = [("IcmpMsg", V4), ("Icmp6", V6)];
    for (name, number) in numbers.iter() {
        for (protocol, version) in kinds {
            let Some(rest) = name.strip_prefix(protocol) else { continue };
            let (received, kind) = match (rest.strip_prefix("InType"), rest.strip_prefix("OutType"))
            {
                (Some(kind), _) => (true, kind),
                (_, Some(kind)) => (false, kind),
                _ => continue,
            };
            let Ok(kind) = kind.parse::<u8>() else { continue };
            let index = (version, kind.into());
            let mut row = rows.get(&index).copied().unwrap_or_default();
            *(if received { &mut row.received } else { &mut row.sent }) = number;
            rows.insert(&index, row);
        }
    }
    rows
}

impl IfStatistics {
    /// What is there now, with what is known from the reading before.
    pub(crate) fn read(last: Option<&Self>, up_time: u32) -> std::io::Result<Self> {
        // A host may be without IPv6.
        let found = interface_numbers().unwrap_or_default();
        Ok(IfStatistics::of(found, last, up_time))
    }

    fn of(found: Vec<(u32, Numbers)>, last: Option<&Self>, up_time: u32) -> Self {
        let rows: Rows<(u32, u32), Counted> = found
            .into_iter()
            .map(|(link, numbers)| {
                let index = (V6, link);
                let known = last.and_then(|last| last.rows.get(&index));
                let received = |numbers: &Numbers| numbers.get("Ip6InReceives");
                let discontinuity = match known {
                    Some(known) if received(&known.numbers) <= received(&numbers) => {
                        known.discontinuity
                    }
                    None if last.is_none() => 0,
                    _ => up_time,
                };
                (index, Counted { numbers: Arc::new(numbers), version: V6, discontinuity })
            })
            .collect();
        // RFC 4293: of the last creation or deletion of a row.
        let last_change = match last {
            None => 0,
            Some(last) if same_indexes(&last.rows, &rows) => last.last_change,
            Some(_) => up_time,
        };
        IfStatistics { rows, last_change }
    }
}

/// Whether two tables have the same rows, whatever is in them.
pub(crate) fn same_indexes<I: Index + PartialEq, A, B>(a: &Rows<I, A>, b: &Rows<I, B>) -> bool {
    a.iter().map(|(index, _)| index).eq(b.iter().map(|(index, _)| index))
}

pub(crate) const LAST_CHANGE: &[Column<IfStatistics>] =
    &[Column::new(2, |all| Some(TimeTicks(all.last_change)))];

pub(crate) const ICMP: &[Column<Counted>] = &[
    Column::new(2, |row| row.icmp("InMsgs").map(counter32)),
    Column::new(3, |row| row.icmp("InErrors").map(counter32)),
    Column::new(4, |row| row.icmp("OutMsgs").map(counter32)),
    Column::new(5, |row| row.icmp("OutErrors").map(counter32)),
];

pub(crate) const MESSAGE: &[Column<Messages>] = &[
    Column::new(3, |row| Some(counter32(row.received))),
    Column::new(4, |row| Some(counter32(row.sent))),
];

/// Columns of ipSystemStatsTable and ipIfStatsTable, which are one list but for a column.
macro_rules! statistics {
    ($($before:expr,)* ; $($after:expr,)*) => {
        pub(crate) const SYSTEM: &[Column<Counted>] = &[
            $($before,)*
            Column::new(22, |row| row.ip("OutNoRoutes").map(counter32)),
            $($after,)*
        ];
        pub(crate) const INTERFACE: &[Column<Counted>] = &[$($before,)* $($after,)*];
    };
}

/// A 32-bit counter.
macro_rules! narrow {
    ($number:literal, $name:literal) => {
        Column::new($number, |row| row.ip($name).map(counter32))
    };
}

/// A 64-bit counter.
macro_rules! wide {
    ($number:literal, $name:literal) => {
        Column::new($number, |row| row.ip($name).map(counter64))
    };
}

statistics! {
    narrow!(3, "InReceives"),
    wide!(4, "InReceives"),
    narrow!(5, "InOctets"),
    wide!(6, "InOctets"),
    narrow!(7, "InHdrErrors"),
    narrow!(8, "InNoRoutes"),
    narrow!(9, "InAddrErrors"),
    narrow!(10, "InUnknownProtos"),
    narrow!(11, "InTruncatedPkts"),
    // What is to be forwarded is not counted where it comes in; what was forwarded is.
    Column::new(12, |row| row.forwarded().map(counter32)),
    Column::new(13, |row| row.forwarded().map(counter64)),
    narrow!(14, "ReasmReqds"),
    narrow!(15, "ReasmOKs"),
    narrow!(16, "ReasmFails"),
    narrow!(17, "InDiscards"),
    narrow!(18, "InDelivers"),
    wide!(19, "InDelivers"),
    narrow!(20, "OutRequests"),
    wide!(21, "OutRequests"),
    ;
    Column::new(23, |row| row.forwarded().map(counter32)),
    Column::new(24, |row| row.forwarded().map(counter64)),
    narrow!(25, "OutDiscards"),
    Column::new(26, |row| row.to_be_cut().map(counter32)),
    narrow!(27, "FragOKs"),
    narrow!(28, "FragFails"),
    narrow!(29, "FragCreates"),
    Column::new(30, |row| row.transmitted().map(counter32)),
    Column::new(31, |row| row.transmitted().map(counter64)),
    narrow!(32, "OutOctets"),
    wide!(33, "OutOctets"),
    narrow!(34, "InMcastPkts"),
    wide!(35, "InMcastPkts"),
    narrow!(36, "InMcastOctets"),
    wide!(37, "InMcastOctets"),
    narrow!(38, "OutMcastPkts"),
    wide!(39, "OutMcastPkts"),
    narrow!(40, "OutMcastOctets"),
    wide!(41, "OutMcastOctets"),
    narrow!(42, "InBcastPkts"),
    wide!(43, "InBcastPkts"),
    narrow!(44, "OutBcastPkts"),
    wide!(45, "OutBcastPkts"),
    Column::new(46, |row| Some(TimeTicks(row.discontinuity))),
    Column::new(47, |_| Some(Gauge32(REFRESH_MS))),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Numbers {
        let mut numbers = Numbers::default();
        numbers.add_listed(text);
        numbers
    }

    #[test]
    fn messages_of_both_versions_and_directions_are_rows() {
        let found =
            numbers("IcmpMsgInType3 5\nIcmpMsgOutType3 6\nIcmp6OutType135 7\nIcmp6InMsgs 8\n");
        let rows = messages(&found);
        let rows: Vec<_> = rows.iter().map(|(at, row)| (at, row.received, row.sent)).collect();
        assert_eq!(rows, [((1, 3), 5, 6), ((2, 135), 0, 7)]);
    }

    #[test]
    fn an_interface_that_counts_anew_or_comes_later_is_dated() {
        let at = |received: u32| numbers(&format!("Ip6InReceives {received}\n"));
        let dates = |all: &IfStatistics| {
            let rows: Vec<_> = all.rows.iter().map(|(at, row)| (at.1, row.discontinuity)).collect();
            (all.last_change, rows)
        };
        let first = IfStatistics::of(vec![(1, at(9))], None, 100);
        assert_eq!(dates(&first), (0, vec![(1, 0)]));
        let second = IfStatistics::of(vec![(1, at(9)), (2, at(0))], Some(&first), 200);
        assert_eq!(dates(&second), (200, vec![(1, 0), (2, 200)]));
        let third = IfStatistics::of(vec![(1, at(3)), (2, at(1))], Some(&second), 300);
        assert_eq!(dates(&third), (200, vec![(1, 300), (2, 200)]));
    }

    #[test]
    fn what_left_is_reckoned_where_it_is_not_counted() {
        let text = "Ip6OutRequests 10\nIp6OutForwDatagrams 5\nIp6FragCreates 4\nIp6FragOKs 2\nIp6OutDiscards 1\n";
        let of = |text: &str| {
            Counted { numbers: Arc::new(numbers(text)), version: V6, discontinuity: 0 }
                .transmitted()
        };
        assert_eq!(of(text), Some(16));
        assert_eq!(of(&format!("{text}Ip6OutTransmits 15\n")), Some(15));
        assert_eq!(of(""), None);
    }
}
