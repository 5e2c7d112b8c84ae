//! The codec of SNMPv3 messages over `s-wire`. It allocates nothing.

use message_v3_model::Codec;
use message_v3_model::codec::{MAX_GLOBAL_DATA, Message, Scoped, ToWrite};
use roles::message::{MessageError, MessageErrorKind};
use s_sdk::{Buf, Full};
use s_wire::ber::{Encode, Part, Reader, Writer};
use s_wire::{Error, Fault, Header, PduKind, ScopedPdu, V3Message, Version};

/// The codec of `s-wire`.
pub struct Wire;

impl Codec for Wire {
    type Octets<'a> = &'a [u8];

    #[inline]
    fn message(octets: &[u8]) -> Result<Message<'_>, MessageErrorKind> {
        V3Message::decode(octets).map_err(not_a_message)
    }

    #[inline]
    fn scoped_pdu(octets: &[u8], was_encrypted: bool) -> Option<Scoped<&[u8]>> {
        let reader = Reader::new(octets);
        let scoped = if was_encrypted {
            ScopedPdu::decode_decrypted(reader)
        } else {
            ScopedPdu::decode(reader)
        };
        let ScopedPdu { context_engine_id, context_name, pdu } = scoped.ok()?;
        Some(Scoped { context_engine_id, context_name, pdu: pdu.octets })
    }

    fn request_id(pdu: &[u8]) -> Option<i32> {
        Reader::new(pdu).any().ok()?.1.reader().integer().ok()
    }

    #[inline]
    fn append_scoped_pdu(scoped: ToWrite<'_>, out: &mut Buf) -> Result<(), Full> {
        let ToWrite { context_engine_id, context_name, pdu } = scoped;
        append(out, &ScopedPdu { context_engine_id, context_name, pdu: Part::from(pdu) })
    }

    fn append_report(pdu: &[u8], request_id: i32, out: &mut Buf) -> Result<(), MessageError> {
        Ok(append(out, &Reported::of(pdu, request_id)?)?)
    }

    #[inline]
    fn global_data(header: Header, room: &mut [u8; MAX_GLOBAL_DATA]) -> Result<&[u8], Full> {
        let mut writer = Writer::new(room);
        header.encode(&mut writer).map_err(|s_wire::Full| Full)?;
        writer.integer(Version::V3 as i32).map_err(|s_wire::Full| Full)?;
        Ok(writer.finish())
    }
}

fn not_a_message(error: Error) -> MessageErrorKind {
    match error.reason.fault() {
        Fault::BadVersion => MessageErrorKind::BadVersion,
        Fault::InvalidMessage => MessageErrorKind::InvalidMessage,
        Fault::AsnParse | Fault::UnknownPduHandler => MessageErrorKind::ParseError,
    }
}

/// Appends what can be written.
fn append(out: &mut Buf, what: &impl Encode) -> Result<(), Full> {
    const ZEROS: &[u8] = &[0; 1024];
    let at = out.len();
    let mut missing = what.encoded_len();
    out.reserve(missing)?;
    while missing > 0 {
        let some = missing.min(ZEROS.len());
        out.append(&ZEROS[..some])?;
        missing -= some;
    }
    what.encode_into(&mut out[at..]).map_err(|s_wire::Full| Full)?;
    Ok(())
}

/// A Report with the request-id of the PDU that it is about.
struct Reported<'a> {
    request_id: i32,
    behind_request_id: &'a [u8],
}

impl<'a> Reported<'a> {
    /// A refused message is answered by nothing but a Report.
    fn of(pdu: &'a [u8], request_id: i32) -> Result<Self, MessageError> {
        let invalid = |_: Error| MessageErrorKind::InvalidMessage;
        let mut contents = Reader::new(pdu).nested(PduKind::Report.tag()).map_err(invalid)?;
        contents.integer().map_err(invalid)?;
        Ok(Reported { request_id, behind_request_id: contents.rest().octets })
    }
}

impl Encode for Reported<'_> {
    fn encoded_len(&self) -> usize {
        let contents = s_wire::ber::integer_len(self.request_id) + self.behind_request_id.len();
        s_wire::ber::element_len(contents)
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), s_wire::Full> {
        writer.nested(PduKind::Report.tag(), |writer| {
            writer.octets(self.behind_request_id)?;
            writer.integer(self.request_id)
        })
    }
}
