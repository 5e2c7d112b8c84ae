//! What the targets share: a signing key that everybody knows, a host that trusts it, and a place for files.
//!
//! It never stands in for a decoder: each target calls the real one. Invariant: the same bytes give
//! the same run; nothing here asks a clock or for randomness.

/// What runs sagentd's own readers. The daemon is no library, so its files are taken in as they are; they name each
/// other from their root, which is why they are named here.
pub mod attack;
#[allow(dead_code, unreachable_pub, reason = "only its readers are attacked")]
#[path = "../../../agent/daemon/src"]
mod daemon {
    pub(crate) mod address;
    pub(crate) mod answering;
    pub(crate) mod application;
    pub(crate) mod batch;
    pub(crate) mod commands;
    pub(crate) mod config;
    pub(crate) mod connection;
    pub(crate) mod control;
    pub(crate) mod doctor;
    pub(crate) mod first_user;
    pub(crate) mod identity;
    pub(crate) mod keeper;
    pub(crate) mod latency;
    pub(crate) mod later;
    pub(crate) mod local;
    pub(crate) mod log;
    pub(crate) mod looks;
    pub(crate) mod metrics;
    pub(crate) mod notify;
    pub(crate) mod oids;
    pub(crate) mod options;
    pub(crate) mod places;
    pub(crate) mod privileges;
    pub(crate) mod serving;
    pub(crate) mod snmpd_conf;
    pub(crate) mod sockets;
    pub(crate) mod store;
    pub(crate) mod stream;
    pub(crate) mod threads;
    pub(crate) mod told;
    pub(crate) mod trial;
    pub(crate) mod udp;
    pub(crate) mod watch;
    pub(crate) mod why;
}
/// Linked modules that carry state or keep something.
pub mod modules;

#[allow(unused_imports, reason = "most of it names itself")]
use daemon::*;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use s_package::archive::{Archive, Limits};
use s_package::envelope::{Envelope, MANIFEST_TYPE};
use s_package::key::SecretKey;
use s_package::text::{Name, Pattern, Triple};
use s_package::timestamp::Timestamp;
use s_package::trust::{ReleaseKey, RootKey, TrustDocument, TrustStore};
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
    let (name, public) = (Name::parse("fuzz").expect("a name written here"), KEY.public());
    let document = TrustDocument::first(
        vec![RootKey::new(name.clone(), public)],
        vec![ReleaseKey::new(name, public, vec![Pattern::any()])],
    );
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

/// An empty folder for a target whose reader wants files: always the same, beside the target's binary.
pub fn folder(target: &str) -> PathBuf {
    let binary = std::env::current_exe().expect("a process knows what it runs");
    let folder = binary.with_file_name("fuzz-files").join(target);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("there is room beside the binary");
    folder
}
