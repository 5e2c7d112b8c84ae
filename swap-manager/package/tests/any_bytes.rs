//! Whatever bytes arrive, the answer is a value or an error: never a panic, never an admission.
//! Random bytes rarely get far, so most cases start from a good package and damage it.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod common;

use std::collections::BTreeMap;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use s_package::envelope::{MANIFEST_TYPE, TRUST_TYPE};
use s_package::{
    Archive, Conditions, Envelope, Facts, Limits, Manifest, PublicKey, Refusal, Release, SecretKey,
    TrustStore, admit, pack, sign,
};

fn verdict(package: Vec<u8>) -> Result<s_package::Admitted, Refusal> {
    let conditions = Conditions {
        trust: &trust(1, &["root"], 1),
        now: time("2026-06-01T00:00:00Z"),
        target: &triple(LINUX),
        recorded_epochs: &BTreeMap::new(),
        operator: None,
        limits: Limits::DEFAULT,
    };
    admit(package, &conditions)
}

fn good() -> Vec<u8> {
    let code = BTreeMap::from([(triple(LINUX), CODE.to_vec())]);
    let package = pack(facts("security.core"), Release::default(), &code).unwrap();
    sign(&package, &secret("alice"), &Limits::DEFAULT).unwrap()
}

/// Every decoder that meets foreign bytes.
fn decode_all(bytes: &[u8]) {
    let _ = Archive::read(bytes, &Limits::DEFAULT);
    let _ = Manifest::parse(bytes);
    let _ = Facts::parse(bytes);
    let _ = Envelope::parse(bytes, MANIFEST_TYPE);
    let _ = Envelope::parse(bytes, TRUST_TYPE);
    let _ = TrustStore::parse(bytes);
    let _ = trust(1, &["root"], 1).updated(bytes, time("2026-06-01T00:00:00Z"));
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = PublicKey::parse(text);
        let _ = SecretKey::parse(text);
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<usize>(), 1usize..1024).prop_map(|(at, length)| Damage::Cut(at, length)),
        (any::<usize>(), 1usize..1024).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let count = bytes.len();
        match *damage {
            Damage::Set(at, byte) => bytes[at % count] = byte,
            Damage::Cut(at, length) => {
                drop(bytes.drain(at % count..count.min(at % count + length)))
            }
            Damage::Repeat(at, length) => {
                let piece = bytes[at % count..count.min(at % count + length)].to_vec();
                bytes.splice(at % count..at % count, piece);
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..2048)) {
        decode_all(&bytes);
        prop_assert!(verdict(bytes).is_err());
    }

    #[test]
    fn damaged_package(damages in vec(damage(), 1..4)) {
        let good = good();
        let package = damaged(good.clone(), &damages);
        decode_all(&package);
        // Damage may fall on the owner and time fields of the tar, which mean nothing; what was signed
        // must have survived every damage that is admitted.
        if let Ok(admitted) = verdict(package) {
            prop_assert_eq!(admitted.code(), CODE);
            let undamaged = verdict(good).unwrap();
            prop_assert_eq!(admitted.manifest(), undamaged.manifest());
        }
    }

    #[test]
    fn damaged_parts(damages in vec(damage(), 1..4)) {
        let package = good();
        let archive = Archive::read(&package, &Limits::DEFAULT).unwrap();
        decode_all(&damaged(archive.manifest.to_vec(), &damages));
        let signatures = damaged(archive.signatures.unwrap().to_vec(), &damages);
        decode_all(&signatures);
        decode_all(&damaged(trust(2, &["root"], 1).to_json(), &damages));
        let _ = verdict(Archive { signatures: Some(&signatures), ..archive }.write());
    }
}
