//! The privacy protocols of the User-based Security Model (RFC 3414 §1.6, §8; RFC 3826).
//!
//! A module of this role encrypts and decrypts the scopedPDU. It never derives a key from a password and
//! never decides whether a message must be private, and it keeps no key. What makes two encryptions under
//! one key differ (RFC 3414 §8.1.1.1, RFC 3826 §3.1.2.1) is a local counter that starts at a random value:
//! the module's own, carried to its successor, because a repeated salt gives the plaintext away.
//!
//! The contract:
//! 1. `protocol` names the protocols by position as in [`crate::auth`].
//! 2. An unknown protocol is refused with `UnknownProtocol` wherever it is passed.
//! 3. A key has `key_length` octets, else `WrongKeyLength`. A localized key that is shorter is extended
//!    beforehand, by the caller, as `extension` says and with the authentication protocol's `digest` or
//!    `password_to_key` and `localize_key`; one that is longer is cut.
//! 4. `encrypt` appends the ciphertext and `salt_length` octets of salt, which become the
//!    msgPrivacyParameters.
//! 5. `decrypt` with the same key, the same boots and time and that salt appends the plaintext, followed
//!    by at most `block_length - 1` octets of padding: the scopedPDU's own length says where it ends.
//! 6. No two calls of `encrypt` under one key answer the same salt, across swaps too.
//! 7. A salt of another length and a ciphertext that is not made of whole blocks are refused with
//!    `DecryptionError` (RFC 3414 §8.3.2, RFC 3826 §3.1.4).

use crate::error::{Counter, role_error};
use s_sdk::{Activity, Buf, List, Plain, behavior};

/// How a localized key becomes one that is long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(u32)]
pub enum KeyExtension {
    /// It is long enough with every authentication protocol.
    None = 0,
    /// Appended: the digest of all octets so far, until it is long enough (draft-blumenthal-aes-usm-04).
    Blumenthal = 1,
    /// Appended: the key as a password, made a key and localized (draft-reeder-snmpv3-usm-3desede-00).
    Reeder = 2,
}

/// The numbers of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct PrivacyParameters {
    /// Octets of a key.
    pub key_length: u32,
    /// Octets of the salt.
    pub salt_length: u32,
    /// Octets of a block; 1 where the ciphertext is as long as the plaintext.
    pub block_length: u32,
    /// What becomes of a shorter localized key.
    pub extension: KeyExtension,
}

/// The sender's clock in the message, which takes part in some initialization vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct EngineTime {
    /// msgAuthoritativeEngineBoots.
    pub boots: u32,
    /// msgAuthoritativeEngineTime, in seconds.
    pub time_seconds: u32,
}

role_error! {
    /// Why a privacy module refused.
    PrivacyError of PrivacyErrorKind;
    /// The module has no such protocol.
    UnknownProtocol = 1, "the module has no such privacy protocol", Some(Counter::UnsupportedSecLevels);
    /// The detail is the length that is right.
    WrongKeyLength = 2, "the key has the wrong length", None;
    /// The ciphertext or its salt cannot be right.
    DecryptionError = 3, "the data cannot be decrypted", Some(Counter::DecryptionErrors);
    /// No salt is left that was not used.
    EncryptionError = 4, "the data cannot be encrypted", None;
}

/// Encrypts and decrypts scopedPDUs.
#[behavior(name = "priv-protocol")]
pub trait PrivProtocol {
    /// Appends the name of the protocol at a position and answers its numbers.
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<PrivacyParameters, PrivacyError>;

    /// Appends the ciphertext, and the salt that the receiver needs.
    // Input and output are apart, because by name an output is empty when the call begins. The module
    // appends the plaintext and encrypts it where it then stands: one copy, no allocation.
    #[expect(
        clippy::too_many_arguments,
        reason = "the abstract service interface of RFC 3414 §1.6.2 has these"
    )]
    fn encrypt(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        plain: &[u8],
        cipher: &mut Buf,
        salt: &mut Buf,
    ) -> Result<(), PrivacyError>;

    /// Appends the plaintext.
    #[expect(
        clippy::too_many_arguments,
        reason = "the abstract service interface of RFC 3414 §1.6.2 has these"
    )]
    fn decrypt(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        salt: &[u8],
        cipher: &[u8],
        plain: &mut Buf,
    ) -> Result<(), PrivacyError>;
}
