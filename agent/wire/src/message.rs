//! The envelope of SNMPv1 and v2c (RFC 1157 §4, RFC 1901 §3), and which of the three a message has.
//!
//! It never looks into the PDU, and never compares a community: communities are octets, in any character
//! set or none. Invariant: the message ends where its SEQUENCE ends.

use crate::ber::{self, Encode, Full, Part, Reader, Writer, tag};
use crate::error::{Error, Reason};
use crate::pdu::{AnyPdu, PduVersion};
use crate::v3::{ScopedPduData, V3Message};

/// The version of a message. Numbers are those of the version field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 1157.
    V1 = 0,
    /// RFC 1901.
    V2c = 1,
    /// RFC 3412.
    V3 = 3,
}

impl Version {
    /// The version of a message, of which nothing else is read.
    ///
    /// # Errors
    /// There is no version (RFC 3412 §4.2.1 step 1), or none of these (step 2).
    pub fn peek(message: &[u8]) -> Result<Self, Error> {
        Version::read(&mut Reader::new(message).nested(tag::SEQUENCE)?)
    }

    #[inline]
    pub(crate) fn read(message: &mut Reader<'_>) -> Result<Self, Error> {
        let at = message.at();
        match message.integer() {
            Ok(0) => Ok(Version::V1),
            Ok(1) => Ok(Version::V2c),
            Ok(3) => Ok(Version::V3),
            // A number too large for every version is still the number of a version.
            Ok(_) | Err(Error { reason: Reason::IntegerOutOfRange, .. }) => {
                Err(Reason::BadVersion.at(at))
            }
            Err(error) => Err(error),
        }
    }

    /// The version of the PDUs in it.
    pub const fn pdu_version(self) -> PduVersion {
        match self {
            Version::V1 => PduVersion::V1,
            Version::V2c | Version::V3 => PduVersion::V2,
        }
    }
}

/// A message of any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// SNMPv1 or v2c.
    Community(CommunityMessage<'a>),
    /// SNMPv3.
    V3(V3Message<Part<'a>, ScopedPduData<'a>>),
}

impl<'a> Message<'a> {
    /// Reads a message of any version, without its PDU.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(message: &'a [u8]) -> Result<Self, Error> {
        match Version::peek(message)? {
            Version::V1 | Version::V2c => CommunityMessage::decode(message).map(Message::Community),
            Version::V3 => V3Message::decode(message).map(Message::V3),
        }
    }
}

/// A message of SNMPv1 or v2c. `P` is its PDU: the octets of the whole element where it was read,
/// anything that can be written where a program made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityMessage<'a, P = Part<'a>> {
    /// SNMPv1 or, with PDUs of version 2, SNMPv2c.
    pub version: PduVersion,
    /// The community.
    pub community: Part<'a>,
    /// The PDU.
    pub pdu: P,
}

impl<'a> CommunityMessage<'a> {
    /// Reads a message, without its PDU.
    ///
    /// # Errors
    /// It is none, or of SNMPv3.
    #[inline]
    pub fn decode(message: &'a [u8]) -> Result<Self, Error> {
        let mut whole = Reader::new(message);
        let mut parts = whole.nested(tag::SEQUENCE)?;
        let at = parts.at();
        let version = match Version::read(&mut parts)? {
            Version::V1 => PduVersion::V1,
            Version::V2c => PduVersion::V2,
            Version::V3 => return Err(Reason::BadVersion.at(at)),
        };
        whole.finish()?;
        let community = parts.contents(tag::OCTET_STRING)?;
        let pdu = parts.whole()?;
        parts.finish()?;
        Ok(CommunityMessage { version, community, pdu })
    }

    /// Reads its PDU.
    ///
    /// # Errors
    /// It is none of this version.
    #[inline]
    pub fn decode_pdu(&self) -> Result<AnyPdu<'a>, Error> {
        AnyPdu::decode(self.pdu.reader(), self.version)
    }
}

impl<P> CommunityMessage<'_, P> {
    /// The octets inside of the message beside the PDU: one level of a [`crate::Budget`].
    pub const fn frame_len(&self) -> usize {
        ber::integer_len(0) + ber::element_len(self.community.octets.len())
    }
}

impl<P: Encode> Encode for CommunityMessage<'_, P> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.frame_len() + self.pdu.encoded_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            self.pdu.encode(writer)?;
            writer.string(tag::OCTET_STRING, self.community.octets)?;
            writer.integer(match self.version {
                PduVersion::V1 => Version::V1 as i32,
                PduVersion::V2 => Version::V2c as i32,
            })
        })
    }
}
