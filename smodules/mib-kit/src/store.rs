//! What SETs change: the state of a module, replaced as a whole (RFC 3416 §4.2.5, the two phases).
//!
//! A SET is checked on a draft, a copy of the state; applying puts the draft in the state's place, undoing
//! puts the old one back. Readers hold whichever they began with, and wait for no check: the lock that they
//! take is held for the exchange of a pointer.
//!
//! A SET may come in several parts, each checked on the draft of the part before it; they are applied in the
//! order in which they were checked, and undone the last first.
//!
//! Invariants: between the first check of a SET and its last cleanup no check of another one succeeds, so
//! what was checked is what is applied; no lock is held while a draft is written, because a draft may take
//! calls of other modules. It never knows what is in the state.

use roles::mib::{MibError, SetReference};
use roles::varbind::ErrorStatus;
use s_sdk::Activity;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// A SET that is neither cleaned up nor gone on with for so long was abandoned by its caller.
const ABANDONED: Duration = Duration::from_secs(30);

/// The state of a module.
pub struct Store<W> {
    current: RwLock<Current<W>>,
    pending: Mutex<Pending<W>>,
}

struct Current<W> {
    state: Arc<W>,
    revision: u64,
}

/// The SET that is on its way.
struct Pending<W> {
    parts: Vec<Part<W>>,
    /// Numbers parts, so that a reference finds its own only.
    number: u64,
    /// Where the activity of the SET lives in memory; none where no SET is on its way.
    place: Option<usize>,
    since: Duration,
}

struct Part<W> {
    number: u64,
    reference: SetReference,
    before: Arc<W>,
    after: Arc<W>,
}

impl<W: Clone> Store<W> {
    /// A state to begin with.
    pub fn new(state: W) -> Self {
        Store {
            current: RwLock::new(Current { state: Arc::new(state), revision: 0 }),
            pending: Mutex::new(Pending {
                parts: Vec::new(),
                number: 0,
                place: None,
                since: Duration::ZERO,
            }),
        }
    }

    /// The state as it is.
    pub fn state(&self) -> Arc<W> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).state)
    }

    /// A number that moves with every change.
    pub fn revision(&self) -> u64 {
        self.current.read().unwrap_or_else(PoisonError::into_inner).revision
    }

    /// Changes the state outside of any SET: settings, what was kept. A SET that is on its way is refused
    /// when it is applied.
    pub fn update(&self, change: impl FnOnce(&mut W)) {
        let _alone = self.pending();
        let mut state = W::clone(&self.state());
        change(&mut state);
        self.replace(None, Arc::new(state));
    }

    /// Puts the same state in other words: a SET that is on its way goes on with them. False where the
    /// state is another one by now.
    pub fn restate(&self, from: &Arc<W>, to: W) -> bool {
        let mut pending = self.pending();
        let to = Arc::new(to);
        let restated = self.replace(Some(from), Arc::clone(&to));
        if restated {
            let known =
                pending.parts.iter_mut().flat_map(|part| [&mut part.before, &mut part.after]);
            known
                .filter(|known| Arc::ptr_eq(known, from))
                .for_each(|known| *known = Arc::clone(&to));
        }
        restated
    }

    /// Checks a SET, or a further part of it, on a draft of the state, and reserves the state for it.
    ///
    /// # Errors
    /// What `write` says of the draft; resourceUnavailable while another SET is on its way.
    pub fn check(
        &self,
        act: &Activity,
        now: Duration,
        write: impl FnOnce(&W, &mut W) -> Result<(), MibError>,
    ) -> Result<SetReference, MibError> {
        let (before, reservation) = self.reserve(act, now)?;
        let mut draft = W::clone(&before);
        write(&before, &mut draft)?;
        let mut pending = self.pending();
        if pending.place != Some(reservation.place) {
            // It took so long that another SET took its place.
            drop(pending);
            return Err(refused(ErrorStatus::ResourceUnavailable));
        }
        pending.number += 1;
        let number = pending.number;
        let kept = act.keep(number);
        let Ok(kept) = kept else {
            drop(pending);
            return Err(refused(ErrorStatus::ResourceUnavailable));
        };
        let reference = kept.of();
        pending.since = now;
        pending.parts.push(Part { number, reference, before, after: Arc::new(draft) });
        // The reservation looks for itself whether it is needed.
        drop(pending);
        Ok(reference)
    }

    /// What a part of a SET is checked against, once no other SET can be on its way.
    fn reserve(
        &self,
        act: &Activity,
        now: Duration,
    ) -> Result<(Arc<W>, Reservation<'_, W>), MibError> {
        let mut pending = self.pending();
        let place = std::ptr::from_ref(act).addr();
        let ours = pending.place == Some(place);
        if !(ours && pending.parts.iter().all(|part| part.is_of(act))) {
            // One activity at a time is in one place: whoever was here before is gone.
            let gone = ours || now.saturating_sub(pending.since) >= ABANDONED;
            if pending.place.is_some() && !gone {
                return Err(refused(ErrorStatus::ResourceUnavailable));
            }
            pending.parts.clear();
        }
        (pending.place, pending.since) = (Some(place), now);
        let last = pending.parts.last();
        let before = last.map_or_else(|| self.state(), |part| Arc::clone(&part.after));
        Ok((before, Reservation { store: self, place }))
    }

    /// Puts the draft in the state's place.
    ///
    /// # Errors
    /// commitFailed: the reference is of no SET on its way, or the state was changed from elsewhere.
    pub fn apply(&self, act: &Activity, reference: SetReference) -> Result<(), MibError> {
        self.exchange(act, reference, ErrorStatus::CommitFailed, |part| (&part.before, &part.after))
    }

    /// Puts the old state back, or leaves it where nothing was applied: a module that failed in the middle
    /// of applying is asked to undo, too.
    ///
    /// # Errors
    /// undoFailed: as for `apply`.
    pub fn undo(&self, act: &Activity, reference: SetReference) -> Result<(), MibError> {
        let number = act.recall(reference.of::<u64>()).ok();
        let state = self.state();
        let is_unapplied =
            |part: &Part<W>| Some(part.number) == number && Arc::ptr_eq(&part.before, &state);
        if self.pending().parts.iter().any(is_unapplied) {
            return Ok(());
        }
        self.exchange(act, reference, ErrorStatus::UndoFailed, |part| (&part.after, &part.before))
    }

    /// Ends a SET, whichever way it went.
    ///
    /// # Errors
    /// The reference is of another activity.
    pub fn cleanup(&self, act: &Activity, reference: SetReference) -> Result<(), MibError> {
        let number = act.recall(reference.of::<u64>())?;
        let mut pending = self.pending();
        pending.parts.retain(|part| part.number != number);
        pending.free_unless_needed();
        Ok(())
    }

    fn exchange(
        &self,
        act: &Activity,
        reference: SetReference,
        otherwise: ErrorStatus,
        way: impl FnOnce(&Part<W>) -> (&Arc<W>, &Arc<W>),
    ) -> Result<(), MibError> {
        let pending = self.pending();
        let number = act.recall(reference.of::<u64>()).ok();
        let part = pending.parts.iter().find(|part| Some(part.number) == number);
        let replaced =
            part.map(way).is_some_and(|(from, to)| self.replace(Some(from), Arc::clone(to)));
        if replaced { Ok(()) } else { Err(refused(otherwise)) }
    }

    /// Replaces the state, if it is still the one that is expected.
    fn replace(&self, from: Option<&Arc<W>>, to: Arc<W>) -> bool {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let expected = from.is_none_or(|from| Arc::ptr_eq(from, &current.state));
        if expected {
            current.state = to;
            current.revision += 1;
        }
        expected
    }

    /// No panic leaves it half changed, so a poisoned lock is as good as another.
    fn pending(&self) -> MutexGuard<'_, Pending<W>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write a draft; the state is free again when nothing came of it, by a panic even.
struct Reservation<'s, W: Clone> {
    store: &'s Store<W>,
    place: usize,
}

impl<W: Clone> Drop for Reservation<'_, W> {
    fn drop(&mut self) {
        let mut pending = self.store.pending();
        if pending.place == Some(self.place) {
            pending.free_unless_needed();
        }
    }
}

impl<W> Pending<W> {
    fn free_unless_needed(&mut self) {
        if self.parts.is_empty() {
            self.place = None;
        }
    }
}

impl<W> Part<W> {
    /// Whether the activity that checked it is this one.
    fn is_of(&self, act: &Activity) -> bool {
        act.recall(self.reference.of::<u64>()) == Ok(self.number)
    }
}

/// Numbers what outlasts the process, for `roles::settings::Persistence`: moves when that differs from what
/// it was, and with nothing else.
#[derive(Default)]
pub struct Revision(Mutex<Option<(u64, u64)>>);

impl Revision {
    /// The number for a store, of which `kept` is what is kept; asked only when the store has changed.
    pub fn of<W: Clone, D: AsRef<[u8]>>(
        &self,
        store: &Store<W>,
        kept: impl FnOnce(&W) -> D,
    ) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The number first: what changes afterwards is met the next time.
        let revision = store.revision();
        match *known {
            Some((seen, number)) if seen == revision => number,
            _ => {
                let mut hash = DefaultHasher::new();
                kept(&store.state()).as_ref().hash(&mut hash);
                let number = hash.finish();
                *known = Some((revision, number));
                number
            }
        }
    }
}

/// A refusal that is about no binding.
const fn refused(status: ErrorStatus) -> MibError {
    MibError { status, index: 0, call: 0 }
}
