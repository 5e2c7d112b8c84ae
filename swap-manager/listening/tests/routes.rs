//! Every route over a real socket, with a real swap manager behind it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use s_listening::client::{ClientError, Event, Events};
use serde_json::json;
use std::time::Duration;
use world::{FACTORY, World, by_operator, ended, eventually, is, package, refusal, soon, swap};

#[test]
fn the_status_names_the_application_and_its_components() {
    let world = World::new();
    let status = world.client().get("/v1/status").unwrap();
    assert_eq!(status["application"]["name"], "tallies");
    assert_eq!(status["application"]["version"], "9.8.7");
    assert_eq!(status["application"]["pid"], std::process::id());
    assert_eq!(status["components"][0]["name"], "tally");
    assert_eq!(status["components"][0]["version"], FACTORY);
    assert_eq!(status["components"][1]["version"], json!(null));
    assert_eq!(status["running"], json!([]));
}

#[test]
fn a_component_is_described_as_its_module_describes_itself() {
    let world = World::new();
    let client = world.client();
    let tally = client.get("/v1/components/tally").unwrap();
    assert_eq!(tally["version"], FACTORY);
    assert_eq!(tally["annotation"], "the first version");
    assert_eq!(tally["origin"], "linked");
    let methods = tally["behaviors"][0]["methods"].as_array().unwrap();
    assert_eq!(methods.len(), 2);
    assert!(methods[0]["signature"].as_str().unwrap().contains("add"), "{methods:?}");
    assert_eq!(methods[0]["offered"], true);
    assert_eq!(tally["state"]["kind"], "tally");
    assert_eq!(tally["state"]["fields"], json!([{ "path": "total", "type": "u64" }]));
    swap(&client, &soon(), &[package()]);
    let tally = client.get("/v1/components/tally").unwrap();
    let steps = tally["state"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step.as_str().unwrap().contains("rename")), "{steps:?}");
    assert!(tally["origin"].as_str().unwrap().starts_with("sha256:"), "{tally}");
    for path in ["/v1/components/nobody", "/v1/components/vacant", "/v1/components/vacant/state"] {
        assert_eq!(refusal(client.get(path)), is(404, "not-found"), "{path}");
    }
    assert_eq!(refusal(client.get("/v1/components/nobody/state")), is(404, "not-found"));
}

#[test]
fn methods_are_called_by_name_and_what_is_not_understood_is_said() {
    let world = World::new();
    let client = world.client();
    let invoke = |method: &str, args: serde_json::Value| {
        let body = json!({ "method": method, "args": args });
        client.post("/v1/components/tally/invoke", &body)
    };
    assert_eq!(invoke("add", json!([5])).unwrap(), json!({ "result": 5 }));
    assert_eq!(invoke("tally.add", json!([2])).unwrap(), json!({ "result": 7 }));
    assert!(world.logged("invoke tally add"));
    assert_eq!(refusal(invoke("multiply", json!([5]))), is(404, "not-understood"));
    match invoke("multiply", json!([5])) {
        Err(ClientError::Refused { message, .. }) => {
            assert!(message.contains("it has add, total"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refusal(invoke("add", json!(["five"]))), is(400, "bad-request"));
    assert_eq!(refusal(invoke("add", json!([]))), is(400, "bad-request"));
    let nobody = client.post("/v1/components/nobody/invoke", &json!({ "method": "x" }));
    assert_eq!(refusal(nobody), is(404, "not-found"));
    let vacant = client.post("/v1/components/vacant/invoke", &json!({ "method": "x" }));
    assert_eq!(refusal(vacant), is(404, "not-found"));
    let unknown = client.post("/v1/components/tally/invoke", &json!({ "methd": "add" }));
    assert_eq!(refusal(unknown), is(400, "bad-request"));
}

#[test]
fn the_state_is_shown_without_what_nobody_may_read() {
    let world = World::new();
    let client = world.client();
    client.post("/v1/components/tally/invoke", &json!({ "method": "add", "args": [5] })).unwrap();
    let state = client.get("/v1/components/tally/state").unwrap();
    assert_eq!(state["state"], json!({ "total": 5 }));
    assert_eq!((&state["version"], &state["state_version"]), (&json!(FACTORY), &json!(1)));
    swap(&client, &soon(), &[package()]);
    let state = client.get("/v1/components/tally/state").unwrap();
    assert_eq!(state["state"]["sum"], 5);
    assert!(state["state"]["largest"]["redacted"].is_u64(), "{state}");
}

#[test]
fn on_trial_the_one_that_serves_is_described_and_after_it_the_one_before() {
    let world = World::new();
    let client = world.client();
    let begun = client.post_packages("/v1/swaps", Some(&by_operator()), &[package()]).unwrap();
    let swap = format!("/v1/swaps/{}", begun["txn"]);
    eventually("a swap on trial", || client.get(&swap).unwrap()["phase"] == "confirm");
    let told = || {
        let described = client.get("/v1/components/tally").unwrap();
        let status = client.get("/v1/status").unwrap()["components"][0].clone();
        for field in ["version", "origin", "annotation", "generation"] {
            assert_eq!(described[field], status[field], "{described}{status}");
        }
        (described["version"].clone(), described["origin"].as_str().unwrap().to_owned())
    };
    let (version, origin) = told();
    assert_eq!(version, "2.0.0");
    assert!(origin.starts_with("sha256:"), "{origin}");
    client.post(&format!("{swap}/rollback"), &json!({})).unwrap();
    ended(&client, begun["txn"].as_u64().unwrap());
    assert_eq!(told(), (json!(FACTORY), "linked".to_owned()));
}

#[test]
fn a_plan_says_what_would_change_and_changes_nothing() {
    let world = World::new();
    let client = world.client();
    client.post("/v1/components/tally/invoke", &json!({ "method": "add", "args": [5] })).unwrap();
    let plan = client.post_packages("/v1/plans", None, &[package()]).unwrap();
    assert_eq!(plan["refusals"], json!([]), "{plan}");
    let member = &plan["members"][0];
    assert_eq!(
        (&member["component"], &member["change"], &member["from"], &member["to"]),
        (&json!("tally"), &json!("replace"), &json!(FACTORY), &json!("2.0.0"))
    );
    assert_eq!(member["gated"], true);
    assert_eq!(member["methods"], json!({ "gained": [], "lost": [] }));
    assert_eq!(member["state"]["fields_lost"], json!(["total: u64"]));
    assert_eq!(member["state"]["mapped"], true);
    // The one that serves answers of its state, and the one that would come of its copy of it.
    assert_eq!(
        member["application"],
        json!([[FACTORY, ["5", null, null]], ["2.0.0", ["5", null, null]]])
    );
    assert_eq!(plan["expected_pause_us"], json!(null), "none of it was swapped yet");
    let status = client.get("/v1/status").unwrap();
    assert_eq!(status["components"][0]["version"], FACTORY);
    assert_eq!(client.get("/v1/history").unwrap(), json!({ "swaps": [] }));

    swap(&client, &soon(), &[package()]);
    let plan = client.post_packages("/v1/plans", None, &[package()]).unwrap();
    assert!(plan["expected_pause_us"].is_u64(), "{plan}");
    let order = json!({ "remove": ["tally"] });
    let plan = client.post_packages("/v1/plans", Some(&order), &[]).unwrap();
    let member = &plan["members"][0];
    assert_eq!((&member["change"], &member["to"]), (&json!("remove"), &json!(null)));
    assert_eq!(member["methods"]["lost"].as_array().unwrap().len(), 2, "{member}");
    assert_eq!(member["state"]["mapped"], false);
    assert_eq!(member["application"], json!([["2.0.0", ["5", null, null]], null]));
}

#[test]
fn a_plan_of_a_component_that_is_not_there_makes_none_and_a_push_does() {
    let world = World::empty();
    let client = world.client();
    let plan = client.post_packages("/v1/plans", None, &[package()]).unwrap();
    assert_eq!(plan["refusals"], json!([]), "{plan}");
    assert_eq!(plan["members"][0]["change"], "add");
    assert_eq!(plan["members"][0]["methods"]["gained"].as_array().unwrap().len(), 2, "{plan}");
    let stranger =
        client.post_packages("/v1/plans", None, &[world::signed_by("stranger")]).unwrap();
    assert!(stranger["refusals"][0].as_str().unwrap().contains("in verify: tally"), "{stranger}");
    assert_eq!(client.get("/v1/status").unwrap()["components"], json!([]));
    assert_eq!(swap(&client, &soon(), &[package()])["verdict"], "committed");
    assert_eq!(client.get("/v1/status").unwrap()["components"][0]["version"], "2.0.0");
}

#[test]
fn a_plan_tells_why_a_swap_would_not_come_about() {
    let world = World::new();
    let client = world.client();
    let refused = |order: Option<serde_json::Value>, packages: &[(String, Vec<u8>)]| {
        let plan = client.post_packages("/v1/plans", order.as_ref(), packages).unwrap();
        plan["refusals"][0].as_str().unwrap_or_default().to_owned()
    };
    assert!(refused(None, &[world::signed_by("stranger")]).contains("in verify: tally"));
    assert!(refused(None, &[("x".into(), b"no package".to_vec())]).contains("not a package"));
    assert!(refused(Some(json!({ "remove": ["vacant"] })), &[]).contains("no module to remove"));
    assert!(refused(Some(json!({ "remove": ["nobody"] })), &[]).contains("no component is named"));
    assert!(!refused(None, &[]).is_empty(), "an empty plan is none");
    assert!(!refused(None, &[package(), package()]).is_empty(), "one component twice");
}

#[test]
fn a_push_is_followed_to_its_end_and_remembered_with_its_operator() {
    let world = World::new();
    let client = world.client();
    let mut events = client.events(Some("swap.*"), None).unwrap();
    let begun = client.post_packages("/v1/swaps", Some(&soon()), &[package()]).unwrap();
    assert_eq!((&begun["txn"], &begun["operator"]), (&json!(1), &json!("root")));
    assert_eq!(begun["members"], json!(["tally"]));
    let outcome = ended(&client, 1);
    assert_eq!(outcome["verdict"], "committed", "{outcome}");
    assert_eq!(outcome["operator"], "root");
    assert!(outcome["blackout_us"].is_u64());
    let past = client.get("/v1/history").unwrap();
    assert_eq!(past["swaps"][0]["txn"], 1);
    let at = past["swaps"][0]["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.len() == 20, "{at}");
    assert!(world.logged("operator root: swap 1 of tally begins"));

    let tags = until(&mut events, "swap.ended");
    for phase in ["swap.verify", "swap.preflight", "swap.quiesce", "swap.commit"] {
        assert!(tags.iter().any(|event| event.tag == phase), "{phase} is not among {tags:?}");
    }
    let commit = tags.iter().find(|event| event.tag == "swap.commit").unwrap();
    assert_eq!(commit.data["payload"]["txn"], 1);
    assert!(commit.data["at"].as_str().unwrap().contains('.'), "{commit:?}");
}

/// All events as far as one with this tag.
fn until(events: &mut Events, tag: &str) -> Vec<Event> {
    let mut found = Vec::new();
    while found.last().is_none_or(|event: &Event| event.tag != tag) {
        found.push(events.next_within(Duration::from_secs(60)).unwrap().expect("an event"));
    }
    found
}

#[test]
fn the_second_operator_hears_who_is_busy_and_the_window_ends_by_word() {
    let world = World::new();
    let client = world.client();
    let begun = client.post_packages("/v1/swaps", Some(&by_operator()), &[package()]).unwrap();
    assert_eq!(begun["txn"], 1);
    until(&mut client.events(Some("swap.*"), Some(0)).unwrap(), "swap.release");
    match client.post_packages("/v1/swaps", Some(&by_operator()), &[package()]) {
        Err(ClientError::Refused { status, word, body, .. }) => {
            assert_eq!((status, word.as_str()), (409, "busy"));
            assert_eq!((&body["txn"], &body["components"]), (&json!(1), &json!(["tally"])));
            assert_eq!(body["phase"], "confirm");
        }
        other => panic!("{other:?}"),
    }
    let running = client.get("/v1/swaps/1").unwrap();
    assert_eq!((&running["running"], &running["operator"]), (&json!(true), &json!("root")));
    assert_eq!(refusal(client.post("/v1/swaps/1/abort", &json!({}))), is(409, "refused"));
    client.post("/v1/swaps/1/confirm", &json!({})).unwrap();
    assert_eq!(ended(&client, 1)["verdict"], "committed");
    assert_eq!(refusal(client.post("/v1/swaps/1/confirm", &json!({}))), is(404, "not-found"));
    assert_eq!(refusal(client.get("/v1/swaps/77")), is(404, "not-found"));
    assert!(world.logged("operator root: confirm swap 1"));
}

#[test]
fn a_swap_is_taken_back_within_its_window() {
    let world = World::new();
    let client = world.client();
    client.post_packages("/v1/swaps", Some(&by_operator()), &[package()]).unwrap();
    until(&mut client.events(Some("swap.*"), Some(0)).unwrap(), "swap.release");
    client.post("/v1/swaps/1/rollback", &json!({})).unwrap();
    assert_eq!(ended(&client, 1)["verdict"], "rolled_back");
    assert_eq!(client.get("/v1/status").unwrap()["components"][0]["version"], FACTORY);
}

#[test]
fn versions_that_are_at_hand_come_back() {
    let world = World::new();
    let client = world.client();
    let versions = client.get("/v1/versions/tally").unwrap();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    assert_eq!(versions["versions"][0]["origin"], "factory");
    let none = client.post("/v1/rollbacks", &json!({ "component": "tally" }));
    assert_eq!(refusal(none), is(404, "not-found"));

    swap(&client, &soon(), &[package()]);
    let versions = client.get("/v1/versions/tally").unwrap();
    assert_eq!(versions["versions"][0]["version"], "2.0.0");
    assert_eq!(versions["versions"][0]["serving"], true);
    assert_eq!(versions["versions"][0]["epoch"], 0);
    assert_eq!(versions["versions"][0]["digest"].as_str().unwrap().len(), 64);
    assert_eq!(versions["versions"][1]["version"], FACTORY);

    let back = |body| client.post("/v1/rollbacks", &body).unwrap()["txn"].as_u64().unwrap();
    let txn = back(json!({ "component": "tally" }));
    assert_eq!(ended(&client, txn)["serving"][0]["version"], FACTORY);
    let txn = back(json!({ "component": "tally", "to": "2.0.0" }));
    assert_eq!(ended(&client, txn)["serving"][0]["version"], "2.0.0");
    let missing = client.post("/v1/rollbacks", &json!({ "component": "tally", "to": "7.0.0" }));
    assert_eq!(refusal(missing), is(404, "not-found"));
    assert_eq!(refusal(client.get("/v1/versions/nobody")), is(404, "not-found"));
}

#[test]
fn events_are_taken_up_again_where_they_were_left() {
    let mut world = World::new();
    let client = world.client();
    swap(&client, &soon(), &[package()]);
    let all = until(&mut client.events(None, Some(0)).unwrap(), "swap.ended");
    let third = all[2].id;
    // A service that begins anew in the same process remembers what the process does.
    world.listen(|_| {});
    let rest = until(&mut client.events(Some("*"), third).unwrap(), "swap.ended");
    assert_eq!(rest, all[3..]);
    let head =
        "GET /v1/events HTTP/1.1\r\nhost: x\r\nlast-event-id: x\r\nconnection: close\r\n\r\n";
    assert!(world.raw(head.as_bytes()).starts_with("HTTP/1.1 400"));
    assert_eq!(
        refusal(client.events(Some("a..b"), None).map(|_| json!(0))),
        is(400, "bad-request")
    );
}

#[test]
fn trust_is_shown_and_changed_only_by_its_roots() {
    let world = World::new();
    let client = world.client();
    let trust = client.get("/v1/trust").unwrap();
    assert_eq!(trust["version"], 1);
    assert_eq!(trust["keys"][0]["name"], "maker");
    for update in [b"".to_vec(), b"{}".to_vec(), vec![0xff; 70_000]] {
        assert_eq!(refusal(client.post_octets("/v1/trust", update)), is(422, "refused"));
    }
    assert!(world.logged("trust update refused"));
    assert_eq!(client.get("/v1/trust").unwrap(), trust);
}

#[test]
fn the_application_answers_for_itself_and_its_bugs_stay_its_own() {
    let world = World::new();
    let client = world.client();
    let echo = client.get("/v1/application/echo?peer=192.0.2.1&x=a%20b").unwrap();
    assert_eq!(echo, json!([["peer", "192.0.2.1"], ["x", "a b"]]));
    assert_eq!(refusal(client.get("/v1/application/wrong")), is(422, "refused"));
    assert_eq!(refusal(client.get("/v1/application/nothing")), is(404, "not-found"));
    assert_eq!(refusal(client.get("/v1/application/bug")), is(503, "unavailable"));
    client.get("/v1/status").unwrap();
}

#[test]
fn the_description_is_served() {
    let world = World::new();
    let described = world.client().get("/v1/openapi.json").unwrap();
    assert_eq!(described["openapi"], "3.1.0");
}

#[test]
fn a_service_that_stopped_is_gone_and_its_streams_end() {
    let mut world = World::new();
    let client = world.client();
    let mut events = client.events(None, None).unwrap();
    world.service.take().unwrap().stop();
    assert!(events.next().unwrap().is_err());
    assert!(!world.socket().exists());
    assert!(matches!(client.get("/v1/status"), Err(ClientError::Unreachable { .. })));
}
