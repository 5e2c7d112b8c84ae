//! Looks after the places that somebody must always be at work in: whoever is stuck in a module gets a
//! stand-in.
//!
//! Nothing can end a call from outside, so the stuck thread keeps what it is at, finishes that when the module
//! returns, and ends. Threads whose work it is to wait get none: whoever counts them is told. Invariant: a place
//! has one thread, and for the moment in which a stuck one comes back two; there are so many stand-ins at most,
//! and a thread that got none at once gets one as soon as there may be one.

use crate::later::DEADLINE;
use crate::threads::Threads;
use s_engine::{Engine, Progress, Watcher};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often it looks while there is something to see: a call that is seen twice took longer than this.
const BUSY: Duration = Duration::from_millis(20);
/// And while there is not.
const QUIET: Duration = Duration::from_millis(100);

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
    engine: Arc<Engine>,
    threads: Arc<Threads>,
    places: Mutex<Vec<Place>>,
    /// How many threads are stuck and replaced.
    stuck: Arc<AtomicUsize>,
}

impl Watch {
    /// Starts the thread that looks.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(engine: &Arc<Engine>, threads: &Arc<Threads>) -> io::Result<Arc<Self>> {
        let watch = Arc::new(Watch {
            engine: Arc::clone(engine),
            threads: Arc::clone(threads),
            places: Mutex::default(),
            stuck: Arc::default(),
        });
        let looking = Arc::clone(&watch);
        threads.start("snmp-watch".to_owned(), move || looking.look_after())?;
        Ok(watch)
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
            let _ = told.recv();
            work(&post);
            if post.is_replaced() {
                stuck.fetch_sub(1, Ordering::Relaxed);
            }
        })
    }

    fn look_after(&self) {
        let mut watcher = Watcher::default();
        while !self.threads.are_to_end() {
            sleep(if watcher.is_busy() { BUSY } else { QUIET });
            let mut places = self.places();
            let progress = places.iter().map(|place| &*place.post.progress);
            for at in watcher.look(self.engine.pace(), progress) {
                if let Some(tell) = &places[at].tell {
                    tell(&places[at].post.progress);
                    continue;
                }
                if self.stuck.load(Ordering::Relaxed) >= STAND_INS {
                    continue;
                }
                let post = Post::new(&self.threads);
                // It begins once the stuck one has been replaced, so that the two never take each other's place.
                let (_begin, told) = channel();
                // Where there can be no other thread, whoever asks waits until the module returns.
                if self.send(&places[at], &post, told).is_ok() {
                    self.stuck.fetch_add(1, Ordering::Relaxed);
                    let _ = places[at].post.replaced.set(Instant::now());
                    places[at].post = post;
                    watcher.is_replaced(at);
                }
            }
        }
    }
}
