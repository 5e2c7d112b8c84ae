//! TCP-MIB (RFC 4022): scalars, tcpConnectionTable, tcpListenerTable, and the deprecated tcpConnTable.
//!
//! Counters and sockets are parts of a view, each read from the kernel when somebody asks for it. It never
//! changes anything: the state of a connection can only be read.
//!
//! Where net-snmp differs: there a socket that takes both families is a listener of `::`, here it has no
//! address, as the RFC has it; there IPv4 inside of IPv6 is IPv6, here it is what goes over the wire.

mod tables;

use kernel_net::{Numbers, owners, protocol_numbers, sockets};
use mib_kit::{Cache, Mib, Part, Scalars, Served, Source, Table, mib_module};
use roles::mib::MibError;
use s_sdk::{Activity, Host, Module, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tables::{CONNECTION, CONNECTION_V4, LISTENER, Sockets, TCP};

const TCP_ROOT: &[u32] = &[1, 3, 6, 1, 2, 1, 6];
const CONNECTION_V4_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 6, 13, 1];
const CONNECTION_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 6, 19, 1];
const LISTENER_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 6, 20, 1];
const TCP_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 49];

/// A view and each of its parts are good for so long: what is answered is twice as old at most, or
/// `mib_kit`'s patience with what is slow to read.
const MAX_AGE: Duration = Duration::from_millis(500);
/// Which process has a socket is asked of all processes, and changes less often than anything else.
const OWNERS_MAX_AGE: Duration = Duration::from_secs(10);

/// All of it at one time.
pub struct View {
    numbers: Part<Numbers>,
    sockets: Part<Sockets>,
}

/// The module.
pub struct TcpMib {
    host: Host,
    mib: Mib<View>,
    cache: Cache<View>,
    numbers: Source<Numbers>,
    sockets: Source<Sockets>,
}

mib_module!(
    TcpMib,
    component = "mib.tcp",
    version = "1.0.0",
    annotation = "RFC 4022: scalars, connections, listeners"
);

impl Module for TcpMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let processes = Source::new(host, "the owners of sockets", OWNERS_MAX_AGE, |_| owners());
        let read_sockets = move |_: Option<&Sockets>| {
            let found = sockets(kernel_net::socket::Protocol::Tcp)?;
            Ok(Sockets::of(&found, &Arc::new(processes.part())))
        };
        Ok(TcpMib {
            host,
            mib: Mib::of(&[TCP_ROOT])
                .described(&[(TCP_MIB, "The MIB module for managing TCP implementations")])
                .with(Scalars::new(TCP_ROOT, TCP, |view: &View| view.numbers.get()))
                .with(Table::new(CONNECTION_V4_ENTRY, CONNECTION_V4, |view: &View| {
                    &view.sockets.get().connections_v4
                }))
                .with(Table::new(CONNECTION_ENTRY, CONNECTION, |view: &View| {
                    &view.sockets.get().connections
                }))
                .with(Table::new(LISTENER_ENTRY, LISTENER, |view: &View| {
                    &view.sockets.get().listeners
                }))
                .made()?,
            cache: Cache::new(MAX_AGE),
            numbers: Source::new(host, "/proc/net/snmp", MAX_AGE, |_| protocol_numbers()),
            sockets: Source::new(host, "TCP sockets", MAX_AGE, read_sockets),
        })
    }
}

impl Served for TcpMib {
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
            let (numbers, sockets) = (self.numbers.part(), self.sockets.part());
            Ok(View { numbers, sockets })
        };
        let failed = |view: &View| view.numbers.failed() || view.sockets.failed();
        self.cache.answer(act, || self.host.now(), made, failed, answer)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}
