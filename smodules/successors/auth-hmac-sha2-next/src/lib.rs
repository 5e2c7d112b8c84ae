//! HMAC-SHA-2 authentication with a protocol that the agent was not built with: SHA-512/256.
//!
//! The successor of `auth-hmac-sha2`: the protocols of RFC 7860 as before, and behind them
//! sagentHMAC256SHA512t256 of the SAGENT-MIB, so that a user of it can be added to a running agent. It never
//! keeps a key, and reads what its predecessor prepared: the form is the same, and so is its mark. It has no
//! state at all, so it is swapped without a gate.
//!
//! Invariant: protocols are only added, and behind the others; activities keep their positions.

use auth_hmac::{Protocol, Protocols};
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_256};

/// sagentAuthProtocols of the SAGENT-MIB.
pub const SAGENT_AUTH_PROTOCOLS: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 4, 1];

/// The protocols by the last arc of their names, with the lengths of their codes. SHA-512/256 is cut
/// nowhere: FIPS 180-4 cuts it once, and what RFC 7860 §4.1 asks for, half of the hash at least, holds.
const PROTOCOLS: &Protocols = &Protocols {
    mark: b"hmac-sha2 2",
    all: &[
        Protocol::of::<Sha224>(4, 16),
        Protocol::of::<Sha256>(5, 24),
        Protocol::of::<Sha384>(6, 32),
        Protocol::of::<Sha512>(7, 48),
        Protocol::of::<Sha512_256>(1, 32).below(SAGENT_AUTH_PROTOCOLS),
    ],
};

/// The module.
pub struct HmacSha2Next;

auth_hmac::auth_module!(
    HmacSha2Next over PROTOCOLS,
    component = "auth.sha2",
    version = "1.1.0",
    annotation = "RFC 7860: SHA-224, SHA-256, SHA-384, SHA-512; SHA-512/256"
);
