//! Packages made from fixtures, honest ones and tampered ones, and the trust store that judges them.
//!
//! Keys are made from their holder's name. Invariant: what [`package`] makes, every host of a scenario
//! admits; each helper below it breaks exactly one thing.

use s_loader::Sealed;
use s_package::trust::{ReleaseKey, RootKey};
use s_package::{
    Archive, Digest, Facts, Limits, Name, Pattern, Release, SecretKey, Timestamp, Triple,
    TrustDocument, TrustStore, pack, sign,
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use zeroize::Zeroizing;

/// May sign everything.
pub const MAKER: &str = "maker";
/// Known, and may sign for `other.*` only.
pub const ELSEWHERE: &str = "elsewhere";
/// In no trust store.
pub const STRANGER: &str = "stranger";

pub fn key(holder: &str) -> SecretKey {
    SecretKey::from_seed(&Zeroizing::new(Digest::of(holder.as_bytes()).0))
}

pub fn target() -> Triple {
    Triple::parse(s_sdk::abi::TARGET).unwrap()
}

pub fn trust() -> TrustStore {
    let name = |holder: &str| Name::parse(holder).unwrap();
    let released = |holder: &str, components: &str| {
        let components = vec![Pattern::parse(components).unwrap()];
        ReleaseKey::new(name(holder), key(holder).public(), components)
    };
    TrustStore::try_from(TrustDocument::first(
        vec![RootKey::new(name("root"), key("root").public())],
        vec![released(MAKER, "*"), released(ELSEWHERE, "other.*")],
    ))
    .unwrap()
}

/// The shared object of a fixture, as cargo built it beside this test.
pub fn code(fixture: &str) -> Vec<u8> {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(std::path::Path::parent).unwrap();
    let path: PathBuf = profile.join("examples").join(format!("lib{fixture}.so"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build the fixtures with `cargo build -p s-tests --examples`",
            path.display()
        )
    })
}

/// What code says of itself; described in a child, as `swapctl pack` does.
pub fn facts(code: &[u8]) -> Option<Facts> {
    let sealed = Sealed::new("described", code, None).ok()?;
    let described = super::rehearsal().describe(&sealed).ok()?;
    Some(s_control::facts(&described).unwrap())
}

/// What `counter_v1` would say if it were version 1.1.0: the facts for code that cannot be described.
pub fn facts_of_a_counter() -> Facts {
    let mut facts = facts(&code("counter_v1")).unwrap();
    facts.version = semver::Version::new(1, 1, 0);
    facts
}

/// A package on its way.
#[derive(Clone)]
pub struct Recipe {
    pub code: Vec<u8>,
    pub facts: Facts,
    pub target: Triple,
    pub epoch: u64,
    pub not_before: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub signers: Vec<&'static str>,
}

impl Recipe {
    /// An honest package of a fixture.
    pub fn of(fixture: &str) -> Self {
        let code = code(fixture);
        let facts = facts(&code).unwrap_or_else(facts_of_a_counter);
        Self::from_parts(code, facts)
    }

    pub fn from_parts(code: Vec<u8>, facts: Facts) -> Self {
        Recipe {
            code,
            facts,
            target: target(),
            epoch: 0,
            not_before: None,
            expires: None,
            signers: vec![MAKER],
        }
    }

    pub fn build(self) -> Vec<u8> {
        let release =
            Release { epoch: self.epoch, not_before: self.not_before, expires: self.expires };
        let packed =
            pack(self.facts, release, &BTreeMap::from([(self.target, self.code)])).unwrap();
        self.signers
            .iter()
            .fold(packed, |package, holder| sign(&package, &key(holder), &Limits::DEFAULT).unwrap())
    }
}

/// An honest package of a fixture; made once.
pub fn package(fixture: &str) -> Vec<u8> {
    static MADE: OnceLock<Mutex<HashMap<String, Vec<u8>>>> = OnceLock::new();
    let made = MADE.get_or_init(Mutex::default);
    if let Some(package) = made.lock().unwrap().get(fixture) {
        return package.clone();
    }
    let package = Recipe::of(fixture).build();
    made.lock().unwrap().insert(fixture.to_owned(), package.clone());
    package
}

/// One bit of the code is another; the tar around it still holds together.
pub fn with_tampered_code(package: &[u8]) -> Vec<u8> {
    let archive = Archive::read(package, &Limits::DEFAULT).unwrap();
    let mut code = archive.code[&target()].to_vec();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    Archive { code: BTreeMap::from([(target(), &code[..])]), ..archive }.write()
}

/// The manifest says another annotation than the one that was signed.
pub fn with_tampered_manifest(package: &[u8]) -> Vec<u8> {
    let archive = Archive::read(package, &Limits::DEFAULT).unwrap();
    let text = std::str::from_utf8(archive.manifest).unwrap();
    let other = text.replacen("\"epoch\": 0", "\"epoch\": 9", 1);
    assert_ne!(text, other);
    Archive { manifest: other.as_bytes(), ..archive }.write()
}

/// The signatures are gone.
pub fn unsigned(package: &[u8]) -> Vec<u8> {
    let archive = Archive::read(package, &Limits::DEFAULT).unwrap();
    Archive { signatures: None, ..archive }.write()
}

/// The signatures of one package around another.
pub fn with_signatures_of(package: &[u8], other: &[u8]) -> Vec<u8> {
    let archive = Archive::read(package, &Limits::DEFAULT).unwrap();
    let signatures = Archive::read(other, &Limits::DEFAULT).unwrap().signatures;
    Archive { signatures, ..archive }.write()
}

/// A tar with this name where the manifest's should be, its checksum right.
pub fn with_entry_named(package: &[u8], name: &str) -> Vec<u8> {
    let mut bytes = package.to_vec();
    bytes[..100].fill(0);
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    fix_checksum(&mut bytes[..512]);
    bytes
}

/// A tar whose first entry is of this type: `2` is a symbolic link.
pub fn with_entry_of_type(package: &[u8], kind: u8) -> Vec<u8> {
    let mut bytes = package.to_vec();
    bytes[156] = kind;
    fix_checksum(&mut bytes[..512]);
    bytes
}

fn fix_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
