//! Files of the state directory: each is replaced as a whole, and the one before is kept.
//!
//! Invariant: after a crash at any instant a name holds all of an old content or all of a new one, and
//! what was written before it returned is durable. A damaged file falls back to the one before it.

use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// In front of every file, before the length and the sum of its content.
const MARK: &[u8; 8] = b"sagent 1";

/// A directory of durable files, readable by their owner only.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
}

/// What a name holds.
pub(crate) struct Kept {
    /// The content.
    pub(crate) content: Vec<u8>,
    /// Why it is not the newest one.
    pub(crate) warning: Option<String>,
}

impl Store {
    /// Opens a directory, or makes it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&directory)?;
        Ok(Store { directory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// The content of a name, or the one before where that is damaged; none where neither is sound.
    pub(crate) fn read(&self, name: &str) -> Option<Kept> {
        let (newest, before) = (self.directory.join(name), self.before(name));
        match sound(&newest) {
            Ok(content) => Some(Kept { content, warning: None }),
            Err(why) => {
                let content = sound(&before).ok()?;
                let warning = (why.kind() != io::ErrorKind::NotFound)
                    .then(|| format!("{}: {why}; the one before it is used", newest.display()));
                Some(Kept { content, warning })
            }
        }
    }

    /// Replaces the content of a name, durably.
    ///
    /// # Errors
    /// The disk's; then the old content is there.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let (newest, before) = (self.directory.join(name), self.before(name));
        let next = self.directory.join(format!("{name}.new"));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(MARK)?;
        file.write_all(&(content.len() as u64).to_be_bytes())?;
        file.write_all(&sum(content).to_be_bytes())?;
        file.write_all(content)?;
        file.sync_all()?;
        // A crash between the two leaves the name empty and the one before sound.
        match fs::rename(&newest, &before) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::rename(&next, &newest)?,
        }
        let directory =
            rustix::fs::open(&self.directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::fsync(directory)?)
    }

    fn before(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.before"))
    }
}

/// The content of a file whose length and sum are right.
fn sound(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.read_to_end(&mut octets)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "damaged");
    let rest = octets.strip_prefix(MARK).ok_or_else(damaged)?;
    let (len, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (expected, content) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let whole = content.len() as u64 == u64::from_be_bytes(*len)
        && sum(content) == u32::from_be_bytes(*expected);
    if whole { Ok(content.to_vec()) } else { Err(damaged()) }
}

/// CRC-32C, as in the journal.
fn sum(content: &[u8]) -> u32 {
    crc32c::crc32c(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_falls_back_to_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state")).unwrap();
        assert!(store.read("boots").is_none());
        store.write("boots", b"one").unwrap();
        store.write("boots", b"two").unwrap();
        assert_eq!(store.read("boots").unwrap().content, b"two");
        let newest = store.path().join("boots");
        let whole = fs::read(&newest).unwrap();
        for cut in 0..whole.len() {
            fs::write(&newest, &whole[..cut]).unwrap();
            let kept = store.read("boots").unwrap();
            assert_eq!((kept.content.as_slice(), kept.warning.is_some()), (&b"one"[..], true));
        }
        fs::remove_file(&newest).unwrap();
        assert!(store.read("boots").unwrap().warning.is_none(), "a crash between two renames");
    }
}
