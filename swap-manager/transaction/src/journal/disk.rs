//! The journal on a disk; [`FileDisk`] is the only IO of this crate.
//!
//! It never blocks on the disk except in `open`, `sync` and `compact` (and `reserve`, where the space has
//! to be found). Invariants: a record that could not be appended leaves no trace that a later record would
//! follow; after a failed sync the file is not trusted any more. The kernel forgets what it could not
//! write, so syncing again would report success over a hole, and recovery would cut there, later records
//! included. The next sync therefore writes a whole new file from memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::record::{Cut, EncodeFault, Record, ScanFault, encode, new_journal, scan};
use super::recover::{Recovered, compacted, recover};
use super::set::Set;

/// Where the bytes of a journal are kept; a file, or a simulated disk.
pub trait Disk {
    /// All bytes; none if there is no journal yet.
    ///
    /// # Errors
    /// The disk's.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Writes at the end of the sound bytes, without waiting for the disk.
    ///
    /// # Errors
    /// The disk's; some of the bytes may have been written.
    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts off what lies behind.
    ///
    /// # Errors
    /// The disk's.
    fn cut(&mut self, at: u64) -> io::Result<()>;
    /// Makes sure that so many bytes can be written here without finding the disk full.
    ///
    /// # Errors
    /// The disk's, such as being full.
    fn reserve(&mut self, at: u64, bytes: u64) -> io::Result<()>;
    /// Returns when all that was written is durable.
    ///
    /// # Errors
    /// The disk's; what was written since the last success may be lost.
    fn sync(&mut self) -> io::Result<()>;
    /// Replaces everything durably: after a crash there are all of the old bytes or all of the new.
    ///
    /// # Errors
    /// The disk's; then the old bytes or the new ones are there.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Why the journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// There is no space left.
    #[error("no space left for the journal while trying to {doing}; free some and try again")]
    Full {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The disk takes no writes.
    #[error("the journal cannot be written while trying to {doing}; make its directory writable")]
    ReadOnly {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// Anything else that a disk does.
    #[error("the journal's disk failed while trying to {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The bytes are not ours to cut.
    #[error(transparent)]
    Scan(#[from] ScanFault),
    /// The record cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeFault),
}

impl JournalFault {
    fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { doing, source }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { doing, source }
            }
            _ => Self::Io { doing, source },
        }
    }
}

/// An open journal: the bytes on a disk and the records in memory, which always agree.
#[derive(Debug)]
pub struct Journal<D> {
    disk: D,
    records: Vec<Record>,
    /// What the records mean.
    facts: Recovered,
    /// The end of the sound bytes.
    end: u64,
    health: Health,
    /// Whether there are records that no sync has made durable.
    unsynced: bool,
}

/// How far the disk is trusted to hold what the memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// It does.
    Sound,
    /// A sync has failed: the bytes can be read back now, and may be gone after a crash.
    Leaky,
    /// It is not known where its records end: nothing may be appended.
    Unknown,
}

impl<D: Disk> Journal<D> {
    /// Opens or makes a journal, without a torn end, and makes it durable: what this start relies on must
    /// not be lost by the next crash. That takes a new file. The process before this one may have died after
    /// a failed sync; its bytes can then be read here, and no sync of this file would make them last.
    ///
    /// # Errors
    /// The disk's, or bytes that must not be replaced.
    pub fn open(mut disk: D) -> Result<(Self, Option<Cut>), JournalFault> {
        let bytes = disk.read().map_err(JournalFault::io("read it"))?;
        let found = scan(&bytes)?;
        let mut journal = Self {
            disk,
            facts: recover(&found.records),
            records: found.records,
            end: 0,
            health: Health::Unknown,
            unsynced: true,
        };
        journal.rewrite("write it anew")?;
        Ok((journal, found.cut))
    }

    /// The records so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What they mean.
    pub const fn recovered(&self) -> &Recovered {
        &self.facts
    }

    /// Appends a record without waiting for the disk. It survives the death of this process, and the loss
    /// of power only after [`Journal::sync`].
    ///
    /// # Errors
    /// The disk's; then the record is not in the journal.
    pub fn append(&mut self, record: Record) -> Result<(), JournalFault> {
        let frame = encode(&record)?;
        if self.health == Health::Unknown {
            self.rewrite("repair it")?;
        }
        if let Err(cause) = self.disk.write(self.end, &frame) {
            // A piece of the frame may be there. It is no record, but it must not stay in the way.
            if self.disk.cut(self.end).is_err() {
                self.health = Health::Unknown;
            }
            return Err(JournalFault::io("append a record")(cause));
        }
        self.end += frame.len() as u64;
        self.unsynced = true;
        self.facts.learn(&record);
        self.records.push(record);
        Ok(())
    }

    /// Makes the journal agree with what serves, durably, if an earlier transaction ended with a doubt about
    /// its last record; to be called before a new one begins. Says whether it had to.
    ///
    /// # Errors
    /// The disk's; then the doubt stays, and no transaction should begin.
    pub fn reconcile(&mut self, serving: &Set) -> Result<bool, JournalFault> {
        let facts = self.recovered();
        let record = facts.current().and_then(|last| {
            if last.set != *serving {
                // It was taken back, and the record of that is missing.
                Some(Record::Rollback { txn: last.txn, set: serving.clone() })
            } else if !last.confirmed {
                // It still serves although its window is over, or there was none: its record did not come.
                Some(Record::Confirm { txn: last.txn })
            } else {
                None
            }
        });
        let settles = self.unsynced || record.is_some();
        if let Some(record) = record {
            self.append(record)?;
        }
        if settles {
            self.sync()?;
        }
        Ok(settles)
    }

    /// Makes sure that so many bytes of records can be appended.
    ///
    /// # Errors
    /// The disk's, above all being full.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), JournalFault> {
        if self.health != Health::Sound {
            self.rewrite("repair it")?;
        }
        self.disk.reserve(self.end, bytes).map_err(JournalFault::io("reserve space"))
    }

    /// Returns when all records are durable.
    ///
    /// # Errors
    /// The disk's; then the records since the last success may be lost with the power.
    pub fn sync(&mut self) -> Result<(), JournalFault> {
        if self.health != Health::Sound {
            return self.rewrite("repair it");
        }
        if let Err(cause) = self.disk.sync() {
            self.health = Health::Leaky;
            return Err(JournalFault::io("make it durable")(cause));
        }
        self.unsynced = false;
        Ok(())
    }

    /// Replaces the records by fewer with the same meaning; the last `keep` sets remain.
    ///
    /// # Errors
    /// The disk's; then the old records are still there.
    pub fn compact(&mut self, keep: usize) -> Result<(), JournalFault> {
        let records = compacted(&self.facts, keep);
        let before = std::mem::replace(&mut self.records, records);
        match self.rewrite("compact it") {
            Ok(()) => {
                self.facts = recover(&self.records);
                Ok(())
            }
            Err(fault) => {
                self.records = before;
                Err(fault)
            }
        }
    }

    fn rewrite(&mut self, doing: &'static str) -> Result<(), JournalFault> {
        let mut bytes = new_journal();
        for record in &self.records {
            bytes.extend(encode(record)?);
        }
        self.health = Health::Unknown;
        self.disk.replace(&bytes).map_err(JournalFault::io(doing))?;
        self.end = bytes.len() as u64;
        self.health = Health::Sound;
        self.unsynced = false;
        Ok(())
    }
}

/// A journal file.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    file: Option<File>,
}

impl FileDisk {
    /// The file need not exist, its directory must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None }
    }

    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            self.file = Some(File::options().read(true).write(true).open(&self.path)?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        }
    }

    /// Says of which file a fault is: which disk is to be looked after.
    fn named<T>(&self, done: io::Result<T>) -> io::Result<T> {
        let named = |fault: io::Error| format!("{}: {fault}", self.path.display());
        done.map_err(|fault| io::Error::new(fault.kind(), named(fault)))
    }

    fn allocate(&mut self, at: u64, bytes: u64) -> io::Result<()> {
        // The size stays as it is, so that a reader sees records only.
        match rustix::fs::fallocate(self.file()?, FallocateFlags::KEEP_SIZE, at, bytes) {
            // Some filesystems cannot allocate ahead. Zeros do it too: they are never read as a record.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
                self.file()?.write_all_at(&zeros, at)
            }
            result => Ok(result?),
        }
    }

    fn replace_by(&mut self, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&new)?;
        let written = file.write_all_at(bytes, 0).and_then(|()| file.sync_all());
        if let Err(fault) = written.and_then(|()| std::fs::rename(&new, &self.path)) {
            // Half of it would only take room. If even this fails, the next one is written over it.
            let _ = std::fs::remove_file(&new);
            return Err(fault);
        }
        // From here the path means the new file, whatever becomes of the directory's sync.
        self.file = Some(file);
        File::open(self.directory())?.sync_all()
    }
}

impl Disk for FileDisk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        match std::fs::read(&self.path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => self.named(read),
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let written = self.file().and_then(|file| file.write_all_at(bytes, at));
        self.named(written)
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        self.file()?.set_len(at)
    }

    fn reserve(&mut self, at: u64, bytes: u64) -> io::Result<()> {
        let allocated = self.allocate(at, bytes);
        self.named(allocated)
    }

    fn sync(&mut self) -> io::Result<()> {
        let synced = self.file().and_then(File::sync_data);
        self.named(synced)
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let replaced = self.replace_by(bytes);
        self.named(replaced)
    }
}
