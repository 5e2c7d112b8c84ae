//! SNMPv3 messages (RFC 3412), read and written by `rasn-snmp`: a codec for any ASN.1, where `message-v3`
//! has one for SNMP alone.
//!
//! What becomes of messages is in `message-v3-model`, and what is carried is that of `message-v3`, so the two
//! replace each other in a running agent. It never hands on what SNMP forbids and ASN.1 allows: `form`
//! looks for that first. It allocates, as the codec does; that is what the other module is for.

mod form;

use message_v3_model::codec::{MAX_GLOBAL_DATA, Message, Scoped, ToWrite};
use message_v3_model::{Codec, V3Messages};
use rasn::ber;
use rasn::types::{Any, Integer, OctetString};
// The derived code calls methods of the traits.
use rasn::{AsnType, Decode, Decoder as _, Encode};
use rasn_snmp::v3::HeaderData;
use roles::message::{MessageError, MessageErrorKind};
use s_sdk::{Buf, Full};
use s_wire::v3::MIN_MAX_SIZE;
use s_wire::{Flags, Header, Part, ScopedPduData};

/// The module.
pub struct MessageV3Rasn(V3Messages<Rasn>);

message_v3_model::message_v3_module!(
    MessageV3Rasn,
    version = "0.9.0",
    annotation = "RFC 3412: the SNMPv3 message processing model, on the codec rasn"
);

/// The codec of `rasn-snmp`.
pub struct Rasn;

/// `rasn_snmp::v3::Message` without the type of its data: that one reads PDUs too, which is the engine's
/// to do, and refuses some that the engine answers.
#[derive(AsnType, Decode)]
struct Envelope {
    #[expect(dead_code, reason = "it was looked at before")]
    version: Integer,
    global_data: HeaderData,
    security_parameters: OctetString,
    data: Any,
}

/// `rasn_snmp::v3::ScopedPdu` with any PDU.
#[derive(AsnType, Decode, Encode)]
struct ScopedPdu {
    engine_id: OctetString,
    name: OctetString,
    data: Any,
}

impl Codec for Rasn {
    type Octets<'a> = OwnedOctets;

    fn message(octets: &[u8]) -> Result<Message<'_>, MessageErrorKind> {
        const NONE: MessageErrorKind = MessageErrorKind::ParseError;
        let version = form::version(octets).ok_or(NONE)?;
        // RFC 3412 §4.2.1 step 2, before anything is asked of the rest.
        if ber::decode::<Integer>(version).map_err(|_| NONE)? != Integer::from(3) {
            return Err(MessageErrorKind::BadVersion);
        }
        form::message(octets).ok_or(NONE)?;
        let envelope: Envelope = ber::decode(octets).map_err(|_| NONE)?;
        let header = header_of(&envelope.global_data).ok_or(NONE)?;
        // The form is definite and nothing stands behind the message, so its parts end where the next begins.
        let part = |end: usize, len: usize| {
            let at = end.checked_sub(len)?;
            Some(Part { at, octets: octets.get(at..end)? })
        };
        let end = octets.len();
        let data = part(end, envelope.data.as_bytes().len()).ok_or(NONE)?;
        let parameters = part(data.at, envelope.security_parameters.len()).ok_or(NONE)?;
        let data = if form::is_octet_string(data.octets) {
            let encrypted: OctetString = ber::decode(data.octets).map_err(|_| NONE)?;
            ScopedPduData::Encrypted(part(end, encrypted.len()).ok_or(NONE)?)
        } else {
            ScopedPduData::Plain(data)
        };
        Ok(Message { header, security_parameters: parameters, data })
    }

    fn scoped_pdu(octets: &[u8], was_encrypted: bool) -> Option<Scoped<OwnedOctets>> {
        form::scoped_pdu(octets)?;
        let (scoped, behind) = ber::decode_with_remainder::<ScopedPdu>(octets).ok()?;
        let most = if was_encrypted { 15 } else { 0 };
        (behind.len() <= most).then(|| Scoped {
            context_engine_id: OwnedOctets(scoped.engine_id.to_vec()),
            context_name: OwnedOctets(scoped.name.to_vec()),
            pdu: OwnedOctets(scoped.data.into_bytes()),
        })
    }

    fn request_id(pdu: &[u8]) -> Option<i32> {
        // What stands behind it is not read: PDUs that are malformed further on have a request-id, too.
        ber::decode(form::first_of(pdu)?).ok()
    }

    fn append_scoped_pdu(scoped: ToWrite<'_>, out: &mut Buf) -> Result<(), Full> {
        let ToWrite { context_engine_id, context_name, pdu } = scoped;
        append(
            &ScopedPdu {
                engine_id: OctetString::from_slice(context_engine_id),
                name: OctetString::from_slice(context_name),
                data: Any::new(pdu.to_vec()),
            },
            out,
        )
    }

    fn append_report(pdu: &[u8], request_id: i32, out: &mut Buf) -> Result<(), MessageError> {
        let report = ber::decode::<rasn_snmp::v2::Report>(pdu);
        let mut report = report.map_err(|_| MessageErrorKind::InvalidMessage)?;
        report.0.request_id = request_id;
        Ok(append(&report, out)?)
    }

    fn global_data(header: Header, room: &mut [u8; MAX_GLOBAL_DATA]) -> Result<&[u8], Full> {
        let Header { msg_id, max_size, flags, security_model } = header;
        let header = HeaderData {
            message_id: msg_id.into(),
            max_size: max_size.into(),
            flags: OctetString::from_slice(&[flags.0]),
            security_model: security_model.into(),
        };
        let mut global_data = Buf::new();
        append(&Integer::from(3), &mut global_data)?;
        append(&header, &mut global_data)?;
        let room = room.get_mut(..global_data.len()).ok_or(Full)?;
        room.copy_from_slice(&global_data);
        Ok(room)
    }
}

/// Octets that the codec copied.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedOctets(Vec<u8>);

impl AsRef<[u8]> for OwnedOctets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The numbers of a header within the ranges of RFC 3412 §6, which the codec's types do not have.
fn header_of(header: &HeaderData) -> Option<Header> {
    const MOST: u32 = i32::MAX.cast_unsigned();
    let within = |number: &Integer, least: u32| {
        u32::try_from(number.clone()).ok().filter(|number| (least..=MOST).contains(number))
    };
    let &[flags] = header.flags.as_ref() else { return None };
    Some(Header {
        msg_id: within(&header.message_id, 0)?,
        max_size: within(&header.max_size, MIN_MAX_SIZE)?,
        flags: Flags(flags),
        security_model: within(&header.security_model, 1)?,
    })
}

/// Appends what can be encoded; everything that this module encodes can, given memory.
fn append(what: &impl Encode, out: &mut Buf) -> Result<(), Full> {
    out.append(&ber::encode(what).map_err(|_| Full)?)
}
