//! What the agent says of itself: its engineID, the system group, its limits and where it listens.
//!
//! Invariant: an engineID that a line asks for is the one that snmpd would have, octet by octet, because
//! keys are localized to it.

use super::Meaning;
use super::verdict::{Told, Verdict, refused};
use super::words::{Words, hex};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};
use std::path::Path;

/// net-snmp's enterprise number with the highest bit set (RFC 3411 §5): what its engineIDs begin with.
const NET_SNMP: [u8; 4] = [0x80, 0x00, 0x1f, 0x88];

/// The format of an engineID (RFC 3411 §5).
const FORMAT_IPV4: u8 = 1;
const FORMAT_MAC: u8 = 3;
const FORMAT_TEXT: u8 = 4;

/// Which engineID lines ask for. In snmpd a text or an exact one wins over a type, the later over the
/// earlier.
#[derive(Default)]
pub(super) struct EngineId {
    given: Option<Vec<u8>>,
    format: Option<u8>,
    interface: Option<String>,
}

impl EngineId {
    /// `engineID TEXT`: all of the line, blanks and comments included.
    pub(super) fn text(&mut self, text: &str) -> Told {
        if text.len() > 27 {
            return refused(
                "the text has more than 27 octets, and an engineID at most 32 (RFC 3411 §5): shorten it, or use \
                    exactEngineID",
            );
        }
        self.given = Some([&NET_SNMP[..], &[FORMAT_TEXT], text.as_bytes()].concat());
        Ok(String::new())
    }

    /// `exactEngineID 0x…`
    pub(super) fn exact(&mut self, words: &mut Words<'_>) -> Told {
        let octets = hex(&words.word().unwrap_or_default());
        match octets.filter(|octets| (5..=32).contains(&octets.len())) {
            Some(octets) => {
                self.given = Some(octets);
                Ok(String::new())
            }
            // Stricter than snmpd, which cuts off what is too long and takes what is too short.
            None => {
                refused("this is no engineID: write 5 to 32 octets in hex digits (RFC 3411 §5)")
            }
        }
    }

    /// `engineIDType 1|2|3`
    pub(super) fn format(&mut self, words: &mut Words<'_>) -> Told {
        self.format = Some(match words.word().as_deref() {
            // snmpd looks for an IPv4 address of the host's name for both.
            Some("1" | "2") => FORMAT_IPV4,
            Some("3") => FORMAT_MAC,
            _ => {
                return refused(
                    "the type is none of 1, 2, 3: write one of them, or none of this line",
                );
            }
        });
        Ok("an address can change, and every key with it; exactEngineID is safer".into())
    }

    /// `engineIDNic INTERFACE`
    pub(super) fn interface(&mut self, words: &mut Words<'_>) -> Told {
        self.interface = words.word();
        Ok(String::new())
    }

    /// The engineID, if lines ask for one.
    ///
    /// # Errors
    /// The interface has no address of its own.
    pub(super) fn finish(&self) -> Result<Option<Vec<u8>>, String> {
        let start = |format| [&NET_SNMP[..], &[format]].concat();
        match (&self.given, self.format) {
            (Some(given), _) => Ok(Some(given.clone())),
            (None, None) => Ok(None),
            (None, Some(FORMAT_MAC)) => {
                let interface = self.interface.as_deref().unwrap_or("eth0");
                let mac = mac(interface).ok_or_else(|| {
                    format!("engineIDType 3: {interface} has no MAC address, and snmpd would take zeros: name \
                        another with engineIDNic")
                })?;
                Ok(Some([start(FORMAT_MAC), mac].concat()))
            }
            (None, Some(_)) => {
                let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                let found = (name.trim(), 0).to_socket_addrs().ok();
                let four = found.into_iter().flatten().find_map(|address| match address.ip() {
                    IpAddr::V4(four) => Some(four),
                    IpAddr::V6(_) => None,
                });
                let four = four.unwrap_or(Ipv4Addr::LOCALHOST);
                Ok(Some([start(FORMAT_IPV4), four.octets().to_vec()].concat()))
            }
        }
    }
}

fn mac(interface: &str) -> Option<Vec<u8>> {
    if interface.contains('/') {
        return None;
    }
    let path = Path::new("/sys/class/net").join(interface).join("address");
    let text = std::fs::read_to_string(path).ok()?;
    let octets: Option<Vec<u8>> =
        text.trim().split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.filter(|octets| octets.len() == 6)
}

/// `sysLocation TEXT` and its kin: all of the line, quotes and comments included, as in snmpd.
pub(super) fn text(place: &mut String, rest: &str) -> Told {
    if rest.len() > 255 {
        return refused("the text has more than 255 octets: shorten it (RFC 3418)");
    }
    // Two quotes are how snmpd writes no text.
    *place = if rest == "\"\"" { String::new() } else { rest.to_owned() };
    Ok(match rest {
        "\"\"" => "without a text the object can be written by SET, which snmpd refuses".into(),
        rest if rest.contains('#') || rest.starts_with('"') => {
            "quotes and `#` are part of the text, as in snmpd".into()
        }
        _ => String::new(),
    })
}

/// `sysServices NUMBER`
pub(super) fn services(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    match words.word().and_then(|number| number.parse().ok()) {
        Some(number @ 1..=127) => {
            meaning.system.services = number;
            Ok(String::new())
        }
        _ => refused("this is no number from 1 to 127 (RFC 3418): a host has 72"),
    }
}

/// How many variables snmpd has in the answer to a GetBulk where no line says otherwise.
pub(super) const SNMPD_RESPONSES: u32 = 100;

/// A number that is not negative, or `-1` where that means "no limit".
fn number(words: &mut Words<'_>) -> Result<Option<u32>, Verdict> {
    match words.word().and_then(|number| number.parse::<i64>().ok()) {
        Some(-1) => Ok(None),
        Some(number) => match u32::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => refused("the number is out of range: write 0 or more, or -1 for no limit"),
        },
        None => refused("this is no number: write one"),
    }
}

/// `maxGetbulkRepeats NUMBER`: 0 and -1 are no limit.
pub(super) fn repeats(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    meaning.max_repetitions = Some(number(words)?.unwrap_or(0));
    Ok(String::new())
}

/// `maxGetbulkResponses NUMBER`: 0 is what snmpd has without the line, -1 no limit.
pub(super) fn responses(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    meaning.max_responses = match number(words)? {
        Some(0) => Some(SNMPD_RESPONSES),
        Some(most) => Some(most),
        None => Some(0),
    };
    Ok(String::new())
}

/// `sendMessageMaxSize NUMBER`
pub(super) fn message_size(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    match number(words)? {
        Some(size @ 484..=65_507) => {
            meaning.max_message_size = Some(size);
            Ok(String::new())
        }
        _ => {
            refused("a message has 484 to 65507 octets (RFC 3412 §6.3): write a number from there")
        }
    }
}

/// `agentaddress ADDRESS[,…]`
pub(super) fn listen(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    let mut told = Vec::new();
    let all: Vec<String> = std::iter::from_fn(|| words.word()).collect();
    for address in all.iter().flat_map(|word| word.split(',')).filter(|part| !part.is_empty()) {
        if let Err(why) = address.parse::<crate::address::Listen>() {
            return refused(why);
        }
        told.push(address.to_owned());
    }
    if told.is_empty() {
        return refused("an address is missing: write one, as in udp:161");
    }
    meaning.listen.extend(told);
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_ids_are_those_that_snmpd_makes() {
        let mut id = EngineId::default();
        assert_eq!(id.finish(), Ok(None));
        id.format(&mut Words::of("1")).unwrap();
        let by_address = id.finish().unwrap().unwrap();
        assert_eq!((&by_address[..5], by_address.len()), (&[0x80, 0, 0x1f, 0x88, 1][..], 9));
        id.text("text # comm").unwrap();
        let wanted = [&[0x80, 0, 0x1f, 0x88, 4][..], b"text # comm"].concat();
        assert_eq!(id.finish(), Ok(Some(wanted)));
        id.exact(&mut Words::of("0x8000000001020304")).unwrap();
        assert_eq!(id.finish(), Ok(Some(vec![0x80, 0, 0, 0, 1, 2, 3, 4])));
        assert!(id.exact(&mut Words::of("0x80")).is_err());
        assert!(id.text(&"x".repeat(28)).is_err());
        let mut id = EngineId::default();
        id.format(&mut Words::of("3")).unwrap();
        id.interface(&mut Words::of("no-such-link")).unwrap();
        assert!(id.finish().unwrap_err().contains("no MAC address"));
    }
}
