//! Writes the hand-made inputs from which the fuzzer starts: `cargo run --example seeds` in this
//! folder. Run it again when a format changes, then `cargo xtask fuzz --keep`. With `--check` it
//! writes nothing and fails if a committed seed is not what it would write.
//!
//! It never removes a file: inputs that found something stay. Invariant: each seed is made by the code
//! that its target attacks, so it is valid by construction.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use s_package::archive::Archive;
use s_package::envelope::{Envelope, MANIFEST_TYPE, TRUST_TYPE};
use s_package::manifest::{Code, Facts, Manifest, SCHEMA};
use s_package::trust::TrustStore;
use s_sdk::value::Value;
use s_transaction::journal::{Bound, Digest, Record, Set, encode, new_journal};
use s_wire::{Flags, Header, PduKind, PduVersion};

// The codec's tests say whole messages as values; so do its seeds.
#[path = "../../../agent/wire/tests/wire/owned.rs"]
mod owned;
use owned::{Data, Datum, OwnedBinding, OwnedMessage, OwnedPdu, Security};

// What answers wait for.
#[allow(dead_code, reason = "seeds need what is sent, and no more")]
#[path = "../src/waiting.rs"]
mod waiting;

const FACTS: &str = r#"{
    "component": "demo.counter", "version": "1.4.0", "name": "counter",
    "annotation": "first light",
    "behaviors": [{"name": "Counter", "version": 1, "hash": "0011223344556677"}],
    "dependencies": [{"component": "demo.clock", "range": "^1.2"}],
    "state": {"kind": "counter", "version": 3, "imports": [2, 3], "exports": [2, 3]},
    "resident_tables": [{"name": "counts", "row_hash": "0011223344556677"}],
    "toolchain": "rustc 1.95.0", "abi_version": 1
}"#;

/// Texts with a line of everything that is read.
const TEXTS: &[(&str, &str, &str)] = &[
    ("snmpd_conf", "access", include_str!("texts/access.conf")),
    ("snmpd_conf", "users-and-receivers", include_str!("texts/users-and-receivers.conf")),
    ("snmpd_conf", "persistent", include_str!("texts/persistent.conf")),
    ("configuration", "everything", include_str!("texts/everything.toml")),
    ("kernel", "proc-net", include_str!("texts/proc-net.txt")),
    ("kernel", "proc-host", include_str!("texts/proc-host.txt")),
];

fn main() -> Result<(), Box<dyn Error>> {
    let code = b"code";
    let manifest = Manifest {
        schema: SCHEMA,
        module: Facts::parse(FACTS.as_bytes())?,
        epoch: 7,
        not_before: Some(fuzz::now()),
        expires: None,
        targets: BTreeMap::from([(fuzz::target(), Code::of(code))]),
    };
    let json = manifest.to_json()?;
    keep("manifest", "whole", &json)?;
    keep("manifest", "facts", FACTS.as_bytes())?;

    keep("control", "empty", b"{}")?;
    let order = br#"{"remove":["a.b"],"confirm":{"by":"operator","seconds":60},
        "deadlines_ms":{"whole":30000,"quiesce":500},"allow_downgrade":true}"#;
    s_control::order::Order::parse(order)?;
    keep("control", "whole", order)?;

    let unsigned = Archive {
        manifest: &json,
        code: BTreeMap::from([(fuzz::target(), &code[..])]),
        signatures: None,
    };
    keep("package", "unsigned", &unsigned.write())?;
    let signed = fuzz::signed(&unsigned);
    fuzz::admit(signed.clone())?;
    keep("package", "signed", &signed)?;

    let mut envelope = Envelope::new(MANIFEST_TYPE, b"{}".to_vec());
    keep("envelope", "unsigned", &envelope.to_json())?;
    envelope.sign(&fuzz::KEY);
    keep("envelope", "manifest-signed", &envelope.to_json())?;
    let mut envelope = Envelope::new(TRUST_TYPE, b"{}".to_vec());
    envelope.sign(&fuzz::KEY);
    keep("envelope", "trust-signed", &envelope.to_json())?;

    let current = &*fuzz::TRUST;
    keep("trust", "store", &current.to_json())?;
    let mut next = current.document().clone();
    next.version += 1;
    let next = TrustStore::try_from(next)?;
    keep("trust", "next-store", &next.to_json())?;
    let mut update = Envelope::new(TRUST_TYPE, next.to_json());
    update.sign(&fuzz::KEY);
    current.updated(&update.to_json(), fuzz::now())?;
    keep("trust", "update", &update.to_json())?;

    let bound = |version: &str, package| Bound { version: version.to_owned(), package, epoch: 3 };
    let mut set = Set::from_iter([
        ("demo.clock".to_owned(), bound("1.0.0", None)),
        ("demo.counter".to_owned(), bound("1.4.0", Some(Digest([7; 32])))),
    ]);
    set.vacate("demo.gone");
    let members: Vec<String> = set.modules.keys().cloned().collect();
    let records = [
        Record::Start { boot: 1 },
        Record::Healthy { boot: 1 },
        Record::Begin { txn: 1, members: members.clone() },
        Record::Commit { txn: 1, on_trial: false, set: set.clone() },
        Record::Confirm { txn: 1 },
        Record::Begin { txn: 2, members: members.clone() },
        Record::Abort { txn: 2 },
        Record::Begin { txn: 3, members },
        Record::Commit { txn: 3, on_trial: true, set: set.clone() },
        Record::Rollback { txn: 3, set },
        Record::Epoch { component: "demo.counter".to_owned(), epoch: 7 },
        Record::Trust { path: "trust.json".to_owned() },
    ];
    // Once as a file, once in the form in which the target adds the checksums itself.
    let (mut whole, mut payloads) = (new_journal(), Vec::new());
    for record in &records {
        let frame = encode(record)?;
        let payload = &frame[8..];
        payloads.push(u8::try_from(payload.len())?);
        payloads.extend_from_slice(payload);
        whole.extend(frame);
    }
    keep("journal", "whole", &whole)?;
    keep("journal", "torn", &whole[..whole.len() - 1])?;
    keep("journal", "payloads", &payloads)?;

    let members = [
        ("null", Value::Null),
        ("bool", Value::Bool(true)),
        ("negative", Value::I64(-1)),
        ("large", Value::U64(u64::MAX)),
        ("float", Value::F64(1.5)),
        ("octets", Value::from(vec![0, 255])),
        ("text", Value::from("é")),
        ("list", Value::from(vec![Value::List(vec![].into())])),
        ("oid", Value::Oid(vec![1, 3, 6, 1, 4, 1, u32::MAX].into())),
        ("relative", Value::Oid(vec![1].into())),
    ];
    let map = members.into_iter().map(|(key, value)| (key.to_owned(), value));
    keep("value", "every-kind", &Value::Map(map.collect()).encode())?;

    for (name, message) in messages() {
        OwnedMessage::decode(&message.encode())?;
        keep("wire", name, &message.encode())?;
        keep("judges", name, &message.encode())?;
    }
    // Cut into pieces of three octets.
    let all: Vec<u8> = messages().iter().flat_map(|(_, message)| message.encode()).collect();
    keep("stream", "messages", &[&[2], &all[..]].concat())?;
    keep(
        "stream",
        "no-message",
        &[&[2, 0x30, 2, 5, 0], b"GET / HTTP/1.1\r\n\r\n".as_slice()].concat(),
    )?;

    for (name, from, answer) in waiting::World::new().answers() {
        let from = match from {
            waiting::THERE => 0,
            waiting::KNOWN => 1,
            _ => 2,
        };
        keep("hear", name, &[&[from], &answer[..]].concat())?;
    }

    // The octet says which module, and whether it is what it kept. Some of it is random, so that a seed is sound
    // while its module takes it.
    for (number, module) in (0..).step_by(2).zip(fuzz::modules::hosted()) {
        let takes_over = |seed: &[u8]| module.import(seed.get(1..).unwrap_or_default()).is_ok();
        let carried = [&[number], &module.exported()[..]].concat();
        keep_if("kept", &format!("{}-carried", module.name), &carried, takes_over)?;
        if let Some(saved) = module.saved() {
            let takes_back = |seed: &[u8]| module.restore(seed.get(1..).unwrap_or_default());
            let kept = [&[number + 1], &saved[..]].concat();
            keep_if("kept", &format!("{}-kept", module.name), &kept, takes_back)?;
        }
    }
    keep("kept", "file", &[255, 1, 2, 3])?;

    for (target, name, text) in TEXTS {
        keep(target, name, text.as_bytes())?;
    }
    keep("kernel", "netlink", &netlink())?;

    // Everything that comes in a recorded conversation.
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conversations/recorded");
    for entry in fs::read_dir(recorded)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inputs = s_conversations::script::inputs(&fs::read_to_string(&path)?)?;
        for (number, input) in (1..).zip(&inputs) {
            keep("engine", &format!("{stem}-{number}"), input)?;
        }
    }
    Ok(())
}

/// A message of every form, with every PDU and every value in one of them.
fn messages() -> Vec<(&'static str, OwnedMessage)> {
    let name = || vec![1, 3, 6, 1, 2, 1, 1, 3, 0];
    let bind = |value| OwnedBinding { name: name(), value };
    let early = vec![
        bind(Datum::Integer(-129)),
        bind(Datum::Octets(vec![7; 130])),
        bind(Datum::Null),
        bind(Datum::Oid(vec![2, 999, u32::MAX])),
        bind(Datum::IpAddress([192, 0, 2, 1])),
        bind(Datum::Counter32(u32::MAX)),
        bind(Datum::Gauge32(128)),
        bind(Datum::TimeTicks(0)),
        bind(Datum::Opaque(vec![0x9f, 0x78, 4, 0, 0, 0, 0])),
    ];
    let later = vec![
        bind(Datum::NsapAddress(vec![1, 2, 3])),
        bind(Datum::Counter64(u64::MAX)),
        bind(Datum::UInteger32(7)),
        bind(Datum::NoSuchObject),
        bind(Datum::NoSuchInstance),
        bind(Datum::EndOfMibView),
    ];
    let pdu = |kind, bindings| OwnedPdu::Pdu {
        kind,
        request_id: -2,
        error_status: 0,
        error_index: 10,
        bindings,
    };
    let community =
        |version, pdu| OwnedMessage::Community { version, community: b"public".to_vec(), pdu };
    let header = |flags, security_model| Header {
        msg_id: 9,
        max_size: 1472,
        flags: Flags(flags),
        security_model,
    };
    let usm = || Security::Usm {
        engine_id: vec![0x80, 0, 0x1f, 0x88, 4],
        engine_boots: 3,
        engine_time: 70_000,
        user_name: b"operator".to_vec(),
        authentication: vec![0; 24],
        privacy: vec![1; 8],
    };
    let trap = OwnedPdu::TrapV1 {
        enterprise: name(),
        agent_address: [192, 0, 2, 1],
        generic_trap: 6,
        specific_trap: 3,
        time_stamp: 5,
        bindings: vec![bind(Datum::Null)],
    };
    let plain = Data::Plain {
        context_engine_id: vec![0x80, 0, 0x1f, 0x88, 4],
        context_name: b"context".to_vec(),
        pdu: pdu(PduKind::Report, vec![bind(Datum::Counter32(1))]),
    };
    let encrypted = || Data::Encrypted(vec![0xa5; 40]);
    vec![
        ("v1", community(PduVersion::V1, pdu(PduKind::Set, early))),
        ("v1-trap", community(PduVersion::V1, trap)),
        ("v2c", community(PduVersion::V2, pdu(PduKind::Response, later))),
        ("v2c-bulk", community(PduVersion::V2, pdu(PduKind::GetBulk, vec![bind(Datum::Null)]))),
        ("v3", OwnedMessage::V3 { header: header(4, 3), security: usm(), data: plain }),
        (
            "v3-private",
            OwnedMessage::V3 { header: header(7, 3), security: usm(), data: encrypted() },
        ),
        (
            "v3-other-model",
            OwnedMessage::V3 {
                header: header(0, 4),
                security: Security::Other(vec![1, 2, 3]),
                data: encrypted(),
            },
        ),
    ]
}

fn keep(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    keep_if(target, name, bytes, |committed| committed == bytes)
}

/// Writes a seed, or checks the committed one.
fn keep_if(
    target: &str,
    name: &str,
    bytes: &[u8],
    is_sound: impl Fn(&[u8]) -> bool,
) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let file = folder.join(name);
    if !std::env::args().any(|argument| argument == "--check") {
        fs::create_dir_all(&folder)?;
        return Ok(fs::write(file, bytes)?);
    }
    if fs::read(&file).is_ok_and(|committed| is_sound(&committed)) {
        return Ok(());
    }
    Err(format!(
        "the seed {target}/{name} is missing or of another format; \
         run `cargo run --example seeds` in tests/fuzz"
    )
    .into())
}

/// A message of netlink with attributes of every length that is read, in the order of a little-endian machine.
fn netlink() -> Vec<u8> {
    let attribute = |kind: u8, value: &[u8]| {
        let mut octets = vec![u8::try_from(value.len() + 4).unwrap_or(4), 0, kind, 0];
        octets.extend_from_slice(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    };
    // struct ifinfomsg, as long as any head of a body but that of a socket.
    let mut body = vec![0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0];
    body.extend(attribute(3, b"eth0\0"));
    body.extend(attribute(1, &[2, 0, 0, 0, 0, 1]));
    body.extend(attribute(4, &1500_u32.to_le_bytes()));
    body.extend(attribute(16, &[6]));
    body.extend(attribute(18, &attribute(1, b"bridge\0")));
    body.extend(attribute(23, &[7; 24 * 8]));
    let len = u32::try_from(16 + body.len()).unwrap_or(16);
    let mut message = len.to_le_bytes().to_vec();
    message.extend([16, 0, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0]);
    message.extend(body);
    // A route over two hops, and the end.
    let mut route = vec![2, 24, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
    route.extend(attribute(1, &[10, 0, 0, 0]));
    let hop = [&[16, 0, 0, 0, 2, 0, 0, 0][..], &attribute(5, &[10, 0, 0, 1])].concat();
    route.extend(attribute(9, &[&hop[..], &hop].concat()));
    let len = u32::try_from(16 + route.len()).unwrap_or(16);
    message.extend(len.to_le_bytes());
    message.extend([24, 0, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0]);
    message.extend(route);
    message
}
