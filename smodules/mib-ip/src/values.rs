//! From numbers of the kernel to values of a MIB.

pub(crate) use mib_kit::values::{integer, truth};

use mib_kit::values::wrapped;
use roles::varbind::VarValue;
use roles::varbind::VarValue::{Counter32, Counter64};

/// A 32-bit counter is the lower half of a wider one.
pub(crate) fn counter32<'a>(number: i64) -> VarValue<'a> {
    Counter32(wrapped(number.cast_unsigned()))
}

/// A 64-bit counter.
pub(crate) fn counter64<'a>(number: i64) -> VarValue<'a> {
    Counter64(number.cast_unsigned())
}

/// When something happened, in sysUpTime; 0 if that was before the agent came.
pub(crate) const fn up_time_at(up_time: u32, ago: u32) -> u32 {
    up_time.saturating_sub(ago)
}
