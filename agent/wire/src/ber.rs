//! Single elements of BER: read forward from borrowed octets, written backward into a caller's buffer.
//!
//! It knows no SNMP beyond RFC 3417 §8: definite lengths, primitive strings, one octet of tag. Writing
//! backward puts every length behind its contents in time, so it is known when its turn comes.
//! Invariant: a [`Reader`] never leaves the octets it was made for, and its positions count from the
//! beginning of the whole message, however deep it is.

use crate::error::{Error, Reason};
use thiserror::Error as ThisError;

/// Tags of the universal class that SNMP uses, as whole identifier octets.
pub mod tag {
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    /// SEQUENCE, which is constructed.
    pub const SEQUENCE: u8 = 0x30;
    /// The bit that says constructed.
    pub const CONSTRUCTED: u8 = 0x20;

    /// Whether an element can begin with this octet: neither that of the end of contents (X.690 §8.1.5) nor the first
    /// of several octets of a tag (§8.1.2.4), which SNMP has none of.
    pub const fn begins_an_element(octet: u8) -> bool {
        octet & !CONSTRUCTED != 0 && octet & 0x1f != 0x1f
    }
}

/// Octets and where they begin in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The position of the first.
    pub at: usize,
    /// The octets.
    pub octets: &'a [u8],
}

impl<'a> Part<'a> {
    /// Their positions.
    pub fn range(&self) -> core::ops::Range<usize> {
        self.at..self.at.saturating_add(self.octets.len())
    }

    /// Reads them, with positions as in the message.
    pub fn reader(self) -> Reader<'a> {
        Reader { rest: self.octets, end: self.at.saturating_add(self.octets.len()) }
    }
}

/// Octets by themselves, from position 0.
impl<'a> From<&'a [u8]> for Part<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Part { at: 0, octets }
    }
}

/// Written as they are: they are BER already, or contents of a string.
impl Encode for Part<'_> {
    fn encoded_len(&self) -> usize {
        self.octets.len()
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.octets(self.octets)
    }
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The position in the message at which `rest` ends.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads octets from their beginning.
    pub const fn new(octets: &'a [u8]) -> Self {
        Reader { rest: octets, end: octets.len() }
    }

    /// The position of the next octet in the message.
    pub const fn at(&self) -> usize {
        self.end - self.rest.len()
    }

    /// What is left.
    pub const fn rest(&self) -> Part<'a> {
        Part { at: self.at(), octets: self.rest }
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next tag, which stays; `None` at the end.
    pub fn peek_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// An element with any tag: the tag, and its contents.
    ///
    /// # Errors
    /// It has no definite length, or ends too late.
    #[inline]
    pub fn any(&mut self) -> Result<(u8, Part<'a>), Error> {
        let (tag, length, behind) = match self.rest {
            [tag, length @ 0..0x80, behind @ ..] => (*tag, usize::from(*length), behind),
            _ => long_header(self.rest).map_err(|reason| reason.at(self.at()))?,
        };
        let Some((octets, rest)) = behind.split_at_checked(length) else {
            return Err(Reason::Truncated.at(self.at()));
        };
        self.rest = rest;
        Ok((tag, Part { at: self.at() - octets.len(), octets }))
    }

    /// The contents of an element that must have this tag.
    ///
    /// # Errors
    /// It has another, or is no element.
    #[inline]
    pub fn contents(&mut self, tag: u8) -> Result<Part<'a>, Error> {
        match self.peek_tag() {
            Some(found) if found == tag => Ok(self.any()?.1),
            found => Err(other_tag(tag, found).at(self.at())),
        }
    }

    /// A whole element with any tag, header included.
    ///
    /// # Errors
    /// It is no element.
    pub fn whole(&mut self) -> Result<Part<'a>, Error> {
        let before = *self;
        self.any()?;
        let octets = before.rest.get(..before.rest.len() - self.rest.len()).unwrap_or_default();
        Ok(Part { at: before.at(), octets })
    }

    /// What reads the contents of a SEQUENCE, or of another constructed type.
    ///
    /// # Errors
    /// It has another tag, or is no element.
    #[inline]
    pub fn nested(&mut self, tag: u8) -> Result<Reader<'a>, Error> {
        self.contents(tag).map(Part::reader)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    #[inline]
    pub fn finish(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Reason::TrailingOctets.at(self.at())) }
    }

    /// An INTEGER between -2^31 and 2^31-1.
    ///
    /// # Errors
    /// It is none, or outside.
    #[inline]
    pub fn integer(&mut self) -> Result<i32, Error> {
        let at = self.at();
        signed(self.contents(tag::INTEGER)?.octets).map_err(|reason| reason.at(at))
    }

    /// An INTEGER between two bounds.
    ///
    /// # Errors
    /// It is none, or outside.
    pub fn integer_within(&mut self, bounds: core::ops::RangeInclusive<u32>) -> Result<u32, Error> {
        let at = self.at();
        let integer = u32::try_from(self.integer()?).ok();
        integer.filter(|integer| bounds.contains(integer)).ok_or(Reason::IntegerOutOfRange.at(at))
    }
}

/// Why a tag is not the one that belongs there.
#[cold]
fn other_tag(expected: u8, found: Option<u8>) -> Reason {
    match found {
        None => Reason::Truncated,
        Some(found) if found == expected | tag::CONSTRUCTED => Reason::Constructed,
        Some(_) => Reason::UnexpectedTag,
    }
}

/// The header of an element whose length is not one octet below 0x80, and what stands behind it.
#[cold]
fn long_header(octets: &[u8]) -> Result<(u8, usize, &[u8]), Reason> {
    let [tag, first, behind @ ..] = octets else { return Err(Reason::Truncated) };
    let (digits, behind) = match first {
        0..0x80 => return Ok((*tag, usize::from(*first), behind)),
        0x80 => return Err(Reason::IndefiniteLength),
        0xff => return Err(Reason::BadLength),
        _ => behind.split_at_checked(usize::from(first & 0x7f)).ok_or(Reason::Truncated)?,
    };
    // X.690 §8.1.3.5 note 2: more digits than needed are allowed, and old equipment sends them.
    let length = digits
        .iter()
        .try_fold(0usize, |length, digit| Some(length.checked_mul(0x100)? | usize::from(*digit)));
    Ok((*tag, length.ok_or(Reason::BadLength)?, behind))
}

/// The contents of an INTEGER of 32 bits. Off-spec: leading octets that only repeat the sign are skipped
/// here and below, though X.690 §8.3.2 forbids them; old equipment sends them, and they say nothing else.
#[inline]
pub(crate) fn signed(contents: &[u8]) -> Result<i32, Reason> {
    let first = contents.first().ok_or(Reason::EmptyInteger)?.cast_signed();
    if let [_] = contents {
        return Ok(first.into());
    }
    let (fill, start) = if first < 0 { (0xff, -1) } else { (0, 0) };
    let digits = without_leading(contents, fill);
    if digits.len() > 4 {
        return Err(Reason::IntegerOutOfRange);
    }
    let number = digits.iter().fold(start, |number: i64, digit| number << 8 | i64::from(*digit));
    i32::try_from(number).map_err(|_| Reason::IntegerOutOfRange)
}

/// The contents of an INTEGER between 0 and 2^64-1; leading zeros are skipped.
#[inline]
pub(crate) fn unsigned(contents: &[u8]) -> Result<u64, Reason> {
    let first = *contents.first().ok_or(Reason::EmptyInteger)?;
    let digits = without_leading(contents, 0);
    if first >= 0x80 || digits.len() > 8 {
        return Err(Reason::IntegerOutOfRange);
    }
    Ok(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}

#[inline]
fn without_leading(octets: &[u8], octet: u8) -> &[u8] {
    let digits = octets.iter().position(|found| *found != octet).unwrap_or(octets.len());
    octets.get(digits..).unwrap_or_default()
}

/// The buffer has no room for what was to be written; what it holds means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("the buffer has no room for what was to be written")]
pub struct Full;

/// What can be written.
pub trait Encode {
    /// How many octets it takes: exactly as many as [`Encode::encode`] writes.
    fn encoded_len(&self) -> usize;

    /// Writes it before what is written already.
    ///
    /// # Errors
    /// The buffer has no room.
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full>;

    /// Writes it into the end of a buffer, and answers the written octets.
    ///
    /// # Errors
    /// The buffer has no room.
    fn encode_into<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Full> {
        let mut writer = Writer::new(buffer);
        self.encode(&mut writer)?;
        Ok(writer.finish())
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        (**self).encode(writer)
    }
}

/// Writes elements from the last to the first, into the end of a buffer.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    /// The written octets begin here.
    at: usize,
}

impl<'b> Writer<'b> {
    /// Writes into the end of a buffer.
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        let at = buffer.len();
        Writer { buffer, at }
    }

    /// How many octets are written.
    pub const fn written(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// The written octets: the end of the buffer.
    pub fn finish(self) -> &'b mut [u8] {
        self.buffer.get_mut(self.at..).unwrap_or_default()
    }

    /// Makes room before what is written; the caller fills it.
    #[inline]
    fn room(&mut self, len: usize) -> Result<&mut [u8], Full> {
        let at = self.at.checked_sub(len).ok_or(Full)?;
        let room = self.buffer.get_mut(at..self.at).ok_or(Full)?;
        self.at = at;
        Ok(room)
    }

    /// Writes octets as they are.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        self.room(octets.len())?.copy_from_slice(octets);
        Ok(())
    }

    /// Writes tag and length, for contents that are written already.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn header(&mut self, tag: u8, len: usize) -> Result<(), Full> {
        match (len as u64).to_be_bytes() {
            [0, 0, 0, 0, 0, 0, 0, short @ 0..0x80] => self.octets(&[tag, short]),
            [0, 0, 0, 0, 0, 0, 0, low] => self.octets(&[tag, 0x81, low]),
            [0, 0, 0, 0, 0, 0, high, low] => self.octets(&[tag, 0x82, high, low]),
            _ => self.long_header(tag, len),
        }
    }

    #[cold]
    fn long_header(&mut self, tag: u8, len: usize) -> Result<(), Full> {
        let digits = len.to_be_bytes();
        let digits = without_leading(&digits, 0);
        self.octets(digits)?;
        // At most eight digits, because that is what `usize` has.
        #[expect(clippy::cast_possible_truncation)]
        self.octets(&[tag, 0x80 | digits.len() as u8])
    }

    /// Writes an element around what `contents` writes.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn nested(
        &mut self,
        tag: u8,
        contents: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let before = self.written();
        contents(self)?;
        self.header(tag, self.written() - before)
    }

    /// Writes an element of any tag whose contents, so many octets, `fill` stores.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn filled(
        &mut self,
        tag: u8,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), Full> {
        fill(self.room(len)?);
        self.header(tag, len)
    }

    /// Writes a string of any tag.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn string(&mut self, tag: u8, octets: &[u8]) -> Result<(), Full> {
        self.octets(octets)?;
        self.header(tag, octets.len())
    }

    /// Writes an INTEGER.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn integer(&mut self, integer: i32) -> Result<(), Full> {
        self.number(tag::INTEGER, integer.to_be_bytes(), signed_octets(integer))
    }

    /// Writes a number that is not negative, of any tag.
    ///
    /// # Errors
    /// The buffer has no room.
    #[inline]
    pub fn unsigned(&mut self, tag: u8, number: u64) -> Result<(), Full> {
        match unsigned_octets(number) {
            9 => self.string(tag, &u128::from(number).to_be_bytes()[7..]),
            len => self.number(tag, number.to_be_bytes(), len),
        }
    }

    /// Writes the last `len` octets of a number.
    #[inline]
    fn number<const N: usize>(&mut self, tag: u8, digits: [u8; N], len: usize) -> Result<(), Full> {
        // All digits in one store, where a copy of unknown length would be a call: those that do not
        // count lie in front of what is written, and what comes next overwrites them.
        let store = self.at.checked_sub(N).and_then(|from| self.buffer.get_mut(from..self.at));
        match store {
            Some(store) => {
                store.copy_from_slice(&digits);
                self.at -= len;
            }
            None => self.octets(digits.get(N.saturating_sub(len)..).unwrap_or_default())?,
        }
        self.header(tag, len)
    }
}

/// How many octets the contents of an INTEGER have.
const fn signed_octets(integer: i32) -> usize {
    // The bits that differ from the sign, and the sign itself.
    let bits = 33 - (integer ^ (integer >> 31)).leading_zeros();
    bits.div_ceil(8) as usize
}

/// How many octets the contents of an INTEGER have that is not negative.
const fn unsigned_octets(number: u64) -> usize {
    (64 - number.leading_zeros()) as usize / 8 + 1
}

/// How many octets an element takes whose contents take so many.
#[inline]
pub const fn element_len(contents: usize) -> usize {
    let length = match contents {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 1 + (usize::BITS - contents.leading_zeros()).div_ceil(8) as usize,
    };
    1 + length + contents
}

/// How many octets an INTEGER takes.
pub const fn integer_len(integer: i32) -> usize {
    2 + signed_octets(integer)
}

/// How many octets a number takes that is not negative.
pub const fn unsigned_len(number: u64) -> usize {
    2 + unsigned_octets(number)
}

/// How many octets the contents may have of an element that may have `limit`; none fit below 2.
pub const fn largest_contents(limit: usize) -> Option<usize> {
    let Some(mut contents) = limit.checked_sub(2) else { return None };
    // One octet more of length takes at most a few steps; some limits cannot be met exactly.
    while element_len(contents) > limit {
        contents -= 1;
    }
    Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> Vec<u8> {
        let mut buffer = [0xaa; 64];
        let mut writer = Writer::new(&mut buffer);
        write(&mut writer).unwrap();
        writer.finish().to_vec()
    }

    #[test]
    fn lengths_may_have_more_digits_than_they_need() {
        let expected = (0x04, &[7u8][..]);
        for octets in [
            &[0x04, 0x01, 7][..],
            &[0x04, 0x81, 0x01, 7],
            &[0x04, 0x82, 0x00, 0x01, 7],
            &[0x04, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 7],
        ] {
            let (tag, part) = Reader::new(octets).any().unwrap();
            assert_eq!((tag, part.octets), expected);
            assert_eq!(part.range(), octets.len() - 1..octets.len());
        }
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for (octets, reason) in [
            (&[][..], Reason::Truncated),
            (&[0x04], Reason::Truncated),
            (&[0x04, 0x01], Reason::Truncated),
            (&[0x04, 0x82, 0x01], Reason::Truncated),
            (&[0x04, 0x80, 0, 0], Reason::IndefiniteLength),
            (&[0x04, 0xff, 0], Reason::BadLength),
            (&[0x04, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0], Reason::BadLength),
            (&[0x04, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Reason::Truncated),
        ] {
            assert_eq!(Reader::new(octets).any().unwrap_err(), reason.at(0), "{octets:02x?}");
        }
    }

    #[test]
    fn positions_count_from_the_beginning_of_the_message() {
        let message = [0x30, 0x05, 0x02, 0x01, 0x00, 0x24, 0x00];
        let mut inner = Reader::new(&message).nested(tag::SEQUENCE).unwrap();
        inner.integer().unwrap();
        assert_eq!(inner.contents(tag::OCTET_STRING).unwrap_err(), Reason::Constructed.at(5));
        assert_eq!(inner.whole().unwrap().range(), 5..7);
    }

    #[test]
    fn the_largest_contents_fit_and_one_octet_more_does_not() {
        assert_eq!((largest_contents(0), largest_contents(1)), (None, None));
        for limit in 2..70_000 {
            let contents = largest_contents(limit).unwrap();
            assert!(element_len(contents) <= limit && element_len(contents + 1) > limit);
        }
    }

    #[test]
    fn a_full_buffer_is_an_error() {
        for len in 0..4 {
            assert_eq!(
                Writer::new(&mut vec![0; len]).integer(1000),
                if len < 4 { Err(Full) } else { Ok(()) }
            );
        }
        assert_eq!(Writer::new(&mut [0; 4]).integer(1000), Ok(()));
    }

    proptest! {
        #[test]
        fn integers_come_back_in_the_shortest_form(integer: i32, shift in 0..32) {
            let integer = integer >> shift;
            let octets = written(|w| w.integer(integer));
            prop_assert_eq!(octets.len(), integer_len(integer));
            prop_assert_eq!(Reader::new(&octets).integer(), Ok(integer));
            if let [_, _, first, second, ..] = octets[..] {
                prop_assert!(!matches!((first, second), (0, 0..0x80) | (0xff, 0x80..)));
            }
        }

        #[test]
        fn numbers_come_back_in_the_shortest_form(number: u64, shift in 0..64) {
            let number = number >> shift;
            let octets = written(|w| w.unsigned(0x46, number));
            prop_assert_eq!(octets.len(), unsigned_len(number));
            prop_assert_eq!(unsigned(&octets[2..]), Ok(number));
            if let [_, _, first, second, ..] = octets[..] {
                prop_assert!(first != 0 || second >= 0x80);
            }
        }

        #[test]
        fn integers_may_have_more_octets_than_they_need(integer: i32, more in 0usize..9) {
            let fill = if integer < 0 { 0xff } else { 0 };
            let mut octets = vec![fill; more];
            octets.extend(integer.to_be_bytes());
            prop_assert_eq!(signed(&octets), Ok(integer));
            let number = integer.cast_unsigned();
            let mut octets = vec![0; more + 1];
            octets.extend(number.to_be_bytes());
            prop_assert_eq!(unsigned(&octets), Ok(number.into()));
        }

        #[test]
        fn integers_of_more_than_32_bits_are_refused(integer: i64) {
            let expected = i32::try_from(integer).map_err(|_| Reason::IntegerOutOfRange);
            prop_assert_eq!(signed(&integer.to_be_bytes()), expected);
        }

        #[test]
        fn lengths_come_back(len in 0usize..100_000) {
            let mut buffer = vec![0; len + 8];
            let octets = vec![7; len];
            let mut writer = Writer::new(&mut buffer);
            writer.string(tag::OCTET_STRING, &octets).unwrap();
            let element = writer.finish();
            prop_assert_eq!(element.len(), element_len(len));
            prop_assert_eq!(Reader::new(element).contents(tag::OCTET_STRING).unwrap().octets, &octets);
        }
    }
}
