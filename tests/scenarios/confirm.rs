//! After the commit: the confirm window, trouble in it, and the request that met the trouble.
//!
//! Guarantee 6: a module that panics after commit is taken out and its predecessor answers, that same
//! request included, with the state mapped back.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::Request;
use s_proxy::ExceptionPolicy;
use s_sdk::error::CallErrorKind;
use s_tests::roles::{Counter, CounterProxy};
use s_transaction::{Confirm, Deadlines, Phase, Reason, Trouble, Verdict};
use std::time::Duration;
use world::packages::package;
use world::{Callers, World, eventually};

const LONG: Duration = Duration::from_secs(60);

fn begin(world: &World, fixture: &str, confirm: Confirm) -> s_control::Ticket {
    let ticket =
        world.manager.begin(Request::package(package(fixture)).with_confirm(confirm)).unwrap();
    eventually("the confirm window", || {
        ticket.phase() == Some(Phase::Confirm) || ticket.outcome().is_some()
    });
    assert!(ticket.outcome().is_none(), "{}", ticket.wait());
    ticket
}

fn policy(world: &World, policy: ExceptionPolicy) {
    world.runtime.component("counter").unwrap().set_policy(policy);
}

#[test]
fn the_operator_confirms_and_the_new_version_stays() {
    let world = World::new();
    let ticket = begin(&world, "counter_v2", Confirm::ByOperator(LONG));
    assert_eq!(world.manager.status().components[0].predecessor.as_deref(), Some("1.0.0"));
    world.manager.confirm(ticket.txn()).unwrap();
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    assert_eq!(world.version("counter"), "2.0.0");
    assert_eq!(world.manager.status().components[0].predecessor, None);
}

#[test]
fn silence_of_the_operator_reverts_and_keeps_what_was_counted_meanwhile() {
    let world = World::new();
    world.add(10);
    let callers = Callers::start(&world, 1);
    let ticket = begin(&world, "counter_v2", Confirm::ByOperator(Duration::from_millis(300)));
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
    assert!(outcome.to_string().contains("did not confirm in time"), "{outcome}");
    assert!(outcome.to_string().contains("1.0.0 serving again"), "{outcome}");
    let seen = callers.finish();
    assert_eq!((world.total().version, world.total().total), (1, 10 + seen.added));
    assert!(outcome.doubts.is_empty(), "{outcome}");
}

#[test]
fn a_probation_without_trouble_confirms_itself() {
    let world = World::new();
    let ticket = begin(&world, "counter_v2", Confirm::Probation(Duration::from_millis(200)));
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    assert_eq!(world.version("counter"), "2.0.0");
}

#[test]
fn the_operator_rolls_back_and_the_state_is_mapped_back() {
    let world = World::new();
    world.add(1);
    let callers = Callers::start(&world, 2);
    let ticket = begin(&world, "counter_v3", Confirm::Probation(LONG));
    world.add(100);
    world.manager.roll_back(ticket.txn()).unwrap();
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
    let seen = callers.finish();
    assert_eq!((world.total().version, world.total().total), (1, 101 + seen.added));
    assert!(outcome.rollback_blackout.is_some(), "{outcome:?}");
}

#[test]
fn the_operator_aborts_before_the_decision() {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 1);
    let ticket = std::thread::scope(|scope| {
        let began = scope
            .spawn(|| world.manager.begin(Request::package(package("slow_to_prepare"))).unwrap());
        eventually("prepare", || {
            world
                .manager
                .status()
                .running
                .first()
                .is_some_and(|running| running.phase == Some("prepare"))
        });
        let txn = world.manager.status().running[0].txn;
        world.manager.abort(txn).unwrap();
        began.join().unwrap()
    });
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert!(outcome.to_string().contains("asked by the operator"), "{outcome}");
    assert!(outcome.to_string().contains("1.0.0 still serving"), "{outcome}");
    callers.finish();
    assert_eq!(world.version("counter"), "1.0.0");
}

#[test]
fn an_abort_opens_the_gates_though_a_caller_stays_inside() {
    let world = World::without_preflight();
    let component = world.runtime.component("counter").unwrap();
    let counter: CounterProxy = world.runtime.proxy("counter").unwrap();
    let mut inside = world.runtime.worker();
    let act = inside.activity();
    counter.total(&act).unwrap();

    let patient = Deadlines { whole: LONG * 2, quiesce: LONG, ..Deadlines::default() };
    let request = Request::package(package("counter_v2")).with_deadlines(patient);
    let ticket = world.manager.begin(request).unwrap();
    eventually("a closed gate", || component.core().is_closed());
    let runtime = world.runtime;
    let ask = move || runtime.worker().serve(|act| counter.total(act)).map(|total| total.version);
    let parked = std::thread::spawn(ask);
    world.manager.abort(ticket.txn()).unwrap();
    eventually("an open gate", || !component.core().is_closed());
    assert_eq!(parked.join().unwrap(), Ok(1), "the old version answers who was parked");
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert_eq!(counter.total(&act).map(|total| total.version), Ok(1), "still inside");
}

#[test]
fn begin_comes_back_before_the_swap_ends() {
    // An operator who may abort must first have a number to name.
    let world = World::without_preflight();
    let before = std::time::Instant::now();
    let ticket = world.manager.begin(Request::package(package("slow_to_prepare"))).unwrap();
    assert!(ticket.outcome().is_none(), "begin waited for the whole swap, {:?}", before.elapsed());
    world.manager.abort(ticket.txn()).unwrap();
    assert_eq!(ticket.wait().verdict, Verdict::Aborted);
}

#[test]
fn wishes_that_come_too_late_or_too_early_are_refused() {
    let world = World::new();
    let ticket = begin(&world, "counter_v2", Confirm::Probation(LONG));
    assert!(world.manager.abort(ticket.txn()).is_err(), "it is decided");
    assert!(world.manager.confirm(ticket.txn() + 1).is_err(), "no such swap");
    world.manager.confirm(ticket.txn()).unwrap();
    ticket.wait();
    assert!(world.manager.roll_back(ticket.txn()).is_err(), "it has ended");
    assert_eq!(world.version("counter"), "2.0.0");
}

#[test]
fn a_panic_after_commit_is_answered_by_the_predecessor_in_that_same_request() {
    let world = World::new();
    world.add(41);
    let callers = Callers::start(&world, 1);
    // Callers panic it as soon as it serves; each of them is answered all the same.
    let outcome = world
        .manager
        .swap(Request::package(package("panics_in_call")).with_confirm(Confirm::Probation(LONG)))
        .unwrap();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}\n{}", world.told());
    assert!(
        outcome.to_string().contains("panicked: ")
            && outcome.to_string().contains("what a question"),
        "{outcome}"
    );
    assert!(outcome.to_string().contains("1.0.0 serving again"), "{outcome}");
    let seen = callers.finish();
    assert_eq!(world.total().total, 41 + seen.added);
    assert_eq!(world.version("counter"), "1.0.0");
}

#[test]
fn a_single_request_that_meets_the_panic_is_answered() {
    let world = World::new();
    world.add(5);
    let ticket = begin(&world, "panics_in_call", Confirm::Probation(LONG));
    let answer = world.add(1);
    assert_eq!((answer.version, answer.total), (1, 6), "the predecessor answered this request");
    assert_eq!(ticket.wait().verdict, Verdict::RolledBack);
}

#[test]
fn under_the_policy_fail_the_caller_gets_the_error_and_the_swap_is_still_taken_back() {
    let world = World::new();
    policy(&world, ExceptionPolicy::Fail);
    let ticket = begin(&world, "panics_in_call", Confirm::Probation(LONG));
    let counter: CounterProxy = world.runtime.proxy("counter").unwrap();
    let error = world.runtime.worker().serve(|act| counter.add(act, 1)).unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Panicked);
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
    assert_eq!((world.total().version, world.total().total), (1, 0));
}

#[test]
fn under_the_policy_retry_on_predecessor_the_request_is_answered_by_it() {
    let world = World::new();
    policy(&world, ExceptionPolicy::RetryOnPredecessor);
    world.add(5);
    let ticket = begin(&world, "panics_in_call", Confirm::Probation(LONG));
    let answer = world.add(1);
    assert_eq!(answer.version, 1);
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
    // What the predecessor counted for that request must not be lost by mapping the successor's state back.
    assert_eq!(world.total().total, 6, "{outcome}");
}

#[test]
fn a_panic_without_a_predecessor_is_an_error_and_the_module_goes_on() {
    let world = World::new();
    world.must_swap("panics_in_call");
    let counter: CounterProxy = world.runtime.proxy("counter").unwrap();
    let error = world.runtime.worker().serve(|act| counter.add(act, 1)).unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Panicked);
    assert!(world.manager.status().components[0].panics >= 1);
    assert!(world.told().contains("what a question"), "the panic is in the log: {}", world.told());
    world.must_swap("counter_v1");
    world.add(1);
}

#[test]
fn a_state_that_cannot_be_mapped_back_leaves_the_predecessor_its_own_and_says_so() {
    let world = World::without_preflight();
    world.add(9);
    let ticket = begin(&world, "panics_in_export", Confirm::Probation(LONG));
    world.add(1);
    world.manager.roll_back(ticket.txn()).unwrap();
    let outcome = ticket.wait();
    assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
    assert!(outcome.to_string().contains("state of the commit"), "{outcome}");
    assert_eq!((world.total().version, world.total().total), (1, 9));
}

// ===== What the host sees and no call shows =====

#[test]
fn trouble_that_the_host_reports_in_the_window_brings_the_predecessor_back() {
    let slow = Trouble::MissedDeadline("9 of 10 answers took more than a second".into());
    let wrong = Trouble::ErrorRate("16 requests failed in its window".into());
    for (trouble, says) in [(slow, "too slow: 9 of 10"), (wrong, "too many errors: 16 requests")] {
        let world = World::new();
        world.add(20);
        let callers = Callers::start(&world, 1);
        let ticket = begin(&world, "counter_v2", Confirm::Probation(LONG));
        world.add(1);
        world.manager.report_trouble("counter", &trouble);
        let outcome = ticket.wait();
        let text = outcome.to_string();
        assert_eq!(outcome.verdict, Verdict::RolledBack, "{text}");
        let cause = outcome.cause.clone().unwrap();
        assert_eq!((cause.phase, &cause.reason), (Phase::Confirm, &Reason::Trouble(trouble)));
        assert!(text.contains("in confirm: counter 2.0.0: ") && text.contains(says), "{text}");
        assert!(text.contains("1.0.0 serving again"), "{text}");
        assert!(outcome.doubts.is_empty(), "{text}");
        let seen = callers.finish();
        assert_eq!((world.total().version, world.total().total), (1, 21 + seen.added));
        assert_eq!(world.manager.set().modules["counter"].version, "1.0.0");
    }
}

#[test]
fn trouble_of_another_component_or_outside_a_window_takes_nothing_back() {
    let world = World::new();
    let trouble = Trouble::ErrorRate("everything fails".into());
    let ticket = begin(&world, "counter_v2", Confirm::Probation(LONG));
    world.manager.report_trouble("echo", &trouble);
    world.manager.report_trouble("no.such.part", &trouble);
    assert_eq!((ticket.phase(), ticket.outcome()), (Some(Phase::Confirm), None));
    world.manager.confirm(ticket.txn()).unwrap();
    assert_eq!(ticket.wait().verdict, Verdict::Committed);
    world.manager.report_trouble("counter", &trouble);
    assert_eq!(world.version("counter"), "2.0.0");
    assert_eq!(world.manager.history().len(), 1);
}

#[test]
fn trouble_of_the_version_that_goes_does_not_keep_its_successor_away() {
    let world = World::without_preflight();
    let request = Request::package(package("slow_to_prepare")).with_deadlines(world::short());
    let ticket = world.manager.begin(request).unwrap();
    eventually("prepare", || ticket.phase() == Some(Phase::Prepare));
    world.manager.report_trouble("counter", &Trouble::ErrorRate("everything fails".into()));
    let outcome = ticket.wait();
    // It is refused for what it does wrong itself: it votes too late.
    assert_eq!(outcome.cause.unwrap().reason, Reason::Late);
    world.must_swap("counter_v2");
}
