//! A message processing model (RFC 3411 §4.2; RFC 3412 §7): takes messages apart and puts them together.
//!
//! A module of this role knows one version of the message format and calls the security model that a
//! message names. It never looks into a PDU beyond its tag and request-id: PDUs cross as BER, because the
//! engine's codec reads them once and another codec in a module would read them twice. It moves no counter
//! and sends nothing: a Report is made by the engine, which knows the counter's value, through
//! `prepare_response_message` under the reference in the error.
//!
//! The contract:
//! 1. `prepare_data_elements` appends the elements of a message that it accepts. Octets behind the message
//!    are refused with `ParseError` (RFC 3412 §7.2 step 2).
//! 2. For a request or an inform (Confirmed class) it answers a reference for the response; for a Response
//!    or a Report, the `send_pdu_handle` of the message that it answers (RFC 3412 §7.2 step 10).
//! 3. A message that the security model refuses is `Security` with the number of that reason in `detail`;
//!    its `state` is a reference if and only if the message is reportable (RFC 3412 §7.2 step 6).
//! 4. `prepare_response_message` under a reference answers to the one request that it came from: same
//!    msgID, same security model, same name (RFC 3412 §7.1 step 2). Other activities' references are
//!    refused with `StaleReference`.
//! 5. What does not fit in the receiver's `max_message_size` is refused with `TooBig` and nothing else, so
//!    that the engine can answer with a smaller PDU.
//! 6. `prepare_outgoing_message` followed, at the receiver, by `prepare_data_elements` yields the elements
//!    that went in.

use crate::error::{Counter, role_error};
use crate::security::SecurityErrorKind;
use crate::varbind::{PduVersion, SecurityLevel};
use s_sdk::{Activity, Buf, Crossing, Handle, Plain, behavior};

/// What the model keeps of a message until its activity ends (RFC 3411 §4.2: stateReference).
pub type StateReference = Handle<()>;

/// What becomes of an accepted message (RFC 3412 §4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(u32)]
pub enum PduClass {
    /// It wants an answer: Get, GetNext, GetBulk, Set, Inform.
    Confirmed = 0,
    /// It answers what we sent: Response, Report.
    Response = 1,
    /// It wants no answer: traps.
    Unconfirmed = 2,
}

/// The elements of a message that are octets.
#[derive(Debug, Default, Crossing)]
#[repr(C)]
pub struct DataElements {
    /// The principal.
    pub security_name: Buf,
    /// The engine that has the context; in v1 and v2c empty.
    pub context_engine_id: Buf,
    /// The context; in v1 and v2c as the security model maps the community.
    pub context_name: Buf,
    /// The PDU in BER, tag first.
    pub pdu: Buf,
}

impl DataElements {
    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        let DataElements { security_name, context_engine_id, context_name, pdu } = self;
        [security_name, context_engine_id, context_name, pdu].into_iter().for_each(Buf::clear);
    }
}

/// The elements of a message that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct MessageHeader {
    /// The message processing model.
    pub message_model: u32,
    /// The security model.
    pub security_model: u32,
    /// The security level.
    pub security_level: SecurityLevel,
    /// The version of the PDU.
    pub pdu_version: PduVersion,
    /// What becomes of it.
    pub class: PduClass,
    /// The number under which the sender awaits an answer; 0 for none.
    pub send_pdu_handle: u32,
}

/// What there is to say of an accepted message besides its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Incoming {
    /// Its numbers.
    pub header: MessageHeader,
    /// The largest scopedPDU that fits in a response.
    pub max_response_size: u32,
    /// What the response needs; the handle of nothing where none is wanted.
    pub state: StateReference,
}

role_error! {
    /// Why a message processing model refused.
    MessageError of MessageErrorKind with state: StateReference;
    /// RFC 3412 §7.2 step 2.
    ParseError = 1, "the message cannot be parsed", Some(Counter::AsnParseErrs);
    /// Of another version; the dispatcher counts it (RFC 3412 §4.2.1 step 2).
    BadVersion = 2, "the message has another version", Some(Counter::BadVersions);
    /// RFC 3412 §7.2 step 4.
    UnknownSecurityModel = 3, "there is no such security model", Some(Counter::UnknownSecurityModels);
    /// Flags or PDU do not fit together (RFC 3412 §7.2 step 5).
    InvalidMessage = 4, "the parts of the message contradict each other", Some(Counter::InvalidMsgs);
    /// The security model refused; the detail is the number of its reason.
    Security = 5, "the security model refused the message", None;
    /// A response to nothing that was sent (RFC 3412 §7.2 step 10 b).
    UnknownResponse = 6, "the response matches no outstanding request", Some(Counter::UnknownPduHandlers);
    /// Nothing of this activity was kept under the reference.
    StaleReference = 7, "the message state belongs to another activity", None;
    /// The detail is the size that it would have.
    TooBig = 8, "the message is larger than its receiver takes", None;
    /// It is authentic, and what decryption made of it is no scopedPDU: it was encrypted with another key
    /// (RFC 3412 §7.2 step 7, whose counter is that of any scopedPDU that cannot be parsed).
    NotDecrypted = 9, "what was decrypted is no scopedPDU", Some(Counter::AsnParseErrs);
}

impl MessageError {
    /// The security model's reason, where it was that which refused.
    pub fn security_kind(&self) -> Option<SecurityErrorKind> {
        match self.kind {
            MessageErrorKind::Security => SecurityErrorKind::from_number(self.detail),
            _ => None,
        }
    }

    /// The counter that the discard moves, the security model's reasons included.
    pub fn counter(&self) -> Option<Counter> {
        match self.security_kind() {
            Some(kind) => kind.counter(),
            None => self.kind.counter(),
        }
    }
}

/// Takes messages apart and puts them together.
#[behavior(name = "message-processing")]
pub trait MessageProcessing {
    /// Takes an incoming message apart (RFC 3411 §4.2.3: prepareDataElements).
    fn prepare_data_elements(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError>;

    /// Appends a message that answers one (RFC 3411 §4.2.2: prepareResponseMessage).
    fn prepare_response_message(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        message: &mut Buf,
    ) -> Result<(), MessageError>;

    /// Appends a message that begins a conversation (RFC 3411 §4.2.1: prepareOutgoingMessage).
    fn prepare_outgoing_message(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        header: MessageHeader,
        elements: &DataElements,
        message: &mut Buf,
    ) -> Result<(), MessageError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_security_model_moves_the_security_models_counter() {
        let error = MessageError::detailed(
            MessageErrorKind::Security,
            SecurityErrorKind::WrongDigest as u32,
        );
        assert_eq!(error.counter(), Some(Counter::WrongDigests));
        let call =
            MessageError::detailed(MessageErrorKind::Call, SecurityErrorKind::WrongDigest as u32);
        assert_eq!(call.counter(), None);
        assert_eq!(
            MessageError::new(MessageErrorKind::BadVersion).counter(),
            Some(Counter::BadVersions)
        );
    }
}
