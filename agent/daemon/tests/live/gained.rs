//! What an agent can after a swap and was not built for: columns, an algorithm, an interface between modules.

use crate::world::{Live, Load, MANAGER, package};
use roles::privacy::EngineTime;
use s_wire::PduKind;
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use usm::{AES_128, Ask, Manager, OWN, World};

/// A manager that knows the new algorithm: it is made of the same modules.
#[path = "../../../../smodules/security-usm/tests/world/mod.rs"]
mod usm;

const IF_TABLE: &str = ".1.3.6.1.2.1.2.2";
const SAGENT_IF_TABLE: &str = ".1.3.6.1.4.1.32473.1.2.2";

#[test]
fn a_walk_that_began_before_the_columns_goes_on_behind_them() {
    let live = Live::start();
    let load = Load::on(&live);
    // One step of a walk: the next name and its value.
    let step = |from: &str| live.tool("snmpgetnext", MANAGER, &["-On", from]);
    let name_of = |answer: &str| answer.split(' ').next().unwrap_or_default().to_owned();
    let arcs = |name: &str| -> Vec<u32> {
        name.split('.')
            .skip(1)
            .map(|arc| arc.parse().unwrap_or_else(|_| panic!("{name}")))
            .collect()
    };
    let before = live.tool("snmpwalk", MANAGER, &["-On", IF_TABLE]).lines().count();
    assert!(before > 0);
    let (mut name, mut steps) = (IF_TABLE.to_owned(), 0);
    loop {
        let next = name_of(&step(&name));
        if !next.starts_with(&format!("{IF_TABLE}.")) {
            break;
        }
        assert!(steps == 0 || arcs(&next) > arcs(&name), "{next} after {name}");
        (name, steps) = (next, steps + 1);
        if steps == before / 2 {
            live.must_push(&["mib-if-next"]);
        }
    }
    assert_eq!(steps, before, "nothing is missing and nothing comes twice");
    live.until_it_answers("32473", MANAGER, &["snmpgetnext", "-On", SAGENT_IF_TABLE]);
    let gained = live.tool("snmpwalk", MANAGER, &["-On", SAGENT_IF_TABLE]);
    // The ifTable has 22 columns, ours 4.
    assert_eq!(gained.lines().count() * 22, before * 4, "{gained}");
    live.must_push(&["mib-if"]);
    live.until_it_answers("No Such Object", MANAGER, &["snmpwalk", SAGENT_IF_TABLE]);
    load.finish();
}

#[test]
fn a_plan_names_the_variables_that_come_and_go_and_what_is_on_trial_is_described() {
    const SAGENT_INTERFACES: &str = "1.3.6.1.4.1.32473.1.2.2";
    const UDP: &str = "1.3.6.1.2.1.7";
    let live = Live::start();
    let plan = |order, modules: &[&str]| {
        let packages: Vec<_> =
            modules.iter().map(|module| ((*module).to_owned(), package(module))).collect();
        let plan = live.client.post_packages("/v1/plans", Some(&order), &packages).unwrap();
        assert_eq!(plan["refusals"], json!([]), "{plan}");
        plan["members"][0]["application"].clone()
    };
    let oids =
        |gained: &[&str], lost: &[&str]| json!({ "oids": { "gained": gained, "lost": lost } });
    assert_eq!(plan(json!({}), &["mib-if-next"]), oids(&[SAGENT_INTERFACES], &[]));
    assert_eq!(plan(json!({}), &["mib-udp"]), oids(&[], &[]));
    assert_eq!(plan(json!({ "remove": ["mib.udp"] }), &[]), oids(&[], &[UDP]));
    assert_eq!(plan(json!({}), &["security-usm-next"]), oids(&[], &[]));
    assert_eq!(plan(json!({}), &["message-v3"]), json!(null), "it has no variables");
    let order = json!({ "confirm": { "by": "operator", "seconds": 600 } });
    let txn = live.begin(&order, &[package("mib-if-next")]).unwrap();
    live.until_on_trial(txn);
    assert_eq!(plan(json!({ "remove": ["mib.udp"] }), &[]), oids(&[], &[UDP]), "as before");
    let described = live.client.get("/v1/components/mib.if").unwrap();
    assert_eq!(described["version"], live.version("mib.if"), "{described}");
    assert!(described["origin"].as_str().unwrap().starts_with("sha256:"), "{described}");
    live.confirm(txn);
    live.end_of(txn);
    assert_eq!(plan(json!({}), &["mib-if"]), oids(&[], &[SAGENT_INTERFACES]));
}

const SHA_512_256: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 4, 1, 1];

/// A user of an algorithm that the agent was not built with.
const GRACE: &str = r#"
[engine]
id = "80001f88046167656e74"

[[user]]
name = "grace"
auth = "1.3.6.1.4.1.32473.1.4.1.1"
auth-passphrase = "authentication"
priv = "AES"
priv-passphrase = "confidential"
"#;

#[test]
fn a_user_of_an_algorithm_that_comes_in_a_swap_is_answered_at_once() {
    let live = Live::start_with(GRACE);
    let load = Load::on(&live);
    let manager = World::empty();
    usm::serve(&manager.control, "auth.sha2", &auth_hmac_sha2_next::S_MODULE);
    let asked = || ask(live.address(), &manager);
    assert_ne!(asked(), Some(PduKind::Response), "nobody can prove this yet");
    live.must_push(&["auth-hmac-sha2-next"]);
    let until = Instant::now() + Duration::from_secs(60);
    while asked() != Some(PduKind::Response) {
        assert!(Instant::now() < until, "not answered\n{}", live.agent.log());
    }
    live.must_push(&["auth-hmac-sha2"]);
    assert_ne!(asked(), Some(PduKind::Response), "the algorithm went with its module");
    load.finish();
}

/// What grace's request is answered with, if it is.
fn ask(agent: SocketAddr, manager: &World) -> Option<PduKind> {
    let mut worker = manager.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: manager.runtime, act: &act };
    // It started for the first time, some seconds ago: within the time window (RFC 3414 §2.2.3).
    let clock = EngineTime { boots: 1, time_seconds: 30 };
    let ask = Ask { clock, context: b"", ..Ask::of(("grace", SHA_512_256, AES_128)) };
    assert_eq!(ask.engine_id, OWN);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(agent).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket.send(&manager.ask(&ask)).unwrap();
    let mut room = [0; 4096];
    let len = socket.recv(&mut room).ok()?;
    let header = s_wire::V3Message::decode(&room[..len]).unwrap().header;
    // What is not proven is a Report in plain.
    if !header.flags.is_private() {
        return Some(PduKind::Report);
    }
    Some(manager.hear(&ask, &room[..len]).pdu().kind)
}

#[test]
fn three_modules_with_an_interface_of_their_own_come_together_or_not_at_all() {
    const GROUP: [&str; 3] =
        ["message-v3-grouped", "security-usm-grouped", "auth-hmac-sha2-grouped"];
    const BEFORE: [&str; 3] = ["message-v3", "security-usm", "auth-hmac-sha2"];
    let live = Live::start();
    let load = Load::on(&live);
    let refused = |part: &[&str]| {
        let packages: Vec<_> = part.iter().map(|module| package(module)).collect();
        match live.begin(&json!({}), &packages) {
            Err(_) => {}
            Ok(txn) => assert_eq!(live.end_of(txn)["verdict"], "aborted", "{part:?}"),
        }
    };
    for part in [&GROUP[..1], &GROUP[1..2], &GROUP[2..], &GROUP[..2], &GROUP[1..]] {
        refused(part);
    }
    refused(&[GROUP[0], GROUP[2]]);
    for _ in 0..2 {
        live.must_push(&GROUP);
        assert!(live.version("message.v3").starts_with("2."));
        refused(&BEFORE[..2]);
        live.must_push(&BEFORE);
    }
    load.finish();
}
