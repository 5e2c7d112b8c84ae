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

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use s_transaction::journal::{
    Committed, Cut, Digest, FileDisk, Journal, JournalFault, Record, Recovered, Set, StartPolicy,
    encode,
};

/// Fewer records than this are not worth a new file.
const COMPACT_ABOVE: usize = 128;
/// Room for the small records of a transaction: begin, confirm, abort, epochs of a few components; or of a start.
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

    /// `WriteConfirm`: the set stays, and older epochs than these are refused from now on; durable.
    ///
    /// # Errors
    /// The journal's.
    pub fn confirm(&mut self, txn: u64, epochs: &BTreeMap<String, u64>) -> Result<()> {
        for (component, &epoch) in epochs {
            // A first epoch of 0 and an unchanged one say nothing new.
            if epoch > self.epoch(component) {
                let component = component.clone();
                self.journal.append(Record::Epoch { component, epoch })?;
            }
        }
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
mod tests {
    use super::*;
    use s_transaction::journal::{Bound, Why};

    fn open(directory: &Path) -> Repository {
        Repository::open(directory, Settings { keep_sets: 2, ..Settings::default() }).unwrap().0
    }

    fn set(repository: &mut Repository, version: &str) -> Set {
        let package = Some(repository.put(version.as_bytes()).unwrap());
        Set::from([("part".to_owned(), Bound { version: version.to_owned(), package })])
    }

    fn swap(repository: &mut Repository, version: &str) -> u64 {
        let (txn, set) = (repository.next_txn(), set(repository, version));
        let serving = repository.current().unwrap().set;
        repository.begin(txn, vec!["part".to_owned()], &serving, &set).unwrap();
        repository.commit(txn, false, set).unwrap();
        repository.sync().unwrap();
        txn
    }

    fn current(repository: &Repository) -> String {
        repository.current().unwrap().set["part"].version.clone()
    }

    #[test]
    fn what_was_committed_is_current_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first).unwrap();
        let txn = swap(&mut repository, "2");
        repository.confirm(txn, &BTreeMap::from([("part".to_owned(), 4)])).unwrap();
        repository.set_trust_store("trust.json").unwrap();
        drop(repository);
        let mut repository = open(dir.path());
        assert_eq!(current(&repository), "2");
        assert_eq!(repository.previous().unwrap().set["part"].version, "1");
        assert_eq!((repository.next_txn(), repository.epoch("part")), (2, 4));
        assert_eq!(repository.recovered().trust.as_deref(), Some("trust.json"));
    }

    #[test]
    fn a_rollback_goes_to_the_set_before_and_an_abort_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        assert!(matches!(repository.rollback(1), Err(RepositoryFault::NoWayBack(1))));
        repository.record_first_set(first).unwrap();
        let txn = swap(&mut repository, "2");
        repository.rollback(txn).unwrap();
        assert_eq!(current(&repository), "1");
        let txn = swap(&mut repository, "3");
        repository.abort(txn).unwrap();
        assert_eq!((current(&repository).as_str(), repository.next_txn()), ("1", txn + 1));
    }

    #[test]
    fn a_rollback_whose_record_was_lost_is_settled_before_the_next_swap() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first.clone()).unwrap();
        swap(&mut repository, "2");
        // It was rolled back in memory, and the record of it failed.
        let third = set(&mut repository, "3");
        let txn = repository.next_txn();
        repository.begin(txn, vec!["part".to_owned()], &first, &third).unwrap();
        drop(repository);
        assert_eq!(current(&open(dir.path())), "1");
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let _first = open(dir.path());
        let second = Repository::open(dir.path(), Settings::default());
        assert!(matches!(second, Err(RepositoryFault::InUse(_))));
    }

    #[test]
    fn packages_come_back_as_they_were_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let digest = repository.put(b"code").unwrap();
        assert_eq!(repository.put(b"code").unwrap(), digest, "twice is once");
        // A wrong name is not believed at the next reading.
        let other = Digest([7; 32]);
        repository.put_named(other, b"code").unwrap();
        assert!(matches!(repository.get(other), Err(RepositoryFault::Damaged(_))));
        assert_eq!(repository.get(digest).unwrap(), b"code");
        fs::write(repository.path(digest), b"c0de").unwrap();
        assert!(matches!(repository.get(digest), Err(RepositoryFault::Damaged(d)) if d == digest));
        repository.put(b"code").unwrap();
        assert_eq!(repository.get(digest).unwrap(), b"code", "adding it again heals it");
        fs::remove_file(repository.path(digest)).unwrap();
        assert!(matches!(repository.get(digest), Err(RepositoryFault::Missing(_))));
    }

    #[test]
    fn a_half_written_package_is_removed_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let half = dir.path().join("packages").join(".new");
        fs::write(&half, b"ha").unwrap();
        drop(open(dir.path()));
        assert!(!half.exists());
    }

    #[test]
    fn packages_of_old_sets_go_and_those_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first.clone()).unwrap();
        for version in ["2", "3", "4"] {
            swap(&mut repository, version);
        }
        let uncommitted = repository.put(b"on its way").unwrap();
        let removed = repository.sweep(&[uncommitted]).unwrap();
        assert_eq!(removed.len(), 2);
        assert!(removed.contains(&first["part"].package.unwrap()));
        for committed in [repository.current().unwrap(), repository.previous().unwrap()] {
            repository.get(committed.set["part"].package.unwrap()).unwrap();
        }
        assert_eq!(repository.get(uncommitted).unwrap(), b"on its way");
        assert_eq!(repository.sweep(&[]).unwrap(), [uncommitted]);
    }

    #[test]
    fn a_set_that_crash_loops_gives_way_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first).unwrap();
        swap(&mut repository, "2");
        for _ in 0..3 {
            assert_eq!(repository.start().unwrap()[0].why, Why::Last);
            // It crashes before it is healthy.
            drop(repository);
            repository = open(dir.path());
        }
        let candidates = repository.start().unwrap();
        assert_eq!(candidates[0].why, Why::LastCrashLoops);
        repository.settle(&candidates[0]).unwrap();
        repository.healthy().unwrap();
        drop(repository);
        repository = open(dir.path());
        assert_eq!(current(&repository), "1");
        let candidates = repository.start().unwrap();
        assert_eq!(candidates.len(), 1, "the set that crashed is no candidate any more");
    }

    #[test]
    fn a_start_has_room_to_say_later_that_it_went_well() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).start().unwrap();
        let journal = fs::metadata(dir.path().join("journal")).unwrap();
        assert!(journal.blocks() * 512 > SMALL_RECORDS, "{journal:?}");
    }

    #[test]
    fn a_last_set_that_does_not_load_gives_way_to_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first).unwrap();
        swap(&mut repository, "2");
        let candidates = repository.start().unwrap();
        assert_eq!([candidates[0].why, candidates[1].why], [Why::Last, Why::Before]);
        repository.settle(&candidates[1]).unwrap();
        assert_eq!(current(&repository), "1");
    }

    #[test]
    fn many_swaps_do_not_make_the_journal_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = open(dir.path());
        let first = set(&mut repository, "1");
        repository.record_first_set(first).unwrap();
        for n in 0..100 {
            swap(&mut repository, &n.to_string());
        }
        assert!(repository.journal.records().len() <= COMPACT_ABOVE + 2);
        drop(repository);
        let mut repository = open(dir.path());
        assert_eq!((current(&repository).as_str(), repository.next_txn()), ("99", 101));
        assert_eq!(repository.next_txn(), 102, "no number twice");
    }

    #[test]
    fn a_full_disk_says_so_and_leaves_nothing_half_written() {
        // This device takes every write with "no space left".
        let dir = tempfile::tempdir().unwrap();
        let repository = open(dir.path());
        std::os::unix::fs::symlink("/dev/full", repository.temporary()).unwrap();
        assert!(matches!(repository.write_whole(b"x", "f"), Err(RepositoryFault::Full { .. })));
        assert!(!repository.temporary().exists() && !dir.path().join("packages/f").exists());
    }

    #[test]
    fn a_place_that_takes_no_writes_says_so() {
        let fault = Repository::open(Path::new("/proc/sys/repository"), Settings::default());
        let fault = fault.unwrap_err();
        assert!(
            matches!(fault, RepositoryFault::ReadOnly { .. } | RepositoryFault::Io { .. }),
            "{fault:?}"
        );
        let io = RepositoryFault::io("make", Path::new("p"));
        let fault = io(io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(fault.to_string().contains("make the directory writable"));
    }
}
