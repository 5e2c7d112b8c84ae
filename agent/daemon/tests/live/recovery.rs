//! What happens after a module was let in: silence, a process that is killed, a module that fails.

use crate::world::{Live, Load, MANAGER, package};
use serde_json::json;

#[test]
fn silence_reverts_where_the_operators_word_was_asked_for() {
    let live = Live::start();
    let load = Load::on(&live);
    let before = live.version("security.usm");
    let order = json!({ "confirm": { "by": "operator", "seconds": 1 } });
    let txn = live.begin(&order, &[package("security-usm-next")]).unwrap();
    let outcome = live.end_of(txn);
    assert_eq!(outcome["verdict"], "rolled_back", "{outcome}");
    assert_eq!(live.version("security.usm"), before);
    load.finish();
}

#[test]
fn a_process_that_is_killed_on_trial_starts_with_the_set_before_and_after_it_with_the_new_one() {
    let live = Live::start();
    let before = live.version("security.usm");
    let order = json!({ "confirm": { "by": "silence", "seconds": 600 } });
    let txn = live.begin(&order, &[package("security-usm-next")]).unwrap();
    live.until_on_trial(txn);
    let boots = live.boots();
    let live = live.again();
    assert_eq!(live.version("security.usm"), before);
    assert_ne!(live.boots(), boots, "a start is a boot");
    live.must_push(&["security-usm-next"]);
    let live = live.again();
    assert!(live.version("security.usm").starts_with("2."));
}

/// udpInDatagrams: the modules that were made to fail do so when they are asked for it.
const UDP: &str = ".1.3.6.1.2.1.7.1.0";

/// Pushes a module that fails, asks it until it is gone, and answers the outcome.
fn until_it_is_taken_out(live: &Live, module: &str) -> serde_json::Value {
    let before = live.version("mib.udp");
    let order = json!({ "confirm": { "by": "silence", "seconds": 600 } });
    let txn = live.begin(&order, &[package(module)]).unwrap();
    live.until_on_trial(txn);
    while live.client.get(&format!("/v1/swaps/{txn}")).unwrap()["running"] == true {
        live.tool("snmpget", MANAGER, &["-t", "10", "-r", "0", UDP]);
    }
    assert_eq!(live.version("mib.udp"), before);
    let answer = live.tool("snmpget", MANAGER, &[UDP]);
    assert!(answer.contains("Counter32"), "{answer}");
    live.end_of(txn)
}

#[test]
fn a_module_that_panics_is_taken_out_and_the_request_that_met_it_is_answered() {
    let live = Live::start();
    let load = Load::on(&live);
    let order = json!({ "confirm": { "by": "silence", "seconds": 600 } });
    let txn = live.begin(&order, &[package("udp_panics")]).unwrap();
    live.until_on_trial(txn);
    // Asked once.
    let answer = live.tool("snmpget", MANAGER, &["-t", "20", "-r", "0", UDP]);
    assert!(answer.contains("Counter32"), "{answer}");
    let outcome = live.end_of(txn);
    assert_eq!(outcome["verdict"], "rolled_back", "{outcome}");
    assert!(outcome["cause"].to_string().contains("as it was made to"), "{outcome}");
    load.finish();
}

#[test]
fn a_module_that_fails_its_callers_is_taken_out() {
    let live = Live::start();
    let load = Load::on(&live);
    let outcome = until_it_is_taken_out(&live, "udp_fails");
    assert_eq!(outcome["verdict"], "rolled_back", "{outcome}");
    assert!(outcome["cause"].to_string().contains("requests failed"), "{outcome}");
    load.finish();
}

#[test]
fn a_module_that_ends_the_process_on_trial_is_gone_at_the_next_start() {
    let live = Live::start();
    let before = live.version("mib.udp");
    let order = json!({ "confirm": { "by": "silence", "seconds": 600 } });
    let txn = live.begin(&order, &[package("udp_ends")]).unwrap();
    live.until_on_trial(txn);
    let nothing = live.tool("snmpget", MANAGER, &["-t", "1", "-r", "0", UDP]);
    assert!(!nothing.contains("Counter32"), "{nothing}");
    let live = live.again();
    assert_eq!(live.version("mib.udp"), before);
    let answer = live.tool("snmpget", MANAGER, &[UDP]);
    assert!(answer.contains("Counter32"), "{answer}");
    let doctor = live.client.get("/v1/application/doctor").unwrap();
    let start = doctor.as_array().unwrap().iter().find(|one| one["check"] == "start").unwrap();
    assert_eq!(start["ok"], false, "{doctor}");
}
