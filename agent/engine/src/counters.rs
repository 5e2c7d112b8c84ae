//! The engine's counters: one place for each number, moved by whoever discards a message.

use roles::error::Counter;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many counters there are.
pub const COUNT: usize = Counter::ALL.len();

/// Counters that wrap at 2^32, as Counter32 does (RFC 2578 §7.1.6).
#[derive(Debug)]
pub struct Counters([AtomicU32; COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Counters([const { AtomicU32::new(0) }; COUNT])
    }
}

impl Counters {
    /// Counts one, and answers the new value: what a Report carries.
    pub fn count(&self, counter: Counter) -> u32 {
        self.0[counter as usize].fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The value.
    pub fn get(&self, counter: Counter) -> u32 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }

    /// All values, in the order of [`Counter::ALL`].
    pub fn all(&self) -> [u32; COUNT] {
        std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_of_its_own() {
        let counters = Counters::default();
        for (at, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, at);
            for _ in 0..=at {
                counters.count(*counter);
            }
        }
        assert!(counters.all().iter().enumerate().all(|(at, value)| *value as usize == at + 1));
    }
}
