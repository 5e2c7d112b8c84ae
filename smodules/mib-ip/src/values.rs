//! From numbers of the kernel to values of a MIB.

use roles::varbind::VarValue;
use roles::varbind::VarValue::{Counter32, Counter64, Integer};

/// An INTEGER, if it fits.
pub(crate) fn integer<'a>(number: impl TryInto<i32>) -> Option<VarValue<'a>> {
    number.try_into().ok().map(Integer)
}

/// A 32-bit counter is the lower half of a wider one.
#[expect(clippy::cast_possible_truncation, reason = "counters wrap")]
pub(crate) fn counter32<'a>(number: i64) -> VarValue<'a> {
    Counter32(number.cast_unsigned() as u32)
}

/// A 64-bit counter.
pub(crate) fn counter64<'a>(number: i64) -> VarValue<'a> {
    Counter64(number.cast_unsigned())
}

/// A TruthValue.
pub(crate) const fn truth<'a>(holds: bool) -> VarValue<'a> {
    Integer(if holds { 1 } else { 2 })
}

/// When something happened, in sysUpTime; 0 if that was before the agent came.
pub(crate) const fn up_time_at(up_time: u32, ago: u32) -> u32 {
    up_time.saturating_sub(ago)
}
