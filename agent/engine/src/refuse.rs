//! Refusals: the one place where they are counted and taken note of, and the Reports that tell of them.
//!
//! It never decides that a packet is refused. Invariant: a datagram moves at most one counter of a refusal
//! and is in one entry of [`crate::why`], however often it is begun anew.

use crate::dispatch::{Accepted, Engine, Packet};
use crate::reason::Reason;
use crate::respond::write_report;
use crate::scratch::Scratch;
use crate::why::{Claim, Refusal};
use roles::access::AccessErrorKind;
use roles::error::Counter;
use roles::message::{
    Incoming, MessageErrorKind, MessageHeader, MessageProcessing as _, MessageProcessingProxy,
    PduClass, StateReference,
};
use roles::security::SecurityErrorKind;
use s_sdk::Activity;
use s_wire::Version;

/// How a Report of a refused message is made.
pub(crate) struct Report<'a> {
    pub(crate) model: &'a MessageProcessingProxy,
    pub(crate) header: MessageHeader,
    pub(crate) state: StateReference,
    pub(crate) request_id: i32,
}

impl Engine {
    /// Refuses a packet without an answer.
    #[cold]
    pub(crate) fn discard(
        &self,
        packet: Packet<'_>,
        reason: Reason,
        scratch: &mut Scratch,
    ) -> bool {
        self.refuse(packet, reason, false, scratch);
        scratch.out.clear();
        false
    }

    /// Counts a refusal, once per datagram, and takes note of it. Answers the counter's value.
    #[cold]
    pub(crate) fn refuse(
        &self,
        packet: Packet<'_>,
        reason: Reason,
        told: bool,
        scratch: &mut Scratch,
    ) -> u32 {
        self.refuse_counting(packet, (reason, reason.counter()), told, scratch)
    }

    /// As [`Engine::refuse`], where the counter depends on more than the reason.
    pub(crate) fn refuse_counting(
        &self,
        packet: Packet<'_>,
        (reason, counter): (Reason, Option<Counter>),
        told: bool,
        scratch: &mut Scratch,
    ) -> u32 {
        if let Some((refused, value)) = scratch.refused
            && refused == reason
        {
            return value;
        }
        let value = counter.map_or(0, |counter| self.facts.counters().count(counter));
        if is_failed_call(reason) {
            self.spoiled.count(false);
        }
        scratch.refused = Some((reason, value));
        scratch.counted = counter.map(|counter| (counter, value)).or(scratch.counted);

        let claim = (packet.version == Some(Version::V3)).then(|| Claim::of(packet.octets));
        let claim = claim.flatten();
        let unknown_engine = Reason::Security(SecurityErrorKind::UnknownEngineId);
        if reason == unknown_engine && claim.is_some_and(|claim| claim.is_discovery()) {
            // RFC 3414 §4: so begins every conversation.
            return value;
        }
        let now = self.facts.now();
        if packet.may_ask && is_failed_proof(reason) {
            let user = claim.map(|claim| claim.user_name);
            self.taken.failed(&self.limits, now, packet.source, user);
            self.notices.authentication_failed(packet.act, now);
        }
        let proven = &scratch.elements.security_name;
        let security_name = match claim {
            Some(claim) if proven.is_empty() => claim.user_name,
            _ => proven,
        };
        let Packet { source, version, .. } = packet;
        self.why.note(&Refusal { now, source, version, security_name, reason, counter, told });
        value
    }

    /// Nobody takes the PDU (RFC 3412 §4.2.2.1.1, RFC 3413 §3.2): a Report says so, where one may be sent.
    #[cold]
    pub(crate) fn no_application(
        &self,
        accepted: &Accepted<'_>,
        reason: Reason,
        scratch: &mut Scratch,
    ) -> bool {
        let Incoming { header, state, .. } = accepted.incoming;
        let can_report = header.message_model == roles::varbind::message_model::SNMPV3
            && state.is_some()
            && header.class == PduClass::Confirmed;
        let value = self.refuse(accepted.packet, reason, can_report, scratch);
        let Some(counter) = reason.counter().filter(|_| can_report) else { return false };
        let header = MessageHeader { class: PduClass::Response, ..header };
        let Accepted { model, request_id, .. } = *accepted;
        let report = Report { model, header, state, request_id };
        self.report(accepted.packet.act, &report, (counter, value), scratch)
    }

    pub(crate) fn report(
        &self,
        act: &Activity,
        report: &Report<'_>,
        (counter, value): (Counter, u32),
        scratch: &mut Scratch,
    ) -> bool {
        let Report { model, header, state, request_id } = *report;
        // RFC 3412 §7.1 step 3: the context of a Report is this engine's default one.
        scratch.elements.clear();
        let named = scratch.elements.context_engine_id.append(self.facts.engine_id());
        named.is_ok()
            && write_report(scratch, request_id, counter.instance(), value).is_ok()
            && model
                .prepare_response_message(act, header, &scratch.elements, state, &mut scratch.out)
                .is_ok()
    }
}

/// Whether a module could not be asked, or had no answer: nothing that a sender can bring about.
const fn is_failed_call(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Message(MessageErrorKind::Call)
            | Reason::Security(SecurityErrorKind::Call)
            | Reason::Access(AccessErrorKind::Call)
    )
}

/// Whether somebody tried to be who he is not, or could not prove who he is.
const fn is_failed_proof(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Security(
            SecurityErrorKind::UnknownUserName
                | SecurityErrorKind::WrongDigest
                | SecurityErrorKind::DecryptionError
                | SecurityErrorKind::BadCommunityName
        )
    )
}
