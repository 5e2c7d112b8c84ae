//! From a datagram to the PDU in it (RFC 3412 §4.2): the version finds the model, the model takes the
//! message apart, and what it refuses is refused.

use crate::counters::{Outcome, Requests, Spoiled};
use crate::facts::{Facts, Serving};
use crate::limits::{DroppedNow, Limits, Taken, may_be_forged};
use crate::notify::Notices;
use crate::pace::Pace;
use crate::reason::Reason;
use crate::registry::{Found, Registry};
use crate::scratch::{Ended, Scratch};
use crate::source::Source;
use crate::why::{Claim, Why};
use roles::access::AccessControlProxy;
use roles::error::Counter;
use roles::message::{
    Incoming, MessageError, MessageErrorKind, MessageHeader, MessageProcessing as _,
    MessageProcessingProxy, PduClass,
};
use roles::security::SecurityErrorKind;
use roles::varbind::{PduVersion, SecurityLevel};
use s_proxy::Runtime;
use s_sdk::Activity;
use s_sdk::error::CallErrorKind;
use s_wire::{AnyPdu, CommunityMessage, Reader, Version};
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
    pub fn of(runtime: &Runtime) -> Result<Self, s_proxy::RuntimeError> {
        Ok(Models {
            v1: runtime.proxy("message.v1")?,
            v2c: runtime.proxy("message.v2c")?,
            v3: runtime.proxy("message.v3")?,
        })
    }

    pub(crate) const fn of_version(&self, version: Version) -> &MessageProcessingProxy {
        match version {
            Version::V1 => &self.v1,
            Version::V2c => &self.v2c,
            Version::V3 => &self.v3,
        }
    }
}

/// Makes durable what a SET has changed, before it is answered; false when that failed.
pub type Durable = Box<dyn Fn(&Activity) -> bool + Send + Sync>;

/// The engine.
pub struct Engine {
    pub(crate) facts: Arc<Facts>,
    pub(crate) models: Models,
    pub(crate) access: AccessControlProxy,
    pub(crate) limits: Limits,
    pub(crate) durable: Durable,
    pub(crate) why: Why,
    pub(crate) taken: Taken,
    pub(crate) pace: Pace,
    requests: Requests,
    pub(crate) spoiled: Spoiled,
    pub(crate) notices: Notices,
    registry: RwLock<Arc<Registry>>,
    /// The number of the registry, moved with every new one.
    registry_number: AtomicU64,
}

/// The datagram at hand.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) act: &'a Activity,
    pub(crate) source: Source,
    pub(crate) octets: &'a [u8],
    pub(crate) version: Option<Version>,
    /// Its source proves nothing by itself: others can send in its name.
    pub(crate) may_be_forged: bool,
    /// It came to where requests are taken, so that what is wrong with it may be somebody who tries to get in.
    pub(crate) may_ask: bool,
}

/// A message that was accepted, and is to be answered.
pub(crate) struct Accepted<'a> {
    pub(crate) packet: Packet<'a>,
    pub(crate) model: &'a MessageProcessingProxy,
    pub(crate) incoming: Incoming,
    pub(crate) request_id: i32,
    /// The octets of the PDU that came.
    pub(crate) request_len: usize,
}

impl Accepted<'_> {
    /// The sender has proven neither who it is nor where.
    pub(crate) fn is_unproven(&self) -> bool {
        let level = self.incoming.header.security_level;
        self.packet.may_be_forged && level == SecurityLevel::NoAuthNoPriv
    }
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
    ) -> Result<Self, s_proxy::RuntimeError> {
        Ok(Engine {
            durable,
            facts,
            models: Models::of(runtime)?,
            access: runtime.proxy("access.vacm")?,
            limits,
            why: Why::default(),
            taken: Taken::default(),
            pace: Pace::default(),
            requests: Requests::default(),
            spoiled: Spoiled::default(),
            notices: Notices::of(runtime),
            registry: RwLock::default(),
            registry_number: AtomicU64::new(0),
        })
    }

    /// Asks all modules anew what they answer for: after the start, and after every swap. Answers what is
    /// wrong, in words.
    pub fn look(&self, runtime: &'static Runtime, act: &Activity) -> Vec<String> {
        let Found { registry, resources, problems } = Found::look(runtime, act);
        self.facts.set_resources(resources);
        let serving = runtime.components().into_iter().map(Serving::of).collect();
        for (place, generation) in self.facts.set_components(serving) {
            self.pace.is_new(place, generation);
        }
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        self.registry_number.fetch_add(1, Ordering::Release);
        problems
    }

    /// What the engine knows of itself.
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The last packets that were refused.
    pub const fn why(&self) -> &Why {
        &self.why
    }

    /// What became of requests.
    pub const fn requests(&self) -> &Requests {
        &self.requests
    }

    /// What modules have spoiled.
    pub const fn spoiled(&self) -> &Spoiled {
        &self.spoiled
    }

    /// What was dropped or made smaller because of the limits.
    pub fn dropped(&self) -> DroppedNow {
        self.taken.dropped()
    }

    /// Which modules are slow.
    pub const fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Answers a datagram: the answer is then in the scratch, and this says whether there is one. Where
    /// there is none, [`Scratch::left`] says whether that is because it was left for later. Where it counts, it
    /// is followed by [`Engine::conclude`].
    pub fn answer(
        &self,
        act: &Activity,
        peer: Peer<'_>,
        datagram: &[u8],
        scratch: &mut Scratch,
    ) -> bool {
        // Begun anew because a module failed after its SET was decided: the answer is there. It is not asked
        // again who may set, which the SET itself may have changed.
        if scratch.decided == Some(crate::respond::Result::Answers) {
            return true;
        }
        scratch.out.clear();
        scratch.elements.clear();
        (scratch.left, scratch.ended) = (None, None);
        let source = Source::of(&peer);
        let may_be_forged = may_be_forged(&peer, source);
        let may_ask = true;
        let packet =
            Packet { act, source, octets: datagram, version: None, may_be_forged, may_ask };
        if !std::mem::replace(&mut scratch.seen, true) {
            self.facts.counters().count(Counter::InPackets);
            if may_be_forged && !self.taken.admits(&self.limits, self.facts.now(), source) {
                return self.discard(packet, Reason::SourceTooFast, scratch);
            }
        }
        let number = self.registry_number.load(Ordering::Acquire);
        if scratch.registry.as_ref().is_none_or(|(known, _)| *known != number) {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            scratch.registry = Some((number, Arc::clone(&registry)));
        }
        // RFC 3412 §4.2.1 steps 1 and 2.
        let version = match Version::peek(datagram) {
            Ok(version) => version,
            Err(error) if error.reason == s_wire::Reason::BadVersion => {
                return self.discard(packet, Reason::NoSuchVersion, scratch);
            }
            Err(_) => return self.discard(packet, Reason::NoMessage, scratch),
        };
        let packet = Packet { version: Some(version), ..packet };
        if self.taken.has_anybody_failed() && self.is_barred(&packet) {
            return self.discard(packet, Reason::TooManyFailures, scratch);
        }
        let model = self.models.of_version(version);
        let prepared = model.prepare_data_elements(
            act,
            peer.domain,
            peer.address,
            datagram,
            &mut scratch.elements,
        );
        match prepared {
            Ok(incoming) => self.accepted(packet, model, incoming, scratch),
            Err(error) => self.refused(packet, model, error, scratch),
        }
    }

    /// Takes note of what became of the last datagram. A request may be answered more than once, by a thread
    /// that waits for slow modules and at its deadline by another: it is counted for the answer that is sent.
    pub fn conclude(&self, scratch: &mut Scratch) {
        let Some(Ended { kind, outcome, source }) = scratch.ended.take() else { return };
        self.requests.count(kind, outcome);
        if let Some(source) = source {
            self.taken.answered(&self.limits, self.facts.now(), source, scratch.out.len());
        }
    }

    #[cold]
    fn is_barred(&self, packet: &Packet<'_>) -> bool {
        let now = self.facts.now();
        if !self.taken.is_anybody_failing(now) {
            return false;
        }
        // Whoever can forge an address could silence its owner by failing in that name. A v3 message is only
        // refused after its own proof has failed. A community is all the proof there is and worth guessing, so
        // it is looked at only if it was right before: that takes nobody's guesses, and keeps its owner heard.
        if packet.may_be_forged {
            let is_known = |community: &[u8]| self.taken.has_proven(now, packet.source, community);
            let version = packet.version;
            if version == Some(Version::V3) || community(packet.octets).is_some_and(is_known) {
                return false;
            }
        }
        let claim = Claim::of(packet.octets);
        // Who asks who the engine is proves nothing and claims nothing.
        let user = match (packet.version, claim) {
            (Some(Version::V3), Some(claim)) if !claim.is_discovery() => Some(claim.user_name),
            (Some(Version::V3), _) => return false,
            _ => None,
        };
        self.taken.is_barred(&self.limits, now, packet.source, user)
    }

    /// A message that its model refused: counted, and told to the sender where a Report may be sent.
    #[cold]
    fn refused(
        &self,
        packet: Packet<'_>,
        model: &MessageProcessingProxy,
        error: MessageError,
        scratch: &mut Scratch,
    ) -> bool {
        // What was appended before the refusal means nothing.
        scratch.elements.clear();
        let reason = reason_of(error);
        let is_told = error.state.is_some() && reason.counter().is_some();
        let value = self.refuse(packet, reason, is_told, scratch);
        let Some(counter) = reason.counter().filter(|_| is_told) else { return false };
        let level = error
            .security_kind()
            .map_or(SecurityLevel::NoAuthNoPriv, SecurityErrorKind::report_level);
        let header = MessageHeader {
            message_model: packet.version.map_or(0, |version| version as u32),
            security_model: roles::varbind::security_model::USM,
            security_level: level,
            pdu_version: PduVersion::V2,
            class: PduClass::Response,
            send_pdu_handle: 0,
        };
        // RFC 3412 §7.1 step 3 c: 0 where the request-id is not known, or not to be trusted.
        let report = crate::refuse::Report { model, header, state: error.state, request_id: 0 };
        self.report(packet.act, &report, (counter, value), scratch)
    }

    fn accepted(
        &self,
        packet: Packet<'_>,
        model: &MessageProcessingProxy,
        incoming: Incoming,
        scratch: &mut Scratch,
    ) -> bool {
        if packet.may_be_forged
            && let Some(community) = community(packet.octets)
        {
            self.taken.proved(&self.limits, self.facts.now(), packet.source, community);
        }
        let version = match incoming.header.pdu_version {
            PduVersion::V1 => s_wire::PduVersion::V1,
            PduVersion::V2 => s_wire::PduVersion::V2,
        };
        // The elements keep the names; the PDU is replaced by the one that answers.
        let spare = std::mem::take(&mut scratch.request);
        let request = std::mem::replace(&mut scratch.elements.pdu, spare);
        scratch.elements.pdu.clear();
        let answered = match AnyPdu::decode(Reader::new(&request), version) {
            Err(_) => self.discard(packet, Reason::NoPdu, scratch),
            // Nothing that an agent sends is answered to it yet, and it receives no notifications.
            Ok(AnyPdu::TrapV1(_)) => self.discard(packet, Reason::PduNotTaken, scratch),
            Ok(AnyPdu::Pdu(pdu)) => {
                let (request_id, request_len) = (pdu.request_id, request.len());
                let accepted = Accepted { packet, model, incoming, request_id, request_len };
                let answered = self.request(&accepted, &pdu, scratch);
                let outcome = if answered { scratch.outcome } else { Outcome::Dropped };
                let is_charged = answered && accepted.is_unproven();
                let source = is_charged.then_some(packet.source);
                let ended = Ended { kind: pdu.kind, outcome, source };
                scratch.ended = scratch.left.is_none().then_some(ended);
                answered
            }
        };
        // Its memory serves the next datagram.
        scratch.request = request;
        answered
    }
}

/// The community of a message that has one.
fn community(message: &[u8]) -> Option<&[u8]> {
    CommunityMessage::decode(message).ok().map(|message| message.community.octets)
}

/// Why a model refused a message, its security model included.
pub(crate) fn reason_of(error: MessageError) -> Reason {
    match (error.kind, error.security_kind()) {
        (_, Some(kind)) => Reason::Security(kind),
        // A version whose module is not there is a version that nobody processes.
        (MessageErrorKind::Call, _) if error.detail == CallErrorKind::Absent as u32 => {
            Reason::VersionNotServed
        }
        (kind, None) => Reason::Message(kind),
    }
}
