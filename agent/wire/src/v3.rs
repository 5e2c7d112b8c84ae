//! The envelope of SNMPv3 (RFC 3412 §6): header, security parameters, scopedPDU in plain or encrypted.
//!
//! It never looks into security parameters, which belong to a security model, nor into the PDU.
//! Invariant: numbers of an accepted header are within the ranges of RFC 3412 §6. Whether header and data
//! fit together is asked apart, by [`V3Message::check`], because RFC 3412 §7.2 looks for the security model
//! (step 4) before it looks at the flags (step 5).

use crate::ber::{self, Encode, Full, Part, Reader, Writer, tag};
use crate::error::{Error, Reason};
use crate::message::Version;
use crate::pdu::{AnyPdu, PduVersion};

/// The smallest msgMaxSize (RFC 3412 §6.3).
pub const MIN_MAX_SIZE: u32 = 484;
/// The largest number of the fields that RFC 3412 bounds by 2^31-1.
const MOST: u32 = i32::MAX.cast_unsigned();

/// The msgFlags; bits that RFC 3412 §6.4 does not name are kept and mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// The bit that says authenticated.
    pub const AUTHENTICATED: u8 = 0x01;
    /// The bit that says encrypted.
    pub const PRIVATE: u8 = 0x02;
    /// The bit that allows a Report.
    pub const REPORTABLE: u8 = 0x04;

    /// Whether the message is authenticated.
    pub const fn is_authenticated(self) -> bool {
        self.0 & Flags::AUTHENTICATED != 0
    }

    /// Whether the scopedPDU is encrypted.
    pub const fn is_private(self) -> bool {
        self.0 & Flags::PRIVATE != 0
    }

    /// Whether a Report may answer.
    pub const fn is_reportable(self) -> bool {
        self.0 & Flags::REPORTABLE != 0
    }
}

/// The msgGlobalData. Its numbers are at most 2^31-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The msgID, which an answer repeats.
    pub msg_id: u32,
    /// The largest message that the sender takes: 484 at least.
    pub max_size: u32,
    /// The flags.
    pub flags: Flags,
    /// The security model: 1 at least.
    pub security_model: u32,
}

impl Header {
    #[inline]
    fn read(message: &mut Reader<'_>) -> Result<Self, Error> {
        let mut header = message.nested(tag::SEQUENCE)?;
        let msg_id = header.integer_within(0..=MOST)?;
        let max_size = header.integer_within(MIN_MAX_SIZE..=MOST)?;
        let flags_at = header.at();
        let &[flags] = header.contents(tag::OCTET_STRING)?.octets else {
            return Err(Reason::WrongSize.at(flags_at));
        };
        let security_model = header.integer_within(1..=MOST)?;
        header.finish()?;
        Ok(Header { msg_id, max_size, flags: Flags(flags), security_model })
    }

    const fn contents_len(&self) -> usize {
        ber::unsigned_len(self.msg_id as u64)
            + ber::unsigned_len(self.max_size as u64)
            + ber::element_len(1)
            + ber::unsigned_len(self.security_model as u64)
    }
}

impl Encode for Header {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.contents_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            writer.unsigned(tag::INTEGER, u64::from(self.security_model))?;
            writer.string(tag::OCTET_STRING, &[self.flags.0])?;
            writer.unsigned(tag::INTEGER, u64::from(self.max_size))?;
            writer.unsigned(tag::INTEGER, u64::from(self.msg_id))
        })
    }
}

/// The msgData. `P` is the scopedPDU: the octets of the whole element where it was read, anything that
/// can be written where a program made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopedPduData<'a, P = Part<'a>> {
    /// A scopedPDU.
    Plain(P),
    /// An encrypted one: the contents of the OCTET STRING.
    Encrypted(Part<'a>),
}

impl<P: Encode> Encode for ScopedPduData<'_, P> {
    fn encoded_len(&self) -> usize {
        match self {
            ScopedPduData::Plain(scoped) => scoped.encoded_len(),
            ScopedPduData::Encrypted(octets) => ber::element_len(octets.octets.len()),
        }
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            ScopedPduData::Plain(scoped) => scoped.encode(writer),
            ScopedPduData::Encrypted(octets) => writer.string(tag::OCTET_STRING, octets.octets),
        }
    }
}

/// A message of SNMPv3. `S` are the contents of its security parameters, `D` is its data, `H` its header:
/// as they were read, or anything that can be written in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V3Message<S, D, H = Header> {
    /// The msgGlobalData.
    pub header: H,
    /// The contents of the msgSecurityParameters.
    pub security_parameters: S,
    /// The msgData.
    pub data: D,
}

impl<'a> V3Message<Part<'a>, ScopedPduData<'a>> {
    /// Reads a message, without its security parameters and its PDU.
    ///
    /// # Errors
    /// It is none, or of another version.
    #[inline]
    pub fn decode(message: &'a [u8]) -> Result<Self, Error> {
        let mut whole = Reader::new(message);
        let mut parts = whole.nested(tag::SEQUENCE)?;
        let at = parts.at();
        if Version::read(&mut parts)? != Version::V3 {
            return Err(Reason::BadVersion.at(at));
        }
        whole.finish()?;
        let header = Header::read(&mut parts)?;
        let security_parameters = parts.contents(tag::OCTET_STRING)?;
        let data = match parts.peek_tag() {
            Some(tag::OCTET_STRING) => ScopedPduData::Encrypted(parts.contents(tag::OCTET_STRING)?),
            _ => {
                let before = parts;
                // Looks at the tag; the element is kept whole.
                parts.nested(tag::SEQUENCE)?;
                ScopedPduData::Plain({ before }.whole()?)
            }
        };
        parts.finish()?;
        Ok(V3Message { header, security_parameters, data })
    }

    /// Whether flags and data fit together: what RFC 3412 §7.2 looks at in step 5, after it has found the
    /// security model.
    ///
    /// # Errors
    /// Privacy without authentication, or data that is not as flagged.
    pub fn check(&self) -> Result<(), Error> {
        let (is_encrypted, data) = match &self.data {
            ScopedPduData::Plain(data) => (false, data),
            ScopedPduData::Encrypted(data) => (true, data),
        };
        let flags = self.header.flags;
        if flags.is_private() && !flags.is_authenticated() {
            return Err(Reason::PrivacyWithoutAuthentication.at(0));
        }
        if flags.is_private() != is_encrypted {
            return Err(Reason::DataNotAsFlagged.at(data.at));
        }
        Ok(())
    }
}

impl<S: Encode, D, H: Encode> V3Message<S, D, H> {
    /// The octets inside of the message beside the data: one level of a [`crate::Budget`].
    pub fn frame_len(&self) -> usize {
        ber::integer_len(Version::V3 as i32)
            + self.header.encoded_len()
            + ber::element_len(self.security_parameters.encoded_len())
    }
}

impl<S: Encode, D: Encode, H: Encode> Encode for V3Message<S, D, H> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.frame_len() + self.data.encoded_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            self.data.encode(writer)?;
            writer.nested(tag::OCTET_STRING, |writer| self.security_parameters.encode(writer))?;
            self.header.encode(writer)?;
            writer.integer(Version::V3 as i32)
        })
    }
}

/// A scopedPDU (RFC 3412 §6.8). `P` is its PDU: the octets of the whole element where it was read,
/// anything that can be written where a program made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopedPdu<'a, P = Part<'a>> {
    /// The engine that has the context.
    pub context_engine_id: &'a [u8],
    /// The context.
    pub context_name: &'a [u8],
    /// The PDU.
    pub pdu: P,
}

impl<'a> ScopedPdu<'a> {
    /// Reads a scopedPDU, without its PDU.
    ///
    /// # Errors
    /// It is none, or octets stand behind it.
    #[inline]
    pub fn decode(mut reader: Reader<'a>) -> Result<Self, Error> {
        let scoped = ScopedPdu::read(&mut reader)?;
        reader.finish()?;
        Ok(scoped)
    }

    /// Reads what was decrypted: a scopedPDU and the padding that a block cipher left behind it
    /// (RFC 3414 §8.1.1.2), which is anything, shorter than a block of 16 octets.
    ///
    /// # Errors
    /// It is none, or more than padding stands behind it.
    #[inline]
    pub fn decode_decrypted(mut reader: Reader<'a>) -> Result<Self, Error> {
        let scoped = ScopedPdu::read(&mut reader)?;
        if reader.rest().octets.len() < 16 { Ok(scoped) } else { reader.finish().map(|()| scoped) }
    }

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mut scoped = reader.nested(tag::SEQUENCE)?;
        let context_engine_id = scoped.contents(tag::OCTET_STRING)?.octets;
        let context_name = scoped.contents(tag::OCTET_STRING)?.octets;
        let tag = scoped.peek_tag();
        if !tag.is_none_or(tag::begins_an_element) {
            return Err(Reason::UnexpectedTag.at(scoped.at()));
        }
        let pdu = scoped.whole()?;
        scoped.finish()?;
        Ok(ScopedPdu { context_engine_id, context_name, pdu })
    }

    /// Reads its PDU.
    ///
    /// # Errors
    /// It is none.
    #[inline]
    pub fn decode_pdu(&self) -> Result<AnyPdu<'a>, Error> {
        AnyPdu::decode(self.pdu.reader(), PduVersion::V2)
    }
}

impl<P> ScopedPdu<'_, P> {
    /// The octets inside of the scopedPDU beside the PDU: one level of a [`crate::Budget`].
    pub const fn frame_len(&self) -> usize {
        ber::element_len(self.context_engine_id.len()) + ber::element_len(self.context_name.len())
    }
}

impl<P: Encode> Encode for ScopedPdu<'_, P> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.frame_len() + self.pdu.encoded_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            self.pdu.encode(writer)?;
            writer.string(tag::OCTET_STRING, self.context_name)?;
            writer.string(tag::OCTET_STRING, self.context_engine_id)
        })
    }
}
