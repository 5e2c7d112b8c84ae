//! An incoming message, taken apart (RFC 3412 §7.2).
//!
//! It never answers a message, and leaves a reference for an answer only where one may be sent.

use crate::codec::{Codec, Message};
use crate::outstanding::{Peer, Proven};
use crate::{Asked, V3Messages, refused_by_security};
use roles::engine::Engine;
use roles::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, PduClass, StateReference,
};
use roles::security::{
    MessageParts, SecurityData, SecurityError, SecurityErrorKind, SecurityHeader, SecurityModel,
};
use roles::varbind::{PduVersion, SecurityLevel, Span, message_model, security_model};
use s_sdk::Activity;
use s_wire::{Flags, Part, PduKind, ScopedPduData};

impl<C: Codec, S: SecurityModel> V3Messages<C, S> {
    pub(crate) fn take_apart(
        &self,
        act: &Activity,
        from: Peer<'_>,
        octets: &[u8],
        proven: &mut SecurityData,
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError> {
        // RFC 3412 §7.2 step 2.
        let message = C::message(octets)?;
        let header = message.header;
        // Step 4: the one security model that this module calls.
        if header.security_model != security_model::USM {
            return Err(MessageErrorKind::UnknownSecurityModel.into());
        }
        // Step 5.
        message.check().map_err(|_| MessageErrorKind::InvalidMessage)?;
        let security_level = level_of(header.flags);
        let (data, is_encrypted) = match message.data {
            ScopedPduData::Plain(data) => (data, false),
            ScopedPduData::Encrypted(data) => (data, true),
        };
        // Step 6.
        let accepted = self.usm.process_incoming(
            act,
            SecurityHeader {
                message_model: message_model::SNMPV3,
                security_model: header.security_model,
                security_level,
                // What a response may have: as much as its receiver takes and its sender makes.
                max_message_size: header.max_size.min(self.engine.max_message_size(act)?),
            },
            MessageParts {
                security_parameters: span(message.security_parameters)?,
                data: span(data)?,
            },
            octets,
            proven,
        );
        let accepted = accepted.map_err(|error| refusal::<C>(act, &message, error))?;
        // Step 7. What is authentic and comes out as none was encrypted with another key.
        let scoped = C::scoped_pdu(&proven.scoped_pdu, is_encrypted);
        let scoped = scoped.ok_or(match is_encrypted {
            true => MessageErrorKind::NotDecrypted,
            false => MessageErrorKind::ParseError,
        })?;
        let (context_engine_id, context_name, pdu) =
            (scoped.context_engine_id.as_ref(), scoped.context_name.as_ref(), scoped.pdu.as_ref());
        // Steps 8 and 9.
        let class = class_of(pdu).unwrap_or(PduClass::Unconfirmed);
        let (mut send_pdu_handle, mut state) = (0, StateReference::none());
        match class {
            // Steps 10 to 12.
            PduClass::Response => {
                let answer = Proven {
                    engine_id: &proven.engine_id,
                    security_name: &proven.security_name,
                    security_level,
                    context_engine_id,
                    context_name,
                    is_report: pdu.first() == Some(&PduKind::Report.tag()),
                };
                let handle = self.outstanding().answered(header.msg_id, from, &answer);
                send_pdu_handle = handle.ok_or(MessageErrorKind::UnknownResponse)?;
            }
            // Step 13.
            PduClass::Confirmed => {
                if &proven.engine_id[..] != self.own_engine_id(act)? {
                    let kind = SecurityErrorKind::UnknownEngineId;
                    return Err(MessageError::detailed(MessageErrorKind::Security, kind as u32));
                }
                let asked = Asked {
                    msg_id: header.msg_id,
                    max_size: header.max_size,
                    request_id: 0,
                    refused: 0,
                    security: accepted.state,
                };
                state = act.keep(asked)?.of();
            }
            // Step 14.
            PduClass::Unconfirmed => {}
        }
        elements.security_name.append(&proven.security_name)?;
        elements.context_engine_id.append(context_engine_id)?;
        elements.context_name.append(context_name)?;
        elements.pdu.append(pdu)?;
        Ok(Incoming {
            header: MessageHeader {
                message_model: message_model::SNMPV3,
                security_model: header.security_model,
                security_level,
                pdu_version: PduVersion::V2,
                class,
                send_pdu_handle,
            },
            max_response_size: accepted.max_response_size,
            state,
        })
    }
}

/// The level that the flags say, once it is known that they do not contradict each other.
fn level_of(flags: Flags) -> SecurityLevel {
    match (flags.is_authenticated(), flags.is_private()) {
        (false, _) => SecurityLevel::NoAuthNoPriv,
        (true, false) => SecurityLevel::AuthNoPriv,
        (true, true) => SecurityLevel::AuthPriv,
    }
}

fn span(part: Part<'_>) -> Result<Span, MessageError> {
    let fits = |number: usize| u32::try_from(number).map_err(|_| MessageErrorKind::ParseError);
    Ok(Span::new(fits(part.at)?, fits(part.octets.len())?))
}

/// The class of a PDU, by its tag (RFC 3416 §3); nothing for a tag that SNMPv3 does not have.
fn class_of(pdu: &[u8]) -> Option<PduClass> {
    let kind = PduKind::of(*pdu.first()?, s_wire::PduVersion::V2)?;
    Some(match kind {
        PduKind::Get | PduKind::GetNext | PduKind::GetBulk | PduKind::Set | PduKind::Inform => {
            PduClass::Confirmed
        }
        PduKind::Response | PduKind::Report => PduClass::Response,
        PduKind::TrapV1 | PduKind::TrapV2 => PduClass::Unconfirmed,
    })
}

/// A refusal of the security model, with a reference where a Report may be sent.
#[cold]
fn refusal<C: Codec>(act: &Activity, message: &Message<'_>, error: SecurityError) -> MessageError {
    let mut refusal = refused_by_security(error);
    let scoped = match message.data {
        ScopedPduData::Plain(scoped) => C::scoped_pdu(scoped.octets, false),
        ScopedPduData::Encrypted(_) => None,
    };
    let pdu = scoped.as_ref().map(|scoped| scoped.pdu.as_ref());
    // RFC 3412 §7.1 step 3 b: the class decides, and the reportableFlag where the class is not known.
    let is_reportable = match pdu.and_then(class_of) {
        Some(class) => class == PduClass::Confirmed,
        None => message.header.flags.is_reportable(),
    };
    if !is_reportable || !error.state.is_some() {
        return refusal;
    }
    let asked = Asked {
        msg_id: message.header.msg_id,
        max_size: message.header.max_size,
        request_id: pdu.and_then(C::request_id).unwrap_or(0),
        refused: 1,
        security: error.state,
    };
    // An activity without room for it sends no Report; that it was refused counts all the same.
    if let Ok(kept) = act.keep(asked) {
        refusal.state = kept.of();
    }
    refusal
}
