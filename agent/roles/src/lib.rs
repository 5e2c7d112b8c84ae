//! The behaviors of an SNMP engine (RFC 3411 service interfaces).
