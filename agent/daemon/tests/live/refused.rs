//! What must not serve, pushed at an agent that answers: each is refused with its reason, and nothing changes.

use crate::world::{Live, Load, MAKER, STRANGER, code, facts, package, packed, signed};
use s_package::{Archive, Limits, Release, Timestamp, Triple};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What operators are told where a module's code is not left in time.
pub(crate) const STUCK: &str = "still in its own code";

/// All that operators are told of a component.
fn serving(live: &Live, component: &str) -> Json {
    let status = live.client.get("/v1/status").unwrap();
    let components = status["components"].as_array().unwrap();
    components.iter().find(|one| one["name"] == component).unwrap().clone()
}

/// Pushes what must be refused in this phase with these words, and leaves everything as it was.
pub(crate) fn refused(
    live: &Live,
    component: &str,
    order: &Json,
    what: &str,
    package: Vec<u8>,
    phase: &str,
    words: &[&str],
) {
    let before = serving(live, component);
    let told = match live.begin(order, &[package]) {
        // It was refused before it could begin.
        Err(error) => {
            assert_eq!(phase, "verify", "{what}: {error}");
            error.to_string()
        }
        Ok(txn) => {
            let outcome = live.end_of(txn);
            assert_eq!(outcome["verdict"], "aborted", "{what}: {outcome}");
            assert_eq!(outcome["cause"]["phase"], phase, "{what}: {outcome}");
            let stuck = words.contains(&STUCK);
            assert_eq!(outcome["doubts"] != json!([]), stuck, "{what}: {outcome}");
            assert_eq!(outcome["serving"][0]["version"], before["version"], "{what}: {outcome}");
            format!("{} {}", outcome["cause"], outcome["doubts"])
        }
    };
    assert!(words.iter().all(|word| told.contains(word)), "{what}: no {words:?} in {told}");
    assert_eq!(serving(live, component), before, "{what}");
}

fn target() -> Triple {
    Triple::parse(s_sdk::abi::TARGET).unwrap()
}

/// One bit of the code is another; the tar around it still holds together.
fn tampered(package: &[u8]) -> Vec<u8> {
    let archive = Archive::read(package, &Limits::DEFAULT).unwrap();
    let mut code = archive.code[&target()].to_vec();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    Archive { code: BTreeMap::from([(target(), &code[..])]), ..archive }.write()
}

#[test]
fn what_is_not_proven_is_refused_while_a_manager_asks() {
    const MODULE: &str = "priv-des";
    let (code, facts) = (code(MODULE), facts(&code(MODULE)));
    let honest = package(MODULE);
    let unsigned = packed(code.clone(), facts.clone(), Release::default());
    let expired = Release { expires: Some(Timestamp::MIN), ..Release::default() };
    let not_yet = Release { not_before: Some(Timestamp::MAX), ..Release::default() };
    let archive = Archive::read(&honest, &Limits::DEFAULT).unwrap();
    let stripped = Archive { signatures: None, ..archive }.write();
    let mut no_elf = code.clone();
    no_elf[..4].copy_from_slice(b"MZ\x90\x00");
    let half = code[..code.len() / 2].to_vec();
    let of_maker =
        |code: &[u8], release| signed(&packed(code.to_vec(), facts.clone(), release), MAKER);
    let usual = Release::default;
    let cases: [(&str, Vec<u8>, &str, &str); 10] = [
        ("tampered", tampered(&honest), "verify", "not the code that was signed"),
        ("unsigned", stripped, "verify", "nobody has signed"),
        ("never signed", unsigned.clone(), "verify", "nobody has signed"),
        ("signed by a stranger", signed(&unsigned, STRANGER), "verify", "in the trust store"),
        ("expired", of_maker(&code, expired), "verify", "expired at"),
        ("not yet", of_maker(&code, not_yet), "verify", "valid from"),
        ("no ELF", of_maker(&no_elf, usual()), "load", "ELF"),
        ("half of its code", of_maker(&half, usual()), "load", "ELF"),
        ("cut off", honest[..honest.len() / 2].to_vec(), "verify", "ends early"),
        ("no package", b"not a package".to_vec(), "verify", "not a package"),
    ];
    let live = Live::start();
    let load = Load::on(&live);
    for (what, package, phase, reason) in cases {
        refused(&live, "priv.des", &json!({}), what, package, phase, &[reason]);
    }
    load.finish();
}

#[test]
fn an_older_epoch_is_refused_once_a_newer_one_has_served() {
    let live = Live::start();
    let (code, facts) = (code("priv-des"), facts(&code("priv-des")));
    let of_epoch = |epoch| {
        let release = Release { epoch, ..Release::default() };
        signed(&packed(code.clone(), facts.clone(), release), MAKER)
    };
    let push = |epoch| {
        let txn = live.begin(&json!({}), &[of_epoch(epoch)]).unwrap();
        live.confirm(txn);
        live.end_of(txn)
    };
    assert_eq!(push(5)["verdict"], "committed");
    let replayed = push(4);
    assert_eq!(replayed["verdict"], "aborted");
    assert!(replayed["cause"].to_string().contains("epoch"), "{replayed}");
    let live = live.again();
    let txn = live.begin(&json!({}), &[of_epoch(4)]).unwrap();
    assert_eq!(live.end_of(txn)["verdict"], "aborted", "a restart forgot the epoch");
}

#[test]
fn a_module_that_others_need_is_not_taken_out() {
    let live = Live::start();
    let refused = live.begin(&json!({ "remove": ["security.usm"] }), &[]).unwrap_err();
    assert!(refused.to_string().contains("security.usm"), "{refused}");
    assert!(live.version("security.usm").starts_with("1."));
}
