//! Every way in which a package can be wrong, one test each, named after the attack or the case.
//! Each starts from a package that is admitted, changes one thing, and must meet its own refusal.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod common;

use std::collections::BTreeMap;

use common::*;
use s_package::archive::receive;
use s_package::envelope::{MANIFEST_TYPE, TRUST_TYPE};
use s_package::{
    Admitted, Archive, ArchiveFault, Digest, Envelope, Fault, Limits, Manifest, Override, Refusal,
    Release, TrustStore, UsedOverride, admit_placed, pack, sign,
};
use tar::{EntryType, Header};

/// A package signed by alice, and the trust in which she alone suffices for `security.*`.
struct Case {
    package: Vec<u8>,
    trust: TrustStore,
    now: &'static str,
    target: &'static str,
    recorded: Option<u64>,
    operator: Option<Override>,
    limits: Limits,
}

impl Case {
    fn good() -> Self {
        Self::signed_by(&["alice"])
    }

    fn signed_by(names: &[&str]) -> Self {
        Self::released(names, Release { epoch: 7, ..Release::default() })
    }

    fn released(names: &[&str], release: Release) -> Self {
        let code = BTreeMap::from([(triple(LINUX), CODE.to_vec()), (triple(ARM), b"arm".to_vec())]);
        let mut package = pack(facts("security.core"), release, &code).unwrap();
        for name in names {
            package = sign(&package, &secret(name), &Limits::DEFAULT).unwrap();
        }
        let trust = trust(1, &["root"], 1);
        let (now, target) = ("2026-06-01T00:00:00Z", LINUX);
        Self {
            package,
            trust,
            now,
            target,
            recorded: None,
            operator: None,
            limits: Limits::DEFAULT,
        }
    }

    fn admit(self) -> Result<Admitted, Refusal> {
        self.admit_placed(|_, code| Ok(Digest::of(code)))
    }

    fn admit_placed(
        self,
        place: impl FnOnce(&Manifest, &[u8]) -> Result<Digest, Refusal>,
    ) -> Result<Admitted, Refusal> {
        let recorded_epochs =
            self.recorded.map(|epoch| (name("security.core"), epoch)).into_iter().collect();
        let conditions = s_package::Conditions {
            trust: &self.trust,
            now: time(self.now),
            target: &triple(self.target),
            recorded_epochs: &recorded_epochs,
            operator: self.operator,
            limits: self.limits,
        };
        admit_placed(self.package, &conditions, place)
    }

    fn refused(self) -> Refusal {
        self.admit().expect_err("this package must be refused")
    }

    fn archive_fault(self) -> ArchiveFault {
        match self.refused() {
            Refusal::Archive(fault) => fault,
            other => panic!("refused for another reason: {other}"),
        }
    }

    /// Takes the package apart, lets `change` work on the parts, puts it together again.
    fn with_parts(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        let archive = Archive::read(&self.package, &Limits::DEFAULT).unwrap();
        let mut parts = Parts {
            manifest: archive.manifest.to_vec(),
            code: archive.code.into_iter().map(|(target, code)| (target, code.to_vec())).collect(),
            signatures: archive.signatures.map(<[u8]>::to_vec),
        };
        change(&mut parts);
        let code = parts.code.iter().map(|(target, code)| (target.clone(), &code[..])).collect();
        self.package =
            Archive { manifest: &parts.manifest, code, signatures: parts.signatures.as_deref() }
                .write();
        self
    }

    /// Puts a foreign entry in front.
    fn with_entry(mut self, name: &[u8], kind: EntryType, content: &[u8]) -> Self {
        let mut package = entry(name, kind, content.len() as u64);
        package.extend_from_slice(content);
        package.resize(package.len().next_multiple_of(512), 0);
        package.append(&mut self.package);
        self.package = package;
        self
    }
}

struct Parts {
    manifest: Vec<u8>,
    code: BTreeMap<s_package::Triple, Vec<u8>>,
    signatures: Option<Vec<u8>>,
}

/// A header that a careful writer would refuse to write.
fn entry(name: &[u8], kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn good_package() {
    let package = Case::good().package;
    let admitted = Case::good().admit().unwrap();
    assert_eq!(admitted.code(), CODE);
    assert_eq!(admitted.package(), package);
    assert_eq!(admitted.digest(), Digest::of(&package));
    assert_eq!(admitted.manifest().module.component, name("security.core"));
    assert_eq!(admitted.manifest().epoch, 7);
    assert_eq!(
        admitted.signers().iter().copied().collect::<Vec<_>>(),
        [secret("alice").public().id()]
    );
    assert_eq!(admitted.used_override(), None);
    assert_eq!(Case { target: ARM, ..Case::good() }.admit().unwrap().code(), b"arm");
}

// --- The place where the code will run ---

#[test]
fn code_changed_on_its_way_to_its_place() {
    let mut lies_there = Vec::new();
    let refusal = Case::good().admit_placed(|_, code| {
        lies_there = code.to_vec();
        lies_there[0] ^= 1;
        Ok(Digest::of(&lies_there))
    });
    let Err(Refusal::CodeDigest { target, found, signed }) = refusal else { panic!("{refusal:?}") };
    assert_eq!((target, signed), (triple(LINUX), Digest::of(CODE)));
    assert_eq!(found, Digest::of(&lies_there));
}

#[test]
fn code_that_could_not_be_placed() {
    let refusal = Case::good().admit_placed(|_, _| Err(Refusal::Unsigned));
    assert_eq!(refusal.unwrap_err(), Refusal::Unsigned);
}

#[test]
fn only_this_hosts_code_is_placed_and_once() {
    let mut placed = Vec::new();
    let admitted = Case { target: ARM, ..Case::good() }.admit_placed(|manifest, code| {
        assert_eq!(manifest.module.component, name("security.core"));
        placed.push(code.to_vec());
        Ok(Digest::of(code))
    });
    assert_eq!(admitted.unwrap().code(), b"arm");
    assert_eq!(placed, [b"arm"]);
}

#[test]
fn nothing_is_placed_of_a_package_that_nobody_vouches_for() {
    let longer = |parts: &mut Parts| {
        parts.code.values_mut().for_each(|code| code.push(0));
    };
    let not_yet = Release { not_before: Some(time("2027-01-01T00:00:00Z")), ..Release::default() };
    let refused = [
        Case::signed_by(&[]),
        Case::signed_by(&["mallory"]),
        Case::released(&["alice"], not_yet),
        Case::good().with_parts(longer),
        Case::good().with_parts(|parts| parts.manifest.push(b' ')),
    ];
    for case in refused {
        case.admit_placed(|_, _| panic!("it was placed")).expect_err("it must be refused");
    }
}

// --- The bytes ---

#[test]
fn tampered_manifest() {
    let tamper = |parts: &mut Parts| {
        parts.manifest = replaced(&parts.manifest, "\"epoch\": 7", "\"epoch\": 9")
    };
    assert_eq!(Case::good().with_parts(tamper).refused(), Refusal::ManifestNotSigned);
}

#[test]
fn tampered_manifest_in_both_places() {
    let case = Case::good().with_parts(|parts| {
        parts.manifest = replaced(&parts.manifest, "\"epoch\": 7", "\"epoch\": 9");
        let old = Envelope::parse(parts.signatures.as_ref().unwrap(), MANIFEST_TYPE).unwrap();
        let empty = Envelope::new(MANIFEST_TYPE, parts.manifest.clone()).to_json();
        let signature =
            serde_json::from_slice::<serde_json::Value>(&old.to_json()).unwrap()["signatures"]
                .clone();
        let mut forged: serde_json::Value = serde_json::from_slice(&empty).unwrap();
        forged["signatures"] = signature;
        parts.signatures = Some(forged.to_string().into_bytes());
    });
    assert_eq!(case.refused(), Refusal::BadSignature { key: secret("alice").public().id() });
}

#[test]
fn tampered_code() {
    let refusal = Case::good()
        .with_parts(|parts| parts.code.get_mut(&triple(LINUX)).unwrap()[0] ^= 1)
        .refused();
    assert!(matches!(refusal, Refusal::CodeDigest { target, .. } if target == triple(LINUX)));
}

#[test]
fn tampered_code_of_another_target() {
    let refusal = Case::good()
        .with_parts(|parts| parts.code.get_mut(&triple(ARM)).unwrap()[0] ^= 1)
        .refused();
    assert!(matches!(refusal, Refusal::CodeDigest { target, .. } if target == triple(ARM)));
}

#[test]
fn code_with_bytes_appended() {
    let refusal = Case::good()
        .with_parts(|parts| parts.code.get_mut(&triple(LINUX)).unwrap().push(0))
        .refused();
    assert!(matches!(refusal, Refusal::CodeSize { .. }));
}

#[test]
fn code_left_out_and_code_added() {
    let left_out =
        Case::good().with_parts(|parts| drop(parts.code.remove(&triple(LINUX)))).refused();
    assert_eq!(left_out, Refusal::TargetsDiffer { target: triple(LINUX) });
    let added = triple("sparc64-unknown-linux-gnu");
    let case = Case::good().with_parts(|parts| drop(parts.code.insert(added.clone(), vec![1])));
    assert_eq!(case.refused(), Refusal::TargetsDiffer { target: added });
}

#[test]
fn every_flipped_bit_of_the_signed_parts_is_noticed() {
    let good = Case::good().package;
    let parts = Archive::read(&good, &Limits::DEFAULT).unwrap();
    let start = |part: &[u8]| part.as_ptr().addr() - good.as_ptr().addr();
    let linux = parts.code[&triple(LINUX)];
    let signed = (start(parts.manifest)..start(parts.manifest) + parts.manifest.len())
        .chain(start(linux)..start(linux) + linux.len());
    for at in signed {
        let mut package = good.clone();
        package[at] ^= 1 << (at % 8);
        assert!(Case { package, ..Case::good() }.admit().is_err(), "byte {at}");
    }
}

#[test]
fn not_a_manifest() {
    let refusal = Case::good().with_parts(|parts| parts.manifest = b"{}".to_vec()).refused();
    assert!(matches!(refusal, Refusal::Manifest(_)));
}

#[test]
fn not_an_envelope() {
    let refusal =
        Case::good().with_parts(|parts| parts.signatures = Some(b"[]".to_vec())).refused();
    assert!(matches!(refusal, Refusal::Envelope(_)));
}

#[test]
fn signature_made_for_a_trust_store() {
    let case = Case::good().with_parts(|parts| {
        let mut envelope = Envelope::new(TRUST_TYPE, parts.manifest.clone());
        envelope.sign(&secret("alice"));
        parts.signatures = Some(replaced(&envelope.to_json(), TRUST_TYPE, MANIFEST_TYPE));
    });
    assert!(matches!(case.refused(), Refusal::BadSignature { .. }));
}

// --- The tar ---

#[test]
fn truncated_tar() {
    let mut case = Case::good();
    case.package.truncate(case.package.len() - 1024 - 512);
    let bytes = case.package.len();
    assert_eq!(case.archive_fault(), ArchiveFault::Truncated { bytes });
}

#[test]
fn tar_with_parent_path() {
    for tricky in ["../manifest.json", "code/../../etc/passwd", "code/../x.so", "code/..\\x.so"] {
        let fault =
            Case::good().with_entry(tricky.as_bytes(), EntryType::Regular, b"x").archive_fault();
        assert!(matches!(fault, ArchiveFault::PathTrick { .. }), "{tricky}: {fault}");
    }
}

#[test]
fn tar_with_absolute_path() {
    let fault = Case::good().with_entry(b"/etc/passwd", EntryType::Regular, b"x").archive_fault();
    assert!(matches!(fault, ArchiveFault::PathTrick { .. }));
}

#[test]
fn tar_with_path_hidden_in_the_prefix() {
    // A ustar name continues in a second field: `../` + `manifest.json`.
    let mut case = Case::good();
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..13].copy_from_slice(b"manifest.json");
    header.as_ustar_mut().unwrap().prefix[..2].copy_from_slice(b"..");
    header.set_size(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    case.package.splice(..0, header.as_bytes().iter().copied());
    assert!(matches!(case.archive_fault(), ArchiveFault::PathTrick { .. }));
}

#[test]
fn tar_with_links_devices_directories_and_extensions() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ];
    for kind in kinds {
        let fault = Case::good().with_entry(b"manifest.json", kind, b"").archive_fault();
        assert!(matches!(fault, ArchiveFault::NotAPlainFile { .. }), "{kind:?}: {fault}");
    }
}

#[test]
fn tar_with_duplicate_entry() {
    for twice in ["manifest.json", "signatures.json", "code/x86_64-unknown-linux-gnu.so"] {
        let fault =
            Case::good().with_entry(twice.as_bytes(), EntryType::Regular, b"{}").archive_fault();
        assert_eq!(fault, ArchiveFault::Duplicate { name: twice.to_owned() });
    }
}

#[test]
fn tar_with_extra_entry() {
    for extra in [
        "README",
        "code/README",
        "code/.so",
        "./manifest.json",
        "manifest.json/",
        "code//x.so",
        "a\u{1b}[2J",
    ] {
        let fault =
            Case::good().with_entry(extra.as_bytes(), EntryType::Regular, b"x").archive_fault();
        assert!(matches!(fault, ArchiveFault::UnknownEntry { .. }), "{extra}: {fault}");
        assert!(!fault.to_string().contains('\u{1b}'), "messages do not repeat control characters");
    }
}

#[test]
fn tar_with_oversized_entry() {
    // Only claimed: the refusal comes from the header, before the content is looked for.
    for (part, limit) in [
        ("manifest.json", Limits::DEFAULT.manifest_bytes),
        ("signatures.json", Limits::DEFAULT.signatures_bytes),
        ("code/x86_64-unknown-linux-gnu.so", Limits::DEFAULT.code_bytes),
    ] {
        for claimed in [limit as u64 + 1, 0o77_777_777_777] {
            let mut case = Case::good();
            case.package.splice(..0, entry(part.as_bytes(), EntryType::Regular, claimed));
            let fault = case.archive_fault();
            assert_eq!(
                fault,
                ArchiveFault::EntryTooLarge { name: part.to_owned(), bytes: claimed, limit }
            );
        }
    }
}

#[test]
fn tar_with_size_in_another_notation() {
    // Base 256, a sign, a blank inside, nothing: programs disagree about what these mean.
    for field in [
        *b"\x80\0\0\0\0\0\0\0\0\0\0\x02",
        *b"+0000000002\0",
        *b"0000 000002\0",
        *b"           \0",
        *b"-0000000002\0",
    ] {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..13].copy_from_slice(b"manifest.json");
        header.as_old_mut().size = field;
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        let mut case = Case::good();
        case.package.splice(..0, header.as_bytes().iter().copied());
        assert_eq!(case.archive_fault(), ArchiveFault::NotATar { at: 0 }, "{field:?}");
    }
}

#[test]
fn tar_with_too_many_entries() {
    let limits = Limits { targets: 1, ..Limits::DEFAULT };
    let fault = Case { limits, ..Case::good() }.archive_fault();
    assert_eq!(fault, ArchiveFault::TooManyEntries { limit: 3 });
}

#[test]
fn tar_with_hidden_bytes() {
    let mut after_the_end = Case::good();
    let mut second = Case::good().package;
    after_the_end.package.append(&mut second);
    assert!(matches!(after_the_end.archive_fault(), ArchiveFault::HiddenBytes { .. }));

    let mut in_the_padding = Case::good();
    let manifest_bytes =
        Archive::read(&in_the_padding.package, &Limits::DEFAULT).unwrap().manifest.len();
    in_the_padding.package[512 + manifest_bytes] = 1;
    assert!(matches!(in_the_padding.archive_fault(), ArchiveFault::HiddenBytes { .. }));
}

#[test]
fn tar_with_damaged_header() {
    let mut case = Case::good();
    case.package[0] ^= 1;
    assert_eq!(case.archive_fault(), ArchiveFault::NotATar { at: 0 });
}

#[test]
fn no_tar_at_all() {
    assert_eq!(
        Case { package: b"\x7fELF".repeat(512), ..Case::good() }.archive_fault(),
        ArchiveFault::NotATar { at: 0 }
    );
    assert_eq!(
        Case { package: vec![0; 1024], ..Case::good() }.archive_fault(),
        ArchiveFault::NoManifest
    );
    assert_eq!(
        Case { package: vec![], ..Case::good() }.archive_fault(),
        ArchiveFault::Truncated { bytes: 0 }
    );
}

#[test]
fn endless_data() {
    let good = Case::good().package;
    let endless = std::io::Read::chain(&good[..], std::io::repeat(0));
    let limits = Limits { package_bytes: 1 << 20, ..Limits::DEFAULT };
    assert_eq!(receive(endless, &limits), Err(ArchiveFault::TooLarge { limit: 1 << 20 }));
}

#[test]
fn oversized_package() {
    let mut case = Case::good();
    case.limits.package_bytes = case.package.len() - 1;
    let limit = case.limits.package_bytes;
    assert_eq!(case.archive_fault(), ArchiveFault::TooLarge { limit });
}

// --- The signers ---

#[test]
fn unsigned() {
    assert_eq!(Case::signed_by(&[]).refused(), Refusal::Unsigned);
    let case = Case::good().with_parts(|parts| {
        parts.signatures = Some(Envelope::new(MANIFEST_TYPE, parts.manifest.clone()).to_json());
    });
    assert_eq!(case.refused(), Refusal::Unsigned);
}

#[test]
fn wrong_key() {
    let mallory = secret("mallory").public().id().to_string();
    assert_eq!(Case::signed_by(&["mallory"]).refused(), Refusal::UnknownSigners { keys: mallory });
}

#[test]
fn wrong_key_under_a_trusted_key_s_id() {
    let case = Case::signed_by(&["mallory"]).with_parts(|parts| {
        let (mallory, alice) = (secret("mallory").public().id(), secret("alice").public().id());
        parts.signatures = Some(replaced(
            parts.signatures.as_ref().unwrap(),
            &mallory.to_string(),
            &alice.to_string(),
        ));
    });
    assert_eq!(case.refused(), Refusal::BadSignature { key: secret("alice").public().id() });
}

#[test]
fn root_key_signs_no_packages() {
    assert!(matches!(Case::signed_by(&["root"]).refused(), Refusal::UnknownSigners { .. }));
}

#[test]
fn key_not_authorised_for_component() {
    let refusal = Case::signed_by(&["table-only"]).refused();
    assert!(matches!(refusal, Refusal::SignerNotAuthorised { .. }), "{refusal}");
}

#[test]
fn below_threshold() {
    let mut case = Case::good();
    case.trust = with_threshold("security.*", 2);
    let component = name("security.core");
    assert_eq!(case.refused(), Refusal::BelowThreshold { found: 1, needed: 2, component });
}

#[test]
fn threshold_met_by_two_keys() {
    let case =
        Case { trust: with_threshold("security.*", 2), ..Case::signed_by(&["alice", "bob"]) };
    assert_eq!(case.admit().unwrap().signers().len(), 2);
}

#[test]
fn keys_that_may_not_sign_do_not_fill_the_threshold() {
    for idle in ["table-only", "expired", "mallory"] {
        let case =
            Case { trust: with_threshold("security.*", 2), ..Case::signed_by(&[idle, "alice"]) };
        assert!(
            matches!(case.refused(), Refusal::BelowThreshold { found: 1, needed: 2, .. }),
            "{idle}"
        );
    }
}

#[test]
fn duplicate_signatures_by_same_key_counted_once() {
    let case =
        Case { trust: with_threshold("security.*", 2), ..Case::good() }.with_parts(|parts| {
            let mut envelope: serde_json::Value =
                serde_json::from_slice(parts.signatures.as_ref().unwrap()).unwrap();
            let signatures = envelope["signatures"].as_array_mut().unwrap();
            signatures.push(signatures[0].clone());
            parts.signatures = Some(envelope.to_string().into_bytes());
        });
    assert!(matches!(case.refused(), Refusal::BelowThreshold { found: 1, needed: 2, .. }));
}

#[test]
fn expired_key() {
    let refusal = Case::signed_by(&["expired"]).refused();
    assert!(matches!(refusal, Refusal::SignerExpired { .. }), "{refusal}");
}

#[test]
fn key_expires_at_that_second_and_not_before() {
    let at = |now| Case { now, ..Case::signed_by(&["expired"]) }.admit();
    assert!(at("2025-12-31T23:59:59Z").is_ok());
    assert!(matches!(at("2026-01-01T00:00:00Z"), Err(Refusal::SignerExpired { .. })));
}

#[test]
fn component_without_a_rule() {
    let refusal = Case { trust: with_threshold("table.*", 1), ..Case::good() }.refused();
    assert_eq!(refusal, Refusal::NoRule { component: name("security.core") });
    assert_eq!(refusal.fault(), Fault::Trust);
}

// --- The release ---

fn window() -> Release {
    Release {
        epoch: 7,
        not_before: Some(time("2026-02-01T00:00:00Z")),
        expires: Some(time("2026-03-01T00:00:00Z")),
    }
}

#[test]
fn not_yet_valid() {
    let case = Case { now: "2026-01-31T23:59:59Z", ..Case::released(&["alice"], window()) };
    assert!(matches!(case.refused(), Refusal::NotYetValid { .. }));
    assert!(
        Case { now: "2026-02-01T00:00:00Z", ..Case::released(&["alice"], window()) }
            .admit()
            .is_ok()
    );
}

#[test]
fn expired_package() {
    let case = Case { now: "2026-03-01T00:00:00Z", ..Case::released(&["alice"], window()) };
    assert!(matches!(case.refused(), Refusal::Expired { .. }));
    assert!(
        Case { now: "2026-02-28T23:59:59Z", ..Case::released(&["alice"], window()) }
            .admit()
            .is_ok()
    );
}

#[test]
fn wrong_target() {
    let refusal = Case { target: "sparc64-unknown-linux-gnu", ..Case::good() }.refused();
    let found = format!("{ARM}, {LINUX}");
    assert_eq!(
        refusal,
        Refusal::WrongTarget { wanted: triple("sparc64-unknown-linux-gnu"), found }
    );
}

#[test]
fn replayed_older_epoch() {
    let refusal = Case { recorded: Some(8), ..Case::good() }.refused();
    assert_eq!(
        refusal,
        Refusal::OlderEpoch { component: name("security.core"), found: 7, recorded: 8 }
    );
    assert!(Case { recorded: Some(7), ..Case::good() }.admit().is_ok());
    assert!(Case { recorded: Some(6), ..Case::good() }.admit().is_ok());
}

#[test]
fn replayed_older_epoch_with_override_is_admitted_and_reported() {
    let operator = Some(Override::LocalDowngrade);
    let admitted = Case { recorded: Some(8), operator, ..Case::good() }.admit().unwrap();
    let expected =
        UsedOverride { kind: Override::LocalDowngrade, recorded_epoch: 8, admitted_epoch: 7 };
    assert_eq!(admitted.used_override(), Some(expected));
    // Given and not needed: nothing to announce.
    let admitted = Case { recorded: Some(7), operator, ..Case::good() }.admit().unwrap();
    assert_eq!(admitted.used_override(), None);
}

#[test]
fn the_override_opens_nothing_else() {
    let operator = Some(Override::LocalDowngrade);
    assert_eq!(Case { operator, ..Case::signed_by(&[]) }.refused(), Refusal::Unsigned);
    let late =
        Case { operator, now: "2030-01-01T00:00:00Z", ..Case::released(&["alice"], window()) };
    assert!(matches!(late.refused(), Refusal::Expired { .. }));
}

/// The epoch is looked at last, and only what is signed: an attacker cannot learn or change anything by it.
#[test]
fn epoch_raised_without_signature() {
    let tamper = |parts: &mut Parts| {
        parts.manifest = replaced(&parts.manifest, "\"epoch\": 7", "\"epoch\": 9")
    };
    assert_eq!(
        Case { recorded: Some(8), ..Case::good() }.with_parts(tamper).refused(),
        Refusal::ManifestNotSigned
    );
}

#[test]
fn every_refusal_names_a_cure() {
    // A cure stands after the last semicolon or colon; a message without one leaves the reader alone.
    let refusals = [
        Case::signed_by(&[]).refused(),
        Case::signed_by(&["mallory"]).refused(),
        Case::signed_by(&["expired"]).refused(),
        Case::signed_by(&["table-only"]).refused(),
        Case { recorded: Some(8), ..Case::good() }.refused(),
        Case { target: "sparc64-unknown-linux-gnu", ..Case::good() }.refused(),
        Case { package: vec![], ..Case::good() }.refused(),
    ];
    let words: std::collections::BTreeSet<_> = refusals.iter().map(Refusal::word).collect();
    assert_eq!(words.len(), refusals.len());
    for refusal in &refusals {
        let message = refusal.to_string();
        let cure = message.rsplit_once([';', ':']).map(|(_, cure)| cure.trim());
        assert!(cure.is_some_and(|cure| cure.split(' ').count() >= 3), "{message}");
    }
}
