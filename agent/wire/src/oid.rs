//! Object identifiers: as they stand in a message, and as the arcs that programs reckon with.
//!
//! It never allocates, and never decodes what it only has to compare. Invariant: an [`Oid`] and an
//! [`Arcs`] hold what both forms can hold: 2 to 128 arcs of 32 bits, in the shortest form
//! (RFC 2578 §3.5, X.690 §8.19), so that equal names have equal octets.

use crate::ber::{self, Encode, Full, Reader, Writer, tag};
use crate::error::{Error, Reason};
use core::cmp::Ordering;
use core::fmt;

/// How many arcs a name has at most (RFC 2578 §3.5).
pub const MAX_ARCS: usize = 128;

/// The first subidentifier carries two arcs: 40 * first + second, with a first arc of at most 2.
const FIRST_MAX: u64 = 80 + u32::MAX as u64;

/// What can stand where an OBJECT IDENTIFIER belongs.
pub trait ObjectName: Copy + Encode {}

impl ObjectName for Oid<'_> {}
impl ObjectName for Arcs<'_> {}

/// An object identifier as it stands in a message: the contents of its element, validated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Oid<'a>(&'a [u8]);

impl<'a> Oid<'a> {
    /// The contents of an element.
    ///
    /// # Errors
    /// They are no object identifier of SNMP.
    #[inline]
    pub fn new(contents: &'a [u8]) -> Result<Self, Reason> {
        // Nearly all names of requests look like this: nothing to join, and short enough.
        let plain = contents.iter().fold(0, |all, octet| all | octet) < 0x80;
        if plain && (1..MAX_ARCS).contains(&contents.len()) {
            return Ok(Oid(contents));
        }
        check(contents).map(|()| Oid(contents))
    }

    /// Reads an element.
    ///
    /// # Errors
    /// It is no object identifier.
    #[inline]
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let at = reader.at();
        Oid::new(reader.contents(tag::OBJECT_IDENTIFIER)?.octets).map_err(|reason| reason.at(at))
    }

    /// Contents that were validated before.
    #[inline]
    pub(crate) const fn validated(contents: &'a [u8]) -> Self {
        Oid(contents)
    }

    /// The contents of its element.
    pub const fn contents(self) -> &'a [u8] {
        self.0
    }

    /// Its arcs, one by one. `oid.arcs().cmp(arcs)` compares it with arcs.
    pub const fn arcs(self) -> ArcIter<'a> {
        ArcIter { rest: self.0, second: None, is_first: true }
    }

    /// Its arcs, as many as there are.
    #[inline]
    pub fn decode(self, arcs: &mut [u32; MAX_ARCS]) -> &[u32] {
        let mut count = 0;
        for (place, arc) in arcs.iter_mut().zip(self.arcs()) {
            *place = arc;
            count += 1;
        }
        arcs.get(..count).unwrap_or_default()
    }

    /// Whether it lies in the subtree of another, or is its root.
    pub fn is_below(self, root: Oid<'_>) -> bool {
        // The root ends with the end of a subidentifier, so octets suffice.
        self.0.starts_with(root.0)
    }
}

/// What is wrong with the contents of an object identifier.
fn check(contents: &[u8]) -> Result<(), Reason> {
    match contents.last() {
        None => return Err(Reason::EmptyOid),
        Some(0x80..) => return Err(Reason::UnterminatedArc),
        Some(_) => {}
    }
    let (mut subidentifier, mut most, mut arcs) = (0u64, FIRST_MAX, 1);
    for octet in contents {
        // Zero so far means that this is its first octet: one that stays zero is refused here.
        if subidentifier == 0 && *octet == 0x80 {
            return Err(Reason::PaddedArc);
        }
        subidentifier = subidentifier << 7 | u64::from(octet & 0x7f);
        if subidentifier > most {
            return Err(Reason::ArcTooLarge);
        }
        if *octet < 0x80 {
            (subidentifier, most, arcs) = (0, u32::MAX.into(), arcs + 1);
        }
    }
    if arcs > MAX_ARCS { Err(Reason::TooManyArcs) } else { Ok(()) }
}

/// Lexicographical order of the arcs (RFC 3416 §2.2), found without decoding.
impl Ord for Oid<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0, other.0);
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let (Some(a_octet), Some(b_octet)) = (a.get(same), b.get(same)) else {
            // One is the beginning of the other.
            return a.len().cmp(&b.len());
        };
        // Both are in the middle of the same subidentifier, or at its beginning. The longer one is the
        // larger one, because none begins with a zero digit; equally long ones differ first here.
        let length = |octets: &[u8]| octets.iter().skip(same).take_while(|o| **o >= 0x80).count();
        length(a).cmp(&length(b)).then(a_octet.cmp(b_octet))
    }
}

impl PartialOrd for Oid<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Encode for Oid<'_> {
    #[inline]
    fn encoded_len(&self) -> usize {
        ber::element_len(self.0.len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.string(tag::OBJECT_IDENTIFIER, self.0)
    }
}

impl fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, self.arcs())
    }
}

impl fmt::Debug for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, self.arcs())
    }
}

fn dotted(f: &mut fmt::Formatter<'_>, arcs: impl Iterator<Item = u32>) -> fmt::Result {
    for (position, arc) in arcs.enumerate() {
        write!(f, "{}{arc}", if position == 0 { "" } else { "." })?;
    }
    Ok(())
}

/// The arcs of an [`Oid`].
#[derive(Clone, Copy, Debug)]
pub struct ArcIter<'a> {
    rest: &'a [u8],
    /// The second arc, once the first is given.
    second: Option<u32>,
    is_first: bool,
}

impl Iterator for ArcIter<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        let mut subidentifier = 0u64;
        loop {
            let (octet, rest) = self.rest.split_first()?;
            self.rest = rest;
            subidentifier = subidentifier << 7 | u64::from(octet & 0x7f);
            if *octet < 0x80 {
                break;
            }
        }
        if self.is_first {
            self.is_first = false;
            let first = (subidentifier / 40).min(2);
            self.second = u32::try_from(subidentifier - 40 * first).ok();
            return u32::try_from(first).ok();
        }
        u32::try_from(subidentifier).ok()
    }
}

/// An object identifier as arcs, validated: what programs have and messages get.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arcs<'a>(&'a [u32]);

impl<'a> Arcs<'a> {
    /// Arcs, if a message can carry them: 2 to 128, the first at most 2, below 2 a second of at most 39.
    pub const fn new(arcs: &'a [u32]) -> Option<Self> {
        match arcs {
            [0..2, 0..40, ..] | [2, _, ..] if arcs.len() <= MAX_ARCS => Some(Arcs(arcs)),
            _ => None,
        }
    }

    /// The arcs.
    pub const fn as_slice(self) -> &'a [u32] {
        self.0
    }

    /// The subidentifiers: the first two arcs in one, then the others.
    fn split(self) -> (u64, &'a [u32]) {
        match self.0 {
            [first, second, others @ ..] => (40 * u64::from(*first) + u64::from(*second), others),
            // Both constructors of arcs look for two.
            _ => (0, &[]),
        }
    }

    /// Whether every subidentifier takes one octet, as in most names.
    #[inline]
    fn is_plain(self) -> bool {
        let (first, others) = self.split();
        first < 0x80 && others.iter().fold(0, |all, arc| all | arc) < 0x80
    }

    #[inline]
    fn contents_len(self) -> usize {
        let (first, others) = self.split();
        if self.is_plain() {
            return 1 + others.len();
        }
        others.iter().map(|arc| digits(u64::from(*arc))).sum::<usize>() + digits(first)
    }
}

/// How many octets a subidentifier takes.
#[inline]
const fn digits(subidentifier: u64) -> usize {
    match subidentifier {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Writes a subidentifier, the last seven bits first.
#[inline]
fn put_subidentifier(writer: &mut Writer<'_>, subidentifier: u64) -> Result<(), Full> {
    let digit = |place: u32| (subidentifier >> (7 * place) & 0x7f) as u8 | 0x80;
    let octets = [digit(4), digit(3), digit(2), digit(1), digit(0) & 0x7f];
    writer.octets(octets.get(5 - digits(subidentifier)..).unwrap_or_default())
}

impl Encode for Arcs<'_> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.contents_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let (first, others) = self.split();
        if self.is_plain() {
            // All below 0x80, so nothing is cut off.
            #[expect(clippy::cast_possible_truncation)]
            writer.filled(tag::OBJECT_IDENTIFIER, 1 + others.len(), |contents| {
                if let Some((head, tail)) = contents.split_first_mut() {
                    *head = first as u8;
                    tail.iter_mut().zip(others).for_each(|(octet, arc)| *octet = *arc as u8);
                }
            })
        } else {
            writer.nested(tag::OBJECT_IDENTIFIER, |writer| {
                others
                    .iter()
                    .rev()
                    .try_for_each(|arc| put_subidentifier(writer, u64::from(*arc)))?;
                put_subidentifier(writer, first)
            })
        }
    }
}

impl fmt::Display for Arcs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, self.0.iter().copied())
    }
}

impl fmt::Debug for Arcs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Arcs of every length of encoding.
    fn arc() -> impl Strategy<Value = u32> {
        (any::<u32>(), 0..32u32).prop_map(|(arc, shift)| arc >> shift)
    }

    fn name() -> impl Strategy<Value = Vec<u32>> {
        let second = prop_oneof![(0..2u32, 0..40u32), (Just(2), arc())];
        (second, vec(arc(), 0..MAX_ARCS - 1)).prop_map(|((first, second), others)| {
            [first, second].into_iter().chain(others).collect()
        })
    }

    /// Names that share a beginning, so that comparisons get somewhere.
    fn related() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
        (name(), vec(arc(), 0..4), vec(arc(), 0..4), 2usize..20).prop_map(|(root, a, b, keep)| {
            let root = &root[..root.len().min(keep)];
            ([root, &a].concat(), [root, &b].concat())
        })
    }

    fn encoded(arcs: &[u32]) -> Vec<u8> {
        let mut buffer = [0; 700];
        let name = Arcs::new(arcs).unwrap();
        let element = name.encode_into(&mut buffer).unwrap();
        assert_eq!(element.len(), name.encoded_len());
        Reader::new(element).contents(tag::OBJECT_IDENTIFIER).unwrap().octets.to_vec()
    }

    #[test]
    fn known_encodings() {
        for (arcs, contents) in [
            (&[1, 3, 6, 1, 2, 1][..], &[0x2b, 6, 1, 2, 1][..]),
            (&[0, 0], &[0]),
            (&[0, 39], &[39]),
            (&[1, 0], &[40]),
            (&[1, 39], &[79]),
            (&[2, 0], &[80]),
            (&[2, 999, 3], &[0x88, 0x37, 3]),
            (&[2, u32::MAX], &[0x90, 0x80, 0x80, 0x80, 0x4f]),
            (&[1, 3, u32::MAX], &[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(encoded(arcs), contents);
            assert!(Oid::new(contents).unwrap().arcs().eq(arcs.iter().copied()), "{arcs:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (contents, reason) in [
            (&[][..], Reason::EmptyOid),
            (&[0x2b, 0x86], Reason::UnterminatedArc),
            (&[0x2b, 0x80, 0x01], Reason::PaddedArc),
            (&[0x80, 0x01], Reason::PaddedArc),
            (&[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00], Reason::ArcTooLarge),
            (&[0x90, 0x80, 0x80, 0x80, 0x50], Reason::ArcTooLarge),
            (
                &[0x2b, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
                Reason::ArcTooLarge,
            ),
            (&[1; 128], Reason::TooManyArcs),
        ] {
            assert_eq!(Oid::new(contents), Err(reason), "{contents:02x?}");
        }
        assert!(Oid::new(&[1; 127]).is_ok());
        let too_short: [&[u32]; 3] = [&[], &[1], &[2]];
        assert!(too_short.into_iter().all(|arcs| Arcs::new(arcs).is_none()));
        let no_encoding: [&[u32]; 4] = [&[3, 0], &[0, 40], &[1, 40, 1], &[1; 129]];
        assert!(no_encoding.into_iter().all(|arcs| Arcs::new(arcs).is_none()));
        assert!(Arcs::new(&[1; 128]).is_some());
    }

    #[test]
    fn names_are_shown_with_dots() {
        assert_eq!(Oid::new(&[0x2b, 6, 1]).unwrap().to_string(), "1.3.6.1");
        assert_eq!(format!("{:?}", Arcs::new(&[1, 3, 6, 1]).unwrap()), "1.3.6.1");
    }

    proptest! {
        #[test]
        fn arcs_come_back(arcs in name()) {
            let contents = encoded(&arcs);
            let oid = Oid::new(&contents).unwrap();
            prop_assert!(oid.arcs().eq(arcs.iter().copied()));
            let mut decoded = [0; MAX_ARCS];
            prop_assert_eq!(oid.decode(&mut decoded), arcs);
        }

        #[test]
        fn encoded_names_compare_as_their_arcs_do((a, b) in related()) {
            let (a_octets, b_octets) = (encoded(&a), encoded(&b));
            let (a_oid, b_oid) = (Oid::new(&a_octets).unwrap(), Oid::new(&b_octets).unwrap());
            prop_assert_eq!(a_oid.cmp(&b_oid), a.cmp(&b));
            prop_assert_eq!(a_oid.is_below(b_oid), a.starts_with(&b));
        }

        #[test]
        fn whatever_is_accepted_has_one_encoding(contents in vec(any::<u8>(), 0..12)) {
            if let Ok(oid) = Oid::new(&contents) {
                let arcs: Vec<u32> = oid.arcs().collect();
                prop_assert_eq!(encoded(&arcs), contents);
            }
        }
    }
}
