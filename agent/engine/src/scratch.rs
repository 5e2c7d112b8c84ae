//! The memory that one thread reuses from datagram to datagram.

use crate::counters::Outcome;
use crate::pace::{Patience, Progress};
use crate::reason::Reason;
use crate::registry::Registry;
use crate::source::Source;
use roles::error::Counter;
use roles::message::DataElements;
use roles::varbind::VarBinds;
use s_sdk::{Buf, List};
use s_wire::PduKind;
use std::sync::Arc;

/// One thread's memory.
pub struct Scratch {
    /// What the message says.
    pub(crate) elements: DataElements,
    /// The names of the request, and in a SET its values.
    pub(crate) asked: VarBinds,
    /// The names that a walk goes on from.
    pub(crate) from: VarBinds,
    /// What a walk needs beside the names that it goes on from.
    pub(crate) lists: Lists,
    /// What the response carries.
    pub(crate) answers: VarBinds,
    /// Where PDUs are written, from their ends.
    pub(crate) pdu: Vec<u8>,
    /// Memory for the PDU that came, while another takes its place.
    pub(crate) request: Buf,
    /// The answer.
    pub(crate) out: Buf,
    /// The discard counter that this datagram has moved, and its value then.
    pub(crate) counted: Option<(Counter, u32)>,
    /// Why this datagram was refused, and the value of the counter that this moved.
    pub(crate) refused: Option<(Reason, u32)>,
    /// What became of this datagram's SET, if that has been decided: should the request be begun anew, it is
    /// not applied again. Where it was applied, its answer is in `out`.
    pub(crate) decided: Option<crate::respond::Result>,
    /// This datagram was counted.
    pub(crate) seen: bool,
    /// It was left for later.
    pub(crate) left: Option<Left>,
    /// What became of the last request, until that is counted.
    pub(crate) ended: Option<Ended>,
    /// What the answer that was written last is.
    pub(crate) outcome: Outcome,
    /// How it treats slow modules.
    pub(crate) patience: Patience,
    /// The components that the request at hand waits for.
    pub(crate) awaited: Vec<usize>,
    /// Where this thread says which module it is in.
    pub(crate) progress: Option<Arc<Progress>>,
    /// The registry as this thread knows it, and its number.
    pub(crate) registry: Option<(u64, Arc<Registry>)>,
}

/// A request that was left for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The component whose module is slow.
    pub component: usize,
    /// It changes variables, so nobody can answer it while somebody else is at it.
    pub is_set: bool,
}

/// What became of a request.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) kind: PduKind,
    pub(crate) outcome: Outcome,
    /// Who is charged for the answer, having proven nothing.
    pub(crate) source: Option<Source>,
}

/// Lists of one walk.
#[derive(Default)]
pub(crate) struct Lists {
    /// What one module answered to several names.
    pub(crate) part: VarBinds,
    /// The one name that a walk goes on from, past what is not for the sender.
    pub(crate) at: VarBinds,
    /// What one module answered to it.
    pub(crate) one: VarBinds,
    /// Where the view goes on.
    pub(crate) next: List<u32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            elements: DataElements::default(),
            asked: VarBinds::new(),
            from: VarBinds::new(),
            lists: Lists::default(),
            answers: VarBinds::new(),
            pdu: vec![0; 65_536],
            request: Buf::new(),
            out: Buf::new(),
            counted: None,
            refused: None,
            decided: None,
            seen: false,
            left: None,
            ended: None,
            outcome: Outcome::default(),
            patience: Patience::default(),
            awaited: Vec::new(),
            progress: None,
            registry: None,
        }
    }
}

impl Scratch {
    /// Memory for one thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another datagram: what was noted of the last one is forgotten. A request that is begun anew because
    /// a module failed is the same datagram.
    pub fn begin(&mut self) {
        (self.counted, self.refused, self.seen) = (None, None, false);
        self.decided = None;
    }

    /// How requests treat slow modules from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// The next request waits for these components, and is left for later when it needs another slow one.
    pub fn wait_for(&mut self, components: &[usize]) {
        self.patience = Patience::WaitingFor;
        self.awaited.clear();
        self.awaited.extend_from_slice(components);
    }

    /// Where this thread says which module it is in, for who watches it.
    pub fn set_progress(&mut self, progress: Arc<Progress>) {
        self.progress = Some(progress);
    }

    /// The same datagram once more, in another thread's memory: it was counted there.
    pub fn begin_again(&mut self) {
        (self.counted, self.refused, self.seen) = (None, None, true);
        // What this thread decided was another datagram's.
        self.decided = None;
    }

    /// Whether the last datagram has no answer because it was left for later: nothing was changed, and it was
    /// not refused.
    pub const fn left(&self) -> Option<Left> {
        self.left
    }

    /// The answer to the last datagram, if there was one.
    pub fn answer(&self) -> &[u8] {
        &self.out
    }

    /// The discard counter that the last datagram moved.
    pub fn counted(&self) -> Option<Counter> {
        self.counted.map(|(counter, _)| counter)
    }
}
