//! Signed packages and the trust that admits them: the `verify` phase.
//!
//! A package (`.smod`) is a plain tar with `manifest.json`, `code/<target-triple>.so` and
//! `signatures.json`. [`admit()`] is the only way from bytes to an [`Admitted`] package; everything
//! else here is a part that it uses, or what makes packages and trust stores in the first place.
//!
//! This crate never asks the clock, opens no file and runs nothing of a module: time, recorded epochs
//! and bytes are arguments. Invariant: no byte is interpreted before its size limit was checked, and no
//! code leaves this crate unless its digest stands in a manifest that enough trusted keys have signed.
//!
//! The modules stand in the order in which a package meets them.
//!
//! ```
//! use std::collections::BTreeMap;
//! use s_package::trust::{ReleaseKey, RootKey};
//! use s_package::*;
//!
//! // Once: a key, and a trust store in which it may sign for security components.
//! # let seed = zeroize::Zeroizing::new([7; 32]);
//! let key = SecretKey::from_seed(&seed);
//! let (public, name) = (key.public(), Name::parse("alice")?);
//! let trust = TrustStore::try_from(TrustDocument::first(
//!     vec![RootKey::new(name.clone(), public)],
//!     vec![ReleaseKey::new(name, public, vec![Pattern::parse("security.*")?])],
//! ))?;
//!
//! // The maker packs and signs.
//! let facts = Facts::parse(br#"{
//!     "component": "security.core", "version": "1.4.0", "name": "security-core",
//!     "behaviors": [], "toolchain": "rustc 1.95.0", "abi_version": 1
//! }"#)?;
//! let target = Triple::parse("x86_64-unknown-linux-gnu")?;
//! let code = BTreeMap::from([(target.clone(), b"the shared object".to_vec())]);
//! let package = sign(&pack(facts, Release::default(), &code)?, &key, &Limits::DEFAULT)?;
//!
//! // The host admits, or learns why not.
//! let admitted = admit(package, &Conditions {
//!     trust: &trust,
//!     now: Timestamp::parse("2026-06-01T00:00:00Z")?,
//!     target: &target,
//!     recorded_epochs: &BTreeMap::new(),
//!     operator: None,
//!     limits: Limits::DEFAULT,
//! })?;
//! assert_eq!(admitted.code(), b"the shared object");
//! assert!(admitted.signers().contains(&public.id()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod archive;
pub mod manifest;

pub mod key;

pub mod envelope;

pub mod trust;

pub mod admit;

// The other direction: how packages are made.
pub mod make;

// What the files above are written with.
pub mod text;
pub mod timestamp;

pub use admit::{
    Admitted, Conditions, Fault, Override, Refusal, UsedOverride, admit, admit_placed,
};
pub use archive::{Archive, ArchiveFault, Limits};
pub use envelope::{Envelope, EnvelopeFault};
pub use key::{KeyFault, KeyId, PublicKey, SecretKey};
pub use make::{Release, pack, sign};
pub use manifest::{Facts, Manifest, ManifestFault};
pub use text::{Digest, Name, Pattern, StructuralHash, Triple};
pub use timestamp::Timestamp;
pub use trust::{TrustDocument, TrustFault, TrustStore, UpdateRefusal};
