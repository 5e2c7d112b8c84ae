//! What comes to the sockets from which notifications leave, with an originator behind that waits for answers.
//!
//! Promises checked: nothing is answered; at most one message leaves, to the receiver of an inform that is
//! corrected, and only where a datagram came from there; no inform appears, and at most one ends; and what is
//! refused moves at most one counter. The state that the input meets is always the same: see `waiting.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The codec's tests say whole messages as values; so does what waits here.
#[path = "../../../agent/wire/tests/wire/owned.rs"]
mod owned;
mod waiting;
use waiting::{KNOWN, THERE, World};

thread_local! {
    static WORLD: World = World::new();
}

fuzz_target!(|octets: &[u8]| {
    let Some((&from, datagram)) = octets.split_first() else { return };
    WORLD.with(|world| {
        world.begin_anew();
        let before = world.statistics();
        let counters = world.counters();
        let from = match from % 3 {
            0 => THERE,
            1 => KNOWN,
            _ => [203, 0, 113, 9, 0, 162],
        };
        world.hear(&from, datagram);
        let after = world.statistics();
        let left = world.left();
        assert!(left.len() <= 1, "{} messages left", left.len());
        assert!(left.iter().all(|(to, _)| *to == from), "somebody else is told");
        let ended = (after.acknowledged - before.acknowledged) + (after.given_up - before.given_up);
        assert!(ended <= 1 && after.waiting + ended == before.waiting, "{before:?} {after:?}");
        assert!(ended == 0 || from == THERE || from == KNOWN, "somebody else acknowledges");
        let moved: u32 =
            counters.iter().zip(world.counters()).map(|(old, new)| new.wrapping_sub(*old)).sum();
        assert!(moved <= 1, "{moved} counters moved");
    });
});
