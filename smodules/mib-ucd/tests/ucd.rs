//! The module as the agent asks it: through a proxy, on this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;
#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use mib_ucd::UcdState;
use roles::contract::mib::{suite, walk};
use roles::contract::settings::Documents;
use roles::mib::MibAccessProxy;
use roles::settings::{Settings, SettingsProxy, UcdSettings, WatchedDisk, write};
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{Counter32, Counter64, Integer, NoSuchInstance, Octets, Opaque};
use s_proxy::Runtime;
use s_sdk::state::State;
use s_sdk::{Activity, Buf};

const UCD: [u32; 7] = [1, 3, 6, 1, 4, 1, 2021];

fn name(rest: &[u32]) -> Vec<u32> {
    [&UCD, rest].concat()
}

/// A test with a new module; what it asks in one closure it asks in one activity.
fn with_module(test: impl Fn(&'static Runtime, MibAccessProxy, SettingsProxy)) {
    let (runtime, control) = host();
    serve(&control, "mib.ucd", &mib_ucd::S_MODULE);
    test(runtime, runtime.proxy("mib.ucd").unwrap(), runtime.proxy("mib.ucd").unwrap());
}

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    with_module(|runtime, mib, _| test(mib, &runtime.worker().activity()));
}

fn octets(mib: &MibAccessProxy, act: &Activity, rest: &[u32]) -> String {
    get(mib, act, &name(rest), |found| match found {
        Octets(found) => String::from_utf8(found.to_vec()).unwrap(),
        other => panic!("{rest:?}: {other:?}"),
    })
}

fn watching_root() -> UcdSettings {
    let root = WatchedDisk { path: "/".into(), minimum_kib: None, minimum_percent: Some(100) };
    UcdSettings { disks: vec![root], load_limits: [1, 0, 99_900], ..UcdSettings::default() }
}

#[test]
fn the_contract_holds_with_and_without_settings() {
    asked(|mib, act| suite(&mib, act).unwrap());
    with_module(|runtime, mib, settings| {
        let all = UcdSettings { all_disks_percent: Some(10), ..watching_root() };
        let mut worker = runtime.worker();
        let mut problems = Buf::new();
        assert_eq!(settings.apply(&worker.activity(), &write(&all), &mut problems), Ok(0));
        suite(&mib, &worker.activity()).unwrap();
    });
}

#[test]
fn memory_is_what_the_kernel_says() {
    asked(|mib, act| {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total: i32 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
        get(&mib, act, &name(&[4, 5, 0]), |found| assert_eq!(found, Integer(total)));
        let wide = Counter64(total.unsigned_abs().into());
        get(&mib, act, &name(&[4, 20, 0]), |found| assert_eq!(found, wide));
        get(&mib, act, &name(&[4, 6, 0]), |found| {
            assert!(matches!(found, Integer(free) if free > 0 && free < total), "{found:?}");
        });
        get(&mib, act, &name(&[4, 12, 0]), |found| assert_eq!(found, Integer(16_000)));
    });
}

/// A Counter32 of a counter: its lower half.
fn low(counter: u64) -> u32 {
    u32::try_from(counter & 0xffff_ffff).unwrap()
}

#[test]
fn counters_lie_between_what_the_kernel_says_before_and_after() {
    let now = || {
        let activity = kernel_host::Activity::now();
        [activity.all.user, activity.contexts, activity.interrupts].map(low)
    };
    asked(|mib, act| {
        let before = now();
        let asked = [50, 60, 59].map(|column| {
            get(&mib, act, &name(&[11, column, 0]), |found| match found {
                Counter32(count) => count,
                other => panic!("{column}: {other:?}"),
            })
        });
        let after = now();
        for ((before, asked), after) in before.into_iter().zip(asked).zip(after) {
            let (since, all) = (asked.wrapping_sub(before), after.wrapping_sub(before));
            assert!(since <= all, "{before} {asked} {after}");
        }
        // No time has passed to reckon a rate over.
        get(&mib, act, &name(&[11, 9, 0]), |found| assert_eq!(found, NoSuchInstance));
    });
}

#[test]
fn loads_are_texts_numbers_and_floats_of_one_value() {
    asked(|mib, act| {
        for row in 1..=3 {
            let text = octets(&mib, act, &[10, 1, 3, row]);
            let load: f32 = text.parse().unwrap();
            get(&mib, act, &name(&[10, 1, 5, row]), |found| {
                let hundredths = text.replace('.', "").parse().unwrap();
                assert_eq!(found, Integer(hundredths));
            });
            get(&mib, act, &name(&[10, 1, 6, row]), |found| {
                let Opaque([0x9f, 0x78, 4, float @ ..]) = found else { panic!("{found:?}") };
                assert_eq!(f32::from_be_bytes(float.try_into().unwrap()), load);
            });
        }
        assert_eq!(octets(&mib, act, &[10, 1, 2, 3]), "Load-15");
        assert_eq!(octets(&mib, act, &[10, 1, 4, 1]), "12.00");
    });
}

#[test]
fn disks_are_there_as_soon_as_they_are_configured() {
    with_module(|runtime, mib, settings| {
        let mut worker = runtime.worker();
        let act = worker.activity();
        get(&mib, &act, &name(&[9, 1, 2, 1]), |found| assert_eq!(found, NoSuchInstance));
        let mut problems = Buf::new();
        assert_eq!(settings.apply(&act, &write(&watching_root()), &mut problems), Ok(0));
        drop(act);
        let act = worker.activity();
        assert_eq!(octets(&mib, &act, &[9, 1, 2, 1]), "/");
        let stat = size_of_root();
        get(&mib, &act, &name(&[9, 1, 6, 1]), |found| assert_eq!(found, Integer(stat)));
        get(&mib, &act, &name(&[9, 1, 100, 1]), |found| assert_eq!(found, Integer(1)));
        assert!(octets(&mib, &act, &[9, 1, 101, 1]).starts_with("/: less than 100% free"));
        // A limit of 0 is none.
        assert_eq!(octets(&mib, &act, &[10, 1, 4, 2]), "0.00");
        get(&mib, &act, &name(&[10, 1, 100, 2]), |found| assert_eq!(found, Integer(0)));
    });
}

/// The size of the filesystem at `/` in kilobytes, as far as an INTEGER goes.
fn size_of_root() -> i32 {
    let mounts = kernel_host::Mount::all();
    let root = mounts.iter().find(|mount| mount.path == "/").unwrap().space().unwrap();
    i32::try_from(root.size * root.unit / 1024).unwrap_or(i32::MAX)
}

#[test]
fn settings_with_problems_change_nothing_and_every_problem_is_a_line() {
    with_module(|runtime, mib, settings| {
        let disk = |path: &str, kib, percent| WatchedDisk {
            path: path.into(),
            minimum_kib: kib,
            minimum_percent: percent,
        };
        let wrong = UcdSettings {
            disks: vec![
                disk("usr", None, None),
                disk("/", Some(1), Some(1)),
                disk("/", None, Some(101)),
            ],
            minimum_swap_kib: u32::MAX,
            ..UcdSettings::default()
        };
        let mut worker = runtime.worker();
        let act = worker.activity();
        let mut problems = Buf::new();
        assert_eq!(settings.apply(&act, &write(&wrong), &mut problems), Ok(5));
        assert_eq!(String::from_utf8(problems.to_vec()).unwrap().lines().count(), 5);
        get(&mib, &act, &name(&[4, 12, 0]), |found| assert_eq!(found, Integer(16_000)));
        assert_eq!(settings.check(&act, b"nonsense", &mut Buf::new()), Ok(1));
    });
}

#[test]
fn disks_have_read_what_the_kernel_says() {
    asked(|mib, act| {
        let stats = kernel_host::Disk::all();
        let names = walk(&mib, act, &name(&[13, 15, 1, 1, 2])).unwrap();
        assert_eq!(names.len(), stats.len());
        for (asked, _) in names {
            let index = *asked.last().unwrap();
            let disk = octets(&mib, act, &[13, 15, 1, 1, 2, index]);
            let known = stats.iter().find(|other| other.name == disk).unwrap();
            get(&mib, act, &name(&[13, 15, 1, 1, 12, index]), |found| {
                // The snapshot is younger than what was read here.
                assert!(matches!(found, Counter64(octets) if octets >= known.octets_read));
            });
        }
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let limit = binds(&[(&name(&[10, 1, 4, 1]), Octets(b"1.00"))]);
        assert_eq!(set(&mib, act, &limit), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn the_state_crosses_a_swap_in_one_version() {
    let numbers = |name: &str| [(name.to_owned(), 7)].into_iter().collect();
    let state = UcdState { settings: vec![1], filesystems: numbers("/"), disks: numbers("vda") };
    let mut octets = Vec::new();
    state.export(1, &mut octets).unwrap();
    let again = UcdState::import(1, &octets).unwrap();
    assert_eq!((again.settings, again.filesystems["/"], again.disks["vda"]), (vec![1], 7, 7));
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 60));
}

#[test]
fn the_contract_of_settings_holds() {
    with_module(|runtime, _, _| {
        let wrong = UcdSettings { all_disks_percent: Some(101), ..UcdSettings::default() };
        let documents = [UcdSettings::default(), watching_root(), wrong];
        let [one, other, wrong] = documents.map(|document| write(&document));
        let documents = Documents { one: &one, other: &other, wrong: &[&wrong] };
        let (path, load) = (name(&[9, 1, 2]), name(&[10, 1, 4]));
        kept::settings_hold(runtime, "mib.ucd", &documents, &[&path, &load], false);
    });
}
