//! How fast the MIB modules are: who is slow is not asked by a thread that others wait for.
//!
//! Threads that receive are few and answer one datagram after the other, so a module that takes long would
//! delay every other request. It never interrupts a call, which nothing can do safely, and reads no clock.
//! How it works ([`Patience`] says how one request is answered):
//! 1. A receiving thread says in its [`Progress`] which module it is in: one store per call.
//! 2. A watcher looks at all of them every few milliseconds. Who is in the same call as at the last look
//!    is stuck: [`Watcher::look`] marks the module as slow and names the thread, whose socket then belongs
//!    to another thread.
//! 3. A request that needs a slow module is left for later by the receiving thread, and answered by a
//!    thread that may wait. When its deadline passes it is answered once more without the slow modules,
//!    which is genErr for their bindings; whichever answer comes first is sent.
//! 4. Threads that may wait measure. So many quick calls in a row, and a module is slow no longer.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How many components are told apart.
const COMPONENTS: usize = s_sdk::activity::MAX_COMPONENTS;

/// A call that takes longer is a slow one.
pub const SLOW: Duration = Duration::from_millis(10);

/// A module that was slow is taken for quick again after so many quick calls.
const QUICK_CALLS: u32 = 64;

/// How a request treats slow modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// It waits for them.
    #[default]
    Waiting,
    /// It waits for those that it was left for, and is left again when it needs another: whoever waits takes a
    /// share of those who can.
    WaitingFor,
    /// It is left for later when it needs one.
    Leaving,
    /// They are not asked, and nobody is to set anything any more: genErr.
    Avoiding,
}

/// Which modules are slow.
#[derive(Debug)]
pub struct Pace {
    /// The quick calls that each component still owes; 0 for one that is not slow.
    owes: Box<[AtomicU32]>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { owes: (0..COMPONENTS).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Pace {
    /// Whether a component is slow.
    #[inline]
    pub fn is_slow(&self, component: usize) -> bool {
        self.owes.get(component).is_some_and(|owes| owes.load(Ordering::Relaxed) != 0)
    }

    /// Takes note of a slow call.
    pub fn mark_slow(&self, component: usize) {
        if let Some(owes) = self.owes.get(component) {
            owes.store(QUICK_CALLS, Ordering::Relaxed);
        }
    }

    /// Another module serves in a component: nothing is known of it yet.
    pub fn is_new(&self, component: usize) {
        if let Some(owes) = self.owes.get(component) {
            owes.store(0, Ordering::Relaxed);
        }
    }

    /// Takes note of how long a call took.
    pub fn took(&self, component: usize, time: Duration) {
        if time > SLOW {
            self.mark_slow(component);
        } else if let Some(owes) = self.owes.get(component).filter(|_| self.is_slow(component)) {
            // Two threads at once: one quick call is counted twice or not at all, and no harm done.
            let left = owes.load(Ordering::Relaxed).saturating_sub(1);
            owes.store(left, Ordering::Relaxed);
        }
    }
}

/// What one receiving thread is at.
#[derive(Debug, Default)]
pub struct Progress {
    /// The call that it is in: its number in the higher half, never 0, and the component plus one in the
    /// lower half; 0 when it is in none.
    call: AtomicU64,
    /// How many calls it has begun.
    calls: AtomicU32,
}

impl Progress {
    /// It enters a module.
    #[inline]
    pub fn enter(&self, component: usize) {
        let number = self.calls.load(Ordering::Relaxed).wrapping_add(1) | 1 << 31;
        self.calls.store(number, Ordering::Relaxed);
        let component = u64::try_from(component).unwrap_or(u64::MAX >> 33) + 1;
        self.call.store(u64::from(number) << 32 | component, Ordering::Relaxed);
    }

    /// It does something that is no module's and may take long.
    pub fn enter_other(&self) {
        self.enter(COMPONENTS);
    }

    /// It has left it.
    #[inline]
    pub fn leave(&self) {
        self.call.store(0, Ordering::Relaxed);
    }

    fn component(call: u64) -> Option<usize> {
        usize::try_from(call & u64::from(u32::MAX)).ok()?.checked_sub(1)
    }
}

/// Looks at receiving threads from time to time.
#[derive(Debug, Default)]
pub struct Watcher {
    /// The call of each thread at the last look.
    seen: Vec<u64>,
    is_busy: bool,
}

impl Watcher {
    /// Looks at all threads; answers the places of those that are in the same call as at the last look, and
    /// marks the modules that they are in.
    pub fn look<'p>(
        &mut self,
        pace: &Pace,
        threads: impl Iterator<Item = &'p Progress>,
    ) -> Vec<usize> {
        let mut stuck = Vec::new();
        self.is_busy = false;
        for (at, progress) in threads.enumerate() {
            let call = progress.call.load(Ordering::Relaxed);
            if self.seen.len() <= at {
                self.seen.push(0);
            }
            self.is_busy |= call != 0;
            if std::mem::replace(&mut self.seen[at], call) == call && call != 0 {
                stuck.push(at);
                if let Some(component) = Progress::component(call) {
                    pace.mark_slow(component);
                }
            }
        }
        stuck
    }

    /// Another thread has the place of a stuck one, and calls of its own.
    pub fn is_replaced(&mut self, at: usize) {
        if let Some(seen) = self.seen.get_mut(at) {
            *seen = 0;
        }
    }

    /// Whether anybody was in a call at the last look; if not, the next one may be later.
    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_stuck_when_two_looks_find_it_in_one_call() {
        let (pace, mut watcher) = (Pace::default(), Watcher::default());
        let threads = [Progress::default(), Progress::default()];
        threads[0].enter(3);
        threads[1].enter(5);
        assert_eq!(watcher.look(&pace, threads.iter()), [0; 0]);
        threads[1].leave();
        threads[1].enter(5);
        assert!(!pace.is_slow(3));
        assert_eq!(watcher.look(&pace, threads.iter()), [0]);
        assert!(pace.is_slow(3) && !pace.is_slow(5) && watcher.is_busy());
        threads.iter().for_each(Progress::leave);
        assert_eq!(watcher.look(&pace, threads.iter()), [0; 0]);
        assert!(!watcher.is_busy());
    }

    #[test]
    fn a_thread_is_stuck_until_another_has_its_place() {
        let (pace, mut watcher) = (Pace::default(), Watcher::default());
        let (stuck, stand_in) = ([Progress::default()], [Progress::default()]);
        stuck[0].enter(0);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0; 0]);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0]);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0], "nobody has come");
        watcher.is_replaced(0);
        // Its first call has the number that the first call of the other had.
        stand_in[0].enter(0);
        assert_eq!(watcher.look(&pace, stand_in.iter()), [0; 0]);
        assert_eq!(watcher.look(&pace, stand_in.iter()), [0]);
    }

    #[test]
    fn a_slow_module_is_quick_again_after_many_quick_calls() {
        let pace = Pace::default();
        pace.took(7, SLOW);
        assert!(!pace.is_slow(7));
        pace.took(7, SLOW + Duration::from_nanos(1));
        for _ in 1..QUICK_CALLS {
            pace.took(7, Duration::ZERO);
        }
        assert!(pace.is_slow(7));
        pace.took(7, Duration::ZERO);
        assert!(!pace.is_slow(7));
        pace.mark_slow(COMPONENTS);
        assert!(!pace.is_slow(COMPONENTS));
        pace.mark_slow(7);
        pace.is_new(7);
        assert!(!pace.is_slow(7));
    }
}
