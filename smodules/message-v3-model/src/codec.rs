//! What a module brings: messages as octets and as values.
//!
//! A codec never decides what becomes of a message: which numbers and forms there are is all it says. The
//! values are those of `s-wire`, whoever reads them. The codec's contract, beside what its functions say:
//! it refuses what RFC 3417 §8 and the ranges of RFC 3412 §6 forbid, and accepts lengths and integers in
//! more octets than they need, and every PDU, because PDUs are the engine's to read.

use roles::message::{MessageError, MessageErrorKind};
use s_sdk::{Buf, Full};
use s_wire::{Header, Part, ScopedPduData, V3Message};

/// A message without its security parameters and its PDU.
pub type Message<'a> = V3Message<Part<'a>, ScopedPduData<'a>>;

/// A scopedPDU that was read, in octets that the codec chooses.
#[derive(Debug, PartialEq, Eq)]
pub struct Scoped<T> {
    /// The engine that has the context.
    pub context_engine_id: T,
    /// The context.
    pub context_name: T,
    /// The PDU, tag first.
    pub pdu: T,
}

/// A scopedPDU to be written; the PDU is BER already.
#[derive(Clone, Copy)]
pub struct ToWrite<'a> {
    /// The engine that has the context.
    pub context_engine_id: &'a [u8],
    /// The context.
    pub context_name: &'a [u8],
    /// The PDU, tag first.
    pub pdu: &'a [u8],
}

/// Reads and writes messages.
pub trait Codec: Send + Sync + 'static {
    /// Octets that were read.
    type Octets<'a>: AsRef<[u8]>;

    /// Reads a message. Positions count from the beginning of `octets`; whether flags and data fit together
    /// is not asked (RFC 3412 §7.2 step 2).
    ///
    /// # Errors
    /// `BadVersion` where the version is not 3, `ParseError` where it is no message or not the only one.
    fn message(octets: &[u8]) -> Result<Message<'_>, MessageErrorKind>;

    /// Reads a scopedPDU. Behind one that was encrypted up to 15 octets of padding are left out
    /// (RFC 3414 §8.1.1.2), behind another nothing may stand. `None` where it is none.
    fn scoped_pdu(octets: &[u8], was_encrypted: bool) -> Option<Scoped<Self::Octets<'_>>>;

    /// The request-id of a PDU of any tag, if it begins with one.
    fn request_id(pdu: &[u8]) -> Option<i32>;

    /// Appends a scopedPDU.
    ///
    /// # Errors
    /// There is no memory for it.
    fn append_scoped_pdu(scoped: ToWrite<'_>, out: &mut Buf) -> Result<(), Full>;

    /// Appends a Report-PDU with another request-id than it has.
    ///
    /// # Errors
    /// `InvalidMessage` where the PDU is no Report, `Call` where there is no memory.
    fn append_report(pdu: &[u8], request_id: i32, out: &mut Buf) -> Result<(), MessageError>;

    /// Version and msgGlobalData: what stands in a message before its security parameters.
    ///
    /// # Errors
    /// The room is too small, which it never is.
    fn global_data(header: Header, room: &mut [u8; MAX_GLOBAL_DATA]) -> Result<&[u8], Full>;
}

/// Version and msgGlobalData take so many octets at most.
pub const MAX_GLOBAL_DATA: usize = 32;
