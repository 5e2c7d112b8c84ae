//! The columns of TCP-MIB, and the rows that sockets become.
//!
//! It never reads anything by itself but the owners of sockets, and those only for who asks for them.

use kernel_net::socket::EndpointIndex;
use kernel_net::{Numbers, Owners, Socket};
use mib_kit::{Column, Part, Rows, values};
use roles::varbind::VarValue;
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, IpAddress};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The kernel's number of a listening socket's state.
const LISTEN: u8 = 10;

/// All sockets at one time.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) connections: Rows<(EndpointIndex, EndpointIndex), Connection>,
    pub(crate) listeners: Rows<EndpointIndex, Connection>,
    pub(crate) connections_v4: Rows<(Ipv4Addr, u32, Ipv4Addr, u32), ConnectionV4>,
}

/// A row of tcpConnectionTable or tcpListenerTable.
pub(crate) struct Connection {
    state: i32,
    inode: u32,
    owners: Arc<Part<Owners>>,
}

/// A row of tcpConnTable.
pub(crate) struct ConnectionV4 {
    state: i32,
    local: (Ipv4Addr, u16),
    remote: (Ipv4Addr, u16),
}

pub(crate) const TCP: &[Column<Numbers>] = &[
    Column::new(1, |tcp| integer(tcp, "TcpRtoAlgorithm")),
    Column::new(2, |tcp| integer(tcp, "TcpRtoMin")),
    Column::new(3, |tcp| integer(tcp, "TcpRtoMax")),
    Column::new(4, |tcp| integer(tcp, "TcpMaxConn")),
    Column::new(5, |tcp| counter(tcp, "TcpActiveOpens")),
    Column::new(6, |tcp| counter(tcp, "TcpPassiveOpens")),
    Column::new(7, |tcp| counter(tcp, "TcpAttemptFails")),
    Column::new(8, |tcp| counter(tcp, "TcpEstabResets")),
    Column::new(9, |tcp| tcp.get("TcpCurrEstab")?.try_into().ok().map(Gauge32)),
    Column::new(10, |tcp| counter(tcp, "TcpInSegs")),
    Column::new(11, |tcp| counter(tcp, "TcpOutSegs")),
    Column::new(12, |tcp| counter(tcp, "TcpRetransSegs")),
    Column::new(14, |tcp| counter(tcp, "TcpInErrs")),
    Column::new(15, |tcp| counter(tcp, "TcpOutRsts")),
    Column::new(17, |tcp| counter64(tcp, "TcpInSegs")),
    Column::new(18, |tcp| counter64(tcp, "TcpOutSegs")),
];

pub(crate) const CONNECTION_V4: &[Column<ConnectionV4>] = &[
    Column::new(1, |row| Some(Integer(row.state))),
    Column::new(2, |row| Some(IpAddress(row.local.0.octets()))),
    Column::new(3, |row| Some(Integer(row.local.1.into()))),
    Column::new(4, |row| Some(IpAddress(row.remote.0.octets()))),
    Column::new(5, |row| Some(Integer(row.remote.1.into()))),
];

pub(crate) const CONNECTION: &[Column<Connection>] =
    &[Column::new(7, |row| Some(Integer(row.state))), Column::new(8, process)];

pub(crate) const LISTENER: &[Column<Connection>] = &[Column::new(4, process)];

fn process(row: &Connection) -> Option<VarValue<'_>> {
    Some(Gauge32(row.owners.get().of(row.inode)))
}

fn integer<'a>(numbers: &Numbers, name: &str) -> Option<VarValue<'a>> {
    values::integer(numbers.get(name)?)
}

fn counter<'a>(numbers: &Numbers, name: &str) -> Option<VarValue<'a>> {
    numbers.get(name).map(|number| Counter32(values::wrapped(number.cast_unsigned())))
}

fn counter64<'a>(numbers: &Numbers, name: &str) -> Option<VarValue<'a>> {
    numbers.get(name).map(|number| Counter64(number.cast_unsigned()))
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
        LISTEN => 2, // listen
        11 => 10,    // closing
        _ => 1,      // closed
    }
}

impl Sockets {
    pub(crate) fn of(found: &[Socket], owners: &Arc<Part<Owners>>) -> Self {
        let row = |socket: &Socket| Connection {
            state: connection_state(socket.state),
            inode: socket.inode,
            owners: Arc::clone(owners),
        };
        let (listeners, connections): (Vec<_>, Vec<_>) =
            found.iter().partition(|socket| socket.state == LISTEN);
        Sockets {
            connections: connections
                .into_iter()
                // A socket that is bound and nothing else is no connection.
                .filter(|socket| !socket.is_unconnected())
                .map(|socket| ((socket.local_index(), socket.remote_index()), row(socket)))
                .collect(),
            listeners: listeners
                .into_iter()
                .map(|socket| (socket.local_index(), row(socket)))
                .collect(),
            connections_v4: found.iter().filter_map(connection_v4).collect(),
        }
    }
}

fn connection_v4(socket: &Socket) -> Option<((Ipv4Addr, u32, Ipv4Addr, u32), ConnectionV4)> {
    let local = (socket.local_v4()?, socket.local.port);
    let remote = (socket.remote_v4()?, socket.remote.port);
    let state = connection_state(socket.state);
    let index = (local.0, local.1.into(), remote.0, remote.1.into());
    Some((index, ConnectionV4 { state, local, remote }))
}
