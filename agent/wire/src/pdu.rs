//! PDUs of SNMPv1 (RFC 1157 §4.1) and of SNMPv2 and v3 (RFC 3416 §3), the Trap-PDU of SNMPv1 included.
//!
//! It never says what a PDU is answered with, and refuses no number that RFC 3416 tells receivers to
//! ignore: whatever stands in a request's error fields is kept. Invariant: a PDU was read to its end.

use crate::ber::{self, Encode, Full, Reader, Writer};
use crate::error::{Error, Reason};
use crate::oid::{ObjectName, Oid};
use crate::value::value_tag;
use crate::varbind::VarBindList;

/// The version of a PDU (RFC 3411 §6: pduVersion): SNMPv1 has other PDUs and fewer values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PduVersion {
    /// RFC 1157.
    V1,
    /// RFC 3416: of SNMPv2c and of SNMPv3.
    V2,
}

/// Which PDU. Numbers are the tags, as whole identifier octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PduKind {
    /// GetRequest.
    Get = 0xa0,
    /// GetNextRequest.
    GetNext = 0xa1,
    /// Response; SNMPv1 says GetResponse.
    Response = 0xa2,
    /// SetRequest.
    Set = 0xa3,
    /// Trap of SNMPv1, which is a [`TrapV1`].
    TrapV1 = 0xa4,
    /// GetBulkRequest.
    GetBulk = 0xa5,
    /// InformRequest.
    Inform = 0xa6,
    /// SNMPv2-Trap.
    TrapV2 = 0xa7,
    /// Report.
    Report = 0xa8,
}

impl PduKind {
    /// All of them.
    pub const ALL: [PduKind; 9] = [
        PduKind::Get,
        PduKind::GetNext,
        PduKind::Response,
        PduKind::Set,
        PduKind::TrapV1,
        PduKind::GetBulk,
        PduKind::Inform,
        PduKind::TrapV2,
        PduKind::Report,
    ];

    /// Its tag.
    pub const fn tag(self) -> u8 {
        self as u8
    }

    /// The PDU with this tag, if this version has it.
    pub const fn of(tag: u8, version: PduVersion) -> Option<Self> {
        Some(match (tag, version) {
            (0xa0, _) => PduKind::Get,
            (0xa1, _) => PduKind::GetNext,
            (0xa2, _) => PduKind::Response,
            (0xa3, _) => PduKind::Set,
            (0xa4, PduVersion::V1) => PduKind::TrapV1,
            (0xa5, PduVersion::V2) => PduKind::GetBulk,
            (0xa6, PduVersion::V2) => PduKind::Inform,
            (0xa7, PduVersion::V2) => PduKind::TrapV2,
            (0xa8, PduVersion::V2) => PduKind::Report,
            _ => return None,
        })
    }

    fn read<'a>(
        reader: &mut Reader<'a>,
        version: PduVersion,
    ) -> Result<(PduKind, Reader<'a>), Error> {
        let at = reader.at();
        let (tag, contents) = reader.any()?;
        let kind = PduKind::of(tag, version).ok_or(Reason::UnknownPdu.at(at))?;
        Ok((kind, contents.reader()))
    }
}

/// Every PDU but the Trap-PDU of SNMPv1. `B` is its list: [`VarBindList`] where it was read, anything
/// that can be written where a program made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu<B> {
    /// Which one.
    pub kind: PduKind,
    /// What a Response repeats.
    pub request_id: i32,
    /// The error-status; in a GetBulk the non-repeaters, as they were sent.
    pub error_status: i32,
    /// The error-index; in a GetBulk the max-repetitions, as they were sent.
    pub error_index: i32,
    /// The variable bindings.
    pub bindings: B,
}

impl<B> Pdu<B> {
    /// The non-repeaters of a GetBulk. RFC 3416 §4.2.3: a negative number counts as zero.
    pub const fn non_repeaters(&self) -> u32 {
        clamped(self.error_status)
    }

    /// The max-repetitions of a GetBulk. RFC 3416 §4.2.3: a negative number counts as zero.
    pub const fn max_repetitions(&self) -> u32 {
        clamped(self.error_index)
    }

    /// The octets inside of the PDU beside the list: one level of a [`crate::Budget`].
    pub const fn frame_len(&self) -> usize {
        ber::integer_len(self.request_id)
            + ber::integer_len(self.error_status)
            + ber::integer_len(self.error_index)
    }

    /// The same PDU with another list.
    pub fn with_bindings<C>(self, bindings: C) -> Pdu<C> {
        let Pdu { kind, request_id, error_status, error_index, bindings: _ } = self;
        Pdu { kind, request_id, error_status, error_index, bindings }
    }
}

const fn clamped(count: i32) -> u32 {
    if count < 0 { 0 } else { count.cast_unsigned() }
}

impl<'a> Pdu<VarBindList<'a>> {
    fn read(kind: PduKind, mut pdu: Reader<'a>, version: PduVersion) -> Result<Self, Error> {
        let pdu_read = Pdu {
            kind,
            request_id: pdu.integer()?,
            error_status: pdu.integer()?,
            error_index: pdu.integer()?,
            bindings: VarBindList::read(&mut pdu, version)?,
        };
        pdu.finish()?;
        Ok(pdu_read)
    }
}

impl<B: Encode> Encode for Pdu<B> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.frame_len() + self.bindings.encoded_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(self.kind.tag(), |writer| {
            self.bindings.encode(writer)?;
            writer.integer(self.error_index)?;
            writer.integer(self.error_status)?;
            writer.integer(self.request_id)
        })
    }
}

/// The Trap-PDU of SNMPv1 (RFC 1157 §4.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrapV1<O, B> {
    /// The type of the object that sends it.
    pub enterprise: O,
    /// Its address.
    pub agent_address: [u8; 4],
    /// The generic-trap; 6 is enterpriseSpecific.
    pub generic_trap: i32,
    /// The specific-trap.
    pub specific_trap: i32,
    /// The sysUpTime.
    pub time_stamp: u32,
    /// The variable bindings.
    pub bindings: B,
}

impl<'a> TrapV1<Oid<'a>, VarBindList<'a>> {
    fn read(mut pdu: Reader<'a>) -> Result<Self, Error> {
        let enterprise = Oid::read(&mut pdu)?;
        let address_at = pdu.at();
        let address = pdu.contents(value_tag::IP_ADDRESS)?.octets;
        let agent_address = address.try_into().map_err(|_| Reason::WrongSize.at(address_at))?;
        let (generic_trap, specific_trap) = (pdu.integer()?, pdu.integer()?);
        let time_at = pdu.at();
        let time_stamp = ber::unsigned(pdu.contents(value_tag::TIME_TICKS)?.octets)
            .and_then(|ticks| u32::try_from(ticks).map_err(|_| Reason::IntegerOutOfRange))
            .map_err(|reason| reason.at(time_at))?;
        let bindings = VarBindList::read(&mut pdu, PduVersion::V1)?;
        pdu.finish()?;
        Ok(TrapV1 { enterprise, agent_address, generic_trap, specific_trap, time_stamp, bindings })
    }
}

impl<O: ObjectName, B: Encode> Encode for TrapV1<O, B> {
    fn encoded_len(&self) -> usize {
        ber::element_len(
            self.enterprise.encoded_len()
                + ber::element_len(self.agent_address.len())
                + ber::integer_len(self.generic_trap)
                + ber::integer_len(self.specific_trap)
                + ber::unsigned_len(u64::from(self.time_stamp))
                + self.bindings.encoded_len(),
        )
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(PduKind::TrapV1.tag(), |writer| {
            self.bindings.encode(writer)?;
            writer.unsigned(value_tag::TIME_TICKS, u64::from(self.time_stamp))?;
            writer.integer(self.specific_trap)?;
            writer.integer(self.generic_trap)?;
            writer.string(value_tag::IP_ADDRESS, &self.agent_address)?;
            self.enterprise.encode(writer)
        })
    }
}

/// A PDU that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyPdu<'a> {
    /// Any but the Trap-PDU of SNMPv1.
    Pdu(Pdu<VarBindList<'a>>),
    /// The Trap-PDU of SNMPv1.
    TrapV1(TrapV1<Oid<'a>, VarBindList<'a>>),
}

impl<'a> AnyPdu<'a> {
    /// Reads a PDU of a version, its bindings included.
    ///
    /// # Errors
    /// It is none, or octets stand behind it.
    #[inline]
    pub fn decode(mut reader: Reader<'a>, version: PduVersion) -> Result<Self, Error> {
        let (kind, contents) = PduKind::read(&mut reader, version)?;
        reader.finish()?;
        match kind {
            PduKind::TrapV1 => TrapV1::read(contents).map(AnyPdu::TrapV1),
            kind => Pdu::read(kind, contents, version).map(AnyPdu::Pdu),
        }
    }

    /// Which one.
    pub const fn kind(&self) -> PduKind {
        match self {
            AnyPdu::Pdu(pdu) => pdu.kind,
            AnyPdu::TrapV1(_) => PduKind::TrapV1,
        }
    }

    /// The variable bindings.
    pub const fn bindings(&self) -> VarBindList<'a> {
        match self {
            AnyPdu::Pdu(pdu) => pdu.bindings,
            AnyPdu::TrapV1(trap) => trap.bindings,
        }
    }
}

impl Encode for AnyPdu<'_> {
    fn encoded_len(&self) -> usize {
        match self {
            AnyPdu::Pdu(pdu) => pdu.encoded_len(),
            AnyPdu::TrapV1(trap) => trap.encoded_len(),
        }
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            AnyPdu::Pdu(pdu) => pdu.encode(writer),
            AnyPdu::TrapV1(trap) => trap.encode(writer),
        }
    }
}

/// What a message processing model looks at: which PDU it is, and its request-id, 0 in a [`TrapV1`].
/// The rest of the PDU stays unread.
///
/// # Errors
/// It is no PDU of this version, octets stand behind it, or it does not begin with a request-id.
pub fn peek(mut reader: Reader<'_>, version: PduVersion) -> Result<(PduKind, i32), Error> {
    let (kind, mut contents) = PduKind::read(&mut reader, version)?;
    reader.finish()?;
    match kind {
        PduKind::TrapV1 => Ok((kind, 0)),
        _ => Ok((kind, contents.integer()?)),
    }
}
