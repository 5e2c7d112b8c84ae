//! What the kernel says: messages of netlink, and the texts of /proc and /sys.
//!
//! The kernel is no enemy, but it is of any version, and what it hands on others have named: links, mounts,
//! disks. Promises checked: whatever octets come, reading them does no harm; what comes out was in them, so
//! there is no more of it than there was room for.
#![no_main]

use libfuzzer_sys::fuzz_target;

// As files, because nobody else may hand octets to these readers. They name each other from their roots.
#[allow(
    dead_code,
    unfulfilled_lint_expectations,
    reason = "only what takes octets and texts apart is attacked"
)]
#[path = "../../../smodules"]
mod smodules {
    #[path = "kernel-net/src"]
    pub(crate) mod net {
        pub(crate) mod address;
        pub(crate) mod link;
        pub(crate) mod neighbour;
        pub(crate) mod netlink;
        pub(crate) mod numbers;
        pub(crate) mod route;
        pub(crate) mod socket;
        pub(crate) mod sysfs;
    }
    #[path = "kernel-host/src"]
    pub(crate) mod host {
        pub(crate) mod disks;
        pub(crate) mod memory;
        pub(crate) mod mounts;
        pub(crate) mod processors;
    }
}
use smodules::host::{disks, memory, mounts, processors};
use smodules::net::{address, link, neighbour, netlink, numbers, route, socket, sysfs};

/// What the readers of kernel-host ask their root for.
#[allow(dead_code, reason = "nothing is read from files here")]
fn text(_: &str) -> String {
    String::new()
}

fuzz_target!(|octets: &[u8]| {
    let mut rest = octets;
    let mut taken = 0;
    while let Some(message) = netlink::Message::take(&mut rest) {
        taken += netlink::HEADER + message.body.len();
        body(message.body);
    }
    assert!(taken <= octets.len());
    // Headers of messages are found by chance only.
    body(octets);
    if let Ok(text) = str::from_utf8(octets) {
        texts(text);
    }
});

/// The body of one message, of whichever kind.
fn body(body: &[u8]) {
    if let Some(link) = link::link(body) {
        assert!(!link.name.is_empty() && link.name.len() < body.len());
    }
    if let Some(address) = address::address(body) {
        assert_eq!(address.network().is_ipv4(), address.address.is_ipv4());
    }
    if let Some(neighbour) = neighbour::neighbour(body) {
        assert!(neighbour.phys_address.len() < body.len());
    }
    let _ = neighbour::retransmit_time(body);
    let mut ways = Vec::new();
    let _ = route::ways(body, &mut ways);
    assert!(ways.len() <= 1 + body.len() / 8);
    if let Some(socket) = socket::socket(body) {
        let _ = (socket.local_index(), socket.remote_index(), socket.local_v4());
    }
}

fn texts(text: &str) {
    let lines = text.lines().count();
    assert!(socket::lines(text).len() <= lines);
    let mut titled = numbers::Numbers::default();
    titled.add_titled(text);
    let mut listed = numbers::Numbers::default();
    listed.add_listed(text);
    assert!(listed.iter().count() <= lines);
    assert!(listed.iter().all(|(name, _)| text.contains(name)));
    assert!(titled.iter().count() <= text.split_whitespace().count());
    let _ = sysfs::octets(text);
    let _ = memory::Memory::parsed(text);
    assert!(mounts::Mount::parsed(text).len() <= lines);
    let (stat, memory) = text.split_at(text.ceil_char_boundary(text.len() / 2));
    let activity = processors::Activity::parsed(stat, memory);
    // What is made of several numbers stays within its type, whatever they are.
    let _ = activity.each.iter().map(|ticks| (ticks.all(), ticks.busy())).collect::<Vec<_>>();
    assert!(text.lines().filter_map(disks::Disk::line).count() <= lines);
}
