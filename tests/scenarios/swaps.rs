//! Many swaps under saturating callers, chains of versions, and what callers reach afterwards.
//!
//! Guarantees 1 and 2: no call is lost, fails, or sees two versions; the state arrives exactly.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Item, Request, SwapError};
use s_package::Facts;
use s_sdk::Value;
use s_tests::roles::{Counter, CounterProxy, Echo, EchoProxy, Taken, TakenProxy};
use s_tests::taker::{NUMBERED, numbered};
use s_transaction::{Confirm, Verdict};
use std::time::Duration;
use world::packages::{self, Recipe};
use world::{Callers, World, item, many};

#[test]
fn many_swaps_of_a_module_with_state_lose_no_call_and_no_count() {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 2);
    let swaps = many(400);
    for round in 0..swaps {
        world.must_swap(if round % 2 == 0 { "counter_v2" } else { "counter_v1" });
    }
    let seen = callers.finish();
    let last = world.total();
    assert_eq!(last.total, seen.added, "every addition arrived, across all versions");
    assert!(seen.changes > 2, "the callers met both versions: {seen:?}");
    assert_eq!(world.manager.history().last().unwrap().verdict, Verdict::Committed);
}

#[test]
fn many_swaps_of_a_module_without_state_close_no_gate_and_lose_no_call() {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 2);
    for round in 0..many(400) {
        let outcome = world.must_swap(if round % 2 == 0 { "echo_v2" } else { "echo_v1" });
        assert_eq!(outcome.blackout, None, "nobody waited");
    }
    callers.finish();
}

#[test]
fn swaps_with_a_rehearsal_each_lose_no_call_either() {
    let world = World::new();
    let callers = Callers::start(&world, 2);
    for round in 0..many(20).min(500) {
        world.must_swap(if round % 2 == 0 { "counter_v2" } else { "counter_v1" });
        world.must_swap(if round % 2 == 0 { "echo_v2" } else { "echo_v1" });
    }
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

#[test]
fn a_chain_of_three_versions_and_back_keeps_the_state() {
    let world = World::new();
    // More than 32 bits, so that the halves of version 3 both matter.
    world.add(u64::from(u32::MAX) + 40);
    let callers = Callers::start(&world, 1);
    for (fixture, version) in [
        ("counter_v2", 2),
        ("counter_v3", 3),
        ("counter_v1", 1),
        ("counter_v3", 3),
        ("counter_v2", 2),
        ("counter_v1", 1),
    ] {
        world.must_swap(fixture);
        assert_eq!(world.total().version, version);
    }
    let seen = callers.finish();
    assert_eq!(world.total().total, u64::from(u32::MAX) + 40 + seen.added);
}

#[test]
fn a_factory_module_is_left_and_gone_back_to() {
    let world = World::new();
    world.add(7);
    world.must_swap("counter_v2");
    let back =
        world.manager.swap(Request::new(vec![Item::Linked(&world::counter_v1::S_MODULE)])).unwrap();
    assert_eq!(back.verdict, Verdict::Committed, "{back}");
    assert_eq!((world.total().version, world.total().total), (1, 7));
}

#[test]
fn a_new_method_is_reachable_by_name_at_once() {
    let world = World::new();
    let echo = world.runtime.component("echo").unwrap();
    let mut worker = world.runtime.worker();
    let args = [Value::from(vec![1, 2, 3])];
    let before = worker.serve(|act| echo.invoke(act, "reverse", &args));
    assert!(before.is_err(), "{before:?}");
    world.must_swap("extra_v2");
    for name in ["reverse", "extra.reverse"] {
        let answer = worker.serve(|act| echo.invoke(act, name, &args)).unwrap();
        let text = format!("{answer:?}");
        assert!(text.contains("[3, 2, 1]") || text.contains("030201"), "{text}");
    }
    // And what everybody knows stays.
    let typed: EchoProxy = world.runtime.proxy("echo").unwrap();
    assert_eq!(worker.serve(|act| typed.measure(act, "four")), Ok(4));
}

#[test]
fn a_method_that_the_successor_lacks_becomes_does_not_understand() {
    let world = World::new();
    let echo: EchoProxy = world.runtime.proxy("echo").unwrap();
    let mut worker = world.runtime.worker();
    assert_eq!(worker.serve(|act| echo.measure(act, "four")), Ok(4));
    world.must_swap("lacking_v2");
    assert_eq!(
        worker.serve(|act| echo.measure(act, "four")),
        Ok(1004),
        "its does_not_understand answered"
    );
    let nobody = world.runtime.component("echo").unwrap();
    assert!(worker.serve(|act| nobody.invoke(act, "no_such_method", &[])).is_err());
    world.must_swap("echo_v1");
    assert_eq!(worker.serve(|act| echo.measure(act, "four")), Ok(4));
}

#[test]
fn add_replace_and_remove_go_in_one_group() {
    let world = World::with(
        &[
            ("counter", Some(&world::counter_v1::S_MODULE)),
            ("echo", Some(&world::echo_v1::S_MODULE)),
            ("blob", None),
        ],
        |_| {},
    );
    world.add(3);
    let group = vec![item("counter_v2"), item("blob_v1"), Item::Remove("echo".into())];
    let outcome = world.manager.swap(Request::new(group)).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
    assert_eq!(
        (world.version("counter").as_str(), world.version("blob").as_str()),
        ("2.0.0", "1.0.0")
    );
    assert_eq!(world.version("echo"), "(absent)");
    assert_eq!(world.total().total, 3);
    let echo: EchoProxy = world.runtime.proxy("echo").unwrap();
    let absent = world.runtime.worker().serve(|act| echo.measure(act, "x")).unwrap_err();
    assert_eq!(absent.kind, s_sdk::error::CallErrorKind::Absent);
    // The set that is recorded is the set that serves.
    let set = world.manager.set().modules;
    assert!(set.contains_key("blob") && !set.contains_key("echo"), "{set:?}");
    // Removing what is not there is no plan; adding again is one.
    assert!(world.manager.swap(Request::new(vec![Item::Remove("echo".into())])).is_err());
    world.must_swap("echo_v2");
}

#[test]
fn a_failed_member_takes_additions_and_removals_back_too() {
    let world = World::with(
        &[
            ("counter", Some(&world::counter_v1::S_MODULE)),
            ("echo", Some(&world::echo_v1::S_MODULE)),
            ("blob", None),
        ],
        |_| {},
    );
    let callers = Callers::start(&world, 1);
    let group = vec![item("votes_no"), item("blob_v1"), Item::Remove("echo".into())];
    let outcome = world.manager.swap(Request::new(group)).unwrap();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    callers.finish();
    assert_eq!(world.version("blob"), "(absent)");
    assert_eq!(world.version("echo"), "1.0.0");
}

#[test]
fn a_component_twice_in_one_request_is_no_plan() {
    let world = World::new();
    let error =
        world.manager.swap(Request::new(vec![item("counter_v2"), item("counter_v3")])).unwrap_err();
    assert!(matches!(error, SwapError::Request(_)), "{error}");
    assert!(error.to_string().contains("counter"), "{error}");
}

#[test]
fn a_manifest_that_claims_another_module_than_its_code_is_refused() {
    let world = World::new();
    let facts = Facts { version: semver::Version::new(2, 9, 9), ..Recipe::of("counter_v2").facts };
    let package = Recipe::from_parts(packages::code("counter_v2"), facts).build();
    let outcome = world.swap_bytes(package).unwrap();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert!(outcome.to_string().contains("2.9.9"), "{outcome}");
    // A manifest that hides the state would keep the gate open over it.
    let facts = Facts { state: None, ..Recipe::of("counter_v2").facts };
    let package = Recipe::from_parts(packages::code("counter_v2"), facts).build();
    world.add(5);
    let outcome = world.swap_bytes(package).unwrap();
    assert!(
        outcome.verdict == Verdict::Aborted || world.total().total == 5,
        "a lying manifest made the state vanish: {outcome}"
    );
}

#[test]
fn two_operators_on_the_same_component_are_told_apart() {
    let world = World::new();
    let window = Confirm::ByOperator(Duration::from_secs(60));
    let first = world
        .manager
        .begin(Request::package(packages::package("counter_v2")).with_confirm(window))
        .unwrap();
    world::eventually("the window", || {
        first.phase().is_some_and(|phase| phase == s_transaction::Phase::Confirm)
    });
    let Err(busy) = world.manager.begin(Request::package(packages::package("counter_v3"))) else {
        panic!("let in")
    };
    let text = busy.to_string();
    assert!(
        text.contains(&first.txn().to_string())
            && text.contains("counter")
            && text.contains("confirm"),
        "{text}"
    );
    // A group that merely touches it is refused too; the rest of that group is not changed.
    let group = vec![item("echo_v2"), item("counter_v3")];
    assert!(matches!(world.manager.begin(Request::new(group)), Err(SwapError::Busy { .. })));
    assert_eq!(world.version("echo"), "1.0.0");
    world.manager.confirm(first.txn()).unwrap();
    assert_eq!(first.wait().verdict, Verdict::Committed);
    world.must_swap("counter_v3");
}

#[test]
fn two_operators_on_disjoint_sets_take_turns_and_forget_nothing_of_each_other() {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    std::thread::scope(|scope| {
        for (one, two) in [("counter_v2", "counter_v1"), ("echo_v2", "echo_v1")] {
            let world = &world;
            scope.spawn(move || {
                for round in 0..20 {
                    let outcome = world.swap_in_turn(if round % 2 == 0 { one } else { two });
                    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
                }
            });
        }
    });
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
    // Both of them are in the record: what one committed, the other did not forget.
    let set = world.manager.set().modules;
    assert_eq!((set["counter"].version.as_str(), set["echo"].version.as_str()), ("1.0.0", "1.0.0"));
    let numbers: Vec<u64> = world.manager.history().iter().map(|outcome| outcome.txn).collect();
    assert_eq!(numbers.len(), 40);
    assert!(
        numbers.is_sorted_by(|one, next| one < next),
        "no two swaps have one number: {numbers:?}"
    );
}

#[test]
fn two_operators_on_the_same_component_never_work_from_a_stale_predecessor() {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 1);
    std::thread::scope(|scope| {
        for fixture in ["counter_v1", "counter_v2", "counter_v3"] {
            let world = &world;
            scope.spawn(move || {
                for _ in 0..20 {
                    let outcome = world.swap_in_turn(fixture);
                    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
                }
            });
        }
    });
    let seen = callers.finish();
    assert_eq!(
        world.total().total,
        seen.added,
        "a swap that took the state from an older generation lost counts"
    );
}

#[test]
fn an_open_window_of_one_swap_keeps_others_out_and_its_rollback_records_the_old_set() {
    let world = World::new();
    let window = Confirm::ByOperator(Duration::from_secs(60));
    let first = world
        .manager
        .begin(Request::package(packages::package("counter_v2")).with_confirm(window))
        .unwrap();
    world::eventually("the window", || {
        first.phase().is_some_and(|phase| phase == s_transaction::Phase::Confirm)
    });
    let Err(busy) = world.manager.begin(Request::package(packages::package("echo_v2"))) else {
        panic!("let in")
    };
    assert!(busy.to_string().contains("one swap at a time"), "{busy}");
    world.manager.roll_back(first.txn()).unwrap();
    assert_eq!(first.wait().verdict, Verdict::RolledBack);
    let set = world.manager.set().modules;
    assert_eq!((set["counter"].version.as_str(), set["echo"].version.as_str()), ("1.0.0", "1.0.0"));
    world.must_swap("echo_v2");
    assert_eq!(world.manager.set().modules["echo"].version, "2.0.0");
}

#[test]
fn megabytes_of_state_arrive_exactly() {
    use s_tests::roles::{Blob, BlobProxy};
    let world = World::with(&[("blob", None)], |_| {});
    world.must_swap("blob_v1");
    let blob: BlobProxy = world.runtime.proxy("blob").unwrap();
    let mut worker = world.runtime.worker();
    for size in [0u64, 1, 65_536, 16 << 20] {
        let before = worker.serve(|act| blob.resize(act, size)).unwrap();
        for fixture in ["blob_v2", "blob_v1"] {
            world.must_swap(fixture);
            let after = worker.serve(|act| blob.sum(act)).unwrap();
            assert_eq!((after.total, after.calls), (before.total, size));
        }
    }
}

#[test]
fn rows_of_a_resident_table_stay_where_they_are() {
    use s_tests::roles::{Rows, RowsProxy};
    let world = World::with(&[("rows", None)], |_| {});
    world.must_swap("resident_v1");
    let rows: RowsProxy = world.runtime.proxy("rows").unwrap();
    let mut worker = world.runtime.worker();
    assert_eq!(worker.serve(|act| rows.fill(act, 1000)), Ok(1000));
    world.must_swap("resident_v2");
    assert_eq!(worker.serve(|act| rows.count(act)).map(|c| (c.total, c.version)), Ok((1000, 2)));
    let kept = worker.serve(|act| rows.get(act, 700)).unwrap();
    assert_eq!((kept.value, kept.written_by), (700, 1));
    worker.serve(|act| rows.put(act, 700, 7)).unwrap();
    world.must_swap("resident_v1");
    assert_eq!(
        worker.serve(|act| rows.get(act, 700)).map(|row| (row.value, row.written_by)),
        Ok((7, 2))
    );
}

#[test]
fn an_s_critical_section_is_waited_for_and_its_end_lets_the_swap_through() {
    use s_tests::roles::{Stubborn, StubbornProxy};
    let world = World::with(&[("stubborn", None)], |_| {});
    world.must_swap("critical_v1");
    let stubborn: StubbornProxy = world.runtime.proxy("stubborn").unwrap();
    let mut worker = world.runtime.worker();
    worker.serve(|act| stubborn.enter(act)).unwrap();
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| world.swap("critical_v2"));
        world::eventually("quiesce", || {
            world
                .manager
                .status()
                .running
                .first()
                .is_some_and(|running| running.phase == Some("quiesce"))
        });
        // The gate is open to the call that ends the section.
        assert_eq!(worker.serve(|act| stubborn.leave(act)), Ok(1));
        let outcome = swap.join().unwrap();
        assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    });
    assert_eq!(world.version("stubborn"), "2.0.0");
}

#[test]
fn a_removed_active_module_leaves_no_task_behind() {
    let world = World::with(&[("taker", None)], |_| {});
    world.must_swap("active_v1");
    let tasks = world.manager.tasks();
    let mailbox = tasks.mailbox("taker").unwrap();
    mailbox.set_timer(1, Duration::from_millis(1), Some(Duration::from_millis(1))).unwrap();
    let removed = world.manager.swap(Request::new(vec![Item::Remove("taker".into())])).unwrap();
    assert_eq!(removed.verdict, Verdict::Committed, "{removed}");
    assert!(tasks.mailbox("taker").is_err(), "its timers went with it");
    world.must_swap("active_v1");
    let taker: TakenProxy = world.runtime.proxy("taker").unwrap();
    let mut worker = world.runtime.worker();
    assert_eq!(worker.serve(|act| taker.taken(act)).map(|taken| taken.total), Ok(0));
    tasks.send("taker", NUMBERED, &numbered(0, 0)).unwrap();
    world::eventually("the message", || {
        worker.serve(|act| taker.taken(act)).is_ok_and(|taken| taken.total == 1)
    });
}

mod stateless {
    //! Enters and leaves a section by two calls, and carries nothing.
    use s_sdk::{Activity, CallError, Critical, Host, Module, Refusal, s_module};
    use s_tests::roles::Stubborn;
    use std::sync::Mutex;

    pub(super) struct Stateless {
        host: Host,
        section: Mutex<Option<Critical>>,
    }

    #[s_module(component = "stubborn", version = "0.1.0")]
    impl Stubborn for Stateless {
        fn enter(&self, _: &Activity) -> Result<u32, CallError> {
            *self.section.lock().unwrap() = Some(self.host.critical());
            Ok(0)
        }
        fn leave(&self, _: &Activity) -> Result<u32, CallError> {
            *self.section.lock().unwrap() = None;
            Ok(0)
        }
    }

    impl Module for Stateless {
        fn init(host: Host) -> Result<Self, Refusal> {
            Ok(Stateless { host, section: Mutex::default() })
        }
    }
}

#[test]
fn a_section_holds_swaps_without_state_back_too() {
    use s_tests::roles::{Stubborn, StubbornProxy};
    let world = World::with(&[("stubborn", Some(&stateless::S_MODULE))], |_| {});
    let again =
        || Request::new(vec![Item::Linked(&stateless::S_MODULE)]).with_deadlines(world::short());
    let outcome = world.manager.swap(again()).unwrap();
    assert_eq!((outcome.verdict, outcome.blackout), (Verdict::Committed, None), "{outcome}");
    let stubborn: StubbornProxy = world.runtime.proxy("stubborn").unwrap();
    let mut worker = world.runtime.worker();
    worker.serve(|act| stubborn.enter(act)).unwrap();
    let outcome = world.manager.swap(again()).unwrap();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert!(outcome.to_string().contains("S-critical section"), "{outcome}");
    worker.serve(|act| stubborn.leave(act)).unwrap();
    let outcome = world.manager.swap(again()).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    assert!(outcome.blackout.is_some(), "a section could begin as the generations move");
}

#[test]
fn a_proxy_made_before_the_first_module_works_after_it() {
    let world = World::with(&[("counter", None)], |_| {});
    let counter: CounterProxy = world.runtime.proxy("counter").unwrap();
    let mut worker = world.runtime.worker();
    assert_eq!(
        worker.serve(|act| counter.add(act, 1)).unwrap_err().kind,
        s_sdk::error::CallErrorKind::Absent
    );
    world.must_swap("counter_v2");
    assert_eq!(worker.serve(|act| counter.add(act, 1)).unwrap().version, 2);
}

#[test]
fn a_package_may_bring_a_component_along_where_the_host_lets_it() {
    let echo = [("echo", Some(&world::echo_v1::S_MODULE))];
    let world_open_to = |open: &str| {
        let open = s_package::Pattern::parse(open).unwrap();
        World::with(&echo, |config| config.additions = vec![open])
    };
    let refused = world_open_to("other.*").swap_bytes(packages::package("counter_v1"));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("no component is named `counter`"), "{refused}");
    let world = world_open_to("count*");
    // What is not proven makes no component.
    let unsigned = packages::unsigned(&packages::package("counter_v1"));
    let refused = world.swap_bytes(unsigned).unwrap_err().to_string();
    assert!(refused.contains("`counter`") && refused.contains("sign"), "{refused}");
    assert!(world.runtime.component("counter").is_none());
    world.must_swap("counter_v1");
    assert_eq!(world.add(5).total, 5);
    world.must_swap("counter_v2");
    assert_eq!(world.total().total, 5, "a component like any other");
}
