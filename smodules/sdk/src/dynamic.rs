//! Values across the boundary: the arguments and answers of dynamic calls.
//!
//! Scalars travel in two words and are never encoded; text, octets and OIDs are borrowed; lists and
//! maps travel in the canonical encoding of [`Value`].

use crate::CallError;
use crate::list::{Buf, List};
use crate::shape::Plain;
use crate::value::Value;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The tag of a [`ValueRef`] or a [`ValueOut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tag(pub u32);

impl Tag {
    /// Nothing.
    pub const NULL: Tag = Tag(0);
    /// A truth value in the first word.
    pub const BOOL: Tag = Tag(1);
    /// A negative number in the first word.
    pub const I64: Tag = Tag(2);
    /// A number in the first word.
    pub const U64: Tag = Tag(3);
    /// The bits of a float in the first word.
    pub const F64: Tag = Tag(4);
    /// Address and length of octets.
    pub const BYTES: Tag = Tag(5);
    /// Address and length of UTF-8.
    pub const TEXT: Tag = Tag(6);
    /// Address and length of arcs.
    pub const OID: Tag = Tag(7);
    /// Address and length of an encoded value.
    pub const ENCODED: Tag = Tag(8);
}

/// A borrowed value in C layout.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ValueRef<'a> {
    tag: Tag,
    first: u64,
    second: u64,
    borrow: PhantomData<&'a [u8]>,
}

impl<'a> ValueRef<'a> {
    const fn words(tag: Tag, first: u64, second: u64) -> Self {
        ValueRef { tag, first, second, borrow: PhantomData }
    }

    fn borrowed<T>(tag: Tag, slice: &'a [T]) -> Self {
        Self::words(tag, slice.as_ptr().expose_provenance() as u64, slice.len() as u64)
    }

    /// The borrowed form of a value; a list or map is encoded into `scratch` first.
    pub fn new(value: &'a Value, scratch: &'a mut Vec<u8>) -> Self {
        match value {
            Value::List(_) | Value::Map(_) => {
                scratch.clear();
                value.encode_into(scratch);
                Self::borrowed(Tag::ENCODED, scratch.as_slice())
            }
            simple => Self::simple(simple).unwrap_or(Self::words(Tag::NULL, 0, 0)),
        }
    }

    /// The borrowed form of anything but a list or map.
    #[inline]
    pub fn simple(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::words(Tag::NULL, 0, 0),
            Value::Bool(b) => Self::words(Tag::BOOL, u64::from(*b), 0),
            Value::I64(i) => Self::words(Tag::I64, i.cast_unsigned(), 0),
            Value::U64(u) => Self::words(Tag::U64, *u, 0),
            Value::F64(f) => Self::words(Tag::F64, f.to_bits(), 0),
            Value::Bytes(octets) => Self::borrowed(Tag::BYTES, octets),
            Value::Text(text) => Self::borrowed(Tag::TEXT, text.as_bytes()),
            Value::Oid(arcs) => Self::borrowed(Tag::OID, arcs),
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// A value that was encoded already.
    pub fn encoded(octets: &'a [u8]) -> Self {
        Self::borrowed(Tag::ENCODED, octets)
    }

    /// The kind of value.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    #[expect(clippy::cast_possible_truncation, reason = "both words came from usize in `borrowed`")]
    fn slice<T>(&self, tag: Tag) -> Option<&'a [T]> {
        if self.tag != tag {
            return None;
        }
        // SAFETY: the tag says that the words came from a slice of this element in `borrowed`.
        Some(unsafe {
            std::slice::from_raw_parts(
                std::ptr::with_exposed_provenance(self.first as usize),
                self.second as usize,
            )
        })
    }

    /// A number that is not negative.
    #[inline(always)]
    pub fn as_u64(&self) -> Option<u64> {
        (self.tag == Tag::U64).then_some(self.first)
    }

    /// A number that fits a signed one.
    #[inline(always)]
    pub fn as_i64(&self) -> Option<i64> {
        match self.tag {
            Tag::I64 => Some(self.first.cast_signed()),
            Tag::U64 => i64::try_from(self.first).ok(),
            _ => None,
        }
    }

    /// Octets.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        self.slice(Tag::BYTES)
    }

    /// Text.
    pub fn as_text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.slice(Tag::TEXT)?).ok()
    }

    /// Arcs of an object identifier.
    pub fn as_oid(&self) -> Option<&'a [u32]> {
        self.slice(Tag::OID)
    }

    /// The owned value; `None` when an encoded one does not decode.
    pub fn to_value(&self) -> Option<Value> {
        Some(match self.tag {
            Tag::NULL => Value::Null,
            Tag::BOOL => Value::Bool(self.first != 0),
            Tag::I64 => Value::I64(self.first.cast_signed()),
            Tag::U64 => Value::U64(self.first),
            Tag::F64 => Value::F64(f64::from_bits(self.first)),
            Tag::BYTES => Value::from(self.as_bytes()?),
            Tag::TEXT => Value::from(self.as_text()?),
            Tag::OID => Value::Oid(self.as_oid()?.to_vec().into()),
            Tag::ENCODED => Value::decode(self.slice(Tag::ENCODED)?).ok()?,
            _ => return None,
        })
    }
}

/// The answer of a dynamic call in C layout: a scalar in place, anything else encoded.
///
/// Most answers are scalars, so nothing but the tag is written before there is one, and only an encoded
/// answer leaves something to drop. An answer is put once.
#[repr(C)]
pub struct ValueOut {
    tag: Tag,
    scalar: MaybeUninit<u64>,
    /// Written exactly when the tag says so.
    encoded: MaybeUninit<Buf>,
}

impl ValueOut {
    /// No answer yet.
    #[inline(always)]
    pub const fn new() -> Self {
        ValueOut { tag: Tag::NULL, scalar: MaybeUninit::uninit(), encoded: MaybeUninit::uninit() }
    }

    /// Puts a scalar.
    #[inline(always)]
    pub fn put_scalar(&mut self, tag: Tag, scalar: u64) {
        self.scalar.write(scalar);
        self.tag = tag;
    }

    /// Puts any value.
    pub fn put(&mut self, value: &Value) {
        match ValueRef::simple(value) {
            Some(v) if v.tag.0 <= Tag::F64.0 => self.put_scalar(v.tag, v.first),
            _ => {
                self.encoded.write(value.encode().into());
                self.tag = Tag::ENCODED;
            }
        }
    }

    /// The number, if it is one that is not negative.
    #[inline(always)]
    pub const fn number(&self) -> Option<u64> {
        // SAFETY: a scalar's tag is set after its word.
        if self.tag.0 == Tag::U64.0 { Some(unsafe { self.scalar.assume_init() }) } else { None }
    }

    /// The value; `None` when the other side broke the encoding.
    pub fn take(&mut self) -> Option<Value> {
        let value = match self.tag {
            Tag::NULL => Some(Value::Null),
            // SAFETY: the tag says that the octets are there.
            Tag::ENCODED => Value::decode(unsafe { self.encoded.assume_init_ref() }).ok(),
            tag if tag.0 <= Tag::F64.0 => {
                // SAFETY: a scalar's tag is set after its word.
                ValueRef::words(tag, unsafe { self.scalar.assume_init() }, 0).to_value()
            }
            _ => None,
        };
        *self = ValueOut::new();
        value
    }
}

impl Drop for ValueOut {
    #[inline(always)]
    fn drop(&mut self) {
        if self.tag == Tag::ENCODED {
            // SAFETY: the tag says that the octets are there, and they are not used again.
            unsafe { self.encoded.assume_init_drop() }
        }
    }
}

impl Default for ValueOut {
    fn default() -> Self {
        Self::new()
    }
}

/// Plain data that has a form as a [`Value`]: what dynamic calls need of results and parameters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no form as a value, so callers by name cannot pass or receive it",
    label = "a call by name needs this as a value",
    note = "`#[derive(Plain)]` and `#[derive(Crossing)]` write that form"
)]
pub trait Dynamic: Sized {
    /// The value.
    fn to_value(&self) -> Value;

    /// The data again, if the value has its form.
    fn from_value(value: &Value) -> Option<Self>;

    /// The data from an argument; scalars skip the owned value.
    #[inline(always)]
    fn from_arg(arg: &ValueRef<'_>) -> Option<Self> {
        Self::from_value(&arg.to_value()?)
    }

    /// The answer; scalars skip the encoding.
    #[inline(always)]
    fn answer(&self, out: &mut ValueOut) {
        out.put(&self.to_value());
    }

    /// A slice of this element from an argument; octets and arcs are borrowed.
    fn slice_from_arg<'a>(arg: &'a ValueRef<'_>) -> Option<Cow<'a, [Self]>>
    where
        Self: Clone,
    {
        let Value::List(items) = arg.to_value()? else { return None };
        Some(Cow::Owned(items.iter().map(Self::from_value).collect::<Option<_>>()?))
    }

    /// A slice of this element as a value.
    fn slice_to_value(slice: &[Self]) -> Value {
        Value::List(slice.iter().map(Self::to_value).collect())
    }

    /// The elements of a value that [`Dynamic::slice_to_value`] made.
    fn slice_from_value(value: &Value) -> Option<Vec<Self>> {
        let Value::List(items) = value else { return None };
        items.iter().map(Self::from_value).collect()
    }
}

macro_rules! unsigned {
    ($($type:ty { $($rest:item)* })*) => {$(
        impl Dynamic for $type {
            fn to_value(&self) -> Value {
                Value::U64(u64::from(*self))
            }
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::U64(u) => (*u).try_into().ok(),
                    _ => None,
                }
            }
            #[inline(always)]
            fn from_arg(arg: &ValueRef<'_>) -> Option<Self> {
                arg.as_u64()?.try_into().ok()
            }
            #[inline(always)]
            fn answer(&self, out: &mut ValueOut) {
                out.put_scalar(Tag::U64, u64::from(*self));
            }
            $($rest)*
        }
    )*};
}

unsigned! {
    u8 {
        fn slice_from_arg<'a>(arg: &'a ValueRef<'_>) -> Option<Cow<'a, [u8]>> {
            arg.as_bytes().map(Cow::Borrowed)
        }
        fn slice_to_value(slice: &[u8]) -> Value {
            Value::from(slice.to_vec())
        }
        fn slice_from_value(value: &Value) -> Option<Vec<u8>> {
            match value {
                Value::Bytes(octets) => Some(octets.to_vec()),
                _ => None,
            }
        }
    }
    u16 {}
    u32 {
        // A slice of arcs is an object identifier; nothing else in a signature is `[u32]`.
        fn slice_from_arg<'a>(arg: &'a ValueRef<'_>) -> Option<Cow<'a, [u32]>> {
            match arg.as_oid() {
                Some(arcs) => Some(Cow::Borrowed(arcs)),
                None => Self::slice_from_value(&arg.to_value()?).map(Cow::Owned),
            }
        }
        fn slice_to_value(slice: &[u32]) -> Value {
            Value::Oid(slice.to_vec().into())
        }
        fn slice_from_value(value: &Value) -> Option<Vec<u32>> {
            match value {
                Value::Oid(arcs) => Some(arcs.to_vec()),
                Value::List(items) => items.iter().map(Self::from_value).collect(),
                _ => None,
            }
        }
    }
    u64 {}
}

macro_rules! signed {
    ($($type:ty),*) => {$(
        impl Dynamic for $type {
            fn to_value(&self) -> Value {
                Value::from(i64::from(*self))
            }
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::I64(i) => (*i).try_into().ok(),
                    Value::U64(u) => (*u).try_into().ok(),
                    _ => None,
                }
            }
            #[inline(always)]
            fn from_arg(arg: &ValueRef<'_>) -> Option<Self> {
                arg.as_i64()?.try_into().ok()
            }
        }
    )*};
}
signed!(i8, i16, i32, i64);

impl Dynamic for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }
}

impl Dynamic for f64 {
    fn to_value(&self) -> Value {
        Value::F64(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::F64(f) => Some(*f),
            _ => None,
        }
    }
}

impl Dynamic for () {
    fn to_value(&self) -> Value {
        Value::Null
    }
    fn from_value(value: &Value) -> Option<Self> {
        matches!(value, Value::Null).then_some(())
    }
}

impl<T: Dynamic + Clone, const N: usize> Dynamic for [T; N] {
    fn to_value(&self) -> Value {
        T::slice_to_value(self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        T::slice_from_value(value)?.try_into().ok()
    }
}

impl<T: Plain + Dynamic> Dynamic for List<T> {
    fn to_value(&self) -> Value {
        T::slice_to_value(self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        T::slice_from_value(value).map(Into::into)
    }
}

impl Dynamic for CallError {
    fn to_value(&self) -> Value {
        Value::from(self.to_string())
    }
    // An error is described to a person, not handed back: a dynamic answer is never one.
    fn from_value(_: &Value) -> Option<Self> {
        None
    }
}

/// What a method writes besides its result, for dynamic calls: starts empty, read at the end.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an output",
    label = "an output is something that grows, owned by the caller",
    note = "an output is a `&mut Buf`, a `&mut List<T>`, or a `#[repr(C)]` struct of those with `#[derive(Crossing)]`",
    note = "plain data is answered as the result: `Result<T, E>`"
)]
pub trait Output: Dynamic {
    /// Empty.
    fn open() -> Self;

    /// Takes over the contents of another one, into the memory it has.
    fn refill(&mut self, from: Self) -> Result<(), CallError>;
}

impl<T: Plain + Dynamic> Output for List<T> {
    fn open() -> Self {
        List::new()
    }
    fn refill(&mut self, from: Self) -> Result<(), CallError> {
        Ok(self.append(&from)?)
    }
}
