//! How long datagrams wait for their answers, from their reception to the sending, in powers of two of microseconds.
//!
//! One batch in eight is timed, so that two readings of a clock are shared by many requests. What waits in the
//! kernel before is not seen, nor what was left for later. Invariant: what is told only grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of 1 µs to 2^20 µs, a second; and one place for what took longer.
const PLACES: usize = 22;

/// Times of batches, by how long they were.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    within: [AtomicU64; PLACES],
    micros: AtomicU64,
}

impl Latency {
    /// Takes note of one that was timed.
    pub(crate) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // The first power of two that is not less.
        let at = (u64::BITS - micros.saturating_sub(1).leading_zeros()) as usize;
        self.within[at.min(PLACES - 1)].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Bounds in microseconds, and how many took so long and longer than the bound before; the last has none.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let places = self.within.iter().enumerate();
        places.map(|(at, count)| {
            ((at + 1 < PLACES).then_some(1 << at), count.load(Ordering::Relaxed))
        })
    }

    /// All of them together, in microseconds.
    pub(crate) fn sum(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_noted_under_the_first_bound_that_is_not_less() {
        let latency = Latency::default();
        for micros in [0, 1, 2, 3, 4, 5, 1 << 20, (1 << 20) + 1, u64::MAX] {
            latency.note(Duration::from_micros(micros));
        }
        let noted: Vec<_> = latency.all().filter(|(_, count)| *count > 0).collect();
        let bound = |micros: u64, count| (Some(micros), count);
        let expected =
            [bound(1, 2), bound(2, 1), bound(4, 2), bound(8, 1), bound(1 << 20, 1), (None, 2)];
        assert_eq!(noted, expected);
    }
}
