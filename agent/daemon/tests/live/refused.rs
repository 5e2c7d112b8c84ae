//! What must not serve, pushed at an agent that answers: each is refused with its reason, and nothing changes.

use crate::world::{Live, Load, MAKER, STRANGER, code, facts, package, packed, signed};
use s_package::{Archive, Limits, Release, Timestamp, Triple};
use serde_json::json;
use std::collections::BTreeMap;

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
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("tampered", tampered(&honest)),
        ("unsigned", stripped),
        ("never signed", unsigned.clone()),
        ("signed by a stranger", signed(&unsigned, STRANGER)),
        ("expired", signed(&packed(code.clone(), facts.clone(), expired), MAKER)),
        ("not yet", signed(&packed(code.clone(), facts.clone(), not_yet), MAKER)),
        ("no ELF", signed(&packed(no_elf, facts.clone(), Release::default()), MAKER)),
        ("half of its code", {
            let half = code[..code.len() / 2].to_vec();
            signed(&packed(half, facts, Release::default()), MAKER)
        }),
        ("cut off", honest[..honest.len() / 2].to_vec()),
        ("no package", b"not a package".to_vec()),
    ];
    let live = Live::start();
    let before = live.version("priv.des");
    let load = Load::on(&live);
    for (what, package) in cases {
        let refusal = match live.begin(&json!({}), &[package]) {
            // It was refused before it could begin.
            Err(error) => error.to_string(),
            Ok(txn) => {
                let outcome = live.end_of(txn);
                assert_eq!(outcome["verdict"], "aborted", "{what}: {outcome}");
                outcome["cause"].to_string()
            }
        };
        assert!(refusal.len() > 20, "{what}: nothing is said: {refusal}");
        assert_eq!(live.version("priv.des"), before, "{what}");
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
