//! The module as the agent asks it: through a proxy, on the links of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

#[path = "interfaces/notifier.rs"]
mod notifier;

use asked::{binds, get, hosting, set, walk_takes_no_memory};
use mib_if::IfState;
use roles::contract::mib::{set_suite, suite, walk};
use roles::mib::MibAccessProxy;
use roles::notify::{Notifier as _, NotifierProxy};
use roles::varbind::VarValue::{Integer, Octets, TimeTicks};
use roles::varbind::{ErrorStatus, VarValue};
use s_proxy::Code;
use s_sdk::{Activity, State as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const IF_ENTRY: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    hosting(&[("engine", &engine::S_MODULE), ("mib.if", &mib_if::S_MODULE)], test);
}

fn cell(entry: &[u32], column: u32, row: u32) -> Vec<u32> {
    [entry, &[column, row]].concat()
}

fn kernel(file: &str) -> String {
    std::fs::read_to_string(format!("/sys/class/net/lo/{file}")).unwrap().trim().to_owned()
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn the_loopback_is_what_the_kernel_says() {
    asked(|mib, act| {
        let index = kernel("ifindex").parse().unwrap();
        let is = |entry: &[u32], column, expected: VarValue<'_>| {
            get(&mib, act, &cell(entry, column, index), |found| assert_eq!(found, expected));
        };
        is(&IF_ENTRY, 1, Integer(i32::try_from(index).unwrap()));
        is(&IF_ENTRY, 2, Octets(b"lo"));
        is(&IF_ENTRY, 3, Integer(24));
        is(&IF_ENTRY, 4, Integer(kernel("mtu").parse().unwrap()));
        is(&IF_ENTRY, 6, Octets(b""));
        is(&IF_ENTRY, 9, TimeTicks(0));
        is(&IF_X_ENTRY, 1, Octets(b"lo"));
        is(&IF_X_ENTRY, 17, Integer(2));
    });
}

#[test]
fn there_are_as_many_rows_as_interfaces_in_every_column() {
    asked(|mib, act| {
        let number = std::fs::read_dir("/sys/class/net")
            .unwrap()
            // A file for the bonding driver stands beside the links.
            .filter(|entry| entry.as_ref().unwrap().path().join("ifindex").exists())
            .count();
        get(&mib, act, &[1, 3, 6, 1, 2, 1, 2, 1, 0], |found| {
            assert_eq!(found, Integer(i32::try_from(number).unwrap()));
        });
        let rows = |entry: &[u32]| walk(&mib, act, entry).unwrap().len();
        assert_eq!((rows(&IF_ENTRY), rows(&IF_X_ENTRY)), (22 * number, 13 * number));
        // Every interface is the highest or below one, and the lowest or above one.
        assert!(rows(&[1, 3, 6, 1, 2, 1, 31, 1, 2]) >= number);
    });
}

#[test]
fn who_tells_can_be_written_and_names_cannot() {
    asked(|mib, act| {
        let lo = kernel("ifindex").parse().unwrap();
        let tells = |row, value| binds(&[(&cell(&IF_X_ENTRY, 14, row), Integer(value))]);
        let alias = binds(&[(&cell(&IF_X_ENTRY, 18, lo), Octets(b"new"))]);
        set_suite(
            &mib,
            act,
            &tells(lo, 2),
            &[
                (&tells(lo, 3), ErrorStatus::WrongValue, 1),
                (&tells(0x7fff_ffff, 1), ErrorStatus::NoCreation, 1),
                (&alias, ErrorStatus::NotWritable, 1),
            ],
        )
        .unwrap();
        // The suite wrote it again at its end.
        get(&mib, act, &cell(&IF_X_ENTRY, 14, lo), |found| assert_eq!(found, Integer(2)));
    });
}

#[test]
fn a_link_is_brought_where_it_is_if_the_agent_may() {
    asked(|mib, act| {
        let lo = kernel("ifindex").parse().unwrap();
        let present = get(&mib, act, &cell(&IF_ENTRY, 7, lo), |found| match found {
            Integer(status) => status,
            other => panic!("{other:?}"),
        });
        let status = |value| binds(&[(&cell(&IF_ENTRY, 7, lo), Integer(value))]);
        let answer = set(&mib, act, &status(present));
        assert!(matches!(answer, Ok(()) | Err((ErrorStatus::NotWritable, 1))), "{answer:?}");
        assert_eq!(set(&mib, act, &status(3)), Err((ErrorStatus::WrongValue, 1)));
    });
}

#[test]
fn a_link_that_turned_during_a_swap_is_told_when_there_is_room_and_not_again_when_it_is_refused() {
    let (runtime, control) = hosted::host();
    hosted::serve(&control, "engine", &engine::S_MODULE);
    hosted::serve(&control, "notify", &notifier::S_MODULE);
    let links = kernel_net::links().unwrap();
    let lo = links.iter().find(|link| link.name == b"lo").unwrap();
    let is_up = !matches!(lo.oper_status(), 2 | 6 | 7);
    // The predecessor had seen it otherwise.
    let (mut octets, up) = (Vec::new(), BTreeMap::from([(lo.index, !is_up)]));
    let told = BTreeMap::from([(lo.index, true)]);
    let known = IfState { told, table_last_change: 0, stack_last_change: 0, interfaces: None, up };
    known.export(2, &mut octets).unwrap();
    let component = runtime.add_component("mib.if").unwrap();
    let swap = || {
        let body = control.create(component, Code::linked(&mib_if::S_MODULE)).unwrap();
        body.instance().import_state(2, &octets).unwrap();
        let group = control.bind(&[(component, Some(body))]);
        let soon = Instant::now() + Duration::from_secs(10);
        control.take(soon).unwrap().flip_open(group);
    };
    let (mut worker, notifier) =
        (runtime.worker(), runtime.proxy::<NotifierProxy>("notify").unwrap());
    let mut look = || {
        let act = worker.activity();
        component.on_timer(&act, 1).unwrap();
        let statistics = notifier.statistics(&act).unwrap();
        (statistics.dropped, statistics.accepted)
    };
    swap();
    assert_eq!([look(), look(), look()], [(1, 0), (1, 1), (1, 1)]);
    swap();
    assert_eq!([look(), look()], [(2, 1), (2, 1)], "the originator said no");
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 50));
}
