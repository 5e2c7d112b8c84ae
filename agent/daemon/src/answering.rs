//! What one thread answers requests with, whichever way they came.
//!
//! It knows no sockets. Invariant: what it is asked is answered, has no answer, or is left for [`Later`].

use crate::later::{Later, ReplyTo};
use crate::watch::Post;
use s_engine::{Engine, Left, Patience, Peer, Scratch};
use s_proxy::{Runtime, Worker};
use std::sync::Arc;

/// The engine, and one thread's memory for it.
pub(crate) struct Answering {
    engine: Arc<Engine>,
    worker: Worker,
    scratch: Scratch,
}

impl Answering {
    /// The memory of a thread that is looked after.
    pub(crate) fn at(runtime: &'static Runtime, engine: &Arc<Engine>, post: &Post) -> Self {
        let mut scratch = Scratch::new();
        scratch.set_progress(Arc::clone(post.progress()));
        Answering { engine: Arc::clone(engine), worker: runtime.worker(), scratch }
    }

    /// Answers a request that has just come, on a thread that others wait for.
    pub(crate) fn first(&mut self, post: &Post, peer: Peer<'_>, request: &[u8]) -> Answer<'_> {
        self.scratch.begin();
        let patience = if post.is_late() { Patience::Avoiding } else { Patience::Leaving };
        self.scratch.set_patience(patience);
        let is_answered = self.serve(peer, request);
        self.conclude();
        self.answer(is_answered)
    }

    /// Answers one that was left, waiting for these slow modules, or for none. Others may be at the same one: who
    /// sends the answer concludes.
    pub(crate) fn again(
        &mut self,
        awaited: Option<&[usize]>,
        peer: Peer<'_>,
        request: &[u8],
    ) -> Answer<'_> {
        self.scratch.begin_again();
        match awaited {
            Some(components) => self.scratch.wait_for(components),
            None => self.scratch.set_patience(Patience::Avoiding),
        }
        let is_answered = self.serve(peer, request);
        self.answer(is_answered)
    }

    fn serve(&mut self, peer: Peer<'_>, request: &[u8]) -> bool {
        let Answering { engine, worker, scratch } = self;
        worker.serve(|act| engine.answer(act, peer, request, scratch))
    }

    fn answer(&self, is_answered: bool) -> Answer<'_> {
        if is_answered {
            Answer::Octets(self.scratch.answer())
        } else {
            self.scratch.left().map_or(Answer::Nothing, Answer::Left)
        }
    }

    /// The last answer is the one that counts.
    pub(crate) fn conclude(&mut self) {
        self.engine.conclude(&mut self.scratch);
    }

    /// Leaves a request for later; where there is no place, it is answered at once as if its deadline had
    /// passed.
    pub(crate) fn leave(
        &mut self,
        later: &Arc<Later>,
        (domain, address, request): (&'static [u32], &[u8], &[u8]),
        left: Left,
        reply_to: ReplyTo,
    ) {
        if let Err(reply_to) = later.take((domain, address, request), left, reply_to) {
            let peer = Peer { domain, address };
            let answer = self.again(None, peer, request);
            reply_to.send(answer.octets());
            self.conclude();
        }
    }
}

/// What became of a request.
pub(crate) enum Answer<'a> {
    Octets(&'a [u8]),
    Nothing,
    Left(Left),
}

impl<'a> Answer<'a> {
    /// The octets of the answer; none where there is none.
    pub(crate) const fn octets(self) -> &'a [u8] {
        match self {
            Answer::Octets(octets) => octets,
            Answer::Nothing | Answer::Left(_) => &[],
        }
    }
}
