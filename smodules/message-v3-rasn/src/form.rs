//! What ASN.1 allows and SNMP does not: indefinite lengths, strings in pieces, octets behind the end.
//!
//! RFC 3417 §8 takes them from BER, RFC 3412 §4.2.1 step 1 makes a datagram one message; the codec accepts
//! them all. It never reads a value. Invariant: what passes here has its parts one behind the other, each in
//! one piece, so that their lengths say where they are.

use s_wire::Reader;
use s_wire::ber::tag;

/// The element of a message that holds its version; what follows is not looked at.
pub(crate) fn version(octets: &[u8]) -> Option<&[u8]> {
    let mut whole = Reader::new(octets);
    let mut message = whole.nested(tag::SEQUENCE).ok()?;
    let before = message;
    message.contents(tag::INTEGER).ok()?;
    { before }.whole().ok().map(|version| version.octets)
}

/// A message: version, header, security parameters, and data in plain or encrypted.
pub(crate) fn message(octets: &[u8]) -> Option<()> {
    let mut whole = Reader::new(octets);
    let mut message = whole.nested(tag::SEQUENCE).ok()?;
    whole.finish().ok()?;
    message.contents(tag::INTEGER).ok()?;
    let mut header = message.nested(tag::SEQUENCE).ok()?;
    for tag in [tag::INTEGER, tag::INTEGER, tag::OCTET_STRING, tag::INTEGER] {
        header.contents(tag).ok()?;
    }
    header.finish().ok()?;
    message.contents(tag::OCTET_STRING).ok()?;
    let (data, _) = message.any().ok()?;
    message.finish().ok()?;
    matches!(data, tag::OCTET_STRING | tag::SEQUENCE).then_some(())
}

/// Whether data is encrypted: the tag says so.
pub(crate) fn is_octet_string(data: &[u8]) -> bool {
    data.first() == Some(&tag::OCTET_STRING)
}

/// A scopedPDU: a context and an element of any kind. What stands behind it is not looked at.
pub(crate) fn scoped_pdu(octets: &[u8]) -> Option<()> {
    let mut scoped = Reader::new(octets).nested(tag::SEQUENCE).ok()?;
    scoped.contents(tag::OCTET_STRING).ok()?;
    scoped.contents(tag::OCTET_STRING).ok()?;
    let (data, _) = scoped.any().ok()?;
    scoped.finish().ok()?;
    tag::begins_an_element(data).then_some(())
}

/// What begins with the first element of a PDU of any tag.
pub(crate) fn first_of(pdu: &[u8]) -> Option<&[u8]> {
    let (_, contents) = Reader::new(pdu).any().ok()?;
    // The codec takes other forms for a number, too.
    (contents.octets.first() == Some(&tag::INTEGER)).then_some(contents.octets)
}
