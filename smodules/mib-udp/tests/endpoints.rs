//! The module as the agent asks it: through a proxy, on the sockets of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, hosting, set, walk_takes_no_memory};
use roles::contract::mib::suite;
use roles::mib::{MibAccess, MibAccessProxy, Walk};
use roles::varbind::VarValue::{Counter64, Gauge32, Integer, IpAddress};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;
use std::cell::Cell;
use std::net::UdpSocket;

const UDP: [u32; 7] = [1, 3, 6, 1, 2, 1, 7];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    hosting(&[("mib.udp", &mib_udp::S_MODULE)], test);
}

fn name(rest: &[&[u32]]) -> Vec<u32> {
    [&UDP[..], &rest.concat()].concat()
}

/// The endpoint behind a stem, whose instance nobody knows beforehand.
fn endpoint(mib: &MibAccessProxy, act: &Activity, stem: &[u32]) {
    let (names, mut answers) = (binds(&[(stem, VarValue::Unspecified)]), VarBinds::new());
    let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
    mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
    let found = answers.get(0).unwrap();
    let ours = Gauge32(std::process::id());
    assert!(found.name.starts_with(stem) && found.value == ours, "{found:?} for {stem:?}");
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn an_endpoint_is_there_and_ours_whether_it_is_connected_or_not() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(socket.local_addr().unwrap()).unwrap();
    let port = |socket: &UdpSocket| u32::from(socket.local_addr().unwrap().port());
    let at = |port: u32| vec![1, 4, 127, 0, 0, 1, port];
    asked(|mib, act| {
        endpoint(&mib, act, &name(&[&[7, 1, 8], &at(port(&socket)), &[0, 0, 0]]));
        endpoint(&mib, act, &name(&[&[7, 1, 8], &at(port(&connected)), &at(port(&socket))]));
        let old = |column, found: VarValue<'_>| {
            let row = [127, 0, 0, 1, port(&socket)];
            get(&mib, act, &name(&[&[5, 1, column], &row]), |seen| assert_eq!(seen, found));
        };
        old(1, IpAddress([127, 0, 0, 1]));
        old(2, Integer(port(&socket).try_into().unwrap()));
    });
}

#[test]
fn an_endpoint_of_both_families_has_no_address() {
    let Ok(socket) = UdpSocket::bind("[::]:0") else { return };
    let port = u32::from(socket.local_addr().unwrap().port());
    asked(|mib, act| endpoint(&mib, act, &name(&[&[7, 1, 8, 0, 0, port, 0, 0, 0]])));
}

#[test]
fn datagrams_are_counted() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A host of its own for each look, so that nothing is remembered.
    let received = || {
        let count = Cell::new(0);
        asked(|mib, act| {
            get(&mib, act, &name(&[&[8, 0]]), |found| match found {
                Counter64(number) => count.set(number),
                other => panic!("{other:?}"),
            });
        });
        count.get()
    };
    let before = received();
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    socket.recv(&mut [0; 8]).unwrap();
    assert!(received() > before);
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let port = binds(&[(&name(&[&[5, 1, 2, 127, 0, 0, 1, 7]]), Integer(7))]);
        assert_eq!(set(&mib, act, &port), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 50));
}
