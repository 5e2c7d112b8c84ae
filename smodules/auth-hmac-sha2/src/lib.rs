//! HMAC-SHA-2 authentication (RFC 7860): usmHMAC128SHA224, 192SHA256, 256SHA384 and 384SHA512.
//!
//! It never keeps a key: keys go to the caller, and every copy made on the way is wiped. It has no state
//! at all, so it is swapped without a gate. What it shares with other hash functions, the form of a
//! prepared key included, is in `auth-hmac`.

use auth_hmac::{Protocol, Protocols};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// The protocols by the last arc of their names (RFC 7860 §7), with the lengths of their codes (§4.1).
const PROTOCOLS: &Protocols = &Protocols {
    mark: b"hmac-sha2 2",
    all: &[
        Protocol::of::<Sha224>(4, 16),
        Protocol::of::<Sha256>(5, 24),
        Protocol::of::<Sha384>(6, 32),
        Protocol::of::<Sha512>(7, 48),
    ],
};

/// The module.
pub struct HmacSha2;

auth_hmac::auth_module!(
    HmacSha2 over PROTOCOLS,
    component = "auth.sha2",
    version = "1.0.0",
    annotation = "RFC 7860: SHA-224, SHA-256, SHA-384, SHA-512"
);
