//! Variable bindings: one, a list that was received, and a list that is to be sent (RFC 3416 §3).
//!
//! It never copies a binding. Invariant: a [`VarBindList`] was read to its end once, names and values
//! included, so that going through it has nothing left to refuse.

use crate::ber::{self, Encode, Full, Part, Reader, Writer, tag};
use crate::error::Error;
use crate::oid::{ObjectName, Oid};
use crate::pdu::PduVersion;
use crate::value::Value;

/// A name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarBind<'a, O = Oid<'a>> {
    /// The name.
    pub name: O,
    /// The value.
    pub value: Value<'a, O>,
}

impl<'a> VarBind<'a> {
    /// Reads a binding.
    ///
    /// # Errors
    /// It is none, or has more than a name and a value.
    #[inline]
    pub fn read(reader: &mut Reader<'a>, version: PduVersion) -> Result<Self, Error> {
        let mut binding = reader.nested(tag::SEQUENCE)?;
        let name = Oid::read(&mut binding)?;
        let value = Value::read(&mut binding, version)?;
        binding.finish()?;
        Ok(VarBind { name, value })
    }
}

impl<O: ObjectName> VarBind<'_, O> {
    #[inline]
    fn contents_len(&self) -> usize {
        self.name.encoded_len() + self.value.encoded_len()
    }
}

/// What a GETBULK adds to [`crate::Budget`] before it takes a binding.
impl<O: ObjectName> Encode for VarBind<'_, O> {
    #[inline]
    fn encoded_len(&self) -> usize {
        ber::element_len(self.contents_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            self.value.encode(writer)?;
            self.name.encode(writer)
        })
    }
}

/// A list as it was received: validated to its last octet.
///
/// Encoding it writes the octets that were read, which is what a Response with an error carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarBindList<'a> {
    contents: &'a [u8],
    len: usize,
}

impl<'a> VarBindList<'a> {
    /// A list without bindings.
    pub const EMPTY: VarBindList<'static> = VarBindList { contents: &[], len: 0 };

    /// Reads a list, and every binding in it.
    ///
    /// # Errors
    /// It is none, or a binding is none.
    #[inline]
    pub fn read(reader: &mut Reader<'a>, version: PduVersion) -> Result<Self, Error> {
        let mut bindings = reader.nested(tag::SEQUENCE)?;
        let (contents, mut len) = (bindings.rest().octets, 0);
        while !bindings.is_empty() {
            VarBind::read(&mut bindings, version)?;
            len += 1;
        }
        Ok(VarBindList { contents, len })
    }

    /// How many bindings there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All bindings, in order.
    pub const fn iter(&self) -> VarBindIter<'a> {
        VarBindIter { rest: Reader::new(self.contents), left: self.len }
    }
}

impl<'a> IntoIterator for VarBindList<'a> {
    type Item = VarBind<'a>;
    type IntoIter = VarBindIter<'a>;

    fn into_iter(self) -> VarBindIter<'a> {
        self.iter()
    }
}

impl Encode for VarBindList<'_> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.contents.len())
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| Part::from(self.contents).encode(writer))
    }
}

/// The bindings of a [`VarBindList`].
#[derive(Clone, Debug)]
pub struct VarBindIter<'a> {
    rest: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for VarBindIter<'a> {
    type Item = VarBind<'a>;

    /// Everything was read before, so nothing here ends the list early; names are not judged again.
    #[inline]
    fn next(&mut self) -> Option<VarBind<'a>> {
        let mut binding = self.rest.nested(tag::SEQUENCE).ok()?;
        let name = Oid::validated(binding.contents(tag::OBJECT_IDENTIFIER).ok()?.octets);
        let value = Value::read(&mut binding, PduVersion::V2).ok()?;
        self.left -= 1;
        Some(VarBind { name, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for VarBindIter<'_> {}

/// A list to be sent: whatever can give its bindings from the last to the first.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<I>(pub I);

impl<'a, O, I> Encode for Bindings<I>
where
    O: ObjectName + 'a,
    I: Clone + DoubleEndedIterator<Item = VarBind<'a, O>>,
{
    fn encoded_len(&self) -> usize {
        ber::element_len(self.0.clone().map(|binding| binding.encoded_len()).sum())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let mut bindings = self.0.clone().rev();
        writer
            .nested(tag::SEQUENCE, |writer| bindings.try_for_each(|binding| binding.encode(writer)))
    }
}

impl<O: ObjectName> Encode for [VarBind<'_, O>] {
    fn encoded_len(&self) -> usize {
        Bindings(self.iter().copied()).encoded_len()
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        Bindings(self.iter().copied()).encode(writer)
    }
}
