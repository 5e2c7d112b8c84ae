//! Requests that need a slow MIB module: answered behind the threads that receive, within a deadline.
//!
//! A few threads wait for slow modules, and one keeps the deadlines. A request that was left for later is
//! answered by whoever is first: one of those that wait, with the values, or at the deadline the one that
//! keeps them, without the slow modules, which is genErr for their bindings. A SET has no deadline: nobody
//! can say that it failed while a module is at it.
//!
//! Invariants: a request is answered at most once; so many wait at most, and when all places are taken
//! the answer is genErr at once; nothing is started before the first request is left.

use crate::batch::Envelope;
use crate::udp::transport_address;
use s_engine::{Engine, Patience, Peer, Scratch};
use s_proxy::Runtime;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Below the second after which most managers ask again.
pub(crate) const DEADLINE: Duration = Duration::from_millis(800);

/// So many threads wait for slow modules.
const WAITING: usize = 4;

/// So many requests may be unanswered.
const PLACES: usize = 256;

/// A request that was left for later.
struct Job {
    socket: Arc<UdpSocket>,
    envelope: Envelope,
    from: SocketAddr,
    request: Vec<u8>,
    /// When it is answered without the slow modules; never, if it changes something.
    due: Option<Instant>,
    is_answered: AtomicBool,
}

/// Requests that were left for later, and the threads that answer them.
pub(crate) struct Later {
    runtime: &'static Runtime,
    engine: Arc<Engine>,
    jobs: Mutex<Jobs>,
    /// There is something to begin.
    to_begin: Condvar,
    /// There is another deadline.
    to_end: Condvar,
    started: Once,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Jobs {
    /// Not begun yet, the oldest first.
    new: std::collections::VecDeque<Arc<Job>>,
    /// Not answered yet, the oldest first.
    open: std::collections::VecDeque<Arc<Job>>,
}

impl Later {
    pub(crate) fn new(
        runtime: &'static Runtime,
        engine: &Arc<Engine>,
        stop: &Arc<AtomicBool>,
    ) -> Arc<Self> {
        Arc::new(Later {
            runtime,
            engine: Arc::clone(engine),
            jobs: Mutex::default(),
            to_begin: Condvar::new(),
            to_end: Condvar::new(),
            started: Once::new(),
            stop: Arc::clone(stop),
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request over; false when there is no place for it, or nobody to answer it.
    pub(crate) fn take(
        self: &Arc<Self>,
        socket: &Arc<UdpSocket>,
        envelope: Envelope,
        (from, request): (SocketAddr, &[u8]),
        is_set: bool,
    ) -> bool {
        self.started.call_once(|| self.start());
        let mut jobs = self.jobs();
        jobs.open.retain(|job| !job.is_answered.load(Ordering::Relaxed));
        // Those that ended at their deadlines: with every thread in a module nobody else takes them out.
        jobs.new.retain(|job| !job.is_answered.load(Ordering::Relaxed));
        if jobs.open.len() >= PLACES {
            return false;
        }
        let job = Arc::new(Job {
            socket: Arc::clone(socket),
            envelope,
            from,
            request: request.to_vec(),
            due: (!is_set).then(|| Instant::now() + DEADLINE),
            is_answered: AtomicBool::new(false),
        });
        jobs.new.push_back(Arc::clone(&job));
        jobs.open.push_back(job);
        drop(jobs);
        self.to_begin.notify_one();
        self.to_end.notify_one();
        true
    }

    /// Starts the threads. They end with the process: one that is in a module cannot be told to.
    fn start(self: &Arc<Self>) {
        for number in 0..WAITING {
            let later = Arc::clone(self);
            // Without a thread requests end at their deadlines.
            let _ = Builder::new().name(format!("later-{number}")).spawn(move || later.wait());
        }
        let later = Arc::clone(self);
        let _ = Builder::new().name("later-due".into()).spawn(move || later.keep_deadlines());
    }

    /// Answers requests, however long it takes.
    fn wait(&self) {
        let mut answering = Answering::new(self, Patience::Waiting);
        while !self.stop.load(Ordering::Relaxed) {
            let job = {
                let mut jobs = self.jobs();
                loop {
                    match jobs.new.pop_front() {
                        Some(job) => break job,
                        None => {
                            jobs = self.to_begin.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                        }
                    }
                }
            };
            if !job.is_answered.load(Ordering::Relaxed) {
                answering.answer(&job);
            }
        }
    }

    /// Answers at their deadlines what nobody has answered yet.
    fn keep_deadlines(&self) {
        let mut answering = Answering::new(self, Patience::Avoiding);
        while !self.stop.load(Ordering::Relaxed) {
            let job = {
                let mut jobs = self.jobs();
                loop {
                    jobs.open.retain(|job| !job.is_answered.load(Ordering::Relaxed));
                    let now = Instant::now();
                    let next = jobs.open.iter().find_map(|job| job.due.map(|due| (due, job)));
                    jobs = match next {
                        Some((due, job)) if due <= now => break Arc::clone(job),
                        Some((due, _)) => {
                            let woken = self.to_end.wait_timeout(jobs, due - now);
                            woken.unwrap_or_else(PoisonError::into_inner).0
                        }
                        None => self.to_end.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                    };
                }
            };
            answering.answer(&job);
        }
    }
}

/// What one thread answers with.
struct Answering {
    engine: Arc<Engine>,
    worker: s_proxy::Worker,
    scratch: Scratch,
    address: Vec<u8>,
}

impl Answering {
    fn new(later: &Later, patience: Patience) -> Self {
        let mut scratch = Scratch::new();
        scratch.set_patience(patience);
        let (engine, worker) = (Arc::clone(&later.engine), later.runtime.worker());
        Answering { engine, worker, scratch, address: Vec::new() }
    }

    fn answer(&mut self, job: &Job) {
        let Answering { engine, worker, scratch, address } = self;
        let domain = transport_address(job.from, address);
        let peer = Peer { domain, address };
        scratch.begin_again();
        let is_there = worker.serve(|act| engine.answer(act, peer, &job.request, scratch));
        // Whoever is first answers.
        if !job.is_answered.swap(true, Ordering::Relaxed) && is_there {
            job.envelope.send(&job.socket, scratch.answer());
        }
    }
}
