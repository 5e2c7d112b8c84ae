//! HMAC-SHA-96 authentication (RFC 3414 §7): usmHMACSHAAuthProtocol.
//!
//! What most peers in the field speak; new users belong on SHA-2. It never keeps a key: keys go to the
//! caller, and every copy made on the way is wiped. It has no state at all, so it is swapped without a
//! gate.

use auth_hmac::{Protocol, Protocols};
use sha1::Sha1;

/// The protocol by the last arc of its name (RFC 3414 §5), with the length of its code (§7).
const PROTOCOLS: &Protocols =
    &Protocols { mark: b"hmac-sha1 2", all: &[Protocol::of::<Sha1>(3, 12)] };

/// The module.
pub struct HmacSha1;

auth_hmac::auth_module!(
    HmacSha1 over PROTOCOLS,
    component = "auth.sha1",
    version = "1.0.0",
    annotation = "RFC 3414: HMAC-SHA-96"
);
