//! What entries of the configuration stand for: protocols, keys, object identifiers, sources.
//!
//! Invariant: whatever is not understood is told with what could have been written.

use roles::settings::{KeyForm, Source};
use std::net::IpAddr;

/// Names as net-snmp's `-a` spells them, with the last arc below snmpAuthProtocols.
pub(super) const AUTH_PROTOCOLS: [(&str, &[u32]); 6] = [
    ("MD5", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2]),
    ("SHA", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3]),
    ("SHA-224", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 4]),
    ("SHA-256", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5]),
    ("SHA-384", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 6]),
    ("SHA-512", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 7]),
];

/// Names as net-snmp's `-x` spells them.
pub(super) const PRIV_PROTOCOLS: [(&str, &[u32]); 6] = [
    ("DES", &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2]),
    ("AES", &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4]),
    ("AES-192", &[1, 3, 6, 1, 4, 1, 14832, 1, 3]),
    ("AES-256", &[1, 3, 6, 1, 4, 1, 14832, 1, 4]),
    ("AES-192-C", &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1]),
    ("AES-256-C", &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2]),
];

pub(super) fn protocol(
    name: Option<&str>,
    known: &[(&str, &[u32])],
    entry: &str,
) -> Result<Vec<u32>, String> {
    let Some(name) = name else { return Ok(Vec::new()) };
    // Protocols that the agent was not built with have no name here: modules bring them at run time.
    if name.starts_with(|first: char| first == '.' || first.is_ascii_digit()) {
        return oid(name).map_err(|why| format!("`{entry}`: {why}"));
    }
    let wanted = name.to_ascii_uppercase().replace("AES-128", "AES").replace("AES128", "AES");
    let found = known.iter().find(|(known, _)| known.replace('-', "") == wanted.replace('-', ""));
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(_, oid)| oid.to_vec()).ok_or_else(|| {
        let there = names();
        format!("`{entry} = \"{name}\"` is not known; there are {there}, or write an OID")
    })
}

pub(super) fn secret(
    protocol: &[u32],
    passphrase: Option<String>,
    entry: &str,
) -> Result<(KeyForm, Vec<u8>), String> {
    match (protocol.is_empty(), passphrase) {
        (true, None) => Ok((KeyForm::None, Vec::new())),
        (true, Some(_)) => Err(format!("`{entry}` has no protocol; name one")),
        (false, None) => Err(format!("`{entry}` is missing")),
        // RFC 3414 §11.2.
        (false, Some(phrase)) if phrase.len() < 8 => {
            Err(format!("`{entry}` has fewer than 8 octets"))
        }
        (false, Some(phrase)) => Ok((KeyForm::Password, phrase.into_bytes())),
    }
}

pub(super) fn oid(text: &str) -> Result<Vec<u32>, String> {
    let arcs: Option<Vec<u32>> =
        text.trim_start_matches('.').split('.').map(|arc| arc.parse().ok()).collect();
    arcs.filter(|arcs| (1..=128).contains(&arcs.len()))
        .ok_or_else(|| format!("`{text}` is no object identifier; write numbers, as in 1.3.6.1"))
}

pub(super) fn engine_id(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim_start_matches("0x");
    let octets: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    // RFC 3411 §5, SnmpEngineID.
    octets
        .filter(|octets| (5..=32).contains(&octets.len()))
        .filter(|octets| octets.iter().any(|&o| o != 0) && octets.iter().any(|&o| o != 0xff))
        .ok_or_else(|| format!("`{text}` is no engine ID; write 5 to 32 octets as hex digits"))
}

pub(super) fn source(text: &str) -> Result<Source, String> {
    let wrong =
        || format!("`{text}` is no source; write an address or a network, as in 10.0.0.0/8");
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bits = u32::try_from(octets.len() * 8).unwrap_or(0);
    let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| wrong()))?;
    if prefix > bits { Err(wrong()) } else { Ok(Source { address: octets, prefix }) }
}
