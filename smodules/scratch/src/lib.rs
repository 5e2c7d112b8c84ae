//! What a module writes in while it handles one message: buffers that it made once, and a view of its tables.
//!
//! Modules have no thread-local memory, because memory of a thread outlives the library that it came from.
//! A [`Pool`] gives every lane a place of its own instead. It never makes anybody wait: a place that is
//! taken is passed over, and where all are taken the work gets a new one that is dropped afterwards.
//! Invariant: what one call finds in its place is nobody else's until that call ends.

use s_sdk::Activity;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// More lanes than an agent has workers; two lanes that want the same place cost a step, not an answer.
const PLACES: usize = 32;

/// A place by itself in memory, so that two cores never write to the same line.
#[repr(align(128))]
#[derive(Default)]
struct Place<T>(Mutex<T>);

/// Places to work in.
pub struct Pool<T> {
    places: Box<[Place<T>]>,
}

impl<T: Default> Default for Pool<T> {
    fn default() -> Self {
        Pool { places: (0..PLACES).map(|_| Place::default()).collect() }
    }
}

impl<T: Default> Pool<T> {
    /// Works in the place of the activity's lane.
    #[inline]
    pub fn with<R>(&self, act: &Activity, work: impl FnOnce(&mut T) -> R) -> R {
        // A lane stays where it is as long as its thread runs; its address tells it from all others.
        let lane = std::ptr::from_ref(act).addr() >> 7;
        let first = (lane ^ lane >> 5 ^ lane >> 10) % PLACES;
        let (before, from_first) = self.places.split_at(first);
        match from_first.iter().chain(before).find_map(free) {
            Some(mut place) => work(&mut place),
            None => work(&mut T::default()),
        }
    }

    /// Does something to every place where nobody works now.
    pub fn each_free(&self, mut work: impl FnMut(&mut T)) {
        self.places.iter().filter_map(free).for_each(|mut place| work(&mut place));
    }
}

/// The place, if nobody works in it. A panic leaves buffers with octets in them, which everybody clears.
#[inline]
fn free<T>(place: &Place<T>) -> Option<MutexGuard<'_, T>> {
    match place.0.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_taken_is_passed_over_and_none_is_waited_for() {
        let pool = Pool::<u32>::default();
        let taken: Vec<_> = pool.places.iter().skip(1).filter_map(free).collect();
        assert_eq!(taken.len(), PLACES - 1);
        let mut met = 0;
        pool.each_free(|place| {
            met += 1;
            *place = 7;
        });
        assert_eq!(met, 1);
        drop(taken);
        let mut sum = 0;
        pool.each_free(|place| sum += *place);
        assert_eq!(sum, 7);
    }
}
