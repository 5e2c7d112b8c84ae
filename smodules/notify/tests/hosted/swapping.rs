//! A swap in the middle: what waits is acknowledged to the successor, and nothing is told twice.

use crate::telling::tell;
use crate::world::{THERE, World, soon, target};
use roles::mib::{MibAccess as _, MibAccessProxy};
use roles::notify::standard;
use roles::varbind::{Span, VarBinds, VarValue};
use s_proxy::Code;
use std::time::Duration;

/// Swaps the module for a new instance that takes its state over.
fn swap(world: &World) {
    let component = world.runtime.component("notify").unwrap();
    let next = world.control.create(component, Code::linked(&notify::S_MODULE)).unwrap();
    let before = component.current().body().cloned().unwrap();
    let group = world.control.bind(&[(component, Some(next.clone()))]);
    let (closed, drain) = world.control.close(&group, soon(), Duration::ZERO).unwrap();
    drain.wait(soon(), || true).unwrap();
    let state = before.instance().export_state(1).unwrap();
    next.instance().import_state(1, &state).unwrap();
    next.instance().restart().unwrap();
    let flipped = closed.flip(group, true);
    closed.open();
    next.serve();
    world.control.pass(flipped.epoch, soon()).unwrap();
}

#[test]
fn targets_informs_and_counts_pass_to_the_successor() {
    let world = World::new();
    world.targets(&[target("one", 1, true)]);
    let sent = tell(&world, standard::COLD_START, &[]);
    let before = world.statistics();
    assert_eq!(
        (before.accepted, before.sent, before.waiting),
        (1, 1, 1),
        "{before:?} {:?}",
        world.log()
    );
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    let all = || {
        world.act(|act| {
            let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
            names.push(&[1, 3, 6, 1, 6, 3, 12], VarValue::Unspecified).unwrap();
            let walk = roles::mib::Walk { which: Span::new(0, 1), repetitions: 100 };
            mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
            format!("{:?}", answers.iter().collect::<Vec<_>>())
        })
    };
    let rows = all();
    assert!(world.timer().is_some());
    swap(&world);
    assert_eq!(all(), rows, "the spin lock included");
    assert_eq!(world.statistics(), before);
    assert!(world.timer().is_some(), "the successor asks to be woken");
    assert_eq!(world.time_passes(), sent, "the successor repeats it, under the same request-id");
    // Version 2c: the response is the inform with another tag.
    let mut answer = sent[0].message.clone();
    let at = answer.iter().position(|octet| *octet == 0xa6).unwrap();
    answer[at] = 0xa2;
    assert!(world.hear(THERE, &answer));
    assert_eq!((world.statistics().acknowledged, world.statistics().waiting), (1, 0));
}
