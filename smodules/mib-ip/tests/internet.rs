//! The module as the agent asks it: through a proxy, on the addresses and routes of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, hosting, set, walk_takes_no_memory};
use roles::contract::mib::{suite, walk};
use roles::mib::MibAccessProxy;
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, IpAddress, Oid};
use roles::varbind::{ErrorStatus, VarValue};
use s_sdk::Activity;

const IP: [u32; 7] = [1, 3, 6, 1, 2, 1, 4];
const ICMP: [u32; 7] = [1, 3, 6, 1, 2, 1, 5];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    hosting(&[("engine", &engine::S_MODULE), ("mib.ip", &mib_ip::S_MODULE)], test);
}

fn name(rest: &[u32]) -> Vec<u32> {
    [&IP, rest].concat()
}

fn setting(file: &str) -> i32 {
    std::fs::read_to_string(format!("/proc/sys/net/{file}")).unwrap().trim().parse().unwrap()
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn settings_are_what_the_kernel_says() {
    asked(|mib, act| {
        let is = |number, expected| {
            get(&mib, act, &name(&[number, 0]), |found| assert_eq!(found, Integer(expected)));
        };
        is(1, if setting("ipv4/ip_forward") == 0 { 2 } else { 1 });
        is(2, setting("ipv4/ip_default_ttl"));
        is(13, setting("ipv4/ipfrag_time"));
    });
}

#[test]
fn the_loopback_has_its_address_in_every_table() {
    asked(|mib, act| {
        let is = |rest: &[u32], expected: VarValue<'_>| {
            get(&mib, act, &name(rest), |found| assert_eq!(found, expected, "{rest:?}"));
        };
        is(&[34, 1, 3, 1, 4, 127, 0, 0, 1], Integer(1));
        is(&[34, 1, 4, 1, 4, 127, 0, 0, 1], Integer(1));
        let prefix = name(&[32, 1, 5, 1, 1, 4, 127, 0, 0, 0, 8]);
        is(&[34, 1, 5, 1, 4, 127, 0, 0, 1], Oid(&prefix));
        is(&[32, 1, 5, 1, 1, 4, 127, 0, 0, 0, 8], Integer(2));
        is(&[32, 1, 9, 1, 1, 4, 127, 0, 0, 0, 8], Gauge32(u32::MAX));
        is(&[20, 1, 3, 127, 0, 0, 1], IpAddress([255, 0, 0, 0]));
        is(&[28, 1, 2, 1], Integer(65535));
    });
}

#[test]
fn there_are_as_many_routes_as_are_counted() {
    asked(|mib, act| {
        let rows = |entry: &[u32]| walk(&mib, act, &name(entry)).unwrap().len();
        for (number, column) in [(6, [24, 7, 1, 17]), (3, [24, 4, 1, 16])] {
            let rows = u32::try_from(rows(&column)).unwrap();
            get(&mib, act, &name(&[24, number, 0]), |found| assert_eq!(found, Gauge32(rows)));
        }
    });
}

#[test]
fn tables_and_deprecated_scalars_count_the_same() {
    asked(|mib, act| {
        let count = |name: &[u32]| {
            get(&mib, act, name, |found| match found {
                Counter32(count) => u64::from(count),
                Counter64(count) => count,
                other => panic!("{name:?} is {other:?}"),
            })
        };
        // They may be read one after the other, and go up meanwhile.
        let pairs = [
            (name(&[3, 0]), name(&[31, 1, 1, 3, 1])),
            (name(&[31, 1, 1, 3, 1]), name(&[31, 1, 1, 4, 1])),
            ([&ICMP[..], &[1, 0]].concat(), [&ICMP[..], &[29, 1, 2, 1]].concat()),
        ];
        for (first, second) in pairs {
            let (first, second) = (count(&first), count(&second));
            assert!(second >= first && second - first < 10_000, "{first} {second}");
        }
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let forward = binds(&[(&name(&[1, 0]), Integer(1))]);
        assert_eq!(set(&mib, act, &forward), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 2000));
}
