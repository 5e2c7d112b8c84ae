//! How fast the MIB modules are: who is slow is not asked by a thread that others wait for.
//!
//! Threads that receive are few and answer one datagram after the other, so a module that takes long would
//! delay every other request. It never interrupts a call, which nothing can do safely, and reads no clock.
//! How it works ([`Patience`] says how one request is answered):
//! 1. A thread says in its [`Progress`] which module it is in: one store per call.
//! 2. A watcher looks at all of them every few milliseconds. Who is in the same call as at the last look
//!    is stuck: [`Watcher::look`] marks the module as slow and names the thread. What a receiving thread has
//!    belongs to another one then; one that may wait is charged to the module that it is stuck in.
//! 3. A request that needs a slow module is left for later by the receiving thread, and answered by a
//!    thread that may wait. When its deadline passes it is answered once more without the slow modules,
//!    which is genErr for their bindings; whichever answer comes first is sent.
//! 4. Threads that may wait measure. So many quick calls in a row, and a module is slow no longer.
//!
//! Invariant: what is noted of a component is of the generation that serves there as of the last look: a call
//! that is still in an older one says nothing of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How many components are told apart.
const COMPONENTS: usize = s_sdk::activity::MAX_COMPONENTS;

/// A call that takes longer is a slow one.
pub const SLOW: Duration = Duration::from_millis(10);

/// A module that was slow is taken for quick again after so many quick calls.
const QUICK_CALLS: u64 = 64;

/// Of the number of a generation so much as tells it from all that calls may still be in.
const GENERATION: u64 = 0xffff;

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
    /// Of each component, the generation in the higher half, and in the lower one the quick calls that it still
    /// owes; 0 for one that is not slow.
    owes: Box<[AtomicU64]>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { owes: (0..COMPONENTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Pace {
    /// Whether a component is slow.
    #[inline]
    pub fn is_slow(&self, component: usize) -> bool {
        self.owes.get(component).is_some_and(|owes| owed(owes.load(Ordering::Relaxed)) != 0)
    }

    /// Takes note of a slow call.
    pub fn mark_slow(&self, component: usize, generation: u64) {
        self.note(component, generation, |_| QUICK_CALLS);
    }

    /// Another generation serves in a component: nothing is known of it yet.
    pub fn is_new(&self, component: usize, generation: u64) {
        if let Some(owes) = self.owes.get(component) {
            owes.store((generation & GENERATION) << 32, Ordering::Relaxed);
        }
    }

    /// Takes note of how long a call took.
    pub fn took(&self, component: usize, generation: u64, time: Duration) {
        if time > SLOW {
            self.mark_slow(component, generation);
        } else if self.is_slow(component) {
            self.note(component, generation, |owed| owed.saturating_sub(1));
        }
    }

    /// Changes what a component owes, if the generation is the one that serves there.
    fn note(&self, component: usize, generation: u64, change: impl Fn(u64) -> u64) {
        let Some(owes) = self.owes.get(component) else { return };
        let generation = generation & GENERATION;
        // Nothing has changed where another generation serves.
        let _ = owes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            (known >> 32 == generation).then(|| generation << 32 | change(owed(known)))
        });
    }
}

const fn owed(known: u64) -> u64 {
    known & u32::MAX as u64
}

/// What one thread is at.
#[derive(Debug, Default)]
pub struct Progress {
    /// The call that it is in: its number in the higher half, never 0; below it the generation, and at the
    /// end the component plus one; 0 when it is in none.
    call: AtomicU64,
    /// How many calls it has begun.
    calls: AtomicU32,
}

impl Progress {
    /// It enters a module.
    #[inline]
    pub fn enter(&self, component: usize, generation: u64) {
        let number = self.calls.load(Ordering::Relaxed).wrapping_add(1) | 1 << 31;
        self.calls.store(number, Ordering::Relaxed);
        let component = u64::try_from(component.min(COMPONENTS) + 1).unwrap_or(0);
        let call = u64::from(number) << 32 | (generation & GENERATION) << 16 | component;
        self.call.store(call, Ordering::Relaxed);
    }

    /// It does something that is no module's and may take long.
    pub fn enter_other(&self) {
        self.enter(COMPONENTS, 0);
    }

    /// It has left it.
    #[inline]
    pub fn leave(&self) {
        self.call.store(0, Ordering::Relaxed);
    }

    /// The component whose module it is in.
    pub fn component(&self) -> Option<usize> {
        module(self.call.load(Ordering::Relaxed)).map(|(component, _)| component)
    }
}

/// The component of a call, and the generation.
fn module(call: u64) -> Option<(usize, u64)> {
    let component = usize::try_from(call & 0xffff).ok()?.checked_sub(1)?;
    (component < COMPONENTS).then_some((component, call >> 16 & GENERATION))
}

/// Looks at threads from time to time.
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
        self.look_for(pace, threads, |_| true)
    }

    /// The same of those only that are in such a component.
    pub fn look_for<'p>(
        &mut self,
        pace: &Pace,
        threads: impl Iterator<Item = &'p Progress>,
        counts: impl Fn(Option<usize>) -> bool,
    ) -> Vec<usize> {
        let mut stuck = Vec::new();
        self.is_busy = false;
        for (at, progress) in threads.enumerate() {
            let call = progress.call.load(Ordering::Relaxed);
            if self.seen.len() <= at {
                self.seen.push(0);
            }
            self.is_busy |= call != 0;
            if std::mem::replace(&mut self.seen[at], call) != call || call == 0 {
                continue;
            }
            let module = module(call);
            if counts(module.map(|(component, _)| component)) {
                stuck.push(at);
                if let Some((component, generation)) = module {
                    pace.mark_slow(component, generation);
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
        pace.is_new(3, 1);
        threads[0].enter(3, 1);
        threads[1].enter(5, 1);
        assert_eq!(watcher.look(&pace, threads.iter()), [0; 0]);
        threads[1].leave();
        threads[1].enter(5, 1);
        assert!(!pace.is_slow(3));
        assert_eq!(watcher.look(&pace, threads.iter()), [0]);
        assert!(pace.is_slow(3) && !pace.is_slow(5) && watcher.is_busy());
        threads.iter().for_each(Progress::leave);
        assert_eq!(watcher.look(&pace, threads.iter()), [0; 0]);
        assert!(!watcher.is_busy());
    }

    #[test]
    fn who_looks_for_one_component_finds_nobody_in_another() {
        let (pace, mut watcher) = (Pace::default(), Watcher::default());
        let threads = [Progress::default(), Progress::default(), Progress::default()];
        threads[0].enter(3, 1);
        threads[1].enter(5, 1);
        threads[2].enter_other();
        (3..=5).for_each(|component| pace.is_new(component, 1));
        let mut look = || watcher.look_for(&pace, threads.iter(), |component| component == Some(5));
        assert_eq!((look(), look()), (Vec::new(), vec![1]));
        assert!(pace.is_slow(5) && !pace.is_slow(3));
    }

    #[test]
    fn a_thread_is_stuck_until_another_has_its_place() {
        let (pace, mut watcher) = (Pace::default(), Watcher::default());
        let (stuck, stand_in) = ([Progress::default()], [Progress::default()]);
        stuck[0].enter(0, 1);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0; 0]);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0]);
        assert_eq!(watcher.look(&pace, stuck.iter()), [0], "nobody has come");
        watcher.is_replaced(0);
        // Its first call has the number that the first call of the other had.
        stand_in[0].enter(0, 1);
        assert_eq!(watcher.look(&pace, stand_in.iter()), [0; 0]);
        assert_eq!(watcher.look(&pace, stand_in.iter()), [0]);
    }

    #[test]
    fn a_slow_module_is_quick_again_after_many_quick_calls() {
        let pace = Pace::default();
        pace.took(7, 0, SLOW);
        assert!(!pace.is_slow(7));
        pace.took(7, 0, SLOW + Duration::from_nanos(1));
        for _ in 1..QUICK_CALLS {
            pace.took(7, 0, Duration::ZERO);
        }
        assert!(pace.is_slow(7));
        pace.took(7, 0, Duration::ZERO);
        assert!(!pace.is_slow(7));
        pace.mark_slow(COMPONENTS, 0);
        assert!(!pace.is_slow(COMPONENTS));
    }

    #[test]
    fn a_call_that_is_still_in_an_older_generation_says_nothing_of_the_one_that_serves() {
        let (pace, mut watcher) = (Pace::default(), Watcher::default());
        let threads = [Progress::default()];
        pace.is_new(7, 4);
        threads[0].enter(7, 4);
        assert_eq!(watcher.look(&pace, threads.iter()), [0; 0]);
        assert_eq!(watcher.look(&pace, threads.iter()), [0]);
        assert!(pace.is_slow(7));
        assert_eq!(threads[0].component(), Some(7));
        pace.is_new(7, 5);
        // It is seen once more, and comes back.
        assert_eq!(watcher.look(&pace, threads.iter()), [0], "the thread is stuck all the same");
        pace.took(7, 4, 2 * SLOW);
        assert!(!pace.is_slow(7));
        // And what is quick there makes up for nothing.
        pace.mark_slow(7, 5);
        (0..QUICK_CALLS).for_each(|_| pace.took(7, 4, Duration::ZERO));
        assert!(pace.is_slow(7));
        threads[0].enter_other();
        assert_eq!(threads[0].component(), None);
    }
}
