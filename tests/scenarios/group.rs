//! Eight components change as one, or not at all.
//!
//! Guarantee 3. A caller asks all eight in one activity, throughout; whatever one member does wrong, in
//! whatever phase, nothing changes anywhere, no call fails, and no activity sees two versions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Item, Request};
use s_proxy::Runtime;
use s_sdk::abi::ModuleDescriptor;
use s_tests::roles::{Counter, CounterProxy, Front, FrontProxy};
use s_transaction::{Confirm, Outcome, Phase, Verdict};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use world::{World, packages, short};

const MEMBERS: usize = 8;

/// What the successor (or, for the second line, the predecessor) of a member does wrong.
static FAULTS: [AtomicU32; MEMBERS] = [const { AtomicU32::new(0) }; MEMBERS];
const REFUSES_INIT: u32 = 1;
const VOTES_NO: u32 = 2;
const PANICS_IN_IMPORT: u32 = 3;
const PANICS_IN_RESTART: u32 = 4;
const PANICS_IN_CALL: u32 = 5;
const PREDECESSOR_PANICS_IN_HOLD: u32 = 11;
const PREDECESSOR_PANICS_IN_EXPORT: u32 = 12;
const PREDECESSOR_IS_CRITICAL: u32 = 13;
const PREDECESSOR_HANGS_IN_RESTART: u32 = 14;

/// Faults are commanded through statics, so one group test runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    FAULTS.iter().for_each(|fault| fault.store(0, Ordering::SeqCst));
    guard
}

fn fault(at: usize) -> u32 {
    FAULTS[at].load(Ordering::SeqCst)
}

/// One version of a member: a counter with carried state, and faults on command.
macro_rules! member {
    ($type:ident, $component:literal, $at:literal, $version:literal, $major:literal) => {
        mod $type {
            use super::*;
            use s_sdk::{
                Activity, CallError, CarriesState, Critical, Host, Module, Part, Refusal, State,
                Vote, s_module,
            };
            use s_tests::roles::{Counter, Tagged};
            use std::sync::atomic::AtomicU64;

            #[allow(
                non_camel_case_types,
                reason = "one name for the module and its folder keeps export names apart"
            )]
            pub(super) struct $type {
                host: Host,
                total: AtomicU64,
                section: Mutex<Option<Critical>>,
            }

            #[derive(State)]
            #[state(kind = "member-state", version = 1)]
            pub(super) struct Carried {
                pub(super) total: u64,
            }

            #[s_module(component = $component, version = $version, carries_state)]
            impl Counter for $type {
                fn add(&self, act: &Activity, amount: u64) -> Result<Tagged, CallError> {
                    self.total.fetch_add(amount, Ordering::SeqCst);
                    self.total(act)
                }

                fn total(&self, _: &Activity) -> Result<Tagged, CallError> {
                    if $major == 2 && fault($at) == PANICS_IN_CALL {
                        panic!("member {} does not like being called", $at);
                    }
                    Ok(Tagged::new($major, self.total.load(Ordering::SeqCst), 0))
                }
            }

            impl Module for $type {
                fn init(host: Host) -> Result<Self, Refusal> {
                    if $major == 2 && fault($at) == REFUSES_INIT {
                        return Err("no room in here".into());
                    }
                    Ok($type { host, total: AtomicU64::new(0), section: Mutex::default() })
                }

                fn prepare(&self, part: Part<'_>) -> Vote {
                    match part {
                        Part::Comes { .. } if fault($at) == VOTES_NO => {
                            Vote::No("not with these".into())
                        }
                        Part::Goes { .. } if fault($at) == PREDECESSOR_IS_CRITICAL => {
                            *self.section.lock().unwrap() = Some(self.host.critical());
                            Vote::Yes
                        }
                        _ => Vote::Yes,
                    }
                }

                fn hold(&self) {
                    assert!(
                        $major == 2 || fault($at) != PREDECESSOR_PANICS_IN_HOLD,
                        "will not rest"
                    );
                }

                fn restart(&self) {
                    assert!($major == 1 || fault($at) != PANICS_IN_RESTART, "will not start");
                    while $major == 1 && fault($at) == PREDECESSOR_HANGS_IN_RESTART {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            }

            impl CarriesState for $type {
                type State = Carried;

                fn export(&self) -> Carried {
                    assert!(
                        $major == 2 || fault($at) != PREDECESSOR_PANICS_IN_EXPORT,
                        "will not tell"
                    );
                    Carried { total: self.total.load(Ordering::SeqCst) }
                }

                fn import(&self, state: Carried) -> Result<(), Refusal> {
                    assert!($major == 1 || fault($at) != PANICS_IN_IMPORT, "will not listen");
                    self.total.store(state.total, Ordering::SeqCst);
                    Ok(())
                }
            }
        }
    };
}

member!(old_0, "part.0", 0, "1.0.0", 1);
member!(old_1, "part.1", 1, "1.0.0", 1);
member!(old_2, "part.2", 2, "1.0.0", 1);
member!(old_3, "part.3", 3, "1.0.0", 1);
member!(old_4, "part.4", 4, "1.0.0", 1);
member!(old_5, "part.5", 5, "1.0.0", 1);
member!(old_6, "part.6", 6, "1.0.0", 1);
member!(old_7, "part.7", 7, "1.0.0", 1);
member!(new_0, "part.0", 0, "2.0.0", 2);
member!(new_1, "part.1", 1, "2.0.0", 2);
member!(new_2, "part.2", 2, "2.0.0", 2);
member!(new_3, "part.3", 3, "2.0.0", 2);
member!(new_4, "part.4", 4, "2.0.0", 2);
member!(new_5, "part.5", 5, "2.0.0", 2);
member!(new_6, "part.6", 6, "2.0.0", 2);
member!(new_7, "part.7", 7, "2.0.0", 2);

static OLD: [&ModuleDescriptor; MEMBERS] = [
    &old_0::S_MODULE,
    &old_1::S_MODULE,
    &old_2::S_MODULE,
    &old_3::S_MODULE,
    &old_4::S_MODULE,
    &old_5::S_MODULE,
    &old_6::S_MODULE,
    &old_7::S_MODULE,
];
static NEW: [&ModuleDescriptor; MEMBERS] = [
    &new_0::S_MODULE,
    &new_1::S_MODULE,
    &new_2::S_MODULE,
    &new_3::S_MODULE,
    &new_4::S_MODULE,
    &new_5::S_MODULE,
    &new_6::S_MODULE,
    &new_7::S_MODULE,
];

fn names() -> [String; MEMBERS] {
    std::array::from_fn(|at| format!("part.{at}"))
}

fn group_world() -> World {
    let names = names();
    let mut components: Vec<(&str, Option<&'static ModuleDescriptor>)> =
        names.iter().zip(OLD).map(|(name, old)| (name.as_str(), Some(old))).collect();
    components.push(("counter", Some(&world::counter_v1::S_MODULE)));
    World::with(&components, |_| {})
}

fn items(of: &[&'static ModuleDescriptor; MEMBERS]) -> Vec<Item> {
    of.iter().map(|descriptor| Item::Linked(descriptor)).collect()
}

/// The version, the generation and the total of each member.
fn picture(world: &World) -> Vec<(String, u64)> {
    let current = |name: &String| world.runtime.component(name).unwrap().current();
    names()
        .iter()
        .map(|name| (current(name).version().to_owned(), current(name).number()))
        .collect()
}

/// Asks all eight in one activity, again and again.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Asking {
    fn start(runtime: &'static Runtime) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let proxies = names().map(|name| runtime.proxy::<CounterProxy>(&name).unwrap());
            let mut worker = runtime.worker();
            let mut asked = 0;
            while !stopped.load(Ordering::Acquire) {
                let answers = worker.serve(|act| {
                    proxies.iter().map(|proxy| proxy.add(act, 1)).collect::<Result<Vec<_>, _>>()
                });
                let answers = answers.unwrap_or_else(|error| panic!("a call failed: {error}"));
                let first = answers[0].version;
                assert!(
                    answers.iter().all(|answer| answer.version == first),
                    "half of a group: {answers:?}"
                );
                asked += 1;
            }
            asked
        });
        Asking { stop, thread }
    }

    /// Stops, and says how often it asked.
    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

fn totals(world: &World) -> Vec<u64> {
    let mut worker = world.runtime.worker();
    let total = |name: &String| {
        let proxy: CounterProxy = world.runtime.proxy(name).unwrap();
        worker.serve(|act| proxy.total(act)).unwrap().total
    };
    names().iter().map(total).collect()
}

/// Whatever member `bad` does wrong, nothing changes anywhere.
fn nothing_changes(
    request: impl Fn(usize) -> Request,
    command: u32,
    phase: Phase,
    reasons: &[&str],
) {
    let _alone = alone();
    for (bad, faulty) in FAULTS.iter().enumerate() {
        let world = group_world();
        let before = picture(&world);
        let asking = Asking::start(world.runtime);
        faulty.store(command, Ordering::SeqCst);
        let outcome = world.manager.swap(request(bad)).unwrap();
        faulty.store(0, Ordering::SeqCst);
        let text = outcome.to_string();
        assert_eq!(outcome.verdict, Verdict::Aborted, "{text}\n{}", world.told());
        let cause = outcome.cause.clone().unwrap();
        assert_eq!(cause.phase, phase, "{text}");
        assert!(
            reasons.iter().any(|reason| text.contains(reason)),
            "none of {reasons:?} in: {text}"
        );
        assert_eq!(outcome.serving.len(), MEMBERS);
        for serving in &outcome.serving {
            assert_eq!(serving.version.as_deref(), Some("1.0.0"), "{text}");
            assert!(
                text.contains(&format!("{} 1.0.0", serving.component)),
                "it says what still serves: {text}"
            );
        }
        assert_eq!(picture(&world), before, "{text}");
        // And the same group still commits, with nothing lost on the way.
        let outcome = world.manager.swap(Request::new(items(&NEW))).unwrap();
        assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
        let asked = asking.finish();
        assert_eq!(totals(&world), vec![asked; MEMBERS], "each activity added one to each member");
    }
}

fn all_new(_: usize) -> Request {
    Request::new(items(&NEW)).with_deadlines(short())
}

/// Seven members that are fine, and a package in the place of one of them.
fn with_package(package: Vec<u8>) -> impl Fn(usize) -> Request {
    let package: Arc<[u8]> = package.into();
    move |bad| {
        let mut items = items(&NEW);
        items[bad] = Item::Package(Arc::clone(&package));
        Request::new(items).with_deadlines(short())
    }
}

#[test]
fn a_member_that_fails_in_verify_changes_nothing_anywhere() {
    let tampered = packages::with_tampered_code(&packages::package("counter_v2"));
    nothing_changes(with_package(tampered), 0, Phase::Verify, &["counter"]);
}

#[test]
fn a_member_that_fails_in_load_changes_nothing_anywhere() {
    nothing_changes(all_new, REFUSES_INIT, Phase::Load, &["no room in here"]);
}

#[test]
fn a_member_that_fails_in_preflight_changes_nothing_anywhere() {
    let package = packages::package("panics_in_self_test");
    nothing_changes(with_package(package), 0, Phase::Preflight, &["found a fault in myself"]);
}

#[test]
fn a_member_that_votes_no_changes_nothing_anywhere() {
    nothing_changes(all_new, VOTES_NO, Phase::Prepare, &["voted no"]);
}

#[test]
fn a_member_that_stays_critical_changes_nothing_anywhere() {
    // The section is never left again, so each round has a world of its own and only looks at the abort.
    let _alone = alone();
    for (bad, faulty) in FAULTS.iter().enumerate() {
        let world = group_world();
        let before = picture(&world);
        let asking = Asking::start(world.runtime);
        faulty.store(PREDECESSOR_IS_CRITICAL, Ordering::SeqCst);
        let outcome = world.manager.swap(all_new(bad)).unwrap();
        faulty.store(0, Ordering::SeqCst);
        assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
        assert_eq!(outcome.cause.as_ref().unwrap().phase, Phase::Quiesce, "{outcome}");
        assert_eq!(picture(&world), before, "{outcome}");
        let asked = asking.finish();
        assert_eq!(totals(&world), vec![asked; MEMBERS]);
    }
}

#[test]
fn a_member_that_fails_in_quiesce_changes_nothing_anywhere() {
    nothing_changes(all_new, PREDECESSOR_PANICS_IN_HOLD, Phase::Quiesce, &["will not rest"]);
}

#[test]
fn a_member_that_cannot_export_changes_nothing_anywhere() {
    nothing_changes(all_new, PREDECESSOR_PANICS_IN_EXPORT, Phase::MapState, &["will not tell"]);
}

#[test]
fn a_member_that_cannot_import_changes_nothing_anywhere() {
    nothing_changes(all_new, PANICS_IN_IMPORT, Phase::MapState, &["will not listen"]);
}

#[test]
fn a_predecessor_that_does_not_wake_keeps_no_caller_waiting_after_an_abort() {
    let _alone = alone();
    let world = group_world();
    let before = picture(&world);
    FAULTS[0].store(PREDECESSOR_HANGS_IN_RESTART, Ordering::SeqCst);
    FAULTS[7].store(PANICS_IN_IMPORT, Ordering::SeqCst);
    let outcome = world.manager.swap(all_new(0)).unwrap();
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert!(world.told().contains("was not woken"), "{}", world.told());
    assert_eq!(picture(&world), before);
    // It hangs still, and all eight answer.
    let asking = Asking::start(world.runtime);
    world::eventually("an answer", || totals(&world)[7] > 0);
    let asked = asking.finish();
    FAULTS[0].store(0, Ordering::SeqCst);
    assert_eq!(totals(&world), vec![asked; MEMBERS]);
}

/// After the decision nothing is aborted any more: the predecessors come back, all of them.
fn comes_back(command: u32, confirm: Confirm, phases: &[Phase], reason: &str) {
    let _alone = alone();
    for (bad, faulty) in FAULTS.iter().enumerate() {
        let world = group_world();
        // A predecessor alone must not stand in for one of a group, whatever its policy is.
        if bad % 2 == 0 {
            let component = world.runtime.component(&names()[bad]).unwrap();
            component.set_policy(s_proxy::ExceptionPolicy::RetryOnPredecessor);
        }
        let asking = Asking::start(world.runtime);
        faulty.store(command, Ordering::SeqCst);
        let outcome: Outcome = world.manager.swap(all_new(bad).with_confirm(confirm)).unwrap();
        faulty.store(0, Ordering::SeqCst);
        let text = outcome.to_string();
        assert_eq!(outcome.verdict, Verdict::RolledBack, "{text}\n{}", world.told());
        assert!(phases.contains(&outcome.cause.as_ref().unwrap().phase), "{text}");
        assert!(text.contains(reason) && text.contains("part.7 1.0.0"), "{text}");
        assert!(picture(&world).iter().all(|(version, _)| version == "1.0.0"), "{text}");
        let asked = asking.finish();
        let totals = totals(&world);
        // A request that is begun anew because one member panicked adds to the members before it again.
        assert!(
            totals.iter().all(|total| (asked..asked + 4).contains(total)),
            "{asked} {totals:?} {text}"
        );
    }
}

#[test]
fn a_member_that_fails_in_commit_brings_all_back() {
    comes_back(PANICS_IN_RESTART, Confirm::AtOnce, &[Phase::Commit], "will not start");
}

#[test]
fn a_member_that_panics_after_the_commit_brings_all_back() {
    let window = Confirm::Probation(Duration::from_secs(30));
    comes_back(
        PANICS_IN_CALL,
        window,
        &[Phase::Commit, Phase::Release, Phase::Confirm],
        "does not like being called",
    );
}

#[test]
fn a_group_with_state_is_never_half_seen() {
    let _alone = alone();
    let world = group_world();
    let asking = Asking::start(world.runtime);
    for round in 0..world::many(60) {
        let of = if round % 2 == 0 { &NEW } else { &OLD };
        let outcome = world.manager.swap(Request::new(items(of))).unwrap();
        assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
    }
    let asked = asking.finish();
    assert_eq!(totals(&world), vec![asked; MEMBERS]);
}

#[test]
fn a_pair_without_state_that_speaks_another_language_after_the_swap_is_never_half_seen() {
    // No gate closes for this group; the two versions of the pair cannot talk to each other at all.
    let world = World::with(&[("pair.a", None), ("pair.b", None)], |_| {});
    let both = |version: u32| {
        Request::new(vec![
            world::item(&format!("pair_a_v{version}")),
            world::item(&format!("pair_b_v{version}")),
        ])
    };
    let added = world.manager.swap(both(1)).unwrap();
    assert_eq!(added.verdict, Verdict::Committed, "{added}\n{}", world.told());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let runtime = world.runtime;
    let asking = std::thread::spawn(move || {
        let front: FrontProxy = runtime.proxy("pair.a").unwrap();
        let mut worker = runtime.worker();
        let mut heard = [0u64; 2];
        while !stopped.load(Ordering::Acquire) {
            let answers = worker
                .serve(|act| Ok::<_, s_sdk::CallError>((front.ask(act, 1)?, front.ask(act, 2)?)));
            match answers {
                Ok((101, 101)) => heard[0] += 1,
                Ok((202, 202)) => heard[1] += 1,
                other => panic!("half of a pair: {other:?}"),
            }
        }
        heard
    });
    for round in 0..world::many(40) {
        let outcome = world.manager.swap(both(2 - round % 2)).unwrap();
        assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
        assert_eq!(outcome.blackout, None, "no state moves, so no gate closes");
    }
    stop.store(true, Ordering::Release);
    let heard = asking.join().unwrap();
    assert!(heard[0] > 0 && heard[1] > 0, "both versions answered: {heard:?}");
}

#[test]
fn one_of_a_pair_alone_is_refused_and_the_pair_goes_on() {
    let world = World::with(&[("pair.a", None), ("pair.b", None)], |_| {});
    let both = vec![world::item("pair_a_v1"), world::item("pair_b_v1")];
    assert_eq!(world.manager.swap(Request::new(both)).unwrap().verdict, Verdict::Committed);
    for alone in ["pair_a_v2", "pair_b_v2"] {
        let outcome = world.swap(alone);
        assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
        assert_eq!(outcome.cause.as_ref().unwrap().phase, Phase::Verify, "{outcome}");
        assert!(outcome.to_string().contains("needs `pair.b`"), "{outcome}");
    }
    let Err(needed) = world.manager.swap(Request::new(vec![Item::Remove("pair.b".into())])) else {
        panic!("`pair.a` was left without what it needs")
    };
    assert!(
        needed.to_string().contains("needs `pair.b`")
            && needed.to_string().contains("nothing has changed"),
        "{needed}"
    );
    let front: FrontProxy = world.runtime.proxy("pair.a").unwrap();
    assert_eq!(world.runtime.worker().serve(|act| front.ask(act, 1)), Ok(101));
    // Both together may go, and both together come again.
    let both = ["pair.a", "pair.b"].map(|name| Item::Remove(name.into())).to_vec();
    assert_eq!(world.manager.swap(Request::new(both)).unwrap().verdict, Verdict::Committed);
    let both = vec![world::item("pair_b_v2"), world::item("pair_a_v2")];
    assert_eq!(world.manager.swap(Request::new(both)).unwrap().verdict, Verdict::Committed);
    assert_eq!(world.runtime.worker().serve(|act| front.ask(act, 1)), Ok(202));
}
