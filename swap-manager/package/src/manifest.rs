//! The manifest: all that is signed about a package, the digests of its code included.
//! Never judges trust or time; that is `admit`. Invariant: a [`Manifest`] made by [`Manifest::parse`]
//! names each thing once, has at least one target, and can be shown on a terminal as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use semver::{Version, VersionReq};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::text::{Digest, Name, Note, StructuralHash, Triple};
use crate::timestamp::Timestamp;

/// The only schema there is so far.
pub const SCHEMA: u32 = 1;
/// More behaviors, dependencies or tables than any honest module has.
pub const ITEMS_MAX: usize = 256;

/// What a package says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub schema: u32,
    /// What the module says about itself when it is described.
    pub module: Facts,
    /// Security epoch: raised when an older release must never come back.
    pub epoch: u64,
    /// Not admitted before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not admitted at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The code objects in the package.
    #[serde(deserialize_with = "each_key_once")]
    pub targets: BTreeMap<Triple, Code>,
}

/// What a module says about itself: the part of the manifest that comes from describing its code, not
/// from the person who packs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The component whose module this is.
    pub component: Name,
    /// Version of the module.
    pub version: Version,
    /// Tells two builds of one version apart; may be empty.
    #[serde(default)]
    pub annotation: Note,
    /// Name of the implementation, such as `auth-hmac-sha2`.
    pub name: Name,
    /// The behaviors that it implements.
    pub behaviors: Vec<Behavior>,
    /// The components that it calls.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// The state that it carries over a swap; absent if stateless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateVersions>,
    /// The resident tables that it works on.
    #[serde(default)]
    pub resident_tables: Vec<ResidentTable>,
    /// The compiler that made the code.
    pub toolchain: Note,
    /// Version of the ABI between host and module.
    pub abi_version: u32,
}

/// A behavior that the module implements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// Name of the behavior.
    pub name: Name,
    /// Version of the behavior.
    pub version: u32,
    /// Structural hash of its methods.
    pub hash: StructuralHash,
}

/// A component that the module calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// The component.
    pub component: Name,
    /// The versions of its module that will do.
    pub range: VersionReq,
}

/// The carried state: its kind, its version and what it can be mapped from and to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateVersions {
    /// What kind of state this is.
    pub kind: Name,
    /// The version that the module itself works with.
    pub version: u32,
    /// Versions that it can import; its own goes without saying.
    pub imports: Vec<u32>,
    /// Versions that it can export, for a downgrade; its own goes without saying.
    pub exports: Vec<u32>,
}

/// A resident table that the module works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidentTable {
    /// Name of the table.
    pub name: Name,
    /// Structural hash of its rows.
    pub row_hash: StructuralHash,
}

/// One code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// Number of bytes.
    pub size: u64,
}

impl Code {
    /// Digest and size of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Digest::of(bytes), size: bytes.len() as u64 }
    }
}

/// Bytes that are no manifest, or facts that cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Not the JSON of a manifest.
    #[error("not a manifest: {0}; pack with `swapctl pack` of this version")]
    Malformed(String),
    /// A schema of another time.
    #[error(
        "the manifest has schema {found} and this version reads {SCHEMA}; update the reader or pack again"
    )]
    UnknownSchema {
        /// The schema found.
        found: u32,
    },
    /// The same thing named twice.
    #[error("the manifest names {what} `{name}` twice; each may stand once")]
    Duplicate {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A list longer than any honest one.
    #[error("the manifest lists more than {ITEMS_MAX} {what}; split the module")]
    TooMany {
        /// What kind of thing.
        what: &'static str,
    },
    /// No target at all.
    #[error("the manifest names no target; pack at least one code object")]
    NoTarget,
    /// A validity window that is never open.
    #[error(
        "the package would expire at {expires}, before it becomes valid at {not_before}; correct --expires or --not-before"
    )]
    EmptyWindow {
        /// Start of the window.
        not_before: Timestamp,
        /// Its end.
        expires: Timestamp,
    },
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        // The schema is looked at first, so that a later format is called that and not malformed.
        #[derive(Deserialize)]
        struct Schema {
            schema: u32,
        }
        let malformed = |error: serde_json::Error| ManifestFault::Malformed(error.to_string());
        let Schema { schema } = serde_json::from_slice(bytes).map_err(malformed)?;
        if schema != SCHEMA {
            return Err(ManifestFault::UnknownSchema { found: schema });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The text that is signed. Checked first: no manifest is written that could not be read.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestFault> {
        self.check()?;
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|error| ManifestFault::Malformed(error.to_string()))?;
        json.push(b'\n');
        Ok(json)
    }

    fn check(&self) -> Result<(), ManifestFault> {
        if self.schema != SCHEMA {
            return Err(ManifestFault::UnknownSchema { found: self.schema });
        }
        if self.targets.is_empty() {
            return Err(ManifestFault::NoTarget);
        }
        if let (Some(not_before), Some(expires)) = (self.not_before, self.expires)
            && expires <= not_before
        {
            return Err(ManifestFault::EmptyWindow { not_before, expires });
        }
        self.module.check()
    }
}

impl Facts {
    /// Reads and checks facts from JSON: what `swapctl pack --facts` takes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let facts: Self = serde_json::from_slice(bytes)
            .map_err(|error| ManifestFault::Malformed(error.to_string()))?;
        facts.check()?;
        Ok(facts)
    }

    fn check(&self) -> Result<(), ManifestFault> {
        once_each("behavior", self.behaviors.iter().map(|behavior| &behavior.name))?;
        once_each("dependency", self.dependencies.iter().map(|dependency| &dependency.component))?;
        once_each("resident table", self.resident_tables.iter().map(|table| &table.name))?;
        let Some(state) = &self.state else { return Ok(()) };
        once_each("imported state version", state.imports.iter())?;
        once_each("exported state version", state.exports.iter())
    }
}

fn once_each<T: Ord + ToString>(
    what: &'static str,
    items: impl ExactSizeIterator<Item = T>,
) -> Result<(), ManifestFault> {
    if items.len() > ITEMS_MAX {
        return Err(ManifestFault::TooMany { what });
    }
    let mut seen = BTreeSet::new();
    for item in items {
        let name = item.to_string();
        if !seen.insert(item) {
            return Err(ManifestFault::Duplicate { what, name });
        }
    }
    Ok(())
}

/// A JSON object may repeat a key and serde keeps the last one; another reader may keep the first. What
/// is signed must mean one thing, so a repeated target is refused.
fn each_key_once<'de, D: Deserializer<'de>>(json: D) -> Result<BTreeMap<Triple, Code>, D::Error> {
    struct OnceEach;
    impl<'de> Visitor<'de> for OnceEach {
        type Value = BTreeMap<Triple, Code>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of target triples")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut targets = BTreeMap::new();
            while let Some((triple, code)) = entries.next_entry::<Triple, Code>()? {
                if targets.insert(triple.clone(), code).is_some() {
                    return Err(A::Error::custom(format!("target `{triple}` stands twice")));
                }
            }
            Ok(targets)
        }
    }
    json.deserialize_map(OnceEach)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Manifest {
        let facts = r#"{
            "component": "security.core", "version": "1.4.0", "name": "security-core",
            "behaviors": [{"name": "SecurityModel", "version": 1, "hash": "0011223344556677"}],
            "dependencies": [{"component": "auth.sha2", "range": "^1.2"}],
            "state": {"kind": "core", "version": 3, "imports": [2, 3], "exports": [3]},
            "resident_tables": [{"name": "users", "row_hash": "0011223344556677"}],
            "toolchain": "rustc 1.95.0", "abi_version": 1
        }"#;
        Manifest {
            schema: SCHEMA,
            module: Facts::parse(facts.as_bytes()).unwrap(),
            epoch: 7,
            not_before: None,
            expires: None,
            targets: BTreeMap::from([(
                Triple::parse("x86_64-unknown-linux-gnu").unwrap(),
                Code::of(b"code"),
            )]),
        }
    }

    /// The sample's JSON with one text exchanged.
    fn parse_with(from: &str, to: &str) -> Result<Manifest, ManifestFault> {
        let json = String::from_utf8(sample().to_json().unwrap()).unwrap();
        assert!(json.contains(from), "{from} is not in {json}");
        Manifest::parse(json.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn a_manifest_reads_back_as_written() {
        let manifest = sample();
        let json = manifest.to_json().unwrap();
        assert_eq!(Manifest::parse(&json).unwrap(), manifest);
        assert_eq!(Manifest::parse(&json).unwrap().to_json().unwrap(), json);
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let malformed = |from, to| {
            let fault = parse_with(from, to).unwrap_err();
            assert!(matches!(fault, ManifestFault::Malformed(_)), "{to}: {fault}");
        };
        malformed("\"epoch\": 7", "\"epoch\": 7, \"run_as\": \"root\"");
        malformed("\"epoch\": 7", "\"epoch\": 7, \"epoch\": 8");
        malformed("\"epoch\": 7", "\"epoch\": -7");
        malformed("\"epoch\": 7", "\"epoch\": 18446744073709551616");
        malformed("\"1.4.0\"", "\"1.4\"");
        malformed("security.core", "../core");
        malformed("\"^1.2\"", "\"about 1\"");
        malformed(
            "  \"targets\": {",
            "  \"targets\": {\"x86_64-unknown-linux-gnu\": {\"sha256\": \"88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589\", \"size\": 4},",
        );
        malformed("rustc 1.95.0", "rustc\\u001b[2J");
        assert!(Manifest::parse(b"").is_err());
        assert!(Manifest::parse(&[b'['; 100_000]).is_err());
    }

    #[test]
    fn a_later_schema_is_called_that() {
        let fault = parse_with("\"schema\": 1", "\"schema\": 2, \"news\": {}").unwrap_err();
        assert_eq!(fault, ManifestFault::UnknownSchema { found: 2 });
    }

    #[test]
    fn contradictions_are_refused() {
        let mut manifest = sample();
        manifest.targets.clear();
        assert_eq!(manifest.to_json(), Err(ManifestFault::NoTarget));

        let mut manifest = sample();
        manifest.not_before = Some(Timestamp::parse("2027-01-01T00:00:00Z").unwrap());
        manifest.expires = manifest.not_before;
        assert!(matches!(manifest.to_json(), Err(ManifestFault::EmptyWindow { .. })));

        let mut manifest = sample();
        manifest.module.behaviors.push(manifest.module.behaviors[0].clone());
        assert!(matches!(
            manifest.to_json(),
            Err(ManifestFault::Duplicate { what: "behavior", .. })
        ));
    }
}
