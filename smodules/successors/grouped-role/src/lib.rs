//! The interface between `message.v3`, `security.usm` and `auth.sha2` of one group of versions: what belongs
//! together in the roles is one argument here, and what one method can do is not two.
//!
//! It is nobody else's: of the three modules that speak it each needs the other two, as their dependencies
//! say, so they are swapped in and out together or not at all. What the methods mean is what the roles say of
//! those that they stand for; the contracts are the same.

use roles::auth::{AuthError, AuthParameters, AuthProtocol};
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityHeader, SecurityStateReference,
};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, List, Plain, behavior};

/// What a message says of itself, and where its parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Envelope {
    /// Its numbers.
    pub header: SecurityHeader,
    /// Its parts.
    pub parts: MessageParts,
}

/// What a message needs that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Outgoing {
    /// The numbers of the message.
    pub header: SecurityHeader,
    /// Of what it answers.
    pub state: SecurityStateReference,
    /// 1 if it answers something; otherwise it begins a conversation.
    pub is_answer: u32,
}

/// [`roles::security::SecurityModel`] for the group.
#[behavior(name = "grouped-security")]
pub trait GroupedSecurity {
    /// `process_incoming`.
    fn admit(
        &self,
        act: &Activity,
        envelope: Envelope,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError>;

    /// `generate_response` for an answer, otherwise `generate_request`.
    fn make(
        &self,
        act: &Activity,
        outgoing: Outgoing,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError>;
}

/// [`AuthProtocol`] for the group: one method for codes.
#[behavior(name = "grouped-auth")]
pub trait GroupedAuth {
    /// The same of [`AuthProtocol`].
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError>;

    /// The same of [`AuthProtocol`].
    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError>;

    /// The same of [`AuthProtocol`].
    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError>;

    /// The same of [`AuthProtocol`].
    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError>;

    /// The same of [`AuthProtocol`].
    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError>;

    /// `verify` where the field is to be proven, otherwise `sign`.
    fn code(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: CodeField,
        mac: &mut Buf,
    ) -> Result<(), AuthError>;
}

/// The field of a code in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct CodeField {
    /// Where it is.
    pub span: Span,
    /// 1 if it has a code that is to be proven; otherwise the code is appended.
    pub is_to_prove: u32,
}

/// An authentication module of the group, in the words of its role.
#[derive(Clone, Copy, Debug)]
pub struct InItsRole<A>(pub A);

impl<A: GroupedAuth> AuthProtocol for InItsRole<A> {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        self.0.protocol(act, position, name)
    }

    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        self.0.password_to_key(act, protocol, password, key)
    }

    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        self.0.localize_key(act, protocol, key, engine_id, localized)
    }

    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        self.0.digest(act, protocol, octets, hash)
    }

    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        self.0.prepare_key(act, protocol, localized, prepared)
    }

    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        span: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        self.0.code(act, prepared, message, CodeField { span, is_to_prove: 0 }, mac)
    }

    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        span: Span,
    ) -> Result<(), AuthError> {
        // Nothing is appended where a code is proven.
        let field = CodeField { span, is_to_prove: 1 };
        self.0.code(act, prepared, message, field, &mut Buf::new())
    }
}
