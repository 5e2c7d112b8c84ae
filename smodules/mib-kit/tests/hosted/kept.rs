//! The contract suites of settings and of what is kept, for a module that shows both as a MIB.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]

use roles::contract::mib::walk;
use roles::contract::settings::{Changes, Documents, Seen, keeping_suite, suite};
use roles::mib::{MibAccess, MibAccessProxy};
use roles::settings::{Persistence, PersistenceProxy, SettingsProxy};
use roles::varbind::{Span, VarBinds, VarValue};
use s_proxy::Runtime;
use s_sdk::{Activity, Buf};

/// All that a module shows below these roots, with its values.
pub(crate) fn shown(mib: &dyn MibAccess, act: &Activity, roots: &[&[u32]]) -> String {
    let names = roots.iter().flat_map(|root| walk(mib, act, root).unwrap());
    let value = |name: Vec<u32>| {
        let (mut asked, mut answers) = (VarBinds::new(), VarBinds::new());
        asked.push(&name, VarValue::Unspecified).unwrap();
        mib.get(act, b"", &asked, Span::new(0, 1), &mut answers).unwrap();
        format!("{:?}\n", answers.get(0).unwrap())
    };
    names.map(|(name, _)| value(name)).collect()
}

/// What a module would keep.
pub(crate) fn saved(persistence: &dyn Persistence, act: &Activity) -> Vec<u8> {
    let mut saved = Buf::new();
    persistence.save(act, &mut saved).unwrap();
    saved.to_vec()
}

/// Settings are in force as the module shows below these roots; what came by SET is what it would keep, if
/// it keeps anything.
pub(crate) fn settings_hold(
    runtime: &'static Runtime,
    component: &str,
    documents: &Documents<'_>,
    roots: &[&[u32]],
    keeps: bool,
) {
    let settings: SettingsProxy = runtime.proxy(component).unwrap();
    let mib: MibAccessProxy = runtime.proxy(component).unwrap();
    let mut seen = |act: &Activity| Seen {
        in_force: shown(&mib, act, roots),
        written: match keeps {
            true => saved(&runtime.proxy::<PersistenceProxy>(component).unwrap(), act),
            false => Vec::new(),
        },
    };
    let mut worker = runtime.worker();
    suite(&settings, documents, &mut seen, &mut |step| step(&worker.activity())).unwrap();
    passes_its_self_test(runtime, component);
}

/// What is kept is what the module shows below these roots; `kept` changes it by SET, `passing` something
/// else.
pub(crate) fn keeping_holds(
    runtime: &'static Runtime,
    component: &str,
    roots: &[&[u32]],
    kept: &mut dyn FnMut(&Activity),
    passing: &mut dyn FnMut(&Activity),
) {
    let persistence: PersistenceProxy = runtime.proxy(component).unwrap();
    let mib: MibAccessProxy = runtime.proxy(component).unwrap();
    let mut seen = |act: &Activity| shown(&mib, act, roots);
    let mut changes = Changes { kept, passing, seen: &mut seen };
    let mut worker = runtime.worker();
    keeping_suite(&persistence, &mut changes, &mut |step| step(&worker.activity())).unwrap();
    passes_its_self_test(runtime, component);
}

/// A rehearsal asks what is left of the contracts after a copy of the state went in.
fn passes_its_self_test(runtime: &'static Runtime, component: &str) {
    let served = runtime.component(component).unwrap().current();
    let mut worker = runtime.worker();
    served.body().unwrap().instance().self_test(&worker.activity()).unwrap();
}
