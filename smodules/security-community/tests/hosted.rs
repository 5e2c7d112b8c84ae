//! The module behind a proxy, with settings and with a successor.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::serve;
use roles::community::{CommunitySecurity, CommunitySecurityProxy, MAX_COMMUNITY};
use roles::contract::community::{Configured, suite};
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

/// A component with entries of which some are alike.
fn configured() -> &'static Runtime {
    let (runtime, control) = host();
    serve(&control, COMPONENT, &S_MODULE);
    let mut settings = settings();
    // The order of indexes is that of their octets: these are behind all others.
    settings.communities.extend([
        Community { community: b"public".to_vec(), ..community("z1", b"", None) },
        Community { security_name: "name of public".into(), ..community("z2", b"second", None) },
        // Only from elsewhere, and therefore not the first one here.
        community("a", b"twice", Some(Source { address: vec![192, 0, 2, 0], prefix: 24 })),
        community("b", b"twice", Some(Source { address: vec![10, 0, 0, 1], prefix: 32 })),
    ]);
    let mut worker = runtime.worker();
    let applied = apply(runtime.proxy(COMPONENT).unwrap(), &worker.activity(), &write(&settings));
    assert_eq!(applied, (0, String::new()));
    runtime
}

const CONFIGURED: Configured<'static> = Configured {
    admitted: &[
        ((UDP, HERE), b"public", (b"name of public", b"bridge")),
        ((UDP, THERE), b"public", (b"name of public", b"bridge")),
        ((UDP, HERE), b"\xff\x00not a text", (b"name of ten", b"bridge")),
        ((UDP, HERE), &[b'x'; MAX_COMMUNITY], (b"name of long", b"bridge")),
        ((UDP, HERE), b"twice", (b"name of b", b"bridge")),
        ((UDP, THERE), b"twice", (b"name of a", b"bridge")),
    ],
    refused: &[
        ((UDP, THERE), b"\xff\x00not a text"),
        ((UDP, &[192, 0, 3, 1, 0, 161]), b"twice"),
        ((UDP, HERE), b"unknown"),
        ((UDP, HERE), b""),
    ],
    answered: &[
        ((UDP, HERE), (b"name of public", b"bridge"), b"public"),
        ((UDP, HERE), (b"name of ten", b"bridge"), b"\xff\x00not a text"),
    ],
    unanswered: &[
        ((UDP, THERE), (b"name of ten", b"bridge")),
        ((UDP, HERE), (b"name of public", b"")),
        ((UDP, HERE), (b"nobody", b"bridge")),
    ],
    from_everywhere: &[b"public"],
    from_somewhere: &[b"\xff\x00not a text", b"twice"],
};

#[test]
fn the_contract_holds() {
    let runtime = configured();
    let proxy: CommunitySecurityProxy = runtime.proxy(COMPONENT).unwrap();
    suite(&proxy, &runtime.worker().activity(), &CONFIGURED).unwrap();
}

/// The module with one sentence of the contract broken.
struct Faulty(CommunitySecurityProxy, u32);

impl CommunitySecurity for Faulty {
    fn admit(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        community: &[u8],
        security_name: &mut Buf,
        context_name: &mut Buf,
    ) -> Result<(), SecurityError> {
        let Faulty(module, broken) = self;
        let (mut from, mut community) = ((transport_domain, transport_address), community);
        match broken {
            // The longest is cut, and is then one that somebody has.
            4 => community = &community[..community.len().min(MAX_COMMUNITY)],
            // Whoever has no address has a good one.
            5 if transport_domain != UDP => from = (UDP, HERE),
            10 => security_name.clear(),
            _ => {}
        }
        let answer = module.admit(act, from.0, from.1, community, security_name, context_name);
        match (broken, answer) {
            (1, Ok(())) => Ok(security_name.append(b"!")?),
            // The sender is told that there is such a community.
            (2, Err(_)) if community.starts_with(b"\xff") => {
                Err(SecurityErrorKind::BadCommunityUse.into())
            }
            (_, answer) => answer,
        }
    }

    fn community_of(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        security_name: &[u8],
        context_name: &[u8],
        community: &mut Buf,
    ) -> Result<(), SecurityError> {
        let Faulty(module, broken) = self;
        let to = if *broken == 3 { HERE } else { transport_address };
        module.community_of(act, transport_domain, to, security_name, context_name, community)
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    let runtime = configured();
    let proxy: CommunitySecurityProxy = runtime.proxy(COMPONENT).unwrap();
    let mut worker = runtime.worker();
    for (fault, sentence) in [(1, 1), (10, 1), (2, 2), (3, 3), (4, 4), (5, 5)] {
        let broken = suite(&Faulty(proxy, fault), &worker.activity(), &CONFIGURED).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{broken}");
    }
}
