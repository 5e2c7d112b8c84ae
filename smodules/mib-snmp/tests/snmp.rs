//! The module as the agent asks it: through a proxy, beside an engine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;
#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use mib_snmp::SnmpState;
use roles::contract::mib::{set_suite, suite};
use roles::contract::settings::Documents;
use roles::error::Counter;
use roles::mib::MibAccessProxy;
use roles::settings::{
    Persistence, PersistenceProxy, Settings, SettingsProxy, SnmpSettings, SystemSettings, write,
};
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{Counter32, Integer, Octets};
use s_proxy::Code;
use s_sdk::{Activity, Buf, State};

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

#[test]
fn what_is_configured_cannot_be_written_and_goes_with_its_setting() {
    let (runtime, control) = host();
    serve(&control, "engine", &engine::S_MODULE);
    serve(&control, "mib.snmp", &mib_snmp::S_MODULE);
    let mib: MibAccessProxy = runtime.proxy("mib.snmp").unwrap();
    let settings: SettingsProxy = runtime.proxy("mib.snmp").unwrap();
    let mut worker = runtime.worker();
    let act = &worker.activity();
    let configure = |authentication_traps| {
        let document = write(&SnmpSettings { authentication_traps });
        assert_eq!(settings.apply(act, &document, &mut Buf::new()), Ok(0));
    };
    let is = |wanted| get(&mib, act, AUTHEN_TRAPS, |value| assert_eq!(value, Integer(wanted)));
    let set = |value| set(&mib, act, &binds(&[(AUTHEN_TRAPS, Integer(value))]));
    for (configured, other, value) in [(true, 2, 1), (false, 1, 2)] {
        configure(Some(configured));
        is(value);
        assert_eq!(set(other), Err((ErrorStatus::NotWritable, 1)));
        is(value);
    }
    configure(None);
    set(1).unwrap();
    configure(Some(false));
    is(2);
    configure(None);
    is(1);
    let other = write(&SystemSettings::default());
    let mut problems = Buf::new();
    assert_eq!(settings.apply(act, &other, &mut problems), Ok(1));
    assert!(!problems.is_empty());
    is(1);

    // A successor goes on with both; a predecessor of the older state with what was written.
    configure(Some(false));
    let component = runtime.component("mib.snmp").unwrap();
    let current = component.current();
    let instance = current.body().unwrap().instance();
    let (state, older) = (instance.export_state(2).unwrap(), instance.export_state(1).unwrap());
    for (version, state, configured) in [(2, state, Some(false)), (1, older, None)] {
        let successor = control.create(component, Code::linked(&mib_snmp::S_MODULE)).unwrap();
        successor.instance().import_state(version, &state).unwrap();
        let again = successor.instance().export_state(2).unwrap();
        let again = SnmpState::import(2, &again).unwrap();
        assert_eq!((again.authen_traps, again.configured), (1, configured));
    }
}

#[test]
fn the_contracts_of_settings_and_of_what_is_kept_hold() {
    let (runtime, control) = host();
    serve(&control, "engine", &engine::S_MODULE);
    serve(&control, "mib.snmp", &mib_snmp::S_MODULE);
    let mib: MibAccessProxy = runtime.proxy("mib.snmp").unwrap();
    let settings: SettingsProxy = runtime.proxy("mib.snmp").unwrap();
    let [told, silent] = [Some(true), Some(false)]
        .map(|authentication_traps| write(&SnmpSettings { authentication_traps }));
    let root = &AUTHEN_TRAPS[..8];
    kept::keeping_holds(
        runtime,
        "mib.snmp",
        &[root],
        &mut |act| set(&mib, act, &binds(&[(AUTHEN_TRAPS, Integer(1))])).unwrap(),
        &mut |act| assert_eq!(settings.apply(act, &silent, &mut Buf::new()), Ok(0)),
    );
    // Nothing that the document can say is wrong.
    let documents = Documents { one: &silent, other: &told, wrong: &[] };
    kept::settings_hold(runtime, "mib.snmp", &documents, &[root], true);
}
