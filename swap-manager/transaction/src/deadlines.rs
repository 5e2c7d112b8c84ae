//! The timing service: how long each phase may take, and which deadlines run now.
//!
//! It never asks the clock. Invariant: while a transaction runs, a phase deadline is armed; therefore a
//! transaction ends even when nothing ever answers.

use std::time::Duration;

/// The limits of a plan: one per phase and one for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the beginning to the deciding record; afterwards nothing can be aborted any more.
    pub whole: Duration,
    /// Signatures and trust of all members.
    pub verify: Duration,
    /// Sealing, loading and instantiating all members.
    pub load: Duration,
    /// The rehearsal of all members, self-tests and replayed calls included.
    pub preflight: Duration,
    /// All votes, and the journal's reservation; a member that is late has voted no.
    pub prepare: Duration,
    /// Draining the closed gates; callers are parked meanwhile.
    pub quiesce: Duration,
    /// Moving all carried state; callers are parked meanwhile.
    pub map_state: Duration,
    /// The small write, the flip and the opening of the gates; callers are parked meanwhile.
    pub commit: Duration,
    /// Making a record durable, with the gates open; a slow disk delays the acknowledgement, not callers.
    pub sync: Duration,
    /// Putting predecessors to rest, and later retiring them.
    pub release: Duration,
    /// Each step of taking back an uncommitted swap.
    pub abort: Duration,
    /// Each step of taking back a committed swap.
    pub rollback: Duration,
}

impl Default for Deadlines {
    /// Long enough for a small loaded machine. The gates are ordered to open three and a half seconds after
    /// closing at the latest, unless a rollback begins under them; its steps then add their own.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            whole: seconds(120),
            verify: seconds(10),
            load: seconds(20),
            preflight: seconds(60),
            prepare: seconds(10),
            quiesce: seconds(2),
            map_state: seconds(1),
            commit: Duration::from_millis(500),
            sync: seconds(30),
            release: seconds(5),
            abort: seconds(2),
            rollback: seconds(2),
        }
    }
}

/// The deadlines that run now, as instants on the caller's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed {
    phase: Option<Duration>,
    whole: Option<Duration>,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Phase,
    Whole,
}

impl Armed {
    pub(crate) fn arm_whole(&mut self, at: Duration) {
        self.whole = Some(at);
    }

    /// The decision has fallen: from here only phases are timed.
    pub(crate) fn disarm_whole(&mut self) {
        self.whole = None;
    }

    pub(crate) fn arm_phase(&mut self, at: Duration) {
        self.phase = Some(at);
    }

    pub(crate) fn disarm(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.phase.into_iter().chain(self.whole).min()
    }

    pub(crate) fn passed(&self, now: Duration) -> Option<Passed> {
        let over = |at: Option<Duration>| at.is_some_and(|at| now >= at);
        // The phase's deadline says more about what went wrong, so it is named first.
        if over(self.phase) {
            Some(Passed::Phase)
        } else {
            over(self.whole).then_some(Passed::Whole)
        }
    }
}
