//! The module as the agent asks it: through a proxy, on this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set};
use hosted::{host, serve};
use roles::contract::mib::{suite, walk};
use roles::mib::{MibAccess, MibAccessProxy, Walk};
use roles::varbind::VarValue::{Gauge32, Integer, Octets, Oid};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;

const HOST: [u32; 7] = [1, 3, 6, 1, 2, 1, 25];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    let (runtime, control) = host();
    serve(&control, "mib.host", &mib_host::S_MODULE);
    let mut worker = runtime.worker();
    test(runtime.proxy("mib.host").unwrap(), &worker.activity());
}

fn name(rest: &[u32]) -> Vec<u32> {
    [&HOST, rest].concat()
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn this_process_is_among_the_processes() {
    asked(|mib, act| {
        let own = std::process::id();
        let test = std::fs::read_to_string("/proc/self/comm").unwrap();
        get(&mib, act, &name(&[4, 2, 1, 1, own]), |found| {
            assert_eq!(found, Integer(i32::try_from(own).unwrap()));
        });
        get(&mib, act, &name(&[4, 2, 1, 2, own]), |found| {
            let Octets(found) = found else { panic!("{found:?}") };
            assert!(!found.is_empty() && !test.is_empty());
        });
        get(&mib, act, &name(&[5, 1, 1, 2, own]), |found| {
            assert!(matches!(found, Integer(kib) if kib > 0), "{found:?}");
        });
        let rows = walk(&mib, act, &name(&[4, 2, 1, 1])).unwrap().len();
        get(&mib, act, &name(&[1, 6, 0]), |found| {
            assert_eq!(found, Gauge32(u32::try_from(rows).unwrap()));
        });
    });
}

#[test]
fn memory_and_processors_are_what_the_kernel_says() {
    asked(|mib, act| {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
        get(&mib, act, &name(&[2, 2, 0]), |found| assert_eq!(found, Integer(total)));
        get(&mib, act, &name(&[2, 3, 1, 5, 1]), |found| assert_eq!(found, Integer(total)));
        get(&mib, act, &name(&[2, 3, 1, 2, 1]), |found| {
            assert_eq!(found, Oid(&[1, 3, 6, 1, 2, 1, 25, 2, 1, 2]));
        });
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let processors = stat.lines().filter(|line| line.starts_with("cpu")).count() - 1;
        let loads = walk(&mib, act, &name(&[3, 3, 1, 2])).unwrap();
        assert_eq!(loads.len(), processors);
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let date = binds(&[(&name(&[1, 2, 0]), Octets(b"12345678"))]);
        assert_eq!(set(&mib, act, &date), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| {
        let names = binds(&[(&[1, 3], VarValue::Unspecified)]);
        let mut answers = VarBinds::new();
        let mut ask = || {
            answers.clear();
            let walk = Walk { which: Span::new(0, 1), repetitions: 50 };
            mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
        };
        ask();
        assert_eq!(allocation_counter::measure(ask).count_total, 0);
    });
}
