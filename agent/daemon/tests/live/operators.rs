//! Two operators at once, and the ways back.

use crate::world::{Live, Load, package};
use s_listening::client::ClientError;
use serde_json::json;

const BY_OPERATOR: &str = r#"{"confirm": {"by": "operator", "seconds": 60}}"#;

#[test]
fn a_second_operator_is_told_whose_swap_runs_and_nothing_of_his_begins() {
    let live = Live::start();
    let load = Load::on(&live);
    let order = serde_json::from_str(BY_OPERATOR).unwrap();
    let txn = live.begin(&order, &[package("mib-udp")]).unwrap();
    let Err(ClientError::Refused { word, body, .. }) =
        live.begin(&json!({}), &[package("mib-tcp")])
    else {
        panic!("let in")
    };
    assert_eq!((word.as_str(), &body["txn"]), ("busy", &json!(txn)), "{body}");
    live.confirm(txn);
    assert_eq!(live.end_of(txn)["verdict"], "committed");
    live.must_push(&["mib-tcp"]);
    load.finish();
}

#[test]
fn an_operator_brings_the_version_before_back_within_the_window_and_after_it() {
    let live = Live::start();
    let load = Load::on(&live);
    let before = live.version("security.usm");
    let order = serde_json::from_str(BY_OPERATOR).unwrap();
    let txn = live.begin(&order, &[package("security-usm-next")]).unwrap();
    live.until_on_trial(txn);
    assert_ne!(live.version("security.usm"), before);
    live.client.post(&format!("/v1/swaps/{txn}/rollback"), &json!({})).unwrap();
    assert_eq!(live.end_of(txn)["verdict"], "rolled_back");
    assert_eq!(live.version("security.usm"), before);
    live.must_push(&["security-usm-next"]);
    let back = json!({ "component": "security.usm", "to": null });
    let txn = live.client.post("/v1/rollbacks", &back).unwrap()["txn"].as_u64().unwrap();
    live.confirm(txn);
    assert_eq!(live.end_of(txn)["verdict"], "committed");
    assert_eq!(live.version("security.usm"), before);
    load.finish();
}
