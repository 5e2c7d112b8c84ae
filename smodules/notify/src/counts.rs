//! What became of notifications, in numbers that wrap and survive a swap.
//!
//! It never decides what is counted.

use roles::notify::Statistics;
use std::sync::atomic::{AtomicU32, Ordering};

/// A counter that wraps.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU32);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of notifications so far: as [`Statistics`], but for those that wait.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: Count,
    pub(crate) dropped: Count,
    pub(crate) sent: Count,
    pub(crate) failed: Count,
    pub(crate) withheld: Count,
    pub(crate) acknowledged: Count,
    pub(crate) given_up: Count,
}

impl Counts {
    const fn all(&self) -> [&Count; 7] {
        let Counts { accepted, dropped, sent, failed, withheld, acknowledged, given_up } = self;
        [accepted, dropped, sent, failed, withheld, acknowledged, given_up]
    }

    pub(crate) fn statistics(&self, waiting: usize) -> Statistics {
        Statistics {
            accepted: self.accepted.get(),
            dropped: self.dropped.get(),
            sent: self.sent.get(),
            failed: self.failed.get(),
            withheld: self.withheld.get(),
            acknowledged: self.acknowledged.get(),
            given_up: self.given_up.get(),
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn export(&self) -> Vec<u32> {
        self.all().map(Count::get).to_vec()
    }

    pub(crate) fn import(&self, counts: &[u32]) {
        for (count, value) in self.all().into_iter().zip(counts) {
            count.0.store(*value, Ordering::Relaxed);
        }
    }
}
