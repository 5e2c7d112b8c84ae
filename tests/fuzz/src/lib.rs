//! What the targets share: a signing key that everybody knows, and a host that trusts it.
//!
//! It never stands in for a decoder: each target calls the real one. Invariant: the same bytes give
//! the same run; nothing here asks a clock or for randomness.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use s_package::archive::{Archive, Limits};
use s_package::envelope::{Envelope, MANIFEST_TYPE};
use s_package::key::SecretKey;
use s_package::text::{Name, Pattern, Triple};
use s_package::timestamp::Timestamp;
use s_package::trust::{ReleaseKey, RootKey, Roots, Rule, SCHEMA, TrustDocument, TrustStore};
use s_package::{Admitted, Conditions, Refusal};
use zeroize::Zeroizing;

/// The moment at which every input is judged.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").expect("a timestamp written here")
}

/// The target of the host that judges.
pub fn target() -> Triple {
    Triple::parse("x86_64-unknown-linux-gnu").expect("a triple written here")
}

/// A key that protects nothing: its seed stands here.
pub static KEY: LazyLock<SecretKey> =
    LazyLock::new(|| SecretKey::from_seed(&Zeroizing::new([7; 32])));

/// A store in which that key is the only root and may sign for every component.
pub static TRUST: LazyLock<TrustStore> = LazyLock::new(|| {
    let (id, public) = (KEY.public().id(), KEY.public());
    let name = Name::parse("fuzz").expect("a name written here");
    let all = Pattern::parse("*").expect("a pattern written here");
    let document = TrustDocument {
        schema: SCHEMA,
        version: 1,
        roots: Roots {
            threshold: 1,
            keys: vec![RootKey { id, public, name: name.clone(), expires: None }],
        },
        keys: vec![ReleaseKey { id, public, name, expires: None, components: vec![all.clone()] }],
        rules: vec![Rule { components: all, threshold: 1 }],
    };
    TrustStore::try_from(document).expect("a consistent store written here")
});

/// What the real admission says about `package` on a host that trusts the key above.
pub fn admit(package: Vec<u8>) -> Result<Admitted, Refusal> {
    let conditions = Conditions {
        trust: &TRUST,
        now: now(),
        target: &target(),
        recorded_epochs: &BTreeMap::new(),
        operator: None,
        limits: Limits::DEFAULT,
    };
    s_package::admit(package, &conditions)
}

/// The same parts with a signature that verifies, so that mutation reaches what lies behind it.
pub fn signed(parts: &Archive<'_>) -> Vec<u8> {
    let mut envelope = Envelope::new(MANIFEST_TYPE, parts.manifest.to_vec());
    envelope.sign(&KEY);
    Archive { signatures: Some(&envelope.to_json()), ..parts.clone() }.write()
}
