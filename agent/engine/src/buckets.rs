//! Buckets that drain with use and fill with time, for many keys in memory that never grows.
//!
//! It reads no clock: time is an argument, in nanoseconds. A bucket is kept as the one moment at which it will
//! be full again, so it needs no timer and a full one needs no memory. Invariants: nobody waits and there is
//! no lock; where more keys come than there is room for, buckets are forgotten, which refuses nobody.

use std::sync::atomic::{AtomicU64, Ordering};

/// How fast a bucket fills, and how much it holds, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) each: u64,
    room: u64,
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let each = 1_000_000_000 / u64::from(per_second.max(1));
        Rate { each, room: each * u64::from(burst.max(1)) }
    }
}

/// Buckets by key, a few to a place. Where all of a place are in use, the fullest gives way: who loses a
/// bucket is as if it had taken nothing.
#[derive(Debug)]
pub(crate) struct Buckets(Box<[Bucket]>);

#[derive(Debug, Default)]
struct Bucket {
    key: AtomicU64,
    /// When it is full again.
    full_at: AtomicU64,
}

/// Buckets of one place: with their keys, a cache line.
const WAYS: usize = 4;

impl Buckets {
    pub(crate) fn new(count: usize) -> Self {
        Buckets((0..count).map(|_| Bucket::default()).collect())
    }

    /// Where its memory is, and how much of it.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.0.as_ptr().addr(), self.0.len())
    }

    fn place(&self, key: u64) -> &[Bucket] {
        let places = self.0.len() / WAYS;
        let place = usize::try_from(key >> 32).unwrap_or(0) % places.max(1);
        self.0.get(place * WAYS..(place + 1) * WAYS).unwrap_or(&[])
    }

    fn find(&self, key: u64) -> Option<&Bucket> {
        self.place(key).iter().find(|bucket| bucket.key.load(Ordering::Relaxed) == key)
    }

    fn find_or_make(&self, key: u64, now: u64) -> Option<&Bucket> {
        let found = self.find(key);
        found.or_else(|| {
            let by_age = |bucket: &&Bucket| bucket.full_at.load(Ordering::Relaxed);
            let bucket = self.place(key).iter().min_by_key(by_age)?;
            bucket.full_at.store(now, Ordering::Relaxed);
            bucket.key.store(key, Ordering::Relaxed);
            Some(bucket)
        })
    }

    /// Takes from a bucket what is in it; false, and nothing is taken, when it has nothing left.
    pub(crate) fn take(&self, key: u64, now: u64, rate: Rate) -> bool {
        let Some(bucket) = self.find_or_make(key, now) else { return true };
        let taken = bucket.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let full_at = full_at.max(now);
            let has_some = full_at - now <= rate.room - rate.each;
            has_some.then(|| full_at.saturating_add(rate.each))
        });
        taken.is_ok()
    }

    /// Takes from a bucket even what is not in it.
    pub(crate) fn charge(&self, key: u64, now: u64, time: u64) {
        let Some(bucket) = self.find_or_make(key, now) else { return };
        // It always answers something to store, so it never fails.
        let _ = bucket.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            Some(full_at.max(now).saturating_add(time))
        });
    }

    pub(crate) fn is_empty(&self, key: u64, now: u64, rate: Rate) -> bool {
        self.full_at(key).saturating_sub(now) > rate.room - rate.each
    }

    pub(crate) fn full_at(&self, key: u64) -> u64 {
        self.find(key).map_or(0, |bucket| bucket.full_at.load(Ordering::Relaxed))
    }

    pub(crate) fn fill_at(&self, key: u64, full_at: u64, now: u64) {
        if let Some(bucket) = self.find_or_make(key, now) {
            bucket.full_at.fetch_max(full_at, Ordering::Relaxed);
        }
    }
}
