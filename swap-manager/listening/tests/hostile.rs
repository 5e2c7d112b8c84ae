//! Callers who are slow, loud, wrong or gone: they are told so, and nobody else notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use serde_json::{Value as Json, json};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use world::{FACTORY, World, eventually, is, package, refusal};

fn status_of(answer: &str) -> u16 {
    let line = answer.lines().next().unwrap_or_default();
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

/// A request with this method, path, further heads and body, after which the connection ends.
fn request(method: &str, path: &str, heads: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{heads}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn whatever_is_malformed_is_the_callers_fault() {
    let world = World::new();
    let json = "content-type: application/json\r\n";
    let parts = "content-type: multipart/form-data; boundary=b\r\n";
    let part = |name: &str, content: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n--b--\r\n"
        )
    };
    let cases: Vec<(&str, &str, &str, Vec<u8>)> = vec![
        ("GET", "/", "", vec![]),
        ("GET", "/v2/status", "", vec![]),
        ("DELETE", "/v1/status", "", vec![]),
        ("POST", "/v1/status", "", vec![]),
        ("GET", "/v1/swaps", "", vec![]),
        ("GET", "/v1/swaps/x", "", vec![]),
        ("GET", "/v1/swaps/-1", "", vec![]),
        ("GET", "/v1/swaps/99999999999999999999999", "", vec![]),
        ("GET", "/v1/swaps/1?wait=61", "", vec![]),
        ("GET", "/v1/swaps/1?wait=x", "", vec![]),
        ("GET", "/v1/swaps/1?wiat=1", "", vec![]),
        ("GET", "/v1/events?since=x", "", vec![]),
        ("GET", "/v1/events?tag=..", "", vec![]),
        ("GET", "/v1/components/%ff%fe", "", vec![]),
        ("GET", "/v1/components/..%2f..%2fetc", "", vec![]),
        ("GET", "/v1/versions/%00", "", vec![]),
        ("POST", "/v1/swaps/1/confirm", json, b"[]".to_vec()),
        ("POST", "/v1/swaps/1/confirm", json, b"{\"a\":1}".to_vec()),
        ("POST", "/v1/swaps/1/confirm", "", b"{}".to_vec()),
        ("POST", "/v1/components/tally/invoke", json, b"{\"method\":".to_vec()),
        ("POST", "/v1/components/tally/invoke", json, vec![0xff; 100]),
        ("POST", "/v1/components/tally/invoke", json, vec![b'['; 60_000]),
        ("POST", "/v1/components/tally/invoke", json, vec![b' '; 100_000]),
        ("POST", "/v1/rollbacks", json, b"{}".to_vec()),
        ("POST", "/v1/rollbacks", json, b"{\"component\":\"tally\",\"to\":7}".to_vec()),
        ("POST", "/v1/trust", "", vec![0; 2 << 20]),
        ("POST", "/v1/swaps", "", vec![]),
        ("POST", "/v1/swaps", json, b"{}".to_vec()),
        ("POST", "/v1/swaps", "content-type: multipart/form-data\r\n", vec![]),
        ("POST", "/v1/swaps", parts, b"--b\r\ncontent-dis".to_vec()),
        ("POST", "/v1/swaps", parts, vec![0xff; 5000]),
        ("POST", "/v1/swaps", parts, part("order", "{\"confrm\":1}").into_bytes()),
        ("POST", "/v1/swaps", parts, part("order", "{}").into_bytes()),
        ("POST", "/v1/swaps", parts, part("elsewhere", "x").into_bytes()),
        ("POST", "/v1/swaps", parts, part("package", "not a package").into_bytes()),
        ("POST", "/v1/plans", parts, part("order", "no").into_bytes()),
    ];
    for (method, path, heads, body) in cases {
        let answer = world.raw(&request(method, path, heads, &body));
        let what = format!("{method} {path} {heads} {:?}: {answer}", &body[..body.len().min(40)]);
        assert!((400..500).contains(&status_of(&answer)), "{what}");
        let (_, body) = answer.split_once("\r\n\r\n").expect(&what);
        let body: Json = serde_json::from_str(body).expect(&what);
        assert!(body["error"].is_string() && body["message"].is_string(), "{what}");
    }
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
    ] {
        let mut octets = noise.to_vec();
        octets.extend_from_slice(&[b'x'; 100]);
        octets.extend_from_slice(b"\r\n\r\n");
        let status = status_of(&world.raw(&octets));
        assert!(status == 0 || (400..500).contains(&status), "{noise:?}: {status}");
    }
    let status = world.client().get("/v1/status").unwrap();
    assert_eq!(
        (&status["running"], &status["components"][0]["version"]),
        (&json!([]), &json!(FACTORY))
    );
    assert_eq!(world.client().get("/v1/history").unwrap(), json!({ "swaps": [] }));
}

#[test]
fn heads_and_bodies_have_their_limits() {
    let world = World::new();
    let long = format!("x: {}\r\n", "x".repeat(20 << 10));
    assert_eq!(status_of(&world.raw(&request("GET", "/v1/status", &long, b""))), 431);
    // Not one octet of it is waited for.
    let head = "POST /v1/swaps HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-type: multipart/form-data; boundary=b\r\ncontent-length: 99999999999\r\n\r\n";
    assert_eq!(status_of(&world.raw(head.as_bytes())), 413);
    let many: Vec<_> = (0..65).map(|_| ("x".to_owned(), vec![0])).collect();
    assert_eq!(
        refusal(world.client().post_packages("/v1/plans", None, &many)),
        is(413, "too-large")
    );
    // One that the service would cut off is not begun, and told with what there is to do.
    let heavy = [("heavy".to_owned(), vec![0; 64 << 20])];
    let refused = world.client().post_packages("/v1/swaps", None, &heavy).unwrap_err();
    assert!(refused.to_string().contains("push fewer packages at a time"), "{refused}");
    assert_eq!(refusal(Err(refused)), is(413, "too-large"));
    let order = json!({ "remove": [ "x".repeat(70 << 10) ] });
    let large = world.client().post_packages("/v1/plans", Some(&order), &[]);
    assert_eq!(refusal(large), is(400, "bad-request"));
}

#[test]
fn who_goes_away_in_the_middle_of_a_push_has_begun_nothing() {
    let world = World::new();
    let (_, package) = package();
    let mut body = b"--b\r\ncontent-disposition: form-data; name=\"package\"\r\n\r\n".to_vec();
    body.extend_from_slice(&package);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let heads = "content-type: multipart/form-data; boundary=b\r\n";
    let whole = request("POST", "/v1/swaps", heads, &body);
    for part in [whole.len() / 2, whole.len() - 1] {
        let mut stream = UnixStream::connect(world.socket()).unwrap();
        stream.write_all(&whole[..part]).unwrap();
        drop(stream);
        // Its turn is given back when the service has seen that it is gone.
        eventually("its turn", || world.client().post_packages("/v1/plans", None, &[]).is_ok());
    }
    // The same octets to the last begin a swap, and it is the first.
    let begun = world.raw(&whole);
    assert_eq!(status_of(&begun), 202, "{begun}");
    assert!(begun.contains("\"txn\":1"), "{begun}");
    assert!(!world.logged("swap 2"));
}

#[test]
fn a_slow_caller_is_let_go_and_others_do_not_wait_for_it() {
    let world = World::new();
    let mut slow = UnixStream::connect(world.socket()).unwrap();
    slow.write_all(b"GET /v1/status HTTP/1.1\r\nhost:").unwrap();
    let mut half = UnixStream::connect(world.socket()).unwrap();
    half.write_all(b"POST /v1/rollbacks HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")
        .unwrap();
    for _ in 0..20 {
        world.client().get("/v1/status").unwrap();
    }
    for (stream, answered) in [(&mut slow, 0), (&mut half, 408)] {
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = status_of(&answer);
        assert!(status == answered || status == 408, "{answer}");
    }
}

#[test]
fn one_caller_has_sixteen_connections_and_idle_ones_give_way_to_newcomers() {
    let world = World::new();
    let ask = b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut open = Vec::new();
    let answer = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut octets = [0; 12];
        stream.read_exact(&mut octets).map(|()| status_of(&String::from_utf8_lossy(&octets)))
    };
    for n in 0..17 {
        let mut stream = UnixStream::connect(world.socket()).unwrap();
        stream.write_all(ask).unwrap();
        assert_eq!(answer(&mut stream).unwrap(), 200, "{n}");
        open.push(stream);
    }
    // The first has given way to the seventeenth: behind its answer there is an end.
    open[0].read_to_end(&mut Vec::new()).unwrap();
    open.remove(0);
    // Many more who say nothing push out those who are quiet longest, and take nothing from a newcomer.
    let crowd: Vec<_> = (0..80).map(|_| UnixStream::connect(world.socket()).unwrap()).collect();
    let mut first = open.remove(0);
    first.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut rest = Vec::new();
    first.read_to_end(&mut rest).unwrap();
    drop((open, crowd));
    // Until the service has seen that they are gone, this caller still has too many.
    eventually("a place", || world.client().get("/v1/status").is_ok());
}

#[test]
fn streams_of_events_are_few_and_their_places_come_back() {
    let world = World::new();
    let streams: Vec<_> = (0..8).map(|_| world.client().events(None, None).unwrap()).collect();
    assert_eq!(refusal(world.client().events(None, None).map(|_| json!(0))), is(429, "too-many"));
    drop(streams);
    eventually("a place", || world.client().events(None, None).is_ok());
}

#[test]
fn pages_in_browsers_are_sent_away() {
    let world = World::new();
    let heads = "origin: https://evil.example\r\n";
    let answer = world.raw(&request("POST", "/v1/swaps/1/abort", heads, b""));
    assert_eq!(status_of(&answer), 403, "{answer}");
    assert_eq!(status_of(&world.raw(&request("GET", "/v1/status", heads, b""))), 403);
}

#[test]
fn work_that_hangs_keeps_nobody_from_the_swap_manager() {
    let world = World::new();
    let hanging: Vec<_> = (0..12)
        .map(|_| {
            let client = world.client();
            std::thread::spawn(move || client.get("/v1/application/hang"))
        })
        .collect();
    eventually("all helpers hang", || world.hanging() == 8);
    let client = world.client();
    let order = json!({ "confirm": { "by": "operator", "seconds": 600 } });
    let begun = client.post_packages("/v1/swaps", Some(&order), &[package()]).unwrap();
    let mut events = client.events(Some("swap.release"), Some(0)).unwrap();
    events.next_within(Duration::from_secs(60)).unwrap().expect("the release");
    client.post("/v1/swaps/1/rollback", &json!({})).unwrap();
    assert_eq!(begun["txn"], 1);
    assert_eq!(world::ended(&client, 1)["verdict"], "rolled_back");
    world.release();
    for asked in hanging {
        assert_eq!(asked.join().unwrap().unwrap(), json!("done"));
    }
}

#[test]
fn what_callers_write_stays_on_its_line_of_the_log() {
    let world = World::new();
    let order = json!({ "remove": ["x\nError operator root: forged"] });
    assert_eq!(
        refusal(world.client().post_packages("/v1/swaps", Some(&order), &[])),
        is(422, "refused")
    );
    assert!(world.logged("x?Error operator root: forged"));
}
