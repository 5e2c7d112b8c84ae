//! Every way in which a trust update can be wrong, and the ways in which it is right.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod common;

use common::*;
use s_package::envelope::{MANIFEST_TYPE, TRUST_TYPE};
use s_package::{Envelope, TrustDocument, TrustStore, UpdateRefusal};

const NOW: &str = "2026-06-01T00:00:00Z";

fn update(document: TrustDocument, signers: &[&str]) -> Vec<u8> {
    let store = TrustStore::try_from(document).unwrap();
    let mut envelope = Envelope::new(TRUST_TYPE, store.to_json());
    for signer in signers {
        envelope.sign(&secret(signer));
    }
    envelope.to_json()
}

fn applied(old: &TrustStore, update: &[u8]) -> Result<TrustStore, UpdateRefusal> {
    old.updated(update, time(NOW))
}

#[test]
fn next_version_signed_by_the_root() {
    let mut document = document(2, &["root"], 1);
    document.keys.retain(|key| key.name != name("bob"));
    let new = applied(&trust(1, &["root"], 1), &update(document, &["root"])).unwrap();
    assert_eq!(new.document().version, 2);
    assert!(new.release_key(secret("bob").public().id()).is_none(), "bob is revoked");
}

#[test]
fn rotated_root() {
    let first = trust(1, &["root"], 1);
    let second = applied(&first, &update(document(2, &["heir"], 1), &["root", "heir"])).unwrap();
    let third = applied(&second, &update(document(3, &["heir"], 1), &["heir"])).unwrap();
    assert_eq!(third.document().version, 3);
    let by_the_old_root = update(document(4, &["root"], 1), &["root"]);
    assert_eq!(
        applied(&third, &by_the_old_root),
        Err(UpdateRefusal::BelowOldThreshold { found: 0, needed: 1 })
    );
}

#[test]
fn skipped_version() {
    let refusal = applied(&trust(1, &["root"], 1), &update(document(3, &["root"], 1), &["root"]))
        .unwrap_err();
    assert_eq!(refusal, UpdateRefusal::WrongVersion { current: 1, found: 3 });
    assert!(refusal.to_string().contains("only 2 can follow"), "{refusal}");
}

#[test]
fn rollback_to_older_version() {
    let current = trust(5, &["root"], 1);
    for found in [1, 4, 5] {
        let refusal =
            applied(&current, &update(document(found, &["root"], 1), &["root"])).unwrap_err();
        assert_eq!(refusal, UpdateRefusal::WrongVersion { current: 5, found });
        assert!(refusal.to_string().contains("never taken back"), "{refusal}");
    }
}

#[test]
fn last_version_of_all() {
    let current = trust(u64::MAX, &["root"], 1);
    let refusal =
        applied(&current, &update(document(u64::MAX, &["root"], 1), &["root"])).unwrap_err();
    assert!(matches!(refusal, UpdateRefusal::WrongVersion { .. }));
}

#[test]
fn signed_by_new_roots_only() {
    let taken_over = update(document(2, &["mallory"], 1), &["mallory"]);
    assert_eq!(
        applied(&trust(1, &["root"], 1), &taken_over),
        Err(UpdateRefusal::BelowOldThreshold { found: 0, needed: 1 })
    );
}

#[test]
fn signed_by_old_roots_only() {
    let unproven = update(document(2, &["heir"], 1), &["root"]);
    assert_eq!(
        applied(&trust(1, &["root"], 1), &unproven),
        Err(UpdateRefusal::BelowNewThreshold { found: 0, needed: 1 })
    );
}

#[test]
fn below_the_old_threshold() {
    let old = trust(1, &["r1", "r2", "r3"], 2);
    let lowered = document(2, &["r1"], 1);
    assert_eq!(
        applied(&old, &update(lowered.clone(), &["r1"])),
        Err(UpdateRefusal::BelowOldThreshold { found: 1, needed: 2 })
    );
    assert!(applied(&old, &update(lowered, &["r1", "r3"])).is_ok());
}

#[test]
fn below_the_new_threshold() {
    let raised = document(2, &["r1", "r2"], 2);
    assert_eq!(
        applied(&trust(1, &["r1"], 1), &update(raised, &["r1"])),
        Err(UpdateRefusal::BelowNewThreshold { found: 1, needed: 2 })
    );
}

#[test]
fn duplicate_signatures_by_same_root_counted_once() {
    let mut envelope: serde_json::Value =
        serde_json::from_slice(&update(document(2, &["r1", "r2"], 2), &["r1"])).unwrap();
    let signatures = envelope["signatures"].as_array_mut().unwrap();
    signatures.push(signatures[0].clone());
    assert_eq!(
        applied(&trust(1, &["r1", "r2"], 2), envelope.to_string().as_bytes()),
        Err(UpdateRefusal::BelowOldThreshold { found: 1, needed: 2 })
    );
}

#[test]
fn expired_root() {
    let mut old = document(1, &["root"], 1);
    old.roots.keys[0].expires = Some(time(NOW));
    let old = TrustStore::try_from(old).unwrap();
    assert_eq!(
        applied(&old, &update(document(2, &["root"], 1), &["root"])),
        Err(UpdateRefusal::BelowOldThreshold { found: 0, needed: 1 })
    );
}

#[test]
fn release_keys_change_no_trust() {
    let refusal = applied(&trust(1, &["root"], 1), &update(document(2, &["alice"], 1), &["alice"]));
    assert_eq!(refusal, Err(UpdateRefusal::BelowOldThreshold { found: 0, needed: 1 }));
}

#[test]
fn payload_exchanged_under_the_signature() {
    let signed = update(document(2, &["root"], 1), &["root"]);
    let mut forged: serde_json::Value =
        serde_json::from_slice(&update(document(2, &["root", "mallory"], 1), &[])).unwrap();
    forged["signatures"] =
        serde_json::from_slice::<serde_json::Value>(&signed).unwrap()["signatures"].clone();
    let refusal = applied(&trust(1, &["root"], 1), forged.to_string().as_bytes());
    assert_eq!(refusal, Err(UpdateRefusal::BadSignature(secret("root").public().id())));
}

#[test]
fn store_signed_as_a_manifest() {
    let mut envelope = Envelope::new(MANIFEST_TYPE, trust(2, &["root"], 1).to_json());
    envelope.sign(&secret("root"));
    let refusal = applied(&trust(1, &["root"], 1), &envelope.to_json());
    assert!(matches!(refusal, Err(UpdateRefusal::Envelope(_))));
}

#[test]
fn unusable_store_inside() {
    let mut envelope = Envelope::new(TRUST_TYPE, b"{\"schema\": 1}".to_vec());
    envelope.sign(&secret("root"));
    assert!(matches!(
        applied(&trust(1, &["root"], 1), &envelope.to_json()),
        Err(UpdateRefusal::Store(_))
    ));
}
