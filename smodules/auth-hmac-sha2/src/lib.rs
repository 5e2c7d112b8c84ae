//! HMAC-SHA-2 authentication (RFC 7860): usmHMAC128SHA224, 192SHA256, 256SHA384 and 384SHA512.
//!
//! It never keeps a key: keys go to the caller, and every copy made on the way is wiped. It has no state
//! at all, so it is swapped without a gate. What it shares with other hash functions, the form of a
//! prepared key included, is in `auth-hmac`.

use auth_hmac::{Protocol, Protocols};
use roles::auth::{AuthError, AuthParameters, AuthProtocol};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, Host, List, Module, Refusal, s_module};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// The protocols by the last arc of their names (RFC 7860 §7), with the lengths of their codes (§4.1).
const PROTOCOLS: &Protocols = &Protocols {
    mark: b"hmac-sha2 1",
    all: &[
        Protocol::of::<Sha224>(4, 16),
        Protocol::of::<Sha256>(5, 24),
        Protocol::of::<Sha384>(6, 32),
        Protocol::of::<Sha512>(7, 48),
    ],
};

/// The module.
pub struct HmacSha2;

#[s_module(
    component = "auth.sha2",
    version = "1.0.0",
    annotation = "RFC 7860: SHA-224, SHA-256, SHA-384, SHA-512"
)]
impl AuthProtocol for HmacSha2 {
    fn protocol(
        &self,
        _act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        PROTOCOLS.protocol(position, name)
    }

    fn password_to_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        PROTOCOLS.password_to_key(protocol, password, key)
    }

    fn localize_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        PROTOCOLS.localize_key(protocol, key, engine_id, localized)
    }

    fn digest(
        &self,
        _act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        PROTOCOLS.digest(protocol, octets, hash)
    }

    fn prepare_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        PROTOCOLS.prepare_key(protocol, localized, prepared)
    }

    fn sign(
        &self,
        _act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        PROTOCOLS.sign(prepared, message, field, mac)
    }

    fn verify(
        &self,
        _act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        PROTOCOLS.verify(prepared, message, field)
    }
}

impl Module for HmacSha2 {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(HmacSha2)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::auth::suite(self, act)?)
    }
}
