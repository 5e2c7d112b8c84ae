//! HMAC-MD5-96 authentication (RFC 3414 §6): usmHMACMD5AuthProtocol.
//!
//! For peers that know nothing better: MD5 as a hash is broken, HMAC with it is not known to be, and new
//! users belong on SHA-2. It never keeps a key: keys go to the caller, and every copy made on the way is
//! wiped. It has no state at all, so it is swapped without a gate.

use auth_hmac::{Protocol, Protocols};
use md5::Md5;

/// The protocol by the last arc of its name (RFC 3414 §5), with the length of its code (§6).
const PROTOCOLS: &Protocols =
    &Protocols { mark: b"hmac-md5 2", all: &[Protocol::of::<Md5>(2, 12)] };

/// The module.
pub struct HmacMd5;

auth_hmac::auth_module!(
    HmacMd5 over PROTOCOLS,
    component = "auth.md5",
    version = "1.0.0",
    annotation = "RFC 3414: HMAC-MD5-96"
);
