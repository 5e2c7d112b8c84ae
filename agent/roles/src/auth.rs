//! The authentication protocols of the User-based Security Model (RFC 3414 §1.6, §6, §7; RFC 7860).
//!
//! A module of this role derives keys and makes and checks message authentication codes. It never sees a
//! user, an engine's clock or the meaning of a message, and it keeps no key: whatever it derives goes to
//! the caller, who owns it and wipes it.
//!
//! Prepared keys cross as octets that only the module reads, not as a slot number in the module. A slot
//! would make the module stateful: a table of secrets behind a lock on the path of every message, carried
//! through every swap, with a lifetime to manage. Octets leave it without state, so that its swaps need no
//! gate. What another version prepared is recognised and refused, and the caller prepares anew from the
//! localized key, which it must have anyway.
//!
//! The contract:
//! 1. `protocol` names the protocols by position, from 0 without a gap; beyond the last one it answers
//!    `UnknownProtocol`. The names are distinct, and every other method takes exactly them.
//! 2. A protocol that is not named by `protocol` is refused with `UnknownProtocol` wherever it is passed.
//! 3. `password_to_key` repeats the password to 1,048,576 octets and hashes them (RFC 3414 §A.2); an empty
//!    password is refused with `EmptyPassword`. The answer has `key_length` octets.
//! 4. `localize_key` hashes key, engineID, key (RFC 3414 §2.6). It takes keys of `key_length` octets only,
//!    else `WrongKeyLength`; so does `prepare_key`.
//! 5. `digest` is the protocol's hash function (RFC 3414 §5 KeyChange). The answer has `key_length` octets.
//! 6. `prepare_key` appends at most [`MAX_PREPARED_KEY`] octets, the same ones for the same key.
//! 7. `sign` and `verify` refuse octets that no `prepare_key` of this version made, as far as it can be
//!    seen, with `UnknownPreparedKey`; the caller prepares the localized key again.
//! 8. `sign` answers `mac_length` octets: the code over the message with zeros in the field, whatever is
//!    in the field (RFC 3414 §6.3.1, RFC 7860 §4.2.1).
//! 9. `verify` accepts exactly the message whose field holds what `sign` answers for it (RFC 3414 §6.3.2),
//!    else it answers `WrongDigest`; its time does not depend on how much of the code is right.
//! 10. A field that is not `mac_length` octets long or not within the message is refused with
//!     `WrongField`: RFC 3414 §6.3.2 step 1 counts it as a wrong digest.

use crate::error::{Counter, role_error};
use crate::varbind::Span;
use s_sdk::{Activity, Buf, List, Plain, behavior};

/// No prepared key is longer.
pub const MAX_PREPARED_KEY: usize = 512;

/// The numbers of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct AuthParameters {
    /// Octets of a key, localized or not; also of what `digest` answers.
    pub key_length: u32,
    /// Octets of a message authentication code, and of its field in the message.
    pub mac_length: u32,
}

role_error! {
    /// Why an authentication module refused.
    AuthError of AuthErrorKind;
    /// The module has no such protocol.
    UnknownProtocol = 1, "the module has no such authentication protocol", Some(Counter::UnsupportedSecLevels);
    /// A password without octets.
    EmptyPassword = 2, "the password is empty", None;
    /// The detail is the length that is right.
    WrongKeyLength = 3, "the key has the wrong length", None;
    /// The key was prepared by another version or for another purpose.
    UnknownPreparedKey = 4, "the key was not prepared by this module: prepare it again", None;
    /// The field is not where or what it should be; the detail is the length that is right.
    WrongField = 5, "the field of the code lies outside the message or has the wrong length", Some(Counter::WrongDigests);
    /// The message is not what was signed.
    WrongDigest = 6, "the message does not match its code", Some(Counter::WrongDigests);
}

/// Derives keys, signs and verifies messages.
#[behavior(name = "auth-protocol")]
pub trait AuthProtocol {
    /// Appends the name of the protocol at a position and answers its numbers.
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError>;

    /// Appends the key of a password.
    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError>;

    /// Appends the key as it is at one engine.
    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError>;

    /// Appends the hash of octets: for key changes and for keys that a privacy protocol extends.
    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError>;

    /// Appends a localized key in the form that `sign` and `verify` take: once per user, not per message.
    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError>;

    /// Appends the code of a message whose field is to hold it.
    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError>;

    /// Whether the message is what was signed.
    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError>;
}
