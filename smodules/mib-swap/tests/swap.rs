//! The module as the agent asks it: through a proxy, beside the engine that remembers swaps.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use roles::contract::mib::{suite, walk};
use roles::mib::MibAccessProxy;
use roles::swaps::SwapOutcome;
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{
    self, Counter32, Gauge32, Integer, NoSuchInstance, Octets, TimeTicks,
};
use s_engine::facts::Serving;
use s_engine::{Binding, Facts, Identity, SwapEnded};
use s_sdk::Activity;
use std::sync::Arc;
use std::time::Duration;

const SWAP: [u32; 9] = [1, 3, 6, 1, 4, 1, 32_473, 2, 1];

/// The number of the component `mib.swap`: it comes behind the engine.
const SELF: u32 = 2;

fn ended(number: u64, outcome: SwapOutcome, cause: &str) -> SwapEnded {
    SwapEnded {
        number,
        outcome,
        members: vec![("mib.swap".into(), Some("1.0.0".into())), ("mib.none".into(), None)],
        cause: cause.into(),
        blackout: Some(Duration::from_micros(480)),
        took: Duration::from_millis(12),
    }
}

fn asked(test: impl Fn(MibAccessProxy, &Arc<Facts>, &Activity)) {
    let facts = Facts::new(Identity {
        engine_id: b"\x80\x00\x1f\x88\x04test".to_vec(),
        boots: 1,
        max_message_size: 484,
        clock: Box::new(|| Duration::from_secs(77)),
    });
    let (runtime, control) = host();
    let engine = facts.while_starting(|| serve(&control, "engine", &s_engine::facts::S_MODULE));
    let swap = serve(&control, "mib.swap", &mib_swap::S_MODULE);
    let none = runtime.add_component("mib.none").unwrap();
    facts.set_components([engine, swap, none].map(Serving::of).into());
    let mut worker = runtime.worker();
    test(runtime.proxy("mib.swap").unwrap(), &facts, &worker.activity());
}

fn is(mib: &MibAccessProxy, act: &Activity, rest: &[u32], expected: VarValue<'_>) {
    let name = [&SWAP, rest].concat();
    get(mib, act, &name, |found| assert_eq!(found, expected, "{name:?}"));
}

#[test]
fn the_contract_holds_before_and_after_a_swap() {
    asked(|mib, facts, act| {
        suite(&mib, act).unwrap();
        facts.swap_ended(&ended(1, SwapOutcome::Committed, ""));
        suite(&mib, act).unwrap();
    });
}

#[test]
fn what_was_never_swapped_has_no_outcome() {
    asked(|mib, _, act| {
        for counter in 1..=4 {
            is(&mib, act, &[1, counter, 0], Counter32(0));
        }
        is(&mib, act, &[2, 1, 2, 1], Integer(2));
        is(&mib, act, &[2, 1, 2, 3], Integer(1));
        is(&mib, act, &[2, 1, 3, SELF], Counter32(0));
        for column in 4..=6 {
            is(&mib, act, &[2, 1, column, SELF], NoSuchInstance);
        }
        assert!(walk(&mib, act, &[&SWAP[..], &[3]].concat()).unwrap().is_empty());
    });
}

#[test]
fn a_swap_is_a_row_with_its_cost_and_moves_its_components() {
    asked(|mib, facts, act| {
        is(&mib, act, &[1, 1, 0], Counter32(0));
        facts.swap_ended(&ended(41, SwapOutcome::Committed, ""));
        is(&mib, act, &[1, 1, 0], Counter32(1));
        let transaction = |column, expected| is(&mib, act, &[3, 1, column, 41], expected);
        transaction(2, Integer(1));
        transaction(3, Octets(b"mib.swap 1.0.0, mib.none (no module)"));
        transaction(4, Octets(b""));
        transaction(5, Gauge32(480));
        transaction(6, Gauge32(12_000));
        transaction(7, TimeTicks(7700));
        is(&mib, act, &[2, 1, 3, SELF], Counter32(1));
        is(&mib, act, &[2, 1, 4, SELF], Integer(1));
        is(&mib, act, &[2, 1, 5, SELF], Gauge32(480));
        is(&mib, act, &[2, 1, 6, SELF], Gauge32(41));
        is(&mib, act, &[2, 1, 4, 1], NoSuchInstance);
    });
}

#[test]
fn what_changed_nothing_is_counted_and_is_no_swap_of_its_components() {
    asked(|mib, facts, act| {
        let cause = ["in prepare: ", &"é".repeat(200)].concat();
        facts.swap_ended(&ended(7, SwapOutcome::Aborted, &cause));
        facts.swap_ended(&ended(8, SwapOutcome::RolledBack, "in confirm: silence"));
        facts.swap_refused();
        for (counter, expected) in [(1, 0), (2, 1), (3, 1), (4, 1)] {
            is(&mib, act, &[1, counter, 0], Counter32(expected));
        }
        // SnmpAdminString: 255 octets, and no half of a character.
        let most = ["in prepare: ", &"é".repeat(121)].concat();
        is(&mib, act, &[3, 1, 4, 7], Octets(most.as_bytes()));
        is(&mib, act, &[2, 1, 3, SELF], Counter32(1));
        is(&mib, act, &[2, 1, 4, SELF], Integer(3));
        is(&mib, act, &[2, 1, 6, SELF], Gauge32(8));
    });
}

#[test]
fn only_the_last_swaps_are_remembered_and_all_are_counted() {
    asked(|mib, facts, act| {
        (1..=100).for_each(|number| {
            facts.swap_ended(&ended(number, SwapOutcome::Committed, ""));
        });
        is(&mib, act, &[1, 1, 0], Counter32(100));
        let outcomes = walk(&mib, act, &[&SWAP[..], &[3, 1, 2]].concat()).unwrap();
        let numbers: Vec<_> = outcomes.iter().filter_map(|(name, _)| name.last()).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[63]), (64, &37, &100));
    });
}

#[test]
fn where_the_code_is_from_and_whether_it_is_confirmed_is_what_the_host_says() {
    asked(|mib, facts, act| {
        is(&mib, act, &[2, 1, 1, SELF], Octets(b""));
        let binding = Binding {
            component: "mib.swap".into(),
            origin: "sha256:0123".into(),
            is_confirming: true,
            panics: 3,
        };
        facts.set_bindings(vec![binding.clone()]);
        is(&mib, act, &[2, 1, 1, SELF], Octets(b"sha256:0123"));
        is(&mib, act, &[2, 1, 2, SELF], Integer(3));
        is(&mib, act, &[2, 1, 7, SELF], Counter32(3));
        facts.set_bindings(vec![Binding { is_confirming: false, panics: 0, ..binding }]);
        is(&mib, act, &[2, 1, 2, SELF], Integer(2));
        is(&mib, act, &[2, 1, 7, SELF], Counter32(0));
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, _, act| {
        let counter = binds(&[(&[&SWAP[..], &[1, 1, 0]].concat(), Counter32(0))]);
        assert_eq!(set(&mib, act, &counter), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, facts, act| {
        facts.swap_ended(&ended(1, SwapOutcome::Committed, ""));
        walk_takes_no_memory(&mib, act, 30);
    });
}

/// What net-snmp's `snmptranslate` says, with our MIB texts and nothing else that a host may have.
fn translated(mibs: &str, arguments: &[&str]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../agent/mibs");
    let output = std::process::Command::new("snmptranslate")
        .args(["-M", &format!("{folder}:{folder}/base"), "-m", mibs, "-Pw"])
        .args(arguments)
        .output()
        .expect("snmptranslate, of the package `snmp`");
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && warnings.is_empty(), "{arguments:?}: {warnings}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn our_mib_text_loads_without_a_warning_and_names_what_is_served_and_told() {
    asked(|mib, facts, act| {
        facts.swap_ended(&ended(5, SwapOutcome::Committed, ""));
        let text = |arguments: &[&str]| translated("SWAP-MIB", arguments);
        let tree = text(&["-Tp", "SWAP-MIB::swapMIB"]);
        let written = tree.lines().filter(|line| line.contains(" -R-- ")).count();
        let mut served: Vec<String> = Vec::new();
        for (name, _) in walk(&mib, act, &SWAP).unwrap() {
            let numbers: Vec<_> = name.iter().map(u32::to_string).collect();
            let named = text(&["-OS", &numbers.join(".")]);
            let (object, instance) = named.trim().split_once('.').unwrap();
            assert!(
                instance.parse::<u32>().is_ok(),
                "{named} is an object that is not in the text"
            );
            served.push(object.to_owned());
        }
        served.dedup();
        assert_eq!(served.len(), written, "{served:?} of {tree}");
        let oid = |name: &str| text(&["-On", name]).trim().to_owned();
        for (name, outcome) in [
            ("SWAP-MIB::swapCommitted", SwapOutcome::Committed),
            ("SWAP-MIB::swapAborted", SwapOutcome::Aborted),
            ("SWAP-MIB::swapRolledBack", SwapOutcome::RolledBack),
        ] {
            let arcs = outcome.notification().unwrap().iter().map(|arc| format!(".{arc}"));
            assert_eq!(oid(name), arcs.collect::<String>());
        }
    });
}
