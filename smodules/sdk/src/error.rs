//! Why a call through a proxy had no ordinary answer.

use crate::abi::Status;
use crate::shape::{Crossing, Plain, Shape, ShapeKind, ShapePart};
use std::fmt;

/// The reasons; appended to, never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CallErrorKind {
    /// The component binds no module now.
    Absent = 1,
    /// The gate stayed closed beyond the swap's deadline.
    GateTimeout = 2,
    /// The module panicked; the host takes it from here.
    Panicked = 3,
    /// The module lacks the method, and its `does_not_understand` had no answer either.
    NotUnderstood = 4,
    /// An argument of a dynamic call does not fit the signature; the detail is its position.
    BadArgument = 5,
    /// The module answered a dynamic call with something the signature does not allow.
    BadAnswer = 6,
    /// The module refused.
    Refused = 7,
    /// A handle that belongs to another activity or another type.
    StaleHandle = 8,
    /// The caller's buffer has no room for the answer.
    Full = 9,
    /// The module's shim answered with a status that this side does not know.
    UnknownStatus = 10,
    /// The other component is not there while a module is rehearsed.
    Rehearsal = 11,
    /// The name or the behavior asked for is not registered.
    NoSuchName = 12,
    /// More components or more pins than a lane holds.
    Capacity = 13,
}

/// The error of a call: what happened, and one number that says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct CallError {
    /// What happened.
    pub kind: CallErrorKind,
    /// The position of an argument, an unknown status; otherwise 0.
    pub detail: u32,
}

impl CallError {
    /// An error without a detail.
    pub const fn new(kind: CallErrorKind) -> Self {
        CallError { kind, detail: 0 }
    }

    /// The error behind a shim's status.
    pub const fn from_status(status: Status) -> Self {
        let kind = match status {
            Status::PANICKED => CallErrorKind::Panicked,
            Status::NOT_UNDERSTOOD => CallErrorKind::NotUnderstood,
            Status::BAD_ARGUMENT => CallErrorKind::BadArgument,
            Status::REFUSED => CallErrorKind::Refused,
            Status::REHEARSAL => CallErrorKind::Rehearsal,
            Status::NO_SUCH_NAME => CallErrorKind::NoSuchName,
            Status::FULL => CallErrorKind::Full,
            Status::ABSENT => CallErrorKind::Absent,
            Status::CAPACITY => CallErrorKind::Capacity,
            Status(detail) => return CallError { kind: CallErrorKind::UnknownStatus, detail },
        };
        CallError::new(kind)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CallErrorKind::Absent => f.write_str("no module is bound"),
            CallErrorKind::GateTimeout => {
                f.write_str("the gate stayed closed beyond the swap's deadline")
            }
            CallErrorKind::Panicked => f.write_str("the module panicked"),
            CallErrorKind::NotUnderstood => {
                f.write_str("the module does not understand this method")
            }
            CallErrorKind::BadArgument => {
                write!(f, "argument {} does not fit the signature", self.detail)
            }
            CallErrorKind::BadAnswer => f.write_str("the answer does not fit the signature"),
            CallErrorKind::Refused => f.write_str("the module refused"),
            CallErrorKind::StaleHandle => {
                f.write_str("the handle belongs to another activity or type")
            }
            CallErrorKind::Full => f.write_str("the caller's buffer is full"),
            CallErrorKind::UnknownStatus => {
                write!(f, "the shim answered with unknown status {}", self.detail)
            }
            CallErrorKind::Rehearsal => {
                f.write_str("other components cannot be called in a rehearsal")
            }
            CallErrorKind::NoSuchName => f.write_str("no such component or behavior"),
            CallErrorKind::Capacity => f.write_str("more components than a lane holds"),
        }
    }
}

impl std::error::Error for CallError {}

macro_rules! variants {
    ($($name:ident = $at:expr),* $(,)?) => {
        &[$(ShapePart { name: crate::abi::Text::new(stringify!($name)), at: $at, shape: <()>::SHAPE }),*]
    };
}

const KIND: &Shape = &Shape::with(
    ShapeKind::Enum,
    "CallErrorKind",
    4,
    4,
    variants!(
        Absent = 1,
        GateTimeout = 2,
        Panicked = 3,
        NotUnderstood = 4,
        BadArgument = 5,
        BadAnswer = 6,
        Refused = 7,
        StaleHandle = 8,
        Full = 9,
        UnknownStatus = 10,
        Rehearsal = 11,
        NoSuchName = 12,
        Capacity = 13
    ),
    None,
);

// SAFETY: `repr(C)` over a `repr(u32)` enum and a `u32`, described below.
unsafe impl Crossing for CallError {
    const SHAPE: &'static Shape = &Shape::with(
        ShapeKind::Struct,
        "CallError",
        8,
        4,
        &[
            ShapePart { name: crate::abi::Text::new("kind"), at: 0, shape: KIND },
            ShapePart { name: crate::abi::Text::new("detail"), at: 4, shape: u32::SHAPE },
        ],
        None,
    );
}
// SAFETY: two numbers.
unsafe impl Plain for CallError {}
