//! The repository: a directory with the packages that are kept, and the journal that says which set of
//! them is current, which one was before, and what has to be remembered.
//!
//! ```text
//! <directory>/journal            the deciding records
//! <directory>/packages/<sha256>  package files, named by what they hold
//! ```
//!
//! Packages are opaque bytes here: nothing is parsed, verified or loaded. One process has the directory at
//! a time. Invariants: a file under its final name is whole and durable; a set names only such files from
//! its commit on until it is too old to be kept; what is half written is removed, never used.

mod packages;
mod start;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use s_transaction::journal::{
    Committed, Cut, Digest, FileDisk, Journal, JournalFault, Record, Recovered, Set, StartPolicy,
    encode,
};

/// Fewer records than this are not worth a new file.
const COMPACT_ABOVE: usize = 128;
/// Room for the small records of a transaction: begin, confirm, abort; or of a start.
const SMALL_RECORDS: u64 = 4096;

/// What is the operator's to choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many sets keep their packages; at least two, so that there is a way back.
    pub keep_sets: usize,
    /// When the set before the last one starts first.
    pub start: StartPolicy,
}

impl Default for Settings {
    /// Five sets: the way back from a bad week.
    fn default() -> Self {
        Self { keep_sets: 5, start: StartPolicy::default() }
    }
}

/// An open repository.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    settings: Settings,
    journal: Journal<FileDisk>,
    /// The start that this process is; 0 until [`Repository::start`].
    boot: u64,
    /// The last number that [`Repository::next_txn`] gave out.
    given_out: u64,
    /// Holding it keeps other processes out.
    _lock: File,
}

/// Why the repository could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryFault {
    /// Another process has it.
    #[error("{} is in use by another process; stop that one or choose another directory", .0.display())]
    InUse(PathBuf),
    /// There is no space left.
    #[error("no space left while trying to {doing} {}; free some and try again", path.display())]
    Full {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The directory takes no writes.
    #[error("not allowed to {doing} {}; make the directory writable for this user", path.display())]
    ReadOnly {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Anything else that a disk does.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The journal's.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// A package is not here.
    #[error("package {0} is not in the repository; add its file again")]
    Missing(Digest),
    /// A package is not what its name says.
    #[error("package {0} has changed on the disk; it is not used, add its file again")]
    Damaged(Digest),
    /// A rollback has nowhere to go.
    #[error("no set is recorded before transaction {0}; record the first set before swapping")]
    NoWayBack(u64),
}

impl RepositoryFault {
    fn io<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Self::Full { doing, path, source }
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Self::ReadOnly { doing, path, source }
                }
                _ => Self::Io { doing, path, source },
            }
        }
    }
}

type Result<T, E = RepositoryFault> = std::result::Result<T, E>;

impl Repository {
    /// Opens the repository in this directory, or makes it. A torn end of the journal is cut off and
    /// returned for the log.
    ///
    /// # Errors
    /// The disk's; another process that has it; a journal that is not understood.
    pub fn open(directory: &Path, settings: Settings) -> Result<(Self, Option<Cut>)> {
        let packages = directory.join("packages");
        fs::create_dir_all(&packages).map_err(RepositoryFault::io("make", &packages))?;
        let open = RepositoryFault::io("open", directory);
        let lock = File::open(directory).map_err(open)?;
        lock.try_lock().map_err(|fault| match fault {
            TryLockError::WouldBlock => RepositoryFault::InUse(directory.to_owned()),
            TryLockError::Error(fault) => RepositoryFault::io("lock", directory)(fault),
        })?;
        let (journal, cut) = Journal::open(FileDisk::new(directory.join("journal")))?;
        let directory = directory.to_owned();
        let repository = Self { directory, settings, journal, boot: 0, given_out: 0, _lock: lock };
        repository.remove_half_written()?;
        Ok((repository, cut))
    }

    /// Everything that is recorded.
    pub fn recovered(&self) -> &Recovered {
        self.journal.recovered()
    }

    /// The set that is current.
    pub fn current(&self) -> Option<Committed> {
        self.recovered().current().cloned()
    }

    /// The set before it.
    pub fn previous(&self) -> Option<Committed> {
        self.recovered().previous().cloned()
    }

    /// A number for the next transaction. It is not given out again, even if the transaction ends before
    /// the journal hears of it.
    pub fn next_txn(&mut self) -> u64 {
        let used = self.recovered().last_txn.max(self.given_out);
        self.given_out = used.saturating_add(1);
        self.given_out
    }

    /// The lowest epoch that a package of this component may have.
    pub fn epoch(&self, component: &str) -> u64 {
        self.recovered().epochs.get(component).copied().unwrap_or(0)
    }

    /// Remembers under which name the trust store is kept, durably.
    ///
    /// # Errors
    /// The journal's.
    pub fn set_trust_store(&mut self, path: &str) -> Result<()> {
        self.journal.append(Record::Trust { path: path.to_owned() })?;
        self.sync()
    }

    /// Records the set with which the application starts for the first time, durably. Does nothing where a
    /// set is recorded already.
    ///
    /// # Errors
    /// The journal's.
    pub fn record_first_set(&mut self, set: Set) -> Result<()> {
        if self.current().is_some() {
            return Ok(());
        }
        self.journal.append(Record::Commit { txn: 0, on_trial: false, set })?;
        self.journal.append(Record::Confirm { txn: 0 })?;
        self.sync()
    }

    // The journal's part in a transaction; each of these performs one action of the machine.

    /// `ReserveJournal`: begins, and makes sure that no later record of this transaction, which leads from
    /// the serving set to the next, fails for want of space. A doubt that an earlier transaction left about
    /// what serves is settled first.
    ///
    /// # Errors
    /// The journal's, above all a full disk.
    pub fn begin(
        &mut self,
        txn: u64,
        members: Vec<String>,
        serving: &Set,
        next: &Set,
    ) -> Result<()> {
        self.journal.reconcile(serving)?;
        if self.journal.records().len() > COMPACT_ABOVE {
            self.journal.compact(self.settings.keep_sets)?;
        }
        let commit = Record::Commit { txn, on_trial: false, set: next.clone() };
        let back = Record::Rollback { txn, set: serving.clone() };
        let size = |record| encode(record).map_err(JournalFault::from);
        let large = size(&commit)?.len() + size(&back)?.len();
        self.journal.reserve(SMALL_RECORDS.saturating_add(large as u64))?;
        Ok(self.journal.append(Record::Begin { txn, members })?)
    }

    /// `WriteCommit`: the deciding record, with the complete set; not durable before [`Repository::sync`].
    ///
    /// # Errors
    /// The journal's; then nothing is decided.
    pub fn commit(&mut self, txn: u64, on_trial: bool, set: Set) -> Result<()> {
        Ok(self.journal.append(Record::Commit { txn, on_trial, set })?)
    }

    /// `WriteConfirm`: the set stays, and older epochs than those of its packages are refused from now on;
    /// durable.
    ///
    /// # Errors
    /// The journal's.
    pub fn confirm(&mut self, txn: u64) -> Result<()> {
        self.journal.append(Record::Confirm { txn })?;
        self.sync()
    }

    /// `WriteAbort`: nothing has changed; durable.
    ///
    /// # Errors
    /// The journal's.
    pub fn abort(&mut self, txn: u64) -> Result<()> {
        self.journal.append(Record::Abort { txn })?;
        self.sync()
    }

    /// `WriteRollback`: the set before this transaction is current again; not durable before
    /// [`Repository::sync`].
    ///
    /// # Errors
    /// The journal's, or no set to go back to.
    pub fn rollback(&mut self, txn: u64) -> Result<()> {
        let before = self.recovered().sets.iter().rfind(|committed| committed.txn < txn);
        let set = before.ok_or(RepositoryFault::NoWayBack(txn))?.set.clone();
        Ok(self.journal.append(Record::Rollback { txn, set })?)
    }

    /// `SyncJournal` and `SyncRollback`: returns when all records are durable.
    ///
    /// # Errors
    /// The journal's; then they may be lost with the power.
    pub fn sync(&mut self) -> Result<()> {
        Ok(self.journal.sync()?)
    }
}

#[cfg(test)]
mod tests;
