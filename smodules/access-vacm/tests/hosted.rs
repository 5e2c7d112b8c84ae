//! The module behind a proxy: the contract suite, the tables of RFC 3415, changes under an activity.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use access_vacm::{RECENT, S_MODULE};
use hosted::{host, serve};
use proptest::prelude::*;
use roles::access::{
    AccessControl, AccessControlProxy, AccessError, AccessErrorKind, Asking, ViewReference,
    ViewType,
};
use roles::contract::access::{Configured, suite};
use roles::settings::{
    AccessEntry, GroupMember, Settings, SettingsProxy, UsmSettings, VacmSettings, ViewFamily, write,
};
use roles::varbind::{SecurityLevel, security_model};
use s_proxy::{Code, Component, Runtime, SwapControl};
use s_sdk::{Activity, Buf};
use std::time::{Duration, Instant};

const COMPONENT: &str = "access.vacm";
const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];
const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
const SNMP_MODULES: &[u32] = &[1, 3, 6, 1, 6, 3];
const READ: Asking = Asking {
    security_model: security_model::USM,
    security_level: SecurityLevel::AuthNoPriv,
    view_type: ViewType::Read,
};

struct Served {
    runtime: &'static Runtime,
    control: SwapControl,
    component: &'static Component,
    access: AccessControlProxy,
    settings: SettingsProxy,
}

fn served() -> Served {
    let (runtime, control) = host();
    let component = serve(&control, COMPONENT, &S_MODULE);
    let (access, settings) = (runtime.proxy(COMPONENT).unwrap(), runtime.proxy(COMPONENT).unwrap());
    Served { runtime, control, component, access, settings }
}

impl Served {
    /// Applies settings in an activity of its own.
    fn apply(&self, settings: &VacmSettings) -> (u32, String) {
        let mut worker = self.runtime.worker();
        let (act, document, mut problems) = (worker.activity(), write(settings), Buf::new());
        let count = self.settings.apply(&act, &document, &mut problems).unwrap();
        let checked = self.settings.check(&act, &document, &mut Buf::new()).unwrap();
        assert_eq!(count, checked, "`check` and `apply` agree");
        (count, String::from_utf8(problems.to_vec()).unwrap())
    }

    fn configured(&self, settings: &VacmSettings) {
        assert_eq!(self.apply(settings), (0, String::new()));
    }
}

fn member(name: &str, group: &str) -> GroupMember {
    GroupMember {
        security_model: security_model::USM,
        security_name: name.into(),
        group: group.into(),
    }
}

fn entry(
    group: &str,
    context: &str,
    exact: bool,
    model: u32,
    level: u32,
    view: &str,
) -> AccessEntry {
    AccessEntry {
        group: group.into(),
        context: context.into(),
        exact,
        security_model: model,
        security_level: level,
        read_view: view.into(),
        write_view: vec![],
        notify_view: b"nowhere".to_vec(),
    }
}

fn family(view: &str, subtree: &[u32], included: bool) -> ViewFamily {
    ViewFamily { view: view.into(), subtree: subtree.to_vec(), mask: vec![], included }
}

/// Alice may read mib-2 but for system, in the default context and in those that begin with `bridge`.
fn settings() -> VacmSettings {
    VacmSettings {
        contexts: vec![b"bridge1".to_vec(), b"router".to_vec()],
        members: vec![member("alice", "readers"), member("carol", "nothing to do")],
        access: vec![
            entry("readers", "", true, security_model::USM, 2, "most"),
            entry("readers", "bridge", false, security_model::USM, 1, "most"),
        ],
        views: vec![family("most", MIB_2, true), family("most", SYSTEM, false)],
    }
}

fn ask(
    served: &Served,
    asking: Asking,
    name: &str,
    context: &str,
    variable: &[u32],
) -> Result<(), AccessErrorKind> {
    let mut worker = served.runtime.worker();
    let act = worker.activity();
    let access = served.access;
    let (name, context) = (name.as_bytes(), context.as_bytes());
    let at_once = access.is_access_allowed(&act, asking, name, context, variable);
    let in_two = access.find_view(&act, asking, name, context).and_then(|view| {
        match access.is_in_view(&act, view, variable)? {
            true => Ok(()),
            false => Err(AccessErrorKind::NotInView.into()),
        }
    });
    assert_eq!(at_once, in_two);
    at_once.map_err(|error| error.kind)
}

#[test]
fn the_module_keeps_its_contract() {
    let served = served();
    served.configured(&settings());
    let mut worker = served.runtime.worker();
    let ended = served.access.find_view(&worker.activity(), READ, b"alice", b"").unwrap();
    for context_name in [b"".as_slice(), b"bridge1"] {
        let configured = Configured {
            security_name: b"alice",
            context_name,
            asking: READ,
            inside: &[MIB_2, &[1, 3, 6, 1, 2, 1, 2, 1, 0], &[1, 3, 6, 1, 2, 1, 0]],
            outside: &[SYS_DESCR, SYSTEM, SNMP_MODULES, &[1, 3, 6, 1, 2], &[]],
            ended,
        };
        suite(&served.access, &worker.activity(), &configured).unwrap();
    }
}

#[test]
fn every_step_of_the_rfc_has_its_reason() {
    let served = served();
    served.configured(&settings());
    let ask = |asking, name, context| ask(&served, asking, name, context, &[1, 3, 6, 1, 2, 1, 2]);
    let lower = Asking { security_level: SecurityLevel::NoAuthNoPriv, ..READ };
    let write = Asking { view_type: ViewType::Write, ..READ };
    let notify = Asking { view_type: ViewType::Notify, ..READ };
    let v2c = Asking { security_model: security_model::SNMPV2C, ..READ };
    assert_eq!(ask(READ, "alice", ""), Ok(()));
    assert_eq!(ask(READ, "alice", "bridge1"), Ok(()));
    assert_eq!(ask(lower, "alice", "bridge1"), Ok(()));
    // The context must exist, whatever an access entry says.
    assert_eq!(ask(READ, "alice", "bridge2"), Err(AccessErrorKind::NoSuchContext));
    assert_eq!(ask(READ, "bob", ""), Err(AccessErrorKind::NoGroupName));
    assert_eq!(ask(v2c, "alice", ""), Err(AccessErrorKind::NoGroupName));
    assert_eq!(ask(READ, "alice", "router"), Err(AccessErrorKind::NoAccessEntry));
    assert_eq!(ask(READ, "carol", ""), Err(AccessErrorKind::NoAccessEntry));
    assert_eq!(ask(lower, "alice", ""), Err(AccessErrorKind::NoAccessEntry));
    // A view without a name, and one without families.
    assert_eq!(ask(write, "alice", ""), Err(AccessErrorKind::NoSuchView));
    assert_eq!(ask(notify, "alice", ""), Err(AccessErrorKind::NoSuchView));
}

#[test]
fn a_module_without_settings_lets_nobody_in() {
    let served = served();
    assert_eq!(ask(&served, READ, "alice", "", MIB_2), Err(AccessErrorKind::NoGroupName));
    assert_eq!(ask(&served, READ, "alice", "x", MIB_2), Err(AccessErrorKind::NoSuchContext));
}

/// RFC 3415 §4, vacmAccessTable, steps 1 and 2, in their own words.
fn preferred<'a>(
    entries: &'a [AccessEntry],
    asking: Asking,
    context: &[u8],
) -> Option<&'a AccessEntry> {
    let level = asking.security_level as u32;
    let mut left: Vec<&AccessEntry> = entries
        .iter()
        .filter(|e| e.context == context || !e.exact && context.starts_with(&e.context))
        .filter(|e| e.security_model == asking.security_model || e.security_model == 0)
        .filter(|e| e.security_level <= level)
        .collect();
    let mut discard_the_rest = |keep: &dyn Fn(&AccessEntry) -> bool| {
        if left.iter().any(|e| keep(e)) {
            left.retain(|e| keep(e));
        }
        left.iter().map(|e| e.context.len()).max()
    };
    discard_the_rest(&|e| e.security_model == asking.security_model);
    let longest = discard_the_rest(&|e| e.context == context);
    discard_the_rest(&|e| Some(e.context.len()) == longest);
    left.into_iter().max_by_key(|e| e.security_level)
}

fn level(number: u32) -> SecurityLevel {
    [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv]
        [number as usize - 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_entry_that_the_rfc_prefers_decides(
        picks in prop::collection::btree_map(
            (prop::sample::select(vec!["", "a", "ab", "abc", "b"]), 0u32..4, 1u32..4),
            any::<bool>(),
            0..12,
        ),
    ) {
        // Each entry has a view of its own, with a subtree of its own.
        let mut settings = VacmSettings {
            contexts: ["a", "ab", "abc", "b"].map(|context| context.as_bytes().to_vec()).into(),
            members: vec![member("alice", "g")],
            ..VacmSettings::default()
        };
        for (at, ((context, model, level), exact)) in (0u32..).zip(&picks) {
            settings.access.push(entry("g", context, *exact, *model, *level, &format!("v{at}")));
            settings.views.push(family(&format!("v{at}"), &[1, at], true));
        }
        let served = served();
        served.configured(&settings);
        let mut worker = served.runtime.worker();
        for context in ["", "a", "ab", "abc", "b"] {
            for security_level in [1, 2, 3].map(level) {
                let asking = Asking { security_level, ..READ };
                let decides = preferred(&settings.access, asking, context.as_bytes());
                let act = worker.activity();
                let found = served.access.find_view(&act, asking, b"alice", context.as_bytes());
                match (found, decides) {
                    (Ok(view), Some(entry)) => {
                        let at = settings.access.iter().position(|e| e == entry).unwrap();
                        for (other, _) in settings.access.iter().enumerate() {
                            let name = [1, u32::try_from(other).unwrap()];
                            let held = served.access.is_in_view(&act, view, &name);
                            prop_assert_eq!(held, Ok(other == at));
                        }
                    }
                    (Err(error), None) => prop_assert_eq!(error.kind, AccessErrorKind::NoAccessEntry),
                    (found, decides) => prop_assert!(false, "{found:?} instead of {decides:?}"),
                }
            }
        }
    }
}

/// A view of so many subtrees: more than an activity keeps by itself, or fewer.
fn subtrees(count: u32, included: bool) -> VacmSettings {
    VacmSettings {
        views: (0..count).map(|arc| family("most", &[1, 3, arc], included)).collect(),
        ..settings()
    }
}

fn holds(served: &Served, act: &Activity, view: ViewReference) -> Result<bool, AccessError> {
    served.access.is_in_view(act, view, &[1, 3, 1, 0])
}

#[test]
fn what_an_activity_found_does_not_change_under_it() {
    for count in [2, 500] {
        let served = served();
        served.configured(&subtrees(count, true));
        let mut worker = served.runtime.worker();
        let act = worker.activity();
        let view = served.access.find_view(&act, READ, b"alice", b"").unwrap();
        for _ in 1..RECENT {
            served.configured(&subtrees(count, false));
            assert_eq!(holds(&served, &act, view), Ok(true), "{count} subtrees");
        }
        assert_eq!(ask(&served, READ, "alice", "", &[1, 3, 1]), Err(AccessErrorKind::NotInView));
        // One change more, and the large view is forgotten; never is it another one.
        served.configured(&VacmSettings::default());
        let small = count == 2;
        let expected = if small { Ok(true) } else { Err(AccessErrorKind::StaleReference.into()) };
        assert_eq!(holds(&served, &act, view), expected);
    }
}

#[test]
fn settings_with_a_problem_change_nothing() {
    let served = served();
    served.configured(&settings());
    let long = "x".repeat(33);
    let mut wrong = settings();
    wrong.contexts.push(long.clone().into());
    wrong.members.push(member("alice", "writers"));
    wrong.members.push(GroupMember { security_model: 0, ..member("", &long) });
    wrong.access.push(entry("readers", "", false, security_model::USM, 2, "most"));
    wrong.access.push(entry("", &long, true, u32::MAX, 0, &long));
    wrong.views.push(family("most", SYSTEM, true));
    wrong.views.push(ViewFamily { mask: vec![0; 17], ..family("", &[1; 129], true) });
    let (count, problems) = served.apply(&wrong);
    for part in [
        "a context `xxx",
        "group of the member `alice` is given twice",
        "the security name has 0 octets: give 1 to 32",
        "the group has 33 octets",
        "there is no security model 0: give 1, 2 or 3",
        "access entry of the group `readers` is given twice",
        "the group has 0 octets",
        "the context has 33 octets",
        "the name of a view has 33 octets",
        "or 0 for any",
        "there is no security level 0: give 1, 2 or 3",
        "family of the view `most` is given twice",
        "its name has 0 octets",
        "the mask has 17 octets: give 0 to 16",
        "a subtree has 129 arcs: give at most 128",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert_eq!((count, problems.lines().count()), (15, 15), "{problems}");
    assert_eq!(ask(&served, READ, "alice", "", &[1, 3, 6, 1, 2, 1, 2]), Ok(()));

    let mut worker = served.runtime.worker();
    for document in [&b""[..], b"\xff", &write(&UsmSettings::default())] {
        let count = served.settings.apply(&worker.activity(), document, &mut Buf::new());
        assert_eq!(count, Ok(1));
    }
}

#[test]
fn a_successor_takes_the_tables_over() {
    let served = served();
    served.configured(&settings());
    let current = served.component.current();
    let state = current.body().unwrap().instance().export_state(1).unwrap();
    let successor = served.control.create(served.component, Code::linked(&S_MODULE)).unwrap();
    assert!(successor.instance().import_state(1, b"nonsense").is_err());
    successor.instance().import_state(1, &state).unwrap();
    let group = served.control.bind(&[(served.component, Some(successor))]);
    served.control.take(Instant::now() + Duration::from_secs(10)).unwrap().flip_open(group);
    assert_eq!(ask(&served, READ, "alice", "", &[1, 3, 6, 1, 2, 1, 2]), Ok(()));
    assert_eq!(ask(&served, READ, "alice", "", SYS_DESCR), Err(AccessErrorKind::NotInView));
}

#[test]
fn asking_allocates_nothing() {
    for count in [2, 500] {
        let served = served();
        served.configured(&subtrees(count, true));
        let mut worker = served.runtime.worker();
        let mut ask = || {
            let act = worker.activity();
            let view = served.access.find_view(&act, READ, b"alice", b"").unwrap();
            holds(&served, &act, view)
        };
        assert_eq!(ask(), Ok(true));
        assert_eq!(allocation_counter::measure(|| assert_eq!(ask(), Ok(true))).count_total, 0);
    }
}

/// The module, but for one thing.
struct Wrong {
    access: AccessControlProxy,
    sentence: u32,
}

impl AccessControl for Wrong {
    fn is_access_allowed(
        &self,
        act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
        variable: &[u32],
    ) -> Result<(), AccessError> {
        let answer =
            self.access.is_access_allowed(act, asking, security_name, context_name, variable);
        match self.sentence {
            // The group is looked up before the context.
            1 => answer.map_err(|error| match error.kind {
                AccessErrorKind::NoSuchContext if security_name != b"alice" => {
                    AccessErrorKind::NoGroupName.into()
                }
                _ => error,
            }),
            5 if asking.security_level == SecurityLevel::AuthPriv => {
                Err(AccessErrorKind::NoAccessEntry.into())
            }
            _ => answer,
        }
    }

    fn find_view(
        &self,
        act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
    ) -> Result<ViewReference, AccessError> {
        let security_level = match self.sentence {
            // The reference is for another level than was asked for, in either way.
            2 => SecurityLevel::AuthPriv,
            5 if asking.security_level == SecurityLevel::AuthPriv => {
                self.access.find_view(act, asking, security_name, context_name)?;
                return Err(AccessErrorKind::NoAccessEntry.into());
            }
            _ => asking.security_level,
        };
        let asking = Asking { security_level, ..asking };
        self.access.find_view(act, asking, security_name, context_name)
    }

    fn is_in_view(
        &self,
        act: &Activity,
        view: ViewReference,
        variable: &[u32],
    ) -> Result<bool, AccessError> {
        match self.access.is_in_view(act, view, variable) {
            Err(_) if self.sentence == 3 => Ok(false),
            answer => answer,
        }
    }
}

#[test]
fn the_suite_names_the_sentence_that_is_broken() {
    let served = served();
    served.configured(&settings());
    let mut worker = served.runtime.worker();
    for sentence in [1, 2, 3, 5] {
        let configured = Configured {
            security_name: b"alice",
            context_name: b"",
            asking: READ,
            inside: &[MIB_2],
            outside: &[SYSTEM],
            ended: ViewReference::none(),
        };
        let wrong = Wrong { access: served.access, sentence };
        let broken = suite(&wrong, &worker.activity(), &configured).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{broken}");
    }
}
