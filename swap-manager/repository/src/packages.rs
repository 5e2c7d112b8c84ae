//! Package files by digest: written whole or not at all, checked at every reading, kept as long as a
//! recent set names them. Nothing here looks into them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use s_transaction::journal::Digest;
use sha2::Digest as _;
use sha2::Sha256;

use crate::{Repository, RepositoryFault, Result};

/// How much of a kept file is looked at at a time.
const PIECE: usize = 64 * 1024;

impl Repository {
    /// Keeps these bytes, durably, and names them.
    ///
    /// # Errors
    /// The disk's; then nothing is kept.
    pub fn put(&mut self, bytes: &[u8]) -> Result<Digest> {
        let digest = digest(bytes);
        self.put_named(digest, bytes)?;
        Ok(digest)
    }

    /// Keeps bytes whose digest the caller has taken already. Under a wrong one they are never given out:
    /// [`Repository::get`] takes it again.
    ///
    /// # Errors
    /// The disk's; then nothing is kept.
    pub fn put_named(&mut self, digest: Digest, bytes: &[u8]) -> Result<()> {
        // What is there is only as good as its content: a damaged file is replaced.
        if !holds(&self.path(digest), bytes).unwrap_or(false) {
            self.write_whole(bytes, &digest.to_string())?;
        }
        Ok(())
    }

    /// The bytes with this digest.
    ///
    /// # Errors
    /// They are not there, have changed, or cannot be read.
    pub fn get(&self, wanted: Digest) -> Result<Vec<u8>> {
        let path = self.path(wanted);
        match fs::read(&path) {
            Ok(bytes) if digest(&bytes) == wanted => Ok(bytes),
            Ok(_) => Err(RepositoryFault::Damaged(wanted)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                Err(RepositoryFault::Missing(wanted))
            }
            Err(fault) => Err(RepositoryFault::io("read", &path)(fault)),
        }
    }

    /// Where the file with this digest is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.packages().join(digest.to_string())
    }

    /// Removes the packages that no recent set names, except those in use (loaded, or on their way into a
    /// transaction), and says which.
    ///
    /// # Errors
    /// The disk's.
    pub fn sweep(&mut self, in_use: &[Digest]) -> Result<Vec<Digest>> {
        let recent = self.recovered().sets.iter().rev().take(self.settings.keep_sets.max(2));
        let bounds = recent.flat_map(|committed| committed.set.modules.values());
        let mut kept: BTreeSet<String> =
            bounds.filter_map(|bound| bound.package).map(|d| d.to_string()).collect();
        kept.extend(in_use.iter().map(Digest::to_string));
        let mut removed = Vec::new();
        for name in self.names()? {
            // Only what this crate has written is removed: names that are digests.
            if let Some(digest) = parse(&name).filter(|_| !kept.contains(&name)) {
                let path = self.path(digest);
                fs::remove_file(&path).map_err(RepositoryFault::io("remove", &path))?;
                removed.push(digest);
            }
        }
        Ok(removed)
    }

    pub(crate) fn remove_half_written(&self) -> Result<()> {
        let path = self.temporary();
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                Err(RepositoryFault::io("remove", &path)(fault))
            }
            _ => Ok(()),
        }
    }

    /// Writes under a name that nobody reads, makes that durable, gives it its name, makes the name durable.
    /// A crash leaves the old content, the new content, or the temporary name.
    pub(crate) fn write_whole(&self, bytes: &[u8], name: &str) -> Result<()> {
        let (temporary, path) = (self.temporary(), self.packages().join(name));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(self.packages())?.sync_all()
        };
        write().map_err(|fault| {
            // If even this fails, the next start removes it.
            let _ = fs::remove_file(&temporary);
            RepositoryFault::io("write", &path)(fault)
        })
    }

    fn packages(&self) -> PathBuf {
        self.directory.join("packages")
    }

    /// One is enough: writing takes `&mut self`, and the lock keeps other processes out.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.packages().join(".new")
    }

    fn names(&self) -> Result<Vec<String>> {
        let packages = self.packages();
        let list = || fs::read_dir(&packages)?.map(|entry| Ok(entry?.file_name())).collect();
        let names: io::Result<Vec<_>> = list();
        let names = names.map_err(RepositoryFault::io("list", &packages))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }
}

/// Whether a file holds exactly these bytes; looked at in pieces that stay in the processor's cache.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut piece = vec![0; PIECE];
    for expected in bytes.chunks(PIECE) {
        let found = &mut piece[..expected.len()];
        file.read_exact(found)?;
        if found != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn parse(name: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if name.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(name.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    let digest = Digest(digest);
    (digest.to_string() == name).then_some(digest)
}
