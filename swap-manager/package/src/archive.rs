//! The tar around a package: bytes to named parts and back.
//! Never extracts to a file system, never follows an extension header, never interprets a part.
//! Invariant: an archive that reads without a fault holds only the allowed names, each once, as plain
//! files, each within its limit; there is no byte in it that a tar program would show differently.

use std::collections::BTreeMap;
use std::io::Read;

use tar::{EntryType, Header};

use crate::text::Triple;

const BLOCK: usize = 512;
const MANIFEST: &str = "manifest.json";
const SIGNATURES: &str = "signatures.json";
/// `tar` programs fill up to a record of this many bytes with zeros.
const RECORD: usize = 10_240;

/// What a package may weigh. Checked before the bytes concerned are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole file.
    pub package_bytes: usize,
    /// One code object.
    pub code_bytes: usize,
    /// The manifest.
    pub manifest_bytes: usize,
    /// The signatures, which carry the manifest once more in base64.
    pub signatures_bytes: usize,
    /// Code objects, one per target.
    pub targets: usize,
}

impl Limits {
    /// Roomy for a module in Rust with its symbols, and little enough to hold in memory.
    pub const DEFAULT: Self = Self {
        package_bytes: 64 << 20,
        code_bytes: 32 << 20,
        manifest_bytes: 128 << 10,
        signatures_bytes: 256 << 10,
        targets: 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bytes that are not the tar of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// The whole is over its limit.
    #[error(
        "the package is larger than {limit} bytes; make its code smaller or raise the limit where packages are received"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many code objects.
    #[error("the package holds more than {limit} entries; pack fewer targets into one package")]
    TooManyEntries {
        /// The limit: code objects plus manifest and signatures.
        limit: usize,
    },
    /// One entry is over its limit.
    #[error(
        "`{name}` is {bytes} bytes and at most {limit} are allowed; make it smaller or raise the limit where packages are received"
    )]
    EntryTooLarge {
        /// The entry.
        name: String,
        /// Its claimed size.
        bytes: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The bytes end inside a header, an entry or before the end mark.
    #[error("the package ends early, after {bytes} bytes; transfer it again")]
    Truncated {
        /// Bytes present.
        bytes: usize,
    },
    /// A block that is not a tar header.
    #[error(
        "no tar header at byte {at}; this is not a package or it was damaged: transfer it again"
    )]
    NotATar {
        /// Offset of the block.
        at: usize,
    },
    /// A name with a separator, a parent or a root where none belongs.
    #[error(
        "the entry \"{name}\" has a path that leads out of the package; do not use this package, ask its maker"
    )]
    PathTrick {
        /// The name, escaped.
        name: String,
    },
    /// A name that no package holds.
    #[error(
        "the entry \"{name}\" does not belong in a package; pack with `swapctl pack`, which writes manifest.json, code/<target-triple>.so and signatures.json only"
    )]
    UnknownEntry {
        /// The name, escaped.
        name: String,
    },
    /// A link, directory, device, sparse file or extension header.
    #[error(
        "the entry \"{name}\" is of tar type \"{kind}\" and only plain files are allowed; pack with `swapctl pack`"
    )]
    NotAPlainFile {
        /// The name, escaped.
        name: String,
        /// The type byte, escaped.
        kind: String,
    },
    /// The same name twice.
    #[error("`{name}` stands in the package twice; do not use this package, ask its maker")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Bytes in the padding or after the end mark.
    #[error("there are bytes at {at} where a tar is empty; do not use this package, ask its maker")]
    HiddenBytes {
        /// Offset of the block that should have been zeros.
        at: usize,
    },
    /// No manifest.
    #[error("there is no manifest.json; this is not a package: make one with `swapctl pack`")]
    NoManifest,
    /// The reader failed.
    #[error("the package could not be read: {0}")]
    Unreadable(String),
}

/// The parts of a package, borrowed from its bytes. Nothing about them has been proven yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Archive<'a> {
    /// `manifest.json`.
    pub manifest: &'a [u8],
    /// `code/<target-triple>.so`, by triple.
    pub code: BTreeMap<Triple, &'a [u8]>,
    /// `signatures.json`; a package that was packed and not yet signed has none.
    pub signatures: Option<&'a [u8]>,
}

/// Reads a whole package from a source that may be endless: stops one byte past the limit.
pub fn receive(source: impl Read, limits: &Limits) -> Result<Vec<u8>, ArchiveFault> {
    let mut bytes = Vec::new();
    let one_past = (limits.package_bytes as u64).saturating_add(1);
    source
        .take(one_past)
        .read_to_end(&mut bytes)
        .map_err(|error| ArchiveFault::Unreadable(error.to_string()))?;
    if bytes.len() > limits.package_bytes {
        return Err(ArchiveFault::TooLarge { limit: limits.package_bytes });
    }
    Ok(bytes)
}

impl<'a> Archive<'a> {
    /// Splits a package into its parts without copying or interpreting them.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ArchiveFault> {
        if bytes.len() > limits.package_bytes {
            return Err(ArchiveFault::TooLarge { limit: limits.package_bytes });
        }
        let truncated = ArchiveFault::Truncated { bytes: bytes.len() };
        let mut archive = Self::default();
        let mut manifest = None;
        let mut entries = 0;
        let mut at = 0;
        loop {
            let header = bytes.get(at..at + BLOCK).ok_or_else(|| truncated.clone())?;
            if is_zero(header) {
                break;
            }
            entries += 1;
            if entries > limits.targets + 2 {
                return Err(ArchiveFault::TooManyEntries { limit: limits.targets + 2 });
            }
            let (name, claimed) = read_header(header, at)?;
            let part = Part::named(&name)?;
            let limit = part.limit(limits);
            let size =
                usize::try_from(claimed).ok().filter(|&size| size <= limit).ok_or_else(|| {
                    ArchiveFault::EntryTooLarge { name: name.clone(), bytes: claimed, limit }
                })?;
            // Sizes are far below usize::MAX here: each was held against its limit just above.
            let start = at + BLOCK;
            let end = start + size;
            let next = end.next_multiple_of(BLOCK);
            let content = bytes.get(start..end).ok_or_else(|| truncated.clone())?;
            let padding = bytes.get(end..next).ok_or_else(|| truncated.clone())?;
            if !is_zero(padding) {
                return Err(ArchiveFault::HiddenBytes { at: end });
            }
            let twice = match part {
                Part::Manifest => manifest.replace(content).is_some(),
                Part::Code(triple) => archive.code.insert(triple, content).is_some(),
                Part::Signatures => archive.signatures.replace(content).is_some(),
            };
            if twice {
                return Err(ArchiveFault::Duplicate { name });
            }
            at = next;
        }
        // Two zero blocks end a tar; whole records of zeros may follow and nothing else.
        if bytes.len() < at + 2 * BLOCK {
            return Err(truncated);
        }
        if !is_zero(&bytes[at..]) || bytes.len() - at > 2 * BLOCK + RECORD {
            return Err(ArchiveFault::HiddenBytes { at });
        }
        archive.manifest = manifest.ok_or(ArchiveFault::NoManifest)?;
        Ok(archive)
    }

    /// Writes the one form that these parts have: fixed order, no owner, no time.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, MANIFEST, self.manifest);
        for (triple, code) in &self.code {
            append(&mut bytes, &format!("code/{triple}.so"), code);
        }
        if let Some(signatures) = self.signatures {
            append(&mut bytes, SIGNATURES, signatures);
        }
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        bytes
    }
}

enum Part {
    Manifest,
    Code(Triple),
    Signatures,
}

impl Part {
    fn named(name: &str) -> Result<Self, ArchiveFault> {
        let triple = name.strip_prefix("code/").and_then(|rest| rest.strip_suffix(".so"));
        match (name, triple.map(Triple::parse)) {
            (MANIFEST, _) => Ok(Self::Manifest),
            (SIGNATURES, _) => Ok(Self::Signatures),
            (_, Some(Ok(triple))) => Ok(Self::Code(triple)),
            _ => {
                let tricky =
                    name.starts_with('/') || name.split(['/', '\\']).any(|step| step == "..");
                let name = name.escape_debug().to_string();
                Err(if tricky {
                    ArchiveFault::PathTrick { name }
                } else {
                    ArchiveFault::UnknownEntry { name }
                })
            }
        }
    }

    fn limit(&self, limits: &Limits) -> usize {
        match self {
            Self::Manifest => limits.manifest_bytes,
            Self::Code(_) => limits.code_bytes,
            Self::Signatures => limits.signatures_bytes,
        }
    }
}

/// Name and claimed size of a header that is intact and describes a plain file.
fn read_header(block: &[u8], at: usize) -> Result<(String, u64), ArchiveFault> {
    let not_a_tar = || ArchiveFault::NotATar { at };
    let header = Header::from_byte_slice(block);
    let mut summed = header.clone();
    summed.set_cksum();
    let intact = header.cksum().ok() == summed.cksum().ok();
    if !intact || (header.as_ustar().is_none() && header.as_gnu().is_none()) {
        return Err(not_a_tar());
    }
    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
    if header.entry_type() != EntryType::Regular {
        let kind = header.entry_type().as_byte().escape_ascii().to_string();
        return Err(ArchiveFault::NotAPlainFile { name: name.escape_debug().to_string(), kind });
    }
    // Octal only: the binary form is for sizes far over every limit, and signs or inner blanks are read
    // differently by different programs.
    let field = header.as_old().size;
    let digits = field.iter().position(|byte| !(b'0'..=b'7').contains(byte)).unwrap_or(field.len());
    if !field[digits..].iter().all(|byte| b" \0".contains(byte)) {
        return Err(not_a_tar());
    }
    let size = header.entry_size().map_err(|_| not_a_tar())?;
    Ok((name, size))
}

fn append(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = Header::new_ustar();
    header.set_path(name).expect("every name of a package fits the 100 bytes of a tar header");
    header.set_size(content.len() as u64);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let linux = Triple::parse("x86_64-unknown-linux-gnu").unwrap();
        let arm = Triple::parse("aarch64-unknown-linux-gnu").unwrap();
        Archive {
            manifest: b"{}",
            code: BTreeMap::from([(linux, &[7u8; 513][..]), (arm, &b""[..])]),
            signatures: Some(b"[]"),
        }
        .write()
    }

    #[test]
    fn what_is_written_reads_back_and_has_one_form() {
        let bytes = sample();
        let archive = Archive::read(&bytes, &Limits::DEFAULT).unwrap();
        assert_eq!(archive.manifest, b"{}");
        assert_eq!(archive.code.values().map(|code| code.len()).collect::<Vec<_>>(), [0, 513]);
        assert_eq!(archive.signatures, Some(&b"[]"[..]));
        assert_eq!(archive.write(), bytes);
    }

    #[test]
    fn an_ordinary_tar_reader_agrees() {
        let bytes = sample();
        let mut tar = tar::Archive::new(&bytes[..]);
        let names: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|e| e.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(
            names,
            [
                "manifest.json",
                "code/aarch64-unknown-linux-gnu.so",
                "code/x86_64-unknown-linux-gnu.so",
                "signatures.json"
            ]
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            let fault = Archive::read(&bytes[..length], &Limits::DEFAULT).unwrap_err();
            assert_eq!(fault, ArchiveFault::Truncated { bytes: length });
        }
    }

    #[test]
    fn an_endless_source_is_left_after_the_limit() {
        let limits = Limits { package_bytes: 10_000, ..Limits::DEFAULT };
        let fault = receive(std::io::repeat(0), &limits).unwrap_err();
        assert_eq!(fault, ArchiveFault::TooLarge { limit: 10_000 });
        assert_eq!(receive(std::io::repeat(0).take(10_000), &limits).unwrap().len(), 10_000);
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_panics_and_hides_nothing(at in 0usize..6000, value: u8) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(archive) = Archive::read(&bytes, &Limits::DEFAULT) {
                let rewritten = archive.write();
                prop_assert!(Archive::read(&rewritten, &Limits::DEFAULT).is_ok());
            }
        }
    }
}
