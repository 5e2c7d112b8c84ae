//! Who may do what: users of this machine, and certificates from afar.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use s_listening::client::{Client, ClientError};
use s_listening::{Operator, Operators, Role};
use serde_json::{Value as Json, json};
use std::io::{Read as _, Write as _};
use std::time::Duration;
use world::{Authority, World, by_operator, ended, is, operator, package, refusal, soon};

const ALL: &[Role] = &[Role::Read, Role::Push, Role::Approve];

/// A service that these operators reach over TLS.
fn remote(authority: &Authority, two_persons: bool, operators: Vec<Operator>) -> World {
    World::with(|config| {
        config.tls = Some(authority.tls());
        config.operators = Operators::new(operators).unwrap();
        config.two_persons = two_persons;
    })
}

#[test]
fn a_user_without_a_role_is_told_which_one_is_missing() {
    // Only root can be somebody else.
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: it takes root to come as another user");
        return;
    }
    let reader =
        Operator { uid: Some(65_501), common_name: None, ..operator("reader", &[Role::Read]) };
    let world = World::with(|config| config.operators = Operators::new(vec![reader]).unwrap());
    let as_user = |uid: u32| {
        let socket = world.socket();
        let asked = std::thread::spawn(move || {
            // This thread alone becomes that user, for good.
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(uid)).unwrap();
            let client = Client::unix(socket).unwrap();
            let push = client.post_packages("/v1/swaps", None, &[("x".into(), vec![0; 10])]);
            (client.get("/v1/status"), push)
        });
        asked.join().unwrap()
    };
    let (status, push) = as_user(65_501);
    status.unwrap();
    match push {
        Err(ClientError::Refused { status: 403, message, .. }) => {
            assert!(message.contains("reader lacks the role `push`"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(world.logged("Warning reader lacks the role `push`"));
    let (status, push) = as_user(65_502);
    assert_eq!(refusal(status), is(403, "not-allowed"));
    assert_eq!(refusal(push), is(403, "not-allowed"));
}

#[test]
fn without_operators_on_this_machine_the_socket_is_its_owners() {
    let world = World::new();
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(world.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_certificate_has_the_roles_of_its_operator_and_no_other() {
    let authority = Authority::new();
    let (reader, pusher, unknown) =
        (authority.issue("reader"), authority.issue("pusher"), authority.issue("unknown"));
    let by_fingerprint = Operator {
        common_name: None,
        fingerprint: Some(pusher.fingerprint.clone()),
        ..operator("fingers", &[Role::Read, Role::Push])
    };
    let world = remote(&authority, false, vec![operator("reader", &[Role::Read]), by_fingerprint]);
    let ask = |holder| world.tls_client(&authority, holder);
    ask(&reader).get("/v1/status").unwrap();
    let routes: [(&str, Json); 8] = [
        ("/v1/plans", json!({})),
        ("/v1/swaps", json!({})),
        ("/v1/swaps/1/confirm", json!({})),
        ("/v1/swaps/1/abort", json!({})),
        ("/v1/swaps/1/rollback", json!({})),
        ("/v1/rollbacks", json!({ "component": "tally" })),
        ("/v1/trust", json!({})),
        ("/v1/components/tally/invoke", json!({ "method": "total" })),
    ];
    for (path, body) in &routes {
        assert_eq!(refusal(ask(&reader).post(path, body)), is(403, "not-allowed"), "{path}");
        assert_eq!(refusal(ask(&unknown).post(path, body)), is(403, "not-allowed"), "{path}");
    }
    assert_eq!(refusal(ask(&unknown).get("/v1/status")), is(403, "not-allowed"));
    // A refusal is heard by who sends much as well.
    let large = ("x".to_owned(), vec![0; 8 << 20]);
    let refused = ask(&reader).post_packages("/v1/swaps", None, &[large]);
    assert_eq!(refusal(refused), is(403, "not-allowed"));
    let begun = ask(&pusher).post_packages("/v1/swaps", Some(&soon()), &[package()]).unwrap();
    assert_eq!(begun["operator"], "fingers");
    ended(&ask(&pusher), 1);
    // What modules have for each other is not for whoever may push what others sign.
    let total = json!({ "method": "total" });
    let invoked = ask(&pusher).post("/v1/components/tally/invoke", &total);
    assert_eq!(refusal(invoked), is(403, "not-allowed"));
    for path in ["/v1/rollbacks", "/v1/trust", "/v1/swaps/1/confirm"] {
        assert_eq!(refusal(ask(&pusher).post(path, &json!({}))), is(403, "not-allowed"), "{path}");
    }
    // The right name is nobody where the certificate is what counts.
    let namesake = authority.issue("pusher");
    assert_eq!(refusal(ask(&namesake).get("/v1/status")), is(403, "not-allowed"));
}

#[test]
fn a_stranger_does_not_get_as_far_as_a_request() {
    let (authority, other) = (Authority::new(), Authority::new());
    let world = remote(&authority, false, vec![operator("ada", ALL)]);
    // The right name, from the wrong root.
    let forged = other.issue("ada");
    let client = world.tls_client(&authority, &forged);
    match client.get("/v1/status") {
        Err(ClientError::Unreachable { .. } | ClientError::Broken(_)) => {}
        answered => panic!("{answered:?}"),
    }
    // The right name from the right root, once.
    let expired = world.tls_client(&authority, &authority.issue_expired("ada"));
    assert!(matches!(
        expired.get("/v1/status"),
        Err(ClientError::Unreachable { .. } | ClientError::Broken(_))
    ));
    // A client that trusts another root does not believe the service.
    let ada = authority.issue("ada");
    let address = world.service.as_ref().unwrap().tls_address().unwrap().to_string();
    let wary =
        Client::tls(&address, &other.ca(), &ada.certificate, &ada.key, "service.example").unwrap();
    assert!(matches!(wary.get("/v1/status"), Err(ClientError::Unreachable { .. })));
    let misnamed =
        Client::tls(&address, &authority.ca(), &ada.certificate, &ada.key, "other.example")
            .unwrap();
    assert!(matches!(misnamed.get("/v1/status"), Err(ClientError::Unreachable { .. })));
    // Plain HTTP, and noise.
    for octets in [&b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 300]] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    world.tls_client(&authority, &ada).get("/v1/status").unwrap();
}

#[test]
fn where_it_takes_two_the_one_who_pushed_does_not_confirm() {
    let authority = Authority::new();
    let (ada, bob) = (authority.issue("ada"), authority.issue("bob"));
    let world = remote(&authority, true, vec![operator("ada", ALL), operator("bob", ALL)]);
    let (ada, bob) = (world.tls_client(&authority, &ada), world.tls_client(&authority, &bob));
    let silent = ada.post_packages("/v1/swaps", Some(&soon()), &[package()]);
    assert_eq!(refusal(silent), is(422, "refused"), "silence would be nobody's word");
    ada.post_packages("/v1/swaps", Some(&by_operator()), &[package()]).unwrap();
    let mut events = bob.events(Some("swap.release"), Some(0)).unwrap();
    events.next_within(Duration::from_secs(60)).unwrap().expect("the release");
    assert_eq!(refusal(ada.post("/v1/swaps/1/confirm", &json!({}))), is(403, "not-allowed"));
    bob.post("/v1/swaps/1/confirm", &json!({})).unwrap();
    assert_eq!(ended(&bob, 1)["verdict"], "committed");
    assert_eq!(ended(&bob, 1)["operator"], "ada");
}

#[test]
fn downgrades_are_allowed_on_the_machine_only() {
    let authority = Authority::new();
    let ada = authority.issue("ada");
    let world = remote(&authority, false, vec![operator("ada", ALL)]);
    let order = json!({ "allow_downgrade": true });
    let asked = world.tls_client(&authority, &ada).post_packages("/v1/plans", Some(&order), &[]);
    assert_eq!(refusal(asked), is(403, "not-allowed"));
    world.client().post_packages("/v1/plans", Some(&order), &[package()]).unwrap();
}

#[test]
fn ten_pushes_a_minute_are_enough_for_one_operator() {
    let authority = Authority::new();
    let (ada, bob) = (authority.issue("ada"), authority.issue("bob"));
    let world = remote(&authority, false, vec![operator("ada", ALL), operator("bob", ALL)]);
    let push = |client: &Client| client.post_packages("/v1/swaps", None, &[]);
    let ada = world.tls_client(&authority, &ada);
    for _ in 0..10 {
        assert_eq!(refusal(push(&ada)), is(422, "refused"), "an empty swap is none");
    }
    assert_eq!(refusal(push(&ada)), is(429, "too-many"));
    let rollback = ada.post("/v1/rollbacks", &json!({ "component": "tally" }));
    assert_eq!(refusal(rollback), is(429, "too-many"));
    assert_eq!(refusal(push(&world.tls_client(&authority, &bob))), is(422, "refused"));
    ada.get("/v1/status").unwrap();
}
