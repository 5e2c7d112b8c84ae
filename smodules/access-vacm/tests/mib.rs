//! SNMP-VIEW-BASED-ACM-MIB: rows that are shown, made, put out of service, kept and removed.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;
#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;

use access_vacm::S_MODULE;
use asked::{binds, get, set};
use hosted::{host, serve};
use roles::access::{AccessControl, AccessControlProxy, AccessErrorKind, Asking, ViewType};
use roles::contract::mib::{set_suite, suite};
use roles::contract::settings::Documents;
use roles::mib::{MibAccess, MibAccessProxy};
use roles::settings::{
    AccessEntry, GroupMember, Persistence, PersistenceProxy, Settings, SettingsProxy, VacmSettings,
    ViewFamily, write,
};
use roles::varbind::VarValue::{Integer, Octets};
use roles::varbind::{ErrorStatus, SecurityLevel, Span, VarValue};
use s_proxy::{Code, Runtime, SwapControl};
use s_sdk::{Activity, Buf};
use std::time::{Duration, Instant};

const COMPONENT: &str = "access.vacm";
const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
const GO: VarValue<'_> = Integer(4);
const WAIT: VarValue<'_> = Integer(5);
const DESTROY: VarValue<'_> = Integer(6);

fn named(name: &str) -> Vec<u32> {
    let length = u32::try_from(name.len()).unwrap();
    [length].into_iter().chain(name.bytes().map(u32::from)).collect()
}

fn vacm(rest: &[u32], index: &[&[u32]]) -> Vec<u32> {
    [&[1, 3, 6, 1, 6, 3, 16, 1], rest, &index.concat()].concat()
}

fn member(column: u32, name: &str) -> Vec<u32> {
    vacm(&[2, 1, column], &[&[3], &named(name)])
}

fn access(column: u32, group: &str, level: u32) -> Vec<u32> {
    vacm(&[4, 1, column], &[&named(group), &named(""), &[3, level]])
}

fn family(column: u32, view: &str, subtree: &[u32]) -> Vec<u32> {
    let length = u32::try_from(subtree.len()).unwrap();
    vacm(&[5, 2, 1, column], &[&named(view), &[length], subtree])
}

/// Alice may read everything.
fn settings() -> VacmSettings {
    VacmSettings {
        contexts: vec![b"bridge".to_vec()],
        members: vec![GroupMember {
            security_model: 3,
            security_name: b"alice".to_vec(),
            group: b"readers".to_vec(),
        }],
        access: vec![AccessEntry {
            group: b"readers".to_vec(),
            context: Vec::new(),
            exact: true,
            security_model: 3,
            security_level: 2,
            read_view: b"all".to_vec(),
            write_view: Vec::new(),
            notify_view: Vec::new(),
        }],
        views: vec![ViewFamily {
            view: b"all".to_vec(),
            subtree: vec![1],
            mask: Vec::new(),
            included: true,
        }],
    }
}

struct Tables {
    runtime: &'static Runtime,
    control: SwapControl,
    access: AccessControlProxy,
    mib: MibAccessProxy,
    settings: SettingsProxy,
    kept: PersistenceProxy,
}

impl Tables {
    fn new() -> Self {
        let (runtime, control) = host();
        serve(&control, COMPONENT, &S_MODULE);
        let tables = Tables {
            runtime,
            control,
            access: runtime.proxy(COMPONENT).unwrap(),
            mib: runtime.proxy(COMPONENT).unwrap(),
            settings: runtime.proxy(COMPONENT).unwrap(),
            kept: runtime.proxy(COMPONENT).unwrap(),
        };
        tables.configure();
        tables
    }

    fn configure(&self) {
        let (mut worker, mut problems) = (self.runtime.worker(), Buf::new());
        let told = self.settings.apply(&worker.activity(), &write(&settings()), &mut problems);
        assert_eq!((told, problems.to_vec()), (Ok(0), Vec::new()));
    }

    fn set(&self, list: &[(Vec<u32>, VarValue<'_>)]) -> Result<(), (ErrorStatus, u32)> {
        let list: Vec<_> = list.iter().map(|(name, value)| (&name[..], *value)).collect();
        let mut worker = self.runtime.worker();
        set(&self.mib, &worker.activity(), &binds(&list))
    }

    fn get(&self, name: &[u32]) -> String {
        let mut worker = self.runtime.worker();
        get(&self.mib, &worker.activity(), name, |value| format!("{value:?}"))
    }

    fn reads(&self, name: &str) -> Result<(), AccessErrorKind> {
        let mut worker = self.runtime.worker();
        reads(self.access, &worker.activity(), name)
    }

    fn saved(&self) -> Vec<u8> {
        let (mut worker, mut saved) = (self.runtime.worker(), Buf::new());
        self.kept.save(&worker.activity(), &mut saved).unwrap();
        saved.to_vec()
    }

    fn restore(&self, saved: &[u8]) -> bool {
        let mut worker = self.runtime.worker();
        self.kept.restore(&worker.activity(), saved).unwrap()
    }

    /// What a manager does to let bob read the system group.
    fn let_bob_in(&self) {
        let system = &[1, 3, 6, 1, 2, 1, 1];
        let rows = [
            (member(5, "bob"), GO),
            (member(3, "bob"), Octets(b"guests")),
            (access(9, "guests", 2), GO),
            (access(5, "guests", 2), Octets(b"system")),
            (family(6, "system", system), GO),
        ];
        assert_eq!(self.set(&rows), Ok(()));
    }
}

fn reads(access: AccessControlProxy, act: &Activity, name: &str) -> Result<(), AccessErrorKind> {
    let asking = Asking {
        security_model: 3,
        security_level: SecurityLevel::AuthNoPriv,
        view_type: ViewType::Read,
    };
    let answer = access.is_access_allowed(act, asking, name.as_bytes(), b"", SYS_DESCR);
    answer.map_err(|error| error.kind)
}

#[test]
fn the_contract_holds() {
    let tables = Tables::new();
    tables.let_bob_in();
    let mut worker = tables.runtime.worker();
    let act = &worker.activity();
    suite(&tables.mib, act).unwrap();
    let one = |name: Vec<u32>, value| binds(&[(&name, value)]);
    let (group, mask, kind) =
        (member(3, "bob"), family(3, "system", &[1, 3, 6, 1, 2, 1, 1]), access(4, "guests", 2));
    let good = binds(&[
        (&group, Octets(b"others")),
        (&mask, Octets(&[0xff, 0xa0])),
        (&kind, Integer(2)),
        (&access(6, "guests", 2), Octets(b"")),
        (&family(5, "system", &[1, 3, 6, 1, 2, 1, 1]), Integer(2)),
    ]);
    let any_model = vacm(&[2, 1, 5], &[&[0], &named("bob")]);
    let too_long = "x".repeat(33);
    set_suite(
        &tables.mib,
        act,
        &good,
        &[
            (&one(member(3, "bob"), Octets(b"")), ErrorStatus::WrongLength, 1),
            (&one(member(3, "bob"), Octets(&[0xff])), ErrorStatus::WrongValue, 1),
            (&one(member(4, "bob"), Integer(4)), ErrorStatus::WrongValue, 1),
            (&one(member(5, "bob"), GO), ErrorStatus::InconsistentValue, 1),
            (&one(member(3, "alice"), Octets(b"mine")), ErrorStatus::NotWritable, 1),
            (&one(member(5, "alice"), DESTROY), ErrorStatus::NotWritable, 1),
            (&one(member(5, "carol"), GO), ErrorStatus::InconsistentValue, 1),
            (&one(member(3, "carol"), Octets(b"x")), ErrorStatus::InconsistentName, 1),
            (&one(member(5, ""), GO), ErrorStatus::NoCreation, 1),
            (&one(member(5, &too_long), GO), ErrorStatus::NoCreation, 1),
            (&one(any_model, GO), ErrorStatus::NoCreation, 1),
            (&one(access(9, "guests", 0), GO), ErrorStatus::NoCreation, 1),
            (&one(access(9, "guests", 4), GO), ErrorStatus::NoCreation, 1),
            (&one(access(4, "guests", 2), Integer(3)), ErrorStatus::WrongValue, 1),
            (&one(family(3, "all", &[1]), Octets(b"")), ErrorStatus::NotWritable, 1),
            (&one(family(3, "system", &[1]), Octets(&[0; 17])), ErrorStatus::WrongLength, 1),
            (
                &one(vacm(&[1, 1, 1], &[&named("bridge")]), Octets(b"x")),
                ErrorStatus::NotWritable,
                1,
            ),
        ],
    )
    .unwrap();
    suite(&tables.mib, act).unwrap();
}

#[test]
fn rows_take_effect_while_they_are_active_and_as_soon_as_the_set_is_done() {
    let tables = Tables::new();
    assert_eq!(tables.get(&vacm(&[1, 1, 1], &[&named("")])), "Octets([])", "the default context");
    assert_eq!(tables.get(&member(4, "alice")), "Integer(5)", "readOnly");
    assert_eq!(tables.reads("bob"), Err(AccessErrorKind::NoGroupName));
    tables.let_bob_in();
    assert_eq!((tables.reads("alice"), tables.reads("bob")), (Ok(()), Ok(())));
    assert_eq!(tables.get(&member(4, "bob")), "Integer(3)", "nonVolatile");
    let status = |value| tables.set(&[(access(9, "guests", 2), value)]);
    assert_eq!(status(Integer(2)), Ok(()));
    assert_eq!(tables.reads("bob"), Err(AccessErrorKind::NoAccessEntry));
    assert_eq!(status(Integer(1)), Ok(()));
    let system = &[1, 3, 6, 1, 2, 1, 1];
    assert_eq!(tables.set(&[(family(4, "system", system), Integer(2))]), Ok(()));
    assert_eq!(tables.reads("bob"), Err(AccessErrorKind::NotInView));
    assert_eq!(tables.set(&[(family(6, "system", system), DESTROY)]), Ok(()));
    assert_eq!(tables.reads("bob"), Err(AccessErrorKind::NoSuchView));
    // A member of no group waits.
    assert_eq!(tables.set(&[(member(5, "carol"), WAIT)]), Ok(()));
    assert_eq!(tables.get(&member(5, "carol")), "Integer(3)");
    assert_eq!(tables.get(&member(3, "carol")), "NoSuchInstance");
    assert_eq!(tables.reads("carol"), Err(AccessErrorKind::NoGroupName));
    assert_eq!(tables.set(&[(member(3, "carol"), Octets(b"readers"))]), Ok(()));
    assert_eq!(tables.set(&[(member(5, "carol"), Integer(1))]), Ok(()));
    assert_eq!(tables.reads("carol"), Ok(()));
}

#[test]
fn what_is_undone_has_no_effect_and_an_activity_keeps_the_view_that_it_found() {
    let tables = Tables::new();
    let mut worker = tables.runtime.worker();
    let act = worker.activity();
    let asking = Asking {
        security_model: 3,
        security_level: SecurityLevel::AuthPriv,
        view_type: ViewType::Read,
    };
    tables.let_bob_in();
    let view = tables.access.find_view(&act, asking, b"bob", b"").unwrap();
    let gone = family(6, "system", &[1, 3, 6, 1, 2, 1, 1]);
    let binds = binds(&[(&gone, DESTROY)]);
    let which = Span::new(0, 1);
    let set = tables.mib.set_check(&act, 3, b"tester", b"", &binds, which).unwrap();
    assert_eq!(tables.reads("bob"), Ok(()));
    tables.mib.set_apply(&act, set, &binds, which).unwrap();
    assert_eq!(tables.reads("bob"), Err(AccessErrorKind::NoSuchView));
    assert_eq!(tables.access.is_in_view(&act, view, SYS_DESCR), Ok(true));
    tables.mib.set_undo(&act, set, &binds, which).unwrap();
    tables.mib.set_cleanup(&act, set).unwrap();
    assert_eq!(tables.reads("bob"), Ok(()));
}

#[test]
fn what_came_by_set_outlasts_configurations_restarts_and_swaps() {
    let tables = Tables::new();
    let empty = tables.saved();
    let revision = |tables: &Tables| {
        let mut worker = tables.runtime.worker();
        tables.kept.revision(&worker.activity()).unwrap()
    };
    let before = revision(&tables);
    tables.let_bob_in();
    let after = revision(&tables);
    assert_ne!(before, after);
    tables.configure();
    assert_eq!((tables.reads("bob"), revision(&tables)), (Ok(()), after));
    // Passing rows are carried, not kept.
    let passing = [
        (member(5, "dave"), GO),
        (member(4, "dave"), Integer(2)),
        (member(3, "dave"), Octets(b"guests")),
    ];
    assert_eq!(tables.set(&passing), Ok(()));
    assert_eq!((tables.reads("dave"), revision(&tables)), (Ok(()), after));
    let saved = tables.saved();
    let restarted = Tables::new();
    assert!(restarted.restore(&saved));
    assert_eq!((restarted.reads("bob"), restarted.reads("alice")), (Ok(()), Ok(())));
    assert_eq!(restarted.reads("dave"), Err(AccessErrorKind::NoGroupName));
    assert_eq!(revision(&restarted), after);
    // What is nobody's changes nothing; what was there before any SET takes all of them away.
    assert!(!restarted.restore(b"nonsense"));
    assert_eq!(restarted.reads("bob"), Ok(()));
    assert!(restarted.restore(&empty));
    assert_eq!(restarted.reads("bob"), Err(AccessErrorKind::NoGroupName));

    let component = tables.runtime.component(COMPONENT).unwrap();
    let state = component.current().body().unwrap().instance().export_state(1).unwrap();
    let successor = tables.control.create(component, Code::linked(&S_MODULE)).unwrap();
    successor.instance().import_state(1, &state).unwrap();
    let group = tables.control.bind(&[(component, Some(successor))]);
    tables.control.take(Instant::now() + Duration::from_secs(10)).unwrap().flip_open(group);
    assert_eq!((tables.reads("bob"), tables.reads("dave")), (Ok(()), Ok(())));
    assert_eq!(tables.get(&member(4, "alice")), "Integer(5)");
    assert_eq!(tables.set(&[(member(5, "dave"), DESTROY)]), Ok(()));
}

/// What the tables show.
const TABLES: [&[u32]; 4] = [
    &[1, 3, 6, 1, 6, 3, 16, 1, 1],
    &[1, 3, 6, 1, 6, 3, 16, 1, 2],
    &[1, 3, 6, 1, 6, 3, 16, 1, 4],
    &[1, 3, 6, 1, 6, 3, 16, 1, 5, 2],
];

#[test]
fn the_contract_of_settings_holds() {
    let tables = Tables::new();
    tables.let_bob_in();
    let mut wrong = settings();
    wrong.access.iter_mut().for_each(|entry| entry.security_level = 4);
    let documents = [settings(), VacmSettings::default(), wrong];
    let [one, other, wrong] = documents.map(|document| write(&document));
    let documents = Documents { one: &one, other: &other, wrong: &[&wrong] };
    kept::settings_hold(tables.runtime, COMPONENT, &documents, &TABLES, true);
}

#[test]
fn the_contract_of_what_is_kept_holds() {
    let tables = Tables::new();
    kept::keeping_holds(
        tables.runtime,
        COMPONENT,
        &TABLES,
        &mut |_| tables.let_bob_in(),
        &mut |act| {
            let none = write(&VacmSettings::default());
            assert_eq!(tables.settings.apply(act, &none, &mut Buf::new()), Ok(0));
            let passing = [
                (member(5, "dave"), GO),
                (member(4, "dave"), Integer(2)),
                (member(3, "dave"), Octets(b"guests")),
            ];
            assert_eq!(tables.set(&passing), Ok(()));
        },
    );
}
