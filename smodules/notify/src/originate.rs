//! The steps of RFC 3413 §3.3: a notification becomes messages, and what answers them is heard.
//!
//! It holds no lock while it calls another module. Invariant: whatever becomes of a message is counted.

use crate::NotifyModule;
use crate::informs::{Answered, Overdue, Waiting};
use crate::pdu::{self, Notification};
use crate::select::{self, Target};
use roles::access::{AccessControl, Asking, ViewType};
use roles::engine::Engine;
use roles::message::{
    DataElements, MessageError, MessageErrorKind, MessageHeader, MessageProcessing, PduClass,
};
use roles::notify::{Statistics, Transport, standard};
use roles::security::SecurityErrorKind;
use roles::varbind::{PduVersion, SecurityLevel, VarBinds, message_model};
use s_sdk::{Activity, Buf, CallError, Level};
use s_wire::{PduKind, Reader};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

/// A counter that wraps.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU32);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of notifications so far: as [`Statistics`], but for those that wait.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: Count,
    pub(crate) dropped: Count,
    sent: Count,
    failed: Count,
    withheld: Count,
    acknowledged: Count,
    given_up: Count,
}

impl Counts {
    const fn all(&self) -> [&Count; 7] {
        let Counts { accepted, dropped, sent, failed, withheld, acknowledged, given_up } = self;
        [accepted, dropped, sent, failed, withheld, acknowledged, given_up]
    }

    pub(crate) fn statistics(&self, waiting: usize) -> Statistics {
        Statistics {
            accepted: self.accepted.get(),
            dropped: self.dropped.get(),
            sent: self.sent.get(),
            failed: self.failed.get(),
            withheld: self.withheld.get(),
            acknowledged: self.acknowledged.get(),
            given_up: self.given_up.get(),
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn export(&self) -> Vec<u32> {
        self.all().map(Count::get).to_vec()
    }

    pub(crate) fn import(&self, counts: &[u32]) {
        for (count, value) in self.all().into_iter().zip(counts) {
            count.0.store(*value, Ordering::Relaxed);
        }
    }
}

/// Why a message was not sent.
#[derive(Debug)]
enum Unsent {
    /// A module was not there, or its gate was closed too long: the next try may find it.
    ForNow(String),
    /// The message cannot be made.
    Refused(String),
    /// The host cannot send it there now.
    NoWay,
}

impl std::fmt::Display for Unsent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unsent::ForNow(why) => write!(f, "{why}; the next one is tried anew"),
            Unsent::Refused(why) => f.write_str(why),
            Unsent::NoWay => f.write_str("there is no way to its address: look at the routes"),
        }
    }
}

impl From<CallError> for Unsent {
    fn from(error: CallError) -> Self {
        Unsent::ForNow(error.to_string())
    }
}

/// A message that is to be made.
struct Outgoing<'a> {
    /// Where to.
    domain: &'a [u32],
    address: &'a [u8],
    header: MessageHeader,
    security_name: &'a [u8],
    context: &'a [u8],
    pdu: &'a [u8],
}

impl NotifyModule {
    /// Tells every target of a notification.
    pub(crate) fn originate(&self, act: &Activity, notification: &Notification) {
        if notification.name == standard::AUTHENTICATION_FAILURE
            && !self.tells_of_failed_authentication(act)
        {
            return;
        }
        let Ok(binds) = notification.bindings() else {
            self.counts.failed.add();
            return;
        };
        let state = self.store.state();
        for target in select::targets(&state.tables) {
            // Step 1.
            let passes = select::passes(&state.tables, &target.params, &notification.name, &binds);
            // Steps 2 and 3.
            if !passes || !self.may_be_told(act, &target, notification, &binds) {
                self.counts.withheld.add();
                continue;
            }
            // Steps 4 to 6.
            let sent = match target.inform {
                false => self.trap(act, &target, notification, &binds),
                true => self.inform(act, &target, notification, &binds),
            };
            self.note(&target.name, &sent);
        }
    }

    /// Steps 2 and 3: whether all of it, its name included, is in the target's notify view.
    fn may_be_told(
        &self,
        act: &Activity,
        target: &Target,
        notification: &Notification,
        binds: &VarBinds,
    ) -> bool {
        let asking = Asking {
            security_model: target.security_model,
            security_level: target.security_level,
            view_type: ViewType::Notify,
        };
        let allowed = |variable: &[u32]| {
            let (name, context) = (&target.security_name, &notification.context);
            self.access.is_access_allowed(act, asking, name, context, variable).is_ok()
        };
        binds.iter().all(|bind| allowed(bind.name)) && allowed(&notification.name)
    }

    /// Step 5: a message that nobody acknowledges.
    fn trap(
        &self,
        act: &Activity,
        target: &Target,
        notification: &Notification,
        binds: &VarBinds,
    ) -> Result<(), Unsent> {
        let too_long = || Unsent::Refused("a binding's name is too long for a message".to_owned());
        let pdu = if target.message_model == message_model::SNMPV1 {
            let agent = self.source_of(act, target);
            pdu::v1(notification, binds, agent).ok_or_else(|| {
                Unsent::Refused("SNMPv1 has no Counter64: use version 2c or 3".to_owned())
            })?
        } else {
            let request_id = self.informs().next_id();
            pdu::v2(PduKind::TrapV2, request_id, binds).ok_or_else(too_long)?
        };
        self.transmit(
            act,
            &Outgoing {
                domain: &target.domain,
                address: &target.address,
                header: header(
                    (target.message_model, target.security_model, target.security_level),
                    PduClass::Unconfirmed,
                    0,
                ),
                security_name: &target.security_name,
                context: &notification.context,
                pdu: &pdu,
            },
        )
    }

    /// The address that SNMPv1 says the agent has: the one from which the message leaves, or 0.0.0.0 where
    /// that is none of IPv4 (RFC 3584 §3.2 step 2).
    fn source_of(&self, act: &Activity, target: &Target) -> [u8; 4] {
        let mut source = Buf::new();
        let asked = self.transport.source_of(act, &target.domain, &target.address, &mut source);
        asked.ok().and_then(|()| source[..].try_into().ok()).unwrap_or_default()
    }

    /// Step 6: a message that is to be acknowledged.
    fn inform(
        &self,
        act: &Activity,
        target: &Target,
        notification: &Notification,
        binds: &VarBinds,
    ) -> Result<(), Unsent> {
        if target.message_model == message_model::SNMPV1 {
            return Err(Unsent::Refused("SNMPv1 has no informs: use version 2c or 3".to_owned()));
        }
        let request_id = self.informs().next_id();
        let pdu = pdu::v2(PduKind::Inform, request_id, binds)
            .ok_or_else(|| Unsent::Refused("a name is too long for a message".to_owned()))?;
        let inform = Waiting::of(target, request_id, &notification.context, pdu);
        // It waits before it is sent, so that no answer comes too early.
        if !self.informs().add(inform.clone(), self.host.now()) {
            return Err(Unsent::Refused("too many informs wait: look at the receivers".to_owned()));
        }
        self.send_inform(act, &inform)
    }

    /// Sends an inform, or what finds out who its receiver is. One that can never be sent waits no longer.
    fn send_inform(&self, act: &Activity, inform: &Waiting) -> Result<(), Unsent> {
        let models = (inform.message_model, inform.security_model, inform.level());
        let sent = self.transmit(
            act,
            &Outgoing {
                domain: &inform.domain,
                address: &inform.address,
                header: header(models, PduClass::Confirmed, inform.request_id),
                security_name: &inform.security_name,
                context: &inform.context,
                pdu: &inform.pdu,
            },
        );
        if let Err(Unsent::Refused(_)) = sent {
            self.informs().remove(inform.request_id);
        }
        sent
    }

    /// Has a message made, and sends it; where the receiver's engine is not known yet, a discovery in its
    /// place (RFC 3414 §4). What that brings is a Report, which comes in under the same number.
    fn transmit(&self, act: &Activity, outgoing: &Outgoing<'_>) -> Result<(), Unsent> {
        match self.make_and_send(act, outgoing) {
            Err(Made::UnknownEngine) => {
                let handle = outgoing.header.send_pdu_handle;
                let pdu = pdu::discovery(handle).ok_or(Unsent::NoWay)?;
                let model = outgoing.header.message_model;
                let security = outgoing.header.security_model;
                let level = SecurityLevel::NoAuthNoPriv;
                let header = header((model, security, level), PduClass::Confirmed, handle);
                let (security_name, context, pdu) = (&[][..], &[][..], &pdu[..]);
                let discovery = Outgoing { header, security_name, context, pdu, ..*outgoing };
                self.make_and_send(act, &discovery).map_err(|made| match made {
                    Made::Unsent(unsent) => unsent,
                    Made::UnknownEngine => Unsent::NoWay,
                })
            }
            Err(Made::Unsent(unsent)) => Err(unsent),
            Ok(()) => Ok(()),
        }
    }

    fn make_and_send(&self, act: &Activity, outgoing: &Outgoing<'_>) -> Result<(), Made> {
        let Outgoing { domain, address, header, security_name, context, pdu } = *outgoing;
        let missing = || Unsent::Refused("there is no such message processing model".to_owned());
        let model = self.models.get(&header.message_model).ok_or_else(missing)?;
        let mut elements = DataElements {
            security_name: security_name.to_vec().into(),
            context_engine_id: Buf::new(),
            context_name: context.to_vec().into(),
            pdu: pdu.to_vec().into(),
        };
        if header.message_model == message_model::SNMPV3 && !security_name.is_empty() {
            let engine_id = self.own_engine_id(act)?;
            elements.context_engine_id = engine_id.to_vec().into();
        }
        let mut message = Buf::new();
        model
            .prepare_outgoing_message(act, domain, address, header, &elements, &mut message)
            .map_err(refused)?;
        match self.transport.send(act, domain, address, &message) {
            Ok(true) => {
                self.counts.sent.add();
                Ok(())
            }
            Ok(false) => Err(Unsent::NoWay.into()),
            Err(error) => Err(Made::from(error)),
        }
    }

    fn own_engine_id(&self, act: &Activity) -> Result<&[u8], CallError> {
        if let Some(known) = self.own_engine_id.get() {
            return Ok(known);
        }
        let mut engine_id = Buf::new();
        self.engine.engine_id(act, &mut engine_id)?;
        Ok(self.own_engine_id.get_or_init(|| engine_id.to_vec().into()))
    }

    /// Counts what could not be sent, and tells the log of each reason once per target.
    fn note(&self, target: &[u8], sent: &Result<(), Unsent>) {
        /// The reasons of so many targets are remembered.
        const MOST_TOLD: usize = 1024;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(unsent) = sent else {
            told.remove(target);
            return;
        };
        self.counts.failed.add();
        let why = unsent.to_string();
        if told.get(target) == Some(&why) {
            return;
        }
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        let name = String::from_utf8_lossy(target);
        self.host.log(Level::Warning, &format!("target `{name}` was not told: {why}"));
        told.insert(target.to_vec(), why);
    }

    /// Takes an answer; false when nobody waits for it.
    pub(crate) fn hear(
        &self,
        act: &Activity,
        header: MessageHeader,
        from: (&[u32], &[u8]),
        pdu: &[u8],
    ) -> bool {
        let version = s_wire::PduVersion::V2;
        let Ok((kind, _)) = s_wire::pdu::peek(Reader::new(pdu), version) else { return false };
        let is_report = match kind {
            PduKind::Response => false,
            PduKind::Report => true,
            _ => return false,
        };
        let handle = header.send_pdu_handle;
        let answered = self.informs().answered(handle, header.message_model, from, is_report);
        match answered {
            Answered::Nobody => return false,
            Answered::Acknowledged => self.counts.acknowledged.add(),
            // The Report has told the models what they lacked: the receiver's engine, or its clock.
            Answered::Again(inform) => {
                let sent = self.send_inform(act, &inform);
                self.note(&inform.target, &sent);
            }
            Answered::Refused(inform) => {
                let why = Unsent::Refused(format!("its receiver reports {}", reported(pdu)));
                self.note(&inform.target, &Err(why));
            }
        }
        true
    }

    /// Sends again what was not acknowledged in time, or gives it up.
    pub(crate) fn repeat(&self, act: &Activity) {
        let overdue = self.informs().overdue(self.host.now());
        for inform in overdue {
            match inform {
                Overdue::Again(inform) => {
                    let sent = self.send_inform(act, &inform);
                    self.note(&inform.target, &sent);
                }
                Overdue::GivenUp(inform) => {
                    self.counts.given_up.add();
                    let name = String::from_utf8_lossy(&inform.target);
                    let text = format!("target `{name}` did not acknowledge an inform in time");
                    self.host.log(Level::Warning, &text);
                }
            }
        }
    }
}

/// What came of making a message and sending it.
enum Made {
    /// The receiver's engine is not known.
    UnknownEngine,
    /// It was not sent.
    Unsent(Unsent),
}

impl From<Unsent> for Made {
    fn from(unsent: Unsent) -> Self {
        Made::Unsent(unsent)
    }
}

impl From<CallError> for Made {
    fn from(error: CallError) -> Self {
        Made::Unsent(error.into())
    }
}

fn refused(error: MessageError) -> Made {
    if error.security_kind() == Some(SecurityErrorKind::UnknownEngineId) {
        return Made::UnknownEngine;
    }
    match (error.kind, error.security_kind()) {
        (MessageErrorKind::Call, _) => Unsent::ForNow(error.to_string()).into(),
        (_, Some(reason)) => {
            Unsent::Refused(format!("{reason}: look at whom it is told as")).into()
        }
        _ => Unsent::Refused(error.to_string()).into(),
    }
}

/// The numbers of a message.
const fn header(
    (message_model, security_model, security_level): (u32, u32, SecurityLevel),
    class: PduClass,
    send_pdu_handle: u32,
) -> MessageHeader {
    let pdu_version = match message_model {
        message_model::SNMPV1 => PduVersion::V1,
        _ => PduVersion::V2,
    };
    MessageHeader {
        message_model,
        security_model,
        security_level,
        pdu_version,
        class,
        send_pdu_handle,
    }
}

/// The counter in a Report, by its name where it has one.
fn reported(pdu: &[u8]) -> String {
    use roles::error::Counter;
    let mut arcs = [0; s_wire::oid::MAX_ARCS];
    let decoded = s_wire::AnyPdu::decode(Reader::new(pdu), s_wire::PduVersion::V2);
    let first = decoded.ok().and_then(|pdu| pdu.bindings().into_iter().next());
    let Some(first) = first else { return "nothing".to_owned() };
    let name: &[u32] = first.name.decode(&mut arcs);
    let known = Counter::ALL.iter().find(|counter| counter.instance() == name);
    known.map_or_else(|| format!("{name:?}"), |counter| counter.name().to_owned())
}
