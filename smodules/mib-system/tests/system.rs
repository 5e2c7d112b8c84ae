//! The module as the agent asks it: through a proxy, beside an engine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set};
use hosted::{host, serve};
use mib_system::SystemState;
use roles::contract::mib::{set_suite, suite, walk};
use roles::engine::EngineProxy;
use roles::mib::{MibAccess, MibAccessProxy, Walk};
use roles::settings::{
    Persistence, PersistenceProxy, Settings, SettingsProxy, SystemSettings, write,
};
use roles::varbind::VarValue::{Integer, NoSuchInstance, NoSuchObject, Octets, Oid, TimeTicks};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_proxy::Runtime;
use s_sdk::state::State;
use s_sdk::{Activity, Buf};

const CONTACT: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 4, 0];
const NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
const LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6, 0];
const SERIAL: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 6, 1, 0];

struct Asked<'a> {
    mib: MibAccessProxy,
    runtime: &'static Runtime,
    act: &'a Activity,
}

impl Asked<'_> {
    fn is(&self, name: &[u32], expected: VarValue<'_>) {
        get(&self.mib, self.act, name, |value| assert_eq!(value, expected, "{name:?}"));
    }

    fn set(&self, name: &[u32], value: VarValue<'_>) -> Result<(), (ErrorStatus, u32)> {
        set(&self.mib, self.act, &binds(&[(name, value)]))
    }

    fn apply(&self, settings: &SystemSettings) -> (u32, String) {
        let (proxy, mut problems) = (self.settings(), Buf::new());
        let count = proxy.apply(self.act, &write(settings), &mut problems).unwrap();
        (count, String::from_utf8(problems.to_vec()).unwrap())
    }

    fn settings(&self) -> SettingsProxy {
        self.runtime.proxy("mib.system").unwrap()
    }

    fn persistence(&self) -> PersistenceProxy {
        self.runtime.proxy("mib.system").unwrap()
    }
}

fn asked(test: impl Fn(Asked<'_>)) {
    let (runtime, control) = host();
    serve(&control, "engine", &engine::S_MODULE);
    serve(&control, "mib.system", &mib_system::S_MODULE);
    let mut worker = runtime.worker();
    let mib = runtime.proxy("mib.system").unwrap();
    runtime.proxy::<EngineProxy>("engine").unwrap();
    test(Asked { mib, runtime, act: &worker.activity() });
}

#[test]
fn the_contract_holds() {
    asked(|asked| {
        suite(&asked.mib, asked.act).unwrap();
        let good = binds(&[(CONTACT, Octets(b"root")), (LOCATION, Octets(b""))]);
        let long = [b'a'; 256];
        set_suite(
            &asked.mib,
            asked.act,
            &good,
            &[
                (&binds(&[(CONTACT, Integer(1))]), ErrorStatus::WrongType, 1),
                (
                    &binds(&[(NAME, Octets(b"x")), (CONTACT, Octets(&long))]),
                    ErrorStatus::WrongLength,
                    2,
                ),
                (&binds(&[(CONTACT, Octets(b"\xff"))]), ErrorStatus::WrongValue, 1),
                (
                    &binds(&[(&[1, 3, 6, 1, 2, 1, 1, 4, 1], Octets(b"x"))]),
                    ErrorStatus::NoCreation,
                    1,
                ),
                (
                    &binds(&[(&[1, 3, 6, 1, 2, 1, 1, 3, 0], TimeTicks(1))]),
                    ErrorStatus::NotWritable,
                    1,
                ),
                (
                    &binds(&[(&[1, 3, 6, 1, 2, 1, 1, 9, 1, 3, 1], Octets(b""))]),
                    ErrorStatus::NotWritable,
                    1,
                ),
            ],
        )
        .unwrap();
    });
}

#[test]
fn the_group_is_that_of_rfc_3418() {
    asked(|asked| {
        let names: Vec<_> = walk(&asked.mib, asked.act, &[1, 3, 6, 1, 2, 1, 1])
            .unwrap()
            .into_iter()
            .map(|(name, _)| name[7..].to_vec())
            .collect();
        let mut expected: Vec<Vec<u32>> = (1..=8).map(|n| vec![n, 0]).collect();
        expected.extend((2..=4).flat_map(|column| [1, 2].map(|row| vec![9, 1, column, row])));
        assert_eq!(names, expected);
        let system = |number| [1, 3, 6, 1, 2, 1, 1, number, 0];
        asked.is(&system(2), Oid(&[1, 3, 6, 1, 4, 1, 32_473, 1, 1, 1]));
        asked.is(&system(3), TimeTicks(7700));
        asked.is(&system(4), Octets(b""));
        asked.is(&system(7), Integer(72));
        asked.is(&system(8), TimeTicks(5));
        let sys_or = |column, row| [1, 3, 6, 1, 2, 1, 1, 9, 1, column, row];
        asked.is(&sys_or(1, 1), NoSuchObject);
        asked.is(&sys_or(2, 2), Oid(&[1, 3, 6, 1, 6, 3, 16]));
        asked.is(&sys_or(3, 1), Octets(b"one"));
        asked.is(&sys_or(4, 2), TimeTicks(5));
        asked.is(&sys_or(4, 3), NoSuchInstance);
        let kernel = |file| std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap();
        get(&asked.mib, asked.act, &system(1), |descr| {
            let Octets(descr) = descr else { panic!("{descr:?}") };
            let descr = String::from_utf8(descr.to_vec()).unwrap();
            assert!(descr.starts_with("Linux ") && descr.contains(kernel("osrelease").trim()));
        });
        asked.is(NAME, Octets(kernel("hostname").trim().as_bytes()));
    });
}

#[test]
fn what_is_configured_cannot_be_written_and_what_was_written_comes_back() {
    asked(|asked| {
        asked.set(CONTACT, Octets(b"me")).unwrap();
        let settings = SystemSettings {
            contact: "root@example.net".into(),
            object_id: vec![1, 3, 6, 1, 4, 1, 99999],
            services: 4,
            ..SystemSettings::default()
        };
        assert_eq!(asked.apply(&settings).0, 0);
        asked.is(CONTACT, Octets(b"root@example.net"));
        asked.is(&[1, 3, 6, 1, 2, 1, 1, 2, 0], Oid(&[1, 3, 6, 1, 4, 1, 99999]));
        asked.is(&[1, 3, 6, 1, 2, 1, 1, 7, 0], Integer(4));
        assert_eq!(asked.set(CONTACT, Octets(b"you")), Err((ErrorStatus::NotWritable, 1)));
        assert_eq!(asked.set(NAME, Octets(b"box")), Ok(()));
        assert_eq!(asked.apply(&SystemSettings::default()).0, 0);
        asked.is(CONTACT, Octets(b"me"));
        asked.is(NAME, Octets(b"box"));
    });
}

#[test]
fn settings_with_problems_change_nothing_and_every_problem_is_a_line() {
    asked(|asked| {
        let wrong = SystemSettings {
            descr: "ü".into(),
            contact: "a".repeat(256),
            object_id: vec![3, 1],
            services: 128,
            ..SystemSettings::default()
        };
        let (count, lines) = asked.apply(&wrong);
        assert_eq!((count, lines.lines().count()), (4, 4), "{lines}");
        for word in ["sysDescr", "sysContact", "sysObjectID", "sysServices"] {
            assert!(lines.contains(word), "{lines}");
        }
        asked.is(CONTACT, Octets(b""));
        let mut problems = Buf::new();
        let proxy = asked.settings();
        assert_eq!(proxy.check(asked.act, b"nonsense", &mut problems), Ok(1));
        assert!(!problems.is_empty());
    });
}

#[test]
fn the_serial_number_is_taken_once() {
    asked(|asked| {
        let now = |asked: &Asked<'_>| {
            get(&asked.mib, asked.act, SERIAL, |value| match value {
                Integer(number) => number,
                other => panic!("{other:?}"),
            })
        };
        let serial = now(&asked);
        // Two of one SET take it twice at once, and both are refused.
        let twice = binds(&[(SERIAL, Integer(serial)), (SERIAL, Integer(serial))]);
        assert_eq!(set(&asked.mib, asked.act, &twice), Err((ErrorStatus::InconsistentValue, 2)));
        assert_eq!(asked.set(SERIAL, Integer(serial)), Ok(()));
        assert_eq!(asked.set(SERIAL, Integer(serial)), Err((ErrorStatus::InconsistentValue, 1)));
        assert_ne!(now(&asked), serial);
    });
}

#[test]
fn what_was_written_is_saved_and_restored_and_nothing_else_moves_the_revision() {
    let mut saved = Vec::new();
    let revision = |asked: &Asked<'_>| asked.persistence().revision(asked.act).unwrap();
    asked(|asked| {
        let before = revision(&asked);
        asked.apply(&SystemSettings { contact: "root".into(), ..SystemSettings::default() });
        assert_eq!(revision(&asked), before);
        asked.set(LOCATION, Octets(b"attic")).unwrap();
        assert_ne!(revision(&asked), before);
    });
    let cell = std::cell::RefCell::new(&mut saved);
    asked(|asked| {
        asked.set(LOCATION, Octets(b"attic")).unwrap();
        let mut kept = Buf::new();
        asked.persistence().save(asked.act, &mut kept).unwrap();
        cell.borrow_mut().extend_from_slice(&kept);
    });
    asked(|asked| {
        assert_eq!(asked.persistence().restore(asked.act, b"nonsense"), Ok(false));
        asked.is(LOCATION, Octets(b""));
        assert_eq!(asked.persistence().restore(asked.act, &cell.borrow()), Ok(true));
        asked.is(LOCATION, Octets(b"attic"));
    });
}

#[test]
fn the_state_crosses_a_swap_in_one_version() {
    let state = SystemState { settings: vec![1], kept: vec![2], set_serial: 3 };
    let mut octets = Vec::new();
    state.export(1, &mut octets).unwrap();
    let again = SystemState::import(1, &octets).unwrap();
    assert_eq!((again.settings, again.kept, again.set_serial), (vec![1], vec![2], 3));
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|asked| {
        let names = binds(&[(CONTACT, VarValue::Unspecified), (&[1, 3], VarValue::Unspecified)]);
        let mut answers = VarBinds::new();
        let mut ask = || {
            answers.clear();
            asked.mib.get(asked.act, b"", &names, Span::new(0, 2), &mut answers).unwrap();
            let walk = Walk { which: Span::new(1, 1), repetitions: 20 };
            asked.mib.get_next(asked.act, b"", &names, walk, &[], &mut answers).unwrap();
        };
        ask();
        assert_eq!(allocation_counter::measure(ask).count_total, 0);
    });
}
