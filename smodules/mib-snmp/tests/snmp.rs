//! The module as the agent asks it: through a proxy, beside an engine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use roles::contract::mib::{set_suite, suite};
use roles::error::Counter;
use roles::mib::MibAccessProxy;
use roles::settings::{Persistence, PersistenceProxy};
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{Counter32, Integer, Octets};
use s_sdk::{Activity, Buf};

const AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30, 0];

fn asked(test: impl Fn(MibAccessProxy, PersistenceProxy, &Activity)) {
    let (runtime, control) = host();
    serve(&control, "engine", &engine::S_MODULE);
    serve(&control, "mib.snmp", &mib_snmp::S_MODULE);
    let mut worker = runtime.worker();
    let kept = runtime.proxy("mib.snmp").unwrap();
    test(runtime.proxy("mib.snmp").unwrap(), kept, &worker.activity());
}

#[test]
fn the_contract_holds() {
    asked(|mib, _, act| {
        suite(&mib, act).unwrap();
        let refused = |value| binds(&[(AUTHEN_TRAPS, value)]);
        set_suite(
            &mib,
            act,
            &binds(&[(AUTHEN_TRAPS, Integer(1))]),
            &[
                (&refused(Integer(3)), ErrorStatus::WrongValue, 1),
                (&refused(Octets(b"")), ErrorStatus::WrongType, 1),
                (
                    &binds(&[(Counter::InPackets.instance(), Counter32(0))]),
                    ErrorStatus::NotWritable,
                    1,
                ),
            ],
        )
        .unwrap();
    });
}

#[test]
fn every_counter_of_the_engine_is_where_reports_say_it_is() {
    asked(|mib, _, act| {
        for (value, counter) in (1..).zip(Counter::ALL) {
            get(&mib, act, counter.instance(), |found| {
                assert_eq!(found, Counter32(value), "{counter}");
            });
        }
    });
}

#[test]
fn the_engine_says_who_it_is() {
    asked(|mib, _, act| {
        for (number, expected) in [
            (1, Octets(b"\x80\x00\x1f\x88\x04test")),
            (2, Integer(3)),
            (3, Integer(77)),
            (4, Integer(65507)),
        ] {
            let name = [1, 3, 6, 1, 6, 3, 10, 2, 1, number, 0];
            get(&mib, act, &name, |found| assert_eq!(found, expected));
        }
    });
}

#[test]
fn whether_authentication_failures_are_told_is_saved_and_restored() {
    let saved = std::cell::RefCell::new(Buf::new());
    asked(|mib, kept, act| {
        get(&mib, act, AUTHEN_TRAPS, |value| assert_eq!(value, Integer(2)));
        let before = kept.revision(act).unwrap();
        set(&mib, act, &binds(&[(AUTHEN_TRAPS, Integer(1))])).unwrap();
        assert_ne!(kept.revision(act).unwrap(), before);
        kept.save(act, &mut saved.borrow_mut()).unwrap();
    });
    asked(|mib, kept, act| {
        assert_eq!(kept.restore(act, b"nonsense"), Ok(false));
        assert_eq!(kept.restore(act, &saved.borrow()), Ok(true));
        get(&mib, act, AUTHEN_TRAPS, |value| assert_eq!(value, Integer(1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, _, act| walk_takes_no_memory(&mib, act, 30));
}
