//! Each module of the bad gallery is refused in the right phase, while the old version keeps answering.
//!
//! Guarantee 5. Callers call throughout, and not one of their calls fails; the answer to the operator says
//! phase, reason and what still serves.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Item, Request, SwapError};
use s_package::Timestamp;
use s_transaction::{Outcome, Phase, Reason, Verdict};
use world::packages::{self, Recipe};
use world::{Callers, World, short};

/// Swaps a package in that must be refused, and looks at what the operator is told.
fn refused(world: &World, request: Request, phase: Phase, reasons: &[&str]) -> Outcome {
    let before = world.version("counter");
    let outcome = world.manager.swap(request).unwrap();
    let text = outcome.to_string();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{text}\n{}", world.told());
    let cause = outcome.cause.clone().unwrap();
    assert_eq!(cause.phase, phase, "{text}");
    assert!(text.contains(&format!("in {phase}: ")), "{text}");
    assert!(reasons.iter().any(|reason| text.contains(reason)), "none of {reasons:?} in: {text}");
    assert!(text.contains(&format!("{before} still serving")), "{text}");
    assert!(!text.contains("UNREACHABLE"), "{text}");
    assert_eq!(world.version("counter"), before);
    outcome
}

/// A rehearsed fixture of the gallery, refused in preflight under callers.
fn refused_in_preflight(fixture: &str, reasons: &[&str]) {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    let outcome = refused(
        &world,
        Request::package(packages::package(fixture)).with_deadlines(short()),
        Phase::Preflight,
        reasons,
    );
    assert_eq!(outcome.blackout, None, "no gate was closed for a module that failed its rehearsal");
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

/// A fixture under a host that does not rehearse, refused in a live phase under callers.
fn refused_live(fixture: &str, phase: Phase, reasons: &[&str]) {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 1);
    let request = Request::package(packages::package(fixture)).with_deadlines(short());
    refused(&world, request, phase, reasons);
    // The old version is not merely bound: it can still be swapped.
    world.must_swap("counter_v2");
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

/// A request that names no plan: told before anything begins.
fn not_a_package(bytes: Vec<u8>, reason: &str) {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    let Err(error) = world.swap_bytes(bytes) else { panic!("it became a plan") };
    assert!(matches!(error, SwapError::Request(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("in verify: ")
            && text.contains(reason)
            && text.contains("nothing has changed"),
        "{text}"
    );
    callers.finish();
    assert_eq!(world.version("counter"), "1.0.0");
}

fn refused_in_verify(package: Vec<u8>, reason: &str) {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    refused(&world, Request::package(package), Phase::Verify, &[reason]);
    callers.finish();
}

// ===== verify =====

#[test]
fn tampered_code_is_refused_in_verify() {
    refused_in_verify(packages::with_tampered_code(&packages::package("counter_v2")), "SHA-256");
}

#[test]
fn a_tampered_manifest_is_refused_in_verify() {
    refused_in_verify(
        packages::with_tampered_manifest(&packages::package("counter_v2")),
        "manifest",
    );
}

#[test]
fn an_unsigned_package_is_refused_in_verify() {
    refused_in_verify(packages::unsigned(&packages::package("counter_v2")), "sign");
}

#[test]
fn the_signatures_of_another_package_are_refused_in_verify() {
    let package = packages::with_signatures_of(
        &packages::package("counter_v2"),
        &packages::package("counter_v3"),
    );
    refused_in_verify(package, "manifest");
}

#[test]
fn a_key_that_nobody_knows_is_refused_in_verify() {
    let package = Recipe { signers: vec![packages::STRANGER], ..Recipe::of("counter_v2") }.build();
    refused_in_verify(package, "key");
}

#[test]
fn a_key_for_other_components_is_refused_in_verify() {
    let package = Recipe { signers: vec![packages::ELSEWHERE], ..Recipe::of("counter_v2") }.build();
    refused_in_verify(package, "elsewhere");
}

#[test]
fn an_expired_package_is_refused_in_verify() {
    let expires = Some(Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
    refused_in_verify(Recipe { expires, ..Recipe::of("counter_v2") }.build(), "2020-01-01");
}

#[test]
fn a_package_from_the_future_is_refused_in_verify() {
    let not_before = Some(Timestamp::parse("2999-01-01T00:00:00Z").unwrap());
    refused_in_verify(Recipe { not_before, ..Recipe::of("counter_v2") }.build(), "2999-01-01");
}

#[test]
fn a_package_for_another_target_is_refused_in_verify() {
    let target = s_package::Triple::parse("riscv64gc-unknown-linux-gnu").unwrap();
    refused_in_verify(Recipe { target, ..Recipe::of("counter_v2") }.build(), "riscv64gc");
}

#[test]
fn a_replayed_older_epoch_is_refused_in_verify_unless_the_operator_insists() {
    let world = World::new();
    let of_epoch = |fixture: &str, epoch| Recipe { epoch, ..Recipe::of(fixture) }.build();
    let committed = world.swap_bytes(of_epoch("counter_v2", 5)).unwrap();
    assert_eq!(committed.verdict, Verdict::Committed, "{committed}");
    let callers = Callers::start(&world, 1);
    refused(&world, Request::package(of_epoch("counter_v1", 4)), Phase::Verify, &["epoch"]);
    let insisting =
        Request { allow_downgrade: true, ..Request::package(of_epoch("counter_v1", 4)) };
    let committed = world.manager.swap(insisting).unwrap();
    assert_eq!(committed.verdict, Verdict::Committed, "{committed}");
    assert!(
        world.told().contains("override"),
        "an override that was used is announced: {}",
        world.told()
    );
    // The override is for one swap: what is recorded stays.
    refused(&world, Request::package(of_epoch("counter_v1", 3)), Phase::Verify, &["epoch"]);
    callers.finish();
}

#[test]
fn a_missing_dependency_is_refused_in_verify() {
    refused_in_verify(packages::package("missing_dependency"), "no.such.part");
}

#[test]
fn a_package_that_is_no_tar_is_no_plan() {
    not_a_package(b"not a tar at all".repeat(100), "not a package");
}

#[test]
fn a_truncated_package_is_no_plan() {
    let mut package = packages::package("counter_v2");
    package.truncate(package.len() / 2);
    not_a_package(package, "ends early");
}

#[test]
fn a_huge_package_is_no_plan() {
    let limit = s_package::Limits::DEFAULT.package_bytes;
    not_a_package(vec![0; limit + 1], "larger than");
}

#[test]
fn tars_with_path_tricks_are_no_plan() {
    let package = packages::package("counter_v2");
    for name in ["../../etc/passwd", "/etc/passwd", "code/../manifest.json", "./manifest.json"] {
        not_a_package(packages::with_entry_named(&package, name), "not a package");
    }
    not_a_package(packages::with_entry_of_type(&package, b'2'), "only plain files");
    not_a_package(packages::with_entry_of_type(&package, b'x'), "only plain files");
}

// ===== load =====

fn refused_in_load(code: Vec<u8>, reasons: &[&str]) {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    let package = Recipe::from_parts(code, packages::facts_of_a_counter()).build();
    refused(&world, Request::package(package), Phase::Load, reasons);
    callers.finish();
}

#[test]
fn code_that_is_no_elf_is_refused_in_load() {
    refused_in_load(b"#!/bin/sh\necho hello\n".repeat(50), &["ELF"]);
}

#[test]
fn a_truncated_elf_is_refused_in_load() {
    let mut code = packages::code("counter_v2");
    code.truncate(code.len() / 3);
    refused_in_load(code, &["ELF", "ends", "truncated"]);
}

#[test]
fn an_elf_without_a_module_is_refused_in_load() {
    // Any library that exports no module: the C library's helper for the dynamic linker's cache is one.
    let libm =
        ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"];
    let Some(code) = libm.iter().find_map(|path| std::fs::read(path).ok()) else {
        eprintln!("skipped: no libm.so.6 in the usual places");
        return;
    };
    refused_in_load(code, &["export", "module"]);
}

#[test]
fn the_pinned_budget_refuses_in_load_before_anything_changes() {
    let world = World::with(
        &[
            ("counter", Some(&world::counter_v1::S_MODULE)),
            ("echo", Some(&world::echo_v1::S_MODULE)),
        ],
        |config| config.budget = s_loader::Budget { pinned_max: 1 },
    );
    world.must_swap("tls_with_drop");
    // This thread keeps the thread-local data alive, so the module stays pinned after the next swap.
    world.add(1);
    world.must_swap("counter_v2");
    let callers = Callers::start(&world, 1);
    let outcome = refused(
        &world,
        Request::package(packages::package("counter_v3")),
        Phase::Load,
        &["1 modules are pinned and the budget is 1"],
    );
    assert!(outcome.to_string().contains("TLS destructor"), "{outcome}");
    callers.finish();
}

// ===== preflight =====

#[test]
fn a_future_abi_is_refused_before_it_serves() {
    let world = World::new();
    let callers = Callers::start(&world, 1);
    let package =
        Recipe::from_parts(packages::code("wrong_abi"), packages::facts_of_a_counter()).build();
    let outcome = world.swap_bytes(package).unwrap();
    let cause = outcome.cause.clone().unwrap();
    assert!(matches!(cause.phase, Phase::Load | Phase::Preflight), "{outcome}");
    assert!(outcome.to_string().contains("ABI version 999"), "{outcome}");
    assert!(outcome.to_string().contains("1.0.0 still serving"), "{outcome}");
    callers.finish();
}

#[test]
fn a_static_constructor_that_aborts_takes_its_rehearsal_down_and_nothing_else() {
    refused_in_preflight("aborts_when_loaded", &["SIGABRT in step load"]);
}

#[test]
fn a_panic_in_init_is_refused_in_preflight() {
    refused_in_preflight("panics_in_init", &["no, not today"]);
}

#[test]
fn a_panic_in_prepare_is_refused_in_preflight() {
    refused_in_preflight("panics_in_prepare", &["no opinion"]);
}

#[test]
fn a_panic_in_export_is_refused_in_preflight() {
    refused_in_preflight("panics_in_export", &["the state is mine"]);
}

#[test]
fn a_panic_in_import_is_refused_in_preflight() {
    refused_in_preflight("panics_in_import", &["not that state"]);
}

#[test]
fn a_panic_in_restart_is_refused_in_preflight() {
    refused_in_preflight("panics_in_restart", &["not in the mood to restart"]);
}

#[test]
fn a_panic_in_hold_is_refused_in_preflight() {
    refused_in_preflight("panics_in_hold", &["not in the mood to hold"]);
}

#[test]
fn a_panic_in_term_is_refused_in_preflight() {
    refused_in_preflight("panics_in_term", &["not in the mood to term"]);
}

#[test]
fn a_panic_in_self_test_is_refused_in_preflight() {
    refused_in_preflight("panics_in_self_test", &["found a fault in myself"]);
}

#[test]
fn a_panic_in_drop_is_refused_in_preflight() {
    refused_in_preflight("panics_in_drop", &["will not go"]);
}

#[test]
fn a_module_that_refuses_the_state_is_refused_in_preflight() {
    refused_in_preflight("refuses_state", &["beneath me"]);
}

#[test]
fn a_vote_of_no_is_refused_in_preflight() {
    refused_in_preflight("votes_no", &["the moon is full"]);
}

#[test]
fn an_endless_loop_in_init_is_refused_in_preflight() {
    refused_in_preflight("loops_in_init", &["in step init"]);
}

#[test]
fn an_endless_loop_in_export_is_refused_in_preflight() {
    refused_in_preflight("loops_in_export", &["in step export"]);
}

#[test]
fn an_endless_loop_in_prepare_is_refused_in_preflight() {
    refused_in_preflight("loops_in_prepare", &["in step prepare"]);
}

#[test]
fn a_segfault_in_init_is_refused_in_preflight() {
    refused_in_preflight("segfaults_in_init", &["SIGSEGV in step init"]);
}

#[test]
fn a_module_that_exits_is_refused_in_preflight() {
    refused_in_preflight("exits", &["in step init"]);
}

#[test]
fn a_module_that_spawns_a_thread_is_refused_in_preflight() {
    refused_in_preflight("spawns_a_thread", &["forbidden system call", "in step init"]);
}

#[test]
fn a_leftover_field_is_refused_before_anything_is_quiesced() {
    refused_in_preflight("leftover_state", &["remark"]);
}

#[test]
fn a_state_of_another_kind_is_refused_before_anything_is_quiesced() {
    refused_in_preflight("state_of_another_kind", &["gauge-state"]);
}

#[test]
fn a_state_version_without_a_way_is_refused_before_anything_is_quiesced() {
    refused_in_preflight("state_without_a_way", &["version 9", "version 1", "9"]);
}

#[test]
fn a_giant_state_is_refused_in_preflight() {
    refused_in_preflight("giant_state", &["in step"]);
}

#[test]
fn a_segfault_in_a_call_is_refused_in_preflight_when_the_call_was_recorded() {
    let world = World::new();
    world.manager.set_replays(
        "counter",
        vec![s_preflight::Replay {
            method: "total".into(),
            args: vec![],
            expected: s_preflight::Expected::Any,
        }],
    );
    let callers = Callers::start(&world, 1);
    let segfault = Request::package(packages::package("segfaults_in_call"));
    refused(&world, segfault, Phase::Preflight, &["SIGSEGV in step replay"]);
    let panic = Request::package(packages::package("panics_in_call"));
    refused(&world, panic, Phase::Preflight, &["what a question"]);
    let endless = Request::package(packages::package("loops_in_call"));
    refused(&world, endless, Phase::Preflight, &["in step replay"]);
    callers.finish();
    world.must_swap("counter_v2");
}

// ===== the live phases, for modules that pretend in their rehearsal =====

#[test]
fn without_a_rehearsal_a_panic_in_init_is_refused_in_load() {
    refused_live("panics_in_init", Phase::Load, &["no, not today"]);
}

#[test]
fn without_a_rehearsal_a_panic_in_prepare_is_refused_in_prepare() {
    refused_live("panics_in_prepare", Phase::Prepare, &["no opinion"]);
}

#[test]
fn without_a_rehearsal_a_vote_of_no_is_refused_in_prepare() {
    refused_live("votes_no", Phase::Prepare, &["the moon is full"]);
}

#[test]
fn without_a_rehearsal_a_late_vote_is_refused_in_prepare() {
    refused_live(
        "slow_to_prepare",
        Phase::Prepare,
        &["no answer before the phase's deadline", "voted no"],
    );
}

#[test]
fn without_a_rehearsal_an_endless_vote_is_refused_in_prepare() {
    refused_live(
        "loops_in_prepare",
        Phase::Prepare,
        &["no answer before the phase's deadline", "voted no"],
    );
}

#[test]
fn without_a_rehearsal_a_panic_in_import_is_refused_in_map_state() {
    refused_live("panics_in_import", Phase::MapState, &["not that state"]);
}

#[test]
fn without_a_rehearsal_a_refused_state_is_refused_in_map_state() {
    refused_live("refuses_state", Phase::MapState, &["beneath me"]);
}

#[test]
fn without_a_rehearsal_a_leftover_field_is_refused_in_load() {
    refused_live("leftover_state", Phase::Load, &["remark"]);
}

#[test]
fn without_a_rehearsal_a_panic_in_restart_brings_the_old_version_back() {
    let world = World::without_preflight();
    let callers = Callers::start(&world, 1);
    let outcome = world.swap("panics_in_restart");
    let text = outcome.to_string();
    assert!(matches!(outcome.verdict, Verdict::Aborted | Verdict::RolledBack), "{text}");
    assert!(text.contains("in commit: ") && text.contains("not in the mood to restart"), "{text}");
    assert!(text.contains("1.0.0 serving again") || text.contains("1.0.0 still serving"), "{text}");
    assert_eq!(world.version("counter"), "1.0.0");
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

/// The module serves, and what it does wrong shows when it should go.
fn goes_badly(fixture: &str, phase: Phase, reasons: &[&str]) {
    let world = World::without_preflight();
    world.must_swap(fixture);
    let callers = Callers::start(&world, 1);
    let request = Request::package(packages::package("counter_v2")).with_deadlines(short());
    refused(&world, request, phase, reasons);
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

#[test]
fn a_module_that_is_never_swappable_is_waited_for_and_then_left_alone() {
    goes_badly(
        "never_swappable",
        Phase::Quiesce,
        &["S-critical", "no answer before the phase's deadline"],
    );
}

#[test]
fn a_panic_in_export_aborts_the_swap_and_the_module_goes_on() {
    goes_badly("panics_in_export", Phase::MapState, &["the state is mine"]);
}

#[test]
fn a_panic_in_hold_aborts_the_swap_and_the_module_goes_on() {
    goes_badly("panics_in_hold", Phase::Quiesce, &["not in the mood to hold"]);
}

#[test]
fn an_endless_export_aborts_the_swap_and_the_module_goes_on() {
    goes_badly("loops_in_export", Phase::MapState, &["no answer before the phase's deadline"]);
}

#[test]
fn a_predecessor_that_votes_no_stays() {
    goes_badly("votes_no_when_it_goes", Phase::Prepare, &["I stay"]);
}

#[test]
fn a_caller_that_is_caught_in_an_endless_call_stops_the_swap_and_nothing_else() {
    let world = World::new();
    world.must_swap("loops_in_call");
    // It shows only when it is called; the echo beside it does not suffer.
    let runtime = world.runtime;
    let started = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let begun = std::sync::Arc::clone(&started);
    std::thread::spawn(move || {
        use s_tests::roles::Counter;
        let counter: s_tests::roles::CounterProxy = runtime.proxy("counter").unwrap();
        let mut worker = runtime.worker();
        begun.store(true, std::sync::atomic::Ordering::Release);
        let _ = worker.serve(|act| counter.total(act));
    });
    world::eventually("the caller began", || started.load(std::sync::atomic::Ordering::Acquire));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let request = Request::package(packages::package("counter_v2")).with_deadlines(short());
    refused(
        &world,
        request,
        Phase::Quiesce,
        &["callers stayed inside", "no answer before the phase's deadline"],
    );
    // The echo is swapped and answers.
    world.must_swap("echo_v2");
}

#[test]
fn a_module_that_prints_says_so_to_nobody() {
    // Printing is bad manners and no danger: the rehearsal has no terminal, and the module is admitted or
    // refused; either way nobody's call fails.
    let world = World::new();
    let callers = Callers::start(&world, 1);
    let outcome = world.swap("prints");
    assert!(matches!(outcome.verdict, Verdict::Committed | Verdict::Aborted), "{outcome}");
    callers.finish();
}

#[test]
fn the_reason_of_a_refusal_is_kept_in_the_history() {
    let world = World::new();
    world.swap("votes_no");
    let history = world.manager.history();
    let last = history.last().unwrap();
    assert_eq!(last.verdict, Verdict::Aborted);
    assert!(
        matches!(&last.cause.as_ref().unwrap().reason, Reason::Failed(_) | Reason::VotedNo(_)),
        "{last}"
    );
    assert_eq!(last.serving[0].version.as_deref(), Some("1.0.0"));
}

#[test]
fn an_item_for_a_component_that_is_not_there_is_no_plan() {
    let world = World::new();
    let error = world.manager.swap(Request::new(vec![Item::Remove("no.such".into())])).unwrap_err();
    assert!(
        error.to_string().contains("no.such") && error.to_string().contains("nothing has changed"),
        "{error}"
    );
}
