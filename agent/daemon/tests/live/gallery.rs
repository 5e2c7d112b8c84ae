//! The bad gallery, pushed at an agent that answers: each module fails in its way, is refused in the right phase
//! with a reason that names it, and whoever served goes on.
//!
//! Faults are sentences that `modules/faulty.rs` knows. Nothing here looks into the agent: operators are told all
//! that is checked.

use crate::refused::STUCK;
use crate::world::{
    Live, Load, MAKER, MANAGER, code, facts, one_at_a_time, package, packed, signed,
};
use s_package::{Archive, Facts, Limits, Release, Triple};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// udpInDatagrams: the modules of the gallery are for the component `mib.udp`.
const UDP: &str = ".1.3.6.1.2.1.7.1.0";

/// What a sound module of the gallery says of itself: a fault changes none of it.
fn faulty_facts() -> Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| facts(&code("udp_faulty"))).clone()
}

/// The module of the gallery with this fault, or with `nothing` wrong.
fn with_fault(fault: &str) -> Vec<u8> {
    const MARK: &[u8] = b"fault: nothing                          ";
    let mut code = code("udp_faulty");
    let mut places = (0..code.len()).filter(|at| code[*at..].starts_with(MARK));
    let place = places.next().unwrap();
    assert_eq!(places.next(), None, "the sentence stands in the code once");
    drop(places);
    let sentence = &mut code[place..][..MARK.len()];
    sentence.fill(b' ');
    sentence[..7 + fault.len()].copy_from_slice(format!("fault: {fault}").as_bytes());
    signed(&packed(code, faulty_facts(), Release::default()), MAKER)
}

fn answers(live: &Live, after: &str) {
    let answer = live.tool("snmpget", MANAGER, &[UDP]);
    assert!(answer.contains("Counter32"), "after {after}: {answer}\n{}", live.agent.log());
}

/// Pushes what must be refused in this phase with these words, while who served goes on.
fn refused(live: &Live, order: &Json, what: &str, package: Vec<u8>, phase: &str, words: &[&str]) {
    crate::refused::refused(live, "mib.udp", order, what, package, phase, words);
    answers(live, what);
}

/// Pushes what does serve, and keeps it.
fn committed(live: &Live, what: &str, package: Vec<u8>) {
    let txn = live.begin(&json!({}), &[package]).unwrap();
    live.confirm(txn);
    let outcome = live.end_of(txn);
    assert_eq!(outcome["verdict"], "committed", "{what}: {outcome}\n{}", live.agent.log());
}

/// An agent in which a sound module of the gallery serves, so that there is state to move.
fn with_a_sound_one() -> Live {
    let live = Live::start();
    committed(&live, "a sound one", with_fault("nothing"));
    live
}

#[test]
fn what_fails_in_its_rehearsal_never_comes_into_the_agent() {
    let _turn = one_at_a_time();
    const FAULTS: &[(&str, &[&str])] = &[
        ("construct aborts", &["SIGABRT in step load"]),
        ("init panics", &["init panics as it was made to"]),
        ("init loops", &["in step init"]),
        ("init segfaults", &["SIGSEGV in step init"]),
        ("init exits", &["in step init"]),
        ("init spawns", &["forbidden system call", "in step init"]),
        ("import panics", &["import panics as it was made to"]),
        ("import refuses", &["beneath me"]),
        ("export panics", &["export panics as it was made to"]),
        ("export is giant", &["in step export"]),
        ("prepare panics", &["prepare panics as it was made to"]),
        ("prepare loops", &["in step prepare"]),
        ("prepare votes no", &["the moon is full"]),
        ("self_test panics", &["self_test panics as it was made to"]),
        ("restart panics", &["restart panics as it was made to"]),
        ("hold panics", &["hold panics as it was made to"]),
        ("term panics", &["term panics as it was made to"]),
        ("drop panics", &["drop panics as it was made to"]),
    ];
    let live = with_a_sound_one();
    let load = Load::on(&live);
    for (fault, words) in FAULTS {
        refused(&live, &json!({}), fault, with_fault(fault), "preflight", words);
    }
    refused(&live, &json!({}), "leftover", package("udp_leftover"), "preflight", &["`note`"]);
    let status = live.client.get("/v1/status").unwrap();
    assert_eq!(status["pinned"], json!([]), "nothing of them is left in the agent");
    // Longer than the operator wants to wait, shorter than a rehearsal may take.
    let hurry = json!({ "deadlines_ms": { "preflight": 1000 } });
    refused(&live, &hurry, "late", with_fault("prepare sleeps"), "preflight", &["late", STUCK]);
    load.finish();
}

#[test]
fn what_pretends_in_its_rehearsal_is_refused_where_it_fails() {
    let _turn = one_at_a_time();
    // What hangs has a deadline.
    const FAULTS: &[(&str, &str, &[&str])] = &[
        ("later init panics", "preflight", &["init panics as it was made to"]),
        ("later prepare panics", "prepare", &["prepare panics as it was made to"]),
        ("later prepare votes no", "prepare", &["the moon is full"]),
        ("later prepare sleeps", "prepare", &["late", STUCK]),
        ("later prepare hangs", "prepare", &["late", STUCK]),
        ("later import panics", "map_state", &["import panics as it was made to"]),
        ("later import refuses", "map_state", &["beneath me"]),
        ("later import hangs", "map_state", &["late", STUCK]),
        ("later init hangs", "preflight", &["late", STUCK]),
    ];
    let live = with_a_sound_one();
    let load = Load::on(&live);
    let hurry = json!({ "deadlines_ms": { "preflight": 2500, "prepare": 500, "map_state": 300 } });
    for (fault, phase, words) in FAULTS {
        refused(&live, &hurry, fault, with_fault(fault), phase, words);
    }
    // It serves for a moment, so who served before is bound anew.
    let txn = live.begin(&json!({}), &[with_fault("later restart panics")]).unwrap();
    let outcome = live.end_of(txn);
    assert_ne!(outcome["verdict"], "committed", "{outcome}");
    assert_eq!(outcome["cause"]["phase"], "commit", "{outcome}");
    assert!(outcome["cause"].to_string().contains("restart panics as it was made to"), "{outcome}");
    answers(&live, "restart");
    // Whoever served can still be replaced.
    committed(&live, "a sound one", with_fault("nothing"));
    answers(&live, "a sound one");
    load.finish();
}

#[test]
fn what_fails_when_it_should_go_stays_and_answers() {
    let _turn = one_at_a_time();
    const FAULTS: &[(&str, &str, &[&str])] = &[
        ("going votes no", "prepare", &["the moon is full"]),
        ("going hangs", "prepare", &["late", STUCK]),
        ("later hold panics", "quiesce", &["hold panics as it was made to"]),
        // The rehearsal of the successor wants a copy of the state first.
        ("later export panics", "preflight", &["export panics as it was made to"]),
        ("init is critical", "quiesce", &["S-critical"]),
    ];
    let hurry = json!({ "deadlines_ms": { "prepare": 500, "quiesce": 500 } });
    for (fault, phase, words) in FAULTS {
        let live = Live::start();
        let load = Load::on(&live);
        committed(&live, fault, with_fault(fault));
        refused(&live, &hurry, fault, with_fault("nothing"), phase, words);
        load.finish();
    }
}

#[test]
fn code_that_may_still_run_stays_and_operators_are_told_why() {
    let _turn = one_at_a_time();
    const FAULTS: &[(&str, &str)] =
        &[("later init spawns", "pinned: a thread"), ("view keeps", "TLS destructor")];
    let live = with_a_sound_one();
    let load = Load::on(&live);
    for (at, (fault, why)) in FAULTS.iter().enumerate() {
        committed(&live, fault, with_fault(fault));
        answers(&live, fault);
        committed(&live, "a sound one", with_fault("nothing"));
        answers(&live, fault);
        let until = Instant::now() + Duration::from_secs(10);
        let status = loop {
            let status = live.client.get("/v1/status").unwrap();
            let last = status["let_go"].as_array().unwrap().last().cloned().unwrap_or_default();
            if last["fate"].as_str().is_some_and(|fate| fate.contains(why)) {
                break status;
            }
            assert!(Instant::now() < until, "{fault}: {status}");
        };
        let pinned = status["pinned"].as_array().unwrap();
        assert_eq!(pinned.len(), at + 1, "{fault}: {status}");
        assert!(pinned[at].as_str().unwrap().contains("9.0.0"), "{fault}: {status}");
    }
    load.finish();
}

/// A tar whose first entry is another, its checksum right.
fn with_header(package: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = package.to_vec();
    let header = &mut bytes[..512];
    change(header);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

#[test]
fn what_does_not_fit_this_agent_is_refused_before_it_is_run() {
    let _turn = one_at_a_time();
    let live = Live::start();
    let load = Load::on(&live);
    let usual = json!({});
    let sound = with_fault("nothing");
    let here = Triple::parse(s_sdk::abi::TARGET).unwrap();
    let elsewhere = Triple::parse("riscv64gc-unknown-linux-gnu").unwrap();
    let elsewhere = {
        let code = BTreeMap::from([(elsewhere, code("udp_faulty"))]);
        signed(&s_package::pack(faulty_facts(), Release::default(), &code).unwrap(), MAKER)
    };
    refused(&live, &usual, "target", elsewhere, "verify", &["riscv64gc", here.as_str()]);
    let lacking = {
        let mut facts = faulty_facts();
        let (component, range) = ("no.such.part".parse().unwrap(), "^1".parse().unwrap());
        facts.dependencies.push(s_package::manifest::Dependency { component, range });
        signed(&packed(code("udp_faulty"), facts, Release::default()), MAKER)
    };
    refused(&live, &usual, "dependency", lacking, "verify", &["no.such.part"]);
    let future = packed(code("udp_future"), faulty_facts(), Release::default());
    let words = &["ABI version 999"];
    refused(&live, &usual, "ABI", signed(&future, MAKER), "preflight", words);
    let huge = vec![0; Limits::DEFAULT.package_bytes + 1];
    // What is larger than a push may be is not heard out: who sends it finds the connection broken.
    refused(&live, &usual, "huge", huge, "verify", &[]);
    for name in ["../../etc/passwd", "/etc/passwd", "code/../manifest.json", "./manifest.json"] {
        let tricky = with_header(&sound, |header| {
            header[..100].fill(0);
            header[..name.len()].copy_from_slice(name.as_bytes());
        });
        refused(&live, &usual, name, tricky, "verify", &["not a package"]);
    }
    for kind in *b"2x" {
        let tricky = with_header(&sound, |header| header[156] = kind);
        refused(&live, &usual, "a link", tricky, "verify", &["only plain files"]);
    }
    assert!(Archive::read(&sound, &Limits::DEFAULT).is_ok(), "without its tricks it is a package");
    load.finish();
}
