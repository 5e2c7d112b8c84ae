//! HMAC-SHA-2 authentication protocols of RFC 7860.
