//! What the rehearsal of a successor finds out beyond its own life: calls that were recorded are made again
//! and their answers compared, and a kernel that cannot confine it is told of.
//!
//! The record is made by calling the module that serves, so that a version that behaves alike passes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_preflight::{Expected, Replay};
use s_sdk::Value;
use s_sdk::component::InvokeError;
use s_transaction::{Outcome, Phase, Verdict};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use world::World;

/// Calls what serves, and writes down what it answered.
fn record(world: &World, component: &str, method: &str, args: &[Value]) -> Replay {
    let serving = world.runtime.component(component).unwrap();
    let answered = world.runtime.worker().serve(|act| match serving.invoke(act, method, args) {
        Ok(answer) => Ok(Expected::Answer(answer)),
        Err(InvokeError::Method(error)) => Ok(Expected::Error(error)),
        Err(InvokeError::Call(error)) => Err(error),
    });
    Replay { method: method.to_owned(), args: args.to_vec(), expected: answered.unwrap() }
}

/// The answer to the operator says phase, step, call, difference, and what still serves.
fn refused_as_different(world: &World, fixture: &str, what: &str) -> Outcome {
    let before: Vec<_> = world.manager.status().components.into_iter().map(|c| c.version).collect();
    let outcome = world.swap(fixture);
    let text = outcome.to_string();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{text}\n{}", world.told());
    assert_eq!(outcome.cause.as_ref().unwrap().phase, Phase::Preflight, "{text}");
    assert!(text.contains("in preflight: "), "{text}");
    assert!(text.contains("behaves differently in step replay: "), "{text}");
    assert!(text.contains(what), "{text}");
    assert!(
        text.ends_with("1.0.0 still serving") || text.ends_with("1.2.3 still serving"),
        "{text}"
    );
    assert_eq!(outcome.blackout, None, "no gate was closed for it");
    let after: Vec<_> = world.manager.status().components.into_iter().map(|c| c.version).collect();
    assert_eq!(after, before);
    outcome
}

#[test]
fn a_successor_that_answers_as_recorded_passes_and_one_that_does_not_is_refused() {
    let world = World::new();
    let calls =
        ["four", "eleven", ""].map(|text| record(&world, "echo", "measure", &[text.into()]));
    assert_eq!(calls[1].expected, Expected::Answer(Value::U64(6)));
    world.manager.set_replays("echo", calls.to_vec());
    // It answers through its `does_not_understand`, and another number.
    refused_as_different(
        &world,
        "lacking_v2",
        "call 1 of 3 (`measure`): answered 1004, recorded was 4",
    );
    world.must_swap("echo_v2");
    // Later calls are compared, too.
    let mut calls = calls.to_vec();
    calls[2].expected = Expected::Answer(Value::U64(1));
    world.must_swap("echo_v1");
    world.manager.set_replays("echo", calls);
    refused_as_different(&world, "echo_v2", "call 3 of 3 (`measure`): answered 0, recorded was 1");
}

#[test]
fn calls_are_compared_over_the_copy_of_the_real_state() {
    let world = World::new();
    world.add(41);
    let total = |world: &World| record(world, "counter", "counter.total", &[]);
    // An answer carries the version of who gave it, so another version differs in that alone.
    let recorded = total(&world);
    world.manager.set_replays("counter", vec![recorded]);
    let outcome = refused_as_different(&world, "counter_v2", "call 1 of 1 (`counter.total`)");
    assert!(outcome.to_string().matches("41").count() >= 2, "both sides have the state: {outcome}");
    // What a swap to the version itself would answer: the same, as its calls are counted anew.
    world.manager.set_replays("counter", vec![Replay { expected: Expected::Any, ..total(&world) }]);
    world.must_swap("counter_v2");
    assert_eq!(world.total().total, 41, "calls of a rehearsal are made on a copy");
}

#[test]
fn a_recorded_error_is_an_answer_like_any_other() {
    let world =
        World::with(&[("services", None), ("echo", Some(&world::echo_v1::S_MODULE))], |_| {});
    world.must_swap("services_v1");
    let nobody = [Value::from("no.such.part"), Value::from(vec![1u8, 2])];
    let asked = record(&world, "services", "ask", &nobody);
    let Expected::Error(error) = asked.expected.clone() else { panic!("{asked:?}") };
    world.manager.set_replays("services", vec![asked.clone()]);
    world.must_swap("services_v1");

    // Another error than the recorded one.
    let other = Replay { expected: Expected::Error("another".into()), ..asked.clone() };
    world.manager.set_replays("services", vec![other]);
    let what = format!("answered the error {error}, recorded was the error \"another\"");
    refused_as_different(&world, "services_v1", &what);
    // An error where an answer was recorded, and the other way round.
    let answer = Replay { expected: Expected::Answer(Value::U64(1)), ..asked };
    world.manager.set_replays("services", vec![answer]);
    let what = format!("answered the error {error}, recorded was 1");
    refused_as_different(&world, "services_v1", &what);
    let heard = record(&world, "services", "heard", &[]);
    let failed = Replay { expected: Expected::Error(error.clone()), ..heard };
    world.manager.set_replays("services", vec![failed]);
    let what = format!("answered 0, recorded was the error {error}");
    refused_as_different(&world, "services_v1", &what);
}

#[test]
fn a_recorded_call_that_does_not_fit_any_more_is_a_difference() {
    let world = World::new();
    let call = |method: &str, args: &[Value]| Replay {
        method: method.to_owned(),
        args: args.to_vec(),
        expected: Expected::Any,
    };
    world.manager.set_replays("echo", vec![call("echo.measure", &[Value::U64(4)])]);
    refused_as_different(&world, "echo_v2", "its arguments do not fit any more");
    world.manager.set_replays("echo", vec![call("extra.reverse", &[vec![1u8].into()])]);
    refused_as_different(&world, "echo_v2", "(`extra.reverse`): not understood any more");
    world.must_swap("extra_v2");
}

#[test]
fn a_recorded_call_into_another_component_teaches_nothing_and_refuses_nothing() {
    let world =
        World::with(&[("services", None), ("echo", Some(&world::echo_v1::S_MODULE))], |_| {});
    world.must_swap("services_v1");
    let asked = record(&world, "services", "ask", &["echo".into(), vec![1u8, 2].into()]);
    assert!(matches!(asked.expected, Expected::Answer(_)), "{asked:?}");
    world.manager.set_replays("services", vec![asked]);
    world.must_swap("services_v1");
    let warning = "Warning services : what the recorded call of `ask` answers was not compared: it asks \
                   another component";
    assert!(world.told().lines().any(|line| line == warning), "{}", world.told());
}

#[test]
fn a_kernel_that_cannot_confine_a_rehearsal_is_told_of_at_each_swap_and_holds_none_up() {
    // All threads and children of this one are answered as by a kernel without either.
    let swap_without = || {
        for call in [libc::SYS_landlock_create_ruleset, libc::SYS_seccomp] {
            let (rules, gone) = ([(call, Vec::new())].into(), libc::ENOSYS.unsigned_abs());
            let arch = std::env::consts::ARCH.try_into().unwrap();
            let (other, this) = (SeccompAction::Allow, SeccompAction::Errno(gone));
            let filter = SeccompFilter::new(rules, other, this, arch).unwrap();
            apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        }
        let world = World::new();
        world.must_swap("counter_v2");
        let refused = world.swap("votes_no");
        assert_eq!(refused.cause.unwrap().phase, Phase::Preflight);
        world.must_swap("counter_v1");
        world.told()
    };
    let told = std::thread::spawn(swap_without).join().unwrap();
    for warning in ["Landlock is not in force: ", "this kernel has no filters of system calls"] {
        let begins = format!("Warning counter : {warning}");
        assert_eq!(told.lines().filter(|line| line.starts_with(&begins)).count(), 2, "{told}");
    }
}
