//! How long a message is, and what fits in one (RFC 3414 §3.2 step 9), to the octet.
//!
//! It writes nothing. Invariant: what it says is what [`crate::outgoing`] writes.

use roles::varbind::message_model;
use s_wire::ber::{self, tag};
use s_wire::{Encode, Part, Reader, UsmParameters};

/// As many zeros as a code or a salt has octets at most.
pub(crate) const ZEROS: &[u8; 64] = &[0; 64];

/// What is around the scopedPDU in a message.
pub(crate) struct Frame<'a> {
    /// How many octets the version and the msgGlobalData take.
    pub(crate) global_data: usize,
    pub(crate) parameters: UsmParameters<'a>,
    /// Octets of a block of the cipher; `None` for a scopedPDU in plain.
    pub(crate) block: Option<usize>,
}

/// The lengths of a message.
pub(crate) struct Lengths {
    /// Of the cipher; 0 without one.
    pub(crate) cipher: usize,
    /// Of all but the octets of the cipher or of the scopedPDU.
    pub(crate) prefix: usize,
    /// Of the contents of the outermost SEQUENCE.
    pub(crate) contents: usize,
    pub(crate) message: usize,
}

impl<'a> Frame<'a> {
    fn beside_data(&self) -> usize {
        self.global_data + ber::element_len(self.parameters.encoded_len())
    }

    /// The lengths of the message around a scopedPDU.
    pub(crate) fn lengths(&self, scoped_pdu: usize) -> Lengths {
        let cipher = self.block.map_or(0, |block| scoped_pdu.next_multiple_of(block.max(1)));
        let data = if self.block.is_some() { ber::element_len(cipher) } else { scoped_pdu };
        let contents = self.beside_data() + data;
        let message = ber::element_len(contents);
        let body = if self.block.is_some() { cipher } else { scoped_pdu };
        Lengths { cipher, prefix: message - body, contents, message }
    }

    /// The longest scopedPDU for which the message has at most so many octets; 0 if there is none.
    pub(crate) fn largest_scoped_pdu(&self, limit: usize) -> usize {
        let largest = || {
            let data = ber::largest_contents(limit)?.checked_sub(self.beside_data())?;
            let Some(block) = self.block else { return Some(data) };
            let cipher = ber::largest_contents(data)?;
            Some(cipher - cipher % block.max(1))
        };
        largest().unwrap_or(0)
    }
}

/// Parameters with room for a code and a salt of these lengths.
pub(crate) fn parameters<'a>(
    engine_id: &'a [u8],
    clock: roles::privacy::EngineTime,
    user_name: &'a [u8],
    mac_length: u32,
    salt_length: u32,
) -> Option<UsmParameters<'a>> {
    Some(UsmParameters {
        engine_id,
        engine_boots: clock.boots,
        engine_time: clock.time_seconds,
        user_name,
        authentication: Part::from(ZEROS.get(..mac_length as usize)?),
        privacy: ZEROS.get(..salt_length as usize)?,
    })
}

/// How many octets the version and the msgGlobalData of the answer to a message will take. They belong to
/// the message processing model; this much is known of SNMPv3's: msgID as in the request, our own
/// msgMaxSize, one octet of flags, the same model (RFC 3412 §7.1 step 8).
pub(crate) fn global_data_of_answer(model: u32, request: &[u8], own_max_size: u32) -> usize {
    let msg_id = || {
        let mut message = Reader::new(request).nested(tag::SEQUENCE).ok()?;
        message.contents(tag::INTEGER).ok()?;
        message.nested(tag::SEQUENCE).ok()?.integer().ok()
    };
    // As long as any, where it cannot be known.
    let msg_id = if model == message_model::SNMPV3 { msg_id() } else { None }.unwrap_or(i32::MAX);
    let header = ber::integer_len(msg_id)
        + ber::unsigned_len(own_max_size.into())
        + ber::element_len(1)
        + ber::integer_len(3);
    ber::integer_len(3) + ber::element_len(header)
}
