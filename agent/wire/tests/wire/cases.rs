//! The messages that codecs get wrong, each with the verdict and its reason.
//!
//! The table is the rule of this codec for everything that RFCs leave open or that old equipment does.

use crate::owned::{Datum, OwnedMessage, OwnedPdu};
use s_wire::{Error, Fault, PduKind, Reason, V3Message};

/// An element around others.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let mut octets = vec![tag];
    match contents.len() {
        len @ 0..0x80 => octets.push(u8::try_from(len).unwrap()),
        len => {
            octets.push(0x84);
            octets.extend(u32::try_from(len).unwrap().to_be_bytes());
        }
    }
    octets.extend(contents);
    octets
}

/// The same with the indefinite length, and its end mark.
fn indefinite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80], contents.concat().as_slice(), &[0, 0]].concat()
}

const V1: &[u8] = &[2, 1, 0];
const V2C: &[u8] = &[2, 1, 1];
const V3: &[u8] = &[2, 1, 3];
const PUBLIC: &[u8] = b"\x04\x06public";
const ZERO: &[u8] = &[2, 1, 0];
/// sysUpTime.0, as an element.
const NAME: &[u8] = &[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0];
const NULL: &[u8] = &[5, 0];
/// The list of one binding without a value.
const LIST: &[u8] = &[0x30, 14, 0x30, 12, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 5, 0];
const GET: u8 = 0xa0;
const GET_BULK: u8 = 0xa5;

fn message(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

fn pdu(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    message(&[V2C, PUBLIC, &element(tag, parts)])
}

fn binding(parts: &[&[u8]]) -> Vec<u8> {
    let list = element(0x30, &[&element(0x30, parts)]);
    pdu(GET, &[ZERO, ZERO, ZERO, &list])
}

fn value(octets: &[u8]) -> Vec<u8> {
    binding(&[NAME, octets])
}

fn name(arcs: usize) -> Vec<u8> {
    binding(&[&element(6, &[&vec![1; arcs - 1]]), NULL])
}

fn v1_value(octets: &[u8]) -> Vec<u8> {
    let list = element(0x30, &[&element(0x30, &[NAME, octets])]);
    message(&[V1, PUBLIC, &element(GET, &[ZERO, ZERO, ZERO, &list])])
}

/// A message of SNMPv3 with these parts of the header, and an encrypted scopedPDU.
fn v3(header: &[&[u8]]) -> Vec<u8> {
    message(&[V3, &element(0x30, header), &element(4, &[&usm(&[])]), &[4, 2, 7, 7]])
}

const MSG_ID: &[u8] = &[2, 1, 9];
const MAX_SIZE: &[u8] = &[2, 2, 0x05, 0xc0];
const FLAGS: &[u8] = &[4, 1, 0x07];
const MODEL: &[u8] = &[2, 1, 3];

fn usm(behind: &[u8]) -> Vec<u8> {
    let engine = b"\x04\x05\x80\0\0\0\x01";
    let parts: [&[u8]; 7] = [engine, ZERO, ZERO, b"\x04\x01u", &[4, 0], &[4, 0], behind];
    element(0x30, &parts)
}

fn v3_with(parameters: &[u8]) -> Vec<u8> {
    let header = element(0x30, &[MSG_ID, MAX_SIZE, FLAGS, MODEL]);
    message(&[V3, &header, &element(4, &[parameters]), &[4, 2, 7, 7]])
}

pub(crate) type Row = (&'static str, Vec<u8>, Result<(), Reason>);

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    use Reason::*;
    let plain = pdu(GET, &[ZERO, ZERO, ZERO, LIST]);
    let mut trailing = plain.clone();
    trailing.push(0);
    vec![
        ("a GET",                          plain.clone(), Ok(())),
        ("nothing",                        vec![], Err(Truncated)),
        ("two messages",                   [plain.clone(), plain.clone()].concat(), Err(TrailingOctets)),
        ("an octet behind the message",    trailing, Err(TrailingOctets)),
        ("an element behind the PDU",      message(&[V2C, PUBLIC, &element(GET, &[ZERO, ZERO, ZERO, LIST]), NULL]), Err(TrailingOctets)),
        ("an element behind the list",     pdu(GET, &[ZERO, ZERO, ZERO, LIST, NULL]), Err(TrailingOctets)),
        ("an element behind the value",    binding(&[NAME, NULL, NULL]), Err(TrailingOctets)),
        ("a name without a value",         binding(&[NAME]), Err(Truncated)),
        ("a list without bindings",        pdu(GET, &[ZERO, ZERO, ZERO, &[0x30, 0]]), Ok(())),
        ("no list",                        pdu(GET, &[ZERO, ZERO, ZERO]), Err(Truncated)),

        ("indefinite message",             indefinite(0x30, &[V2C, PUBLIC, &element(GET, &[ZERO, ZERO, ZERO, LIST])]), Err(IndefiniteLength)),
        ("indefinite PDU",                 message(&[V2C, PUBLIC, &indefinite(GET, &[ZERO, ZERO, ZERO, LIST])]), Err(IndefiniteLength)),
        ("indefinite list",                pdu(GET, &[ZERO, ZERO, ZERO, &indefinite(0x30, &[])]), Err(IndefiniteLength)),
        ("indefinite binding",             pdu(GET, &[ZERO, ZERO, ZERO, &element(0x30, &[&indefinite(0x30, &[NAME, NULL])])]), Err(IndefiniteLength)),
        ("60 kB of nested indefinite",     [0x30, 0x80].repeat(30_000), Err(IndefiniteLength)),
        ("constructed community",          message(&[V2C, &element(0x24, &[PUBLIC]), &element(GET, &[ZERO, ZERO, ZERO, LIST])]), Err(Constructed)),
        ("constructed octets",             value(&element(0x24, &[PUBLIC])), Err(Constructed)),
        ("constructed Opaque",             value(&element(0x64, &[PUBLIC])), Err(Constructed)),
        ("length in more octets",          [&[0x30, 0x82, 0x00], &plain[1..]].concat(), Ok(())),
        ("length in 126 octets",           [&[0x30, 0x80 | 126][..], &[0; 125], &plain[1..]].concat(), Ok(())),
        ("length in 127 octets",           [&[0x30, 0xff][..], &[0; 126], &plain[1..]].concat(), Err(BadLength)),
        ("length of 2^64",                 [&[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0], &plain[2..]].concat(), Err(BadLength)),
        ("length beyond the end",          [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &plain[2..]].concat(), Err(Truncated)),
        ("tag of two octets",              value(&[0x1f, 0x01, 0]), Err(UnexpectedTag)),

        ("version 2",                      message(&[&[2, 1, 2], PUBLIC, LIST]), Err(BadVersion)),
        ("version 99",                     message(&[&[2, 1, 99], PUBLIC, LIST]), Err(BadVersion)),
        ("version -1",                     message(&[&[2, 1, 0xff], PUBLIC, LIST]), Err(BadVersion)),
        ("version 2^70",                   message(&[&[2, 9, 0x40, 0, 0, 0, 0, 0, 0, 0, 0], PUBLIC, LIST]), Err(BadVersion)),
        ("empty version",                  message(&[&[2, 0], PUBLIC, LIST]), Err(EmptyInteger)),
        ("version 1 in two octets",        message(&[&[2, 2, 0, 1], PUBLIC, &element(GET, &[ZERO, ZERO, ZERO, LIST])]), Ok(())),
        ("community that is not UTF-8",    message(&[V2C, &[4, 2, 0xff, 0xfe], &element(GET, &[ZERO, ZERO, ZERO, LIST])]), Ok(())),
        ("empty community",                message(&[V2C, &[4, 0], &element(GET, &[ZERO, ZERO, ZERO, LIST])]), Ok(())),

        ("request-id -1",                  pdu(GET, &[&[2, 1, 0xff], ZERO, ZERO, LIST]), Ok(())),
        ("request-id 2^31",                pdu(GET, &[&[2, 5, 0, 0x80, 0, 0, 0], ZERO, ZERO, LIST]), Err(IntegerOutOfRange)),
        ("request-id 2^32-1",              pdu(GET, &[&[2, 5, 0, 0xff, 0xff, 0xff, 0xff], ZERO, ZERO, LIST]), Err(IntegerOutOfRange)),
        ("request-id in ten octets",       pdu(GET, &[&[2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], ZERO, ZERO, LIST]), Ok(())),
        ("error-status 99 in a request",   pdu(GET, &[ZERO, &[2, 1, 99], ZERO, LIST]), Ok(())),
        ("negative non-repeaters",         pdu(GET_BULK, &[ZERO, &[2, 1, 0xff], ZERO, LIST]), Ok(())),
        ("negative max-repetitions",       pdu(GET_BULK, &[ZERO, ZERO, &[2, 4, 0x80, 0, 0, 0], LIST]), Ok(())),
        ("Report in SNMPv2c",              pdu(0xa8, &[ZERO, ZERO, ZERO, LIST]), Ok(())),
        ("Trap of SNMPv1 in SNMPv2c",      pdu(0xa4, &[ZERO, ZERO, ZERO, LIST]), Err(UnknownPdu)),
        ("PDU that nobody knows",          pdu(0xa9, &[ZERO, ZERO, ZERO, LIST]), Err(UnknownPdu)),
        ("primitive PDU",                  pdu(0x80, &[ZERO, ZERO, ZERO, LIST]), Err(UnknownPdu)),
        ("GETBULK in SNMPv1",              message(&[V1, PUBLIC, &element(GET_BULK, &[ZERO, ZERO, ZERO, LIST])]), Err(UnknownPdu)),

        ("INTEGER -2^31",                  value(&[2, 4, 0x80, 0, 0, 0]), Ok(())),
        ("INTEGER 2^31",                   value(&[2, 5, 0, 0x80, 0, 0, 0]), Err(IntegerOutOfRange)),
        ("INTEGER 2^40",                   value(&[2, 6, 1, 0, 0, 0, 0, 0]), Err(IntegerOutOfRange)),
        ("INTEGER 1 in five octets",       value(&[2, 5, 0, 0, 0, 0, 1]), Ok(())),
        ("INTEGER -1 in five octets",      value(&[2, 5, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(())),
        ("empty INTEGER",                  value(&[2, 0]), Err(EmptyInteger)),
        ("NULL with contents",             value(&[5, 1, 0]), Err(WrongSize)),
        ("BOOLEAN",                        value(&[1, 1, 0xff]), Err(UnexpectedTag)),
        ("BIT STRING",                     value(&[3, 2, 0, 1]), Err(UnexpectedTag)),
        ("SEQUENCE",                       value(&[0x30, 0]), Err(UnexpectedTag)),
        ("IpAddress",                      value(&[0x40, 4, 10, 0, 0, 1]), Ok(())),
        ("IpAddress of three octets",      value(&[0x40, 3, 10, 0, 0]), Err(WrongSize)),
        ("IpAddress of 16 octets",         value(&element(0x40, &[&[0; 16]])), Err(WrongSize)),
        ("Counter32 2^32-1",               value(&[0x41, 5, 0, 0xff, 0xff, 0xff, 0xff]), Ok(())),
        ("Counter32 2^32",                 value(&[0x41, 5, 1, 0, 0, 0, 0]), Err(IntegerOutOfRange)),
        ("Gauge32 -1",                     value(&[0x42, 1, 0xff]), Err(IntegerOutOfRange)),
        ("TimeTicks without its zero",     value(&[0x43, 4, 0xff, 0xff, 0xff, 0xff]), Err(IntegerOutOfRange)),
        ("Counter64 0",                    value(&[0x46, 1, 0]), Ok(())),
        ("Counter64 2^64-1",               value(&[0x46, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(())),
        ("Counter64 2^64",                 value(&[0x46, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(IntegerOutOfRange)),
        ("Counter64 in SNMPv1",            v1_value(&[0x46, 1, 0]), Err(NotInVersion)),
        ("UInteger32",                     value(&[0x47, 1, 7]), Ok(())),
        ("NsapAddress",                    value(&[0x45, 3, 1, 2, 3]), Ok(())),
        ("UInteger32 in SNMPv1",           v1_value(&[0x47, 1, 7]), Err(NotInVersion)),
        ("application tag 8",              value(&[0x48, 1, 7]), Err(UnexpectedTag)),
        ("noSuchObject",                   value(&[0x80, 0]), Ok(())),
        ("noSuchInstance",                 value(&[0x81, 0]), Ok(())),
        ("endOfMibView",                   value(&[0x82, 0]), Ok(())),
        ("noSuchObject with contents",     value(&[0x80, 1, 0]), Err(WrongSize)),
        ("noSuchInstance in SNMPv1",       v1_value(&[0x81, 0]), Err(NotInVersion)),
        ("exception 3",                    value(&[0x83, 0]), Err(UnexpectedTag)),
        ("65535 octets",                   value(&element(4, &[&[0; 65_535]])), Ok(())),
        ("65536 octets",                   value(&element(4, &[&[0; 65_536]])), Err(WrongSize)),

        ("empty OID as a name",            binding(&[&[6, 0], NULL]), Err(EmptyOid)),
        ("empty OID as a value",           value(&[6, 0]), Err(EmptyOid)),
        ("0.0",                            value(&[6, 1, 0]), Ok(())),
        ("128 arcs",                       name(128), Ok(())),
        ("129 arcs",                       name(129), Err(TooManyArcs)),
        ("5000 arcs",                      name(5000), Err(TooManyArcs)),
        ("arc 2^32-1",                     value(&[6, 6, 0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f]), Ok(())),
        ("arc 2^32",                       value(&[6, 6, 0x2b, 0x90, 0x80, 0x80, 0x80, 0x00]), Err(ArcTooLarge)),
        ("arc without an end",             value(&[6, 2, 0x2b, 0x81]), Err(UnterminatedArc)),
        ("arc that begins with zeros",     value(&[6, 3, 0x2b, 0x80, 0x01]), Err(PaddedArc)),

        ("SNMPv3",                         v3(&[MSG_ID, MAX_SIZE, FLAGS, MODEL]), Ok(())),
        ("msgID -1",                       v3(&[&[2, 1, 0xff], MAX_SIZE, FLAGS, MODEL]), Err(IntegerOutOfRange)),
        ("msgID 2^31",                     v3(&[&[2, 5, 0, 0x80, 0, 0, 0], MAX_SIZE, FLAGS, MODEL]), Err(IntegerOutOfRange)),
        ("msgMaxSize 484",                 v3(&[MSG_ID, &[2, 2, 0x01, 0xe4], FLAGS, MODEL]), Ok(())),
        ("msgMaxSize 483",                 v3(&[MSG_ID, &[2, 2, 0x01, 0xe3], FLAGS, MODEL]), Err(IntegerOutOfRange)),
        ("no msgFlags",                    v3(&[MSG_ID, MAX_SIZE, &[4, 0], MODEL]), Err(WrongSize)),
        ("two octets of msgFlags",         v3(&[MSG_ID, MAX_SIZE, &[4, 2, 7, 7], MODEL]), Err(WrongSize)),
        ("unknown bits in msgFlags",       v3(&[MSG_ID, MAX_SIZE, &[4, 1, 0xff], MODEL]), Ok(())),
        ("security model 0",               v3(&[MSG_ID, MAX_SIZE, FLAGS, ZERO]), Err(IntegerOutOfRange)),
        ("security model 2^31-1",          v3(&[MSG_ID, MAX_SIZE, FLAGS, &[2, 4, 0x7f, 0xff, 0xff, 0xff]]), Ok(())),
        ("an element behind the header",   v3(&[MSG_ID, MAX_SIZE, FLAGS, MODEL, ZERO]), Err(TrailingOctets)),
        ("no security parameters",         v3_with(&[]), Err(Truncated)),
        ("an element behind the salt",     v3_with(&usm(NULL)), Err(TrailingOctets)),
        ("octets behind the parameters",   v3_with(&[usm(&[]), vec![0]].concat()), Err(TrailingOctets)),
        ("user name of 33 octets",         v3_with(&element(0x30, &[&[4, 0], ZERO, ZERO, &element(4, &[&[b'u'; 33]]), &[4, 0], &[4, 0]])), Err(WrongSize)),
        ("engineBoots -1",                 v3_with(&element(0x30, &[&[4, 0], &[2, 1, 0xff], ZERO, &[4, 0], &[4, 0], &[4, 0]])), Err(IntegerOutOfRange)),
    ]
}

#[test]
fn every_row_has_its_verdict() {
    let mut wrong = Vec::new();
    for (what, octets, expected) in rows() {
        let verdict = OwnedMessage::decode(&octets).map(drop).map_err(|error| error.reason);
        if verdict != expected {
            wrong.push(format!("{what}: {verdict:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_reads_beyond_the_octets_it_was_given() {
    // Each good row cut at every place is an error, because a length does not fit any more.
    for (what, octets, _) in rows().into_iter().filter(|(_, _, verdict)| verdict.is_ok()) {
        for len in (0..octets.len()).take(300) {
            assert!(OwnedMessage::decode(&octets[..len]).is_err(), "{what} cut at {len}");
        }
    }
}

#[test]
fn a_reason_names_the_element_at_fault() {
    let octets = value(&[2, 6, 1, 0, 0, 0, 0, 0]);
    let at = octets.len() - 8;
    assert_eq!(OwnedMessage::decode(&octets), Err(Error { reason: Reason::IntegerOutOfRange, at }));
    let shown = OwnedMessage::decode(&octets).unwrap_err().to_string();
    assert_eq!(shown, format!("octet {at}: the integer is outside the range of its type"));
}

#[test]
fn negative_counts_are_kept_and_clamped() {
    let list = &[0x30u8, 0][..];
    let octets = element(GET_BULK, &[ZERO, &[2, 1, 0xfe], &[2, 1, 0x07], list]);
    let bulk = s_wire::AnyPdu::decode(s_wire::Reader::new(&octets), s_wire::PduVersion::V2);
    let Ok(s_wire::AnyPdu::Pdu(bulk)) = bulk else { panic!("a GetBulk: {bulk:?}") };
    assert_eq!((bulk.error_status, bulk.error_index), (-2, 7));
    assert_eq!((bulk.non_repeaters(), bulk.max_repetitions()), (0, 7));
}

#[test]
fn the_trap_of_snmpv1_is_read() {
    let address = &[0x40, 4, 192, 0, 2, 1][..];
    let trap: [&[u8]; 6] = [NAME, address, &[2, 1, 6], &[2, 1, 3], &[0x43, 1, 5], LIST];
    let octets = message(&[V1, PUBLIC, &element(0xa4, &trap)]);
    let Ok(OwnedMessage::Community { pdu: OwnedPdu::TrapV1 { enterprise, bindings, .. }, .. }) =
        OwnedMessage::decode(&octets)
    else {
        panic!("a trap");
    };
    assert_eq!(enterprise, [1, 3, 6, 1, 2, 1, 1, 3, 0]);
    assert_eq!(bindings[0].value, Datum::Null);
    let short: [&[u8]; 6] = [NAME, &[0x40, 3, 192, 0, 2], ZERO, ZERO, &[0x43, 1, 5], LIST];
    let octets = message(&[V1, PUBLIC, &element(0xa4, &short)]);
    assert_eq!(OwnedMessage::decode(&octets).unwrap_err().reason, Reason::WrongSize);
}

#[test]
fn flags_and_data_must_fit_together() {
    let encrypted = |flags| v3(&[MSG_ID, MAX_SIZE, &[4, 1, flags], MODEL]);
    let plain = |flags: u8| {
        let header = element(0x30, &[MSG_ID, MAX_SIZE, &[4, 1, flags], MODEL]);
        message(&[V3, &header, &element(4, &[&usm(&[])]), &element(0x30, &[])])
    };
    for (octets, expected) in [
        (encrypted(0b011), Ok(())),
        (encrypted(0b111), Ok(())),
        (encrypted(0b001), Err(Reason::DataNotAsFlagged)),
        (encrypted(0b010), Err(Reason::PrivacyWithoutAuthentication)),
        (plain(0b000), Ok(())),
        (plain(0b101), Ok(())),
        (plain(0b011), Err(Reason::DataNotAsFlagged)),
        (plain(0b110), Err(Reason::PrivacyWithoutAuthentication)),
    ] {
        let message = V3Message::decode(&octets).unwrap();
        let verdict = message.check().map_err(|error| error.reason);
        assert_eq!(verdict, expected, "{:?}", message.header.flags);
    }
}

#[test]
fn a_peek_reads_no_further_than_the_request_id() {
    let broken = element(GET, &[&[2, 1, 5], &[9, 9]]);
    let peeked = s_wire::pdu::peek(s_wire::Reader::new(&broken), s_wire::PduVersion::V2);
    assert_eq!(peeked, Ok((PduKind::Get, 5)));
    for tag in 0..=u8::MAX {
        let octets = element(tag, &[&[2, 1, 5]]);
        for version in [s_wire::PduVersion::V1, s_wire::PduVersion::V2] {
            let peeked = s_wire::pdu::peek(s_wire::Reader::new(&octets), version);
            let known = PduKind::ALL.iter().any(|kind| PduKind::of(tag, version) == Some(*kind));
            assert_eq!(peeked.is_ok(), known, "{tag:#x} in {version:?}");
        }
    }
}

#[test]
fn each_counter_has_its_reasons() {
    assert_eq!(Reason::Truncated.fault(), Fault::AsnParse);
    assert_eq!(Reason::NotInVersion.fault(), Fault::AsnParse);
    assert_eq!(Reason::BadVersion.fault(), Fault::BadVersion);
    assert_eq!(Reason::UnknownPdu.fault(), Fault::UnknownPduHandler);
    assert_eq!(Reason::PrivacyWithoutAuthentication.fault(), Fault::InvalidMessage);
}
