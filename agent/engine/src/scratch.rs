//! The memory that one thread reuses from datagram to datagram.

use crate::registry::Registry;
use roles::error::Counter;
use roles::message::DataElements;
use roles::varbind::VarBinds;
use s_sdk::Buf;
use std::sync::Arc;

/// One thread's memory.
pub struct Scratch {
    /// What the message says.
    pub(crate) elements: DataElements,
    /// The names of the request, and in a SET its values.
    pub(crate) asked: VarBinds,
    /// The names that a walk goes on from.
    pub(crate) from: VarBinds,
    /// What one module answered.
    pub(crate) part: VarBinds,
    /// What the response carries.
    pub(crate) answers: VarBinds,
    /// Where PDUs are written, from their ends.
    pub(crate) pdu: Vec<u8>,
    /// The answer.
    pub(crate) out: Buf,
    /// The discard counter that this datagram has moved, and its value then.
    pub(crate) counted: Option<(Counter, u32)>,
    /// This datagram was counted.
    pub(crate) seen: bool,
    /// The registry as this thread knows it, and its number.
    pub(crate) registry: (u64, Arc<Registry>),
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            elements: DataElements::default(),
            asked: VarBinds::new(),
            from: VarBinds::new(),
            part: VarBinds::new(),
            answers: VarBinds::new(),
            pdu: vec![0; 65_536],
            out: Buf::new(),
            counted: None,
            seen: false,
            registry: (0, Arc::default()),
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
        (self.counted, self.seen) = (None, false);
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
