//! The gate under every interleaving and every weak ordering that the model checker can find.

use super::*;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use s_sdk::Activity;
use s_sdk::abi::Status;
use s_sdk::dynamic::{ValueOut, ValueRef};
use s_sdk::hosting::{Bound, BoundSide};

struct Nothing;

impl BoundSide for Nothing {
    fn lacking(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
        Status::NOT_UNDERSTOOD
    }
    fn invoke(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
        Status::NOT_UNDERSTOOD
    }
    fn failed(&self, _: &Activity, _: Status) {}
}

fn binding(generation: u64, since: u64, predecessor: *const Binding) -> &'static Binding {
    let mut bound = Bound::new(std::ptr::null(), generation, Nothing);
    bound.set_since(since, predecessor);
    Box::leak(Box::new(bound)).binding()
}

fn component(index: u32, binding: &'static Binding) -> &'static GateKey {
    Box::leak(Box::new(GateKey::new(index, binding)))
}

fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// An activity that meets two members of a group flipped without a gate meets the same version of
/// both, and neither is freed while it is inside.
#[test]
fn an_open_flip_is_seen_whole_and_keeps_its_predecessors() {
    check(3, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
        let (a, b) = (component(0, a1), component(1, b1));
        let freed = Arc::new(AtomicBool::new(false));
        let mut lane = gate.lane();
        let reader = {
            let freed = Arc::clone(&freed);
            thread::spawn(move || {
                let act = lane.begin();
                let first = act.enter(a.core()).unwrap().generation;
                let second = act.enter(b.core()).unwrap().generation;
                assert_eq!(first, second, "half of a group");
                assert!(first == 2 || !freed.load(Ordering::Relaxed), "freed under a reader");
                drop(act);
            })
        };
        let since = gate.next_epoch();
        let (a2, b2) = (binding(2, since, a1), binding(2, since, b1));
        let epoch = gate.flip_open(&[a, b], &[a2, b2]);
        gate.fence();
        while !gate.passed(epoch) {
            thread::yield_now();
        }
        freed.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

/// An open flip of one component, while an activity meets another one first: what it meets then is not
/// older than what the writer thinks of it.
#[test]
fn a_flip_beside_the_first_meeting_keeps_its_predecessor() {
    check(3, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
        let (a, b) = (component(0, a1), component(1, b1));
        let freed = Arc::new(AtomicBool::new(false));
        let mut lane = gate.lane();
        let reader = {
            let freed = Arc::clone(&freed);
            thread::spawn(move || {
                let act = lane.begin();
                act.enter(a.core()).unwrap();
                let met = act.enter(b.core()).unwrap().generation;
                assert!(met == 2 || !freed.load(Ordering::Relaxed), "freed under a reader");
                drop(act);
            })
        };
        let since = gate.next_epoch();
        let epoch = gate.flip_open(&[b], &[binding(2, since, b1)]);
        gate.fence();
        while !gate.passed(epoch) {
            thread::yield_now();
        }
        freed.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

/// There and back again without a pause: an old activity that meets one member before and the other
/// after both flips still sees one side only.
#[test]
fn two_open_flips_in_a_row_are_each_seen_whole() {
    check(2, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
        let (a, b) = (component(0, a1), component(1, b1));
        let mut lane = gate.lane();
        let reader = thread::spawn(move || {
            let act = lane.begin();
            let first = act.enter(a.core()).unwrap().generation;
            let second = act.enter(b.core()).unwrap().generation;
            assert_eq!(first, second, "half of a group");
        });
        let since = gate.next_epoch();
        let (a2, b2) = (binding(2, since, a1), binding(2, since, b1));
        gate.flip_open(&[a, b], &[a2, b2]);
        let since = gate.next_epoch();
        let (a3, b3) = (binding(3, since, a2), binding(3, since, b2));
        gate.flip_open(&[a, b], &[a3, b3]);
        reader.join().unwrap();
    });
}

/// While a gate is closed and drained, the swap manager is alone with the state; nobody meets half
/// of the group afterwards.
#[test]
fn a_closed_gate_gives_the_state_to_one_side_only() {
    check(2, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
        let (a, b) = (component(0, a1), component(1, b1));
        let state = Arc::new(UnsafeCell::new(1u64));
        let mut lane = gate.lane();
        let reader = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for _ in 0..2 {
                    let act = lane.begin();
                    let first = act.enter(a.core()).unwrap().generation;
                    let seen = state.with(|state| {
                        // SAFETY: the gate keeps the writer out while this activity is inside; that
                        // is what the model checks.
                        #[allow(unsafe_code)]
                        unsafe {
                            *state
                        }
                    });
                    let second = act.enter(b.core()).unwrap().generation;
                    assert_eq!(
                        (first, second),
                        (seen, seen),
                        "a version that does not fit the state"
                    );
                    drop(act);
                }
            })
        };
        assert!(gate.take_by(None));
        gate.close(vec![a, b], None);
        while !gate.drained(&[0, 1]) {
            thread::yield_now();
        }
        state.with_mut(|state| {
            // SAFETY: the group is drained and closed.
            #[allow(unsafe_code)]
            unsafe {
                *state = 2;
            }
        });
        let since = gate.next_epoch();
        let (a2, b2) = (binding(2, since, std::ptr::null()), binding(2, since, std::ptr::null()));
        gate.flip_closed(&[a2, b2]);
        gate.open();
        gate.give_back();
        reader.join().unwrap();
    });
}

/// A swap that is given up leaves everybody on the old version, and nobody waiting.
#[test]
fn a_gate_that_opens_on_the_old_version_lets_everybody_in() {
    check(2, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let a1 = binding(1, 0, std::ptr::null());
        let a = component(0, a1);
        let mut lane = gate.lane();
        let reader = thread::spawn(move || {
            let act = lane.begin();
            assert_eq!(act.enter(a.core()).unwrap().generation, 1);
        });
        assert!(gate.take_by(None));
        gate.close(vec![a], None);
        gate.open();
        gate.give_back();
        reader.join().unwrap();
        assert!(gate.drained(&[0, 1]));
    });
}

/// A rollback that cannot wait for everybody to leave flips behind closed gates all the same: whoever met one
/// member before goes on with the others of that side, and none of them is freed under it.
#[test]
fn a_closed_flip_around_an_activity_is_seen_whole() {
    check(2, || {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(Fence::Everywhere)));
        let (a1, b1) = (binding(1, 0, std::ptr::null()), binding(1, 0, std::ptr::null()));
        let (a, b) = (component(0, a1), component(1, b1));
        let freed = Arc::new(AtomicBool::new(false));
        let mut lane = gate.lane();
        let reader = {
            let freed = Arc::clone(&freed);
            thread::spawn(move || {
                let act = lane.begin();
                let first = act.enter(a.core()).unwrap().generation;
                let second = act.enter(b.core()).unwrap().generation;
                assert_eq!(first, second, "half of a group");
                assert!(first == 2 || !freed.load(Ordering::Relaxed), "freed under a reader");
                drop(act);
            })
        };
        assert!(gate.take_by(None));
        gate.close(vec![a, b], None);
        let since = gate.next_epoch();
        let (a2, b2) = (binding(2, since, a1), binding(2, since, b1));
        let epoch = gate.flip_closed(&[a2, b2]);
        gate.open();
        gate.give_back();
        gate.fence();
        while !gate.passed(epoch) {
            thread::yield_now();
        }
        freed.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}
