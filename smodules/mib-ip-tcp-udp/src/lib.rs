//! The scalars of IP-MIB, TCP-MIB and UDP-MIB, and who talks to whom: tcpConnectionTable,
//! tcpListenerTable (RFC 4022), udpEndpointTable (RFC 4113).
//!
//! A snapshot is taken when an activity finds the last one older than a second, and the activity keeps it.
//! It never changes anything: ipForwarding and the state of a connection can only be read here.

mod sockets;

use mib_kit::{Cache, Column, Mib, Rows, Scalars, Served, Table, mib_module};
use roles::mib::MibError;
use roles::varbind::VarValue;
use roles::varbind::VarValue::{Counter32, Gauge32, Integer};
use s_sdk::{Activity, Host, Module, Refusal};
use sockets::{EndpointIndex, sockets};
use std::time::Duration;

const IP: &[u32] = &[1, 3, 6, 1, 2, 1, 4];
const TCP: &[u32] = &[1, 3, 6, 1, 2, 1, 6];
const TCP_CONNECTION_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 6, 19, 1];
const TCP_LISTENER_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 6, 20, 1];
const UDP: &[u32] = &[1, 3, 6, 1, 2, 1, 7];
const UDP_ENDPOINT_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 7, 7, 1];

/// A snapshot is good for so long.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The kernel's number of a listening socket's state.
const LISTEN: u8 = 10;

/// The numbers of one protocol in /proc/net/snmp, by name: the names are those of the MIB.
struct Numbers(Vec<(String, i64)>);

/// tcpConnectionState of a connection.
struct Connection(i32);

/// A row of which nothing is known but its index.
struct Known;

/// All of it at one time.
pub struct View {
    ip: Numbers,
    tcp: Numbers,
    udp: Numbers,
    connections: Rows<(EndpointIndex, EndpointIndex), Connection>,
    listeners: Rows<EndpointIndex, Known>,
    /// Sockets of one index are told apart by their inodes, as udpEndpointInstance.
    endpoints: Rows<(EndpointIndex, EndpointIndex, u32), Known>,
}

const IP_COLUMNS: &[Column<Numbers>] = &[
    Column::new(1, |ip| ip.integer("Forwarding")),
    Column::new(2, |ip| ip.integer("DefaultTTL")),
    Column::new(3, |ip| ip.counter("InReceives")),
    Column::new(4, |ip| ip.counter("InHdrErrors")),
    Column::new(5, |ip| ip.counter("InAddrErrors")),
    Column::new(6, |ip| ip.counter("ForwDatagrams")),
    Column::new(7, |ip| ip.counter("InUnknownProtos")),
    Column::new(8, |ip| ip.counter("InDiscards")),
    Column::new(9, |ip| ip.counter("InDelivers")),
    Column::new(10, |ip| ip.counter("OutRequests")),
    Column::new(11, |ip| ip.counter("OutDiscards")),
    Column::new(12, |ip| ip.counter("OutNoRoutes")),
    // Column 13, ipReasmTimeout, is seconds in the MIB, and a count of datagrams in the kernel.
    Column::new(14, |ip| ip.counter("ReasmReqds")),
    Column::new(15, |ip| ip.counter("ReasmOKs")),
    Column::new(16, |ip| ip.counter("ReasmFails")),
    Column::new(17, |ip| ip.counter("FragOKs")),
    Column::new(18, |ip| ip.counter("FragFails")),
    Column::new(19, |ip| ip.counter("FragCreates")),
];

const TCP_COLUMNS: &[Column<Numbers>] = &[
    Column::new(1, |tcp| tcp.integer("RtoAlgorithm")),
    Column::new(2, |tcp| tcp.integer("RtoMin")),
    Column::new(3, |tcp| tcp.integer("RtoMax")),
    Column::new(4, |tcp| tcp.integer("MaxConn")),
    Column::new(5, |tcp| tcp.counter("ActiveOpens")),
    Column::new(6, |tcp| tcp.counter("PassiveOpens")),
    Column::new(7, |tcp| tcp.counter("AttemptFails")),
    Column::new(8, |tcp| tcp.counter("EstabResets")),
    Column::new(9, |tcp| tcp.number("CurrEstab").map(|now| Gauge32(wrapped(now)))),
    Column::new(10, |tcp| tcp.counter("InSegs")),
    Column::new(11, |tcp| tcp.counter("OutSegs")),
    Column::new(12, |tcp| tcp.counter("RetransSegs")),
    Column::new(14, |tcp| tcp.counter("InErrs")),
    Column::new(15, |tcp| tcp.counter("OutRsts")),
];

const UDP_COLUMNS: &[Column<Numbers>] = &[
    Column::new(1, |udp| udp.counter("InDatagrams")),
    Column::new(2, |udp| udp.counter("NoPorts")),
    Column::new(3, |udp| udp.counter("InErrors")),
    Column::new(4, |udp| udp.counter("OutDatagrams")),
];

// Which process has a socket is not looked for: 0 says that it is not known.
const CONNECTION: &[Column<Connection>] =
    &[Column::new(7, |row| Some(Integer(row.0))), Column::new(8, |_| Some(Gauge32(0)))];
const LISTENER: &[Column<Known>] = &[Column::new(4, |_| Some(Gauge32(0)))];
const ENDPOINT: &[Column<Known>] = &[Column::new(8, |_| Some(Gauge32(0)))];

impl Numbers {
    /// The two lines of a protocol: names, then numbers.
    fn of(text: &str, protocol: &str) -> Self {
        let mut lines =
            text.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let (names, numbers) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        let pairs = names.split_whitespace().zip(numbers.split_whitespace());
        Numbers(pairs.filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?))).collect())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    fn integer(&self, name: &str) -> Option<VarValue<'_>> {
        self.number(name)?.try_into().ok().map(Integer)
    }

    fn counter(&self, name: &str) -> Option<VarValue<'_>> {
        self.number(name).map(|number| Counter32(wrapped(number)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a 32-bit counter is the lower half of a wider one"
)]
const fn wrapped(number: i64) -> u32 {
    number.cast_unsigned() as u32
}

/// tcpConnectionState, from the kernel's number of a state.
const fn connection_state(state: u8) -> i32 {
    match state {
        1 => 5,      // established
        2 => 3,      // synSent
        3 | 12 => 4, // synReceived
        4 => 6,      // finWait1
        5 => 7,      // finWait2
        6 => 11,     // timeWait
        8 => 8,      // closeWait
        9 => 9,      // lastAck
        10 => 2,     // listen
        11 => 10,    // closing
        _ => 1,      // closed
    }
}

/// The module.
pub struct IpTcpUdpMib {
    host: Host,
    mib: Mib<View>,
    cache: Cache<View>,
}

mib_module!(
    IpTcpUdpMib,
    component = "mib.ip-tcp-udp",
    version = "1.0.0",
    annotation = "RFC 4022, 4113, 4293: scalars, connections, endpoints"
);

impl Module for IpTcpUdpMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(IpTcpUdpMib {
            host,
            mib: Mib::of(&[IP, TCP, UDP])
                .described(&[
                    (
                        &[1, 3, 6, 1, 2, 1, 4],
                        "The MIB module for managing IP and ICMP implementations",
                    ),
                    (&[1, 3, 6, 1, 2, 1, 49], "The MIB module for managing TCP implementations"),
                    (&[1, 3, 6, 1, 2, 1, 50], "The MIB module for managing UDP implementations"),
                ])
                .with(Scalars::new(IP, IP_COLUMNS, |view: &View| &view.ip))
                .with(Scalars::new(TCP, TCP_COLUMNS, |view: &View| &view.tcp))
                .with(Table::new(TCP_CONNECTION_ENTRY, CONNECTION, |view: &View| &view.connections))
                .with(Table::new(TCP_LISTENER_ENTRY, LISTENER, |view: &View| &view.listeners))
                .with(Scalars::new(UDP, UDP_COLUMNS, |view: &View| &view.udp))
                .with(Table::new(UDP_ENDPOINT_ENTRY, ENDPOINT, |view: &View| &view.endpoints))
                .made()?,
            cache: Cache::new(MAX_AGE),
        })
    }
}

impl Served for IpTcpUdpMib {
    type View = View;
    type State = ();

    fn mib(&self) -> &Mib<View> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        let read = |_: Option<&View>| Ok::<_, MibError>(View::new());
        answer(&*self.cache.of(act, || self.host.now(), read)?)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl View {
    fn new() -> Self {
        let numbers = std::fs::read_to_string("/proc/net/snmp").unwrap_or_default();
        let (listeners, connections): (Vec<_>, Vec<_>) =
            sockets("tcp").into_iter().partition(|socket| socket.state == LISTEN);
        View {
            ip: Numbers::of(&numbers, "Ip"),
            tcp: Numbers::of(&numbers, "Tcp"),
            udp: Numbers::of(&numbers, "Udp"),
            connections: connections
                .iter()
                .map(|socket| {
                    let index = (socket.local.index(), socket.remote.index());
                    (index, Connection(connection_state(socket.state)))
                })
                .collect(),
            listeners: listeners.iter().map(|socket| (socket.local.index(), Known)).collect(),
            endpoints: sockets("udp")
                .iter()
                .map(|socket| {
                    ((socket.local.index(), socket.remote.remote_index(), socket.inode), Known)
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name_and_wrap() {
        let text = "Ip: Forwarding InReceives\nIp: 2 4294967301\nIpExt: InMcastPkts\nIpExt: 9\n";
        let ip = Numbers::of(text, "Ip");
        assert_eq!(ip.integer("Forwarding"), Some(Integer(2)));
        assert_eq!(ip.counter("InReceives"), Some(Counter32(5)));
        assert_eq!((ip.counter("InMcastPkts"), ip.integer("InReceives")), (None, None));
    }
}
