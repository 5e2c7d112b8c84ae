//! The module behind a proxy, with settings and with a successor.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::serve;
use roles::community::{CommunitySecurity, CommunitySecurityProxy, MAX_COMMUNITY};
use roles::error::Counter;
use roles::security::{SecurityError, SecurityErrorKind};
use roles::settings::{
    Community, CommunitySettings, Settings, SettingsProxy, Source, SystemSettings, write,
};
use s_proxy::{Code, Runtime, SwapControl};
use s_sdk::{Activity, Buf};
use security_community::S_MODULE;
use std::time::{Duration, Instant};

const COMPONENT: &str = "security.community";
const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const HERE: &[u8] = &[10, 0, 0, 1, 0, 161];
const THERE: &[u8] = &[192, 0, 2, 1, 0, 161];

/// A runtime with an engine.
fn host() -> (&'static Runtime, SwapControl) {
    let (runtime, control) = hosted::host();
    serve(&control, "engine", &engine::S_MODULE);
    (runtime, control)
}

fn community(index: &str, community: &[u8], source: Option<Source>) -> Community {
    Community {
        index: index.to_owned(),
        community: community.to_vec(),
        security_name: format!("name of {index}"),
        context_name: b"bridge".to_vec(),
        sources: source.into_iter().collect(),
    }
}

fn settings() -> CommunitySettings {
    let ten = Source { address: vec![10, 0, 0, 0], prefix: 8 };
    CommunitySettings {
        communities: vec![
            community("public", b"public", None),
            community("ten", b"\xff\x00not a text", Some(ten)),
            community("long", &[b'x'; MAX_COMMUNITY], None),
        ],
    }
}

fn apply(proxy: SettingsProxy, act: &Activity, document: &[u8]) -> (u32, String) {
    let mut problems = Buf::new();
    let count = proxy.apply(act, document, &mut problems).unwrap();
    let checked = proxy.check(act, document, &mut Buf::new()).unwrap();
    assert_eq!(checked, count, "`check` and `apply` agree");
    (count, String::from_utf8(problems.to_vec()).unwrap())
}

fn admit(
    proxy: CommunitySecurityProxy,
    act: &Activity,
    from: &[u8],
    community: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), SecurityError> {
    let (mut name, mut context) = (Buf::new(), Buf::new());
    proxy.admit(act, UDP, from, community, &mut name, &mut context)?;
    Ok((name.to_vec(), context.to_vec()))
}

#[test]
fn an_unknown_community_and_one_from_elsewhere_are_refused_alike() {
    let (runtime, control) = host();
    serve(&control, COMPONENT, &S_MODULE);
    let (proxy, table) = (runtime.proxy(COMPONENT).unwrap(), runtime.proxy(COMPONENT).unwrap());
    let mut worker = runtime.worker();
    let act = &worker.activity();
    let refusal = SecurityError::from(SecurityErrorKind::BadCommunityName);
    let refused = Err(refusal);
    assert_eq!(admit(proxy, act, HERE, b"public"), refused, "nothing is configured yet");

    assert_eq!(apply(table, act, &write(&settings())), (0, String::new()));
    let entry = |index: &str| Ok((format!("name of {index}").into_bytes(), b"bridge".to_vec()));
    assert_eq!(admit(proxy, act, THERE, b"public"), entry("public"));
    assert_eq!(admit(proxy, act, HERE, b"\xff\x00not a text"), entry("ten"));
    assert_eq!(admit(proxy, act, THERE, b"\xff\x00not a text"), refused);
    assert_eq!(admit(proxy, act, HERE, &[b'x'; MAX_COMMUNITY]), entry("long"));
    for unknown in [&b""[..], b"publi", b"publics", &[b'x'; MAX_COMMUNITY + 1]] {
        assert_eq!(admit(proxy, act, HERE, unknown), refused);
    }
    assert_eq!(refusal.kind.counter(), Some(Counter::BadCommunityNames));

    let back = |to, name: &[u8]| {
        let mut community = Buf::new();
        proxy.community_of(act, UDP, to, name, b"bridge", &mut community)?;
        Ok::<_, SecurityError>(community.to_vec())
    };
    assert_eq!(back(THERE, b"name of public"), Ok(b"public".to_vec()));
    assert_eq!(back(THERE, b"name of ten"), Err(SecurityErrorKind::BadCommunityName.into()));
    assert_eq!(back(HERE, b"name of ten"), Ok(b"\xff\x00not a text".to_vec()));
}

#[test]
fn settings_with_a_problem_change_nothing() {
    let (runtime, control) = host();
    serve(&control, COMPONENT, &S_MODULE);
    let (proxy, table) = (runtime.proxy(COMPONENT).unwrap(), runtime.proxy(COMPONENT).unwrap());
    let mut worker = runtime.worker();
    let act = &worker.activity();
    apply(table, act, &write(&settings()));
    let mut wrong = settings();
    wrong.communities.push(community("public", b"other", None));
    let (count, problems) = apply(table, act, &write(&wrong));
    assert_eq!((count, problems.lines().count()), (1, 1), "{problems}");
    for document in [&b""[..], b"\xff", &write(&SystemSettings::default())] {
        assert_eq!(apply(table, act, document).0, 1);
    }
    assert!(admit(proxy, act, HERE, b"other").is_err());
    assert!(admit(proxy, act, HERE, b"public").is_ok());

    // What comes replaces what came.
    apply(table, act, &write(&CommunitySettings::default()));
    assert!(admit(proxy, act, HERE, b"public").is_err());
}

#[test]
fn a_successor_takes_the_communities_over() {
    let (runtime, control) = host();
    let component = serve(&control, COMPONENT, &S_MODULE);
    let mut worker = runtime.worker();
    apply(runtime.proxy(COMPONENT).unwrap(), &worker.activity(), &write(&settings()));

    let served = component.current();
    let state = served.body().unwrap().instance().export_state(1).unwrap();
    let successor = control.create(component, Code::linked(&S_MODULE)).unwrap();
    assert!(successor.instance().import_state(1, b"nonsense").is_err());
    successor.instance().import_state(1, &state).unwrap();
    let group = control.bind(&[(component, Some(successor))]);
    control.take(Instant::now() + Duration::from_secs(10)).unwrap().flip_open(group);

    let act = &worker.activity();
    let admitted = admit(runtime.proxy(COMPONENT).unwrap(), act, HERE, b"\xff\x00not a text");
    assert_eq!(admitted.unwrap().0, b"name of ten");
}

#[test]
fn a_look_up_allocates_nothing() {
    let (runtime, control) = host();
    serve(&control, COMPONENT, &S_MODULE);
    let proxy: CommunitySecurityProxy = runtime.proxy(COMPONENT).unwrap();
    let mut worker = runtime.worker();
    apply(runtime.proxy(COMPONENT).unwrap(), &worker.activity(), &write(&settings()));
    let (mut name, mut context) = (Buf::with_capacity(32), Buf::with_capacity(32));
    let mut ask = |community: &[u8]| {
        name.clear();
        context.clear();
        proxy.admit(&worker.activity(), UDP, HERE, community, &mut name, &mut context).is_ok()
    };
    assert!(ask(b"public"));
    let counted = allocation_counter::measure(|| {
        assert!(ask(b"public"));
        assert!(ask(b"\xff\x00not a text"));
        assert!(!ask(b"unknown"));
    });
    assert_eq!(counted.count_total, 0);
}
