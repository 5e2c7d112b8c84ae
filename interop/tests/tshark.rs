//! What goes over the wire, read by Wireshark: datagrams between net-snmp's tools and the agent are written
//! down on their way, and `tshark` must decrypt each, find every digest right and nothing malformed.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a failed unwrap is a failed test"
)]

use s_interop::{Server, agent};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Name, authentication and privacy as net-snmp and the agent say it, and as Wireshark does.
const USERS: [(&str, [&str; 2], [&str; 2]); 8] = [
    ("md5-des", ["MD5", "DES"], ["MD5", "DES"]),
    ("sha-aes", ["SHA", "AES"], ["SHA1", "AES"]),
    ("sha224-aes", ["SHA-224", "AES"], ["SHA2-224", "AES"]),
    ("sha256-aes", ["SHA-256", "AES"], ["SHA2-256", "AES"]),
    ("sha384-aes", ["SHA-384", "AES"], ["SHA2-384", "AES"]),
    ("sha512-aes", ["SHA-512", "AES"], ["SHA2-512", "AES"]),
    ("sha256-aes192", ["SHA-256", "AES-192"], ["SHA2-256", "AES192"]),
    ("sha256-aes256c", ["SHA-256", "AES-256-C"], ["SHA2-256", "AES256"]),
];
const AUTH: &str = "auth passphrase";
const PRIV: &str = "priv passphrase";

#[test]
fn wireshark_decrypts_every_message_and_finds_nothing_malformed() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("sagentd.toml");
    std::fs::write(&configuration, configured()).unwrap();
    let server = Server::sagentd(agent(), &configuration, &directory.path().join("state"));
    let (relay, heard) = relay(server.address);

    for (name, [auth, private], _) in USERS {
        let as_user = [
            "-v3", "-l", "authPriv", "-u", name, "-a", auth, "-A", AUTH, "-x", private, "-X", PRIV,
        ];
        ask("snmpget", &as_user, relay, &["1.3.6.1.2.1.1.3.0"]);
        ask("snmpbulkwalk", &as_user, relay, &["1.3.6.1.2.1.1"]);
        ask("snmpset", &as_user, relay, &["1.3.6.1.2.1.1.6.0", "s", "here"]);
        ask("snmpget", &as_user, relay, &["1.3.6.1.2.1.1.99.0"]);
    }
    for version in ["-v1", "-v2c"] {
        let as_community = [version, "-c", "public"];
        ask("snmpwalk", &as_community, relay, &["1.3.6.1.2.1.1"]);
        ask("snmpget", &as_community, relay, &["1.3.6.1.2.1.1.99.0"]);
    }
    server.stop();

    let capture = directory.path().join("wire.pcap");
    let datagrams: Vec<Datagram> = heard.try_iter().collect();
    std::fs::write(&capture, pcap(&datagrams)).unwrap();
    let frames = dissect(&capture);
    assert_eq!(frames.len(), datagrams.len(), "Wireshark sees every datagram");
    let mut secret: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, frame) in frames.iter().enumerate() {
        let [user, encrypted, decrypted, authentic, malformed, unreadable, failed] =
            frame.each_ref();
        let what = format!("frame {}: {frame:?}", number + 1);
        assert!([malformed, unreadable, failed].iter().all(|problem| problem.is_empty()), "{what}");
        if !encrypted.is_empty() {
            assert!(!decrypted.is_empty() && !authentic.is_empty(), "{what}");
            let (name, ..) = USERS.iter().find(|(name, ..)| name == user).expect(&what);
            *secret.entry(name).or_default() += 1;
        }
    }
    // A get, at least two of a walk, a SET and another get, each there and back.
    assert!(secret.len() == USERS.len() && secret.values().all(|count| *count >= 10), "{secret:?}");
}

fn configured() -> String {
    let users = USERS.map(|(name, [auth, private], _)| {
        format!(
            "[[user]]\nname = \"{name}\"\nauth = \"{auth}\"\nauth-passphrase = \"{AUTH}\"\n\
             priv = \"{private}\"\npriv-passphrase = \"{PRIV}\"\naccess = \"write\"\n"
        )
    });
    format!("{}[[community]]\nname = \"public\"\n", users.concat())
}

/// Asks through the relay; whatever the agent answers is fine here, silence is not.
fn ask(tool: &str, principal: &[&str], relay: SocketAddr, names: &[&str]) {
    let mut command = Command::new(tool);
    command.env("MIBS", "").args(["-t", "10", "-r", "0"]).args(principal);
    let answer = command.arg(format!("udp:{relay}")).args(names).output().unwrap();
    let problem = String::from_utf8_lossy(&answer.stderr);
    assert!(!problem.contains("Timeout"), "{tool} {principal:?}: {problem}");
}

/// A datagram on its way, and whether it goes to the agent.
struct Datagram {
    to_agent: bool,
    octets: Vec<u8>,
}

/// A port that stands for the agent and writes down what goes through it, one request at a time.
fn relay(agent: SocketAddr) -> (SocketAddr, Receiver<Datagram>) {
    let front = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = front.local_addr().unwrap();
    let (heard, told) = channel();
    std::thread::spawn(move || {
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        back.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut room = vec![0; 65_536];
        while let Ok((length, asker)) = front.recv_from(&mut room) {
            let _ = heard.send(Datagram { to_agent: true, octets: room[..length].to_vec() });
            back.send_to(&room[..length], agent).unwrap();
            if let Ok(length) = back.recv(&mut room) {
                // Heard before it is passed on: who got the answer finds it written down.
                let _ = heard.send(Datagram { to_agent: false, octets: room[..length].to_vec() });
                front.send_to(&room[..length], asker).unwrap();
            }
        }
    });
    (address, told)
}

/// A capture file of IPv4 packets without link headers (LINKTYPE_RAW), UDP to and from port 161.
fn pcap(datagrams: &[Datagram]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2_u16, 4].map(u16::to_le_bytes).concat());
    file.extend([0_u32, 0, 65_535, 101].map(u32::to_le_bytes).concat());
    for (at, Datagram { to_agent, octets }) in datagrams.iter().enumerate() {
        let length = 28 + octets.len();
        file.extend([0, at as u32, length as u32, length as u32].map(u32::to_le_bytes).concat());
        file.extend([0x45, 0]);
        file.extend((length as u16).to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        let ports: [u16; 2] = if *to_agent { [40_000, 161] } else { [161, 40_000] };
        file.extend(ports.map(u16::to_be_bytes).concat());
        file.extend(((length - 20) as u16).to_be_bytes());
        file.extend([0, 0]);
        file.extend(octets);
    }
    file
}

/// By frame: user, encrypted, decrypted, digest right, malformed, not decrypted, wrong key or digest.
fn dissect(capture: &Path) -> Vec<[String; 7]> {
    const FIELDS: [&str; 7] = [
        "snmp.msgUserName",
        "snmp.encryptedPDU",
        "snmp.decrypted_pdu",
        "snmp.authentication_ok",
        "_ws.malformed",
        "snmp.failed_decrypted_data_pdu",
        "snmp.decrypted_data_bad_formatted",
    ];
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).args(["-T", "fields", "-E", "separator=|"]);
    for (name, _, [auth, private]) in USERS {
        let user = format!("\"\",\"{name}\",\"{auth}\",\"{AUTH}\",\"{private}\",\"{PRIV}\"");
        tshark.arg("-o").arg(format!("uat:snmp_users:{user}"));
    }
    tshark.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = tshark
        .output()
        .unwrap_or_else(|error| panic!("tshark: {error}; install the package tshark"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| {
            let fields: Vec<String> = line.split('|').map(str::to_owned).collect();
            fields.try_into().unwrap_or_else(|fields| panic!("{fields:?}"))
        })
        .collect()
}
