//! A crash before, after and within every record, on a real file: recovery gives the old set or the new
//! one, never a mixture, and never loses what was there before.

#![expect(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use s_transaction::journal::{
    Bound, Cut, Digest, Disk, FileDisk, Journal, JournalFault, Record, Set, StartPolicy,
    candidates, encode, scan,
};

fn set(version: u8) -> Set {
    let bound = |part: u8| Bound {
        version: format!("1.{version}.0"),
        package: Some(Digest([version.wrapping_mul(16).wrapping_add(part); 32])),
        epoch: version.into(),
    };
    (0..2u8).map(|part| (format!("part.{part}"), bound(part))).collect()
}

fn commit(txn: u64, version: u8) -> Record {
    Record::Commit { txn, on_trial: false, set: set(version) }
}

fn begin(txn: u64) -> Record {
    Record::Begin { txn, members: (0..2).map(|part| format!("part.{part}")).collect() }
}

/// A swap that commits, one that is aborted after its record, and one that is rolled back.
fn story() -> Vec<Record> {
    vec![
        commit(0, 1),
        Record::Confirm { txn: 0 },
        Record::Start { boot: 1 },
        Record::Healthy { boot: 1 },
        begin(1),
        commit(1, 2),
        Record::Confirm { txn: 1 },
        begin(2),
        commit(2, 3),
        Record::Abort { txn: 2 },
        begin(3),
        commit(3, 4),
        Record::Rollback { txn: 3, set: set(2) },
        Record::Epoch { component: "part.0".into(), epoch: 5 },
    ]
}

fn open(path: &Path) -> (Journal<FileDisk>, Option<Cut>) {
    Journal::open(FileDisk::new(path)).unwrap()
}

fn starts(journal: &Journal<FileDisk>) -> Option<Set> {
    let facts = journal.recovered();
    candidates(facts, StartPolicy::default()).first().map(|first| first.committed.set.clone())
}

#[test]
fn a_crash_at_every_byte_of_every_record_gives_the_set_before_or_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    let mut before = None;
    for (place, record) in story().into_iter().enumerate() {
        let old = fs::read(&path).unwrap();
        journal.append(record.clone()).unwrap();
        let new = fs::read(&path).unwrap();
        assert_eq!(new.len(), old.len() + encode(&record).unwrap().len());
        let after = starts(&journal);
        for end in old.len()..=new.len() {
            let torn = dir.path().join("torn");
            fs::write(&torn, &new[..end]).unwrap();
            let (recovered, cut) = open(&torn);
            let whole = end == new.len();
            assert_eq!(starts(&recovered), if whole { after.clone() } else { before.clone() });
            assert_eq!(recovered.records().len(), place + usize::from(whole));
            assert_eq!(
                cut.map(|cut| cut.bytes),
                (!whole && end > old.len()).then(|| end - old.len())
            );
            drop(recovered);
            assert_eq!(scan(&fs::read(&torn).unwrap()).unwrap().cut, None, "gone for good");
        }
        before = after;
    }
}

#[test]
fn a_record_whose_pages_were_lost_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    journal.append(commit(0, 1)).unwrap();
    let old = fs::read(&path).unwrap();
    journal.append(commit(1, 2)).unwrap();
    let new = fs::read(&path).unwrap();
    drop(journal);
    // Any run of bytes of the last record may come back as zeros.
    for hole in old.len()..new.len() {
        let mut bytes = new.clone();
        bytes[hole..].fill(0);
        if bytes == new {
            continue;
        }
        fs::write(&path, &bytes).unwrap();
        assert_eq!(starts(&open(&path).0), Some(set(1)), "zeros from byte {hole} on");
    }
}

#[test]
fn records_go_on_after_a_torn_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    journal.append(commit(0, 1)).unwrap();
    journal.append(commit(1, 2)).unwrap();
    drop(journal);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 3).unwrap();
    let (mut journal, cut) = open(&path);
    assert!(cut.is_some());
    journal.append(commit(2, 3)).unwrap();
    drop(journal);
    assert_eq!(starts(&open(&path).0), Some(set(3)));
}

#[test]
fn reserving_changes_no_record_and_compacting_only_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    for record in story() {
        journal.reserve(4096).unwrap();
        journal.append(record).unwrap();
    }
    let (facts, many) = (journal.recovered().clone(), journal.records().len());
    journal.compact(5).unwrap();
    assert!(journal.records().len() < many);
    journal.append(Record::Start { boot: 2 }).unwrap();
    drop(journal);
    let (journal, cut) = open(&path);
    let again = journal.recovered();
    assert_eq!((&again.sets, &again.epochs, cut), (&facts.sets, &facts.epochs, None));
    assert_eq!((again.last_boot, again.starts_without_healthy), (2, 1));
}

#[test]
fn a_crash_while_the_journal_is_rewritten_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    journal.append(commit(0, 1)).unwrap();
    drop(journal);
    fs::write(path.with_extension("new"), b"half of a ne").unwrap();
    assert_eq!(starts(&open(&path).0), Some(set(1)));
}

#[test]
fn a_file_that_is_something_else_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    fs::write(&path, b"important letters").unwrap();
    let fault = Journal::open(FileDisk::new(&path)).unwrap_err();
    assert!(matches!(fault, JournalFault::Scan(_)), "{fault}");
    assert_eq!(fs::read(&path).unwrap(), b"important letters");
}

/// A disk of which the next operations fail, and which forgets after a failed sync.
#[derive(Debug, Default)]
struct Bad {
    bytes: Vec<u8>,
    failing_writes: u32,
    failing_cuts: u32,
    failing_syncs: u32,
    replaced: u32,
}

fn spend(failures: &mut u32) -> io::Result<()> {
    match failures.checked_sub(1) {
        None => Ok(()),
        Some(left) => {
            *failures = left;
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

impl Disk for &mut Bad {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes.clone())
    }
    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let failed = spend(&mut self.failing_writes);
        // A failing write leaves half of it.
        let half = if failed.is_ok() { bytes.len() } else { bytes.len() / 2 };
        self.bytes.truncate(usize::try_from(at).unwrap());
        self.bytes.extend(&bytes[..half]);
        failed
    }
    fn cut(&mut self, at: u64) -> io::Result<()> {
        spend(&mut self.failing_cuts)?;
        self.bytes.truncate(usize::try_from(at).unwrap());
        Ok(())
    }
    fn reserve(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        spend(&mut self.failing_syncs)
    }
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes = bytes.to_vec();
        self.replaced += 1;
        Ok(())
    }
}

#[test]
fn a_record_that_could_not_be_written_is_not_there_and_the_next_one_is() {
    for failing_cuts in [0, 1] {
        let mut disk = Bad::default();
        let mut journal = Journal::open(&mut disk).unwrap().0;
        journal.append(commit(0, 1)).unwrap();
        drop(journal);
        disk.failing_writes = 1;
        disk.failing_cuts = failing_cuts;
        let mut journal = Journal::open(&mut disk).unwrap().0;
        let fault = journal.append(commit(1, 2)).unwrap_err();
        assert!(matches!(fault, JournalFault::Full { .. }), "{fault}");
        journal.append(commit(2, 3)).unwrap();
        drop(journal);
        let journal = Journal::open(&mut disk).unwrap().0;
        assert_eq!(journal.records(), [commit(0, 1), commit(2, 3)]);
    }
}

#[test]
fn after_a_failed_sync_the_next_one_writes_everything_anew() {
    let mut disk = Bad { failing_syncs: 1, ..Bad::default() };
    let mut journal = Journal::open(&mut disk).unwrap().0;
    journal.append(commit(0, 1)).unwrap();
    assert!(journal.sync().is_err());
    journal.sync().unwrap();
    drop(journal);
    assert_eq!(disk.replaced, 2, "once to make it, once to repair it");
}

#[test]
fn a_doubt_of_an_earlier_transaction_is_settled_before_the_next() {
    let mut disk = Bad::default();
    let mut journal = Journal::open(&mut disk).unwrap().0;
    journal.append(commit(0, 1)).unwrap();
    journal.append(Record::Commit { txn: 1, on_trial: true, set: set(2) }).unwrap();
    journal.sync().unwrap();
    // The operator's word came, its record failed.
    assert!(journal.reconcile(&set(2)).unwrap());
    assert!(journal.recovered().current().unwrap().confirmed);
    assert!(!journal.reconcile(&set(2)).unwrap(), "there is nothing left to settle");
    // The swap was taken back, the record of that failed.
    assert!(journal.reconcile(&set(1)).unwrap());
    assert_eq!(journal.recovered().current().unwrap().set, set(1));
}

#[test]
fn the_epochs_of_a_set_whose_confirm_record_failed_count_with_the_record_that_settles_it() {
    let mut disk = Bad::default();
    let mut journal = Journal::open(&mut disk).unwrap().0;
    journal.append(commit(0, 1)).unwrap();
    journal.append(commit(1, 2)).unwrap();
    drop(journal);
    disk.failing_writes = 1;
    let mut journal = Journal::open(&mut disk).unwrap().0;
    journal.append(Record::Confirm { txn: 1 }).unwrap_err();
    assert_eq!(journal.recovered().epochs.get("part.0"), None);
    assert!(journal.reconcile(&set(2)).unwrap());
    assert_eq!(journal.recovered().epochs["part.0"], 2);
    drop(journal);
    let journal = Journal::open(&mut disk).unwrap().0;
    assert_eq!(journal.recovered().epochs["part.0"], 2, "durably");
}

#[test]
fn a_real_file_takes_writes_only_at_the_end_of_its_sound_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut journal, _) = open(&path);
    journal.append(commit(0, 1)).unwrap();
    let end = fs::metadata(&path).unwrap().len();
    // Somebody else's bytes behind the end, as a failed write leaves them, are written over.
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 300], end).unwrap();
    journal.append(commit(1, 2)).unwrap();
    drop(journal);
    assert_eq!(starts(&open(&path).0), Some(set(2)));
}
