//! IP-MIB (RFC 4293) and IP-FORWARD-MIB (RFC 4292): what IP and ICMP count, addresses, prefixes, neighbours,
//! routes, and the deprecated tables that old managers still read.
//!
//! Every table is a part of a view, read from the kernel when somebody asks for it: nobody waits for a
//! million routes who wants an address. It never changes anything: what the RFCs let an agent make
//! read-only is so.
//!
//! In reading order: `values` are conversions; `scalars` what the protocols count and are set to;
//! `statistics` the same as tables; `addresses`, `interfaces`, `neighbours`, `routes` the tables of
//! the network. How they differ from net-snmp's is in the manual.

mod addresses;
mod interfaces;
mod neighbours;
mod routes;
mod scalars;
mod statistics;
mod values;

use addresses::Addresses;
use interfaces::Interfaces;
use mib_kit::{Cache, Mib, Part, Scalars, Served, Source, Table, mib_module};
use neighbours::Neighbours;
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use routes::Routes;
use s_sdk::{Activity, Host, Module, Refusal};
use scalars::Protocols;
use statistics::{IfStatistics, Statistics};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const IP: &[u32] = &[1, 3, 6, 1, 2, 1, 4];
const ICMP: &[u32] = &[1, 3, 6, 1, 2, 1, 5];
const IP_FORWARD: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 24];
const IP_TRAFFIC_STATS: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 31];
const IP_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 48];

/// A view and each of its parts are good for so long: what is answered is twice as old at most, or
/// `mib_kit`'s patience with what is slow to read.
const MAX_AGE: Duration = Duration::from_millis(500);

/// All of it at one time.
pub struct View {
    protocols: Part<Protocols>,
    statistics: Part<Statistics>,
    if_statistics: Part<IfStatistics>,
    addresses: Part<Addresses>,
    interfaces: Part<Interfaces>,
    neighbours: Part<Neighbours>,
    routes: Part<Routes>,
}

impl View {
    fn failed(&self) -> bool {
        self.protocols.failed()
            || self.statistics.failed()
            || self.if_statistics.failed()
            || self.addresses.failed()
            || self.interfaces.failed()
            || self.neighbours.failed()
            || self.routes.failed()
    }
}

/// The sources of a view's parts.
struct Sources {
    protocols: Source<Protocols>,
    statistics: Source<Statistics>,
    if_statistics: Source<IfStatistics>,
    addresses: Source<Addresses>,
    interfaces: Source<Interfaces>,
    neighbours: Source<Neighbours>,
    routes: Source<Routes>,
}

impl Sources {
    fn new(host: Host, up_time: &Arc<AtomicU32>) -> Self {
        let now = |up_time: &Arc<AtomicU32>| {
            let up_time = Arc::clone(up_time);
            move || up_time.load(Ordering::Relaxed)
        };
        let (counted, dated, changed, met) =
            (now(up_time), now(up_time), now(up_time), now(up_time));
        Sources {
            protocols: Source::new(host, "/proc/net/snmp", MAX_AGE, |_| Protocols::read()),
            statistics: Source::new(host, "/proc/net/snmp", MAX_AGE, |_| Statistics::read()),
            if_statistics: Source::new(host, "/proc/net/dev_snmp6", MAX_AGE, move |last| {
                IfStatistics::read(last, counted())
            }),
            addresses: Source::new(host, "addresses", MAX_AGE, move |_| Addresses::read(dated())),
            interfaces: Source::new(host, "interfaces of IP", MAX_AGE, move |last| {
                Interfaces::read(last, changed())
            }),
            neighbours: Source::new(host, "neighbours", MAX_AGE, move |_| Neighbours::read(met())),
            routes: Source::new(host, "routes", MAX_AGE, |_| Routes::read()),
        }
    }

    fn view(&self) -> View {
        View {
            protocols: self.protocols.part(),
            statistics: self.statistics.part(),
            if_statistics: self.if_statistics.part(),
            addresses: self.addresses.part(),
            interfaces: self.interfaces.part(),
            neighbours: self.neighbours.part(),
            routes: self.routes.part(),
        }
    }
}

/// The module.
pub struct IpMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View>,
    cache: Cache<View>,
    sources: Sources,
    /// sysUpTime when the present view was made: parts are dated with it.
    up_time: Arc<AtomicU32>,
}

mib_module!(
    IpMib,
    component = "mib.ip",
    version = "1.0.0",
    annotation = "RFC 4293, 4292: IP, ICMP, addresses, neighbours, routes",
    depends("engine" = "^1")
);

impl Module for IpMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let up_time = Arc::default();
        Ok(IpMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: declared().made()?,
            cache: Cache::new(MAX_AGE),
            sources: Sources::new(host, &up_time),
            up_time,
        })
    }
}

#[rustfmt::skip]
fn declared() -> Mib<View> {
    Mib::of(&[IP, ICMP])
        .described(&[
            (IP_MIB, "The MIB module for managing IP and ICMP implementations"),
            (IP_FORWARD, "The MIB module for the management of CIDR multipath IP Routes"),
        ])
        .with(Scalars::new(IP, scalars::IP, |v: &View| v.protocols.get()))
        .with(Scalars::new(ICMP, scalars::ICMP, |v: &View| v.protocols.get()))
        .with(Scalars::new(IP, interfaces::CHANGES, |v: &View| v.interfaces.get()))
        .with(Scalars::new(IP_TRAFFIC_STATS, statistics::LAST_CHANGE, |v: &View| v.if_statistics.get()))
        .with(Scalars::new(IP_FORWARD, routes::NUMBERS, |v: &View| v.routes.get()))
        .with(Table::new(statistics::ICMP_ENTRY, statistics::ICMP, |v: &View| &v.statistics.get().icmp))
        .with(Table::new(statistics::MESSAGE_ENTRY, statistics::MESSAGE, |v: &View| &v.statistics.get().messages))
        .with(Table::new(statistics::SYSTEM_ENTRY, statistics::SYSTEM, |v: &View| &v.statistics.get().system))
        .with(Table::new(statistics::INTERFACE_ENTRY, statistics::INTERFACE, |v: &View| &v.if_statistics.get().rows))
        .with(Table::new(addresses::V4_ENTRY, addresses::V4, |v: &View| &v.addresses.get().v4))
        .with(Table::new(addresses::PREFIX_ENTRY, addresses::PREFIX, |v: &View| &v.addresses.get().prefixes))
        .with(Table::new(addresses::ENTRY, addresses::ADDRESS, |v: &View| &v.addresses.get().all))
        .with(Table::new(interfaces::V4_ENTRY, interfaces::V4, |v: &View| &v.interfaces.get().v4))
        .with(Table::new(interfaces::V6_ENTRY, interfaces::V6, |v: &View| &v.interfaces.get().v6))
        .with(Table::new(interfaces::ZONE_ENTRY, interfaces::ZONE, |v: &View| &v.interfaces.get().zones))
        .with(Table::new(neighbours::MEDIA_ENTRY, neighbours::MEDIA, |v: &View| &v.neighbours.get().v4))
        .with(Table::new(neighbours::ENTRY, neighbours::NEIGHBOUR, |v: &View| &v.neighbours.get().all))
        .with(Table::new(routes::V4_ENTRY, routes::V4, |v: &View| &v.routes.get().v4))
        .with(Table::new(routes::ENTRY, routes::ROUTE, |v: &View| &v.routes.get().all))
        .with(Table::new(routes::DEFAULT_ENTRY, routes::DEFAULT, |v: &View| &v.routes.get().default_routers))
}

impl Served for IpMib {
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
            self.up_time.store(self.engine.up_time(act)?, Ordering::Relaxed);
            Ok(self.sources.view())
        };
        self.cache.answer(act, || self.host.now(), made, View::failed, answer)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}
