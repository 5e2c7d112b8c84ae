//! SNMP-COMMUNITY-MIB: communities that are made, let in, kept and removed.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;
#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;

use asked::{binds, get, set};
use hosted::{host, serve};
use roles::community::{CommunitySecurity, CommunitySecurityProxy};
use roles::contract::mib::{set_suite, suite};
use roles::contract::settings::Documents;
use roles::mib::MibAccessProxy;
use roles::settings::{
    Community, CommunitySettings, Persistence, PersistenceProxy, Settings, SettingsProxy, Source,
    write,
};
use roles::varbind::VarValue::{Integer, Octets};
use roles::varbind::{ErrorStatus, VarValue};
use s_proxy::{Code, Runtime, SwapControl};
use s_sdk::Buf;
use security_community::S_MODULE;
use std::time::{Duration, Instant};

const COMPONENT: &str = "security.community";
const ENGINE_ID: &[u8] = b"\x80\x00\x1f\x88\x04test";
const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const HERE: &[u8] = &[10, 0, 0, 1, 0, 161];
const GO: VarValue<'_> = Integer(4);

const NAME: u32 = 2;
const SECURITY_NAME: u32 = 3;
const CONTEXT_ENGINE_ID: u32 = 4;
const CONTEXT_NAME: u32 = 5;
const TAG: u32 = 6;
const STORAGE: u32 = 7;
const STATUS: u32 = 8;

/// The index is IMPLIED: without its length.
fn cell(column: u32, index: &str) -> Vec<u32> {
    let index: Vec<u32> = index.bytes().map(u32::from).collect();
    [&[1, 3, 6, 1, 6, 3, 18, 1, 1, 1, column], &index[..]].concat()
}

struct Table {
    runtime: &'static Runtime,
    control: SwapControl,
    mib: MibAccessProxy,
    security: CommunitySecurityProxy,
    kept: PersistenceProxy,
}

impl Table {
    fn new() -> Self {
        let (runtime, control) = host();
        serve(&control, "engine", &engine::S_MODULE);
        serve(&control, COMPONENT, &S_MODULE);
        let ten = Source { address: vec![10, 0, 0, 0], prefix: 8 };
        let community = Community {
            index: "configured".into(),
            community: b"public".to_vec(),
            security_name: "reader".into(),
            context_name: Vec::new(),
            sources: vec![ten],
        };
        let settings = write(&CommunitySettings { communities: vec![community] });
        let proxy: SettingsProxy = runtime.proxy(COMPONENT).unwrap();
        let mut worker = runtime.worker();
        assert_eq!(proxy.apply(&worker.activity(), &settings, &mut Buf::new()), Ok(0));
        let security = runtime.proxy(COMPONENT).unwrap();
        let (mib, kept) = (runtime.proxy(COMPONENT).unwrap(), runtime.proxy(COMPONENT).unwrap());
        Table { runtime, control, mib, security, kept }
    }

    fn set(&self, list: &[(Vec<u32>, VarValue<'_>)]) -> Result<(), (ErrorStatus, u32)> {
        let list: Vec<_> = list.iter().map(|(name, value)| (&name[..], *value)).collect();
        let mut worker = self.runtime.worker();
        set(&self.mib, &worker.activity(), &binds(&list))
    }

    fn get(&self, column: u32, index: &str) -> String {
        let mut worker = self.runtime.worker();
        get(&self.mib, &worker.activity(), &cell(column, index), |value| format!("{value:?}"))
    }

    fn admits(&self, community: &[u8]) -> Option<String> {
        let (mut worker, mut name, mut context) = (self.runtime.worker(), Buf::new(), Buf::new());
        let act = worker.activity();
        self.security.admit(&act, UDP, HERE, community, &mut name, &mut context).ok()?;
        let text = |buf: &Buf| String::from_utf8(buf.to_vec()).unwrap();
        Some(format!("{}/{}", text(&name), text(&context)))
    }

    fn add(&self, index: &str) -> Result<(), (ErrorStatus, u32)> {
        self.set(&[
            (cell(NAME, index), Octets(b"s3cret")),
            (cell(CONTEXT_NAME, index), Octets(b"bridge")),
            (cell(STATUS, index), GO),
            (cell(SECURITY_NAME, index), Octets(b"operator")),
        ])
    }
}

#[test]
fn the_contract_holds() {
    let table = Table::new();
    table.add("one").unwrap();
    let mut worker = table.runtime.worker();
    let act = &worker.activity();
    suite(&table.mib, act).unwrap();
    let one = |column, index: &str, value| binds(&[(&cell(column, index), value)]);
    let good = binds(&[
        (&cell(NAME, "one"), Octets(b"\xff not a text")),
        (&cell(SECURITY_NAME, "one"), Octets(b"somebody")),
        (&cell(CONTEXT_ENGINE_ID, "one"), Octets(ENGINE_ID)),
        (&cell(CONTEXT_NAME, "one"), Octets(b"")),
        (&cell(TAG, "one"), Octets(b"")),
        (&cell(STORAGE, "one"), Integer(2)),
    ]);
    set_suite(
        &table.mib,
        act,
        &good,
        &[
            (&one(NAME, "one", Octets(&[b'x'; 256])), ErrorStatus::WrongLength, 1),
            (&one(SECURITY_NAME, "one", Octets(b"")), ErrorStatus::WrongLength, 1),
            (&one(SECURITY_NAME, "one", Octets(&[0xff])), ErrorStatus::WrongValue, 1),
            (&one(CONTEXT_ENGINE_ID, "one", Octets(b"other")), ErrorStatus::InconsistentValue, 1),
            (&one(TAG, "one", Octets(b"here")), ErrorStatus::InconsistentValue, 1),
            (&one(STORAGE, "one", Integer(5)), ErrorStatus::WrongValue, 1),
            (&one(NAME, "configured", Octets(b"x")), ErrorStatus::NotWritable, 1),
            (&one(STATUS, "configured", Integer(6)), ErrorStatus::NotWritable, 1),
            (&one(STATUS, "new", GO), ErrorStatus::InconsistentValue, 1),
            (&one(STATUS, "", GO), ErrorStatus::NoCreation, 1),
            (&one(STATUS, &"x".repeat(33), GO), ErrorStatus::NoCreation, 1),
            (&one(NAME, "new", Octets(b"x")), ErrorStatus::InconsistentName, 1),
        ],
    )
    .unwrap();
    suite(&table.mib, act).unwrap();
}

#[test]
fn a_community_is_let_in_while_its_row_is_active_and_a_configured_one_is_never_shown() {
    let table = Table::new();
    assert_eq!(table.admits(b"public").as_deref(), Some("reader/"));
    assert_eq!(table.get(NAME, "configured"), "NoSuchInstance");
    assert_eq!(table.get(STORAGE, "configured"), "Integer(5)");
    assert_ne!(table.get(TAG, "configured"), "Octets([])", "it is not let in from everywhere");
    assert_eq!(table.admits(b"s3cret"), None);
    assert_eq!(table.add("one"), Ok(()));
    assert_eq!(table.admits(b"s3cret").as_deref(), Some("operator/bridge"));
    assert_eq!(table.get(CONTEXT_ENGINE_ID, "one"), format!("Octets({ENGINE_ID:?})"));
    let status = |value| table.set(&[(cell(STATUS, "one"), value)]);
    assert_eq!(status(Integer(2)), Ok(()));
    assert_eq!(table.admits(b"s3cret"), None);
    assert_eq!(status(Integer(1)), Ok(()));
    assert!(table.admits(b"s3cret").is_some());
    assert_eq!(status(Integer(6)), Ok(()));
    assert_eq!(
        (table.admits(b"s3cret"), table.get(STATUS, "one")),
        (None, "NoSuchInstance".into())
    );
}

#[test]
fn nobody_takes_a_configured_community_over() {
    let table = Table::new();
    let refused = |position| Err((ErrorStatus::InconsistentValue, position));
    // Before and behind the configured row, in the order of the indexes.
    for index in ["a", "z"] {
        let add = |name, status| {
            table.set(&[
                (cell(CONTEXT_NAME, index), Octets(b"ctx")),
                (cell(SECURITY_NAME, index), Octets(b"operator")),
                (cell(NAME, index), Octets(name)),
                (cell(STATUS, index), status),
            ])
        };
        assert_eq!(add(b"public", GO), refused(3));
        // As long as it does not go into effect there is nothing wrong with it.
        assert_eq!(add(b"public", Integer(5)), Ok(()));
        assert_eq!(table.set(&[(cell(STATUS, index), Integer(1))]), refused(1));
        assert_eq!(table.set(&[(cell(NAME, index), Octets(b"other"))]), Ok(()));
        assert_eq!(table.set(&[(cell(STATUS, index), Integer(1))]), Ok(()));
        assert_eq!(table.set(&[(cell(NAME, index), Octets(b"public"))]), refused(1));
        assert_eq!(table.admits(b"public").as_deref(), Some("reader/"));
        assert_eq!(table.admits(b"other").as_deref(), Some("operator/ctx"));
        assert_eq!(table.set(&[(cell(STATUS, index), Integer(6))]), Ok(()));
    }

    // One that was there before its community was configured has no effect until that goes.
    let configure = |communities: Vec<Community>| {
        let proxy: SettingsProxy = table.runtime.proxy(COMPONENT).unwrap();
        let settings = write(&CommunitySettings { communities });
        let mut worker = table.runtime.worker();
        assert_eq!(proxy.apply(&worker.activity(), &settings, &mut Buf::new()), Ok(0));
    };
    table.add("a").unwrap();
    assert_eq!(table.admits(b"s3cret").as_deref(), Some("operator/bridge"));
    configure(vec![Community {
        index: "configured".into(),
        community: b"s3cret".to_vec(),
        security_name: "reader".into(),
        context_name: Vec::new(),
        sources: Vec::new(),
    }]);
    assert_eq!(table.admits(b"s3cret").as_deref(), Some("reader/"));
    assert_eq!(table.set(&[(cell(CONTEXT_NAME, "a"), Octets(b"other"))]), Ok(()));
    configure(Vec::new());
    assert_eq!(table.admits(b"s3cret").as_deref(), Some("operator/other"));
}

#[test]
fn a_row_that_came_by_set_hides_no_configured_community_of_the_same_index() {
    let table = Table::new();
    let configure = |communities: &[(&str, &str)]| {
        let proxy: SettingsProxy = table.runtime.proxy(COMPONENT).unwrap();
        let mut worker = table.runtime.worker();
        let act = worker.activity();
        assert_eq!(proxy.apply(&act, &settings(communities), &mut Buf::new()), Ok(0));
    };
    let long = "x".repeat(32);
    configure(&[]);
    for index in ["b", "b+1", &long] {
        table.add(index).unwrap();
        table.set(&[(cell(NAME, index), Octets(&[b"of ", index.as_bytes()].concat()))]).unwrap();
    }
    // The configuration gives indexes that it finds taken, and before that what is kept finds some taken.
    let (mut worker, mut saved) = (table.runtime.worker(), Buf::new());
    table.kept.save(&worker.activity(), &mut saved).unwrap();
    for is_restart in [false, true] {
        if is_restart {
            for index in ["b", "b+1", &long] {
                table.set(&[(cell(STATUS, index), Integer(6))]).unwrap();
            }
        }
        configure(&[("a", "one"), ("b", "two"), ("c", "three"), (&long, "four")]);
        if is_restart {
            assert_eq!(table.get(STORAGE, "b"), "Integer(5)");
            assert_eq!(table.kept.restore(&worker.activity(), &saved), Ok(true));
        }
        for (community, name) in [("a", "one/"), ("b", "two/"), ("c", "three/"), (&long, "four/")] {
            assert_eq!(table.admits(community.as_bytes()).as_deref(), Some(name), "{is_restart}");
        }
        for index in ["b", "b+1", &long] {
            let community = [b"of ", index.as_bytes()].concat();
            assert_eq!(table.admits(&community).as_deref(), Some("operator/bridge"));
            assert_eq!(table.get(STORAGE, index), "Integer(3)");
        }
        assert_eq!(table.get(STORAGE, "b+2"), "Integer(5)");
    }
}

#[test]
fn what_came_by_set_outlasts_restarts_and_swaps() {
    let table = Table::new();
    let revision = |table: &Table| {
        let mut worker = table.runtime.worker();
        table.kept.revision(&worker.activity()).unwrap()
    };
    let before = revision(&table);
    table.add("one").unwrap();
    assert_ne!(revision(&table), before);
    let (mut worker, mut saved) = (table.runtime.worker(), Buf::new());
    table.kept.save(&worker.activity(), &mut saved).unwrap();
    assert!(!saved.windows(6).any(|octets| octets == b"public"), "what is configured is not kept");
    let restarted = Table::new();
    let mut other = restarted.runtime.worker();
    assert_eq!(restarted.kept.restore(&other.activity(), b"nonsense"), Ok(false));
    assert_eq!(restarted.kept.restore(&other.activity(), &saved), Ok(true));
    assert_eq!(restarted.admits(b"s3cret").as_deref(), Some("operator/bridge"));
    assert_eq!(restarted.admits(b"public").as_deref(), Some("reader/"));

    let component = table.runtime.component(COMPONENT).unwrap();
    let state = component.current().body().unwrap().instance().export_state(1).unwrap();
    let successor = table.control.create(component, Code::linked(&S_MODULE)).unwrap();
    successor.instance().import_state(1, &state).unwrap();
    let group = table.control.bind(&[(component, Some(successor))]);
    table.control.take(Instant::now() + Duration::from_secs(10)).unwrap().flip_open(group);
    assert_eq!(table.admits(b"s3cret").as_deref(), Some("operator/bridge"));
    assert_eq!(table.get(CONTEXT_ENGINE_ID, "configured"), format!("Octets({ENGINE_ID:?})"));
    assert_eq!(table.set(&[(cell(STATUS, "one"), Integer(6))]), Ok(()));
}

/// snmpCommunityTable.
const TABLE: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 1];

fn settings(communities: &[(&str, &str)]) -> Vec<u8> {
    let community = |(index, security_name): &(&str, &str)| Community {
        index: (*index).to_owned(),
        community: index.as_bytes().to_vec(),
        security_name: (*security_name).to_owned(),
        context_name: Vec::new(),
        sources: Vec::new(),
    };
    write(&CommunitySettings { communities: communities.iter().map(community).collect() })
}

#[test]
fn the_contract_of_settings_holds() {
    let table = Table::new();
    table.add("one").unwrap();
    let (one, other) =
        (settings(&[("a", "reader"), ("b", "writer")]), settings(&[("b", "reader")]));
    let wrong = settings(&[("a", "reader"), ("a", "writer")]);
    let documents = Documents { one: &one, other: &other, wrong: &[&wrong] };
    kept::settings_hold(table.runtime, COMPONENT, &documents, &[TABLE], true);
}

#[test]
fn the_contract_of_what_is_kept_holds() {
    let table = Table::new();
    let proxy: SettingsProxy = table.runtime.proxy(COMPONENT).unwrap();
    kept::keeping_holds(
        table.runtime,
        COMPONENT,
        &[TABLE],
        &mut |_| table.add("one").unwrap(),
        &mut |act| {
            let none = settings(&[]);
            assert_eq!(proxy.apply(act, &none, &mut Buf::new()), Ok(0));
            let passing = [
                (cell(STORAGE, "passing"), Integer(2)),
                (cell(NAME, "passing"), Octets(b"for now")),
                (cell(SECURITY_NAME, "passing"), Octets(b"operator")),
                (cell(STATUS, "passing"), GO),
            ];
            table.set(&passing).unwrap();
        },
    );
}
