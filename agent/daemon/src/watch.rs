//! Looks after the places that somebody must always be at work in: whoever is stuck in a module gets a
//! stand-in.
//!
//! Nothing can end a call from outside, so the stuck thread keeps what it is at, finishes that when the module
//! returns, and ends. Threads whose work it is to wait get none: whoever counts them is told. Who waits at the gate
//! of a swap is stuck, too, and is looked for more often while there is one: most gates are open again before
//! anybody was seen twice. Invariant: a place has one thread, and for the moment in which a stuck one comes back
//! two; there are so many stand-ins at most, and a thread that got none at once gets one as soon as there may be
//! one.

use crate::later::DEADLINE;
use crate::threads::Threads;
use s_engine::{Engine, Progress, Watcher};
use s_proxy::Runtime;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Thread, current, park_timeout};
use std::time::{Duration, Instant};

/// How often it looks while there is something to see: a call that is seen twice took longer than this.
const BUSY: Duration = Duration::from_millis(20);
/// And while there is not.
const QUIET: Duration = Duration::from_millis(100);

/// And while gates may be closed, for who waits there: other requests of theirs must not be seen to wait.
const GATES: Duration = Duration::from_micros(500);

/// So many threads may be stuck and replaced at once; more, and requests wait.
const STAND_INS: usize = 16;

/// A place as the thread has it that is at work there.
pub(crate) struct Post {
    threads: Arc<Threads>,
    progress: Arc<Progress>,
    /// Since when somebody else is at work there.
    replaced: OnceLock<Instant>,
}

impl Post {
    fn new(threads: &Arc<Threads>) -> Arc<Self> {
        let (threads, replaced) = (Arc::clone(threads), OnceLock::new());
        Arc::new(Post { threads, progress: Arc::default(), replaced })
    }

    /// Whether the thread goes on with its work.
    pub(crate) fn goes_on(&self) -> bool {
        !self.threads.are_to_end() && !self.is_replaced()
    }

    /// Whether somebody else goes on with it.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.get().is_some()
    }

    /// Whether the thread was stuck for so long that those who wait for it have given up.
    pub(crate) fn is_late(&self) -> bool {
        self.replaced.get().is_some_and(|since| since.elapsed() > DEADLINE)
    }

    /// Where the thread says which module it is in.
    pub(crate) const fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// The work of a place, until its [`Post`] says otherwise.
type Work = Arc<dyn Fn(&Post) + Send + Sync>;

/// Who is told, at every look, that a thread is stuck.
type Tell = Arc<dyn Fn(&Progress) + Send + Sync>;

struct Place {
    name: String,
    work: Work,
    /// Instead of a stand-in.
    tell: Option<Tell>,
    /// As its newest thread has it.
    post: Arc<Post>,
}

/// The places, and who looks after them.
pub(crate) struct Watch {
    runtime: &'static Runtime,
    engine: Arc<Engine>,
    threads: Arc<Threads>,
    places: Mutex<Vec<Place>>,
    /// How many threads are stuck and replaced.
    stuck: Arc<AtomicUsize>,
    may_be_closed: AtomicBool,
    looking: OnceLock<Thread>,
}

impl Watch {
    /// Starts the thread that looks.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(
        runtime: &'static Runtime,
        engine: &Arc<Engine>,
        threads: &Arc<Threads>,
    ) -> io::Result<Arc<Self>> {
        let watch = Arc::new(Watch {
            runtime,
            engine: Arc::clone(engine),
            threads: Arc::clone(threads),
            places: Mutex::default(),
            stuck: Arc::default(),
            may_be_closed: AtomicBool::new(false),
            looking: OnceLock::new(),
        });
        let looking = Arc::clone(&watch);
        threads.start("snmp-watch".to_owned(), move || looking.look_after())?;
        Ok(watch)
    }

    /// Says whether gates may be closed now.
    pub(crate) fn gates(&self, may_be_closed: bool) {
        self.may_be_closed.store(may_be_closed, Ordering::Relaxed);
        if let Some(looking) = self.looking.get().filter(|_| may_be_closed) {
            looking.unpark();
        }
    }

    /// Has a thread work, and another whenever that one is stuck.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn post(
        &self,
        name: &str,
        work: impl Fn(&Post) + Send + Sync + 'static,
    ) -> io::Result<()> {
        self.begin(name, Arc::new(work), None)
    }

    /// Has a thread work that may be stuck for long, and somebody told of it.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn post_to_wait(
        &self,
        name: &str,
        work: impl Fn(&Post) + Send + Sync + 'static,
        tell: impl Fn(&Progress) + Send + Sync + 'static,
    ) -> io::Result<()> {
        self.begin(name, Arc::new(work), Some(Arc::new(tell)))
    }

    fn begin(&self, name: &str, work: Work, tell: Option<Tell>) -> io::Result<()> {
        let post = Post::new(&self.threads);
        let place = Place { name: name.to_owned(), work, tell, post };
        let mut places = self.places();
        let (_begin, told) = channel();
        self.send(&place, &place.post, told)?;
        places.push(place);
        Ok(())
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a thread to a place, which begins when `told` ends.
    fn send(&self, place: &Place, post: &Arc<Post>, told: Receiver<()>) -> io::Result<()> {
        let (work, stuck, post) =
            (Arc::clone(&place.work), Arc::clone(&self.stuck), Arc::clone(post));
        self.threads.start(place.name.clone(), move || {
            // Managers wait for its answers, while a swap has modules verified, rehearsed and loaded.
            s_loader::turns::be_short();
            let _ = told.recv();
            work(&post);
            if post.is_replaced() {
                stuck.fetch_sub(1, Ordering::Relaxed);
            }
        })
    }

    fn look_after(&self) {
        s_loader::turns::be_short();
        let _ = self.looking.set(current());
        let (mut calls, mut gates) = (Watcher::default(), Watcher::default());
        let mut next = Instant::now() + QUIET;
        while !self.threads.are_to_end() {
            let may_be_closed = self.may_be_closed.load(Ordering::Relaxed);
            let pause = next.saturating_duration_since(Instant::now());
            park_timeout(if may_be_closed { pause.min(GATES) } else { pause });
            let mut places = self.places();
            let mut stuck = Vec::new();
            let progress = || places.iter().map(|place| &*place.post.progress);
            if may_be_closed {
                stuck = gates.look_for(self.engine.pace(), progress(), |at| self.is_closed(at));
            }
            if next <= Instant::now() {
                stuck.extend(calls.look(self.engine.pace(), progress()));
                next = Instant::now() + if calls.is_busy() { BUSY } else { QUIET };
            }
            stuck.sort_unstable();
            stuck.dedup();
            for at in stuck {
                if self.replace(&mut places[at]) {
                    calls.is_replaced(at);
                    gates.is_replaced(at);
                }
            }
        }
    }

    /// Whether it is the gate that keeps whoever is in a component.
    fn is_closed(&self, component: Option<usize>) -> bool {
        let components = self.runtime.components();
        let component = component.and_then(|at| components.get(at));
        component.is_some_and(|component| component.core().is_closed())
    }

    /// Sends another thread to the place of a stuck one; false if it has none.
    fn replace(&self, place: &mut Place) -> bool {
        if let Some(tell) = &place.tell {
            tell(&place.post.progress);
            return false;
        }
        if self.stuck.load(Ordering::Relaxed) >= STAND_INS {
            return false;
        }
        let post = Post::new(&self.threads);
        // It begins once the stuck one has been replaced, so that the two never take each other's place.
        let (_begin, told) = channel();
        // Where there can be no other thread, whoever asks waits until the module returns.
        if self.send(place, &post, told).is_err() {
            return false;
        }
        self.stuck.fetch_add(1, Ordering::Relaxed);
        let _ = place.post.replaced.set(Instant::now());
        place.post = post;
        true
    }
}
