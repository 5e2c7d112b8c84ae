//! UDP-MIB (RFC 4113): scalars, udpEndpointTable, and the deprecated udpTable.
//!
//! Counters and sockets are parts of a view, each read from the kernel when somebody asks for it. It never
//! changes anything.
//!
//! Where net-snmp differs: there only IPv4 is counted, here both families are; there a socket that takes both
//! is an endpoint of `::`, and one without another end has that of 0.0.0.0; here they have no address, as the
//! RFC has it.

use kernel_net::socket::{EndpointIndex, Protocol};
use kernel_net::{Numbers, Owners, Socket, owners, protocol_numbers, sockets};
use mib_kit::values::wrapped;
use mib_kit::{Cache, Column, Inet, Mib, Part, Rows, Scalars, Served, Source, Table, mib_module};
use roles::mib::MibError;
use roles::varbind::VarValue;
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, IpAddress};
use s_sdk::{Activity, Host, Module, Refusal};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const UDP_ROOT: &[u32] = &[1, 3, 6, 1, 2, 1, 7];
const LISTENER_V4_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 7, 5, 1];
const ENDPOINT_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 7, 7, 1];
const UDP_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 50];

/// A view and each of its parts are good for so long: what is answered is twice as old at most, or
/// `mib_kit`'s patience with what is slow to read.
const MAX_AGE: Duration = Duration::from_millis(500);
/// Which process has a socket is asked of all processes, and changes less often than anything else.
const OWNERS_MAX_AGE: Duration = Duration::from_secs(10);

/// All of it at one time.
pub struct View {
    numbers: Part<Numbers>,
    endpoints: Part<Endpoints>,
}

/// All sockets at one time.
#[derive(Default)]
struct Endpoints {
    /// Sockets of one index are told apart by their inodes, as udpEndpointInstance.
    all: Rows<(EndpointIndex, EndpointIndex, u32), Endpoint>,
    /// What takes IPv4.
    v4: Rows<(Ipv4Addr, u32), (Ipv4Addr, u16)>,
}

/// A row of udpEndpointTable.
struct Endpoint {
    inode: u32,
    owners: Arc<Part<Owners>>,
}

const UDP: &[Column<Numbers>] = &[
    Column::new(1, |udp| counter(udp, "InDatagrams")),
    Column::new(2, |udp| counter(udp, "NoPorts")),
    Column::new(3, |udp| counter(udp, "InErrors")),
    Column::new(4, |udp| counter(udp, "OutDatagrams")),
    Column::new(8, |udp| both(udp, "InDatagrams").map(Counter64)),
    Column::new(9, |udp| both(udp, "OutDatagrams").map(Counter64)),
];

const LISTENER_V4: &[Column<(Ipv4Addr, u16)>] = &[
    Column::new(1, |row| Some(IpAddress(row.0.octets()))),
    Column::new(2, |row| Some(Integer(row.1.into()))),
];

const ENDPOINT: &[Column<Endpoint>] =
    &[Column::new(8, |row| Some(Gauge32(row.owners.get().of(row.inode))))];

/// What both families count together.
fn both(numbers: &Numbers, name: &str) -> Option<u64> {
    let of = |protocol: &str| numbers.of(protocol, name).map(i64::cast_unsigned);
    // A host may be without IPv6.
    of("Udp").map(|v4| v4.wrapping_add(of("Udp6").unwrap_or(0)))
}

fn counter<'a>(numbers: &Numbers, name: &str) -> Option<VarValue<'a>> {
    both(numbers, name).map(|number| Counter32(wrapped(number)))
}

impl Endpoints {
    fn of(found: &[Socket], owners: &Arc<Part<Owners>>) -> Self {
        let nobody = (Inet::Unknown, 0);
        Endpoints {
            all: found
                .iter()
                .map(|socket| {
                    let remote =
                        if socket.is_unconnected() { nobody } else { socket.remote_index() };
                    let row = Endpoint { inode: socket.inode, owners: Arc::clone(owners) };
                    ((socket.local_index(), remote, socket.inode), row)
                })
                .collect(),
            v4: found
                .iter()
                .filter_map(|socket| {
                    let (address, port) = (socket.local_v4()?, socket.local.port);
                    Some(((address, port.into()), (address, port)))
                })
                .collect(),
        }
    }
}

/// The module.
pub struct UdpMib {
    host: Host,
    mib: Mib<View>,
    cache: Cache<View>,
    numbers: Source<Numbers>,
    endpoints: Source<Endpoints>,
}

mib_module!(
    UdpMib,
    component = "mib.udp",
    version = "1.0.0",
    annotation = "RFC 4113: scalars, endpoints"
);

impl Module for UdpMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let processes = Source::new(host, "the owners of sockets", OWNERS_MAX_AGE, |_| owners());
        let read_endpoints = move |_: Option<&Endpoints>| {
            Ok(Endpoints::of(&sockets(Protocol::Udp)?, &Arc::new(processes.part())))
        };
        Ok(UdpMib {
            host,
            mib: Mib::of(&[UDP_ROOT])
                .described(&[(UDP_MIB, "The MIB module for managing UDP implementations")])
                .with(Scalars::new(UDP_ROOT, UDP, |view: &View| view.numbers.get()))
                .with(Table::new(LISTENER_V4_ENTRY, LISTENER_V4, |view: &View| {
                    &view.endpoints.get().v4
                }))
                .with(Table::new(ENDPOINT_ENTRY, ENDPOINT, |view: &View| &view.endpoints.get().all))
                .made()?,
            cache: Cache::new(MAX_AGE),
            numbers: Source::new(host, "/proc/net/snmp", MAX_AGE, |_| protocol_numbers()),
            endpoints: Source::new(host, "UDP sockets", MAX_AGE, read_endpoints),
        })
    }
}

impl Served for UdpMib {
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
        let made = |_: Option<&View>| {
            let (numbers, endpoints) = (self.numbers.part(), self.endpoints.part());
            Ok(View { numbers, endpoints })
        };
        let failed = |view: &View| view.numbers.failed() || view.endpoints.failed();
        self.cache.answer(act, || self.host.now(), made, failed, answer)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_counted_together() {
        let mut numbers = Numbers::default();
        numbers.add_titled("Udp: InDatagrams NoPorts\nUdp: 4294967295 3\n");
        assert_eq!(both(&numbers, "InDatagrams"), Some(0xffff_ffff));
        numbers.add_listed("Udp6InDatagrams 2\n");
        assert_eq!(both(&numbers, "InDatagrams"), Some(0x1_0000_0001));
        assert_eq!(counter(&numbers, "InDatagrams"), Some(Counter32(1)));
        assert_eq!(both(&numbers, "OutDatagrams"), None);
    }
}
