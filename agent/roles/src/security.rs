//! A security model (RFC 3411 §4.4): proves where a message came from, and makes messages that can be proven.
//!
//! A module of this role knows users or communities, their keys and the clocks of other engines, and calls
//! the authentication and privacy modules. It never interprets a PDU and never decides what a sender may
//! see. What it learns of an incoming message it keeps in the activity, under a reference that comes back
//! with the response: so the answer is made by the version, and with the keys, that admitted the request.
//!
//! The contract:
//! 1. `process_incoming` answers the engineID, the security name and the plaintext scopedPDU of a message
//!    that it accepts, and moves nothing but its own notion of other engines' clocks.
//! 2. The reference that it answers is good for `generate_response` until the activity ends, any number of
//!    times, and is meaningless to any other activity (RFC 3411 §4.4: securityStateReference).
//! 3. A refused message carries its reason; where a Report may be sent the error's `state` is a reference
//!    for it, good for `generate_response` at the level that the reason's `report_level` says.
//! 4. `generate_response` under a reference uses the user, engineID and keys of the request, and never a
//!    higher or lower level than it is given (RFC 3414 §3.1 step 1 a).
//! 5. A reference of another activity is refused with `StaleReference`.
//! 6. What `generate_request` made for an engine, that engine's `process_incoming` accepts, within the
//!    time window and with the same configuration; altered in any octet, it refuses it if it was to be
//!    authenticated.
//! 7. A message longer than `max_message_size` is refused with `TooBig`, not made.

use crate::error::{Counter, role_error};
use crate::varbind::{SecurityLevel, Span};
use s_sdk::{Activity, Buf, Crossing, Handle, Plain, behavior};

/// What the security model keeps of a message until its activity ends. Only the model reads it, so its
/// type is none of the contract's business: the model keeps a type of its own and answers `handle.of()`.
pub type SecurityStateReference = Handle<()>;

/// What the message processing model took from the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct SecurityHeader {
    /// The message processing model.
    pub message_model: u32,
    /// The security model.
    pub security_model: u32,
    /// The level: of the message, or to be used.
    pub security_level: SecurityLevel,
    /// The largest message that the sender takes.
    pub max_message_size: u32,
}

/// Where in a message the model finds its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct MessageParts {
    /// The contents of msgSecurityParameters, or the community.
    pub security_parameters: Span,
    /// msgData: the scopedPDU, encrypted or not; in v1 and v2c the PDU.
    pub data: Span,
}

/// Who speaks, and what it says.
#[derive(Debug, Default, Crossing)]
#[repr(C)]
pub struct SecurityData {
    /// The authoritative engine.
    pub engine_id: Buf,
    /// The principal, in a form that does not depend on the model.
    pub security_name: Buf,
    /// The scopedPDU in plain; in v1 and v2c the PDU.
    pub scoped_pdu: Buf,
}

impl SecurityData {
    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        let SecurityData { engine_id, security_name, scoped_pdu } = self;
        [engine_id, security_name, scoped_pdu].into_iter().for_each(Buf::clear);
    }
}

/// What there is to say of an accepted message besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Accepted {
    /// The largest scopedPDU that fits in a response.
    pub max_response_size: u32,
    /// What the response needs.
    pub state: SecurityStateReference,
}

role_error! {
    /// Why a security model refused.
    SecurityError of SecurityErrorKind with state: SecurityStateReference;
    /// The parameters are not what the model defines (RFC 3414 §3.2 step 1).
    ParseError = 1, "the security parameters cannot be parsed", Some(Counter::AsnParseErrs);
    /// RFC 3414 §3.2 step 3.
    UnknownEngineId = 2, "the message is for another engine", Some(Counter::UnknownEngineIds);
    /// RFC 3414 §3.2 step 4.
    UnknownUserName = 3, "there is no such user", Some(Counter::UnknownUserNames);
    /// RFC 3414 §3.2 step 5.
    UnsupportedSecurityLevel = 4, "the user has no such security level", Some(Counter::UnsupportedSecLevels);
    /// RFC 3414 §3.2 step 6.
    WrongDigest = 5, "the message does not match its code", Some(Counter::WrongDigests);
    /// RFC 3414 §3.2 step 7.
    NotInTimeWindow = 6, "the message is outside the time window", Some(Counter::NotInTimeWindows);
    /// RFC 3414 §3.2 step 8.
    DecryptionError = 7, "the message cannot be decrypted", Some(Counter::DecryptionErrors);
    /// RFC 3584 §5.2.1.
    BadCommunityName = 8, "there is no such community", Some(Counter::BadCommunityNames);
    /// RFC 3418: the community does not allow it.
    BadCommunityUse = 9, "the community does not allow this operation", Some(Counter::BadCommunityUses);
    /// Nothing of this activity was kept under the reference.
    StaleReference = 10, "the security state belongs to another activity", None;
    /// RFC 3414 §3.1 step 4.
    EncryptionError = 11, "the message cannot be encrypted", None;
    /// The detail is the size that it would have.
    TooBig = 12, "the message is larger than its receiver takes", None;
}

impl SecurityErrorKind {
    /// The level at which a Report of this discard is sent (RFC 3414 §3.2): all but one go without
    /// authentication, because none can be proven to the other side yet.
    pub const fn report_level(self) -> SecurityLevel {
        match self {
            SecurityErrorKind::NotInTimeWindow => SecurityLevel::AuthNoPriv,
            _ => SecurityLevel::NoAuthNoPriv,
        }
    }
}

/// Proves incoming messages and protects outgoing ones.
#[behavior(name = "security-model")]
pub trait SecurityModel {
    /// Proves a message and appends who sent it and what it says (RFC 3411 §4.4.2).
    fn process_incoming(
        &self,
        act: &Activity,
        header: SecurityHeader,
        parts: MessageParts,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError>;

    /// Appends a whole message that begins a conversation: a request or a notification (RFC 3411 §4.4.1).
    fn generate_request(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError>;

    /// Appends a whole message that answers one: a response or a Report (RFC 3411 §4.4.3).
    fn generate_response(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        state: SecurityStateReference,
        message: &mut Buf,
    ) -> Result<(), SecurityError>;
}
