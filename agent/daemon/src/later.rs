//! Requests that need a slow MIB module: answered behind the threads that receive, within a deadline.
//!
//! Some threads wait for slow modules, and one keeps the deadlines. A request that was left for later is
//! answered by whoever is first: one of those that wait, with the values, or at the deadline the one that
//! keeps them, without the slow modules, which is genErr for their bindings. A SET that somebody has begun
//! has no deadline: nobody can say that it failed while a module is at it. One that nobody has begun when its
//! deadline passes is not begun any more.
//!
//! Invariants: a request is answered at most once; so many wait at most, and when all places are taken
//! the answer is genErr at once; one module keeps no more than its share of the threads; nothing is started
//! before the first request is left.

use crate::answering::{Answer, Answering};
use crate::batch::Envelope;
use crate::stream::Away;
use crate::threads::Threads;
use crate::watch::{Post, Watch};
use s_engine::{Engine, Left, Peer, Progress};
use s_proxy::Runtime;
use std::collections::VecDeque;
use std::net::UdpSocket;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Below the second after which most managers ask again.
pub(crate) const DEADLINE: Duration = Duration::from_millis(800);

/// So many threads wait for slow modules, and so many of them for one module: one that never returns leaves
/// the others to those that do.
const WAITING: usize = 8;
const SHARE: usize = 2;

/// So many requests may be unanswered: those of a busy agent for as long as a large state is mapped.
const PLACES: usize = 1024;

/// Where an answer goes.
pub(crate) enum ReplyTo {
    /// By the socket that the request came in by.
    Datagram(Arc<UdpSocket>, Box<Envelope>),
    /// The connection of the one who asked, which waits meanwhile.
    Stream(Box<Away>),
}

impl ReplyTo {
    /// Sends the answer, if there is one.
    pub(crate) fn send(self, answer: &[u8]) {
        match self {
            ReplyTo::Datagram(socket, envelope) if !answer.is_empty() => {
                envelope.send(&socket, answer);
            }
            ReplyTo::Datagram(..) => {}
            ReplyTo::Stream(away) => away.come_back(answer),
        }
    }
}

/// A request that was left for later.
struct Job {
    domain: &'static [u32],
    address: Vec<u8>,
    request: Vec<u8>,
    /// The components whose modules it waits for.
    components: Vec<usize>,
    is_set: bool,
    /// When it is answered without the slow modules.
    due: Instant,
    /// Taken by whoever answers it.
    reply_to: Mutex<Option<ReplyTo>>,
}

/// Requests that were left for later, and the threads that answer them.
pub(crate) struct Later {
    runtime: &'static Runtime,
    engine: Arc<Engine>,
    threads: Arc<Threads>,
    watch: Arc<Watch>,
    jobs: Mutex<Jobs>,
    /// There is something to begin.
    to_begin: Condvar,
    /// There is another deadline.
    to_end: Condvar,
    /// Whether somebody keeps the deadlines, once that is known.
    started: OnceLock<bool>,
}

#[derive(Default)]
struct Jobs {
    /// Not begun yet, the oldest first.
    new: VecDeque<Arc<Job>>,
    /// Those with a deadline, the oldest first: not answered yet, and no SETs that were begun.
    open: VecDeque<Arc<Job>>,
    /// The modules that threads wait for, each in its place.
    awaited: [Option<Awaited>; WAITING],
}

/// A component and the generation that serves in it: what replaces a module that never returns is waited for
/// anew.
type Awaited = (usize, u64);

impl Jobs {
    /// The oldest that a thread may begin now.
    fn begin(&mut self, thread: usize, generation: impl Fn(usize) -> u64) -> Option<Arc<Job>> {
        let Jobs { new, open, awaited } = self;
        // Those before the last one have returned before.
        let of = |job: &Job| {
            let component = job.components.last().copied().unwrap_or(usize::MAX);
            (component, generation(component))
        };
        let is_free = |job: &Arc<Job>| {
            let one = Some(of(job));
            awaited.iter().filter(|other| **other == one).count() < SHARE
        };
        let job = new.iter().position(is_free).and_then(|at| new.remove(at))?;
        awaited[thread] = Some(of(&job));
        if job.is_set {
            forget(open, &job);
        }
        Some(job)
    }

    /// A thread that waits is stuck in a component; false if that is the one that it waits for.
    fn is_stuck(&mut self, thread: usize, component: usize, generation: u64) -> bool {
        match &mut self.awaited[thread] {
            Some(awaited) if awaited.0 != component => {
                *awaited = (component, generation);
                true
            }
            _ => false,
        }
    }

    /// A thread waits no longer.
    fn end(&mut self, thread: usize, job: &Arc<Job>) {
        forget(&mut self.open, job);
        self.awaited[thread] = None;
    }

    /// Takes one in, by its deadline among the others.
    fn put(&mut self, job: Job) {
        let job = Arc::new(job);
        self.new.push_back(Arc::clone(&job));
        let at = self.open.partition_point(|other| other.due <= job.due);
        self.open.insert(at, job);
    }
}

fn forget(jobs: &mut VecDeque<Arc<Job>>, job: &Arc<Job>) {
    jobs.retain(|other| !Arc::ptr_eq(other, job));
}

impl Later {
    pub(crate) fn new(
        runtime: &'static Runtime,
        engine: &Arc<Engine>,
        threads: &Arc<Threads>,
        watch: &Arc<Watch>,
    ) -> Arc<Self> {
        Arc::new(Later {
            runtime,
            engine: Arc::clone(engine),
            threads: Arc::clone(threads),
            watch: Arc::clone(watch),
            jobs: Mutex::default(),
            to_begin: Condvar::new(),
            to_end: Condvar::new(),
            started: OnceLock::new(),
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request over.
    ///
    /// # Errors
    /// There is no place for it, or nobody answers any more.
    pub(crate) fn take(
        self: &Arc<Self>,
        (domain, address, request): (&'static [u32], &[u8], &[u8]),
        left: Left,
        reply_to: ReplyTo,
    ) -> Result<(), ReplyTo> {
        let is_kept = *self.started.get_or_init(|| self.start());
        let mut jobs = self.jobs();
        if !is_kept || jobs.open.len() >= PLACES || self.threads.are_to_end() {
            return Err(reply_to);
        }
        jobs.put(Job {
            domain,
            address: address.to_vec(),
            request: request.to_vec(),
            components: vec![left.component],
            is_set: left.is_set,
            due: Instant::now() + DEADLINE,
            reply_to: Mutex::new(Some(reply_to)),
        });
        drop(jobs);
        self.tell();
        Ok(())
    }

    /// There is something to begin, and perhaps an earlier deadline. One who has just been replaced may be
    /// among those who listen, so all are told.
    fn tell(&self) {
        self.to_begin.notify_one();
        self.to_end.notify_all();
    }

    /// Starts the threads; false if nobody keeps the deadlines.
    fn start(self: &Arc<Self>) -> bool {
        for thread in 0..WAITING {
            let (later, charged) = (Arc::clone(self), Arc::clone(self));
            let wait = move |post: &Post| later.wait(thread, post);
            let charge = move |progress: &Progress| charged.charge(thread, progress);
            // Without a thread requests end at their deadlines.
            let _ = self.watch.post_to_wait(&format!("later-{thread}"), wait, charge);
        }
        let later = Arc::clone(self);
        self.watch.post("later-due", move |post| later.keep_deadlines(post)).is_ok()
    }

    /// The generation that serves in a component.
    fn generation(&self, component: usize) -> u64 {
        let components = self.runtime.components();
        components.get(component).map_or(0, |component| component.current().number())
    }

    /// Has its threads end: what nobody has begun is answered as if its deadline had passed.
    pub(crate) fn end(&self) {
        self.threads.tell_to_end();
        // With the lock, so that nobody is between looking and waiting.
        let _jobs = self.jobs();
        self.to_begin.notify_all();
        self.to_end.notify_all();
    }

    /// A thread that waits is stuck: whichever module it is in, known to be slow or not, that is the one whose
    /// share it takes.
    fn charge(&self, thread: usize, progress: &Progress) {
        let mut jobs = self.jobs();
        // With the lock, so that this is of what the thread is at, and not of what it was at before.
        let Some(component) = progress.component() else { return };
        if jobs.is_stuck(thread, component, self.generation(component)) {
            drop(jobs);
            self.to_begin.notify_all();
        }
    }

    /// Answers requests, however long it takes.
    fn wait(&self, thread: usize, post: &Post) {
        let mut answering = Answering::at(self.runtime, &self.engine, post);
        loop {
            let mut jobs = self.jobs();
            let job = loop {
                if self.threads.are_to_end() {
                    return;
                }
                match jobs.begin(thread, |component| self.generation(component)) {
                    Some(job) => break job,
                    None => {
                        jobs = self.to_begin.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(jobs);
            let left = job.answer(&mut answering, Some(&job.components));
            let again = left.and_then(|left| job.again(left));
            let mut jobs = self.jobs();
            jobs.end(thread, &job);
            let last = match again {
                // Whoever keeps the deadlines may have gone.
                Some(again) if self.threads.are_to_end() => Some(again),
                again => {
                    again.into_iter().for_each(|again| jobs.put(again));
                    None
                }
            };
            drop(jobs);
            if let Some(last) = last {
                last.answer(&mut answering, None);
            }
            // A share is free, too.
            self.to_begin.notify_all();
            self.to_end.notify_all();
        }
    }

    /// Answers at their deadlines what nobody has answered yet. A module that was quick so far may hang here,
    /// too: the thread is looked after, and its stand-in finds the request where it was.
    fn keep_deadlines(&self, post: &Post) {
        let mut answering = Answering::at(self.runtime, &self.engine, post);
        while !post.is_replaced() {
            let mut jobs = self.jobs();
            let job = loop {
                let now = Instant::now();
                jobs = match jobs.open.front() {
                    Some(job) if job.due <= now || self.threads.are_to_end() => {
                        break Arc::clone(job);
                    }
                    Some(job) => {
                        let left = job.due - now;
                        let woken = self.to_end.wait_timeout(jobs, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None if self.threads.are_to_end() => return,
                    None => self.to_end.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                };
            };
            // From here on nobody begins it.
            forget(&mut jobs.new, &job);
            drop(jobs);
            job.answer(&mut answering, None);
            forget(&mut self.jobs().open, &job);
        }
    }
}

impl Job {
    /// Answers it, waiting for these components or for none; or says for which other it is left once more.
    fn answer(&self, answering: &mut Answering, awaited: Option<&[usize]>) -> Option<Left> {
        let peer = Peer { domain: self.domain, address: &self.address };
        let octets = match answering.again(awaited, peer, &self.request) {
            Answer::Left(left) => return Some(left),
            answer => answer.octets(),
        };
        // Whoever is first answers.
        if let Some(reply_to) = self.reply_to() {
            reply_to.send(octets);
            answering.conclude();
        }
        None
    }

    fn reply_to(&self) -> Option<ReplyTo> {
        self.reply_to.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The same, waiting for one more component; none if it was answered meanwhile.
    fn again(&self, left: Left) -> Option<Job> {
        let reply_to = Mutex::new(Some(self.reply_to()?));
        let components = [&self.components[..], &[left.component]].concat();
        let (address, request) = (self.address.clone(), self.request.clone());
        let Job { domain, due, is_set, .. } = *self;
        Some(Job { domain, address, request, components, is_set, due, reply_to })
    }
}
