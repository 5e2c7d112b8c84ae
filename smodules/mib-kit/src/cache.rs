//! What a module answers from when the data is elsewhere: snapshots, and scratch.
//!
//! A [`Cache`] holds a snapshot that all activities share until it is too old; an activity that met one
//! keeps it to its end, so that a walk of several calls sees one table. A [`Scratch`] holds small views that
//! are filled anew at every call and reused, so that filling them takes no memory.
//!
//! Locks are held for the exchange of a pointer, never while somebody reads from elsewhere: whoever finds a
//! snapshot too old while another is already reading the next one takes the old one.

use s_sdk::{Activity, Handle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A snapshot is kept for so many times as long as it took to make, if that is longer than its age.
const PATIENCE: u32 = 10;

/// So many activities at once keep the snapshot that they met; hosts run a few threads, one activity each.
const MAX_ACTIVITIES: usize = 64;

/// A snapshot with a maximal age.
pub struct Cache<S> {
    max_age: Duration,
    shared: Mutex<Shared<S>>,
    reading: Mutex<()>,
}

struct Shared<S> {
    fresh: Option<Fresh<S>>,
    met: Vec<Met<S>>,
    /// Numbers meetings, so that a mark is told from whatever else an activity keeps.
    number: u64,
}

struct Fresh<S> {
    snapshot: Arc<S>,
    until: Duration,
}

/// What an activity met. It is known by its place in memory, and by what it kept: that is gone when the
/// activity ends, so the next one in that place is told apart.
struct Met<S> {
    place: usize,
    number: u64,
    mark: Handle<u64>,
    snapshot: Arc<S>,
}

impl<S> Cache<S> {
    /// Snapshots are good for so long.
    pub const fn new(max_age: Duration) -> Self {
        let shared = Shared { fresh: None, met: Vec::new(), number: 0 };
        Cache { max_age, shared: Mutex::new(shared), reading: Mutex::new(()) }
    }

    /// The snapshot of an activity. `read` makes one, of the one before if it likes, where that is too old;
    /// `now` is the time on a clock that never steps.
    ///
    /// # Errors
    /// What `read` answers.
    pub fn of<E>(
        &self,
        act: &Activity,
        now: impl Fn() -> Duration,
        read: impl FnOnce(Option<&S>) -> Result<S, E>,
    ) -> Result<Arc<S>, E> {
        let place = std::ptr::from_ref(act).addr();
        let known = self.shared().met.iter().find(|met| met.place == place).and_then(|met| {
            (act.recall(met.mark) == Ok(met.number)).then(|| Arc::clone(&met.snapshot))
        });
        if let Some(snapshot) = known {
            return Ok(snapshot);
        }
        let snapshot = self.fresh(now, read)?;
        let mut shared = self.shared();
        shared.number += 1;
        let number = shared.number;
        // An activity that has no room to keep a mark meets what is fresh every time.
        if let Ok(mark) = act.keep(number) {
            shared.met.retain(|met| met.place != place);
            if shared.met.len() >= MAX_ACTIVITIES {
                shared.met.remove(0);
            }
            shared.met.push(Met { place, number, mark, snapshot: Arc::clone(&snapshot) });
        }
        drop(shared);
        Ok(snapshot)
    }

    fn fresh<E>(
        &self,
        now: impl Fn() -> Duration,
        read: impl FnOnce(Option<&S>) -> Result<S, E>,
    ) -> Result<Arc<S>, E> {
        let last = |began: Duration| {
            let shared = self.shared();
            let fresh = shared.fresh.as_ref()?;
            Some((Arc::clone(&fresh.snapshot), began < fresh.until))
        };
        let old = match last(now()) {
            Some((snapshot, true)) => return Ok(snapshot),
            old => old.map(|(snapshot, _)| snapshot),
        };
        let _alone = match (self.reading.try_lock(), &old) {
            (Ok(alone), _) => alone,
            (Err(std::sync::TryLockError::Poisoned(alone)), _) => alone.into_inner(),
            (Err(_), Some(old)) => return Ok(Arc::clone(old)),
            (Err(_), None) => self.reading.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let began = now();
        // Whoever waited may find what it waited for.
        if let Some((snapshot, true)) = last(began) {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(read(old.as_deref())?);
        let took = now().saturating_sub(began);
        let until = began + self.max_age.max(took.saturating_mul(PATIENCE));
        self.shared().fresh = Some(Fresh { snapshot: Arc::clone(&snapshot), until });
        Ok(snapshot)
    }

    /// No panic leaves it half changed, so a poisoned lock is as good as another.
    fn shared(&self) -> MutexGuard<'_, Shared<S>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Views that are filled anew at every call, as many as there are calls at once.
pub struct Scratch<S>(Mutex<Vec<S>>);

impl<S: Default> Default for Scratch<S> {
    fn default() -> Self {
        Scratch(Mutex::new(Vec::new()))
    }
}

impl<S: Default> Scratch<S> {
    /// Lends a view, with whatever the last call left in it.
    pub fn lend<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        let resting = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = resting().pop().unwrap_or_default();
        let answer = work(&mut view);
        resting().push(view);
        answer
    }
}
