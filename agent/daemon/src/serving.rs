//! The threads: one for each socket of datagrams, one for all streams, one each for those who ask about the
//! agent itself.
//!
//! Invariant: once [`Serving::end`] has returned, nobody is answered any more, but by a thread that a module kept
//! for longer than seconds.

use crate::application::Application;
use crate::control::Control;
use crate::metrics::{self, Swaps};
use crate::notify;
use crate::sockets::Sockets;
use crate::{looks, stream, watch};
use s_engine::Scratch;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long threads may take to end: each looks several times in a second whether it should.
const STUCK: Duration = Duration::from_secs(3);

/// The threads that serve.
pub(crate) struct Serving {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Their names in the file system go when they do.
    _sockets: [Sockets; 2],
}

impl Serving {
    /// Serves requests, the operator, and whoever reads metrics.
    ///
    /// # Errors
    /// A thread cannot be started, or swaps not be counted.
    pub(crate) fn begin(
        application: &Arc<Application>,
        mut sockets: Sockets,
        control: Control,
        mut metrics: Sockets,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let (runtime, engine) = (application.runtime, &application.engine);
        let datagrams = std::mem::take(&mut sockets.datagrams);
        threads.extend(watch::start(runtime, engine, datagrams, &stop)?);
        threads.push(looks::start(application, &stop)?);
        let streams = std::mem::take(&mut sockets.streams);
        if !streams.is_empty() {
            let (engine, stop) = (Arc::clone(engine), Arc::clone(&stop));
            threads.push(thread("snmp-streams".to_owned(), move || {
                let limits = stream::Limits::new(engine.facts().max_message_size() as usize);
                let (mut worker, mut scratch) = (runtime.worker(), Scratch::new());
                stream::serve(&streams, limits, &stop, &mut |peer, message, answers| {
                    scratch.begin();
                    if worker.serve(|act| engine.answer(act, peer, message, &mut scratch)) {
                        answers.extend_from_slice(scratch.answer());
                    }
                });
            })?);
        }
        {
            let (engine, stop) = (Arc::clone(engine), Arc::clone(&stop));
            threads.push(thread("control".to_owned(), move || control.serve(&engine, &stop))?);
        }
        let readers = std::mem::take(&mut metrics.streams);
        if !readers.is_empty() {
            let (application, stop) = (Arc::clone(application), Arc::clone(&stop));
            let swaps = Swaps::of(application.manager.events())?;
            threads.push(thread("metrics".to_owned(), move || {
                metrics::serve(&application, &swaps, &readers, &stop);
            })?);
        }
        // Last, because the first thing that it does is to tell that the agent serves.
        threads.extend(notify::start(runtime, engine, &stop)?);
        Ok(Serving { threads, stop, _sockets: [sockets, metrics] })
    }

    /// Ends all threads.
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        // One that is stuck in a module cannot be told to end; it ends with the process.
        let patience = Instant::now() + STUCK;
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() {
                // A thread that panicked said so.
                let _ = thread.join();
            }
        }
    }
}

fn thread(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(run)
}
