//! Looks after the threads that receive: one that is stuck in a module gets a stand-in on its socket.
//!
//! Nothing can end a call from outside, so the stuck thread keeps its request and the others of its batch,
//! answers them when the module returns, and ends. Invariant: a socket is received from by one thread, and
//! for the moment in which a stuck one comes back by two; there are so many stand-ins at most.

use crate::later::Later;
use crate::udp;
use s_engine::{Engine, Progress, Watcher};
use s_proxy::Runtime;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

/// How often it looks while there is something to see: a call that is seen twice took longer than this.
const BUSY: Duration = Duration::from_millis(20);
/// And while there is not.
const QUIET: Duration = Duration::from_millis(100);

/// So many threads may be stuck and replaced at once; more, and requests wait.
const STAND_INS: usize = 16;

/// What a receiving thread needs.
#[derive(Clone)]
pub(crate) struct Receiving {
    pub(crate) runtime: &'static Runtime,
    pub(crate) engine: Arc<Engine>,
    pub(crate) later: Arc<Later>,
    pub(crate) socket: Arc<UdpSocket>,
    /// Everybody ends.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) progress: Arc<Progress>,
    /// Somebody else has the socket now.
    is_replaced: Arc<AtomicBool>,
    /// How many threads are stuck.
    stuck: Arc<AtomicUsize>,
}

impl Receiving {
    /// Whether the thread goes on receiving.
    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.is_replaced.load(Ordering::Relaxed)
    }

    fn stand_in(&self) -> Self {
        Receiving { progress: Arc::default(), is_replaced: Arc::default(), ..self.clone() }
    }

    fn run(&self) {
        udp::serve(self);
        if self.is_replaced.load(Ordering::Relaxed) {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Starts a receiving thread for each socket, and one that looks after them.
///
/// # Errors
/// A thread cannot be started.
pub(crate) fn start(
    runtime: &'static Runtime,
    engine: &Arc<Engine>,
    sockets: Vec<UdpSocket>,
    stop: &Arc<AtomicBool>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let (later, stuck) = (Later::new(runtime, engine, stop), Arc::default());
    let mut threads = Vec::new();
    let mut receiving = Vec::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        let one = Receiving {
            runtime,
            engine: Arc::clone(engine),
            later: Arc::clone(&later),
            socket: Arc::new(socket),
            stop: Arc::clone(stop),
            progress: Arc::default(),
            is_replaced: Arc::default(),
            stuck: Arc::clone(&stuck),
        };
        receiving.push(one.clone());
        let thread = Builder::new().name(format!("snmp-{number}"));
        threads.push(thread.spawn(move || one.run())?);
    }
    let stop = Arc::clone(stop);
    let watch = Builder::new().name("snmp-watch".to_owned());
    threads.push(watch.spawn(move || look_after(receiving, &stop))?);
    Ok(threads)
}

fn look_after(mut receiving: Vec<Receiving>, stop: &AtomicBool) {
    let mut watcher = Watcher::default();
    while !stop.load(Ordering::Relaxed) {
        sleep(if watcher.is_busy() { BUSY } else { QUIET });
        let Some(first) = receiving.first() else { return };
        let (engine, stuck) = (Arc::clone(&first.engine), Arc::clone(&first.stuck));
        let seen = watcher.look(engine.pace(), receiving.iter().map(|one| &*one.progress));
        for at in seen {
            if stuck.load(Ordering::Relaxed) >= STAND_INS {
                continue;
            }
            let stand_in = receiving[at].stand_in();
            let one = stand_in.clone();
            let thread = Builder::new().name(format!("snmp-{at}"));
            // Where there can be no other thread, whoever asks waits until the module returns.
            if thread.spawn(move || one.run()).is_ok() {
                stuck.fetch_add(1, Ordering::Relaxed);
                receiving[at].is_replaced.store(true, Ordering::Relaxed);
                receiving[at] = stand_in;
            }
        }
    }
}
