//! The repository on real directories: what a restart finds there, whatever came before.

use super::*;
use s_transaction::journal::{Bound, Why};

fn open(directory: &Path) -> Repository {
    Repository::open(directory, Settings { keep_sets: 2, ..Settings::default() }).unwrap().0
}

fn set(repository: &mut Repository, version: &str) -> Set {
    let package = Some(repository.put(version.as_bytes()).unwrap());
    let bound = Bound { version: version.to_owned(), package, epoch: 0 };
    Set::from_iter([("part".to_owned(), bound)])
}

fn swap(repository: &mut Repository, version: &str) -> u64 {
    swap_to(repository, version, 0, false)
}

fn swap_to(repository: &mut Repository, version: &str, epoch: u64, on_trial: bool) -> u64 {
    let (txn, mut set) = (repository.next_txn(), set(repository, version));
    set.modules.get_mut("part").unwrap().epoch = epoch;
    let serving = repository.current().unwrap().set;
    repository.begin(txn, vec!["part".to_owned()], &serving, &set).unwrap();
    repository.commit(txn, on_trial, set).unwrap();
    repository.sync().unwrap();
    txn
}

/// Starts with the first candidate, as it is.
fn start(repository: &mut Repository) -> Why {
    let first = repository.start().unwrap().remove(0);
    repository.settle(&first, &first.committed.set).unwrap();
    first.why
}

fn current(repository: &Repository) -> String {
    repository.current().unwrap().set.modules["part"].version.clone()
}

#[test]
fn what_was_committed_is_current_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = open(dir.path());
    let first = set(&mut repository, "1");
    repository.record_first_set(first).unwrap();
    let txn = swap_to(&mut repository, "2", 4, false);
    repository.confirm(txn).unwrap();
    repository.set_trust_store("trust.json").unwrap();
    drop(repository);
    let mut repository = open(dir.path());
    assert_eq!(current(&repository), "2");
    assert_eq!(repository.previous().unwrap().set.modules["part"].version, "1");
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
fn a_set_that_a_crash_left_without_its_confirm_record_is_kept_with_its_epochs() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = open(dir.path());
    let first = set(&mut repository, "1");
    repository.record_first_set(first).unwrap();
    swap_to(&mut repository, "2", 4, false);
    // It is killed here.
    drop(repository);
    let mut repository = open(dir.path());
    assert_eq!(repository.epoch("part"), 0, "it is not known yet whether the set can be loaded");
    assert_eq!(start(&mut repository), Why::Last);
    drop(repository);
    let repository = open(dir.path());
    assert_eq!((current(&repository).as_str(), repository.epoch("part")), ("2", 4));
    assert!(repository.current().unwrap().confirmed);
}

#[test]
fn a_set_that_is_taken_back_has_raised_no_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = open(dir.path());
    let first = set(&mut repository, "1");
    repository.record_first_set(first).unwrap();
    // By its swap.
    let txn = swap_to(&mut repository, "2", 4, false);
    repository.rollback(txn).unwrap();
    // By a restart while it was on trial.
    swap_to(&mut repository, "3", 5, true);
    drop(repository);
    let mut repository = open(dir.path());
    assert_eq!(start(&mut repository), Why::LastUnconfirmed);
    // By a start at which it could not be loaded.
    swap_to(&mut repository, "4", 6, false);
    drop(repository);
    let mut repository = open(dir.path());
    let before = repository.start().unwrap().remove(1);
    repository.settle(&before, &before.committed.set).unwrap();
    assert_eq!((current(&repository).as_str(), repository.epoch("part")), ("1", 0));
}

#[test]
fn what_a_program_makes_of_a_set_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = open(dir.path());
    let first = set(&mut repository, "1");
    repository.record_first_set(first).unwrap();
    let txn = swap(&mut repository, "2");
    let last = repository.start().unwrap().remove(0);
    let mut fitted = last.committed.set.clone();
    let bound = Bound { version: "1".to_owned(), package: None, epoch: 0 };
    fitted.bind("new", bound);
    repository.settle(&last, &fitted).unwrap();
    drop(repository);
    let repository = open(dir.path());
    let current = repository.current().unwrap();
    assert_eq!((current.txn, current.set, current.confirmed), (txn, fitted, true));
    assert_eq!(repository.previous().unwrap().set.modules["part"].version, "1", "the way back");
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
    assert!(removed.contains(&first.modules["part"].package.unwrap()));
    for committed in [repository.current().unwrap(), repository.previous().unwrap()] {
        repository.get(committed.set.modules["part"].package.unwrap()).unwrap();
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
    repository.settle(&candidates[0], &candidates[0].committed.set).unwrap();
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
    repository.settle(&candidates[1], &candidates[1].committed.set).unwrap();
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
