//! A message put together: an answer, or one that begins a conversation (RFC 3412 §7.1).
//!
//! It never decides what a message says, and shortens nothing: what does not fit is refused.

use crate::codec::{Codec, MAX_GLOBAL_DATA, ToWrite};
use crate::outstanding::{Peer, Sent};
use crate::{Asked, V3Messages, refused_by_security};
use roles::engine::Engine;
use roles::message::{
    DataElements, MessageError, MessageErrorKind, MessageHeader, PduClass, StateReference,
};
use roles::security::{SecurityData, SecurityErrorKind, SecurityHeader, SecurityModel};
use roles::varbind::{SecurityLevel, message_model, security_model};
use s_sdk::{Activity, Buf};
use s_wire::{Flags, Header};

impl<C: Codec, S: SecurityModel> V3Messages<C, S> {
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
        let out = &mut data.scoped_pdu;
        if asked.refused == 0 {
            let context_engine_id = &elements.context_engine_id;
            let pdu = &elements.pdu;
            C::append_scoped_pdu(ToWrite { context_engine_id, context_name, pdu }, out)?;
        } else {
            let context_engine_id = match &elements.context_engine_id[..] {
                [] => self.own_engine_id(act)?,
                given => given,
            };
            let mut pdu = Buf::new();
            C::append_report(&elements.pdu, asked.request_id, &mut pdu)?;
            let pdu = &pdu;
            C::append_scoped_pdu(ToWrite { context_engine_id, context_name, pdu }, out)?;
        }
        // RFC 3412 §7.1 step 4: a response asks for no Report.
        let flags = flags_of(header.security_level);
        let mut global_data = [0; MAX_GLOBAL_DATA];
        let global_data =
            C::global_data(global_of(asked.msg_id, own_max_size, flags), &mut global_data)?;
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
        let scoped = ToWrite {
            context_engine_id: &elements.context_engine_id,
            context_name: &elements.context_name,
            pdu: &elements.pdu,
        };
        C::append_scoped_pdu(scoped, &mut data.scoped_pdu)?;
        let own_max_size = self.engine.max_message_size(act)?;
        let msg_id = self.outstanding().next_msg_id();
        let mut flags = flags_of(level);
        if is_confirmed {
            flags.0 |= Flags::REPORTABLE;
        }
        let mut global_data = [0; MAX_GLOBAL_DATA];
        let global_data = C::global_data(global_of(msg_id, own_max_size, flags), &mut global_data)?;
        let security = SecurityHeader {
            message_model: message_model::SNMPV3,
            security_model: header.security_model,
            security_level: level,
            max_message_size: own_max_size,
        };
        let made = self.usm.generate_request(act, security, global_data, data, message);
        made.map_err(|error| {
            if is_confirmed && error.kind == SecurityErrorKind::UnknownUserName {
                self.outstanding().forget(to, &data.engine_id);
            }
            refused_by_security(error)
        })?;
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

const fn global_of(msg_id: u32, max_size: u32, flags: Flags) -> Header {
    Header { msg_id, max_size, flags, security_model: security_model::USM }
}
