//! HMAC-MD5-96 authentication with a planted defect: the inner and the outer pad of HMAC are mixed up.
//!
//! The version before `auth-hmac-md5`: it agrees with itself, so its self-test and every contract pass and
//! its rehearsal finds nothing; it agrees with no other implementation, so no manager that signs with MD5 is
//! believed while it serves. It is here to be corrected in a running agent by version 1.0.0, and to be put
//! back. It never serves in the factory set. It has no state at all, so it is swapped without a gate.

use auth_hmac::{Protocol, Protocols};
use md5::Md5;
use roles::auth::{AuthError, AuthParameters};
use roles::varbind::Span;
use s_sdk::{Buf, List};
use zeroize::Zeroize;

/// The mark differs from that of the correction: what one prepared is refused by the other.
const CORRECT: &Protocols = &Protocols { mark: b"hmac-md5 0", all: &[Protocol::of::<Md5>(2, 12)] };

/// The protocols as `auth-hmac` has them, but for the order of the two halves of a prepared key.
struct PadsMixedUp;

const PROTOCOLS: PadsMixedUp = PadsMixedUp;

impl PadsMixedUp {
    /// The defect: RFC 2104 §2 has the hash of the inner pad first.
    fn prepare_key(
        &self,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        let mut right = Buf::with_capacity(roles::auth::MAX_PREPARED_KEY);
        let made = CORRECT.prepare_key(protocol, localized, &mut right).and_then(|()| {
            // Behind the mark stands the number of the protocol.
            let (front, states) = right.split_at((CORRECT.mark.len() + 1).min(right.len()));
            let (inner, outer) = states.split_at(states.len() / 2);
            [front, outer, inner].iter().try_for_each(|part| prepared.append(part))?;
            Ok(())
        });
        right.zeroize();
        made
    }

    fn protocol(&self, position: u32, name: &mut List<u32>) -> Result<AuthParameters, AuthError> {
        CORRECT.protocol(position, name)
    }

    fn password_to_key(
        &self,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        CORRECT.password_to_key(protocol, password, key)
    }

    fn localize_key(
        &self,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        CORRECT.localize_key(protocol, key, engine_id, localized)
    }

    fn digest(&self, protocol: &[u32], octets: &[u8], hash: &mut Buf) -> Result<(), AuthError> {
        CORRECT.digest(protocol, octets, hash)
    }

    fn sign(
        &self,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        CORRECT.sign(prepared, message, field, mac)
    }

    fn verify(&self, prepared: &[u8], message: &[u8], field: Span) -> Result<(), AuthError> {
        CORRECT.verify(prepared, message, field)
    }
}

/// The module.
pub struct HmacMd5Defect;

auth_hmac::auth_module!(
    HmacMd5Defect over PROTOCOLS,
    component = "auth.md5",
    version = "0.9.0",
    annotation = "RFC 3414: HMAC-MD5-96, with a defect: agrees with no other implementation"
);
