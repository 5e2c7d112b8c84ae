//! The trust store: which keys may sign for which components, how many of them it takes, and the root
//! keys that may change all this.
//! Never verifies a package; that is `admit`. Invariant: a [`TrustStore`] follows its predecessor by
//! exactly one version, signed by enough roots of both, so nobody who lacks the old roots can change
//! whom this host trusts, and nobody can take the host back to a store in which a lost key was good.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, EnvelopeFault, TRUST_TYPE};
use crate::key::{KeyId, PublicKey};
use crate::text::{Name, Pattern};
use crate::timestamp::Timestamp;

/// The only schema there is so far.
pub const SCHEMA: u32 = 1;
/// More keys, rules or patterns than an operator can oversee.
pub const ITEMS_MAX: usize = 256;
/// A trust store or a signed update of one is never larger than this.
pub const BYTES_MAX: usize = 512 << 10;

/// The contents of a trust store: freely edited, trusted only as a [`TrustStore`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustDocument {
    /// Version of this format.
    pub schema: u32,
    /// Counts up by one with each update.
    pub version: u64,
    /// The keys that may change this store.
    pub roots: Roots,
    /// The keys that may sign packages.
    pub keys: Vec<ReleaseKey>,
    /// How many keys a component's package needs. Of all rules that match, the highest threshold counts,
    /// so adding a rule never weakens another.
    pub rules: Vec<Rule>,
}

/// The keys that may change the trust store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roots {
    /// How many of them must sign an update.
    pub threshold: u32,
    /// The keys.
    pub keys: Vec<RootKey>,
}

/// One key that may sign trust updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKey {
    /// Always the id of `public`; written down so that people can find it.
    pub id: KeyId,
    /// The key.
    pub public: PublicKey,
    /// Who holds it.
    pub name: Name,
    /// Counts for nothing at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// One key that may sign packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseKey {
    /// Always the id of `public`; written down so that people can find it.
    pub id: KeyId,
    /// The key.
    pub public: PublicKey,
    /// Who holds it.
    pub name: Name,
    /// Counts for nothing at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The components whose packages it may sign.
    pub components: Vec<Pattern>,
}

impl RootKey {
    /// A key without an end.
    pub fn new(name: Name, public: PublicKey) -> Self {
        RootKey { id: public.id(), public, name, expires: None }
    }
}

impl ReleaseKey {
    /// A key without an end.
    pub fn new(name: Name, public: PublicKey, components: Vec<Pattern>) -> Self {
        ReleaseKey { id: public.id(), public, name, expires: None, components }
    }
}

impl TrustDocument {
    /// A first version: each root may change it alone, and one signature is enough for every component.
    pub fn first(roots: Vec<RootKey>, keys: Vec<ReleaseKey>) -> Self {
        TrustDocument {
            schema: SCHEMA,
            version: 1,
            roots: Roots { threshold: 1, keys: roots },
            keys,
            rules: vec![Rule { components: Pattern::any(), threshold: 1 }],
        }
    }
}

/// How many keys must sign packages of these components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The components.
    pub components: Pattern,
    /// The number of different keys.
    pub threshold: u32,
}

/// A trust store that would not do what its reader expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustFault {
    /// Over the size limit.
    #[error(
        "larger than {BYTES_MAX} bytes; a trust store is never that large, give the right file"
    )]
    TooLarge,
    /// Not the JSON of a trust store.
    #[error("not a trust store: {0}; make one with `swapctl trust init`")]
    Malformed(String),
    /// A schema of another time.
    #[error(
        "the trust store has schema {found} and this version reads {SCHEMA}; update the reader"
    )]
    UnknownSchema {
        /// The schema found.
        found: u32,
    },
    /// Versions count from one.
    #[error(
        "the trust store has version 0 and versions count from 1; make it with `swapctl trust init`"
    )]
    NoVersion,
    /// An id that is not its key's.
    #[error(
        "the key named {name} has the id {found} and its public half gives {expected}; add the key again with `swapctl trust add-key`"
    )]
    WrongId {
        /// The key's name.
        name: Name,
        /// The id written.
        found: KeyId,
        /// The id that belongs to it.
        expected: KeyId,
    },
    /// One key twice: it could be counted twice.
    #[error("key {0} stands twice in one list; a key counts once, remove one of them")]
    DuplicateKey(KeyId),
    /// One pattern with two thresholds.
    #[error("there are two rules for `{0}`; keep one")]
    DuplicateRule(Pattern),
    /// A threshold that nobody must meet.
    #[error("the threshold for {what} is 0, which would trust everybody; use at least 1")]
    ZeroThreshold {
        /// `roots` or a component pattern.
        what: String,
    },
    /// A store that could never be changed again.
    #[error(
        "an update would need {threshold} root signatures and the number of root keys is {keys}; add roots first or lower the threshold"
    )]
    RootsOutOfReach {
        /// Signatures needed.
        threshold: u32,
        /// Keys there are.
        keys: usize,
    },
    /// A list longer than an operator can oversee.
    #[error("the trust store lists more than {ITEMS_MAX} {what}; use patterns")]
    TooMany {
        /// What kind of thing.
        what: &'static str,
    },
}

/// Why a trust update was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateRefusal {
    /// Not an envelope around a trust store.
    #[error("the trust update cannot be read: {0}")]
    Envelope(#[from] EnvelopeFault),
    /// An envelope around something that is no trust store.
    #[error("the trust update holds an unusable store: {0}")]
    Store(#[from] TrustFault),
    /// Not the next version.
    #[error("the trust update has version {found} and this store has {current}, so only {} can follow; {}",
        .current.saturating_add(1),
        if .found <= .current { "an older store is never taken back" } else { "apply the updates between them first, in order" })]
    WrongVersion {
        /// Version of the store in force.
        current: u64,
        /// Version of the update.
        found: u64,
    },
    /// A signature that its key did not make.
    #[error(
        "the signature of root key {0} on the trust update does not verify; the update was changed after signing: fetch or sign it again"
    )]
    BadSignature(KeyId),
    /// Too few roots of the store in force.
    #[error(
        "{found} of {needed} needed root keys of the store in force signed the trust update; let more of them sign with `swapctl trust sign`"
    )]
    BelowOldThreshold {
        /// Valid, unexpired root signatures.
        found: usize,
        /// Signatures needed.
        needed: u32,
    },
    /// Too few roots of the new store.
    #[error(
        "{found} of {needed} needed root keys of the new store signed the trust update; let the new roots sign too, which proves that they hold their keys"
    )]
    BelowNewThreshold {
        /// Valid, unexpired root signatures.
        found: usize,
        /// Signatures needed.
        needed: u32,
    },
}

/// A trust store that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStore(TrustDocument);

impl TrustStore {
    /// Reads a trust store. Whoever may write its file decides whom this host trusts.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustFault> {
        // The schema is looked at first, so that a later format is called that and not malformed.
        #[derive(Deserialize)]
        struct Schema {
            schema: u32,
        }
        if bytes.len() > BYTES_MAX {
            return Err(TrustFault::TooLarge);
        }
        let malformed = |error: serde_json::Error| TrustFault::Malformed(error.to_string());
        let Schema { schema } = serde_json::from_slice(bytes).map_err(malformed)?;
        if schema != SCHEMA {
            return Err(TrustFault::UnknownSchema { found: schema });
        }
        Self::try_from(serde_json::from_slice::<TrustDocument>(bytes).map_err(malformed)?)
    }

    /// The JSON of the store.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json =
            serde_json::to_vec_pretty(&self.0).expect("text, numbers and lists always become JSON");
        json.push(b'\n');
        json
    }

    /// What stands in it.
    pub fn document(&self) -> &TrustDocument {
        &self.0
    }

    /// The release key of that id.
    pub fn release_key(&self, id: KeyId) -> Option<&ReleaseKey> {
        self.0.keys.iter().find(|key| key.id == id)
    }

    /// How many keys must sign a package of this component; `None` if no rule speaks of it.
    pub fn threshold(&self, component: &Name) -> Option<u32> {
        let matching = self.0.rules.iter().filter(|rule| rule.components.matches(component));
        matching.map(|rule| rule.threshold).max()
    }

    /// The store that a signed update leads to, if it may follow this one.
    pub fn updated(&self, update: &[u8], now: Timestamp) -> Result<Self, UpdateRefusal> {
        if update.len() > BYTES_MAX {
            return Err(TrustFault::TooLarge.into());
        }
        let envelope = Envelope::parse(update, TRUST_TYPE)?;
        let next = Self::parse(envelope.payload())?;

        // 1. Signed by enough roots that this host trusts already: nobody else may change them.
        let (found, needed) = (self.0.roots.signers(&envelope, now)?, self.0.roots.threshold);
        if found < needed as usize {
            return Err(UpdateRefusal::BelowOldThreshold { found, needed });
        }
        // 2. Signed by enough roots that it will trust then: a store whose roots cannot sign is final.
        let (found, needed) = (next.0.roots.signers(&envelope, now)?, next.0.roots.threshold);
        if found < needed as usize {
            return Err(UpdateRefusal::BelowNewThreshold { found, needed });
        }
        // 3. The very next version: nothing is skipped and nothing comes back.
        if Some(next.0.version) != self.0.version.checked_add(1) {
            return Err(UpdateRefusal::WrongVersion {
                current: self.0.version,
                found: next.0.version,
            });
        }
        Ok(next)
    }
}

impl Roots {
    /// How many of these roots signed and have not expired.
    fn signers(&self, envelope: &Envelope, now: Timestamp) -> Result<usize, UpdateRefusal> {
        let mut signers = BTreeSet::new();
        for signature in envelope.signatures() {
            let Some(root) = self.keys.iter().find(|root| root.id == signature.key) else {
                continue;
            };
            if !envelope.is_signed(signature, &root.public) {
                return Err(UpdateRefusal::BadSignature(root.id));
            }
            if !has_expired(root.expires, now) {
                signers.insert(root.id);
            }
        }
        Ok(signers.len())
    }
}

impl TryFrom<TrustDocument> for TrustStore {
    type Error = TrustFault;

    fn try_from(document: TrustDocument) -> Result<Self, TrustFault> {
        let TrustDocument { schema, version, roots, keys, rules } = &document;
        if *schema != SCHEMA {
            return Err(TrustFault::UnknownSchema { found: *schema });
        }
        if *version == 0 {
            return Err(TrustFault::NoVersion);
        }
        check_keys("root keys", roots.keys.iter().map(|key| (key.id, &key.public, &key.name)))?;
        check_keys("release keys", keys.iter().map(|key| (key.id, &key.public, &key.name)))?;
        if keys.iter().any(|key| key.components.len() > ITEMS_MAX) {
            return Err(TrustFault::TooMany { what: "components of one key" });
        }
        if roots.threshold == 0 {
            return Err(TrustFault::ZeroThreshold { what: "roots".to_owned() });
        }
        if roots.threshold as usize > roots.keys.len() {
            return Err(TrustFault::RootsOutOfReach {
                threshold: roots.threshold,
                keys: roots.keys.len(),
            });
        }
        if rules.len() > ITEMS_MAX {
            return Err(TrustFault::TooMany { what: "rules" });
        }
        let mut patterns = BTreeSet::new();
        for rule in rules {
            if rule.threshold == 0 {
                return Err(TrustFault::ZeroThreshold { what: rule.components.to_string() });
            }
            if !patterns.insert(&rule.components) {
                return Err(TrustFault::DuplicateRule(rule.components.clone()));
            }
        }
        Ok(Self(document))
    }
}

fn check_keys<'a>(
    what: &'static str,
    keys: impl ExactSizeIterator<Item = (KeyId, &'a PublicKey, &'a Name)>,
) -> Result<(), TrustFault> {
    if keys.len() > ITEMS_MAX {
        return Err(TrustFault::TooMany { what });
    }
    let mut seen = BTreeSet::new();
    for (found, public, name) in keys {
        let expected = public.id();
        if found != expected {
            return Err(TrustFault::WrongId { name: name.clone(), found, expected });
        }
        if !seen.insert(found) {
            return Err(TrustFault::DuplicateKey(found));
        }
    }
    Ok(())
}

/// A key or package is good before its expiry, not at it.
pub(crate) fn has_expired(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_some_and(|expires| now >= expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use zeroize::Zeroizing;

    fn document() -> TrustDocument {
        let public = SecretKey::from_seed(&Zeroizing::new([1; 32])).public();
        let name = Name::parse("alice").unwrap();
        TrustDocument::first(
            vec![RootKey::new(name.clone(), public)],
            vec![ReleaseKey::new(name, public, vec![Pattern::any()])],
        )
    }

    #[test]
    fn a_store_reads_back() {
        let store = TrustStore::try_from(document()).unwrap();
        assert_eq!(TrustStore::parse(&store.to_json()).unwrap(), store);
    }

    #[test]
    fn the_highest_threshold_that_matches_counts() {
        let mut document = document();
        document.rules = [("security.*", 2), ("*", 1), ("security.core", 3)]
            .map(|(pattern, threshold)| Rule {
                components: Pattern::parse(pattern).unwrap(),
                threshold,
            })
            .to_vec();
        let store = TrustStore::try_from(document.clone()).unwrap();
        for (component, threshold) in
            [("table.system", 1), ("security.tsm", 2), ("security.core", 3)]
        {
            assert_eq!(store.threshold(&Name::parse(component).unwrap()), Some(threshold));
        }
        document.rules.retain(|rule| rule.components.as_str() != "*");
        let store = TrustStore::try_from(document).unwrap();
        assert_eq!(store.threshold(&Name::parse("table.system").unwrap()), None);
    }

    #[test]
    fn stores_that_would_surprise_are_refused() {
        type Edit = fn(&mut TrustDocument);
        let cases: [(&str, Edit); 9] = [
            ("schema", |d| d.schema = 2),
            ("version 0", |d| d.version = 0),
            ("roots is 0", |d| d.roots.threshold = 0),
            ("root keys is 1", |d| d.roots.threshold = 2),
            ("stands twice", |d| d.keys.push(d.keys[0].clone())),
            ("stands twice", |d| d.roots.keys.push(d.roots.keys[0].clone())),
            ("two rules", |d| d.rules.push(d.rules[0].clone())),
            ("is 0", |d| d.rules[0].threshold = 0),
            ("public half gives", |d| d.keys[0].id = KeyId::parse(&"0".repeat(32)).unwrap()),
        ];
        for (expected, edit) in cases {
            let mut document = document();
            edit(&mut document);
            let message = TrustStore::try_from(document).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }

    #[test]
    fn strict_json() {
        let json = String::from_utf8(TrustStore::try_from(document()).unwrap().to_json()).unwrap();
        let bad = json.replacen("\"version\": 1", "\"version\": 1, \"trust_all\": true", 1);
        assert!(matches!(TrustStore::parse(bad.as_bytes()), Err(TrustFault::Malformed(_))));
        assert_eq!(TrustStore::parse(&vec![b' '; BYTES_MAX + 1]), Err(TrustFault::TooLarge));
    }
}
