//! swapctl at a running agent: pushes, windows, questions, scripts, and what it says when nobody is there.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod agent;
mod scripts;

use std::io::{BufRead as _, BufReader};

use agent::Agent;
use serde_json::{Value, json};

#[test]
fn a_push_tells_each_phase_and_the_outcome() {
    let agent = Agent::start();
    let said = agent.ends(0, &["push", "--probation", "1s", "tally.smod"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].ends_with("tally"), "{said}");
    let phases: Vec<&str> = lines
        .iter()
        .filter(|line| line.contains(" µs"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let forward = ["verify", "load", "preflight", "prepare", "quiesce", "map_state", "commit"];
    assert_eq!(phases[..7], forward, "{said}");
    assert!(said.contains("committed; 2.0.0 serving\nblackout "), "{said}");
    assert_eq!(agent.version(), "2.0.0");
}

#[test]
fn a_push_in_json_is_the_swap_its_phases_and_its_outcome() {
    let agent = Agent::start();
    let objects = agent.objects(0, &["push", "--probation", "1s", "tally.smod"]);
    let (first, last) = (&objects[0], objects.last().unwrap());
    assert_eq!(first["members"], json!(["tally"]));
    assert_eq!((&last["txn"], &last["verdict"]), (&first["txn"], &json!("committed")));
    let phases = &objects[1..objects.len() - 1];
    assert_eq!(phases[0]["event"], "swap.verify");
    assert!(phases.iter().all(|phase| phase["payload"]["took_us"].is_u64()), "{phases:?}");
    assert!(last["blackout_us"].is_u64(), "{last}");
}

#[test]
fn what_is_not_trusted_changes_nothing() {
    let agent = Agent::start();
    let said = agent.ends(1, &["push", "forged.smod"]);
    assert!(said.contains("aborted in verify: tally 2.0.0: "), "{said}");
    assert!(said.contains("1.0.0 still serving"), "{said}");
    assert_eq!(agent.version(), "1.0.0");
}

#[test]
fn a_plan_tells_and_changes_nothing() {
    let agent = Agent::start();
    for arguments in [&["plan", "tally.smod"][..], &["push", "--dry-run", "tally.smod"]] {
        let said = agent.ends(0, arguments);
        assert!(said.starts_with("tally  replace 1.0.0 -> 2.0.0"), "{said}");
        assert!(said.ends_with("Nothing has changed.\n"), "{said}");
    }
    let refused = agent.ends(1, &["plan", "forged.smod"]);
    assert!(refused.contains("refused  "), "{refused}");
    assert_eq!((agent.version().as_str(), agent.manager.history().len()), ("1.0.0", 0));
}

#[test]
fn the_operators_word_keeps_a_swap() {
    let agent = Agent::start();
    let said = agent.ends(0, &["push", "--confirm", "60s", "tally.smod"]);
    assert!(said.contains("awaits your word"), "{said}");
    assert_eq!(agent.version(), "2.0.0");
    let status = agent.ends(0, &["status"]);
    assert!(status.contains("in confirm"), "{status}");
    assert!(status.contains("1.0.0 comes back on rollback"), "{status}");
    let kept = agent.ends(0, &["confirm"]);
    assert!(kept.contains("committed"), "{kept}");
    let nothing = agent.fails(1, &["confirm"]);
    assert!(nothing.contains("no swap runs"), "{nothing}");
}

#[test]
fn silence_and_rollback_take_a_swap_back() {
    let agent = Agent::start();
    let silent = agent.ends(4, &["push", "--confirm", "1s", "--wait", "tally.smod"]);
    assert!(silent.contains("the operator did not confirm in time"), "{silent}");
    assert_eq!(agent.version(), "1.0.0");

    agent.ends(0, &["push", "--confirm", "60s", "tally.smod"]);
    let back = agent.ends(0, &["rollback"]);
    assert!(back.contains("rolled back") && back.contains("1.0.0 serving again"), "{back}");
    assert_eq!(agent.version(), "1.0.0");
}

#[test]
fn a_second_swap_is_told_that_the_agent_is_busy() {
    let agent = Agent::start();
    let first = agent.objects(0, &["push", "--confirm", "60s", "tally.smod"]);
    let message = agent.fails(5, &["--json", "push", "tally.smod"]);
    let busy: Value = serde_json::from_str(&message).unwrap();
    assert_eq!((&busy["error"], &busy["exit"]), (&json!("busy"), &json!(5)), "{busy}");
    assert_eq!((&busy["txn"], &busy["phase"]), (&first[0]["txn"], &json!("confirm")), "{busy}");
    let decided = agent.fails(1, &["abort"]);
    assert!(decided.contains("rollback"), "{decided}");
    agent.ends(0, &["rollback"]);
}

#[test]
fn an_older_version_comes_back_long_after() {
    let agent = Agent::start();
    agent.ends(0, &["push", "--probation", "1s", "tally.smod"]);
    let versions = agent.ends(0, &["versions", "tally"]);
    assert!(versions.contains("1.0.0") && versions.contains("2.0.0"), "{versions}");
    let unknown = agent.fails(1, &["rollback", "--component", "tally", "--to", "7.7.7"]);
    assert!(unknown.contains("7.7.7"), "{unknown}");
    let said = agent.ends(0, &["rollback", "--component", "tally"]);
    assert!(said.contains("map_state") && said.contains("committed; 1.0.0 serving"), "{said}");
    assert_eq!(agent.version(), "1.0.0");
    let history = agent.ends(0, &["history"]);
    assert_eq!(history.lines().count(), 3, "{history}");
    let last = agent.object(&["history", "--last", "1"]);
    assert_eq!(last["swaps"].as_array().map(Vec::len), Some(1));
    assert_eq!(last["swaps"][0]["serving"][0]["version"], "1.0.0");
}

#[test]
fn what_is_added_must_not_be_there_and_what_goes_is_gone() {
    let agent = Agent::start();
    let there = agent.fails(1, &["push", "--add", "tally.smod"]);
    assert!(there.contains("tally 1.0.0 serves already"), "{there}");
    agent.ends(0, &["push", "--remove", "tally", "--probation", "1s"]);
    assert_eq!(agent.version(), "");
    agent.ends(0, &["push", "--add", "tally.smod", "--probation", "1s"]);
    assert_eq!(agent.version(), "2.0.0");
}

#[test]
fn a_component_describes_itself_and_is_called_by_name() {
    let agent = Agent::start();
    let described = agent.ends(0, &["describe", "tally"]);
    for expected in ["component    tally", "version      1.0.0", "add(", "total("] {
        assert!(described.contains(expected), "{expected}: {described}");
    }
    assert_eq!(agent.ends(0, &["invoke", "tally", "add", "40"]), "40\n");
    assert_eq!(agent.object(&["invoke", "tally", "add", "2"])["result"], 42);
    let state = agent.object(&["state", "tally"]);
    assert_eq!(state["state"]["total"], 42, "{state}");
    let unknown = agent.fails(1, &["invoke", "tally", "divide", "2"]);
    assert!(unknown.contains("divide"), "{unknown}");
    let nobody = agent.fails(1, &["describe", "no/such component"]);
    assert!(nobody.contains("no/such component"), "{nobody}");
}

#[test]
fn events_are_remembered() {
    let agent = Agent::start();
    agent.ends(1, &["push", "forged.smod"]);
    let events = agent.objects(0, &["events", "--tag", "swap.*"]);
    let tags: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((tags[0], tags[tags.len() - 1]), ("swap.verify", "swap.ended"));
    let last = events.last().unwrap()["id"].to_string();
    assert!(agent.objects(0, &["events", "--since", &last]).is_empty());
    assert!(agent.ends(0, &["events"]).contains("swap.ended  committed=no"));
}

#[test]
fn events_are_told_as_they_happen() {
    let agent = Agent::start();
    let mut followed = agent.begin(&["--json", "events", "-f", "--tag", "swap.ended"]);
    let mut lines = BufReader::new(followed.stdout.take().unwrap()).lines();
    for txn in 1..=2 {
        agent.ends(1, &["push", "forged.smod"]);
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(
            (&event["event"], &event["payload"]["txn"]),
            (&json!("swap.ended"), &json!(txn))
        );
    }
    followed.kill().unwrap();
    followed.wait().unwrap();
}

#[test]
fn the_application_answers_for_itself() {
    let agent = Agent::start();
    let why = agent.ends(0, &["why", "--peer", "10.0.0.1"]);
    assert!(
        why.starts_with("10.0.0.1  1 s ago\n") && why.contains("step 6 (wrong-digest)"),
        "{why}"
    );
    let doctor = agent.ends(1, &["doctor"]);
    assert!(doctor.contains("NOT OK  clock: 1970\n        cure: set it"), "{doctor}");
    let top = agent.objects(0, &["top", "-n", "2"]);
    assert_eq!((top.len(), &top[1]["per_s"]["packets"]), (2, &json!(0)));
    let screen = agent.fails(2, &["top"]);
    assert!(screen.contains("needs a terminal") || screen.contains("--json"), "{screen}");
    let status = agent.ends(0, &["status"]);
    assert!(status.starts_with("tally-host 9.8.7, process "), "{status}");
}

#[test]
fn where_nobody_listens_is_told_with_the_remedy() {
    let mut agent = Agent::start();
    let elsewhere = agent.fails(3, &["status", "--socket", "/nowhere/control"]);
    assert!(
        elsewhere.contains("/nowhere/control") && elsewhere.contains("SAGENTD_SOCKET"),
        "{elsewhere}"
    );
    agent.fails(2, &["status", "--socket", "control", "--connect", "localhost:1"]);
    agent.fails(2, &["status", "--connect", "localhost:1"]);
    agent.stop();
    let gone = agent.fails(3, &["push", "tally.smod"]);
    assert!(gone.contains("start it"), "{gone}");
    // What needs no agent is refused without one.
    std::fs::write(agent.path("torn.smod"), b"torn").unwrap();
    let torn = agent.fails(1, &["push", "torn.smod"]);
    assert!(torn.contains("torn.smod"), "{torn}");
}

#[test]
fn an_operator_from_afar_is_known_by_the_certificate() {
    let agent = Agent::start();
    let place = format!("localhost:{}", agent.port());
    let afar = |name: &str| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        ["--connect", &place, "--ca", "ca.pem", "--cert", &certificate, "--key", &key]
            .map(str::to_owned)
    };
    let ask = |exit, command: &[&str], name: &str| {
        let afar = afar(name);
        let arguments: Vec<&str> =
            command.iter().copied().chain(afar.iter().map(String::as_str)).collect();
        if exit == 0 { agent.ends(exit, &arguments) } else { agent.fails(exit, &arguments) }
    };
    assert!(ask(0, &["status"], "rita").starts_with("tally-host 9.8.7"));
    let no_role = ask(1, &["rollback", "--component", "tally"], "rita");
    assert!(no_role.contains("rita lacks the role `approve`"), "{no_role}");
    ask(1, &["status"], "stranger");
    ask(3, &["status"], "nobody");
    assert_eq!((agent.version().as_str(), agent.manager.history().len()), ("1.0.0", 0));
}

#[test]
fn the_agent_takes_a_trust_update_over() {
    let agent = Agent::start();
    let before = agent.object(&["trust", "show"]);
    assert_eq!(before["store"]["version"], 1);
    agent.ends(
        0,
        &[
            "trust",
            "add-key",
            "--trust",
            "trust.json",
            "next.json",
            "--key",
            "mallory.pub",
            "--components",
            "tally",
        ],
    );
    let unsigned = agent.fails(1, &["trust", "push", "next.json"]);
    assert!(unsigned.contains("sign"), "{unsigned}");
    agent.ends(0, &["trust", "sign", "--key", "alice.key", "next.json"]);
    assert_eq!(agent.object(&["trust", "push", "next.json"])["version"], 2);
    assert!(agent.ends(0, &["trust", "show"]).contains("mallory"));
    agent.ends(0, &["push", "forged.smod", "--probation", "1s"]);
}
