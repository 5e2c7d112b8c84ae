//! What may cross the boundary, and how a type is described to the other side.
//!
//! A [`Shape`] is a tree of read-only C data: primitives at the leaves, structs and enums above them.
//! Its hash covers every leaf with path, offset and primitive and every variant with its discriminant,
//! so two types that merely have the same size never pass for each other.

use crate::abi::{Slice, Text};

/// The kinds a [`Shape`] can have; appended to, never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ShapeKind {
    /// `()`.
    Unit = 0,
    /// `bool`.
    Bool = 1,
    /// `u8`.
    U8 = 2,
    /// `u16`.
    U16 = 3,
    /// `u32`.
    U32 = 4,
    /// `u64`.
    U64 = 5,
    /// `i8`.
    I8 = 6,
    /// `i16`.
    I16 = 7,
    /// `i32`.
    I32 = 8,
    /// `i64`.
    I64 = 9,
    /// `f64`.
    F64 = 10,
    /// A `#[repr(C)]` struct; its parts are the fields, each at its offset.
    Struct = 11,
    /// A fieldless enum; its parts are the variants, each at its discriminant.
    Enum = 12,
    /// A borrowed slice of one element shape.
    Slice = 13,
    /// Borrowed UTF-8 text.
    Text = 14,
    /// A growing list of one element shape, owned by the caller.
    List = 15,
    /// A fixed array of one element shape.
    Array = 16,
    /// Something behind a shared reference.
    Ref = 17,
    /// Something behind an exclusive reference.
    RefMut = 18,
    /// A handle that lives as long as its activity.
    Handle = 19,
}

/// The description of a type that crosses.
#[repr(C)]
pub struct Shape {
    /// What it is.
    pub kind: ShapeKind,
    /// Size in octets of one value.
    pub size: u32,
    /// Alignment in octets.
    pub align: u32,
    /// The type's name, for people.
    pub name: Text<'static>,
    /// Fields or variants.
    pub parts: Slice<'static, ShapePart>,
    /// The element of a slice, list, array, reference.
    pub of: Option<&'static Shape>,
}

/// A field with its offset, or a variant with its discriminant.
#[repr(C)]
pub struct ShapePart {
    /// Field or variant name.
    pub name: Text<'static>,
    /// Offset of a field, discriminant of a variant.
    pub at: i64,
    /// The shape of the field; a variant has the unit shape.
    pub shape: &'static Shape,
}

impl Shape {
    /// A leaf.
    pub const fn leaf(kind: ShapeKind, name: &'static str, size: usize, align: usize) -> Self {
        Self::with(kind, name, size, align, &[], None)
    }

    /// A node.
    #[expect(clippy::cast_possible_truncation, reason = "no type that crosses is 4 GiB large")]
    pub const fn with(
        kind: ShapeKind,
        name: &'static str,
        size: usize,
        align: usize,
        parts: &'static [ShapePart],
        of: Option<&'static Shape>,
    ) -> Self {
        Shape {
            kind,
            size: size as u32,
            align: align as u32,
            name: Text::new(name),
            parts: Slice::new(parts),
            of,
        }
    }

    /// The structural hash of this shape. Names of types do not count: names of fields and variants do.
    pub const fn hash(&self) -> u64 {
        self.mix(Fnv::new()).0
    }

    pub(crate) const fn mix(&self, hash: Fnv) -> Fnv {
        let mut hash =
            hash.number(self.kind as u64).number(self.size as u64).number(self.align as u64);
        let parts = self.parts.get();
        let mut i = 0;
        while i < parts.len() {
            hash = hash.text(parts[i].name.octets()).number(parts[i].at.cast_unsigned());
            hash = parts[i].shape.mix(hash);
            i += 1;
        }
        match self.of {
            Some(of) => of.mix(hash.number(1)),
            None => hash.number(0),
        }
    }

    /// Why values of this shape cannot be rows of a resident table: cause and cure, for the compiler to say.
    ///
    /// A row is copied out of a module and back into one as bare octets. So each octet of it must have been
    /// written, which padding never is, and whatever octets come back must be a valid value.
    pub const fn row_fault(&self) -> Option<&'static str> {
        match self.kind {
            ShapeKind::Unit
            | ShapeKind::U8
            | ShapeKind::U16
            | ShapeKind::U32
            | ShapeKind::U64
            | ShapeKind::I8
            | ShapeKind::I16
            | ShapeKind::I32
            | ShapeKind::I64
            | ShapeKind::F64 => None,
            ShapeKind::Array => match self.of {
                Some(of) => of.row_fault(),
                None => Some(ROW_OF_NUMBERS),
            },
            ShapeKind::Struct => {
                let fields = self.parts.get();
                let (mut end, mut i) = (0, 0);
                while i < fields.len() {
                    if fields[i].at != end {
                        return Some(ROW_WITH_PADDING);
                    }
                    if let Some(fault) = fields[i].shape.row_fault() {
                        return Some(fault);
                    }
                    end += fields[i].shape.size as i64;
                    i += 1;
                }
                if end == self.size as i64 { None } else { Some(ROW_WITH_PADDING) }
            }
            ShapeKind::Bool | ShapeKind::Enum => Some(ROW_WITH_CHOICE),
            ShapeKind::Handle => Some(ROW_WITH_HANDLE),
            ShapeKind::Slice
            | ShapeKind::Text
            | ShapeKind::List
            | ShapeKind::Ref
            | ShapeKind::RefMut => Some(ROW_OF_NUMBERS),
        }
    }

    /// The type as a person reads it: `bytes`, `list<u32>`, `AuthError`.
    pub fn describe(&self) -> String {
        let of = || self.of.map_or_else(String::new, Shape::describe);
        let octets = self.of.is_some_and(|of| of.kind == ShapeKind::U8);
        match self.kind {
            ShapeKind::Slice if octets => "bytes".into(),
            ShapeKind::Slice => format!("[{}]", of()),
            ShapeKind::List if octets => "buffer".into(),
            ShapeKind::List => format!("list<{}>", of()),
            ShapeKind::Array => {
                let size = self.of.map_or(1, |of| of.size).max(1);
                format!("[{}; {}]", of(), self.size / size)
            }
            ShapeKind::Ref => of(),
            ShapeKind::RefMut => format!("out {}", of()),
            _ => self.name.as_str().to_owned(),
        }
    }
}

const ROW_WITH_PADDING: &str = "a row of a resident table has no padding: octets between or after the fields are \
     never written, and the host would copy them. Order the fields from large to small and fill what is left with \
     a field, as in `reserved: [u8; 3]`";
const ROW_WITH_CHOICE: &str = "a row of a resident table consists of numbers: octets that come back from a table \
     need not be a valid `bool` or enum. Keep it as a `u8` or `u32`, and make a `bool` or enum of that where you \
     read it";
const ROW_WITH_HANDLE: &str = "a row of a resident table outlives every activity, and a handle ends with its own: \
     keep what the handle stands for";
const ROW_OF_NUMBERS: &str = "a row of a resident table consists of numbers, arrays of them and `#[repr(C)]` structs \
     of those: it refers to nothing";

/// FNV-1a, usable while compiling. Not a defence against forgery: that is the signature's work.
#[derive(Clone, Copy)]
pub struct Fnv(pub u64);

impl Fnv {
    /// The empty hash.
    pub const fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    const fn octet(self, octet: u8) -> Self {
        Fnv((self.0 ^ octet as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// Takes in a number.
    pub const fn number(self, number: u64) -> Self {
        let octets = number.to_le_bytes();
        let mut hash = self;
        let mut i = 0;
        while i < octets.len() {
            hash = hash.octet(octets[i]);
            i += 1;
        }
        hash
    }

    /// Takes in text, with its length so that neighbours cannot run together.
    pub const fn text(self, text: &[u8]) -> Self {
        let mut hash = self.number(text.len() as u64);
        let mut i = 0;
        while i < text.len() {
            hash = hash.octet(text[i]);
            i += 1;
        }
        hash
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

/// A type that may cross the boundary between separately compiled code.
///
/// Do not implement it by hand: `#[derive(Plain)]` and `#[derive(Crossing)]` check what it promises.
///
/// # Safety
/// The layout is fixed by the C ABI, and `SHAPE` describes it completely.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the boundary between a module and its host",
    label = "host and module are compiled apart, so only C-ABI data may pass here",
    note = "use a primitive, `&[T]`, `&str`, `&mut Buf`, or a `#[repr(C)]` type with `#[derive(Plain)]`",
    note = "instead of `String` or `Vec<T>` take `&str` or `&[T]`, and answer through a `&mut Buf` or `&mut List<T>`"
)]
pub unsafe trait Crossing {
    /// The complete description of the layout.
    const SHAPE: &'static Shape;
}

/// Plain data: crosses by value, is copied freely, owns nothing.
///
/// # Safety
/// Every copy of the octets is a valid value on both sides.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "only plain data crosses by value",
    note = "put `#[repr(C)]` and `#[derive(Clone, Copy, Plain)]` on the type, or take it by reference"
)]
pub unsafe trait Plain: Crossing + Copy + 'static {}

macro_rules! primitives {
    ($($type:ty => $kind:ident),* $(,)?) => {$(
        // SAFETY: a primitive whose layout the C ABI fixes.
        unsafe impl Crossing for $type {
            const SHAPE: &'static Shape = &Shape::leaf(
                ShapeKind::$kind, stringify!($type), size_of::<$type>(), align_of::<$type>());
        }
        // SAFETY: a primitive owns nothing.
        unsafe impl Plain for $type {}
    )*};
}
primitives!(bool => Bool, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, f64 => F64, () => Unit);

// SAFETY: an array has the layout of its elements in a row.
unsafe impl<T: Crossing, const N: usize> Crossing for [T; N] {
    const SHAPE: &'static Shape = &Shape::with(
        ShapeKind::Array,
        "array",
        size_of::<[T; N]>(),
        align_of::<[T; N]>(),
        &[],
        Some(T::SHAPE),
    );
}
// SAFETY: its elements are plain.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The shape of a parameter `&[T]`.
pub const fn slice_of<T: Crossing>() -> Shape {
    Shape::with(
        ShapeKind::Slice,
        "slice",
        size_of::<Slice<'_, T>>(),
        align_of::<Slice<'_, T>>(),
        &[],
        Some(T::SHAPE),
    )
}

/// The shape of a parameter `&str`.
pub const fn text() -> Shape {
    Shape::leaf(ShapeKind::Text, "text", size_of::<Text<'_>>(), align_of::<Text<'_>>())
}

/// The shape of a parameter `&T`.
pub const fn reference_to<T: Crossing>() -> Shape {
    Shape::with(ShapeKind::Ref, "ref", size_of::<usize>(), align_of::<usize>(), &[], Some(T::SHAPE))
}

/// The shape of a parameter `&mut T`.
pub const fn output_to<T: Crossing>() -> Shape {
    Shape::with(
        ShapeKind::RefMut,
        "out",
        size_of::<usize>(),
        align_of::<usize>(),
        &[],
        Some(T::SHAPE),
    )
}

/// The shape of a parameter that is passed by value.
pub const fn value_of<T: Plain>() -> &'static Shape {
    T::SHAPE
}
