//! Has the engine know what became of swaps, so that managers see it: SWAP-MIB and its notifications.
//!
//! Invariant: of every swap that ended it tells once, in the order of their ends, after the engine has looked
//! at what serves since.

use crate::application::Application;
use roles::swaps::SwapOutcome;
use s_control::Started;
use s_engine::{Binding, SwapEnded};
use s_proxy::Worker;
use s_sdk::Level;
use s_transaction::journal::Why;
use s_transaction::{Outcome, Verdict};
use std::time::Duration;

/// What components bind now.
pub(crate) fn bindings(application: &Application) {
    let components = application.manager.status().components.into_iter();
    let bindings = components.map(|component| Binding {
        component: component.name,
        origin: component.origin.unwrap_or_default(),
        is_confirming: component.predecessor.is_some(),
        panics: component.panics,
    });
    application.engine.facts().set_bindings(bindings.collect());
}

/// A swap has ended.
pub(crate) fn ended(application: &Application, worker: &mut Worker, number: u64) {
    if let Some(past) = application.manager.past_swap(number) {
        tell(application, worker, &of(&past.outcome));
    }
}

/// The agent has started. Where it fell back to an older set, that is told as the rollback that it is: nobody
/// was there to see it.
pub(crate) fn started(application: &Application, worker: &mut Worker) {
    let (number, cause) = match &application.started {
        Started::FactorySet { failed } if !failed.is_empty() => (0, failed.join("; ")),
        Started::Recorded { txn, why, failed } if *why != Why::Last => {
            (*txn, because(*why, failed))
        }
        _ => return,
    };
    let members = application.manager.set().modules.into_iter();
    let told = SwapEnded {
        number,
        outcome: SwapOutcome::RolledBack,
        members: members.map(|(name, bound)| (name, Some(bound.version))).collect(),
        cause,
        blackout: None,
        took: Duration::ZERO,
    };
    tell(application, worker, &told);
}

/// Why an older set was started.
pub(crate) fn because(why: Why, failed: &[String]) -> String {
    let because = match why {
        Why::Last => "it is the last one",
        Why::Before => "the newer one cannot be loaded",
        Why::LastCrashLoops => "the newer one ended the process again and again",
        Why::LastUnconfirmed => "the process ended while a newer one was on trial",
    };
    let because = std::iter::once(because).chain(failed.iter().map(String::as_str));
    because.collect::<Vec<_>>().join("; ")
}

fn tell(application: &Application, worker: &mut Worker, swap: &SwapEnded) {
    // Whoever is told finds it in the table.
    application.engine.facts().swap_ended(swap);
    if worker.serve(|act| application.engine.tell_swap(act, swap)).is_err() {
        let what = format!("swap {}: its notification is too long to be sent", swap.number);
        (application.log)(Level::Warning, "sagentd", "", &what);
    }
}

fn of(outcome: &Outcome) -> SwapEnded {
    let members = outcome.serving.iter();
    SwapEnded {
        number: outcome.txn,
        outcome: match outcome.verdict {
            Verdict::Committed => SwapOutcome::Committed,
            Verdict::Aborted => SwapOutcome::Aborted,
            Verdict::RolledBack => SwapOutcome::RolledBack,
            Verdict::Unreachable => SwapOutcome::Unreachable,
        },
        members: members.map(|one| (one.component.clone(), one.version.clone())).collect(),
        cause: outcome.cause.as_ref().map_or_else(String::new, ToString::to_string),
        blackout: outcome.blackout.max(outcome.rollback_blackout),
        took: outcome.took,
    }
}
