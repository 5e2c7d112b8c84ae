//! The steps of RFC 3413 §3.3: a notification becomes messages, and what answers them is heard.
//!
//! It holds no lock while it calls another module. Invariant: whatever becomes of a message is counted.

use crate::NotifyModule;
use crate::informs::{Answer, Answered, NoRoom, Overdue, Waiting};
use crate::pdu::{self, Notification};
use crate::select::{self, Target};
use crate::tables::Tables;
use roles::access::{AccessControl, Asking, ViewType};
use roles::engine::Engine;
use roles::error::Counter;
use roles::message::{
    DataElements, MessageError, MessageErrorKind, MessageHeader, MessageProcessing, PduClass,
};
use roles::notify::{Transport, standard};
use roles::security::SecurityErrorKind;
use roles::varbind::{PduVersion, SecurityLevel, VarBinds, message_model};
use s_sdk::value::Field;
use s_sdk::{Activity, Buf, CallError, Level};
use s_wire::{AnyPdu, PduKind, Reader};
use std::sync::PoisonError;

/// So many messages are sent in one activity: while it lasts, no module that it calls can be replaced.
const MOST_AT_ONCE: usize = 16;

/// Why a message was not sent.
#[derive(Debug)]
enum Unsent {
    /// A module was not there, its gate was closed too long, or it has no user or keys to send as: the next
    /// try may find what is missing.
    ForNow(String),
    /// The message can never be made.
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
        let tables = &self.store.state().tables;
        let mut targets = select::targets(tables);
        targets.retain(|target| target.name > notification.told_up_to);
        let mut rest = &targets[..];
        loop {
            let (now, later) = rest.split_at(rest.len().min(MOST_AT_ONCE));
            now.iter().for_each(|target| self.tell(act, tables, target, notification, &binds));
            let Some(last) = now.last().filter(|_| !later.is_empty()) else { return };
            // The others are another activity's, or this one's where no more of them can wait.
            let mut waiting = notification.clone();
            waiting.told_up_to.clone_from(&last.name);
            if self.post(&waiting.to_value()).is_ok() {
                return;
            }
            rest = later;
        }
    }

    /// Tells one target.
    fn tell(
        &self,
        act: &Activity,
        tables: &Tables,
        target: &Target,
        notification: &Notification,
        binds: &VarBinds,
    ) {
        // Step 1.
        let passes = select::passes(tables, &target.params, &notification.name, binds);
        // Steps 2 and 3.
        if !passes || !self.may_be_told(act, target, notification, binds) {
            self.counts.withheld.add();
            return;
        }
        // Steps 4 to 6.
        let sent = match target.inform {
            false => self.trap(act, target, notification, binds),
            true => self.inform(act, target, notification, binds),
        };
        match sent {
            // Whether an inform has arrived, its acknowledgement says.
            Ok(()) if target.inform => {}
            Ok(()) => self.arrives(&target.name),
            Err(unsent) => self.note(&target.name, &unsent),
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
        let added = self.informs().add(inform.clone(), self.host.now());
        let no_room = |NoRoom| "too many informs to it wait: look at the receiver".to_owned();
        if let Some(given_up) = added.map_err(no_room).map_err(Unsent::Refused)? {
            self.give_up(&given_up, "others have to wait, too");
        }
        self.send_inform(act, &inform)
    }

    /// Sends an inform, or what finds out who its receiver is. One that can never be sent is given up.
    fn send_inform(&self, act: &Activity, inform: &Waiting) -> Result<(), Unsent> {
        let models = (inform.message_model, inform.security_model, inform.level());
        self.informs().sends(inform.request_id, false);
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
        if matches!(sent, Err(Unsent::Refused(_))) && self.informs().remove(inform.request_id) {
            self.counts.given_up.add();
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
                self.informs().sends(handle, true);
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

    /// Counts what could not be sent.
    fn note(&self, target: &[u8], unsent: &Unsent) {
        self.counts.failed.add();
        self.complain(target, format!("was not told: {unsent}"));
    }

    /// Counts an inform that nobody waits for any more.
    fn give_up(&self, inform: &Waiting, why: &str) {
        self.counts.given_up.add();
        let reported = match &inform.reported[..] {
            "" => String::new(),
            reported => format!("; it has reported {reported}: {}", cure(reported)),
        };
        self.complain(&inform.target, format!("did not acknowledge an inform: {why}{reported}"));
    }

    /// Tells the log of each reason once per target, until that one hears of something.
    fn complain(&self, target: &[u8], why: String) {
        /// So many reasons are remembered.
        const MOST_TOLD: usize = 1024;
        let complaint = (target.to_vec(), why);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.contains(&complaint) {
            return;
        }
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        let name = String::from_utf8_lossy(target);
        self.host.log(Level::Warning, &format!("target `{name}` {}", complaint.1));
        told.insert(complaint);
    }

    /// A target hears of something: what is wrong with it later is new.
    fn arrives(&self, target: &[u8]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(name, _)| name != target);
    }

    /// Takes an answer; false when nobody waits for it.
    pub(crate) fn hear(
        &self,
        act: &Activity,
        header: MessageHeader,
        from: (&[u32], &[u8]),
        pdu: &[u8],
    ) -> bool {
        let Some(answer) = answer_in(pdu) else { return false };
        let handle = header.send_pdu_handle;
        let how = (header.message_model, header.security_level);
        let answered = self.informs().answered(handle, how, from, answer);
        match answered {
            Answered::Nobody => return false,
            Answered::Acknowledged(inform) => {
                self.counts.acknowledged.add();
                self.arrives(&inform.target);
            }
            Answered::Noted => {}
            // The Report has told the models what they lacked: the receiver's engine, or its clock.
            Answered::Again(inform) => self.send_again(act, &inform),
            Answered::Refused(inform) => self.give_up(&inform, "its receiver refused it"),
        }
        true
    }

    /// Sends again what was not acknowledged in time, or gives it up; the rest of many is left for later.
    pub(crate) fn repeat(&self, act: &Activity) {
        let overdue = self.informs().overdue(self.host.now(), MOST_AT_ONCE);
        for inform in overdue {
            match inform {
                Overdue::Again(inform) => self.send_again(act, &inform),
                Overdue::GivenUp(inform) => self.give_up(&inform, "its time is over"),
            }
        }
    }

    fn send_again(&self, act: &Activity, inform: &Waiting) {
        if let Err(unsent) = self.send_inform(act, inform) {
            self.note(&inform.target, &unsent);
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
        (_, Some(reason)) => Unsent::ForNow(format!("{reason}: look at whom it is told as")).into(),
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

/// What a PDU answers; none if it is no answer.
fn answer_in(pdu: &[u8]) -> Option<Answer> {
    let mut arcs = [0; s_wire::oid::MAX_ARCS];
    let decoded = AnyPdu::decode(Reader::new(pdu), s_wire::PduVersion::V2);
    let Ok(AnyPdu::Pdu(pdu)) = decoded else { return None };
    match pdu.kind {
        PduKind::Response => return Some(Answer::Response),
        PduKind::Report => {}
        _ => return None,
    }
    // RFC 3416 §4.2.8: a Report has one binding, which is the counter.
    let Some(first) = pdu.bindings.into_iter().next() else {
        return Some(Answer::Report(None, "nothing".to_owned()));
    };
    let name: &[u32] = first.name.decode(&mut arcs);
    let counter = Counter::ALL.iter().copied().find(|counter| counter.instance() == name);
    let text = counter.map_or_else(|| format!("{name:?}"), |counter| counter.name().to_owned());
    Some(Answer::Report(counter, text))
}

/// What helps against a Report.
fn cure(reported: &str) -> &'static str {
    let is = |counter: Counter| reported == counter.name();
    match () {
        () if is(Counter::UnknownUserNames) => "make the user known there",
        () if is(Counter::WrongDigests) => "give the user the same authentication key there",
        () if is(Counter::DecryptionErrors) => "give the user the same privacy key there",
        () if is(Counter::UnsupportedSecLevels) => {
            "give the user the level there, or the target a lower one"
        }
        () if is(Counter::NotInTimeWindows) => "look whether several receivers share its engine ID",
        () => "look at the receiver's log",
    }
}
