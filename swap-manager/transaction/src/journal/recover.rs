//! What the records mean: which sets there were, and which one is to start.
//!
//! Pure: records in, facts out. Invariants: every set comes whole from one record; a commit that was
//! aborted or rolled back is never a candidate; compacting changes nothing that recovery can see, except
//! that the oldest sets are gone.

use std::collections::BTreeMap;

use super::record::Record;
use super::set::Set;

/// A set that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The transaction that decided it; 0 for the set with which the application was first started.
    pub txn: u64,
    /// The set.
    pub set: Set,
    /// Whether its confirm window ended well.
    pub confirmed: bool,
    /// Whether it was on trial until then.
    pub on_trial: bool,
}

/// The facts of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The sets that were decided and not taken back, oldest first.
    pub sets: Vec<Committed>,
    /// A transaction that began and neither committed nor aborted: nothing of it has happened.
    pub unfinished: Option<u64>,
    /// How often the last set was started, without success since its commit or its last success.
    /// It stops at 255.
    pub starts_without_healthy: u8,
    /// The highest number of a transaction.
    pub last_txn: u64,
    /// The highest number of a start.
    pub last_boot: u64,
    /// The lowest epoch allowed, by component.
    pub epochs: BTreeMap<String, u64>,
    /// Where the trust store is.
    pub trust: Option<String>,
}

impl Recovered {
    /// The last set that was decided and not taken back.
    pub fn current(&self) -> Option<&Committed> {
        self.sets.last()
    }

    /// The set before it.
    pub fn previous(&self) -> Option<&Committed> {
        self.sets.iter().nth_back(1)
    }

    fn take_back(&mut self, txn: u64) {
        self.sets.retain(|committed| committed.txn != txn);
    }

    fn end(&mut self, txn: u64) {
        if self.unfinished == Some(txn) {
            self.unfinished = None;
        }
    }

    /// Adds what a further record says.
    pub(crate) fn learn(&mut self, record: &Record) {
        match record {
            Record::Begin { txn, .. } => {
                self.last_txn = self.last_txn.max(*txn);
                self.unfinished = Some(*txn);
            }
            Record::Commit { txn, on_trial, set } => {
                self.last_txn = self.last_txn.max(*txn);
                self.end(*txn);
                self.take_back(*txn);
                let (txn, on_trial, set) = (*txn, *on_trial, set.clone());
                self.sets.push(Committed { txn, set, confirmed: false, on_trial });
                // The starts before were those of another set.
                self.starts_without_healthy = 0;
            }
            Record::Confirm { txn } => {
                if let Some(committed) = self.sets.iter_mut().find(|c| c.txn == *txn) {
                    committed.confirmed = true;
                    // From here on its epochs count: it may be gone back from, but no longer taken back.
                    committed.set.raise(&mut self.epochs);
                }
            }
            Record::Abort { txn } => {
                self.last_txn = self.last_txn.max(*txn);
                self.end(*txn);
                self.take_back(*txn);
            }
            Record::Rollback { txn, set } => {
                self.last_txn = self.last_txn.max(*txn);
                self.end(*txn);
                self.take_back(*txn);
                // The record names the set in full; it wins where compaction has removed the older commit.
                if self.current().is_none_or(|current| current.set != *set) {
                    // It was kept once, before older records were left out.
                    set.raise(&mut self.epochs);
                    let (txn, set) = (*txn, set.clone());
                    self.sets.push(Committed { txn, set, confirmed: true, on_trial: false });
                }
                self.starts_without_healthy = 0;
            }
            Record::Start { boot } => {
                self.last_boot = self.last_boot.max(*boot);
                self.starts_without_healthy = self.starts_without_healthy.saturating_add(1);
            }
            Record::Healthy { boot } => {
                self.last_boot = self.last_boot.max(*boot);
                self.starts_without_healthy = 0;
            }
            Record::Epoch { component, epoch } => {
                let lowest = self.epochs.entry(component.clone()).or_insert(0);
                *lowest = (*lowest).max(*epoch);
            }
            Record::Trust { path } => self.trust = Some(path.clone()),
        }
    }
}

/// Reads the facts.
pub fn recover(records: &[Record]) -> Recovered {
    let mut facts = Recovered::default();
    records.iter().for_each(|record| facts.learn(record));
    facts
}

/// When the last set is not the first to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartPolicy {
    /// So many starts in a row without success are a crash loop.
    pub crash_loop_starts: u8,
}

impl Default for StartPolicy {
    /// One crash may be the machine's, two may be bad luck.
    fn default() -> Self {
        Self { crash_loop_starts: 3 }
    }
}

/// A set to try, in the order of [`candidates`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The set.
    pub committed: Committed,
    /// Why it stands where it stands.
    pub why: Why,
}

/// Why a set is tried, as a fact for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It is the last one decided.
    Last,
    /// It is the one before, tried when the last one cannot be loaded.
    Before,
    /// It is the one before, tried first because the last one starts again and again without success.
    LastCrashLoops,
    /// It is the one before, tried first because the process ended while the last one was on trial: it may
    /// have been what ended it, and the operator's word, where one was needed, did not come.
    LastUnconfirmed,
}

/// The sets to try at a start: the last one and the one before it, the better one first. Empty only for a
/// journal without any set.
pub fn candidates(facts: &Recovered, policy: StartPolicy) -> Vec<Candidate> {
    let Some(last) = facts.current().cloned() else { return Vec::new() };
    let reason = if last.on_trial && !last.confirmed {
        Some(Why::LastUnconfirmed)
    } else if facts.starts_without_healthy >= policy.crash_loop_starts {
        Some(Why::LastCrashLoops)
    } else {
        None
    };
    let last = Candidate { committed: last, why: Why::Last };
    let Some(before) = facts.previous().cloned() else { return vec![last] };
    match reason {
        Some(why) => vec![Candidate { committed: before, why }, last],
        None => vec![last, Candidate { committed: before, why: Why::Before }],
    }
}

/// The shortest records with the same meaning, of which the last `keep` sets remain (at least two, so that
/// there is always a way back).
pub fn compacted(facts: &Recovered, keep: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let from = facts.sets.len().saturating_sub(keep.max(2));
    for Committed { txn, set, confirmed, on_trial } in &facts.sets[from..] {
        let (txn, on_trial, set) = (*txn, *on_trial, set.clone());
        records.push(Record::Commit { txn, on_trial, set });
        if *confirmed {
            records.push(Record::Confirm { txn });
        }
    }
    // Numbers must not be used twice, even where their transactions left nothing.
    if facts.sets[from..].iter().all(|committed| committed.txn != facts.last_txn) {
        records.push(Record::Abort { txn: facts.last_txn });
    }
    if let Some(txn) = facts.unfinished {
        records.push(Record::Begin { txn, members: Vec::new() });
    }
    let starts = u64::from(facts.starts_without_healthy);
    if starts == 0 {
        records.push(Record::Healthy { boot: facts.last_boot });
    }
    for start in (0..starts).rev() {
        records.push(Record::Start { boot: facts.last_boot.saturating_sub(start) });
    }
    let epochs = facts.epochs.iter();
    records.extend(
        epochs.map(|(component, &epoch)| Record::Epoch { component: component.clone(), epoch }),
    );
    records.extend(facts.trust.iter().map(|path| Record::Trust { path: path.clone() }));
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Bound, Digest};
    use proptest::prelude::*;

    fn set(version: u8) -> Set {
        let package = Some(Digest([version; 32]));
        let bound = Bound { version: format!("1.{version}.0"), package, epoch: version.into() };
        Set::from_iter([("a".to_owned(), bound.clone()), ("b".to_owned(), bound)])
    }

    fn commit(txn: u64, version: u8) -> Record {
        Record::Commit { txn, on_trial: false, set: set(version) }
    }

    fn current(records: &[Record]) -> Option<Set> {
        recover(records).current().map(|c| c.set.clone())
    }

    #[test]
    fn the_last_commit_is_the_current_set() {
        let facts = recover(&[commit(0, 1), commit(1, 2)]);
        assert_eq!(facts.current().unwrap().set, set(2));
        assert_eq!(facts.previous().unwrap().set, set(1));
    }

    #[test]
    fn a_transaction_that_only_began_has_changed_nothing() {
        let begin = Record::Begin { txn: 1, members: vec!["a".into()] };
        let facts = recover(&[commit(0, 1), begin]);
        assert_eq!((facts.current().unwrap().txn, facts.unfinished), (0, Some(1)));
    }

    #[test]
    fn an_abort_takes_back_a_commit_that_was_written_late() {
        let records = [commit(0, 1), commit(1, 2), Record::Abort { txn: 1 }];
        assert_eq!(current(&records), Some(set(1)));
        assert_eq!(recover(&records).last_txn, 1);
    }

    #[test]
    fn a_rollback_brings_back_the_set_it_names() {
        let records = [commit(0, 1), commit(1, 2), Record::Rollback { txn: 1, set: set(1) }];
        assert_eq!(current(&records), Some(set(1)));
        assert_eq!(current(&records[1..]), Some(set(1)), "even where the older commit is gone");
    }

    #[test]
    fn three_starts_without_success_prefer_the_set_before() {
        let mut records = vec![commit(0, 1), commit(1, 2)];
        for boot in 1..=3 {
            let first = &candidates(&recover(&records), StartPolicy::default())[0];
            assert_eq!((first.committed.txn, first.why), (1, Why::Last));
            records.push(Record::Start { boot });
        }
        let both = candidates(&recover(&records), StartPolicy::default());
        assert_eq!((both[0].committed.txn, both[0].why), (0, Why::LastCrashLoops));
        assert_eq!((both[1].committed.txn, both[1].why), (1, Why::Last));
        records.push(Record::Healthy { boot: 3 });
        let first = &candidates(&recover(&records), StartPolicy::default())[0];
        assert_eq!(first.why, Why::Last);
    }

    #[test]
    fn a_set_without_a_predecessor_is_tried_however_often_it_crashed() {
        let starts = (1..=300).map(|boot| Record::Start { boot });
        let records: Vec<_> = [commit(0, 1)].into_iter().chain(starts).collect();
        let all = candidates(&recover(&records), StartPolicy::default());
        assert_eq!(all.iter().map(|c| c.why).collect::<Vec<_>>(), [Why::Last]);
        assert!(candidates(&recover(&[]), StartPolicy::default()).is_empty());
    }

    #[test]
    fn a_restart_during_a_trial_goes_back() {
        let mut records =
            vec![commit(0, 1), Record::Commit { txn: 1, on_trial: true, set: set(2) }];
        let first = &candidates(&recover(&records), StartPolicy::default())[0];
        assert_eq!((first.committed.txn, first.why), (0, Why::LastUnconfirmed));
        records.push(Record::Confirm { txn: 1 });
        let first = &candidates(&recover(&records), StartPolicy::default())[0];
        assert_eq!((first.committed.txn, first.why), (1, Why::Last));
    }

    #[test]
    fn epochs_only_rise() {
        let epoch = |epoch| Record::Epoch { component: "a".into(), epoch };
        assert_eq!(recover(&[epoch(3), epoch(2)]).epochs["a"], 3);
    }

    #[test]
    fn the_epochs_of_a_set_count_from_its_confirm_record_on() {
        let mut records = vec![commit(0, 1), Record::Confirm { txn: 0 }, commit(1, 3)];
        assert_eq!(recover(&records).epochs["a"], 1, "it may yet be taken back");
        let taken_back = Record::Rollback { txn: 1, set: set(1) };
        records.push(taken_back.clone());
        assert_eq!(recover(&records).epochs["a"], 1);
        records.pop();
        records.push(Record::Confirm { txn: 1 });
        assert_eq!(recover(&records).epochs["a"], 3);
        // A set that served and was kept is gone back from later: what it has raised stays.
        records.push(taken_back);
        let facts = recover(&records);
        assert_eq!((facts.current().unwrap().txn, facts.epochs["a"]), (0, 3));
        assert_eq!(recover(&compacted(&facts, 2)).epochs["a"], 3);
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let txn = 0..6u64;
        prop_oneof![
            txn.clone().prop_map(|txn| Record::Begin { txn, members: Vec::new() }),
            (txn.clone(), any::<bool>(), 0..4u8).prop_map(|(txn, on_trial, v)| Record::Commit {
                txn,
                on_trial,
                set: set(v)
            }),
            txn.clone().prop_map(|txn| Record::Confirm { txn }),
            txn.clone().prop_map(|txn| Record::Abort { txn }),
            (txn, 0..4u8).prop_map(|(txn, v)| Record::Rollback { txn, set: set(v) }),
            (0..9u64).prop_map(|boot| Record::Start { boot }),
            (0..9u64).prop_map(|boot| Record::Healthy { boot }),
            (0..9u64).prop_map(|epoch| Record::Epoch { component: "a".into(), epoch }),
        ]
    }

    proptest! {
        #[test]
        fn compacting_changes_nothing_but_the_oldest_sets(
            records in proptest::collection::vec(any_record(), 0..30), keep in 0..5usize,
        ) {
            let mut before = recover(&records);
            let after = recover(&compacted(&before, keep));
            before.sets.drain(..before.sets.len().saturating_sub(keep.max(2)));
            prop_assert_eq!(before, after);
        }
    }
}
