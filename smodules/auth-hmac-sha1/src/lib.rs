//! HMAC-SHA-96 authentication (RFC 3414 §7): usmHMACSHAAuthProtocol.
//!
//! What most peers in the field speak; new users belong on SHA-2. It never keeps a key: keys go to the
//! caller, and every copy made on the way is wiped. It has no state at all, so it is swapped without a
//! gate.

use auth_hmac::{Protocol, Protocols};
use roles::auth::{AuthError, AuthParameters, AuthProtocol};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, Host, List, Module, Refusal, s_module};
use sha1::Sha1;

/// The protocol by the last arc of its name (RFC 3414 §5), with the length of its code (§7).
const PROTOCOLS: &Protocols =
    &Protocols { mark: b"hmac-sha1 1", all: &[Protocol::of::<Sha1>(3, 12)] };

/// The module.
pub struct HmacSha1;

#[s_module(component = "auth.sha1", version = "1.0.0", annotation = "RFC 3414: HMAC-SHA-96")]
impl AuthProtocol for HmacSha1 {
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

impl Module for HmacSha1 {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(HmacSha1)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::auth::suite(self, act)?)
    }
}
