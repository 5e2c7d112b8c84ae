//! HMAC-SHA-2 authentication (RFC 7860) for the group of `grouped-role`.
//!
//! It does what `auth-hmac-sha2` does, but is reached through [`GroupedAuth`] alone: a security model of
//! another group finds no protocol in it. It never keeps a key. It has no state at all.

use auth_hmac::{Protocol, Protocols};
use grouped_role::{CodeField, GroupedAuth, InItsRole};
use roles::auth::{AuthError, AuthParameters};
use s_sdk::{Activity, Buf, Host, List, Module, Refusal, s_module};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// Keys that another version has prepared are prepared anew.
const PROTOCOLS: &Protocols = &Protocols {
    mark: b"hmac-sha2 grouped 2",
    all: &[
        Protocol::of::<Sha224>(4, 16),
        Protocol::of::<Sha256>(5, 24),
        Protocol::of::<Sha384>(6, 32),
        Protocol::of::<Sha512>(7, 48),
    ],
};

/// The module.
pub struct HmacSha2Grouped;

#[s_module(
    component = "auth.sha2",
    version = "2.0.0",
    annotation = "RFC 7860: SHA-224, SHA-256, SHA-384, SHA-512; one method for codes",
    depends("security.usm" = "^3")
)]
impl GroupedAuth for HmacSha2Grouped {
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

    fn code(
        &self,
        _act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: CodeField,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        match field.is_to_prove {
            0 => PROTOCOLS.sign(prepared, message, field.span, mac),
            _ => PROTOCOLS.verify(prepared, message, field.span),
        }
    }
}

impl Module for HmacSha2Grouped {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(HmacSha2Grouped)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::auth::suite(&InItsRole(HmacSha2Grouped), act)?)
    }
}
