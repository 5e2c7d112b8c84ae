//! What SETs change: one at a time, in parts, undone, abandoned.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
#[allow(dead_code, reason = "a store is no module: nothing is served here")]
mod hosted;

use hosted::host;
use mib_kit::Store;
use roles::mib::MibError;
use roles::varbind::ErrorStatus;
use s_sdk::Activity;
use std::time::Duration;

#[test]
fn one_set_at_a_time_and_an_abandoned_one_does_not_stay_in_the_way() {
    let (runtime, _control) = host();
    let (mut worker, mut other) = (runtime.worker(), runtime.worker());
    let store = Store::new(1);
    let change = |act: &Activity, at| {
        let to_two = |_: &i32, draft: &mut i32| {
            *draft = 2;
            Ok(())
        };
        store.check(act, Duration::from_secs(at), to_two)
    };
    // The next activity of the same worker shows that the one before has ended.
    change(&worker.activity(), 0).unwrap();
    let stale = change(&worker.activity(), 0).unwrap();
    let refused = change(&other.activity(), 29).unwrap_err();
    assert_eq!(refused.status, ErrorStatus::ResourceUnavailable);
    let act = other.activity();
    let taken_over = change(&act, 30).unwrap();
    assert_eq!(store.apply(&act, stale).unwrap_err().status, ErrorStatus::CommitFailed);
    assert_eq!((*store.state(), store.revision()), (1, 0));
    // Nothing was applied yet, so there is nothing to undo.
    store.undo(&act, taken_over).unwrap();
    assert_eq!((*store.state(), store.revision()), (1, 0));
    store.apply(&act, taken_over).unwrap();
    assert_eq!((*store.state(), store.revision()), (2, 1));
    // What changes from elsewhere in between is not undone with it.
    store.update(|state| *state = 5);
    assert_eq!(store.undo(&act, taken_over).unwrap_err().status, ErrorStatus::UndoFailed);
    assert_eq!((*store.state(), store.revision()), (5, 2));
}

#[test]
fn the_parts_of_a_set_build_on_each_other_and_are_undone_the_last_first() {
    let (runtime, _control) = host();
    let (mut worker, mut other) = (runtime.worker(), runtime.worker());
    let store = Store::new(1);
    let times = |act: &Activity, factor| {
        store.check(act, Duration::ZERO, |before: &i32, draft: &mut i32| {
            assert_eq!(before, draft);
            *draft *= factor;
            Ok(())
        })
    };
    let act = worker.activity();
    let (three, five) = (times(&act, 3).unwrap(), times(&act, 5).unwrap());
    assert_eq!(times(&other.activity(), 7).unwrap_err().status, ErrorStatus::ResourceUnavailable);
    assert_eq!(*store.state(), 1);
    store.apply(&act, three).unwrap();
    store.apply(&act, five).unwrap();
    assert_eq!(*store.state(), 15);
    store.undo(&act, five).unwrap();
    assert_eq!(*store.state(), 3);
    store.undo(&act, three).unwrap();
    assert_eq!(*store.state(), 1);
    store.cleanup(&act, three).unwrap();
    assert!(times(&other.activity(), 7).is_err());
    store.cleanup(&act, five).unwrap();
    assert!(times(&other.activity(), 7).is_ok());
}

#[test]
fn a_draft_that_fails_leaves_no_set_on_its_way_and_the_state_in_other_words_is_the_same() {
    let (runtime, _control) = host();
    let (mut worker, mut other) = (runtime.worker(), runtime.worker());
    let store = Store::new(vec![1]);
    let push = |_: &Vec<i32>, draft: &mut Vec<i32>| {
        draft.push(2);
        Ok(())
    };
    {
        let act = worker.activity();
        // Nobody else's SET begins while a draft is written, and none is on its way once it failed.
        let refused = store.check(&act, Duration::ZERO, |_, _| {
            let meanwhile = store.check(&other.activity(), Duration::ZERO, push).unwrap_err();
            assert_eq!(meanwhile.status, ErrorStatus::ResourceUnavailable);
            Err(MibError::at(ErrorStatus::WrongValue, 0))
        });
        assert_eq!(refused.unwrap_err().status, ErrorStatus::WrongValue);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.check(&act, Duration::ZERO, |_, _| panic!("a module's own"))
        }));
        assert!(panicked.is_err());
    }
    let act = other.activity();
    let set = store.check(&act, Duration::ZERO, push).unwrap();
    let before = store.state();
    assert!(store.restate(&before, vec![1, 0]));
    assert!(!store.restate(&before, vec![1, 0, 0]), "it is another state by now");
    store.apply(&act, set).unwrap();
    let applied = store.state();
    assert!(store.restate(&applied, vec![1, 2, 0]));
    store.undo(&act, set).unwrap();
    assert_eq!(*store.state(), [1, 0]);
}
