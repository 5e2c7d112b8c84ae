//! Files of the state directory: each is replaced as a whole, and the one before is kept.
//!
//! It never interprets a content: whoever reads says whether it makes sense. Invariants: after a crash at
//! any instant a name holds all of an old content or all of a new one; what was written before it returned
//! is durable; a damaged file takes the place of no sound one. A damaged file falls back to the one before
//! it, a file that cannot be read is an error: to go on without it would be to forget it.

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
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept<T> {
    /// It was never written.
    Nothing,
    /// What was written last.
    Newest(T),
    /// What was written before: the newest is damaged, as the warning says, or a crash came before it was there.
    Before(T, Option<String>),
    /// Something was written, and nothing of it is left.
    Lost(String),
}

impl<T> Kept<T> {
    /// The content, and what was odd.
    pub(crate) fn into_parts(self) -> (Option<T>, Option<String>) {
        match self {
            Kept::Nothing => (None, None),
            Kept::Newest(content) => (Some(content), None),
            Kept::Before(content, warning) => (Some(content), warning),
            Kept::Lost(warning) => (None, Some(warning)),
        }
    }
}

impl Store {
    /// Opens a directory, or makes it.
    ///
    /// # Errors
    /// It cannot be made, or not be used: with its name and the remedy.
    pub(crate) fn open(directory: impl Into<PathBuf>) -> Result<Self, String> {
        let directory = directory.into();
        let told = |error: io::Error| {
            format!(
                "the state directory {}: {error}; make it a directory of the user that the agent \
                 runs as, or name another with --state-directory",
                directory.display()
            )
        };
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&directory).map_err(told)?;
        rustix::fs::access(
            &directory,
            rustix::fs::Access::READ_OK
                | rustix::fs::Access::WRITE_OK
                | rustix::fs::Access::EXEC_OK,
        )
        .map_err(|error| told(error.into()))?;
        Ok(Store { directory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// What a name holds, as `understand` reads it. What it does not understand is damaged.
    ///
    /// # Errors
    /// A file is there and cannot be read: with its name and the remedy.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        mut understand: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Kept<T>, String> {
        let (newest, before) = (self.directory.join(name), self.before(name));
        let mut one = |path: &Path| match sound(path) {
            Ok(Some(content)) => Ok(understand(&content).map_or(Found::Damaged, Found::Sound)),
            Ok(None) => Ok(Found::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(format!(
                "{}: {error}; let the agent's user read it, or move it away to begin without it",
                path.display()
            )),
        };
        let first = match one(&newest)? {
            Found::Sound(content) => return Ok(Kept::Newest(content)),
            other => other,
        };
        let newest = newest.display();
        Ok(match (first, one(&before)?) {
            // A crash between the two renames of `write`.
            (Found::Nothing, Found::Sound(content)) => Kept::Before(content, None),
            (_, Found::Sound(content)) => Kept::Before(
                content,
                Some(format!("{newest} is damaged; the one before it is used")),
            ),
            (Found::Nothing, Found::Nothing) => Kept::Nothing,
            _ => Kept::Lost(format!("{newest} is damaged, and so is the one before it")),
        })
    }

    /// Replaces the content of a name, durably.
    ///
    /// # Errors
    /// The disk's, with the file's name and the remedy; then the old content is there.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let newest = self.directory.join(name);
        self.replace(&newest, &self.before(name), content).map_err(|error| {
            use io::ErrorKind::{QuotaExceeded, StorageFull};
            let remedy = match error.kind() {
                StorageFull | QuotaExceeded => "free some space there",
                _ => "let the agent's user write there",
            };
            io::Error::new(error.kind(), format!("{}: {error}; {remedy}", newest.display()))
        })
    }

    fn replace(&self, newest: &Path, before: &Path, content: &[u8]) -> io::Result<()> {
        let next = newest.with_added_extension("new");
        let written = write_whole(&next, content).and_then(|()| {
            // A damaged file is replaced where it is: the sound one before it stays.
            if matches!(sound(newest), Ok(Some(_))) {
                // A crash between this and the next leaves the name empty and the one before sound.
                fs::rename(newest, before)?;
            }
            fs::rename(&next, newest)
        });
        if let Err(error) = written {
            // Half of it would only take room. If even this fails, the next one is written over it.
            let _ = fs::remove_file(&next);
            return Err(error);
        }
        self.sync()
    }

    /// Gives what a name holds another name, which says what it `was`, and what was before it, too, if
    /// `before_too`; answers the other names.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn keep_aside(
        &self,
        name: &str,
        was: &str,
        before_too: bool,
    ) -> io::Result<Vec<PathBuf>> {
        let mut aside = Vec::new();
        let before = before_too.then(|| self.before(name));
        for path in [Some(self.directory.join(name)), before].into_iter().flatten() {
            let other = |number: u32| self.directory.join(format!("{name}.{was}-{number}"));
            // What was kept aside earlier stays.
            let Some(free) = (1..).map(other).find(|other| !other.exists()) else { continue };
            match fs::rename(&path, &free) {
                Ok(()) => aside.push(free),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.sync()?;
        Ok(aside)
    }

    /// Takes a name away, and what was before it.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        // The one before first: a crash in between must not bring it back.
        for path in [self.before(name), self.directory.join(name)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        let directory =
            rustix::fs::open(&self.directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::fsync(directory)?)
    }

    fn before(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.before"))
    }
}

enum Found<T> {
    Nothing,
    Damaged,
    Sound(T),
}

/// A content with what [`sound`] looks for, durably.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(MARK)?;
    file.write_all(&(content.len() as u64).to_be_bytes())?;
    file.write_all(&sum(content).to_be_bytes())?;
    file.write_all(content)?;
    file.sync_all()
}

/// The content of a file whose length and sum are right; none where they are not.
fn sound(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    File::open(path)?.read_to_end(&mut octets)?;
    let content = || {
        let rest = octets.strip_prefix(MARK)?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let (expected, content) = rest.split_first_chunk::<4>()?;
        let whole = content.len() as u64 == u64::from_be_bytes(*len)
            && sum(content) == u32::from_be_bytes(*expected);
        whole.then(|| content.to_vec())
    };
    Ok(content())
}

/// CRC-32C, as in the journal.
fn sum(content: &[u8]) -> u32 {
    crc32c::crc32c(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state")).unwrap();
        (directory, store)
    }

    fn read(store: &Store) -> Kept<Vec<u8>> {
        store.read("boots", |content| Some(content.to_vec())).unwrap()
    }

    #[test]
    fn a_damaged_file_falls_back_to_the_one_before() {
        let (_directory, store) = store();
        assert_eq!(read(&store), Kept::Nothing);
        store.write("boots", b"one").unwrap();
        store.write("boots", b"two").unwrap();
        assert_eq!(read(&store), Kept::Newest(b"two".to_vec()));
        let newest = store.path().join("boots");
        let whole = fs::read(&newest).unwrap();
        for cut in 0..whole.len() {
            fs::write(&newest, &whole[..cut]).unwrap();
            let (content, warning) = read(&store).into_parts();
            assert_eq!((content.as_deref(), warning.is_some()), (Some(&b"one"[..]), true));
        }
        fs::remove_file(&newest).unwrap();
        assert_eq!(
            read(&store),
            Kept::Before(b"one".to_vec(), None),
            "a crash between two renames"
        );
        fs::write(&newest, b"").unwrap();
        fs::write(store.path().join("boots.before"), b"").unwrap();
        assert!(matches!(read(&store), Kept::Lost(_)));
        // What nobody understands is damaged, too.
        store.write("boots", b"three").unwrap();
        let nobody = store.read("boots", |_| None::<()>).unwrap();
        assert!(matches!(nobody, Kept::Lost(_)));
    }

    #[test]
    fn a_damaged_file_takes_the_place_of_no_sound_one() {
        let (_directory, store) = store();
        store.write("boots", b"one").unwrap();
        store.write("boots", b"two").unwrap();
        fs::write(store.path().join("boots"), b"garbage").unwrap();
        store.write("boots", b"three").unwrap();
        fs::write(store.path().join("boots"), b"garbage again").unwrap();
        assert_eq!(read(&store).into_parts().0.as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn what_is_kept_aside_is_there_under_another_name_and_in_nobodys_way() {
        let (_directory, store) = store();
        store.write("boots", b"one").unwrap();
        store.write("boots", b"two").unwrap();
        let newest = store.keep_aside("boots", "refused", false).unwrap();
        assert_eq!(newest, [store.path().join("boots.refused-1")]);
        assert_eq!(sound(&newest[0]).unwrap().unwrap(), b"two");
        assert_eq!(read(&store), Kept::Before(b"one".to_vec(), None));
        store.write("boots", b"three").unwrap();
        let both = store.keep_aside("boots", "refused", true).unwrap();
        let contents: Vec<_> = both.iter().map(|path| sound(path).unwrap().unwrap()).collect();
        assert_eq!(contents, [b"three".to_vec(), b"one".to_vec()]);
        assert_eq!(read(&store), Kept::Nothing);
        assert!(store.keep_aside("boots", "refused", true).unwrap().is_empty());
        assert_eq!(sound(&newest[0]).unwrap().unwrap(), b"two");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_forgotten() {
        let (_directory, store) = store();
        fs::create_dir(store.path().join("boots")).unwrap();
        let error = store.read("boots", |_| Some(())).unwrap_err();
        assert!(error.contains("boots") && error.contains("move it away"), "{error}");
    }

    #[test]
    fn what_is_removed_does_not_come_back() {
        let (_directory, store) = store();
        store.write("boots", b"one").unwrap();
        store.write("boots", b"two").unwrap();
        store.remove("boots").unwrap();
        store.remove("boots").unwrap();
        assert_eq!(read(&store), Kept::Nothing);
    }
}
