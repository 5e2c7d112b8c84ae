//! What the monitoring system that an operator already has sees of swaps: notifications, tables, counters.

use crate::world::{Live, MANAGER, package, signed, unsigned};
use serde_json::json;
use std::net::UdpSocket;
use std::time::Duration;

/// swapCommitted, swapAborted and swapRolledBack, as an OBJECT IDENTIFIER is encoded.
const fn told(last: u8) -> [u8; 11] {
    // 1.3.6.1.4.1.32473.2.0.N
    [0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 2, 0, last]
}

struct Receiver(UdpSocket);

impl Receiver {
    fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let to = socket.local_addr().unwrap();
        let table = format!("[[notify]]\naddress = \"udp:{to}\"\ncommunity = \"tell\"\n");
        (Receiver(socket), table)
    }

    /// Waits for a notification; the datagram.
    fn hears(&self, name: &[u8]) -> Vec<u8> {
        let mut room = [0; 4096];
        loop {
            let len = self.0.recv(&mut room).expect("a notification in time");
            if room[..len].windows(name.len()).any(|octets| octets == name) {
                return room[..len].to_vec();
            }
        }
    }
}

fn contains(datagram: &[u8], text: &str) -> bool {
    datagram.windows(text.len()).any(|octets| octets == text.as_bytes())
}

#[test]
fn managers_are_told_of_every_end_and_of_a_start_that_went_back() {
    let (receiver, table) = Receiver::new();
    let live = Live::start_with(&table);
    live.must_push(&["mib-tcp"]);
    assert!(contains(&receiver.hears(&told(1)), "mib.tcp"));
    let bad = signed(&unsigned("mib-tcp"), "stranger");
    let txn = live.begin(&json!({}), &[bad]).unwrap();
    assert_eq!(live.end_of(txn)["verdict"], "aborted");
    assert!(contains(&receiver.hears(&told(2)), "verify"));
    let order = json!({ "confirm": { "by": "silence", "seconds": 600 } });
    let txn = live.begin(&order, &[package("udp_ends")]).unwrap();
    live.until_on_trial(txn);
    let live = live.again();
    assert!(contains(&receiver.hears(&told(3)), "on trial"));
    assert!(live.version("mib.udp").starts_with("1."));
}

#[test]
fn tables_show_what_serves_and_what_became_of_swaps() {
    const SWAP: &str = ".1.3.6.1.4.1.32473.2.1";
    let live = Live::start();
    live.must_push(&["mib-tcp"]);
    live.must_push(&["security-usm-next"]);
    live.until_it_answers("mib.tcp", MANAGER, &["snmpwalk", SWAP]);
    live.until_it_answers("security.usm", MANAGER, &["snmpwalk", SWAP]);
    let revisions = live.tool("snmpwalk", MANAGER, &[".1.3.6.1.2.1.47.1.1.1.1.10"]);
    assert!(revisions.contains("\"2.0.0\""), "{revisions}");
    let walk = live.tool("snmpwalk", MANAGER, &[SWAP]);
    assert!(walk.contains("sha256:"), "where code comes from: {walk}");
}
