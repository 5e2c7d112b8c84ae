//! Notifications, as the engine has to do with them: the way out for who originates them, the way in for
//! what answers them, and what the engine itself has to tell (RFC 3413 §3.3, RFC 3418).
//!
//! It opens no socket: the host gives an [`Outlet`]. It never answers what comes in here. Invariant: what is
//! told from the path of a request costs one message into a bounded mailbox, and is told once a second at
//! most.

use crate::dispatch::{Engine, Packet, Peer, reason_of};
use crate::facts::{EngineModule, Facts};
use crate::limits::may_be_forged;
use crate::reason::Reason;
use crate::scratch::Scratch;
use crate::source::Source;
use roles::error::Counter;
use roles::message::{MessageProcessing as _, PduClass};
use roles::notify::{Notifier as _, NotifierProxy, Transport, standard};
use roles::varbind::VarBinds;
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, CallError};
use s_wire::Version;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The host's way out for messages that nobody asked for.
pub trait Outlet: Send + Sync {
    /// Sends a message without waiting; false when it cannot be sent there, or not now.
    fn send(&self, domain: &[u32], address: &[u8], message: &[u8]) -> bool;

    /// The IP address from which a message to an address leaves; empty where that is not known.
    fn source_of(&self, domain: &[u32], address: &[u8]) -> Vec<u8>;
}

/// Before the host has opened its sockets nothing can be sent.
impl Transport for EngineModule {
    fn send(
        &self,
        _: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
    ) -> Result<bool, CallError> {
        let outlet = self.facts().outlet();
        Ok(outlet.is_some_and(|outlet| outlet.send(transport_domain, transport_address, message)))
    }

    fn source_of(
        &self,
        _: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        source: &mut Buf,
    ) -> Result<(), CallError> {
        let outlet = self.facts().outlet();
        let found = outlet.map(|outlet| outlet.source_of(transport_domain, transport_address));
        Ok(source.append(&found.unwrap_or_default())?)
    }
}

/// What the engine itself has to tell.
pub(crate) struct Notices {
    /// None in an agent without such a component.
    notifier: Option<NotifierProxy>,
    /// When a failure was told last, in nanoseconds since the engine started; 0 for never.
    failure_told: AtomicU64,
}

impl Notices {
    /// The component `notify`, if there is one.
    pub(crate) fn of(runtime: &Runtime) -> Self {
        Notices { notifier: runtime.proxy("notify").ok(), failure_told: AtomicU64::new(0) }
    }

    /// RFC 3418, authenticationFailure: somebody could not prove who he is. Whether it may be told is the
    /// originator's to know. One a second says all that there is to say, and leaves room for others.
    pub(crate) fn authentication_failed(&self, act: &Activity, now: Duration) {
        const EVERY: u64 = 1_000_000_000;
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).max(1);
        let told = self.failure_told.load(Ordering::Relaxed);
        let is_due = told == 0 || now.saturating_sub(told) >= EVERY;
        // Of several threads that find it due one tells.
        let is_ours = is_due
            && self
                .failure_told
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_ours {
            self.tell(act, standard::AUTHENTICATION_FAILURE, &VarBinds::new());
        }
    }

    /// What finds no room is counted by the originator; nobody here can do more about it.
    fn tell(&self, act: &Activity, notification: &[u32], bindings: &VarBinds) -> bool {
        let told = self.notifier.as_ref();
        told.is_some_and(|notifier| notifier.notify(act, notification, b"", bindings).is_ok())
    }
}

impl Engine {
    /// Tells everybody who wants to know; false when it was not taken over.
    pub fn notify(&self, act: &Activity, notification: &[u32], bindings: &VarBinds) -> bool {
        self.notices.tell(act, notification, bindings)
    }

    /// Takes in what came to a socket from which notifications leave: answers to informs and discoveries
    /// (RFC 3413 §3.3 step 6). Anything else is discarded; nothing is answered, and nobody is told of a failed
    /// authentication: a receiver whose acknowledgements fail would get one more inform for each of them.
    pub fn hear(&self, act: &Activity, peer: Peer<'_>, datagram: &[u8], scratch: &mut Scratch) {
        scratch.out.clear();
        scratch.elements.clear();
        if !std::mem::replace(&mut scratch.seen, true) {
            self.facts.counters().count(Counter::InPackets);
        }
        let source = Source::of(&peer);
        let may_be_forged = may_be_forged(&peer, source);
        let may_ask = false;
        let packet =
            Packet { act, source, octets: datagram, version: None, may_be_forged, may_ask };
        let version = match Version::peek(datagram) {
            Ok(version) => version,
            Err(_) => return self.drop_it(packet, Reason::NoMessage, scratch),
        };
        let packet = Packet { version: Some(version), ..packet };
        let prepared = self.models.of_version(version).prepare_data_elements(
            act,
            peer.domain,
            peer.address,
            datagram,
            &mut scratch.elements,
        );
        let header = match prepared {
            Ok(incoming) => incoming.header,
            Err(error) => return self.drop_it(packet, reason_of(error), scratch),
        };
        let pdu = &scratch.elements.pdu;
        let is_awaited = header.class == PduClass::Response
            && self.notices.notifier.as_ref().is_some_and(|notifier| {
                notifier.answered(act, header, peer.domain, peer.address, pdu).unwrap_or(false)
            });
        if !is_awaited {
            self.drop_it(packet, Reason::PduNotTaken, scratch);
        }
    }

    fn drop_it(&self, packet: Packet<'_>, reason: Reason, scratch: &mut Scratch) {
        self.discard(packet, reason, scratch);
    }
}

impl Facts {
    /// Gives the way out for messages that nobody asked for. The first one stays.
    pub fn set_outlet(&self, outlet: Box<dyn Outlet>) {
        let _ = self.outlet.set(outlet);
    }

    pub(crate) fn outlet(&self) -> Option<&dyn Outlet> {
        self.outlet.get().map(Box::as_ref)
    }
}
