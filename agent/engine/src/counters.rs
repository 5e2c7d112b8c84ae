//! The engine's counters: one place for each number, moved by whoever discards a message.

use roles::error::Counter;
use s_wire::PduKind;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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

/// What became of a request that its message processing model accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered without an error.
    #[default]
    Answered,
    /// It was answered with an error-status.
    Error,
    /// It was answered with a Report.
    Report,
    /// It was not answered.
    Dropped,
}

impl Outcome {
    const ALL: [Outcome; 4] =
        [Outcome::Answered, Outcome::Error, Outcome::Report, Outcome::Dropped];

    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Error => "error",
            Outcome::Report => "report",
            Outcome::Dropped => "dropped",
        }
    }
}

/// The kinds of requests; whatever is none of them is the last.
const KINDS: [&str; 5] = ["get", "get-next", "get-bulk", "set", "other"];

/// How many requests of each kind ended how.
#[derive(Debug, Default)]
pub struct Requests([[AtomicU64; Outcome::ALL.len()]; KINDS.len()]);

impl Requests {
    /// Counts a request.
    pub fn count(&self, kind: PduKind, outcome: Outcome) {
        let kind = match kind {
            PduKind::Get => 0,
            PduKind::GetNext => 1,
            PduKind::GetBulk => 2,
            PduKind::Set => 3,
            _ => 4,
        };
        self.0[kind][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All of them: the kind, the outcome, how many.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, Outcome, u64)> {
        KINDS.iter().zip(&self.0).flat_map(|(kind, of_kind)| {
            let counted = of_kind.iter().map(|count| count.load(Ordering::Relaxed));
            Outcome::ALL.iter().zip(counted).map(|(outcome, count)| (*kind, *outcome, count))
        })
    }
}

/// How many requests were spoiled by modules, not by who sent them.
#[derive(Debug, Default)]
pub struct Spoiled {
    failed: AtomicU64,
    late: AtomicU64,
}

impl Spoiled {
    /// A call failed, or was answered with nonsense: genErr, or no answer at all.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// A module was not ready within the deadline: genErr for its bindings.
    pub fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, is_late: bool) {
        let counter = if is_late { &self.late } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
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

    #[test]
    fn every_request_is_counted_by_its_kind_and_its_end() {
        let requests = Requests::default();
        requests.count(PduKind::Get, Outcome::Answered);
        requests.count(PduKind::Set, Outcome::Error);
        requests.count(PduKind::Set, Outcome::Error);
        let counted: Vec<_> = requests.all().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(counted, [("get", Outcome::Answered, 1), ("set", Outcome::Error, 2)]);
        assert_eq!(requests.all().count(), KINDS.len() * Outcome::ALL.len());
    }
}
