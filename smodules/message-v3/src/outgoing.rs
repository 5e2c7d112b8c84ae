//! A message put together: an answer, or one that begins a conversation (RFC 3412 §7.1).
//!
//! It never decides what a message says, and shortens nothing: what does not fit is refused.

use crate::outstanding::{Peer, Sent};
use crate::{Asked, MessageV3, refused_by_security};
use roles::engine::Engine;
use roles::message::{
    DataElements, MessageError, MessageErrorKind, MessageHeader, PduClass, StateReference,
};
use roles::security::{SecurityData, SecurityErrorKind, SecurityHeader, SecurityModel};
use roles::varbind::{SecurityLevel, message_model, security_model};
use s_sdk::{Activity, Buf};
use s_wire::ber::{Encode, Full, Part, Reader, Writer};
use s_wire::{Flags, Header, PduKind, ScopedPdu, Version};

/// Version and msgGlobalData take so many octets at most.
const MAX_GLOBAL_DATA: usize = 32;

impl MessageV3 {
    pub(crate) fn answer(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        data: &mut SecurityData,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let asked =
            act.recall(state.of::<Asked>()).map_err(|_| MessageErrorKind::StaleReference)?;
        check_model(&header)?;
        let own_max_size = self.engine.max_message_size(act)?;
        let context_name = &elements.context_name;
        if asked.refused == 0 {
            let context_engine_id = &elements.context_engine_id;
            let pdu = Part::from(&elements.pdu[..]);
            append(&mut data.scoped_pdu, &ScopedPdu { context_engine_id, context_name, pdu })?;
        } else {
            let context_engine_id = match &elements.context_engine_id[..] {
                [] => self.own_engine_id(act)?,
                given => given,
            };
            let pdu = Reported::of(&elements.pdu, asked.request_id)?;
            append(&mut data.scoped_pdu, &ScopedPdu { context_engine_id, context_name, pdu })?;
        }
        // RFC 3412 §7.1 step 4: a response asks for no Report.
        let flags = flags_of(header.security_level);
        let mut global_data = [0; MAX_GLOBAL_DATA];
        let global_data = write_global_data(&mut global_data, asked.msg_id, own_max_size, flags)?;
        let header = SecurityHeader {
            message_model: message_model::SNMPV3,
            security_model: header.security_model,
            security_level: header.security_level,
            max_message_size: asked.max_size.min(own_max_size),
        };
        let made =
            self.usm.generate_response(act, header, global_data, data, asked.security, message);
        made.map_err(refused_by_security)
    }

    pub(crate) fn begin(
        &self,
        act: &Activity,
        to: Peer<'_>,
        header: MessageHeader,
        elements: &DataElements,
        data: &mut SecurityData,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        check_model(&header)?;
        let level = header.security_level;
        // RFC 3412 §7.1 step 9: the sender of a message that wants no answer is authoritative, otherwise
        // its receiver is.
        let is_confirmed = match header.class {
            PduClass::Confirmed => true,
            PduClass::Unconfirmed => false,
            PduClass::Response => return Err(MessageErrorKind::InvalidMessage.into()),
        };
        let is_discovery =
            level == SecurityLevel::NoAuthNoPriv && elements.security_name.is_empty();
        if !is_confirmed {
            data.engine_id.append(self.own_engine_id(act)?)?;
        } else if !is_discovery {
            let unknown = SecurityErrorKind::UnknownEngineId as u32;
            let unknown = MessageError::detailed(MessageErrorKind::Security, unknown);
            data.engine_id.append(self.outstanding().engine_of(to).ok_or(unknown)?)?;
        }
        data.security_name.append(&elements.security_name)?;
        let scoped = ScopedPdu {
            context_engine_id: &elements.context_engine_id,
            context_name: &elements.context_name,
            pdu: Part::from(&elements.pdu[..]),
        };
        append(&mut data.scoped_pdu, &scoped)?;
        let own_max_size = self.engine.max_message_size(act)?;
        let msg_id = self.outstanding().next_msg_id();
        let mut flags = flags_of(level);
        if is_confirmed {
            flags.0 |= Flags::REPORTABLE;
        }
        let mut global_data = [0; MAX_GLOBAL_DATA];
        let global_data = write_global_data(&mut global_data, msg_id, own_max_size, flags)?;
        let security = SecurityHeader {
            message_model: message_model::SNMPV3,
            security_model: header.security_model,
            security_level: level,
            max_message_size: own_max_size,
        };
        let made = self.usm.generate_request(act, security, global_data, data, message);
        made.map_err(refused_by_security)?;
        // Who awaits no answer is told of none.
        if is_confirmed && header.send_pdu_handle != 0 {
            let (domain, address) = to;
            self.outstanding().sent(Sent {
                msg_id,
                send_pdu_handle: header.send_pdu_handle,
                domain: domain.to_vec(),
                address: address.to_vec(),
                engine_id: data.engine_id.to_vec(),
                security_name: data.security_name.to_vec(),
                security_level: level as u32,
                context_engine_id: elements.context_engine_id.to_vec(),
                context_name: elements.context_name.to_vec(),
            });
        }
        Ok(())
    }
}

fn check_model(header: &MessageHeader) -> Result<(), MessageError> {
    match (header.message_model, header.security_model) {
        (message_model::SNMPV3, security_model::USM) => Ok(()),
        (message_model::SNMPV3, _) => Err(MessageErrorKind::UnknownSecurityModel.into()),
        _ => Err(MessageErrorKind::BadVersion.into()),
    }
}

const fn flags_of(level: SecurityLevel) -> Flags {
    Flags(match level {
        SecurityLevel::NoAuthNoPriv => 0,
        SecurityLevel::AuthNoPriv => Flags::AUTHENTICATED,
        SecurityLevel::AuthPriv => Flags::AUTHENTICATED | Flags::PRIVATE,
    })
}

/// What stands in a message before its security parameters.
fn write_global_data(
    room: &mut [u8; MAX_GLOBAL_DATA],
    msg_id: u32,
    max_size: u32,
    flags: Flags,
) -> Result<&[u8], MessageError> {
    let header = Header { msg_id, max_size, flags, security_model: security_model::USM };
    let mut writer = Writer::new(room);
    header.encode(&mut writer).map_err(|Full| s_sdk::Full)?;
    writer.integer(Version::V3 as i32).map_err(|Full| s_sdk::Full)?;
    Ok(writer.finish())
}

/// Appends what can be written.
fn append(out: &mut Buf, what: &impl Encode) -> Result<(), MessageError> {
    const ZEROS: &[u8] = &[0; 1024];
    let at = out.len();
    let mut missing = what.encoded_len();
    out.reserve(missing)?;
    while missing > 0 {
        let some = missing.min(ZEROS.len());
        out.append(&ZEROS[..some])?;
        missing -= some;
    }
    what.encode_into(&mut out[at..]).map_err(|Full| s_sdk::Full)?;
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
        let invalid = |_| MessageErrorKind::InvalidMessage;
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

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(PduKind::Report.tag(), |writer| {
            writer.octets(self.behind_request_id)?;
            writer.integer(self.request_id)
        })
    }
}
