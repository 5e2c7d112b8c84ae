//! The module as the agent asks it: through a proxy, on the sockets of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, hosting, set, walk_takes_no_memory};
use roles::contract::mib::suite;
use roles::mib::MibAccessProxy;
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, IpAddress, NoSuchInstance};
use roles::varbind::{ErrorStatus, VarValue};
use s_sdk::Activity;
use std::net::{TcpListener, TcpStream};

const TCP: [u32; 7] = [1, 3, 6, 1, 2, 1, 6];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    hosting(&[("mib.tcp", &mib_tcp::S_MODULE)], test);
}

fn name(rest: &[&[u32]]) -> Vec<u32> {
    [&TCP[..], &rest.concat()].concat()
}

/// The loopback's address and a port, as parts of an index.
fn local(port: u16) -> [u32; 7] {
    [1, 4, 127, 0, 0, 1, port.into()]
}

fn own_pid() -> VarValue<'static> {
    Gauge32(std::process::id())
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn a_listener_and_both_ends_of_its_connection_are_there_and_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let (server, client) =
        (local(listener.local_addr().unwrap().port()), local(stream.local_addr().unwrap().port()));
    asked(|mib, act| {
        let is = |rest: &[&[u32]], expected| {
            get(&mib, act, &name(rest), |found| assert_eq!(found, expected, "{rest:?}"));
        };
        is(&[&[20, 1, 4], &server], own_pid());
        is(&[&[20, 1, 4], &client], NoSuchInstance);
        for (near, far) in [(&server, &client), (&client, &server)] {
            is(&[&[19, 1, 7], near, far], Integer(5));
            is(&[&[19, 1, 8], near, far], own_pid());
            // The deprecated table has no types and no lengths in its index.
            is(&[&[13, 1, 1], &near[2..], &far[2..]], Integer(5));
            is(&[&[13, 1, 2], &near[2..], &far[2..]], IpAddress([127, 0, 0, 1]));
            is(&[&[13, 1, 5], &near[2..], &far[2..]], Integer(far[6].try_into().unwrap()));
        }
        is(&[&[13, 1, 1], &server[2..], &[0; 5]], Integer(2));
    });
    drop(accepted);
}

#[test]
fn a_connection_that_is_ipv4_inside_of_ipv6_is_ipv4() {
    let Ok(listener) = TcpListener::bind("[::]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (server, client) = (local(port), local(stream.local_addr().unwrap().port()));
    asked(|mib, act| {
        let state = name(&[&[19, 1, 7], &server, &client]);
        get(&mib, act, &state, |found| assert_eq!(found, Integer(5)));
        // It takes both families, so it is at no address of either.
        let listens = name(&[&[20, 1, 4, 0, 0, port.into()]]);
        get(&mib, act, &listens, |found| assert_eq!(found, own_pid()));
    });
}

#[test]
fn wide_counters_begin_with_the_narrow_ones() {
    asked(|mib, act| {
        for (narrow, wide) in [(10, 17), (11, 18)] {
            let low = get(&mib, act, &name(&[&[narrow, 0]]), |found| match found {
                Counter32(count) => u64::from(count),
                other => panic!("{other:?}"),
            });
            get(&mib, act, &name(&[&[wide, 0]]), |found| match found {
                Counter64(count) => assert_eq!(count % (1 << 32), low),
                other => panic!("{other:?}"),
            });
        }
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let close = binds(&[(&name(&[&[19, 1, 7], &local(1), &local(2)]), Integer(12))]);
        assert_eq!(set(&mib, act, &close), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 50));
}
