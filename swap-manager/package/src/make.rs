//! How packages are made: facts and code in, an unsigned package out; then signatures, one by one.
//! Never decides what is true about a module: the facts come from whoever described it. Invariant: the
//! same facts, release and code give the same bytes, and nothing is signed that does not hold together.

use std::collections::BTreeMap;

use crate::admit::{Refusal, check_code};
use crate::archive::{Archive, Limits};
use crate::envelope::{Envelope, MANIFEST_TYPE};
use crate::key::SecretKey;
use crate::manifest::{Code, Facts, Manifest, ManifestFault, SCHEMA};
use crate::text::{Digest, Triple};
use crate::timestamp::Timestamp;

/// What the person who packs decides; all else in a manifest comes from the code.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Security epoch.
    pub epoch: u64,
    /// Start of the validity window.
    pub not_before: Option<Timestamp>,
    /// Its end.
    pub expires: Option<Timestamp>,
}

/// Packs code, unsigned.
pub fn pack(
    facts: Facts,
    release: Release,
    code: &BTreeMap<Triple, Vec<u8>>,
) -> Result<Vec<u8>, ManifestFault> {
    let Release { epoch, not_before, expires } = release;
    let targets = code.iter().map(|(target, bytes)| (target.clone(), Code::of(bytes))).collect();
    let manifest = Manifest { schema: SCHEMA, module: facts, epoch, not_before, expires, targets };
    let code = code.iter().map(|(target, bytes)| (target.clone(), &bytes[..])).collect();
    Ok(Archive { manifest: &manifest.to_json()?, code, signatures: None }.write())
}

/// Adds a signature to a package that holds together. The same key signs once.
pub fn sign(package: &[u8], key: &SecretKey, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let archive = Archive::read(package, limits)?;
    let manifest = Manifest::parse(archive.manifest)?;
    check_code(&archive, &manifest, |_, code| Ok::<_, Refusal>(Digest::of(code)))?;
    let mut envelope = match archive.signatures {
        Some(signatures) => Envelope::parse(signatures, MANIFEST_TYPE)?,
        None => Envelope::new(MANIFEST_TYPE, archive.manifest.to_vec()),
    };
    if envelope.payload() != archive.manifest {
        return Err(Refusal::ManifestNotSigned);
    }
    envelope.sign(key);
    Ok(Archive { signatures: Some(&envelope.to_json()), ..archive }.write())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn packing_twice_gives_the_same_bytes_and_signing_leaves_the_rest() {
        let facts = crate::manifest::tests::sample().module;
        let code =
            BTreeMap::from([(Triple::parse("riscv64gc-unknown-linux-gnu").unwrap(), vec![1; 700])]);
        let package = pack(facts.clone(), Release::default(), &code).unwrap();
        assert_eq!(pack(facts, Release::default(), &code).unwrap(), package);

        let key = SecretKey::from_seed(&Zeroizing::new([1; 32]));
        let signed = sign(&package, &key, &Limits::DEFAULT).unwrap();
        assert_eq!(sign(&signed, &key, &Limits::DEFAULT).unwrap(), signed);
        let read =
            |bytes| Archive { signatures: None, ..Archive::read(bytes, &Limits::DEFAULT).unwrap() };
        assert_eq!(read(&signed), read(&package));
    }

    #[test]
    fn code_that_was_exchanged_is_not_signed() {
        let facts = crate::manifest::tests::sample().module;
        let target = Triple::parse("riscv64gc-unknown-linux-gnu").unwrap();
        let code = BTreeMap::from([(target.clone(), vec![1; 700])]);
        let package = pack(facts, Release::default(), &code).unwrap();
        let mut archive = Archive::read(&package, &Limits::DEFAULT).unwrap();
        archive.code.insert(target, &[2; 700]);
        let key = SecretKey::from_seed(&Zeroizing::new([1; 32]));
        let refusal = sign(&archive.write(), &key, &Limits::DEFAULT).unwrap_err();
        assert!(matches!(refusal, Refusal::CodeDigest { .. }));
    }

    #[test]
    fn a_signature_is_not_added_beside_one_for_another_manifest() {
        let facts = crate::manifest::tests::sample().module;
        let code =
            BTreeMap::from([(Triple::parse("riscv64gc-unknown-linux-gnu").unwrap(), vec![1; 700])]);
        let key = SecretKey::from_seed(&Zeroizing::new([1; 32]));
        let package =
            |epoch| pack(facts.clone(), Release { epoch, ..Release::default() }, &code).unwrap();
        let signed = sign(&package(1), &key, &Limits::DEFAULT).unwrap();
        let other = package(2);
        let mixed = Archive {
            manifest: Archive::read(&other, &Limits::DEFAULT).unwrap().manifest,
            ..Archive::read(&signed, &Limits::DEFAULT).unwrap()
        };
        assert_eq!(sign(&mixed.write(), &key, &Limits::DEFAULT), Err(Refusal::ManifestNotSigned));
    }
}
