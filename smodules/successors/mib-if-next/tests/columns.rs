//! The columns that are gained: what they say, and a walk that they are gained and lost under.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, walk_takes_no_memory};
use roles::contract::mib::{set_suite, suite, walk};
use roles::mib::{MibAccess as _, MibAccessProxy, Walk};
use roles::varbind::VarValue::{Counter32, EndOfMibView, Integer, Octets, Unspecified};
use roles::varbind::{ErrorStatus, Span, VarBinds};
use s_proxy::{Code, Component, SwapControl};
use s_sdk::Activity;
use s_sdk::abi::ModuleDescriptor;
use std::time::{Duration, Instant};

const IF_ENTRY: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
const OWN: [u32; 12] = [1, 3, 6, 1, 4, 1, 32_473, 1, 2, 2, 1, 1];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    let modules: [(&str, &'static ModuleDescriptor); 2] =
        [("engine", &engine::S_MODULE), ("mib.if", &mib_if_next::S_MODULE)];
    asked::hosting(&modules, test);
}

/// Swaps a component for a module that takes its state over.
fn swap(control: &SwapControl, component: &'static Component, module: &'static ModuleDescriptor) {
    let soon = Instant::now() + Duration::from_secs(20);
    let next = control.create(component, Code::linked(module)).unwrap();
    let before = component.current().body().cloned().unwrap();
    let group = control.bind(&[(component, Some(next.clone()))]);
    let (closed, drain) = control.close(&group, soon, Duration::ZERO).unwrap();
    drain.wait(soon, || true).unwrap();
    let state = before.instance().export_state(2).unwrap();
    next.instance().import_state(2, &state).unwrap();
    let flipped = closed.flip(group, true);
    closed.open();
    control.pass(flipped.epoch, soon).unwrap();
}

/// The next name, if there is one.
fn next(mib: &MibAccessProxy, act: &Activity, name: &[u32]) -> Option<Vec<u32>> {
    let names = binds(&[(name, Unspecified)]);
    let mut answers = VarBinds::new();
    let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
    mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
    let answer = answers.get(0).unwrap();
    (answer.value != EndOfMibView).then(|| answer.name.to_vec())
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
    asked(|mib, act| {
        let lo = kernel_net::links().unwrap().iter().find(|link| link.name == b"lo").unwrap().index;
        let cell = |entry: &[u32], column| [entry, &[column, lo]].concat();
        let tells = binds(&[(&cell(&IF_X_ENTRY, 14), Integer(2))]);
        let kind = binds(&[(&cell(&OWN, 1), Octets(b"x"))]);
        set_suite(&mib, act, &tells, &[(&kind, ErrorStatus::NotWritable, 1)]).unwrap();
    });
}

#[test]
fn a_row_of_ours_says_what_the_kernel_does_and_augments_one_of_the_if_table() {
    asked(|mib, act| {
        let links = kernel_net::links().unwrap();
        for link in &links {
            let cell = |column| [&OWN[..], &[column, link.index]].concat();
            let number = |number: u32| Integer(i32::try_from(number).unwrap());
            get(&mib, act, &cell(1), |found| assert_eq!(found, Octets(&link.kind)));
            get(&mib, act, &cell(2), |found| assert_eq!(found, number(link.master)));
            get(&mib, act, &cell(3), |found| assert_eq!(found, number(link.lower)));
            get(&mib, act, &cell(4), |found| assert_eq!(found, Counter32(link.carrier_changes)));
        }
        let rows = |entry: &[u32]| walk(&mib, act, entry).unwrap().len();
        assert_eq!(rows(&OWN), 4 * rows(&[&IF_ENTRY[..], &[1]].concat()));
        assert_eq!(rows(&OWN), 4 * links.len());
    });
}

#[test]
fn a_walk_goes_on_under_a_swap_to_the_columns_and_back() {
    let (runtime, control) = hosted::host();
    hosted::serve(&control, "engine", &engine::S_MODULE);
    let component = hosted::serve(&control, "mib.if", &mib_if::S_MODULE);
    let mib: MibAccessProxy = runtime.proxy("mib.if").unwrap();
    let mut worker = runtime.worker();
    let mut walked = |swap_after: usize, to: &'static ModuleDescriptor| {
        let mut names: Vec<Vec<u32>> = Vec::new();
        let mut from = vec![1, 3];
        // Each step is a request of its own, as those of managers are.
        loop {
            let found = next(&mib, &worker.activity(), &from);
            let Some(name) = found else { break };
            names.push(name.clone());
            from = name;
            if names.len() == swap_after {
                swap(&control, component, to);
            }
        }
        assert!(names.is_sorted_by(|one, next| one < next), "nothing comes twice");
        names
    };
    let before = walked(0, &mib_if::S_MODULE);
    assert!(!before.iter().any(|name| name.starts_with(&OWN)));
    let own = |names: &[Vec<u32>]| names.iter().filter(|name| name.starts_with(&OWN)).count();
    let gained = walked(before.len() / 2, &mib_if_next::S_MODULE);
    assert_eq!(component.current().version(), "1.1.0");
    assert!(own(&gained) > 0);
    let others = |names: &[Vec<u32>]| names.iter().filter(|name| !name.starts_with(&OWN)).count();
    assert_eq!(others(&gained), before.len(), "what was there before is there");
    // Back, in the middle of the new columns: the walk ends, and nothing of IF-MIB is missing.
    let lost = walked(before.len() + own(&gained) / 2, &mib_if::S_MODULE);
    assert_eq!(component.current().version(), "1.0.0");
    assert_eq!((others(&lost), own(&lost)), (before.len(), own(&gained) / 2));
    assert_eq!(walked(0, &mib_if::S_MODULE), before);
}

#[test]
fn what_a_manager_said_of_who_tells_survives_both_ways() {
    let (runtime, control) = hosted::host();
    hosted::serve(&control, "engine", &engine::S_MODULE);
    let component = hosted::serve(&control, "mib.if", &mib_if::S_MODULE);
    let mib: MibAccessProxy = runtime.proxy("mib.if").unwrap();
    let mut worker = runtime.worker();
    let lo = kernel_net::links().unwrap().iter().find(|link| link.name == b"lo").unwrap().index;
    let tells = [&IF_X_ENTRY[..], &[14, lo]].concat();
    let mut is = |expected| {
        get(&mib, &worker.activity(), &tells, |found| assert_eq!(found, Integer(expected)));
    };
    is(1);
    let silenced = binds(&[(&tells, Integer(2))]);
    asked::set(&mib, &runtime.worker().activity(), &silenced).unwrap();
    is(2);
    swap(&control, component, &mib_if_next::S_MODULE);
    is(2);
    swap(&control, component, &mib_if::S_MODULE);
    is(2);
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 30));
}

#[test]
fn our_mib_text_has_the_columns() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../agent/mibs");
    for (column, name) in
        (1..).zip(["Kind", "Master", "Lower", "CarrierChanges"].map(|end| format!("sagentIf{end}")))
    {
        let output = std::process::Command::new("snmptranslate")
            .args(["-M", &format!("{folder}:{folder}/base"), "-m", "SAGENT-MIB", "-Pw", "-On"])
            .arg(format!("SAGENT-MIB::{name}"))
            .output()
            .expect("snmptranslate, of the package `snmp`");
        assert_eq!(String::from_utf8(output.stderr).as_deref(), Ok(""));
        let arcs = [&OWN[..], &[column]].concat();
        let dotted = arcs.iter().map(|arc| format!(".{arc}")).collect::<String>();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), dotted);
    }
}
