//! Why octets were refused, where, and whose fault the RFCs say that is.
//!
//! It never moves a counter: the one who discards the message does. Invariant: every reason has exactly
//! one [`Fault`], in one exhaustive match.

use thiserror::Error as ThisError;

/// Why octets were refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("octet {at}: {reason}")]
pub struct Error {
    /// Why.
    pub reason: Reason,
    /// The position of the element at fault, in the octets that decoding began with.
    pub at: usize,
}

/// Why octets were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ThisError)]
pub enum Reason {
    /// An element is longer than what it lies in.
    #[error("the element ends behind the end of what it lies in")]
    Truncated,
    /// RFC 3417 §8 (1): only the definite form.
    #[error("the length is of the indefinite form, which SNMP forbids")]
    IndefiniteLength,
    /// X.690 §8.1.3.5: the first length octet may not be 0xff; or the number fits no machine word.
    #[error("the length is not a length")]
    BadLength,
    /// RFC 3417 §8 (2): strings are primitive.
    #[error("the string is constructed, which SNMP forbids")]
    Constructed,
    /// Another type belongs here.
    #[error("an element of another type belongs here")]
    UnexpectedTag,
    /// More than the type has, or more than one message.
    #[error("there are octets behind the end")]
    TrailingOctets,
    /// X.690 §8.3.1: at least one octet.
    #[error("the integer has no octets")]
    EmptyInteger,
    /// The type does not have this number.
    #[error("the integer is outside the range of its type")]
    IntegerOutOfRange,
    /// X.690 §8.19.1: at least one subidentifier.
    #[error("the object identifier has no octets")]
    EmptyOid,
    /// The last subidentifier goes on behind the end.
    #[error("the last subidentifier has no end")]
    UnterminatedArc,
    /// X.690 §8.19.2: the leading octet of a subidentifier is not 0x80.
    #[error("a subidentifier begins with a zero digit")]
    PaddedArc,
    /// RFC 2578 §3.5: at most 2^32-1.
    #[error("a subidentifier is above 2^32-1")]
    ArcTooLarge,
    /// RFC 2578 §3.5: at most 128.
    #[error("the object identifier has more than 128 subidentifiers")]
    TooManyArcs,
    /// The type does not have this many octets.
    #[error("the contents have a length that their type does not have")]
    WrongSize,
    /// RFC 1155: SNMPv1 has no Counter64, no exceptions and no other later types.
    #[error("SNMPv1 has no values of this type")]
    NotInVersion,
    /// RFC 3412 §4.2.1 step 2.
    #[error("the message is of a version that is not SNMPv1, v2c or v3, or not the one expected")]
    BadVersion,
    /// The tag is that of no PDU of this version.
    #[error("there is no such PDU in this version")]
    UnknownPdu,
    /// RFC 3412 §7.2 step 5 d.
    #[error("the flags ask for privacy without authentication")]
    PrivacyWithoutAuthentication,
    /// The flags say encrypted and the data is plain, or the other way round.
    #[error("the data is not as the flags say")]
    DataNotAsFlagged,
}

/// Which counter a discard moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// snmpInASNParseErrs (RFC 3412 §4.2.1 step 1, §7.2 steps 2 and 7; RFC 3414 §3.2 step 1).
    AsnParse,
    /// snmpInBadVersions (RFC 3412 §4.2.1 step 2).
    BadVersion,
    /// snmpInvalidMsgs (RFC 3412 §7.2 step 5).
    InvalidMessage,
    /// snmpUnknownPDUHandlers (RFC 3412 §4.2.2.1 step 2: nobody registered for it).
    UnknownPduHandler,
}

impl Reason {
    /// The counter that a discard for this reason moves.
    pub const fn fault(self) -> Fault {
        match self {
            Reason::Truncated
            | Reason::IndefiniteLength
            | Reason::BadLength
            | Reason::Constructed
            | Reason::UnexpectedTag
            | Reason::TrailingOctets
            | Reason::EmptyInteger
            | Reason::IntegerOutOfRange
            | Reason::EmptyOid
            | Reason::UnterminatedArc
            | Reason::PaddedArc
            | Reason::ArcTooLarge
            | Reason::TooManyArcs
            | Reason::WrongSize
            | Reason::NotInVersion => Fault::AsnParse,
            Reason::BadVersion => Fault::BadVersion,
            Reason::UnknownPdu => Fault::UnknownPduHandler,
            Reason::PrivacyWithoutAuthentication | Reason::DataNotAsFlagged => {
                Fault::InvalidMessage
            }
        }
    }

    /// The reason at a place.
    pub const fn at(self, at: usize) -> Error {
        Error { reason: self, at }
    }
}
