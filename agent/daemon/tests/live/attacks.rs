//! One test for each attack that `docs/security.md` names, at an agent that answers a manager meanwhile.
//!
//! What no running agent is needed for is tried where it is decided: in the crates of packages and of the listening
//! service. Invariant: each attack ends with what served before, and the agent takes an honest package after it.

use crate::world::{
    Live, Load, MAKER, STRANGER, code, facts, package, packed, release_key, root_key, signed,
    socket, trust, unsigned, update,
};
use s_listening::client::{Client, ClientError};
use s_package::trust::Roots;
use s_package::{Archive, Limits, Name, Release, Timestamp, Triple, TrustDocument, pack};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An honest package of somebody, with terms of its own.
fn released(module: &str, holder: &str, release: Release) -> Vec<u8> {
    let code = code(module);
    let facts = facts(&code);
    signed(&packed(code, facts, release), holder)
}

fn of_epoch(module: &str, epoch: u64) -> Vec<u8> {
    released(module, MAKER, Release { epoch, ..Release::default() })
}

/// What went wrong with a swap that was begun like this, or its number.
fn ended(live: &Live, begun: Result<u64, ClientError>) -> Result<u64, String> {
    let txn = begun.map_err(|error| error.to_string())?;
    live.confirm(txn);
    let outcome = live.end_of(txn);
    if outcome["verdict"] == "committed" {
        return Ok(txn);
    }
    assert_eq!(outcome["verdict"], "aborted", "it has served: {outcome}");
    Err(outcome["cause"].to_string())
}

fn push(live: &Live, package: &[u8]) -> Result<u64, String> {
    ended(live, live.begin(&json!({}), &[package.to_vec()]))
}

/// Going back to a version, or to what served before.
fn go_back(live: &Live, component: &str, to: Option<&str>) -> Result<u64, String> {
    let begun = live.client.post("/v1/rollbacks", &json!({ "component": component, "to": to }));
    ended(live, begun.map(|begun| begun["txn"].as_u64().unwrap()))
}

/// A package that is refused for this reason, and changes nothing.
fn is_refused(live: &Live, package: &[u8], why: &str) {
    let before = bound(live);
    let refusal = push(live, package).unwrap_err();
    assert!(refusal.contains(why), "no `{why}` in {refusal}");
    assert_eq!(bound(live), before);
}

/// What is bound everywhere.
fn bound(live: &Live) -> Vec<Json> {
    let status = live.client.get("/v1/status").unwrap();
    let components = status["components"].as_array().unwrap().iter();
    components.map(|one| json!([one["name"], one["version"], one["generation"]])).collect()
}

/// The epoch of the package that serves; none where the agent's own module does.
fn epoch(live: &Live, component: &str) -> Json {
    let answer = live.client.get(&format!("/v1/versions/{component}")).unwrap();
    let kept = answer["versions"].as_array().unwrap();
    kept.iter().find(|one| one["serving"] == true).unwrap()["epoch"].clone()
}

/// The status of a refusal, and what it says.
fn refusal(answer: Result<Json, ClientError>) -> (u16, String) {
    match answer {
        Err(ClientError::Refused { status, message, .. }) => (status, message),
        other => panic!("not refused: {other:?}"),
    }
}

fn of_version(version: u64) -> TrustDocument {
    TrustDocument { version, ..trust() }
}

#[test]
fn attack_replay() {
    let live = Live::start();
    let (first, second) = (of_epoch("priv-des", 1), of_epoch("priv-des", 2));
    let load = Load::on(&live);
    let txn = push(&live, &first).unwrap();
    push(&live, &second).unwrap();
    let trusted = update(of_version(2), &["root"]);
    let hand_in =
        |live: &Live, update: &[u8]| live.client.post_octets("/v1/trust", update.to_vec());
    assert_eq!(hand_in(&live, &trusted).unwrap(), json!({ "version": 2 }));
    let replay = |live: &Live| {
        is_refused(live, &first, "epoch");
        assert_eq!(epoch(live, "priv.des"), 2);
        for wish in ["confirm", "abort", "rollback"] {
            let answer = live.client.post(&format!("/v1/swaps/{txn}/{wish}"), &json!({}));
            assert_eq!(refusal(answer).0, 404, "{wish}");
        }
        let (status, why) = refusal(hand_in(live, &trusted));
        assert!(status == 422 && why.contains("never taken back"), "{why}");
        let (status, why) = refusal(hand_in(live, &update(of_version(4), &["root"])));
        assert!(status == 422 && why.contains("only 3 can follow"), "{why}");
    };
    replay(&live);
    load.finish();
    let live = live.again();
    let load = Load::on(&live);
    replay(&live);
    load.finish();
}

#[test]
fn attack_downgrade() {
    const USM: &str = "security.usm";
    let live = Live::start();
    let (old, new) = (of_epoch("security-usm", 1), of_epoch("security-usm-next", 2));
    let load = Load::on(&live);
    let factory = live.version(USM);
    push(&live, &new).unwrap();
    is_refused(&live, &old, "epoch");
    // An end of this design: the agent's own module is no package and has no epoch.
    go_back(&live, USM, None).unwrap();
    assert_eq!((live.version(USM), epoch(&live, USM)), (factory.clone(), Json::Null));
    is_refused(&live, &old, "epoch");
    let mut events = live.client.events(Some("swap.override"), None).unwrap();
    let order = json!({ "allow_downgrade": true });
    ended(&live, live.begin(&order, std::slice::from_ref(&old))).unwrap();
    assert_eq!(epoch(&live, USM), 1);
    let told = events.next_within(Duration::from_secs(60)).unwrap().expect("the override is told");
    let payload = &told.data["payload"];
    assert_eq!((&payload["recorded_epoch"], &payload["admitted_epoch"]), (&json!(2), &json!(1)));
    // It was for that one swap.
    is_refused(&live, &old, "epoch");
    push(&live, &new).unwrap();
    let refusal = go_back(&live, USM, Some(&factory)).unwrap_err();
    assert!(refusal.contains("epoch"), "{refusal}");
    assert_eq!(epoch(&live, USM), 2);
    load.finish();
}

#[test]
fn attack_freeze() {
    let late = "late";
    let mut document = trust();
    let expired = Some(Timestamp::from_unix_seconds(1).unwrap());
    document.keys.push(s_package::trust::ReleaseKey { expires: expired, ..release_key(late, "*") });
    let live = Live::start_trusting(document, "");
    let load = Load::on(&live);
    is_refused(&live, &released("mib-udp", late, Release::default()), "expired");
    let (code, facts) = (code("priv-des"), facts(&code("priv-des")));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let end = now() + 20;
    let expires = Some(Timestamp::from_unix_seconds(end).unwrap());
    let release = Release { epoch: 7, expires, ..Release::default() };
    let short = signed(&packed(code, facts, release), MAKER);
    push(&live, &short).unwrap();
    while now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    is_refused(&live, &short, "expired");
    load.finish();
    // A date ends no set that serves, whatever happens to the process.
    let live = live.again();
    assert_eq!(epoch(&live, "priv.des"), 7);
}

#[test]
fn attack_mix_and_match() {
    let live = Live::start();
    let load = Load::on(&live);
    let (udp, tcp) = (package("mib-udp"), package("mib-tcp"));
    let read = |octets| Archive::read(octets, &Limits::DEFAULT).unwrap();
    let signatures = Archive { signatures: read(&tcp).signatures, ..read(&udp) };
    is_refused(&live, &signatures.write(), "not the manifest that was signed");
    let (fast, reference) = (package("message-v3"), package("message-v3-rasn"));
    let exchanged = Archive { code: read(&reference).code, ..read(&fast) };
    is_refused(&live, &exchanged.write(), "signed");
    let code = code("mib-udp");
    let mut facts = facts(&code);
    let needs = json!({ "component": "security.usm", "range": "^9" });
    facts.dependencies.push(serde_json::from_value(needs).unwrap());
    let of_another_release = signed(&packed(code, facts, Release::default()), MAKER);
    is_refused(&live, &of_another_release, "security.usm");
    live.must_push(&["mib-udp", "mib-tcp", "message-v3"]);
    load.finish();
}

#[test]
fn attack_wrong_target() {
    let live = Live::start();
    let load = Load::on(&live);
    let code = |module| (code(module), facts(&code(module)));
    let (udp, of_udp) = code("mib-udp");
    let elsewhere = Triple::parse("aarch64-unknown-linux-gnu").unwrap();
    let elsewhere = BTreeMap::from([(elsewhere, udp.clone())]);
    let elsewhere = pack(of_udp.clone(), Release::default(), &elsewhere).unwrap();
    is_refused(&live, &signed(&elsewhere, MAKER), "aarch64-unknown-linux-gnu");
    let (example, of_example) = code("mib-example");
    for (code, mut facts, component, why) in [
        (&udp, of_udp.clone(), "mib.tcp", "mib.udp"),
        (&udp, of_udp, "evil.door", "no component is named `evil.door`"),
        // The agent itself is there.
        (&example, of_example, "engine", "mib.example"),
    ] {
        facts.component = Name::parse(component).unwrap();
        let misnamed = signed(&packed(code.clone(), facts, Release::default()), MAKER);
        is_refused(&live, &misnamed, why);
    }
    live.must_push(&["mib-udp"]);
    load.finish();
}

#[test]
fn attack_key_compromise() {
    let thief = "thief";
    let mut document = trust();
    document.keys.push(release_key(thief, "mib.*"));
    let live = Live::start_trusting(document, "");
    let load = Load::on(&live);
    let stolen = |module| released(module, thief, Release { epoch: 3, ..Release::default() });
    is_refused(&live, &stolen("security-usm-next"), "may not sign");
    // What a stolen key can do until it is revoked.
    push(&live, &stolen("mib-udp")).unwrap();
    live.client.post_octets("/v1/trust", update(of_version(2), &["root"])).unwrap();
    is_refused(&live, &stolen("mib-tcp"), "no signing key is in the trust store");
    assert_eq!(epoch(&live, "mib.udp"), 3, "a revocation stops nothing that serves");
    load.finish();
    let live = live.again();
    assert_eq!(epoch(&live, "mib.udp"), Json::Null, "what the thief signed serves again");
    let doctor = live.client.get("/v1/application/doctor").unwrap();
    let start = doctor.as_array().unwrap().iter().find(|one| one["check"] == "start").unwrap();
    assert_eq!(start["ok"], false, "{doctor}");
}

#[test]
fn attack_key_rotation() {
    let (heir, successor) = ("heir", "successor");
    let next = TrustDocument {
        version: 2,
        roots: Roots { threshold: 1, keys: vec![root_key(heir)] },
        keys: vec![release_key(successor, "*")],
        ..trust()
    };
    let live = Live::start();
    let load = Load::on(&live);
    let hand_in =
        |roots: &[&str]| live.client.post_octets("/v1/trust", update(next.clone(), roots));
    for (roots, why) in [(["root"], "of the new store"), ([heir], "of the store in force")] {
        let (status, message) = refusal(hand_in(&roots));
        assert!(status == 422 && message.contains(why), "{message}");
    }
    let by_the_old = package("mib-tcp");
    assert_eq!(hand_in(&["root", heir]).unwrap(), json!({ "version": 2 }));
    let rotated = |live: &Live| {
        is_refused(live, &by_the_old, "no signing key is in the trust store");
        push(live, &released("mib-udp", successor, Release::default())).unwrap();
    };
    rotated(&live);
    load.finish();
    let file = live.directory.path().join("state").join("trust.json");
    assert!(std::fs::read_to_string(file).unwrap().contains("\"version\": 1"));
    let live = live.again();
    rotated(&live);
}

/// Sends a body without end until the agent will have no more of it: how many MiB, and the answer.
fn without_end(live: &Live, path: &str, kind: &str) -> (usize, String) {
    let mut stream = UnixStream::connect(socket(live.directory.path())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.resize(chunk.len() + (1 << 20), b' ');
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0;
    while sent < 200 && stream.write_all(&chunk).is_ok() {
        sent += 1;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (sent, String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn attack_endless_data() {
    let live = Live::start();
    let load = Load::on(&live);
    let invoke = "/v1/components/mib.udp/invoke";
    for (path, kind, limit) in [
        ("/v1/swaps", "multipart/form-data; boundary=x", 64),
        ("/v1/plans", "multipart/form-data; boundary=x", 64),
        ("/v1/trust", "application/octet-stream", 1),
        (invoke, "application/json", 1),
    ] {
        let (sent, answer) = without_end(&live, path, kind);
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        // What was sent and not read yet stands in the buffers of the socket.
        assert!(sent < limit + 16, "{path}: {sent} MiB");
    }
    assert_eq!(live.client.get("/v1/history").unwrap(), json!({ "swaps": [] }));
    live.must_push(&["mib-udp"]);
    load.finish();
}

/// Some users of this machine; the first of them may push what others sign.
const PUSHER: u32 = 65_501;
const OTHERS: std::ops::Range<u32> = 65_502..65_505;

/// An agent that these users can reach; none where this test may not become somebody else.
fn with_users() -> Option<Live> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: it takes root to come as another user");
        return None;
    }
    let operator = format!(
        "[[swap.operator]]\nname = \"pusher\"\nuid = {PUSHER}\nroles = [\"read\", \"push\"]\n"
    );
    let live = Live::start_with(&operator);
    for place in [live.directory.path(), &live.directory.path().join("state")] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    Some(live)
}

/// Does something as another user.
fn as_user<T: Send>(uid: u32, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // This thread alone becomes that user, for good.
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(uid)).unwrap();
            act()
        });
        other.join().unwrap()
    })
}

#[test]
fn attack_slow_retrieval() {
    let Some(live) = with_users() else { return };
    let load = Load::on(&live);
    let place = socket(live.directory.path());
    let say = |uid, head: &'static [u8]| -> Vec<UnixStream> {
        let begun = || {
            let mut stream = UnixStream::connect(&place).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream.write_all(head).unwrap();
            stream
        };
        as_user(uid, || (0..16).map(|_| begun()).collect())
    };
    // In this order: the one that has been quiet longest gives way, and that is not to be a push.
    let half: Vec<_> =
        OTHERS.flat_map(|uid| say(uid, b"POST /v1/swaps HTTP/1.1\r\nhost:")).collect();
    let dripping = say(
        PUSHER,
        b"POST /v1/swaps HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\
          content-type: multipart/form-data; boundary=x\r\n\r\n",
    );
    assert_eq!(dripping.len() + half.len(), 64, "that is every place");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Until all of them were sent away; should they never be, two minutes.
            let drips =
                || dripping.iter().map(|mut stream| stream.write_all(b"x")).filter(Result::is_ok);
            for _ in 0..600 {
                if drips().count() == 0 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        live.client.get("/v1/status").unwrap();
        live.must_push(&["mib-udp"]);
    });
    for mut stream in &dripping {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let expected = ["HTTP/1.1 408", "HTTP/1.1 429"];
        assert!(expected.iter().any(|status| answer.starts_with(status)), "{answer}");
    }
    drop(half);
    let history = live.client.get("/v1/history").unwrap();
    let begun = history["swaps"].as_array().unwrap().len();
    assert_eq!(begun, 1, "only the honest push has begun: {history}");
    load.finish();
}

#[test]
fn attack_push_without_a_signing_key() {
    let Some(live) = with_users() else { return };
    let load = Load::on(&live);
    let place = socket(live.directory.path());
    let pending = live
        .begin(&json!({ "confirm": { "by": "operator", "seconds": 600 } }), &[package("mib-udp")]);
    let pending = pending.unwrap();
    live.until_on_trial(pending);
    as_user(PUSHER, || {
        let client = Client::unix(&place).unwrap();
        let approving = [
            (format!("/v1/swaps/{pending}/confirm"), json!({})),
            ("/v1/rollbacks".to_owned(), json!({ "component": "mib.udp" })),
            ("/v1/trust".to_owned(), json!({})),
        ];
        for (path, body) in approving {
            let (status, why) = refusal(client.post(&path, &body));
            assert!(status == 403 && why.contains("`approve`"), "{path}: {why}");
        }
        // Whoever may push may take back what is on trial.
        client.post(&format!("/v1/swaps/{pending}/rollback"), &json!({})).unwrap();
    });
    assert_eq!(live.end_of(pending)["verdict"], "rolled_back");
    let before = bound(&live);
    let nobody_s = [unsigned("mib-udp"), signed(&unsigned("mib-udp"), STRANGER)];
    as_user(PUSHER, || {
        let client = Client::unix(&place).unwrap();
        for package in nobody_s {
            let begun = client.post_packages("/v1/swaps", None, &[("x.smod".to_owned(), package)]);
            let txn = begun.unwrap()["txn"].as_u64().unwrap();
            assert_eq!(live.end_of(txn)["verdict"], "aborted");
        }
    });
    assert_eq!(bound(&live), before);
    // An end of this design: taking a module out needs no signature.
    let order = json!({ "remove": ["priv.des"], "confirm": { "by": "silence", "seconds": 1 } });
    let removed = as_user(PUSHER, || {
        let begun = Client::unix(&place).unwrap().post_packages("/v1/swaps", Some(&order), &[]);
        begun.unwrap()["txn"].as_u64().unwrap()
    });
    assert_eq!(live.end_of(removed)["verdict"], "committed");
    assert_eq!(live.version("priv.des"), "");
    load.finish();
}

#[test]
fn attack_invoke_for_secrets() {
    let Some(live) = with_users() else { return };
    let place = socket(live.directory.path());
    for (component, method) in [
        ("security.usm", "save"),
        ("security.usm", "restore"),
        ("access.vacm", "apply"),
        ("mib.udp", "x"),
    ] {
        let path = format!("/v1/components/{component}/invoke");
        let ask = |client: &Client| client.post(&path, &json!({ "method": method }));
        let answer = as_user(PUSHER, || ask(&Client::unix(&place).unwrap()));
        let (status, why) = refusal(answer);
        assert!(status == 403 && why.contains("`invoke`"), "{component} {method}: {why}");
        // Root is asked for what it wants.
        if let Err(ClientError::Refused { status, .. }) = ask(&live.client) {
            assert_ne!(status, 403, "{component} {method}");
        }
    }
}
