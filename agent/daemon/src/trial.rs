//! Judges what has just come: the successors of a swap in their confirm window, and the set of this start.
//!
//! A panic is found out by the call that meets it. This is about what only the whole of the answers shows: a
//! module that fails its callers, or keeps them waiting beyond the deadline. Then the versions before it come
//! back. What is counted is spoiled by modules alone: nobody who sends requests, whatever they are, can take a
//! swap back.
//!
//! Invariants: it never ends a trial well, which is for silence or the operator to do; and a start counts as a
//! good one only after it has served for a while, so that a set that ends the process again and again is
//! found out.

use crate::application::Application;
use s_sdk::Level;
use s_transaction::Trouble;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// A start that has served for so long was a good one.
const PROVEN: Duration = Duration::from_secs(30);

/// So many spoiled requests in one window are no accident, and nothing that was there before.
const SPOILED: u64 = 16;

/// Starts the thread that judges.
///
/// # Errors
/// The system has no thread.
pub(crate) fn start(
    application: &Arc<Application>,
    stop: &Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    let (application, stop) = (Arc::clone(application), Arc::clone(stop));
    Builder::new().name("trial".to_owned()).spawn(move || {
        let began = Instant::now();
        let (mut trial, mut is_proven) = (None, false);
        while !stop.load(Ordering::Relaxed) {
            sleep(LOOK);
            if !is_proven && began.elapsed() >= PROVEN {
                is_proven = true;
                application.is_healthy();
            }
            judge(&application, &mut trial);
        }
    })
}

/// A swap in its window, and what modules had spoiled when it came.
struct Trial {
    txn: u64,
    counts: Counts,
    /// It was told of once.
    is_told: bool,
}

/// What modules have spoiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    failed: u64,
    late: u64,
}

impl Counts {
    /// What has gone wrong since, where that is too much.
    fn trouble_since(self, before: Counts) -> Option<Trouble> {
        let (failed, late) = (self.failed - before.failed, self.late - before.late);
        if failed >= SPOILED {
            return Some(Trouble::ErrorRate(format!("{failed} requests failed in its window")));
        }
        (late >= SPOILED).then(|| {
            Trouble::MissedDeadline(format!("{late} requests had to do without it in its window"))
        })
    }
}

fn judge(application: &Application, trial: &mut Option<Trial>) {
    let Some(swap) = application.manager.on_trial() else {
        *trial = None;
        return;
    };
    let spoiled = application.engine.spoiled();
    let counts = Counts { failed: spoiled.failed(), late: spoiled.late() };
    let current = trial.take().filter(|trial| trial.txn == swap.txn);
    let mut current = current.unwrap_or(Trial { txn: swap.txn, counts, is_told: false });
    if let Some(trouble) = counts.trouble_since(current.counts).filter(|_| !current.is_told) {
        current.is_told = true;
        let what = format!("swap {} goes badly: {trouble}", swap.txn);
        (application.log)(Level::Warning, "sagentd", "", &what);
        for component in &swap.components {
            application.manager.report_trouble(component, &trouble);
        }
    }
    *trial = Some(current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_accidents_are_no_trouble_and_many_are() {
        let before = Counts { failed: 100, late: 7 };
        assert_eq!(Counts { failed: 115, late: 22 }.trouble_since(before), None);
        let failed = Counts { failed: 116, late: 7 }.trouble_since(before);
        assert!(matches!(failed, Some(Trouble::ErrorRate(why)) if why.starts_with("16 ")));
        let late = Counts { failed: 100, late: 23 }.trouble_since(before);
        assert!(matches!(late, Some(Trouble::MissedDeadline(why)) if why.starts_with("16 ")));
    }
}
