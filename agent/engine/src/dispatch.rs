//! From a datagram to its answer (RFC 3412 §4.2, RFC 3413 §3.2).
//!
//! Every discard has a reason, every reason at most one counter, and this is the one place that moves it.

use crate::access::{NoView, View, view_type};
use crate::facts::Facts;
use crate::read::Reading;
use crate::registry::{Found, Registry};
use crate::respond::{Result, write_answers, write_error, write_report};
use crate::scratch::Scratch;
use crate::set;
use roles::access::{AccessControlProxy, Asking};
use roles::error::Counter;
use roles::message::{
    Incoming, MessageErrorKind, MessageHeader, MessageProcessing as _, MessageProcessingProxy,
    PduClass, StateReference,
};
use roles::security::SecurityErrorKind;
use roles::varbind::{ErrorStatus, PduVersion, SecurityLevel, VarBinds, VarValue};
use s_proxy::Runtime;
use s_sdk::Activity;
use s_sdk::error::CallErrorKind;
use s_wire::{AnyPdu, Budget, Encode as _, Pdu, PduKind, Reader, Reason, VarBindList, Version};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Where a datagram came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The transport domain (RFC 3417, RFC 3419), as an object identifier.
    pub domain: &'a [u32],
    /// The address in the form of its domain.
    pub address: &'a [u8],
}

/// What a single request may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The most repetitions of a GetBulk; 0 for as many as fit.
    pub max_repetitions: u32,
}

/// The proxies of the message processing models, by the version of a message.
pub struct Models {
    v1: MessageProcessingProxy,
    v2c: MessageProcessingProxy,
    v3: MessageProcessingProxy,
}

impl Models {
    /// The components `message.v1`, `message.v2c` and `message.v3`.
    ///
    /// # Errors
    /// One was not registered.
    pub fn of(runtime: &Runtime) -> std::result::Result<Self, s_proxy::RuntimeError> {
        Ok(Models {
            v1: runtime.proxy("message.v1")?,
            v2c: runtime.proxy("message.v2c")?,
            v3: runtime.proxy("message.v3")?,
        })
    }

    const fn of_version(&self, version: Version) -> &MessageProcessingProxy {
        match version {
            Version::V1 => &self.v1,
            Version::V2c => &self.v2c,
            Version::V3 => &self.v3,
        }
    }
}

/// RFC 5343: who does not know an engine's ID may say this instead.
const LOCAL_ENGINE_ID: &[u8] = &[0x80, 0, 0, 0, 6];

/// Makes durable what a SET has changed, before it is answered; false when that failed.
pub type Durable = Box<dyn Fn(&Activity) -> bool + Send + Sync>;

/// The engine.
pub struct Engine {
    facts: Arc<Facts>,
    models: Models,
    access: AccessControlProxy,
    limits: Limits,
    durable: Durable,
    registry: RwLock<Arc<Registry>>,
    /// The number of the registry, moved with every new one.
    registry_number: AtomicU64,
}

/// A message that was accepted, and is to be answered.
struct Accepted<'a> {
    model: &'a MessageProcessingProxy,
    incoming: Incoming,
    request_id: i32,
}

/// A message that is answered with a Report.
struct Refused<'a> {
    model: &'a MessageProcessingProxy,
    header: MessageHeader,
    state: StateReference,
    /// 0 where it is not known, or not to be trusted (RFC 3412 §7.1 step 3 c).
    request_id: i32,
}

impl Engine {
    /// An engine over the components of a runtime. It has no variables before [`Engine::look`].
    ///
    /// # Errors
    /// A component was not registered.
    pub fn new(
        runtime: &'static Runtime,
        facts: Arc<Facts>,
        limits: Limits,
        durable: Durable,
    ) -> std::result::Result<Self, s_proxy::RuntimeError> {
        Ok(Engine {
            durable,
            facts,
            models: Models::of(runtime)?,
            access: runtime.proxy("access.vacm")?,
            limits,
            registry: RwLock::default(),
            registry_number: AtomicU64::new(0),
        })
    }

    /// Asks all modules anew what they answer for: after the start, and after every swap. Answers what is
    /// wrong, in words.
    pub fn look(&self, runtime: &'static Runtime, act: &Activity) -> Vec<String> {
        let Found { registry, resources, problems } = Found::look(runtime, act);
        self.facts.set_resources(resources);
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        self.registry_number.fetch_add(1, Ordering::Release);
        problems
    }

    /// What the engine knows of itself.
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Answers a datagram: the answer is then in the scratch, and this says whether there is one.
    pub fn answer(
        &self,
        act: &Activity,
        peer: Peer<'_>,
        datagram: &[u8],
        scratch: &mut Scratch,
    ) -> bool {
        scratch.out.clear();
        scratch.elements.clear();
        if !std::mem::replace(&mut scratch.seen, true) {
            self.facts.counters().count(Counter::InPackets);
        }
        let number = self.registry_number.load(Ordering::Acquire);
        if scratch.registry.0 != number {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            scratch.registry = (number, Arc::clone(&registry));
        }
        // RFC 3412 §4.2.1 steps 1 and 2.
        let version = match Version::peek(datagram) {
            Ok(version) => version,
            Err(error) if error.reason == Reason::BadVersion => {
                return self.discard(scratch, Counter::BadVersions);
            }
            Err(_) => return self.discard(scratch, Counter::AsnParseErrs),
        };
        let model = self.models.of_version(version);
        let prepared = model.prepare_data_elements(
            act,
            peer.domain,
            peer.address,
            datagram,
            &mut scratch.elements,
        );
        match prepared {
            Ok(incoming) => self.accepted(act, model, incoming, scratch),
            // A version whose module is not there is a version that nobody processes.
            Err(error)
                if error.kind == MessageErrorKind::Call
                    && error.detail == CallErrorKind::Absent as u32 =>
            {
                self.discard(scratch, Counter::BadVersions)
            }
            Err(error) => {
                let Some(counter) = error.counter() else { return false };
                let value = self.count(scratch, counter);
                if !error.state.is_some() {
                    return false;
                }
                let level = error
                    .security_kind()
                    .map_or(SecurityLevel::NoAuthNoPriv, SecurityErrorKind::report_level);
                let header = MessageHeader {
                    message_model: version as u32,
                    security_model: roles::varbind::security_model::USM,
                    security_level: level,
                    pdu_version: PduVersion::V2,
                    class: PduClass::Response,
                    send_pdu_handle: 0,
                };
                let refused = Refused { model, header, state: error.state, request_id: 0 };
                self.report(act, &refused, (counter, value), scratch)
            }
        }
    }

    fn accepted(
        &self,
        act: &Activity,
        model: &MessageProcessingProxy,
        incoming: Incoming,
        scratch: &mut Scratch,
    ) -> bool {
        let header = incoming.header;
        let version = match header.pdu_version {
            PduVersion::V1 => s_wire::PduVersion::V1,
            PduVersion::V2 => s_wire::PduVersion::V2,
        };
        // The elements keep the names; the PDU is replaced by the one that answers.
        let request = std::mem::take(&mut scratch.elements.pdu);
        let answered = match AnyPdu::decode(Reader::new(&request), version) {
            Err(_) => self.discard(scratch, Counter::AsnParseErrs),
            // Nothing that an agent sends is answered to it yet, and it receives no notifications.
            Ok(AnyPdu::TrapV1(_)) => self.discard(scratch, Counter::UnknownPduHandlers),
            Ok(AnyPdu::Pdu(pdu)) => {
                let accepted = Accepted { model, incoming, request_id: pdu.request_id };
                self.request(act, &accepted, &pdu, scratch)
            }
        };
        if scratch.elements.pdu.is_empty() {
            // Its memory serves the next datagram.
            scratch.elements.pdu = request;
        }
        answered
    }

    fn request(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        pdu: &Pdu<VarBindList<'_>>,
        scratch: &mut Scratch,
    ) -> bool {
        let header = accepted.incoming.header;
        // RFC 3412 §4.2.2.1.1: is there an application for this engine and this PDU?
        let context_engine = &scratch.elements.context_engine_id;
        let ours = context_engine.is_empty()
            || **context_engine == *self.facts.engine_id()
            || **context_engine == *LOCAL_ENGINE_ID;
        let known =
            matches!(pdu.kind, PduKind::Get | PduKind::GetNext | PduKind::GetBulk | PduKind::Set);
        if !known || !ours {
            return self.no_application(act, accepted, Counter::UnknownPduHandlers, scratch);
        }
        scratch.asked.clear();
        scratch.answers.clear();
        if take_over(pdu.bindings, pdu.kind == PduKind::Set, &mut scratch.asked).is_err() {
            return self.respond(
                act,
                accepted,
                pdu,
                Result::Error(ErrorStatus::GenErr, 0),
                scratch,
            );
        }
        // RFC 3416 §4.2.5: a SET whose answer would not fit changes nothing.
        let echo = Pdu {
            kind: PduKind::Response,
            request_id: pdu.request_id,
            error_status: i32::from(u8::MAX >> 1),
            error_index: i32::from(u16::MAX >> 1),
            bindings: pdu.bindings,
        };
        if pdu.kind == PduKind::Set && echo.encoded_len() > self.pdu_limit(accepted, scratch) {
            return self.too_big(act, accepted, pdu, scratch);
        }
        let asking = Asking {
            security_model: header.security_model,
            security_level: header.security_level,
            view_type: view_type(pdu.kind),
        };
        let context = std::mem::take(&mut scratch.elements.context_name);
        let name = std::mem::take(&mut scratch.elements.security_name);
        let registry = Arc::clone(&scratch.registry.1);
        let view = View::find(&self.access, act, asking, &name, &context);
        let result = match view {
            Err(NoView::NoContext) => None,
            Err(NoView::Refused(status)) => Some(Result::Error(status, 0)),
            Ok(view) => {
                let ranges = registry.context(&context);
                Some(match pdu.kind {
                    PduKind::Set => {
                        set::set(act, ranges, &context, &view, &scratch.asked, &self.durable)
                    }
                    kind => {
                        let version = header.pdu_version;
                        let reading = Reading { act, ranges, context: &context, view, version };
                        match kind {
                            PduKind::Get => reading.get(scratch),
                            PduKind::GetNext => reading.get_next(scratch),
                            _ => self.bulk(&reading, accepted, pdu, scratch),
                        }
                    }
                })
            }
        };
        (scratch.elements.context_name, scratch.elements.security_name) = (context, name);
        match result {
            None => self.no_application(act, accepted, Counter::UnknownContexts, scratch),
            Some(result) => {
                // A SET answers with the bindings that came (RFC 3416 §4.2.5).
                if pdu.kind == PduKind::Set && result == Result::Answers {
                    let written = write_error(
                        scratch,
                        pdu.request_id,
                        header.pdu_version,
                        (ErrorStatus::NoError, 0),
                        pdu.bindings,
                    );
                    return written.is_ok() && self.send(act, accepted, pdu, scratch);
                }
                self.respond(act, accepted, pdu, result, scratch)
            }
        }
    }

    fn bulk(
        &self,
        reading: &Reading<'_>,
        accepted: &Accepted<'_>,
        pdu: &Pdu<VarBindList<'_>>,
        scratch: &mut Scratch,
    ) -> Result {
        let most = match self.limits.max_repetitions {
            0 => pdu.max_repetitions(),
            limit => pdu.max_repetitions().min(limit),
        };
        let response = Pdu {
            kind: PduKind::Response,
            request_id: pdu.request_id,
            error_status: 0,
            error_index: 0,
            bindings: VarBindList::EMPTY,
        };
        let limit = self.pdu_limit(accepted, scratch);
        let budget = Budget::new(limit, [response.frame_len()]);
        reading.get_bulk(scratch, pdu.non_repeaters(), most, budget)
    }

    /// The largest PDU that fits in the answer, to the octet.
    fn pdu_limit(&self, accepted: &Accepted<'_>, scratch: &Scratch) -> usize {
        use s_wire::ber::{element_len, largest_contents};
        let most = accepted.incoming.max_response_size as usize;
        if accepted.incoming.header.message_model != roles::varbind::message_model::SNMPV3 {
            return most;
        }
        let elements = &scratch.elements;
        let names = element_len(elements.context_engine_id.len())
            + element_len(elements.context_name.len());
        largest_contents(most).and_then(|contents| contents.checked_sub(names)).unwrap_or(0)
    }

    /// Nobody takes the PDU: a Report says so, where one may be sent.
    fn no_application(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        counter: Counter,
        scratch: &mut Scratch,
    ) -> bool {
        let value = self.count(scratch, counter);
        let Incoming { header, state, .. } = accepted.incoming;
        let can_report = header.message_model == roles::varbind::message_model::SNMPV3
            && header.class == PduClass::Confirmed;
        if !can_report {
            return false;
        }
        let header = MessageHeader { class: PduClass::Response, ..header };
        let Accepted { model, request_id, .. } = *accepted;
        self.report(act, &Refused { model, header, state, request_id }, (counter, value), scratch)
    }

    fn report(
        &self,
        act: &Activity,
        refused: &Refused<'_>,
        (counter, value): (Counter, u32),
        scratch: &mut Scratch,
    ) -> bool {
        let Refused { model, header, state, request_id } = *refused;
        // RFC 3412 §7.1 step 3: the context of a Report is this engine's default one.
        scratch.elements.clear();
        let named = scratch.elements.context_engine_id.append(self.facts.engine_id());
        named.is_ok()
            && write_report(scratch, request_id, counter.instance(), value).is_ok()
            && model
                .prepare_response_message(act, header, &scratch.elements, state, &mut scratch.out)
                .is_ok()
    }

    fn respond(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        pdu: &Pdu<VarBindList<'_>>,
        result: Result,
        scratch: &mut Scratch,
    ) -> bool {
        let version = accepted.incoming.header.pdu_version;
        let written = match result {
            Result::Answers => write_answers(scratch, pdu.request_id),
            Result::Error(ErrorStatus::TooBig, _) => {
                return self.too_big(act, accepted, pdu, scratch);
            }
            Result::Error(status, at) => {
                write_error(scratch, pdu.request_id, version, (status, at), pdu.bindings)
            }
        };
        match written {
            Ok(()) => self.send(act, accepted, pdu, scratch),
            Err(_) => self.too_big(act, accepted, pdu, scratch),
        }
    }

    fn send(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        pdu: &Pdu<VarBindList<'_>>,
        scratch: &mut Scratch,
    ) -> bool {
        match self.prepare(act, accepted, scratch) {
            Ok(()) => true,
            Err(MessageErrorKind::TooBig) => self.too_big(act, accepted, pdu, scratch),
            Err(_) => false,
        }
    }

    fn prepare(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        scratch: &mut Scratch,
    ) -> std::result::Result<(), MessageErrorKind> {
        scratch.out.clear();
        let Incoming { header, state, .. } = accepted.incoming;
        let header = MessageHeader { class: PduClass::Response, ..header };
        accepted
            .model
            .prepare_response_message(act, header, &scratch.elements, state, &mut scratch.out)
            .map_err(|error| error.kind)
    }

    /// RFC 3416 §4.2.1: an answer that does not fit is tooBig without bindings (in SNMPv1 with them, RFC
    /// 1157 §4.1.2); where even that does not fit it is dropped and counted.
    fn too_big(
        &self,
        act: &Activity,
        accepted: &Accepted<'_>,
        pdu: &Pdu<VarBindList<'_>>,
        scratch: &mut Scratch,
    ) -> bool {
        let version = accepted.incoming.header.pdu_version;
        let bindings = match version {
            PduVersion::V1 => pdu.bindings,
            PduVersion::V2 => VarBindList::EMPTY,
        };
        let status = (ErrorStatus::TooBig, 0);
        let sent = write_error(scratch, pdu.request_id, version, status, bindings).is_ok()
            && self.prepare(act, accepted, scratch).is_ok();
        sent || self.discard(scratch, Counter::SilentDrops)
    }

    fn discard(&self, scratch: &mut Scratch, counter: Counter) -> bool {
        self.count(scratch, counter);
        scratch.out.clear();
        false
    }

    /// Counts a discard, once per datagram.
    fn count(&self, scratch: &mut Scratch, counter: Counter) -> u32 {
        match scratch.counted {
            Some((counted, value)) if counted == counter => value,
            _ => {
                let value = self.facts.counters().count(counter);
                scratch.counted = Some((counter, value));
                value
            }
        }
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
