//! From numbers of the system to values of a MIB.
//!
//! It never guesses: what does not fit is cut as the syntax has it, or is no value.

use roles::varbind::VarValue;

/// An INTEGER, if it fits.
pub fn integer<'a>(number: impl TryInto<i32>) -> Option<VarValue<'a>> {
    number.try_into().ok().map(VarValue::Integer)
}

/// The number of an INTEGER that is 2147483647 for everything above.
pub fn capped(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The lower half of a wider number: that of TimeTicks, and of a Counter32 beside its Counter64.
#[expect(clippy::cast_possible_truncation, reason = "they wrap (RFC 2578 §7.1.6, §7.1.8)")]
pub const fn wrapped(number: u64) -> u32 {
    number as u32
}

/// A TruthValue.
pub const fn truth<'a>(holds: bool) -> VarValue<'a> {
    VarValue::Integer(if holds { 1 } else { 2 })
}
