//! `Value`: data that describes itself, with one encoding.
//!
//! State, events, mailbox messages and dynamic arguments cross as the octets of a [`Value`]. A type
//! takes part by being a [`Field`]: it says what it looks like ([`Kind`]) and goes to octets and back,
//! through a `Value` where something must look inside, and directly where speed counts.
//!
//! This file never trusts a length that the input claims, never recurses deeper than [`MAX_DEPTH`]
//! while reading, and never guesses: what is not in the one encoding is refused.
//!
//! The invariant: two values are equal exactly when their encodings are, and
//! `Value::decode(octets)?.encode() == octets`.
//!
//! # The encoding
//! CBOR (RFC 8949) with its core deterministic requirements (§4.2.1): shortest heads, definite
//! lengths, map keys in the order of their encodings (shorter first, then by octet), no duplicates.
//! Keys are text. Floats always take 64 bits and there is one NaN. Off-spec: §4.2.1 would shorten
//! floats that fit; one width is simpler and no less deterministic.
//!
//! A non-negative integer is always [`Value::U64`] after decoding; [`Value::I64`] holds negatives.
//!
//! Object identifiers follow RFC 9090. Every list of arcs can be encoded: one that ASN.1 allows as an
//! absolute identifier (at least two arcs; the first 0 or 1 with a second below 40, or 2 with any
//! second) has tag 111, and every other list, such as `.1` or the index part of a table row, has tag
//! 110, the relative identifier. Each list has only one of the two forms.

mod codec;
mod field;
mod nested;

pub use codec::{Reader, Writer};
pub use field::{Field, Fields, Key, Oid};
pub use nested::Nested;
pub use s_sdk_macros::Field;

use codec::float_bits;
use std::collections::BTreeMap;
use std::fmt;

/// How deep lists and maps may nest in an encoding that is read.
pub const MAX_DEPTH: usize = 32;

/// Data that describes itself.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A negative integer. A non-negative one in here is equal to, and encoded as, a [`Value::U64`].
    I64(i64),
    /// A non-negative integer.
    U64(u64),
    /// A float; all NaNs are one.
    F64(f64),
    /// Octets.
    Bytes(Nested<Vec<u8>>),
    /// UTF-8 text.
    Text(Nested<String>),
    /// Values in a row.
    List(Nested<Vec<Value>>),
    /// Values by name.
    Map(Nested<BTreeMap<String, Value>>),
    /// The arcs of an object identifier.
    Oid(Nested<Vec<u32>>),
}

impl Value {
    /// What it is, seen from outside: the members of a list or map count as `any`.
    pub const fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::I64(_) => Kind::I64,
            Value::U64(_) => Kind::U64,
            Value::F64(_) => Kind::F64,
            Value::Bytes(_) => Kind::Bytes,
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List(&Kind::Any),
            Value::Map(_) => Kind::Map(&Kind::Text, &Kind::Any),
            Value::Oid(_) => Kind::Oid,
        }
    }

    /// The encoding. A value that nests deeper than [`MAX_DEPTH`] is encoded, but nobody will read it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Appends the encoding.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        Writer::new(out).value(self);
    }

    /// The value that has exactly this encoding.
    pub fn decode(octets: &[u8]) -> Result<Value, DecodeError> {
        let mut input = Reader::new(octets);
        let value = input.value()?;
        input.finish()?;
        Ok(value)
    }

    /// Is it nothing?
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The truth value, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if it is one and not negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.integer().and_then(|value| value.try_into().ok())
    }

    /// The integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.integer().and_then(|value| value.try_into().ok())
    }

    /// The float, if it is one.
    pub const fn as_f64(&self) -> Option<f64> {
        if let Value::F64(value) = self { Some(*value) } else { None }
    }

    /// The octets, if it is octets.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::Bytes(value) = self { Some(value) } else { None }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(value) = self { Some(value) } else { None }
    }

    /// The members, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(value) = self { Some(value) } else { None }
    }

    /// The members, if it is a map.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Value::Map(value) = self { Some(value) } else { None }
    }

    /// The arcs, if it is an object identifier.
    pub fn as_oid(&self) -> Option<&[u32]> {
        if let Value::Oid(value) = self { Some(value) } else { None }
    }

    /// The member of a map with this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map().and_then(|map| map.get(key))
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Value::U64(value) => Some((*value).into()),
            Value::I64(value) => Some((*value).into()),
            _ => None,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::F64(a), Value::F64(b)) => float_bits(*a) == float_bits(*b),
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            (Value::Oid(a), Value::Oid(b)) => a == b,
            _ => matches!((self.integer(), other.integer()), (Some(a), Some(b)) if a == b),
        }
    }
}
impl Eq for Value {}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::I64(value) => write!(f, "{value}"),
            Value::U64(value) => write!(f, "{value}"),
            Value::F64(value) => write!(f, "{value:?}"),
            Value::Bytes(value) => {
                f.write_str("h'")?;
                value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                f.write_str("'")
            }
            Value::Text(value) => write!(f, "{value:?}"),
            Value::List(members) => {
                f.write_str("[")?;
                for (i, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Value::Map(members) => {
                f.write_str("{")?;
                for (i, (key, member)) in members.iter().enumerate() {
                    write!(f, "{}{key:?}: {member}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Value::Oid(arcs) if arcs.is_empty() => f.write_str("."),
            Value::Oid(arcs) => arcs.iter().try_for_each(|arc| write!(f, ".{arc}")),
        }
    }
}

macro_rules! from_integers {
    ($($unsigned:ty, $signed:ty);* $(;)?) => {$(
        impl From<$unsigned> for Value {
            fn from(value: $unsigned) -> Self {
                Value::U64(value.into())
            }
        }
        impl From<$signed> for Value {
            fn from(value: $signed) -> Self {
                let value = i64::from(value);
                u64::try_from(value).map_or(Value::I64(value), Value::U64)
            }
        }
    )*};
}
from_integers!(u8, i8; u16, i16; u32, i32; u64, i64);

macro_rules! from_others {
    ($($type:ty: |$value:ident| $made:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        }
    )*};
}
from_others! {
    (): |_nothing| Value::Null;
    bool: |value| Value::Bool(value);
    f64: |value| Value::F64(value);
    &str: |value| Value::Text(value.to_owned().into());
    String: |value| Value::Text(value.into());
    &[u8]: |value| Value::Bytes(value.to_vec().into());
    Vec<u8>: |value| Value::Bytes(value.into());
    Vec<Value>: |value| Value::List(value.into());
    BTreeMap<String, Value>: |value| Value::Map(value.into());
}

/// What a type looks like to another version of it: the type system of schemas.
///
/// Kinds cross as their text ([`fmt::Display`]), which is different for different kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `bool`.
    Bool,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `f64`.
    F64,
    /// Octets.
    Bytes,
    /// UTF-8 text.
    Text,
    /// An object identifier.
    Oid,
    /// Any value.
    Any,
    /// Null or this.
    Option(&'static Kind),
    /// Many of these.
    List(&'static Kind),
    /// As many members of this list (or octets of these bytes) as the number says.
    Array(&'static Kind, usize),
    /// Values by key: a map where the key is text, else a list of `[key, value]` in ascending order.
    Map(&'static Kind, &'static Kind),
    /// Exactly these members, one after the other.
    Tuple(&'static [Kind]),
    /// Exactly these members, by name.
    Struct(&'static [FieldDesc]),
    /// One of these texts.
    Enum(&'static [&'static str]),
}

/// A named part of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDesc {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simple = match self {
            Kind::Null => "null",
            Kind::Bool => "bool",
            Kind::U8 => "u8",
            Kind::U16 => "u16",
            Kind::U32 => "u32",
            Kind::U64 => "u64",
            Kind::I8 => "i8",
            Kind::I16 => "i16",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::F64 => "f64",
            Kind::Bytes => "bytes",
            Kind::Text => "text",
            Kind::Oid => "oid",
            Kind::Any => "any",
            Kind::Option(of) => return write!(f, "option<{of}>"),
            Kind::List(of) => return write!(f, "list<{of}>"),
            Kind::Array(of, len) => return write!(f, "{of}[{len}]"),
            Kind::Map(key, value) => return write!(f, "map<{key}, {value}>"),
            Kind::Tuple(of) => {
                f.write_str("(")?;
                for (i, kind) in of.iter().enumerate() {
                    write!(f, "{}{kind}", if i == 0 { "" } else { ", " })?;
                }
                return f.write_str(")");
            }
            Kind::Struct(fields) => {
                f.write_str("{")?;
                for (i, field) in fields.iter().enumerate() {
                    write!(f, "{}{}: {}", if i == 0 { "" } else { ", " }, field.name, field.kind)?;
                }
                return f.write_str("}");
            }
            Kind::Enum(variants) => return write!(f, "enum<{}>", variants.join("|")),
        };
        f.write_str(simple)
    }
}

/// Octets that are not the one encoding of any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The octet at which it shows.
    pub at: usize,
    /// What is wrong there.
    pub fact: DecodeFact,
}

/// What can be wrong with an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeFact {
    /// The input ends inside the value, or a length reaches beyond its end.
    Truncated,
    /// Octets follow the value.
    Trailing,
    /// A head is longer than needed.
    NotShortest,
    /// An indefinite length, or a reserved head.
    Indefinite,
    /// A tag, simple value or float width that values do not use.
    Unsupported,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A key that is not text.
    KeyNotText,
    /// The same key twice.
    DuplicateKey,
    /// Keys not in ascending order.
    KeyOrder,
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A negative integer below the range of 64 bits.
    OutOfRange,
    /// A NaN other than the canonical one.
    OtherNan,
    /// An object identifier with an incomplete or oversized arc, or in the wrong form.
    BadOid,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = match self.fact {
            DecodeFact::Truncated => "the input ends inside a value",
            DecodeFact::Trailing => "octets follow the value",
            DecodeFact::NotShortest => "a head is longer than needed",
            DecodeFact::Indefinite => "an indefinite length or a reserved head",
            DecodeFact::Unsupported => "a tag, simple value or float width that values do not use",
            DecodeFact::NotUtf8 => "a text is not UTF-8",
            DecodeFact::KeyNotText => "a key is not text",
            DecodeFact::DuplicateKey => "a key occurs twice",
            DecodeFact::KeyOrder => "keys are not in ascending order",
            DecodeFact::TooDeep => "lists and maps nest too deep",
            DecodeFact::OutOfRange => "an integer is below the range of 64 bits",
            DecodeFact::OtherNan => "a NaN other than the canonical one",
            DecodeFact::BadOid => "an object identifier has a malformed arc or the wrong tag",
        };
        write!(f, "{fact} (at octet {})", self.at)
    }
}
impl std::error::Error for DecodeError {}

/// Why a value is not a certain type. One pointer wide, since almost every result here has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError(Box<FieldFault>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldFault {
    path: String,
    fact: FieldFact,
}

/// What can be wrong with a value of a certain type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldFact {
    /// Another kind of value.
    Expected {
        /// The kind that the type has.
        expected: String,
        /// The kind of the value.
        found: String,
    },
    /// The right kind of value, but not one that the type can hold.
    OutOfRange {
        /// The kind that the type has.
        expected: String,
        /// The value.
        found: String,
    },
    /// A struct lacks this field.
    Missing(String),
    /// A struct has no such field.
    Leftover(String),
    /// A rule makes a field that is there already.
    Occupied(String),
    /// The function of a rule refused the value, and why.
    Refused(String),
    /// The octets are not the encoding of any value.
    Malformed(DecodeError),
}

impl FieldError {
    /// An error at the value itself.
    pub fn new(fact: FieldFact) -> Self {
        FieldError(Box::new(FieldFault { path: String::new(), fact }))
    }

    /// A value of another kind.
    pub fn expected(expected: Kind, found: &Value) -> Self {
        Self::other_kind(expected, &found.kind().to_string())
    }

    /// A value of the right kind that the type cannot hold.
    pub fn out_of_range(expected: Kind, found: impl fmt::Display) -> Self {
        Self::new(FieldFact::OutOfRange {
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }

    /// A struct lacks this field.
    pub fn missing(field: &str) -> Self {
        Self::new(FieldFact::Missing(field.to_owned()))
    }

    /// A struct has no such field.
    pub fn leftover(field: &str) -> Self {
        Self::new(FieldFact::Leftover(field.to_owned()))
    }

    /// The same error seen from the struct or list around it.
    #[must_use]
    pub fn within(mut self, part: &str) -> Self {
        let dot = if self.path().is_empty() || self.path().starts_with('[') { "" } else { "." };
        self.0.path = format!("{part}{dot}{}", self.0.path);
        self
    }

    /// The way to the value at fault, such as `users[3].name`; empty for the value itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong.
    pub fn fact(&self) -> &FieldFact {
        &self.0.fact
    }

    fn other_kind(expected: Kind, found: &str) -> Self {
        Self::new(FieldFact::Expected { expected: expected.to_string(), found: found.to_owned() })
    }

    fn at_index(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }
}

impl From<DecodeError> for FieldError {
    fn from(error: DecodeError) -> Self {
        Self::new(FieldFact::Malformed(error))
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path().is_empty() {
            write!(f, "`{}`: ", self.path())?;
        }
        match self.fact() {
            FieldFact::Expected { expected, found } => {
                write!(f, "expected {expected}, found {found}")
            }
            FieldFact::OutOfRange { expected, found } => {
                write!(f, "{found} does not fit in {expected}")
            }
            FieldFact::Missing(field) => write!(f, "the field `{field}` is missing"),
            FieldFact::Leftover(field) => write!(f, "there is no field `{field}`"),
            FieldFact::Occupied(field) => write!(f, "there is a field `{field}` already"),
            FieldFact::Refused(why) => f.write_str(why),
            FieldFact::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FieldError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let FieldFact::Malformed(error) = self.fact() { Some(error) } else { None }
    }
}
