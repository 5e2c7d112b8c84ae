//! Starting the application: which set to load, and what to record about it.
//!
//! 1. [`Repository::start`] records the start and answers the sets to try.
//! 2. The application loads the first that it can, and tells [`Repository::settle`] which.
//! 3. When it has answered its callers well, [`Repository::healthy`].
//!
//! Nothing is loaded here. Invariant: a start is counted before anything of a set is run, so that a set
//! that kills the process is found out by counting.

use s_transaction::journal::{Candidate, Committed, Record, Set, candidates};

use crate::{Repository, Result, SMALL_RECORDS};

impl Repository {
    /// Records a start, durably, and answers the sets to try, best first; none if no set is recorded.
    ///
    /// # Errors
    /// The journal's.
    pub fn start(&mut self) -> Result<Vec<Candidate>> {
        let facts = self.recovered().clone();
        self.boot = facts.last_boot.saturating_add(1);
        // A disk that is full by then must not make a start that went well look like one that crashed.
        self.journal.reserve(SMALL_RECORDS)?;
        self.journal.append(Record::Start { boot: self.boot })?;
        self.sync()?;
        Ok(candidates(&facts, self.settings.start))
    }

    /// Makes the loaded set the current one, durably, if it is not: the last set then counts as rolled back. `set`
    /// is what this program has made of it, and is recorded in its place where it is another.
    ///
    /// # Errors
    /// The journal's.
    pub fn settle(&mut self, loaded: &Candidate, set: &Set) -> Result<()> {
        let Committed { txn, set: recorded, confirmed, on_trial } = &loaded.committed;
        let mut records = Vec::new();
        if let Some(current) = self.current().filter(|current| current.txn != *txn) {
            records.push(Record::Rollback { txn: current.txn, set: recorded.clone() });
        }
        let (txn, on_trial, changed) = (*txn, *on_trial && !confirmed, set != recorded);
        if changed {
            records.push(Record::Commit { txn, on_trial, set: set.clone() });
        }
        // The process may have ended between the commit of a swap without a window and its confirm record. A set
        // that is still on trial starts only where nothing else does; that is not the word it waits for.
        if !on_trial && (changed || !confirmed) {
            records.push(Record::Confirm { txn });
        }
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            self.journal.append(record)?;
        }
        self.sync()
    }

    /// Records, durably, that the set of this start carries the application.
    ///
    /// # Errors
    /// The journal's.
    pub fn healthy(&mut self) -> Result<()> {
        self.journal.append(Record::Healthy { boot: self.boot })?;
        self.sync()
    }
}
