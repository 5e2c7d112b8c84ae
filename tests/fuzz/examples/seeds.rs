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

const FACTS: &str = r#"{
    "component": "demo.counter", "version": "1.4.0", "name": "counter",
    "annotation": "first light",
    "behaviors": [{"name": "Counter", "version": 1, "hash": "0011223344556677"}],
    "dependencies": [{"component": "demo.clock", "range": "^1.2"}],
    "state": {"kind": "counter", "version": 3, "imports": [2, 3], "exports": [2, 3]},
    "resident_tables": [{"name": "counts", "row_hash": "0011223344556677"}],
    "toolchain": "rustc 1.95.0", "abi_version": 1
}"#;

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

    let set = Set::from([
        ("demo.clock".to_owned(), Bound { version: "1.0.0".to_owned(), package: None }),
        (
            "demo.counter".to_owned(),
            Bound { version: "1.4.0".to_owned(), package: Some(Digest([7; 32])) },
        ),
    ]);
    let members: Vec<String> = set.keys().cloned().collect();
    let records = [
        Record::Start { boot: 1 },
        Record::Healthy { boot: 1 },
        Record::Begin { txn: 1, members: members.clone() },
        Record::Commit { txn: 1, by_operator: false, set: set.clone() },
        Record::Confirm { txn: 1 },
        Record::Begin { txn: 2, members: members.clone() },
        Record::Abort { txn: 2 },
        Record::Begin { txn: 3, members },
        Record::Commit { txn: 3, by_operator: true, set: set.clone() },
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
        ("octets", Value::Bytes(vec![0, 255])),
        ("text", Value::Text("é".to_owned())),
        ("list", Value::List(vec![Value::List(vec![])])),
        ("oid", Value::Oid(vec![1, 3, 6, 1, 4, 1, u32::MAX])),
        ("relative", Value::Oid(vec![1])),
    ];
    let map = members.into_iter().map(|(key, value)| (key.to_owned(), value));
    keep("value", "every-kind", &Value::Map(map.collect()).encode())
}

fn keep(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let file = folder.join(name);
    if !std::env::args().any(|argument| argument == "--check") {
        fs::create_dir_all(&folder)?;
        return Ok(fs::write(file, bytes)?);
    }
    if fs::read(&file).is_ok_and(|committed| committed == bytes) {
        return Ok(());
    }
    Err(format!(
        "the seed {target}/{name} is missing or of another format; \
         run `cargo run --example seeds` in tests/fuzz"
    )
    .into())
}
