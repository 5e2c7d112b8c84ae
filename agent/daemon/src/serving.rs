//! The threads: one for each socket of datagrams, one for all streams, one each for those who ask about the
//! agent itself.
//!
//! Invariant: once [`Serving::end`] has returned, nobody is answered any more, but by a thread that a module kept
//! for longer than seconds.

use crate::answering::{Answer, Answering};
use crate::application::Application;
use crate::latency::Latency;
use crate::later::{Later, ReplyTo};
use crate::looks;
use crate::metrics::{self, Swaps};
use crate::notify;
use crate::sockets::Sockets;
use crate::stream::{self, Away, Streams};
use crate::threads::Threads;
use crate::told;
use crate::trial;
use crate::udp::Inbox;
use crate::watch::{Post, Watch};
use s_engine::{Engine, Left, Peer};
use s_events::Event;
use s_proxy::Runtime;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long threads may take to end: each looks several times in a second whether it should.
const STUCK: Duration = Duration::from_secs(3);

/// When a swap has done this, its gates are about to close, or closed; they open as it commits or ends.
const BEFORE_GATES_OPEN: [&str; 3] = ["swap.prepare", "swap.quiesce", "swap.map_state"];

/// The threads that serve.
pub(crate) struct Serving {
    threads: Arc<Threads>,
    later: Arc<Later>,
    /// Their names in the file system go when they do.
    _sockets: [Sockets; 2],
}

impl Serving {
    /// Serves requests, and whoever reads metrics.
    ///
    /// # Errors
    /// A thread cannot be started, or swaps not be counted.
    pub(crate) fn begin(
        application: &Arc<Application>,
        mut sockets: Sockets,
        mut metrics: Sockets,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let threads = Arc::new(Threads::default());
        let (runtime, engine) = (application.runtime, &application.engine);
        let watch = Watch::start(runtime, engine, &threads)?;
        let closing = Arc::clone(&watch);
        let sink = Arc::new(move |event: &Arc<Event>| {
            closing.gates(BEFORE_GATES_OPEN.contains(&&*event.tag));
        });
        application.manager.events().subscribe_with("swap.*", sink)?;
        let latency = &application.latency;
        let later = answer_requests(runtime, engine, latency, &watch, &threads, &mut sockets)?;
        let stop = threads.stop();
        threads.adopt(looks::start(application, stop)?);
        threads.adopt(trial::start(application, stop)?);
        let readers = std::mem::take(&mut metrics.streams);
        if !readers.is_empty() {
            let (application, stop) = (Arc::clone(application), Arc::clone(stop));
            let swaps = Swaps::of(application.manager.events())?;
            threads.start("metrics".to_owned(), move || {
                metrics::serve(&application, &swaps, &readers, &stop);
            })?;
        }
        // Last, because the first thing that it does is to tell that the agent serves.
        notify::start(runtime, engine, stop)?.into_iter().for_each(|one| threads.adopt(one));
        told::started(application, &mut runtime.worker());
        Ok(Serving { threads, later, _sockets: [sockets, metrics] })
    }

    /// Ends all threads, those that stand in for others included; answers how many a module keeps.
    pub(crate) fn end(self) -> usize {
        self.later.end();
        self.threads.end(STUCK)
    }
}

/// Starts the threads that answer requests.
///
/// # Errors
/// The system's.
fn answer_requests(
    runtime: &'static Runtime,
    engine: &Arc<Engine>,
    latency: &Arc<Latency>,
    watch: &Arc<Watch>,
    threads: &Arc<Threads>,
    sockets: &mut Sockets,
) -> io::Result<Arc<Later>> {
    let later = Later::new(runtime, engine, threads, watch);
    for (number, socket) in std::mem::take(&mut sockets.datagrams).into_iter().enumerate() {
        let (engine, later) = (Arc::clone(engine), Arc::clone(&later));
        let inbox = Inbox::new(socket, latency);
        watch.post(&format!("snmp-{number}"), move |post| {
            inbox.serve(runtime, &engine, &later, post);
        })?;
    }
    let listeners = std::mem::take(&mut sockets.streams);
    if !listeners.is_empty() {
        let limits = stream::Limits::new(engine.facts().max_message_size() as usize);
        let streams = Streams::new(listeners, limits)?;
        let (engine, later) = (Arc::clone(engine), Arc::clone(&later));
        watch.post("snmp-streams", move |post| {
            let answering = Answering::at(runtime, &engine, post);
            let mut messages = Messages { answering, later: Arc::clone(&later), post };
            streams.serve(&|| post.goes_on(), &mut messages);
        })?;
    }
    Ok(later)
}

/// Answers the messages of streams.
struct Messages<'a> {
    answering: Answering,
    later: Arc<Later>,
    post: &'a Post,
}

impl stream::Answers for Messages<'_> {
    fn answer(&mut self, peer: Peer<'_>, message: &[u8], into: &mut Vec<u8>) -> Option<Left> {
        match self.answering.first(self.post, peer, message) {
            Answer::Octets(octets) => into.extend_from_slice(octets),
            Answer::Nothing => {}
            Answer::Left(left) => return Some(left),
        }
        None
    }

    fn leave(&mut self, away: Away, message: &[u8], left: Left) {
        let (domain, address) = away.peer();
        let request = (domain, &address[..], message);
        self.answering.leave(&self.later, request, left, ReplyTo::Stream(Box::new(away)));
    }
}

#[cfg(test)]
mod tests;
