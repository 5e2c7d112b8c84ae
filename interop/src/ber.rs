//! Requests written octet by octet, also those that no tool would write, and answers in words.
//!
//! It shares no code with the agent: a mistake in the agent's codec must not hide itself here.

use std::fmt::Write as _;

/// Tags of BER that SNMP uses.
pub mod tag {
    #![allow(missing_docs, reason = "the names of RFC 3416")]
    pub const INTEGER: u8 = 0x02;
    pub const OCTETS: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const SEQUENCE: u8 = 0x30;
    pub const IP_ADDRESS: u8 = 0x40;
    pub const COUNTER32: u8 = 0x41;
    pub const GAUGE32: u8 = 0x42;
    pub const TIME_TICKS: u8 = 0x43;
    pub const COUNTER64: u8 = 0x46;
    pub const GET: u8 = 0xa0;
    pub const GET_NEXT: u8 = 0xa1;
    pub const RESPONSE: u8 = 0xa2;
    pub const SET: u8 = 0xa3;
    pub const TRAP_V1: u8 = 0xa4;
    pub const GET_BULK: u8 = 0xa5;
    pub const INFORM: u8 = 0xa6;
    pub const TRAP: u8 = 0xa7;
    pub const REPORT: u8 = 0xa8;
}

/// An element with its tag and length.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match content.len() {
        len @ ..=0x7f => octets.push(u8::try_from(len).unwrap_or(0)),
        len => {
            let len = u16::try_from(len).expect("no request is longer").to_be_bytes();
            octets.push(0x82);
            octets.extend(len);
        }
    }
    octets.extend(content);
    octets
}

/// An element of elements.
pub fn group(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// An INTEGER, in as few octets as it takes.
pub fn integer(value: i64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let is_short = |at: usize| {
        let (first, next) = (octets[at], octets[at + 1]);
        (first == 0 && next < 0x80) || (first == 0xff && next >= 0x80)
    };
    let start = (0..7).find(|at| !is_short(*at)).unwrap_or(7);
    element(tag::INTEGER, &octets[start..])
}

/// An OCTET STRING.
pub fn octets(value: impl AsRef<[u8]>) -> Vec<u8> {
    element(tag::OCTETS, value.as_ref())
}

/// NULL.
pub fn null() -> Vec<u8> {
    element(tag::NULL, &[])
}

/// An OBJECT IDENTIFIER.
pub fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    let (first, rest) = match arcs {
        [first, second, rest @ ..] => (first * 40 + second, rest),
        [first] => (first * 40, &[][..]),
        [] => (0, &[][..]),
    };
    for arc in std::iter::once(&first).chain(rest) {
        let groups = (0..5).rev().map(|at| u8::try_from(arc >> (7 * at) & 0x7f).unwrap_or(0));
        let groups: Vec<u8> = groups.skip_while(|group| *group == 0).collect();
        let groups = if groups.is_empty() { vec![0] } else { groups };
        let last = groups.len() - 1;
        content
            .extend(groups.iter().enumerate().map(|(at, g)| if at < last { g | 0x80 } else { *g }));
    }
    element(tag::OID, &content)
}

/// A message of any kind, sound or not.
#[derive(Clone)]
pub struct Message {
    parts: Vec<Vec<u8>>,
}

impl Message {
    /// A message of SNMPv1 (0) or SNMPv2c (1), or of a version that there is not.
    pub fn by_community(version: i64, community: &str, pdu: Vec<u8>) -> Self {
        Message { parts: vec![integer(version), octets(community), pdu] }
    }

    /// What asks an engine who it is.
    pub fn discovery(id: i64) -> Self {
        let pdu = pdu(tag::GET, id, 0, 0, &[]);
        V3 { id, flags: 4, ..V3::default() }.message(&pdu)
    }

    /// Its octets.
    pub fn octets(&self) -> Vec<u8> {
        group(tag::SEQUENCE, &self.parts)
    }
}

/// A message of SNMPv3 without authentication.
#[derive(Clone)]
pub struct V3<'a> {
    /// msgID.
    pub id: i64,
    /// msgMaxSize.
    pub max_size: i64,
    /// msgFlags.
    pub flags: u8,
    /// msgSecurityModel.
    pub security_model: i64,
    /// msgAuthoritativeEngineID.
    pub engine_id: &'a [u8],
    /// msgUserName.
    pub user: &'a str,
    /// contextEngineID.
    pub context_engine_id: &'a [u8],
    /// contextName.
    pub context: &'a str,
}

impl Default for V3<'_> {
    fn default() -> Self {
        V3 {
            id: 1,
            max_size: 65_507,
            flags: 4,
            security_model: 3,
            engine_id: b"",
            user: "",
            context_engine_id: b"",
            context: "",
        }
    }
}

impl V3<'_> {
    /// The message around a PDU.
    pub fn message(&self, pdu: &[u8]) -> Message {
        let header = group(
            tag::SEQUENCE,
            &[
                integer(self.id),
                integer(self.max_size),
                octets([self.flags]),
                integer(self.security_model),
            ],
        );
        let security = group(
            tag::SEQUENCE,
            &[
                octets(self.engine_id),
                integer(0),
                integer(0),
                octets(self.user),
                octets(""),
                octets(""),
            ],
        );
        let scoped = group(
            tag::SEQUENCE,
            &[octets(self.context_engine_id), octets(self.context), pdu.to_vec()],
        );
        Message { parts: vec![integer(3), header, octets(security), scoped] }
    }
}

/// A PDU; for GetBulk the two numbers are non-repeaters and max-repetitions.
pub fn pdu(tag: u8, id: i64, first: i64, second: i64, bindings: &[Vec<u8>]) -> Vec<u8> {
    group(tag, &[integer(id), integer(first), integer(second), group(tag::SEQUENCE, bindings)])
}

/// A variable binding.
pub fn binding(name: &[u32], value: Vec<u8>) -> Vec<u8> {
    group(tag::SEQUENCE, &[oid(name), value])
}

/// What an answer is, in words. What differs from run to run is a `*`: times, counters, and how large a
/// message each side takes.
pub fn in_words(answer: Option<&[u8]>) -> String {
    let Some(answer) = answer else { return "nothing".into() };
    words_of_message(answer).unwrap_or_else(|| format!("not BER: {answer:02x?}"))
}

fn words_of_message(answer: &[u8]) -> Option<String> {
    let (tag::SEQUENCE, content, []) = next(answer)? else { return None };
    let (tag::INTEGER, version, rest) = next(content)? else { return None };
    match version {
        [3] => {
            let (tag::SEQUENCE, header, rest) = next(rest)? else { return None };
            let (_, _, header) = next(header)?;
            let (_, _, header) = next(header)?;
            let (_, flags, _) = next(header)?;
            let (tag::OCTETS, security, rest) = next(rest)? else { return None };
            let (_, security, _) = next(security)?;
            let (_, engine_id, security) = next(security)?;
            let (_, _, security) = next(security)?;
            let (_, _, security) = next(security)?;
            let (_, user, _) = next(security)?;
            let (_, scoped, _) = next(rest)?;
            let (_, context_engine_id, scoped) = next(scoped)?;
            let (_, context, scoped) = next(scoped)?;
            Some(format!(
                "v3 flags {} engine {} user {} context {} {}: {}",
                flags.first()?,
                text(engine_id),
                text(user),
                text(context_engine_id),
                text(context),
                words_of_pdu(scoped)?
            ))
        }
        _ => {
            let (tag::OCTETS, community, rest) = next(rest)? else { return None };
            Some(format!(
                "version {} {}: {}",
                version.first()?,
                text(community),
                words_of_pdu(rest)?
            ))
        }
    }
}

/// What a PDU is, in words.
pub fn pdu_in_words(pdu: &[u8]) -> String {
    words_of_pdu(pdu).unwrap_or_else(|| format!("not BER: {pdu:02x?}"))
}

/// The PDU of a message by community.
pub fn pdu_of(message: &[u8]) -> Option<&[u8]> {
    let (tag::SEQUENCE, content, []) = next(message)? else { return None };
    let (tag::INTEGER, _, rest) = next(content)? else { return None };
    let (tag::OCTETS, _, pdu) = next(rest)? else { return None };
    Some(pdu)
}

/// A variable of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Vec<u32>,
    /// The tag of its value, or of an exception.
    pub tag: u8,
    /// The octets of its value.
    pub value: Vec<u8>,
}

impl Variable {
    /// Its value in words; nothing is left out but times and counters.
    pub fn in_words(&self) -> String {
        value_in_words(self.tag, &self.value)
    }
}

/// error-status and variables of a PDU.
pub fn variables(pdu: &[u8]) -> Option<(i64, Vec<Variable>)> {
    let (_, content, []) = next(pdu)? else { return None };
    let (_, _, rest) = next(content)?;
    let (_, status, rest) = next(rest)?;
    let (_, _, rest) = next(rest)?;
    let (tag::SEQUENCE, mut bindings, []) = next(rest)? else { return None };
    let mut variables = Vec::new();
    while !bindings.is_empty() {
        let (_, binding, rest) = next(bindings)?;
        let (tag::OID, name, value) = next(binding)? else { return None };
        let (tag, value, []) = next(value)? else { return None };
        let name = arcs(name).split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        variables.push(Variable { name, tag, value: value.to_vec() });
        bindings = rest;
    }
    Some((number(status), variables))
}

fn words_of_pdu(octets: &[u8]) -> Option<String> {
    let (tag, content, []) = next(octets)? else { return None };
    let name = match tag {
        tag::RESPONSE => "response".to_owned(),
        tag::REPORT => "report".to_owned(),
        tag => format!("PDU {tag:#x}"),
    };
    let (_, id, rest) = next(content)?;
    let (_, status, rest) = next(rest)?;
    let (_, index, rest) = next(rest)?;
    let (tag::SEQUENCE, mut bindings, []) = next(rest)? else { return None };
    let mut words = format!("{name} {} error {} at {}", number(id), number(status), number(index));
    while !bindings.is_empty() {
        let (_, binding, rest) = next(bindings)?;
        let (tag::OID, name, value) = next(binding)? else { return None };
        let (tag, value, []) = next(value)? else { return None };
        let _ = write!(words, "; {} = {}", arcs(name), value_in_words(tag, value));
        bindings = rest;
    }
    Some(words)
}

fn value_in_words(tag: u8, value: &[u8]) -> String {
    match tag {
        tag::INTEGER => number(value).to_string(),
        tag::OCTETS => text(value),
        tag::NULL => "null".into(),
        tag::OID => arcs(value),
        tag::COUNTER32 => "Counter32 *".into(),
        tag::GAUGE32 => "Gauge32 *".into(),
        tag::TIME_TICKS => "TimeTicks *".into(),
        tag::COUNTER64 => "Counter64 *".into(),
        tag::IP_ADDRESS => format!("IpAddress {value:?}"),
        0x80 => "noSuchObject".into(),
        0x81 => "noSuchInstance".into(),
        0x82 => "endOfMibView".into(),
        tag => format!("{tag:#x} {value:02x?}"),
    }
}

/// The next element and what is behind it.
pub fn next(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (len.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// An INTEGER of some octets.
pub fn number(octets: &[u8]) -> i64 {
    let start = if octets.first().is_some_and(|first| *first >= 0x80) { -1 } else { 0 };
    octets.iter().fold(start, |sum, octet| sum << 8 | i64::from(*octet))
}

fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if text.bytes().all(|octet| (0x20..0x7f).contains(&octet)) => match text.len() {
            ..=80 => format!("\"{text}\""),
            len => format!("\"{}\"… {len}", &text[..20]),
        },
        _ => octets.iter().fold("0x".to_owned(), |words, octet| format!("{words}{octet:02x}")),
    }
}

fn arcs(octets: &[u8]) -> String {
    let mut words = String::new();
    let mut arc: u64 = 0;
    for octet in octets {
        arc = arc << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            let _ = match words.is_empty() {
                true => write!(words, "{}.{}", (arc / 40).min(2), arc - (arc / 40).min(2) * 40),
                false => write!(words, ".{arc}"),
            };
            arc = 0;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_that() {
        let binding = binding(&[1, 3, 6, 1, 4, 1, 14832, 0], octets("text"));
        let pdu = pdu(tag::RESPONSE, -2, 5, 200, &[binding]);
        let message = Message::by_community(1, "public", pdu).octets();
        let words =
            "version 1 \"public\": response -2 error 5 at 200; 1.3.6.1.4.1.14832.0 = \"text\"";
        assert_eq!(in_words(Some(&message)), words);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(-129), [2, 2, 0xff, 0x7f]);
        assert_eq!(oid(&[1, 3, 6, 1, 2, 1]), [6, 5, 43, 6, 1, 2, 1]);
        assert!(in_words(Some(&message[1..])).starts_with("not BER"));
        assert_eq!(in_words(None), "nothing");
        let report = V3 { engine_id: &[1, 2], ..V3::default() }.message(&super::pdu(
            tag::REPORT,
            0,
            0,
            0,
            &[],
        ));
        let words = "v3 flags 4 engine 0x0102 user \"\" context \"\" \"\": report 0 error 0 at 0";
        assert_eq!(in_words(Some(&report.octets())), words);
    }
}
