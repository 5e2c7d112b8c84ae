//! What two codecs that are not ours make of octets: `rasn-snmp` and `snmp-parser`, as [`OwnedMessage`]s beside
//! our own.
//!
//! Every kind of disagreement stands in [`LISTED`] with who is right and by which paragraph; [`disagreements`] finds
//! the others. It makes no octets: the tests and the fuzzer bring them.

use crate::foreign::{Verdict, rasn_judge, snmp_parser_judge};
use crate::owned::{Data, Datum, OwnedMessage, OwnedPdu, Security};
use s_wire::{PduKind, Reader, Reason, V3Message};
use std::collections::BTreeSet;
use std::fmt::Debug;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Judge {
    Rasn,
    SnmpParser,
}
use Judge::*;

/// How a judge disagrees with us, and over what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It accepts what we refuse for this reason.
    Accepts(&'static str),
    /// It refuses what we accept, in a message that has this.
    Refuses(Trait),
    /// It reads another value, in a message that has this.
    Differs(Trait),
}
use Kind::*;

/// What a message can have that codecs disagree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trait {
    NumberInMoreOctets,
    StringNotUtf8,
    NegativeInteger,
    /// In a GetBulk.
    NegativeCount,
    /// In another PDU.
    NegativeError,
    UInteger32,
    NsapAddress,
    EmptyOctets,
    GenericTrapAbove255,
    FlagsUnlikeData,
}

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// This codec.
    Ours,
    /// The judge; we differ on purpose.
    Theirs,
    /// The standards leave it to the receiver.
    Either,
}

pub(crate) struct Row(pub(crate) Judge, pub(crate) Kind, pub(crate) Right, pub(crate) &'static str);

#[rustfmt::skip]
pub(crate) const LISTED: &[Row] = &[
    Row(Rasn, Accepts("BadVersion"), Right::Ours, "RFC 3412 §4.2.1 step 2: any number is a version to it"),
    Row(Rasn, Accepts("Constructed"), Right::Ours, "RFC 3417 §8 (2): strings are primitive"),
    Row(Rasn, Accepts("IndefiniteLength"), Right::Ours, "RFC 3417 §8 (1): only the definite form"),
    Row(Rasn, Accepts("IntegerOutOfRange"), Right::Ours, "RFC 3412 §6, RFC 3414 §2.4, RFC 2578 §7.1.1: ranges"),
    Row(Rasn, Accepts("PaddedArc"), Right::Ours, "X.690 §8.19.2: the leading octet is not 0x80"),
    Row(Rasn, Accepts("TooManyArcs"), Right::Ours, "RFC 2578 §3.5: at most 128"),
    Row(Rasn, Accepts("TrailingOctets"), Right::Ours, "RFC 3412 §4.2.1 step 1: a datagram is one message"),
    Row(Rasn, Accepts("UnexpectedTag"), Right::Ours, "X.690 §8.3.1, §8.8.1: numbers, nulls and exceptions are primitive"),
    Row(Rasn, Accepts("WrongSize"), Right::Ours, "RFC 3412 §6.4, RFC 3414 §2.4: sizes of flags and names"),
    Row(Rasn, Refuses(Trait::NegativeCount), Right::Ours, "RFC 3416 §4.2.3: less than zero is set to zero"),
    Row(Rasn, Refuses(Trait::NegativeError), Right::Either, "RFC 3416 §3: requests have zeros there, which receivers ignore"),
    Row(Rasn, Refuses(Trait::NsapAddress), Right::Either, "RFC 1442 §7.1.8 has it, RFC 2578 has not"),
    Row(Rasn, Refuses(Trait::UInteger32), Right::Either, "RFC 1442 §7.1.10 has it, RFC 2578 has not"),

    Row(SnmpParser, Accepts("ArcTooLarge"), Right::Ours, "RFC 2578 §3.5: at most 2^32-1; it keeps the octets unread"),
    Row(SnmpParser, Accepts("BadVersion"), Right::Ours, "RFC 3412 §4.2.1 step 2: it does not look in SNMPv3"),
    Row(SnmpParser, Accepts("Constructed"), Right::Ours, "RFC 3417 §8 (2): strings are primitive"),
    Row(SnmpParser, Accepts("EmptyInteger"), Right::Ours, "X.690 §8.3.1: at least one octet"),
    Row(SnmpParser, Accepts("EmptyOid"), Right::Ours, "X.690 §8.19.1: at least one subidentifier"),
    Row(SnmpParser, Accepts("IndefiniteLength"), Right::Ours, "RFC 3417 §8 (1): it does not read the PDU's length"),
    Row(SnmpParser, Accepts("IntegerOutOfRange"), Right::Ours, "RFC 3412 §6, RFC 3416 §3: ranges"),
    Row(SnmpParser, Accepts("NotInVersion"), Right::Ours, "RFC 1155 §3.2.3 has no such type"),
    Row(SnmpParser, Accepts("PaddedArc"), Right::Ours, "X.690 §8.19.2: the leading octet is not 0x80"),
    Row(SnmpParser, Accepts("TooManyArcs"), Right::Ours, "RFC 2578 §3.5: at most 128"),
    Row(SnmpParser, Accepts("TrailingOctets"), Right::Ours, "X.690 §8.9: it ignores what stands behind the last component"),
    Row(SnmpParser, Accepts("Truncated"), Right::Ours, "X.690 §8.1.3: it does not read the PDU's length"),
    Row(SnmpParser, Accepts("UnexpectedTag"), Right::Ours, "RFC 3416 §3: it looks at tag numbers without their class"),
    Row(SnmpParser, Accepts("UnknownPdu"), Right::Ours, "RFC 3416 §3: it looks at tag numbers without their class"),
    Row(SnmpParser, Accepts("UnterminatedArc"), Right::Ours, "X.690 §8.19.2: it keeps the octets unread"),
    Row(SnmpParser, Accepts("WrongSize"), Right::Ours, "X.690 §8.8.2, RFC 3416 §3: exceptions have no contents"),
    Row(SnmpParser, Differs(Trait::EmptyOctets), Right::Ours, "X.690 §8.7: it takes an empty string for no value"),
    Row(SnmpParser, Differs(Trait::GenericTrapAbove255), Right::Ours, "RFC 1157 §4.1.6: an INTEGER, of which it keeps eight bits"),
    Row(SnmpParser, Differs(Trait::NsapAddress), Right::Ours, "RFC 1442 §7.1.8: it takes [APPLICATION 5] for NULL"),
    Row(SnmpParser, Refuses(Trait::FlagsUnlikeData), Right::Either, "RFC 3412 §7.2 step 5: ours says so when asked, after step 4"),
    Row(SnmpParser, Refuses(Trait::NegativeCount), Right::Ours, "RFC 3416 §4.2.3: less than zero is set to zero"),
    Row(SnmpParser, Refuses(Trait::NegativeError), Right::Either, "RFC 3416 §3: requests have zeros there, which receivers ignore"),
    Row(SnmpParser, Refuses(Trait::NegativeInteger), Right::Ours, "RFC 3416 §3: a request-id is an Integer32"),
    Row(SnmpParser, Refuses(Trait::NumberInMoreOctets), Right::Theirs, "X.690 §8.3.2: the shortest form; ours is lenient to old equipment"),
    Row(SnmpParser, Refuses(Trait::StringNotUtf8), Right::Ours, "RFC 1157 §4, RFC 3414 §2.4: an OCTET STRING"),
];

/// What of [`Trait`] a message has that we accept.
fn traits(octets: &[u8], message: &OwnedMessage) -> BTreeSet<Trait> {
    let mut found = BTreeSet::new();
    walk(Reader::new(octets), &mut found);
    let pdu = match message {
        OwnedMessage::Community { community, pdu, .. } => {
            if str::from_utf8(community).is_err() {
                found.insert(Trait::StringNotUtf8);
            }
            Some(pdu)
        }
        OwnedMessage::V3 { header, security, data } => {
            if let Security::Usm { user_name, .. } = security {
                let parameters = V3Message::decode(octets).unwrap().security_parameters;
                walk(parameters.reader(), &mut found);
                if str::from_utf8(user_name).is_err() {
                    found.insert(Trait::StringNotUtf8);
                }
            }
            if header.flags.is_private() != matches!(data, Data::Encrypted(_)) {
                found.insert(Trait::FlagsUnlikeData);
            }
            match data {
                Data::Plain { pdu, .. } => Some(pdu),
                Data::Encrypted(_) => None,
            }
        }
    };
    for bind in pdu.into_iter().flat_map(OwnedPdu::bindings) {
        found.extend(match &bind.value {
            Datum::UInteger32(_) => Some(Trait::UInteger32),
            Datum::NsapAddress(_) => Some(Trait::NsapAddress),
            Datum::Octets(octets) if octets.is_empty() => Some(Trait::EmptyOctets),
            _ => None,
        });
    }
    match pdu {
        Some(OwnedPdu::Pdu { kind, request_id, error_status, error_index, .. }) => {
            if *request_id < 0 {
                found.insert(Trait::NegativeInteger);
            }
            if *error_status < 0 || *error_index < 0 {
                let is_bulk = *kind == PduKind::GetBulk;
                found.insert(if is_bulk { Trait::NegativeCount } else { Trait::NegativeError });
            }
        }
        Some(OwnedPdu::TrapV1 { generic_trap, specific_trap, .. }) => {
            if *generic_trap < 0 || *specific_trap < 0 {
                found.insert(Trait::NegativeInteger);
            }
            if *generic_trap > 255 {
                found.insert(Trait::GenericTrapAbove255);
            }
        }
        None => {}
    }
    found
}

/// Looks at how numbers are written. Lengths in more octets than they need disturb nobody.
fn walk(mut reader: Reader<'_>, found: &mut BTreeSet<Trait>) {
    while !reader.is_empty() {
        let (tag, contents) = reader.any().unwrap();
        let is_number = matches!(tag, 0x02 | 0x41 | 0x42 | 0x43 | 0x46 | 0x47);
        if is_number && matches!(contents.octets, [0, 0..0x80, ..] | [0xff, 0x80..=0xff, ..]) {
            found.insert(Trait::NumberInMoreOctets);
        }
        if tag & 0x20 != 0 {
            walk(contents.reader(), found);
        }
    }
}

/// How they disagree over one message: the kinds of which one at least must be listed. `None` where they
/// agree.
fn disagreement(octets: &[u8], verdict: &Verdict) -> Option<Vec<Kind>> {
    let over = |ours: &OwnedMessage, kind: fn(Trait) -> Kind| {
        Some(traits(octets, ours).into_iter().map(kind).collect())
    };
    match (OwnedMessage::decode(octets), verdict) {
        (Err(_), Verdict::Refused) => None,
        (Ok(ours), Verdict::Said(theirs)) if ours == **theirs => None,
        (Err(error), _) => Some(vec![Accepts(reason_name(error.reason))]),
        (Ok(ours), Verdict::Refused) => over(&ours, Refuses),
        (Ok(ours), _) => over(&ours, Differs),
    }
}

/// Names compare and sort; reasons need not. One that is not listed is lost, as it fails whoever asked.
fn reason_name(reason: Reason) -> &'static str {
    let name = format!("{reason:?}");
    let listed = LISTED.iter().find_map(|Row(_, kind, ..)| match kind {
        Accepts(listed) if *listed == name => Some(*listed),
        _ => None,
    });
    listed.unwrap_or_else(|| Box::leak(name.into_boxed_str()))
}

/// Who reads octets otherwise than we, and how: the kind that is listed, or all that it may be.
pub(crate) fn disagreements(octets: &[u8]) -> Vec<(Judge, Result<Kind, Vec<Kind>>)> {
    let verdicts =
        [(Rasn, rasn_judge::judge(octets)), (SnmpParser, snmp_parser_judge::judge(octets))];
    let disagreeing = verdicts.into_iter().filter_map(|(judge, verdict)| {
        let kinds = disagreement(octets, &verdict)?;
        let is_listed =
            |kind: &&Kind| LISTED.iter().any(|Row(who, what, ..)| *who == judge && what == *kind);
        let listed = kinds.iter().find(is_listed).cloned();
        Some((judge, listed.ok_or(kinds)))
    });
    disagreeing.collect()
}
