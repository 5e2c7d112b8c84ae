//! How large a response is while its list of bindings grows: known to the octet before it is written.
//!
//! It writes nothing. Every level of nesting has a length field that grows with what is inside, so adding
//! a binding can add more octets than it has. Invariant: what a [`Budget`] says is what the encoder writes.

use crate::ber::element_len;

/// The size of a list of bindings and of what encloses it: one level each for the PDU, for the scopedPDU,
/// for the message, whatever the caller's limit includes.
///
/// ```
/// use s_wire::{Budget, Encode, Pdu, PduKind, Value, VarBind, Oid, VarBindList};
/// # let request_id = 1;
/// let response = Pdu {
///     kind: PduKind::Response,
///     request_id,
///     error_status: 0,
///     error_index: 0,
///     bindings: VarBindList::EMPTY,
/// };
/// let mut budget = Budget::new(484, [response.frame_len()]);
/// let name = Oid::new(&[0x2b, 6, 1, 2, 1, 1, 3, 0]).expect("an object identifier");
/// let binding = VarBind { name, value: Value::TimeTicks(12) };
/// assert!(budget.admit(binding.encoded_len()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget<const LEVELS: usize> {
    limit: usize,
    /// Octets beside the next level within, from the innermost to the outermost.
    frames: [usize; LEVELS],
    /// Octets of all bindings.
    bindings: usize,
}

impl<const LEVELS: usize> Budget<LEVELS> {
    /// An empty list inside of frames, from the innermost to the outermost, as the `frame_len` of each says.
    pub const fn new(limit: usize, frames: [usize; LEVELS]) -> Self {
        Budget { limit, frames, bindings: 0 }
    }

    /// How many octets the whole takes now.
    pub fn len(&self) -> usize {
        self.len_with(self.bindings)
    }

    /// Whether the whole fits now; an empty list need not.
    pub fn fits(&self) -> bool {
        self.len() <= self.limit
    }

    /// Whether there is no binding.
    pub const fn is_empty(&self) -> bool {
        self.bindings == 0
    }

    /// Adds a binding that takes so many octets, unless the whole would not fit then.
    #[inline]
    pub fn admit(&mut self, binding: usize) -> bool {
        let fits = self.len_with(self.bindings + binding) <= self.limit;
        if fits {
            self.bindings += binding;
        }
        fits
    }

    /// Takes back a binding that was added.
    pub const fn take_back(&mut self, binding: usize) {
        self.bindings = self.bindings.saturating_sub(binding);
    }

    #[inline]
    fn len_with(&self, bindings: usize) -> usize {
        let list = element_len(bindings);
        self.frames.iter().fold(list, |within, frame| element_len(frame + within))
    }
}
