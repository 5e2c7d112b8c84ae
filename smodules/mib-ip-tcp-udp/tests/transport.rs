//! The module as the agent asks it: through a proxy, on the sockets of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set};
use hosted::{host, serve};
use roles::contract::mib::suite;
use roles::mib::{MibAccess, MibAccessProxy, Walk};
use roles::varbind::VarValue::{Gauge32, Integer, NoSuchInstance};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;
use std::net::{TcpListener, TcpStream, UdpSocket};

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    let (runtime, control) = host();
    serve(&control, "mib.ip-tcp-udp", &mib_ip_tcp_udp::S_MODULE);
    let mut worker = runtime.worker();
    test(runtime.proxy("mib.ip-tcp-udp").unwrap(), &worker.activity());
}

/// The loopback's address and a port, as parts of an index.
fn local(port: u16) -> [u32; 7] {
    [1, 4, 127, 0, 0, 1, port.into()]
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn a_listener_and_both_ends_of_its_connection_are_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, client) =
        (local(listener.local_addr().unwrap().port()), local(stream.local_addr().unwrap().port()));
    asked(|mib, act| {
        let listens = [&[1, 3, 6, 1, 2, 1, 6, 20, 1, 4], &server[..]].concat();
        get(&mib, act, &listens, |found| assert_eq!(found, Gauge32(0)));
        for (near, far) in [(&server, &client), (&client, &server)] {
            let state = [&[1, 3, 6, 1, 2, 1, 6, 19, 1, 7], &near[..], &far[..]].concat();
            get(&mib, act, &state, |found| assert_eq!(found, Integer(5)));
        }
        let nobody = [&[1, 3, 6, 1, 2, 1, 6, 20, 1, 4], &client[..]].concat();
        get(&mib, act, &nobody, |found| assert_eq!(found, NoSuchInstance));
    });
}

#[test]
fn an_endpoint_of_udp_is_there() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = local(socket.local_addr().unwrap().port());
    // Its instance is not known here: it is what follows the endpoint without one.
    let stem = [&[1, 3, 6, 1, 2, 1, 7, 7, 1, 8], &port[..], &[0, 0, 0]].concat();
    asked(|mib, act| {
        let (names, mut answers) = (binds(&[(&stem, VarValue::Unspecified)]), VarBinds::new());
        let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
        mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
        let found = answers.get(0).unwrap();
        assert!(found.name.starts_with(&stem) && found.value == Gauge32(0), "{found:?}");
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let forward = binds(&[(&[1, 3, 6, 1, 2, 1, 4, 1, 0], Integer(1))]);
        assert_eq!(set(&mib, act, &forward), Err((ErrorStatus::NotWritable, 1)));
    });
}
