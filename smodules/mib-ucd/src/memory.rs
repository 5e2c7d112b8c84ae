//! memory: physical memory and swap space, in kilobytes.

use kernel_host::Memory;
use mib_kit::Column;
use mib_kit::values::capped;
use roles::varbind::VarValue::{Counter64, Integer, Octets};

/// Memory, and what is said of swap space that runs out.
pub(crate) struct Swap {
    memory: Memory,
    minimum_kib: u32,
    message: String,
}

impl Swap {
    pub(crate) fn new(memory: Memory, minimum_kib: u32) -> Self {
        // The MIB: the error is set when less than the minimum is free. A host without swap space has none to
        // run out of, but managers are used to the error there.
        let is_error = memory.swap_free < u64::from(minimum_kib);
        let message = match is_error {
            true => format!("Running out of swap space ({})", memory.swap_free),
            false => String::new(),
        };
        Swap { memory, minimum_kib, message }
    }

    const fn all_free(&self) -> u64 {
        self.memory.free.saturating_add(self.memory.swap_free)
    }
}

pub(crate) const COLUMNS: &[Column<Swap>] = &[
    // memIndex and memErrorName: bogus, says the MIB.
    Column::new(1, |_| Some(Integer(0))),
    Column::new(2, |_| Some(Octets(b"swap"))),
    Column::new(3, |swap| Some(Integer(capped(swap.memory.swap_total)))),
    Column::new(4, |swap| Some(Integer(capped(swap.memory.swap_free)))),
    Column::new(5, |swap| Some(Integer(capped(swap.memory.total)))),
    Column::new(6, |swap| Some(Integer(capped(swap.memory.free)))),
    Column::new(11, |swap| Some(Integer(capped(swap.all_free())))),
    Column::new(12, |swap| Some(Integer(capped(swap.minimum_kib.into())))),
    Column::new(13, |swap| Some(Integer(capped(swap.memory.shared)))),
    Column::new(14, |swap| Some(Integer(capped(swap.memory.buffers)))),
    Column::new(15, |swap| Some(Integer(capped(swap.memory.cached)))),
    // CounterBasedGauge64.
    Column::new(18, |swap| Some(Counter64(swap.memory.swap_total))),
    Column::new(19, |swap| Some(Counter64(swap.memory.swap_free))),
    Column::new(20, |swap| Some(Counter64(swap.memory.total))),
    Column::new(21, |swap| Some(Counter64(swap.memory.free))),
    Column::new(22, |swap| Some(Counter64(swap.all_free()))),
    Column::new(23, |swap| Some(Counter64(swap.minimum_kib.into()))),
    Column::new(24, |swap| Some(Counter64(swap.memory.shared))),
    Column::new(25, |swap| Some(Counter64(swap.memory.buffers))),
    Column::new(26, |swap| Some(Counter64(swap.memory.cached))),
    Column::new(27, |swap| Some(Counter64(swap.memory.available))),
    Column::new(100, |swap| Some(Integer(i32::from(!swap.message.is_empty())))),
    Column::new(101, |swap| Some(Octets(swap.message.as_bytes()))),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_space_runs_out_below_the_minimum() {
        let with = |swap_free| Swap::new(Memory { swap_free, ..Memory::default() }, 16_000);
        assert_eq!(with(15_999).message, "Running out of swap space (15999)");
        assert_eq!(with(16_000).message, "");
    }
}
