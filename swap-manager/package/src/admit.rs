//! Admission: the one way from bytes to a package whose code may be loaded.
//! Never asks the clock and reads no file. Invariant: an [`Admitted`] exists only if every check below
//! passed on the very bytes that it holds, so who has one need not ask again. Of [`admit_placed`] the code's
//! digest is that of the placed copy: the copy is what may run then, and nothing else.
//!
//! The checks, in this order:
//! 1. the size of the whole, then of each entry ([`Archive::read`]);
//! 2. the manifest and the envelope are well formed, and the envelope holds this manifest;
//! 3. signatures: every one by a key that the trust store knows must verify; those by keys that have not
//!    expired and may sign for this component are counted, each key once; the count meets the threshold;
//! 4. the validity window;
//! 5. the target;
//! 6. size and SHA-256 of every code object;
//! 7. the security epoch is not below the one recorded for this component.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::archive::{Archive, ArchiveFault, Limits};
use crate::envelope::{Envelope, EnvelopeFault, MANIFEST_TYPE};
use crate::key::KeyId;
use crate::manifest::{Manifest, ManifestFault};
use crate::text::{Digest, Name, Triple};
use crate::timestamp::Timestamp;
use crate::trust::{TrustStore, has_expired};

/// What admission depends on besides the package.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// Whom this host trusts.
    pub trust: &'a TrustStore,
    /// The present moment.
    pub now: Timestamp,
    /// The target of this host.
    pub target: &'a Triple,
    /// The highest epoch admitted so far, by component.
    pub recorded_epochs: &'a BTreeMap<Name, u64>,
    /// What the local operator allows against the rules.
    pub operator: Option<Override>,
    /// What a package may weigh.
    pub limits: Limits,
}

/// What a local operator may allow against the rules; never comes with a package or over a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Override {
    /// Admit a package whose epoch is below the recorded one.
    LocalDowngrade,
}

/// An override that was not only given but needed: to be logged and announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedOverride {
    /// What was overridden.
    pub kind: Override,
    /// The epoch that was recorded.
    pub recorded_epoch: u64,
    /// The epoch that was admitted.
    pub admitted_epoch: u64,
}

/// A package that passed every check, with the bytes that were checked. Nothing else can make one:
///
/// ```compile_fail
/// fn forged(package: std::sync::Arc<[u8]>, real: s_package::Admitted) -> s_package::Admitted {
///     s_package::Admitted { package, ..real }
/// }
/// ```
#[derive(Clone)]
pub struct Admitted {
    package: Arc<[u8]>,
    code: Range<usize>,
    digest: Digest,
    manifest: Manifest,
    target: Triple,
    signers: BTreeSet<KeyId>,
    used_override: Option<UsedOverride>,
}

impl Admitted {
    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The code object for the target that was asked for.
    pub fn code(&self) -> &[u8] {
        &self.package[self.code.clone()]
    }

    /// That target.
    pub fn target(&self) -> &Triple {
        &self.target
    }

    /// The whole package: what a repository keeps, to be admitted again after a restart.
    pub fn package(&self) -> &[u8] {
        &self.package
    }

    /// SHA-256 of the whole package.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The keys whose signatures were counted.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        &self.signers
    }

    /// The override without which this package would have been refused.
    pub fn used_override(&self) -> Option<UsedOverride> {
        self.used_override
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The package itself would fill the log.
        f.debug_struct("Admitted")
            .field("component", &self.manifest.module.component)
            .field("version", &self.manifest.module.version)
            .field("target", &self.target)
            .field("digest", &self.digest)
            .field("signers", &self.signers)
            .field("used_override", &self.used_override)
            .finish_non_exhaustive()
    }
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes: damaged on the way, or hostile.
    Bytes,
    /// The signatures: not the right keys, or not enough of them.
    Signers,
    /// The release: in order, but not for this host at this time.
    Release,
    /// This host's trust store.
    Trust,
}

/// Why a package was not admitted, sorted by whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // Fault::Bytes
    /// Not the tar of a package.
    #[error("{0}")]
    Archive(#[from] ArchiveFault),
    /// No usable manifest.
    #[error("{0}")]
    Manifest(#[from] ManifestFault),
    /// No usable signatures.
    #[error("signatures.json: {0}")]
    Envelope(#[from] EnvelopeFault),
    /// Two manifests.
    #[error(
        "manifest.json is not the manifest that was signed; it was changed after signing: get the package again from its maker"
    )]
    ManifestNotSigned,
    /// A signature by a known key that does not fit.
    #[error(
        "the signature of key {key} does not verify; the package was changed after signing: get it again from its maker"
    )]
    BadSignature {
        /// The key that is said to have signed.
        key: KeyId,
    },
    /// The manifest speaks of code that is not there, or the other way round.
    #[error(
        "the manifest and the package do not hold the same targets (`{target}` is in only one of them); get the package again from its maker"
    )]
    TargetsDiffer {
        /// The first target that only one of them has.
        target: Triple,
    },
    /// Code of another length than was signed.
    #[error(
        "the code for {target} is {found} bytes and {signed} were signed; get the package again from its maker"
    )]
    CodeSize {
        /// The target.
        target: Triple,
        /// Bytes found.
        found: u64,
        /// Bytes signed.
        signed: u64,
    },
    /// Code of another content than was signed.
    #[error(
        "the code for {target} is not the code that was signed (SHA-256 {found} instead of {signed}); get the package again from its maker"
    )]
    CodeDigest {
        /// The target.
        target: Triple,
        /// Digest found.
        found: Digest,
        /// Digest signed.
        signed: Digest,
    },

    // Fault::Signers
    /// Nobody signed.
    #[error("nobody has signed the package; sign it with `swapctl sign`")]
    Unsigned,
    /// Only keys that the trust store does not name.
    #[error(
        "no signing key is in the trust store (signed by {keys}); sign with a trusted key, or let the roots add this one with `swapctl trust add-key`"
    )]
    UnknownSigners {
        /// Their ids.
        keys: String,
    },
    /// A known key that may not sign for this component.
    #[error(
        "key {key} ({name}) may not sign packages of `{component}`; sign with a key that may, or let the roots widen its components"
    )]
    SignerNotAuthorised {
        /// The key.
        key: KeyId,
        /// Who holds it.
        name: Name,
        /// The component.
        component: Name,
    },
    /// A known key that is too old.
    #[error(
        "key {key} ({name}) expired at {expired}; sign with a current key, or let the roots renew this one"
    )]
    SignerExpired {
        /// The key.
        key: KeyId,
        /// Who holds it.
        name: Name,
        /// When it expired.
        expired: Timestamp,
    },
    /// Some good signatures, too few.
    #[error(
        "{found} of {needed} needed keys signed for `{component}`; let more of its keys sign with `swapctl sign`"
    )]
    BelowThreshold {
        /// Different valid keys.
        found: usize,
        /// Keys needed.
        needed: u32,
        /// The component.
        component: Name,
    },

    // Fault::Release
    /// Too early.
    #[error(
        "the package is valid from {not_before} and it is {now}; wait, or correct this host's clock"
    )]
    NotYetValid {
        /// Start of the window.
        not_before: Timestamp,
        /// The present moment.
        now: Timestamp,
    },
    /// Too late.
    #[error(
        "the package expired at {expires} and it is {now}; get a newer one, or correct this host's clock"
    )]
    Expired {
        /// End of the window.
        expires: Timestamp,
        /// The present moment.
        now: Timestamp,
    },
    /// Code for other machines.
    #[error(
        "the package has no code for {wanted}, only for {found}; pack it with --target {wanted}=FILE"
    )]
    WrongTarget {
        /// This host's target.
        wanted: Triple,
        /// The targets in the package.
        found: String,
    },
    /// A release that was superseded for security.
    #[error(
        "the package of `{component}` has security epoch {found} and {recorded} was already admitted; use a newer release, or give the local downgrade override if you must"
    )]
    OlderEpoch {
        /// The component.
        component: Name,
        /// Epoch of the package.
        found: u64,
        /// Epoch recorded.
        recorded: u64,
    },

    // Fault::Trust
    /// No rule for this component.
    #[error(
        "the trust store has no rule for `{component}`, so nothing may replace it; let the roots add one with `swapctl trust set-threshold`"
    )]
    NoRule {
        /// The component.
        component: Name,
    },
}

impl Refusal {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.sorted().0
    }

    /// One stable word for logs, events and scripts.
    pub fn word(&self) -> &'static str {
        self.sorted().1
    }

    fn sorted(&self) -> (Fault, &'static str) {
        match self {
            Self::Archive(_) => (Fault::Bytes, "bad-archive"),
            Self::Manifest(_) => (Fault::Bytes, "bad-manifest"),
            Self::Envelope(_) => (Fault::Bytes, "bad-envelope"),
            Self::ManifestNotSigned => (Fault::Bytes, "manifest-not-signed"),
            Self::BadSignature { .. } => (Fault::Bytes, "bad-signature"),
            Self::TargetsDiffer { .. } => (Fault::Bytes, "targets-differ"),
            Self::CodeSize { .. } => (Fault::Bytes, "code-size"),
            Self::CodeDigest { .. } => (Fault::Bytes, "code-digest"),
            Self::Unsigned => (Fault::Signers, "unsigned"),
            Self::UnknownSigners { .. } => (Fault::Signers, "unknown-signers"),
            Self::SignerNotAuthorised { .. } => (Fault::Signers, "signer-not-authorised"),
            Self::SignerExpired { .. } => (Fault::Signers, "signer-expired"),
            Self::BelowThreshold { .. } => (Fault::Signers, "below-threshold"),
            Self::NotYetValid { .. } => (Fault::Release, "not-yet-valid"),
            Self::Expired { .. } => (Fault::Release, "expired"),
            Self::WrongTarget { .. } => (Fault::Release, "wrong-target"),
            Self::OlderEpoch { .. } => (Fault::Release, "older-epoch"),
            Self::NoRule { .. } => (Fault::Trust, "no-rule"),
        }
    }
}

/// Proves a package, or says why not. What comes out holds the very bytes that were proven.
pub fn admit(
    package: impl Into<Arc<[u8]>>,
    conditions: &Conditions<'_>,
) -> Result<Admitted, Refusal> {
    admit_placed(package, conditions, |_, code| Ok(Digest::of(code)))
}

/// Like [`admit`], but this host's code is hashed where it will run: `place` is given the signed manifest
/// and the code, puts the code there, and answers the SHA-256 of what lies there then. That digest is
/// the one that is compared with the manifest, so no second one is needed before the code is loaded.
///
/// It is called after the signatures, the window, the target and the size were checked. What it placed
/// may be used only if the answer is a package.
pub fn admit_placed<E: From<Refusal>>(
    package: impl Into<Arc<[u8]>>,
    conditions: &Conditions<'_>,
    place: impl FnOnce(&Manifest, &[u8]) -> Result<Digest, E>,
) -> Result<Admitted, E> {
    let package = package.into();
    // 1. Sizes, before anything is parsed.
    let archive = Archive::read(&package, &conditions.limits).map_err(Refusal::from)?;

    // 2. Well formed, and one manifest only.
    let manifest = Manifest::parse(archive.manifest).map_err(Refusal::from)?;
    let signatures = archive.signatures.ok_or(Refusal::Unsigned)?;
    let envelope = Envelope::parse(signatures, MANIFEST_TYPE).map_err(Refusal::from)?;
    if envelope.payload() != archive.manifest {
        return Err(Refusal::ManifestNotSigned.into());
    }

    // 3. Signed by enough keys that may.
    let signers = check_signers(&envelope, &manifest.module.component, conditions)?;

    // 4. In its time.
    let now = conditions.now;
    if let Some(not_before) = manifest.not_before.filter(|&not_before| now < not_before) {
        return Err(Refusal::NotYetValid { not_before, now }.into());
    }
    if let Some(expires) = manifest.expires.filter(|&expires| now >= expires) {
        return Err(Refusal::Expired { expires, now }.into());
    }

    // 5. For this host.
    if !manifest.targets.contains_key(conditions.target) {
        let found: Vec<_> = manifest.targets.keys().map(Triple::as_str).collect();
        return Err(Refusal::WrongTarget {
            wanted: conditions.target.clone(),
            found: found.join(", "),
        }
        .into());
    }

    // 6. The code that was signed, for every target: a package is whole or it is refused.
    let mut place = Some(place);
    check_code(&archive, &manifest, |target, code| match place.take() {
        Some(place) if target == conditions.target => place(&manifest, code),
        kept => {
            place = kept;
            Ok(Digest::of(code))
        }
    })?;
    // Present: step 5 found this target in the manifest, and the archive has the same targets.
    let code = archive.code[conditions.target];
    // Code is a slice of `package`, so the distance of their starts is where the code lies in it.
    let start = code.as_ptr().addr() - package.as_ptr().addr();
    let code = start..start + code.len();

    // 7. Not from before a security fix.
    let used_override = check_epoch(&manifest, conditions)?;

    Ok(Admitted {
        digest: Digest::of(&package),
        package,
        code,
        manifest,
        target: conditions.target.clone(),
        signers,
        used_override,
    })
}

fn check_signers(
    envelope: &Envelope,
    component: &Name,
    conditions: &Conditions<'_>,
) -> Result<BTreeSet<KeyId>, Refusal> {
    if envelope.signatures().is_empty() {
        return Err(Refusal::Unsigned);
    }
    let needed = conditions
        .trust
        .threshold(component)
        .ok_or_else(|| Refusal::NoRule { component: component.clone() })?;
    let mut counted = BTreeSet::new();
    // Why the first known key did not count: the most useful answer if none did.
    let mut not_counted = None;
    for signature in envelope.signatures() {
        let Some(key) = conditions.trust.release_key(signature.key) else { continue };
        if !envelope.is_signed(signature, &key.public) {
            return Err(Refusal::BadSignature { key: key.id });
        }
        let (id, name) = (key.id, key.name.clone());
        if !key.components.iter().any(|pattern| pattern.matches(component)) {
            let component = component.clone();
            not_counted.get_or_insert(Refusal::SignerNotAuthorised { key: id, name, component });
        } else if let Some(expired) =
            key.expires.filter(|_| has_expired(key.expires, conditions.now))
        {
            not_counted.get_or_insert(Refusal::SignerExpired { key: id, name, expired });
        } else {
            counted.insert(id);
        }
    }
    if counted.len() >= needed as usize {
        return Ok(counted);
    }
    Err(match not_counted {
        _ if !counted.is_empty() => {
            Refusal::BelowThreshold { found: counted.len(), needed, component: component.clone() }
        }
        Some(refusal) => refusal,
        None => {
            let keys = envelope.signatures().iter().map(|signature| signature.key.to_string());
            Refusal::UnknownSigners { keys: keys.collect::<Vec<_>>().join(", ") }
        }
    })
}

/// Whether the code objects are those of the manifest, no more and no fewer. `digest` answers the SHA-256
/// of a code object whose size is right.
pub(crate) fn check_code<E: From<Refusal>>(
    archive: &Archive<'_>,
    manifest: &Manifest,
    mut digest: impl FnMut(&Triple, &[u8]) -> Result<Digest, E>,
) -> Result<(), E> {
    let in_one_only = archive
        .code
        .keys()
        .find(|&target| !manifest.targets.contains_key(target))
        .or_else(|| manifest.targets.keys().find(|&target| !archive.code.contains_key(target)));
    if let Some(target) = in_one_only {
        return Err(Refusal::TargetsDiffer { target: target.clone() }.into());
    }
    for (target, bytes) in &archive.code {
        let (size, signed) = (bytes.len() as u64, manifest.targets[target]);
        if size != signed.size {
            let target = target.clone();
            return Err(Refusal::CodeSize { target, found: size, signed: signed.size }.into());
        }
        let (found, signed) = (digest(target, bytes)?, signed.sha256);
        if found != signed {
            return Err(Refusal::CodeDigest { target: target.clone(), found, signed }.into());
        }
    }
    Ok(())
}

fn check_epoch(
    manifest: &Manifest,
    conditions: &Conditions<'_>,
) -> Result<Option<UsedOverride>, Refusal> {
    let (component, found) = (&manifest.module.component, manifest.epoch);
    match conditions.recorded_epochs.get(component) {
        Some(&recorded) if found < recorded => match conditions.operator {
            Some(kind @ Override::LocalDowngrade) => {
                Ok(Some(UsedOverride { kind, recorded_epoch: recorded, admitted_epoch: found }))
            }
            None => Err(Refusal::OlderEpoch { component: component.clone(), found, recorded }),
        },
        _ => Ok(None),
    }
}
