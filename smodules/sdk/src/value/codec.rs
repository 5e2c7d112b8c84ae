//! The one encoding: written through `minicbor`, read by a strict reader.

use super::{DecodeError, DecodeFact, FieldError, Kind, MAX_DEPTH, Value};
use minicbor::encode::Encoder;
use std::cmp::Ordering;
use std::collections::BTreeMap;

const TAG_RELATIVE_OID: u64 = 110;
const TAG_OID: u64 = 111;
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// Appends encodings. Whoever opens a list or a map owes it that many members, keys in order.
pub struct Writer<'a> {
    out: Encoder<&'a mut Vec<u8>>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer { out: Encoder::new(out) }
    }

    /// Null.
    pub fn null(&mut self) {
        self.put(|out| out.null());
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.put(|out| out.bool(value));
    }

    /// A float.
    pub fn f64(&mut self, value: f64) {
        self.put(|out| out.f64(f64::from_bits(float_bits(value))));
    }

    /// Octets: one copy.
    pub fn bytes(&mut self, value: &[u8]) {
        self.out.writer_mut().reserve(value.len() + 9);
        self.put(|out| out.bytes(value));
    }

    /// Text.
    pub fn text(&mut self, value: &str) {
        self.put(|out| out.str(value));
    }

    /// The head of a list; its members follow.
    pub fn list(&mut self, len: usize) {
        self.put(|out| out.array(len as u64));
    }

    /// The head of a map; its keys and values follow.
    pub fn map(&mut self, len: usize) {
        self.put(|out| out.map(len as u64));
    }

    /// An object identifier.
    pub fn oid(&mut self, arcs: &[u32]) {
        let mut content = Vec::with_capacity(arcs.len() * 2);
        let (tag, rest) = match arcs {
            [first, second, rest @ ..] if is_absolute(*first, *second) => {
                push_arc(&mut content, u64::from(*first) * 40 + u64::from(*second));
                (TAG_OID, rest)
            }
            all => (TAG_RELATIVE_OID, all),
        };
        rest.iter().for_each(|arc| push_arc(&mut content, (*arc).into()));
        self.put(|out| out.tag(minicbor::data::Tag::new(tag))?.bytes(&content));
    }

    /// Any value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::I64(value) => self.integer((*value).into()),
            Value::U64(value) => self.integer((*value).into()),
            Value::F64(value) => self.f64(*value),
            Value::Bytes(octets) => self.bytes(octets),
            Value::Text(text) => self.text(text),
            Value::List(members) => {
                self.list(members.len());
                members.iter().for_each(|member| self.value(member));
            }
            Value::Map(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by(|a, b| key_order(a.0, b.0));
                self.map(members.len());
                for (key, member) in members {
                    self.text(key);
                    self.value(member);
                }
            }
            Value::Oid(arcs) => self.oid(arcs),
        }
    }

    /// A non-negative integer.
    pub fn u64(&mut self, value: u64) {
        self.integer(value.into());
    }

    /// An integer that some 64-bit type holds; another one would be cut to the nearest.
    pub(super) fn integer(&mut self, value: i128) {
        match u64::try_from(value) {
            Ok(value) => self.put(|out| out.u64(value)),
            Err(_) => self.put(|out| out.i64(value.try_into().unwrap_or(i64::MIN))),
        }
    }

    fn put<'s, T>(
        &'s mut self,
        write: impl FnOnce(
            &'s mut Encoder<&'a mut Vec<u8>>,
        ) -> Result<T, minicbor::encode::Error<std::convert::Infallible>>,
    ) {
        // The error type of a vector is uninhabited, and no other error arises in these calls.
        let _ = write(&mut self.out);
    }
}

/// Reads the one encoding. The octets are ours to check: `minicbor` reads any CBOR, and is the judge
/// of this reader in the tests.
pub struct Reader<'b> {
    input: &'b [u8],
    at: usize,
    depth: usize,
}

impl<'b> Reader<'b> {
    /// Reads from the start of `input`.
    pub const fn new(input: &'b [u8]) -> Self {
        Reader { input, at: 0, depth: 0 }
    }

    /// Everything has been read.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.at == self.input.len() { Ok(()) } else { Err(self.error(DecodeFact::Trailing)) }
    }

    /// Any value.
    pub fn value(&mut self) -> Result<Value, DecodeError> {
        let (start, head) = (self.at, self.head()?);
        Ok(match head {
            Head::Unsigned(value) => Value::U64(value),
            Head::Negative(value) => Value::I64(value),
            Head::Bytes(len) => self.take(len)?.into(),
            Head::Text(len) => self.utf8(len)?.into(),
            Head::List(len) => self.nested(|input| {
                (0..len).map(|_| input.value()).collect::<Result<_, _>>().map(Value::List)
            })?,
            Head::Map(len) => {
                let mut members = BTreeMap::new();
                self.members(len, |input, key| {
                    members.insert(key.to_owned(), input.value()?);
                    Ok::<_, DecodeError>(())
                })?;
                Value::from(members)
            }
            Head::Tag(tag) => Value::Oid(self.arcs(tag, start)?.into()),
            Head::Bool(value) => Value::Bool(value),
            Head::Null => Value::Null,
            Head::Float(value) => Value::F64(value),
        })
    }

    /// Null, if it comes next.
    pub fn null(&mut self) -> bool {
        let null = self.input.get(self.at) == Some(&0xf6);
        self.at += usize::from(null);
        null
    }

    /// Octets, borrowed.
    pub fn bytes(&mut self) -> Result<&'b [u8], FieldError> {
        match self.head()? {
            Head::Bytes(len) => Ok(self.take(len)?),
            other => Err(other.instead_of(Kind::Bytes)),
        }
    }

    /// Text, borrowed.
    pub fn text(&mut self) -> Result<&'b str, FieldError> {
        match self.head()? {
            Head::Text(len) => Ok(self.utf8(len)?),
            other => Err(other.instead_of(Kind::Text)),
        }
    }

    /// A list: `read` is told how many members there are, and reads exactly these.
    pub fn list<R>(
        &mut self,
        kind: Kind,
        read: impl FnOnce(&mut Self, usize) -> Result<R, FieldError>,
    ) -> Result<R, FieldError> {
        match self.head()? {
            Head::List(len) => self.nested(|input| read(input, len)),
            other => Err(other.instead_of(kind)),
        }
    }

    /// A map: `read` is called with each key, in order, and reads the value.
    pub fn map(
        &mut self,
        kind: Kind,
        read: impl FnMut(&mut Self, &'b str) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        match self.head()? {
            Head::Map(len) => self.members(len, read),
            other => Err(other.instead_of(kind)),
        }
    }

    pub(super) fn integer(&mut self, kind: Kind) -> Result<i128, FieldError> {
        match self.head()? {
            Head::Unsigned(value) => Ok(value.into()),
            Head::Negative(value) => Ok(value.into()),
            other => Err(other.instead_of(kind)),
        }
    }

    fn members<E: From<DecodeError>>(
        &mut self,
        len: usize,
        mut read: impl FnMut(&mut Self, &'b str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.nested(|input| {
            let mut last: Option<&str> = None;
            for _ in 0..len {
                let start = input.at;
                let Head::Text(len) = input.head()? else {
                    return Err(DecodeError { at: start, fact: DecodeFact::KeyNotText }.into());
                };
                let key = input.utf8(len)?;
                match last.map(|last| key_order(last, key)) {
                    None | Some(Ordering::Less) => last = Some(key),
                    Some(Ordering::Equal) => {
                        return Err(
                            DecodeError { at: start, fact: DecodeFact::DuplicateKey }.into()
                        );
                    }
                    Some(Ordering::Greater) => {
                        return Err(DecodeError { at: start, fact: DecodeFact::KeyOrder }.into());
                    }
                }
                read(input, key)?;
            }
            Ok(())
        })
    }

    fn nested<R, E: From<DecodeError>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(DecodeFact::TooDeep).into());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let start = self.at;
        let wrong = |fact| DecodeError { at: start, fact };
        let [first] = self.array()?;
        let info = first & 0x1f;
        if first >> 5 == 7 {
            return match info {
                20 => Ok(Head::Bool(false)),
                21 => Ok(Head::Bool(true)),
                22 => Ok(Head::Null),
                27 => {
                    let value = f64::from_be_bytes(self.array()?);
                    if value.to_bits() == float_bits(value) {
                        Ok(Head::Float(value))
                    } else {
                        Err(wrong(DecodeFact::OtherNan))
                    }
                }
                28..=31 => Err(wrong(DecodeFact::Indefinite)),
                _ => Err(wrong(DecodeFact::Unsupported)),
            };
        }
        let (argument, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(self.array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array()?), 1 << 32),
            _ => return Err(wrong(DecodeFact::Indefinite)),
        };
        if argument < least {
            return Err(wrong(DecodeFact::NotShortest));
        }
        // Every member takes at least one octet, so a length that the input cannot hold ends here.
        let left = self.input.len() - self.at;
        let length = |least_octets_each: usize| {
            let length = usize::try_from(argument).map_err(|_| wrong(DecodeFact::Truncated))?;
            if length > left / least_octets_each {
                Err(wrong(DecodeFact::Truncated))
            } else {
                Ok(length)
            }
        };
        Ok(match first >> 5 {
            0 => Head::Unsigned(argument),
            1 => Head::Negative(
                -1 - i64::try_from(argument).map_err(|_| wrong(DecodeFact::OutOfRange))?,
            ),
            2 => Head::Bytes(length(1)?),
            3 => Head::Text(length(1)?),
            4 => Head::List(length(1)?),
            5 => Head::Map(length(2)?),
            _ => Head::Tag(argument),
        })
    }

    fn arcs(&mut self, tag: u64, start: usize) -> Result<Vec<u32>, DecodeError> {
        let wrong = |fact| DecodeError { at: start, fact };
        if tag != TAG_OID && tag != TAG_RELATIVE_OID {
            return Err(wrong(DecodeFact::Unsupported));
        }
        let Head::Bytes(len) = self.head()? else { return Err(wrong(DecodeFact::BadOid)) };
        let bad = || wrong(DecodeFact::BadOid);
        let content = self.take(len)?;
        // The last octet of an arc has its high bit clear; so has the last octet of all of them.
        if content.last().is_some_and(|last| last & 0x80 != 0)
            || (content.is_empty() && tag == TAG_OID)
        {
            return Err(bad());
        }
        let mut arcs = Vec::new();
        for octets in content.split_inclusive(|octet| octet & 0x80 == 0) {
            // Five octets hold 35 bits: enough for the first two arcs combined, and no overflow.
            if octets.len() > 5 || octets[0] == 0x80 {
                return Err(bad());
            }
            let arc = octets.iter().fold(0u64, |arc, octet| arc << 7 | u64::from(octet & 0x7f));
            let combined = tag == TAG_OID && arcs.is_empty();
            let top = if combined { (arc / 40).min(2) } else { 0 };
            if combined {
                arcs.push(if top == 0 {
                    0
                } else if top == 1 {
                    1
                } else {
                    2
                });
            }
            arcs.push(u32::try_from(arc - top * 40).map_err(|_| bad())?);
        }
        match arcs[..] {
            [first, second, ..] if tag == TAG_RELATIVE_OID && is_absolute(first, second) => {
                Err(bad())
            }
            _ => Ok(arcs),
        }
    }

    fn utf8(&mut self, len: usize) -> Result<&'b str, DecodeError> {
        let start = self.at;
        std::str::from_utf8(self.take(len)?)
            .map_err(|_| DecodeError { at: start, fact: DecodeFact::NotUtf8 })
    }

    fn take(&mut self, len: usize) -> Result<&'b [u8], DecodeError> {
        let taken =
            self.input[self.at..].get(..len).ok_or_else(|| self.error(DecodeFact::Truncated))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken =
            self.input[self.at..].first_chunk().ok_or_else(|| self.error(DecodeFact::Truncated))?;
        self.at += N;
        Ok(*taken)
    }

    const fn error(&self, fact: DecodeFact) -> DecodeError {
        DecodeError { at: self.at, fact }
    }
}

/// What an item begins with.
enum Head {
    Unsigned(u64),
    Negative(i64),
    Bytes(usize),
    Text(usize),
    List(usize),
    Map(usize),
    Tag(u64),
    Bool(bool),
    Null,
    Float(f64),
}

impl Head {
    fn instead_of(&self, expected: Kind) -> FieldError {
        let found = match self {
            Head::Unsigned(_) => Kind::U64,
            Head::Negative(_) => Kind::I64,
            Head::Bytes(_) => Kind::Bytes,
            Head::Text(_) => Kind::Text,
            Head::List(_) => Kind::List(&Kind::Any),
            Head::Map(_) => Kind::Map(&Kind::Text, &Kind::Any),
            Head::Tag(_) => Kind::Oid,
            Head::Bool(_) => Kind::Bool,
            Head::Null => Kind::Null,
            Head::Float(_) => Kind::F64,
        };
        FieldError::other_kind(expected, &found.to_string())
    }
}

/// The order of keys in a map (RFC 8949 §4.2.1): that of their encodings, whose heads put shorter first.
pub(super) fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

pub(super) const fn float_bits(value: f64) -> u64 {
    if value.is_nan() { CANONICAL_NAN } else { value.to_bits() }
}

const fn is_absolute(first: u32, second: u32) -> bool {
    first == 2 || (first < 2 && second < 40)
}

/// Base 128, most significant first, the high bit set on all octets but the last.
fn push_arc(content: &mut Vec<u8>, arc: u64) {
    let mut shift = arc.checked_ilog2().unwrap_or(0) / 7 * 7;
    loop {
        let [.., low] = (arc >> shift & 0x7f).to_be_bytes();
        content.push(if shift == 0 { low } else { low | 0x80 });
        if shift == 0 {
            return;
        }
        shift -= 7;
    }
}
