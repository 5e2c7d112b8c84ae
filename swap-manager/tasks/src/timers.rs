//! The timers of one component: a value without a clock; the time now is an argument.
//!
//! They belong to the component, so they go on through a swap. Invariant: a timer is in `by_due`
//! exactly when it is in `by_id`, under the moment it is due.

use std::collections::{BTreeSet, HashMap};

/// Timers by id and by when they are due, in nanoseconds of the runtime's clock.
#[derive(Default)]
pub struct Timers {
    by_id: HashMap<u64, Timer>,
    /// When, in which order they were set for then, and which.
    by_due: BTreeSet<(u64, u64, u64)>,
    settings: u64,
    skipped: u64,
}

struct Timer {
    due: u64,
    setting: u64,
    every: u64,
}

impl Timers {
    /// Starts a timer, or starts it again: due `after` from now, then each `every` (0: only once).
    pub fn set(&mut self, now: u64, id: u64, after: u64, every: u64) {
        self.cancel(id);
        self.insert(id, now.saturating_add(after), every);
    }

    fn insert(&mut self, id: u64, due: u64, every: u64) {
        self.settings += 1;
        self.by_id.insert(id, Timer { due, setting: self.settings, every });
        self.by_due.insert((due, self.settings, id));
    }

    /// Stops a timer; false when there was none.
    pub fn cancel(&mut self, id: u64) -> bool {
        let Some(timer) = self.by_id.remove(&id) else { return false };
        self.by_due.remove(&(timer.due, timer.setting, id))
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<u64> {
        self.by_due.first().map(|&(due, _, _)| due)
    }

    /// Takes the timer that has been due the longest. A periodic one is set again for its next whole
    /// period; periods that went by unseen are skipped and counted, not made up for.
    pub fn take_due(&mut self, now: u64) -> Option<u64> {
        let &(due, _, id) = self.by_due.first().filter(|&&(due, _, _)| due <= now)?;
        let every = self.by_id.get(&id).map_or(0, |timer| timer.every);
        self.cancel(id);
        if let Some(passed) = (now - due).checked_div(every) {
            self.skipped = self.skipped.saturating_add(passed);
            self.insert(id, due.saturating_add((passed + 1).saturating_mul(every)), every);
        }
        Some(id)
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many periods went by unseen.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_due_order_and_in_setting_order_at_the_same_moment() {
        let mut timers = Timers::default();
        timers.set(0, 1, 30, 0);
        timers.set(0, 2, 10, 0);
        timers.set(0, 3, 30, 0);
        assert_eq!((timers.next_due(), timers.take_due(9)), (Some(10), None));
        let fired: Vec<_> = std::iter::from_fn(|| timers.take_due(30)).collect();
        assert_eq!(fired, [2, 1, 3]);
        assert!(timers.is_empty() && timers.next_due().is_none());
    }

    #[test]
    fn a_timer_set_again_forgets_its_first_setting_and_a_cancelled_one_never_fires() {
        let mut timers = Timers::default();
        timers.set(0, 1, 10, 0);
        timers.set(5, 1, 10, 0);
        timers.set(0, 2, 1, 1);
        assert!(timers.cancel(2) && !timers.cancel(2));
        assert_eq!(
            (timers.take_due(14), timers.take_due(15), timers.take_due(99)),
            (None, Some(1), None)
        );
        assert!(timers.by_due.is_empty());
    }

    #[test]
    fn a_periodic_timer_keeps_its_beat_and_counts_what_it_skips() {
        let mut timers = Timers::default();
        timers.set(0, 1, 10, 10);
        assert_eq!((timers.take_due(12), timers.next_due()), (Some(1), Some(20)));
        assert_eq!(
            (timers.take_due(45), timers.next_due(), timers.skipped()),
            (Some(1), Some(50), 2)
        );
        assert_eq!(timers.take_due(45), None, "skipped periods are not made up for");
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let mut timers = Timers::default();
        timers.set(u64::MAX - 1, 1, u64::MAX, u64::MAX);
        assert_eq!((timers.take_due(u64::MAX), timers.next_due()), (Some(1), Some(u64::MAX)));
    }
}
