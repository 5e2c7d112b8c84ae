//! HMAC-MD5-96 authentication (RFC 3414 §6): usmHMACMD5AuthProtocol.
//!
//! For peers that know nothing better: MD5 as a hash is broken, HMAC with it is not known to be, and new
//! users belong on SHA-2. It never keeps a key: keys go to the caller, and every copy made on the way is
//! wiped. It has no state at all, so it is swapped without a gate.

use auth_hmac::{Protocol, Protocols};
use md5::Md5;
use roles::auth::{AuthError, AuthParameters, AuthProtocol};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, Host, List, Module, Refusal, s_module};

/// The protocol by the last arc of its name (RFC 3414 §5), with the length of its code (§6).
const PROTOCOLS: &Protocols =
    &Protocols { mark: b"hmac-md5 1", all: &[Protocol::of::<Md5>(2, 12)] };

/// The module.
pub struct HmacMd5;

#[s_module(component = "auth.md5", version = "1.0.0", annotation = "RFC 3414: HMAC-MD5-96")]
impl AuthProtocol for HmacMd5 {
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

impl Module for HmacMd5 {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(HmacMd5)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::auth::suite(self, act)?)
    }
}
