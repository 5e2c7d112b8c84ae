//! The types that state, events and messages are made of.
//!
//! A type that is not here, or not made of what is here by a derive, is not carried: nothing is
//! serialized by accident.

use super::codec::key_order;
use super::{FieldError, FieldFact, Kind, Reader, Value, Writer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A type that state, events and messages are made of.
///
/// Structs with named fields and enums without data get it from `#[derive(Field)]` (or, as a whole
/// state, from `#[derive(State)]`). A hand-written implementation needs only the first three items;
/// `encode` and `decode` are there to avoid building a [`Value`], and must agree with them.
///
/// `Vec<u8>` and `[u8; N]` are bytes, a map with `String` keys is a map, any other map is a list of
/// `[key, value]`. There is no `usize`: its width differs between targets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be carried as state",
    label = "not a `Field`",
    note = "put `#[derive(Field)]` on a struct with named fields or an enum without data",
    note = "use `u64` instead of `usize`, and a `BTreeMap` instead of a `HashMap`"
)]
pub trait Field: Sized {
    /// What it looks like.
    const KIND: Kind;

    /// As a value.
    fn to_value(&self) -> Value;

    /// From a value.
    fn from_value(value: Value) -> Result<Self, FieldError>;

    /// Straight to octets.
    fn encode(&self, out: &mut Writer<'_>) {
        out.value(&self.to_value());
    }

    /// Straight from octets.
    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        Self::from_value(input.value()?)
    }

    // What many of them in a row look like. `u8` alone overrides these, which makes `Vec<u8>` bytes.

    /// Can it be null by itself? Then an `Option` of it would be ambiguous.
    #[doc(hidden)]
    const NULLABLE: bool = false;

    #[doc(hidden)]
    const LIST_KIND: Kind = Kind::List(&Self::KIND);

    #[doc(hidden)]
    fn list_to_value(items: &[Self]) -> Value {
        Value::List(items.iter().map(Self::to_value).collect())
    }

    #[doc(hidden)]
    fn list_from_value(value: Value) -> Result<Vec<Self>, FieldError> {
        let Value::List(members) = value else {
            return Err(FieldError::expected(Self::LIST_KIND, &value));
        };
        let each = members.into_iter().enumerate();
        each.map(|(i, member)| Self::from_value(member).map_err(|error| error.at_index(i)))
            .collect()
    }

    #[doc(hidden)]
    fn encode_list(items: &[Self], out: &mut Writer<'_>) {
        out.list(items.len());
        items.iter().for_each(|item| item.encode(out));
    }

    #[doc(hidden)]
    fn decode_list(input: &mut Reader<'_>) -> Result<Vec<Self>, FieldError> {
        input.list(Self::LIST_KIND, |input, len| {
            (0..len).map(|i| Self::decode(input).map_err(|error| error.at_index(i))).collect()
        })
    }
}

macro_rules! integers {
    ($($type:ident => $kind:ident $(, $special:item)*;)*) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::$kind;

            fn to_value(&self) -> Value {
                Value::from(*self)
            }

            fn from_value(value: Value) -> Result<Self, FieldError> {
                let number = value.integer().ok_or_else(|| FieldError::expected(Self::KIND, &value))?;
                number.try_into().map_err(|_| FieldError::out_of_range(Self::KIND, number))
            }

            fn encode(&self, out: &mut Writer<'_>) {
                out.integer((*self).into());
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
                let number = input.integer(Self::KIND)?;
                number.try_into().map_err(|_| FieldError::out_of_range(Self::KIND, number))
            }

            $($special)*
        }
    )*};
}
integers! {
    u16 => U16;
    u32 => U32;
    u64 => U64;
    i8 => I8;
    i16 => I16;
    i32 => I32;
    i64 => I64;
    u8 => U8,
        const LIST_KIND: Kind = Kind::Bytes;,
        fn list_to_value(items: &[u8]) -> Value {
            Value::Bytes(items.to_vec().into())
        },
        fn list_from_value(value: Value) -> Result<Vec<u8>, FieldError> {
            match value {
                Value::Bytes(octets) => Ok(octets.into_inner()),
                other => Err(FieldError::expected(Kind::Bytes, &other)),
            }
        },
        fn encode_list(items: &[u8], out: &mut Writer<'_>) {
            out.bytes(items);
        },
        fn decode_list(input: &mut Reader<'_>) -> Result<Vec<u8>, FieldError> {
            input.bytes().map(<[u8]>::to_vec)
        };
}

impl Field for bool {
    const KIND: Kind = Kind::Bool;

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        value.as_bool().ok_or_else(|| FieldError::expected(Self::KIND, &value))
    }
}

impl Field for f64 {
    const KIND: Kind = Kind::F64;

    fn to_value(&self) -> Value {
        Value::F64(*self)
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        value.as_f64().ok_or_else(|| FieldError::expected(Self::KIND, &value))
    }
}

impl Field for () {
    const KIND: Kind = Kind::Null;
    const NULLABLE: bool = true;

    fn to_value(&self) -> Value {
        Value::Null
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        if value.is_null() { Ok(()) } else { Err(FieldError::expected(Self::KIND, &value)) }
    }
}

impl Field for Value {
    const KIND: Kind = Kind::Any;
    const NULLABLE: bool = true;

    fn to_value(&self) -> Value {
        self.clone()
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        Ok(value)
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.value(self);
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.clone().into())
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        match value {
            Value::Text(text) => Ok(text.into_inner()),
            other => Err(FieldError::expected(Self::KIND, &other)),
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.text(self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        input.text().map(str::to_owned)
    }
}

impl<T: Field> Field for Vec<T> {
    const KIND: Kind = T::LIST_KIND;

    fn to_value(&self) -> Value {
        T::list_to_value(self)
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        T::list_from_value(value)
    }

    fn encode(&self, out: &mut Writer<'_>) {
        T::encode_list(self, out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        T::decode_list(input)
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const KIND: Kind = Kind::Array(&T::LIST_KIND, N);

    fn to_value(&self) -> Value {
        T::list_to_value(self)
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        array(T::list_from_value(value)?)
    }

    fn encode(&self, out: &mut Writer<'_>) {
        T::encode_list(self, out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        array(T::decode_list(input)?)
    }
}

fn array<T: Field, const N: usize>(items: Vec<T>) -> Result<[T; N], FieldError> {
    items.try_into().map_err(|items: Vec<T>| {
        FieldError::out_of_range(<[T; N]>::KIND, format_args!("{}[{}]", T::LIST_KIND, items.len()))
    })
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = {
        assert!(
            !T::NULLABLE,
            "an `Option` of something that can itself be null loses the difference"
        );
        Kind::Option(&T::KIND)
    };
    const NULLABLE: bool = true;

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Some(inner) => inner.encode(out),
            None => out.null(),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        if input.null() { Ok(None) } else { T::decode(input).map(Some) }
    }
}

/// What is shared is described and encoded as what it is: a module that keeps its data behind an `Arc`, for
/// readers without a lock, exports it without a copy.
impl<T: Field> Field for Arc<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = T::NULLABLE;

    fn to_value(&self) -> Value {
        (**self).to_value()
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        T::from_value(value).map(Arc::new)
    }

    fn encode(&self, out: &mut Writer<'_>) {
        (**self).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        T::decode(input).map(Arc::new)
    }
}

/// A type by which state can be looked up.
pub trait Key: Field + Ord {
    /// As a key of a [`Value::Map`]; only `String` has one.
    #[doc(hidden)]
    fn text(&self) -> Option<&str> {
        None
    }

    /// From a key of a [`Value::Map`].
    #[doc(hidden)]
    fn from_text(_text: String) -> Option<Self> {
        None
    }

    #[doc(hidden)]
    const TEXT: bool = false;
}

impl Key for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    fn from_text(text: String) -> Option<Self> {
        Some(text)
    }

    const TEXT: bool = true;
}

macro_rules! keys {
    ($($type:ty),*) => {$(impl Key for $type {})*};
}
keys!(bool, u8, u16, u32, u64, i8, i16, i32, i64);
impl<T: Key> Key for Vec<T> {}
impl<T: Key, const N: usize> Key for [T; N] {}
impl<A: Key, B: Key> Key for (A, B) {}
impl<A: Key, B: Key, C: Key> Key for (A, B, C) {}

impl<K: Key, T: Field> Field for BTreeMap<K, T> {
    const KIND: Kind = Kind::Map(&K::KIND, &T::KIND);

    fn to_value(&self) -> Value {
        if K::TEXT {
            let pairs = self
                .iter()
                .filter_map(|(key, value)| Some((key.text()?.to_owned(), value.to_value())));
            return Value::Map(pairs.collect());
        }
        Value::List(
            self.iter()
                .map(|(key, value)| Value::from(vec![key.to_value(), value.to_value()]))
                .collect(),
        )
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        match value {
            Value::Map(members) if K::TEXT => {
                let read = |(key, value): (String, Value)| {
                    let value = T::from_value(value).map_err(|error| error.within(&key))?;
                    Ok(K::from_text(key).map(|key| (key, value)))
                };
                members.into_iter().filter_map(|member| read(member).transpose()).collect()
            }
            Value::List(rows) if !K::TEXT => {
                let mut map = BTreeMap::new();
                for (i, row) in rows.into_iter().enumerate() {
                    let (key, value) = Field::from_value(row).map_err(|error| error.at_index(i))?;
                    insert_above(&mut map, key, value).map_err(|error| error.at_index(i))?;
                }
                Ok(map)
            }
            other => Err(FieldError::expected(Self::KIND, &other)),
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        if K::TEXT {
            let mut members: Vec<_> =
                self.iter().filter_map(|(key, value)| Some((key.text()?, value))).collect();
            members.sort_unstable_by(|a, b| key_order(a.0, b.0));
            out.map(members.len());
            for (key, value) in members {
                out.text(key);
                value.encode(out);
            }
        } else {
            out.list(self.len());
            for (key, value) in self {
                out.list(2);
                key.encode(out);
                value.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
        let mut map = BTreeMap::new();
        if K::TEXT {
            input.map(Self::KIND, |input, key| {
                let value = T::decode(input).map_err(|error| error.within(key))?;
                if let Some(key) = K::from_text(key.to_owned()) {
                    map.insert(key, value);
                }
                Ok(())
            })?;
        } else {
            input.list(Self::KIND, |input, len| {
                for i in 0..len {
                    let (key, value) =
                        Field::decode(input).map_err(|error: FieldError| error.at_index(i))?;
                    insert_above(&mut map, key, value).map_err(|error| error.at_index(i))?;
                }
                Ok(())
            })?;
        }
        Ok(map)
    }
}

/// Rows come in strictly ascending order, so a map has one encoding and no duplicate keys.
fn insert_above<K: Key, T: Field>(
    map: &mut BTreeMap<K, T>,
    key: K,
    value: T,
) -> Result<(), FieldError> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
        let key = key.to_value();
        return Err(FieldError::out_of_range(
            BTreeMap::<K, T>::KIND,
            format_args!("the key {key}, which is not above the key before it,"),
        ));
    }
    map.insert(key, value);
    Ok(())
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),*);)*) => {$(
        impl<$($name: Field),*> Field for ($($name,)*) {
            const KIND: Kind = Kind::Tuple(&[$($name::KIND),*]);

            fn to_value(&self) -> Value {
                Value::from(vec![$(self.$at.to_value()),*])
            }

            fn from_value(value: Value) -> Result<Self, FieldError> {
                match value {
                    Value::List(members) => {
                        let len = members.len();
                        let mut members = members.into_iter();
                        let tuple = ($(members
                            .next()
                            .map_or_else(|| Err(wrong_length(Self::KIND, len)), $name::from_value)
                            .map_err(|error| error.at_index($at))?,)*);
                        if members.next().is_some() { Err(wrong_length(Self::KIND, len)) } else { Ok(tuple) }
                    }
                    other => Err(FieldError::expected(Self::KIND, &other)),
                }
            }

            fn encode(&self, out: &mut Writer<'_>) {
                out.list([$($at),*].len());
                $(self.$at.encode(out);)*
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, FieldError> {
                input.list(Self::KIND, |input, len| {
                    if len != [$($at),*].len() {
                        return Err(wrong_length(Self::KIND, len));
                    }
                    Ok(($($name::decode(input).map_err(|error| error.at_index($at))?,)*))
                })
            }
        }
    )*};
}
tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
}

fn wrong_length(expected: Kind, found: usize) -> FieldError {
    FieldError::out_of_range(expected, format_args!("a list of {found}"))
}

/// The arcs of an object identifier, as a field of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub Vec<u32>);

impl Field for Oid {
    const KIND: Kind = Kind::Oid;

    fn to_value(&self) -> Value {
        Value::Oid(self.0.clone().into())
    }

    fn from_value(value: Value) -> Result<Self, FieldError> {
        match value {
            Value::Oid(arcs) => Ok(Oid(arcs.into_inner())),
            other => Err(FieldError::expected(Self::KIND, &other)),
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.oid(&self.0);
    }
}
impl Key for Oid {}

/// The fields of a struct by name, on their way from one version to another.
///
/// Nothing gets lost here: what is not taken is found by [`Fields::finish`].
#[derive(Clone, Debug, Default)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The fields of a struct.
    pub fn from_value(value: Value) -> Result<Self, FieldError> {
        match value {
            Value::Map(members) => Ok(Fields(members.into_inner())),
            other => Err(FieldError::expected(Kind::Map(&Kind::Text, &Kind::Any), &other)),
        }
    }

    /// The struct again.
    pub fn into_value(self) -> Value {
        Value::from(self.0)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes a field out.
    pub fn take<T: Field>(&mut self, name: &str) -> Result<T, FieldError> {
        T::from_value(self.remove(name)?).map_err(|error| error.within(name))
    }

    /// Puts a new field in.
    pub fn put<T: Field>(&mut self, name: &str, field: &T) -> Result<(), FieldError> {
        self.insert(name, field.to_value())
    }

    /// Gives a field another name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), FieldError> {
        let value = self.remove(from)?;
        self.insert(to, value)
    }

    /// Takes a field out, whatever it is.
    pub fn remove(&mut self, name: &str) -> Result<Value, FieldError> {
        self.0.remove(name).ok_or_else(|| FieldError::missing(name))
    }

    /// All fields have been taken.
    pub fn finish(mut self) -> Result<(), FieldError> {
        self.0.pop_first().map_or(Ok(()), |(name, _)| Err(FieldError::leftover(&name)))
    }

    fn insert(&mut self, name: &str, value: Value) -> Result<(), FieldError> {
        if self.0.contains_key(name) {
            return Err(FieldError::new(FieldFact::Occupied(name.to_owned())));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }
}
