//! The command responder (RFC 3413 §3.2): from an accepted PDU to the PDU that answers it.
//!
//! It never touches a variable itself: [`crate::read`] and [`crate::set`] ask the modules. Invariant: a
//! request is answered once, or left for later as a whole, before anything was changed.

use crate::access::{self, View, view_type};
use crate::dispatch::{Accepted, Engine};
use crate::pace::Patience;
use crate::read::Reading;
use crate::reason::Reason;
use crate::respond::{Result, write_answers, write_error};
use crate::scratch::{Left, Scratch};
use crate::set::{self, Asked};
use crate::work::Work;
use roles::access::{AccessErrorKind, Asking};
use roles::message::{Incoming, MessageErrorKind, MessageHeader, MessageProcessing as _, PduClass};
use roles::varbind::{ErrorStatus, PduVersion, VarBinds, VarValue, message_model};
use s_wire::ber::{element_len, largest_contents};
use s_wire::{Budget, Pdu, PduKind, VarBindList};

/// RFC 5343: who does not know an engine's ID may say this instead.
const LOCAL_ENGINE_ID: &[u8] = &[0x80, 0, 0, 0, 6];

/// What is kept for the frame of a message around a PDU that may grow: two lengths of up to five octets.
const FRAME_GROWTH: usize = 8;

type Request<'a> = Pdu<VarBindList<'a>>;

impl Engine {
    pub(crate) fn request(
        &self,
        accepted: &Accepted<'_>,
        pdu: &Request<'_>,
        scratch: &mut Scratch,
    ) -> bool {
        // RFC 3412 §4.2.2.1.1: is there an application for this engine and this PDU?
        let is_known =
            matches!(pdu.kind, PduKind::Get | PduKind::GetNext | PduKind::GetBulk | PduKind::Set);
        if !is_known {
            return self.no_application(accepted, Reason::PduNotTaken, scratch);
        }
        let context_engine = &scratch.elements.context_engine_id;
        // A message of v1 or v2c names none. In v3 the empty string is no SnmpEngineID (RFC 3411 §5), so nobody
        // is registered for it.
        let names_none = accepted.incoming.header.message_model != message_model::SNMPV3;
        let is_ours = names_none && context_engine.is_empty()
            || **context_engine == *self.facts.engine_id()
            || **context_engine == *LOCAL_ENGINE_ID;
        if !is_ours {
            return self.no_application(accepted, Reason::ContextOfAnotherEngine, scratch);
        }
        scratch.asked.clear();
        scratch.answers.clear();
        if take_over(pdu.bindings, pdu.kind == PduKind::Set, &mut scratch.asked).is_err() {
            return self.respond(accepted, pdu, Result::Error(ErrorStatus::GenErr, 0), scratch);
        }
        match self.perform(accepted, pdu, scratch) {
            Err(AccessErrorKind::NoSuchContext) => {
                let reason = Reason::Access(AccessErrorKind::NoSuchContext);
                self.no_application(accepted, reason, scratch)
            }
            Err(kind) => {
                let header = &accepted.incoming.header;
                let reason = Reason::Access(kind);
                let counter = Reason::counter_of_access(kind, header);
                self.refuse_counting(accepted.packet, (reason, counter), true, scratch);
                let error = Result::Error(access::status_of(kind), 0);
                self.respond(accepted, pdu, error, scratch)
            }
            Ok(_) if scratch.left.is_some() => false,
            // The answer to a SET was put together before anything was changed.
            Ok(Result::Answers) if pdu.kind == PduKind::Set => true,
            Ok(result) => {
                if matches!(result, Result::Error(ErrorStatus::GenErr, _)) {
                    self.spoiled.count(scratch.patience == Patience::Avoiding);
                }
                self.respond(accepted, pdu, result, scratch)
            }
        }
    }

    /// Asks the modules.
    fn perform(
        &self,
        accepted: &Accepted<'_>,
        pdu: &Request<'_>,
        scratch: &mut Scratch,
    ) -> std::result::Result<Result, AccessErrorKind> {
        let act = accepted.packet.act;
        let header = accepted.incoming.header;
        let asking = Asking {
            security_model: header.security_model,
            security_level: header.security_level,
            view_type: view_type(pdu.kind),
        };
        let limit = self.pdu_limit(accepted, scratch);
        let view = View::find(
            &self.access,
            act,
            asking,
            &scratch.elements.security_name,
            &scratch.elements.context_name,
        )?;
        // Taken out for as long as the rest of the scratch is written to, and put back.
        let context = std::mem::take(&mut scratch.elements.context_name);
        let registry = scratch.registry.take();
        let ranges = registry.as_ref().map_or(&[][..], |(_, known)| known.context(&context));
        let progress = scratch.progress.take();
        let awaited = std::mem::take(&mut scratch.awaited);
        let work = Work::new(self, scratch.patience, progress.as_deref(), &awaited);
        let result = match pdu.kind {
            PduKind::Set => match scratch.decided {
                Some(decided) => decided,
                None => {
                    let name = scratch.elements.security_name.to_vec();
                    let requester = (header.security_model, &name[..]);
                    let binds = std::mem::take(&mut scratch.asked);
                    let asked = Asked { requester, context: &context, binds: &binds };
                    let answer = || self.answer_set(accepted, pdu, &context, scratch);
                    let result = set::set(&view, ranges, &asked, answer, &self.durable, &work);
                    scratch.asked = binds;
                    scratch.decided = set::is_decided(result).then_some(result);
                    result
                }
            },
            kind => {
                let version = header.pdu_version;
                let reading =
                    Reading { act, ranges, context: &context, view, version, work: &work };
                match kind {
                    PduKind::Get => reading.get(scratch),
                    PduKind::GetNext => reading.get_next(scratch),
                    _ => self.bulk(&reading, pdu, limit, scratch),
                }
            }
        };
        let is_set = pdu.kind == PduKind::Set;
        scratch.left = work.left_for().map(|component| Left { component, is_set });
        let is_exhausted = work.is_exhausted();
        (scratch.registry, scratch.progress, scratch.awaited) = (registry, progress, awaited);
        scratch.elements.context_name = context;
        if is_exhausted {
            self.refuse(accepted.packet, Reason::WalksTooFar, true, scratch);
        }
        Ok(result)
    }

    /// Puts the answer to a SET together, with the bindings that came (RFC 3416 §4.2.5), before anything is
    /// changed: one whose answer does not fit, or cannot be made, changes nothing. Answers what is wrong.
    fn answer_set(
        &self,
        accepted: &Accepted<'_>,
        pdu: &Request<'_>,
        context: &[u8],
        scratch: &mut Scratch,
    ) -> Option<Result> {
        let version = accepted.incoming.header.pdu_version;
        let no_error = (ErrorStatus::NoError, 0);
        // It was taken out for the modules, and the message has it as well.
        let is_whole = scratch.elements.context_name.append(context).is_ok()
            && write_error(scratch, pdu.request_id, version, no_error, pdu.bindings).is_ok();
        let prepared = match is_whole {
            true => self.prepare_within_limits(accepted, scratch),
            false => Err(MessageErrorKind::TooBig),
        };
        let status = match prepared {
            Ok(()) => return None,
            Err(MessageErrorKind::TooBig) => ErrorStatus::TooBig,
            Err(_) => ErrorStatus::GenErr,
        };
        Some(Result::Error(status, 0))
    }

    fn bulk(
        &self,
        reading: &Reading<'_>,
        pdu: &Request<'_>,
        limit: usize,
        scratch: &mut Scratch,
    ) -> Result {
        let count = u32::try_from(scratch.asked.len()).unwrap_or(u32::MAX);
        let non_repeaters = pdu.non_repeaters().min(count);
        let most =
            self.limits.repetitions(pdu.max_repetitions(), non_repeaters, count - non_repeaters);
        let response = Pdu {
            kind: PduKind::Response,
            request_id: pdu.request_id,
            error_status: 0,
            error_index: 0,
            bindings: VarBindList::EMPTY,
        };
        let budget = Budget::new(limit, [response.frame_len()]);
        reading.get_bulk(scratch, non_repeaters, most, budget)
    }

    /// The largest PDU that fits in the answer: to the octet what the receiver takes, and about what one
    /// who has proven nothing is given.
    fn pdu_limit(&self, accepted: &Accepted<'_>, scratch: &Scratch) -> usize {
        let most = accepted.incoming.max_response_size as usize;
        let by_size = if accepted.incoming.header.message_model == message_model::SNMPV3 {
            let elements = &scratch.elements;
            let names = element_len(elements.context_engine_id.len())
                + element_len(elements.context_name.len());
            largest_contents(most).and_then(|contents| contents.checked_sub(names)).unwrap_or(0)
        } else {
            most
        };
        by_size.min(self.unproven_limit(accepted))
    }

    /// The largest PDU for one who has proven nothing.
    fn unproven_limit(&self, accepted: &Accepted<'_>) -> usize {
        if !accepted.is_unproven() {
            return usize::MAX;
        }
        let (message, pdu) = (accepted.packet.octets.len(), accepted.request_len);
        let around = message.saturating_sub(pdu) + FRAME_GROWTH;
        let most = self.limits.unproven_answer(message).saturating_sub(around);
        most.max(pdu + FRAME_GROWTH)
    }

    fn respond(
        &self,
        accepted: &Accepted<'_>,
        pdu: &Request<'_>,
        result: Result,
        scratch: &mut Scratch,
    ) -> bool {
        let version = accepted.incoming.header.pdu_version;
        let written = match result {
            Result::Answers => write_answers(scratch, pdu.request_id),
            Result::Error(ErrorStatus::TooBig, _) => return self.too_big(accepted, pdu, scratch),
            Result::Error(status, at) => {
                write_error(scratch, pdu.request_id, version, (status, at), pdu.bindings)
            }
        };
        match written {
            Ok(()) => self.send(accepted, pdu, scratch),
            Err(_) => self.too_big(accepted, pdu, scratch),
        }
    }

    fn send(&self, accepted: &Accepted<'_>, pdu: &Request<'_>, scratch: &mut Scratch) -> bool {
        match self.prepare_within_limits(accepted, scratch) {
            Ok(()) => true,
            Err(MessageErrorKind::TooBig) => self.too_big(accepted, pdu, scratch),
            Err(_) => self.discard(accepted.packet, Reason::NotAnswered, scratch),
        }
    }

    /// Puts the message together, unless its receiver has no right to so much.
    fn prepare_within_limits(
        &self,
        accepted: &Accepted<'_>,
        scratch: &mut Scratch,
    ) -> std::result::Result<(), MessageErrorKind> {
        if accepted.is_unproven() && scratch.elements.pdu.len() > self.unproven_limit(accepted) {
            self.taken.shortened();
            self.refuse(accepted.packet, Reason::Amplifies, true, scratch);
            return Err(MessageErrorKind::TooBig);
        }
        self.prepare(accepted, scratch)
    }

    fn prepare(
        &self,
        accepted: &Accepted<'_>,
        scratch: &mut Scratch,
    ) -> std::result::Result<(), MessageErrorKind> {
        scratch.out.clear();
        let Incoming { header, state, .. } = accepted.incoming;
        let header = MessageHeader { class: PduClass::Response, ..header };
        let Scratch { elements, out, .. } = scratch;
        accepted
            .model
            .prepare_response_message(accepted.packet.act, header, elements, state, out)
            .map_err(|error| error.kind)
    }

    /// RFC 3416 §4.2.1: an answer that does not fit is tooBig without bindings (in SNMPv1 with them, RFC
    /// 1157 §4.1.2); where even that does not fit it is dropped and counted.
    #[cold]
    fn too_big(&self, accepted: &Accepted<'_>, pdu: &Request<'_>, scratch: &mut Scratch) -> bool {
        let version = accepted.incoming.header.pdu_version;
        let bindings = match version {
            PduVersion::V1 => pdu.bindings,
            PduVersion::V2 => VarBindList::EMPTY,
        };
        let status = (ErrorStatus::TooBig, 0);
        let sent = write_error(scratch, pdu.request_id, version, status, bindings).is_ok()
            && self.prepare(accepted, scratch).is_ok();
        sent || self.discard(accepted.packet, Reason::AnswerTooBig, scratch)
    }
}

/// Copies a list into one that crosses boundaries; of anything but a SET the names only.
fn take_over(
    bindings: VarBindList<'_>,
    with_values: bool,
    into: &mut VarBinds,
) -> std::result::Result<(), s_sdk::Full> {
    let (mut name, mut oid) = ([0; s_wire::oid::MAX_ARCS], [0; s_wire::oid::MAX_ARCS]);
    for binding in bindings {
        let value = match binding.value {
            _ if !with_values => VarValue::Unspecified,
            s_wire::Value::Integer(integer) => VarValue::Integer(integer),
            s_wire::Value::Octets(octets) => VarValue::Octets(octets),
            s_wire::Value::Oid(value) => VarValue::Oid(value.decode(&mut oid)),
            s_wire::Value::IpAddress(address) => VarValue::IpAddress(address),
            s_wire::Value::Counter32(number) => VarValue::Counter32(number),
            s_wire::Value::Gauge32(number) => VarValue::Gauge32(number),
            s_wire::Value::TimeTicks(ticks) => VarValue::TimeTicks(ticks),
            s_wire::Value::Opaque(octets) => VarValue::Opaque(octets),
            s_wire::Value::Counter64(number) => VarValue::Counter64(number),
            // No variable has these, so whatever module is asked answers wrongType.
            s_wire::Value::Null
            | s_wire::Value::NsapAddress(_)
            | s_wire::Value::UInteger32(_)
            | s_wire::Value::NoSuchObject
            | s_wire::Value::NoSuchInstance
            | s_wire::Value::EndOfMibView => VarValue::Unspecified,
        };
        into.push(binding.name.decode(&mut name), value)?;
    }
    Ok(())
}
