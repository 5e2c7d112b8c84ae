//! What a module answers from when the data is elsewhere: snapshots, and scratch.
//!
//! A [`Cache`] holds a snapshot that all activities share until it is too old; an activity that met one
//! keeps it to its end, so that a walk of several calls sees one table. Where a view is made of several
//! tables, each is a [`Part`]: read from its [`Source`] by the first who looks at it. A [`Scratch`] holds
//! small views that are filled anew at every call and reused, so that filling them takes no memory.
//!
//! Locks are held for the exchange of a pointer, never while somebody reads from elsewhere: whoever finds a
//! snapshot too old while another is already reading the next one takes the old one.

use roles::mib::MibError;
use roles::varbind::ErrorStatus;
use s_sdk::{Activity, Handle, Host, Level};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

/// A snapshot is kept for so many times as long as it took to make, if that is longer than its age.
const PATIENCE: u32 = 10;

/// So many activities at once keep the snapshot that they met; hosts run a few threads, one activity each.
const MAX_ACTIVITIES: usize = 64;

/// The last of what was read from elsewhere, with a maximal age.
struct Latest<S> {
    max_age: Duration,
    fresh: Mutex<Option<Fresh<S>>>,
    reading: Mutex<()>,
}

struct Fresh<S> {
    snapshot: Arc<S>,
    until: Duration,
}

/// A snapshot with a maximal age, kept by every activity that met it.
pub struct Cache<S> {
    latest: Latest<S>,
    met: Mutex<Meetings<S>>,
}

struct Meetings<S> {
    met: Vec<Met<S>>,
    /// Numbers meetings, so that a mark is told from whatever else an activity keeps.
    number: u64,
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
        let meetings = Meetings { met: Vec::new(), number: 0 };
        Cache { latest: Latest::new(max_age), met: Mutex::new(meetings) }
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
        let known = locked(&self.met).met.iter().find(|met| met.place == place).and_then(|met| {
            (act.recall(met.mark) == Ok(met.number)).then(|| Arc::clone(&met.snapshot))
        });
        if let Some(snapshot) = known {
            return Ok(snapshot);
        }
        let snapshot = self.latest.get(now, read)?;
        let mut meetings = locked(&self.met);
        meetings.number += 1;
        let number = meetings.number;
        // An activity that has no room to keep a mark meets what is fresh every time.
        if let Ok(mark) = act.keep(number) {
            let met = &mut meetings.met;
            met.retain(|met| met.place != place);
            if met.len() >= MAX_ACTIVITIES {
                met.remove(0);
            }
            met.push(Met { place, number, mark, snapshot: Arc::clone(&snapshot) });
        }
        drop(meetings);
        Ok(snapshot)
    }

    /// Answers from the snapshot of an activity: [`Cache::of`]. What could not be read is no empty table, so
    /// where a part of the snapshot has `failed`, the answer is genErr.
    ///
    /// # Errors
    /// genErr, what `made` answers and what `answer` says.
    pub fn answer<T>(
        &self,
        act: &Activity,
        now: impl Fn() -> Duration,
        made: impl FnOnce(Option<&S>) -> Result<S, MibError>,
        failed: impl FnOnce(&S) -> bool,
        answer: impl FnOnce(&S) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        let snapshot = self.of(act, now, made)?;
        let answered = answer(&snapshot)?;
        match failed(&snapshot) {
            true => Err(MibError { status: ErrorStatus::GenErr, index: 0, call: 0 }),
            false => Ok(answered),
        }
    }

    /// The last snapshot, of whatever age.
    pub fn last(&self) -> Option<Arc<S>> {
        locked(&self.latest.fresh).as_ref().map(|fresh| Arc::clone(&fresh.snapshot))
    }

    /// As if nothing had ever been read.
    pub fn clear(&self) {
        *locked(&self.latest.fresh) = None;
        locked(&self.met).met.clear();
    }

    /// Nothing that was read is good any more, for nobody: what it shows has been changed. The next reading
    /// still gets the last snapshot, to tell what is new.
    pub fn forget(&self) {
        if let Some(fresh) = &mut *locked(&self.latest.fresh) {
            fresh.until = Duration::ZERO;
        }
        locked(&self.met).met.clear();
    }
}

impl<S> Latest<S> {
    const fn new(max_age: Duration) -> Self {
        Latest { max_age, fresh: Mutex::new(None), reading: Mutex::new(()) }
    }

    fn get<E>(
        &self,
        now: impl Fn() -> Duration,
        read: impl FnOnce(Option<&S>) -> Result<S, E>,
    ) -> Result<Arc<S>, E> {
        let last = |began: Duration| {
            let fresh = locked(&self.fresh);
            let fresh = fresh.as_ref()?;
            Some((Arc::clone(&fresh.snapshot), began < fresh.until))
        };
        let old = match last(now()) {
            Some((snapshot, true)) => return Ok(snapshot),
            old => old.map(|(snapshot, _)| snapshot),
        };
        let _alone = match (self.reading.try_lock(), &old) {
            (Ok(alone), _) => alone,
            (Err(TryLockError::Poisoned(alone)), _) => alone.into_inner(),
            (Err(_), Some(old)) => return Ok(Arc::clone(old)),
            (Err(_), None) => locked(&self.reading),
        };
        let began = now();
        // Whoever waited may find what it waited for.
        if let Some((snapshot, true)) = last(began) {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(read(old.as_deref())?);
        let took = now().saturating_sub(began);
        let until = began + self.max_age.max(took.saturating_mul(PATIENCE));
        *locked(&self.fresh) = Some(Fresh { snapshot: Arc::clone(&snapshot), until });
        Ok(snapshot)
    }
}

/// The lock of something that no panic leaves half changed, so that a poisoned one is as good as another.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a part of a view comes from, so that a table that nobody asks for is never read.
pub struct Source<S>(Arc<Reading<S>>);

type Read<S> = dyn Fn(Option<&S>) -> std::io::Result<S> + Send + Sync;

struct Reading<S> {
    host: Host,
    what: &'static str,
    latest: Latest<S>,
    read: Box<Read<S>>,
    /// What is answered from where reading failed, until the call is refused.
    nothing: S,
}

/// A part of a view: read when it is first looked at, and the same as long as the view is.
pub struct Part<S> {
    from: Arc<Reading<S>>,
    met: OnceLock<Option<Arc<S>>>,
}

impl<S: Default> Source<S> {
    /// A source whose snapshots are good for so long; `read` makes one, of the one before if it likes, and
    /// `what` names it in the log.
    pub fn new(
        host: Host,
        what: &'static str,
        max_age: Duration,
        read: impl Fn(Option<&S>) -> std::io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        let latest = Latest::new(max_age);
        let nothing = S::default();
        Source(Arc::new(Reading { host, what, latest, read: Box::new(read), nothing }))
    }

    /// The part of a new view.
    pub fn part(&self) -> Part<S> {
        Part { from: Arc::clone(&self.0), met: OnceLock::new() }
    }
}

impl<S> Part<S> {
    /// What was read; nothing if that failed, which [`Part::failed`] tells.
    pub fn get(&self) -> &S {
        let met = self.met.get_or_init(|| {
            let from = &self.from;
            let read = from.latest.get(|| from.host.now(), &from.read);
            let told = |error: &_| {
                let message =
                    format!("{} cannot be read ({error}): requests for it fail", from.what);
                from.host.log(Level::Warning, &message);
            };
            read.inspect_err(told).ok()
        });
        met.as_deref().unwrap_or(&self.from.nothing)
    }

    /// Whether it was looked at and could not be read.
    pub fn failed(&self) -> bool {
        matches!(self.met.get(), Some(None))
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
