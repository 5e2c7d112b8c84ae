//! Keys, facts and trust stores that the tests share. All keys are made from their holder's name.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its own part

use s_package::trust::{ReleaseKey, RootKey, Roots, Rule, SCHEMA};
use s_package::{
    Digest, Facts, Name, Pattern, SecretKey, Timestamp, Triple, TrustDocument, TrustStore,
};
use zeroize::Zeroizing;

pub const LINUX: &str = "x86_64-unknown-linux-gnu";
pub const ARM: &str = "aarch64-unknown-linux-gnu";
pub const CODE: &[u8] = b"\x7fELF and so on";

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn triple(text: &str) -> Triple {
    Triple::parse(text).unwrap()
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn secret(holder: &str) -> SecretKey {
    SecretKey::from_seed(&Zeroizing::new(Digest::of(holder.as_bytes()).0))
}

pub fn facts(component: &str) -> Facts {
    let json = format!(
        r#"{{"component": "{component}", "version": "1.4.0", "name": "security-core",
            "behaviors": [], "toolchain": "rustc 1.95.0", "abi_version": 1}}"#
    );
    Facts::parse(json.as_bytes()).unwrap()
}

pub fn root(holder: &str) -> RootKey {
    let public = secret(holder).public();
    RootKey::new(name(holder), public)
}

fn release_key(holder: &str, components: &str, expires: Option<&str>) -> ReleaseKey {
    let public = secret(holder).public();
    ReleaseKey {
        id: public.id(),
        public,
        name: name(holder),
        expires: expires.map(time),
        components: vec![Pattern::parse(components).unwrap()],
    }
}

/// Alice and bob may sign everything; two others may not sign `security.*` or not any more.
pub fn document(version: u64, roots: &[&str], threshold: u32) -> TrustDocument {
    TrustDocument {
        schema: SCHEMA,
        version,
        roots: Roots { threshold, keys: roots.iter().map(|holder| root(holder)).collect() },
        keys: vec![
            release_key("alice", "*", None),
            release_key("bob", "security.*", Some("2030-01-01T00:00:00Z")),
            release_key("table-only", "table.*", None),
            release_key("expired", "*", Some("2026-01-01T00:00:00Z")),
        ],
        rules: vec![Rule { components: Pattern::parse("*").unwrap(), threshold: 1 }],
    }
}

pub fn trust(version: u64, roots: &[&str], threshold: u32) -> TrustStore {
    TrustStore::try_from(document(version, roots, threshold)).unwrap()
}

pub fn with_threshold(components: &str, threshold: u32) -> TrustStore {
    let mut document = document(1, &["root"], 1);
    document.rules = vec![Rule { components: Pattern::parse(components).unwrap(), threshold }];
    TrustStore::try_from(document).unwrap()
}
