//! Files: read within a limit, written whole or not at all.
//! Never leaves half a file under its final name, never overwrites unless told to, and never reads or
//! writes a secret key that others on this machine could read.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use s_package::{Archive, Limits, PublicKey, SecretKey, TrustStore, archive};
use zeroize::Zeroizing;

use crate::output::Failure;

/// A key file is one line.
const KEY_FILE_BYTES_MAX: usize = 1024;

/// What happens to a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

impl Existing {
    pub(crate) fn replaced_if(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// All of a file, unless it is larger than `limit`.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| cannot("read", path, &error))?;
    if bytes.len() as u64 > limit {
        let message = format!("larger than {limit} bytes; give the right file");
        return Err(Failure::refused("too-large", message).about(path));
    }
    Ok(bytes)
}

/// A package's bytes, which may come from a pipe without end.
pub(crate) fn read_package(path: &Path) -> Result<Vec<u8>, Failure> {
    archive::receive(open(path)?, &Limits::DEFAULT).map_err(|fault| match fault {
        s_package::ArchiveFault::Unreadable(error) => cannot("read", path, &error),
        fault => Failure::from(s_package::Refusal::from(fault)).about(path),
    })
}

/// The parts of a package.
pub(crate) fn split<'a>(package: &'a [u8], path: &Path) -> Result<Archive<'a>, Failure> {
    Archive::read(package, &Limits::DEFAULT)
        .map_err(|fault| Failure::from(s_package::Refusal::from(fault)).about(path))
}

pub(crate) fn read_trust(path: &Path) -> Result<TrustStore, Failure> {
    let bytes = read(path, s_package::trust::BYTES_MAX as u64)?;
    TrustStore::parse(&bytes).map_err(|fault| Failure::from(fault).about(path))
}

pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey, Failure> {
    let bytes = Zeroizing::new(read(path, KEY_FILE_BYTES_MAX as u64)?);
    let text =
        str::from_utf8(&bytes).map_err(|_| Failure::from(s_package::KeyFault::NotAPublicKey));
    text.and_then(|text| Ok(PublicKey::parse(text)?)).map_err(|failure| failure.about(path))
}

pub(crate) fn read_secret_key(path: &Path) -> Result<SecretKey, Failure> {
    let mut file = open(path)?;
    // Asked of the open file: what is checked is what is read.
    let mode = file.metadata().map_err(|error| cannot("read", path, &error))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!(
            "this secret key can be read or written by others (mode {mode:03o}); run `chmod 600 {}`, \
             and make a new key if somebody may have seen it",
            path.display()
        );
        return Err(Failure::refused("key-exposed", message).about(path));
    }
    // One buffer that never grows, so that no copy of the secret stays behind.
    let mut bytes = Zeroizing::new([0u8; KEY_FILE_BYTES_MAX]);
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]).map_err(|error| cannot("read", path, &error))? {
            0 => break,
            count => length += count,
        }
    }
    let text = str::from_utf8(&bytes[..length])
        .map_err(|_| Failure::from(s_package::KeyFault::NotASecretKey));
    text.and_then(|text| Ok(SecretKey::parse(text)?)).map_err(|failure| failure.about(path))
}

/// Writes a file that anybody may read, or that keeps the mode of the file it replaces.
pub(crate) fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), Failure> {
    let old_mode = fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o777);
    write_with_mode(path, bytes, old_mode.unwrap_or(0o644), existing)
}

/// Writes a file that only its owner may read, whatever the file it replaces allowed.
pub(crate) fn write_secret(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), Failure> {
    write_with_mode(path, bytes, 0o600, existing)
}

/// Refuses before any work is done; the write itself refuses again, without a gap in between.
pub(crate) fn must_not_exist(path: &Path, existing: Existing) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) if existing == Existing::Keep => Err(already_there(path)),
        _ => Ok(()),
    }
}

fn write_with_mode(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    existing: Existing,
) -> Result<(), Failure> {
    must_not_exist(path, existing)?;
    // A link is followed, so that the file it names is replaced and not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |error: &dyn std::fmt::Display| cannot("write", &path, error);
    let mut file = tempfile::Builder::new()
        .prefix(".swapctl-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(&folder)
        .map_err(|error| failed(&error))?;
    file.write_all(bytes).map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    let renamed = match existing {
        Existing::Replace => file.persist(&path),
        Existing::Keep => file.persist_noclobber(&path),
    };
    renamed.map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => already_there(&path),
        _ => failed(&error.error),
    })?;
    // The name itself is on disk only once its folder is.
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| cannot("open", path, &error))
}

fn already_there(path: &Path) -> Failure {
    Failure::refused("exists", "already there; give another name, or --force to replace it")
        .about(path)
}

fn cannot(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::system(format!("cannot {what} it: {error}")).about(path)
}
