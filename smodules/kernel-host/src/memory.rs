//! /proc/meminfo.

/// What it says, in kilobytes of 1024 octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What nobody uses.
    pub free: u64,
    /// What could be used without swapping: free, and what can be given up.
    pub available: u64,
    /// Raw blocks of disks.
    pub buffers: u64,
    /// Pages of files, and kernel objects that can be given up.
    pub cached: u64,
    /// Shared between processes: tmpfs is part of it.
    pub shared: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Swap space that nobody uses.
    pub swap_free: u64,
}

impl Memory {
    /// What there is now.
    pub fn now() -> Self {
        Self::parsed(&crate::text("/proc/meminfo"))
    }

    pub(crate) fn parsed(text: &str) -> Self {
        let mut memory = Memory::default();
        for line in text.lines() {
            let Some((key, rest)) = line.split_once(':') else { continue };
            let kib = rest.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            let kib = kib.unwrap_or(0);
            match key {
                "MemTotal" => memory.total = kib,
                "MemFree" => memory.free = kib,
                "MemAvailable" => memory.available = kib,
                "Buffers" => memory.buffers = kib,
                "Cached" | "SReclaimable" => memory.cached = memory.cached.saturating_add(kib),
                "Shmem" => memory.shared = kib,
                "SwapTotal" => memory.swap_total = kib,
                "SwapFree" => memory.swap_free = kib,
                _ => {}
            }
        }
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_their_keys() {
        let memory = Memory::parsed(
            "MemTotal: 24 kB\nMemFree:\t 15 kB\nCached: 7 kB\nSwapCached: 9 kB\nSReclaimable: 2 kB\nx\n",
        );
        let expected = Memory { total: 24, free: 15, cached: 9, ..Memory::default() };
        assert_eq!(memory, expected);
        assert_eq!(Memory::parsed(""), Memory::default());
    }

    #[test]
    fn this_host_has_memory() {
        let memory = Memory::now();
        assert!(memory.total > memory.free && memory.free > 0, "{memory:?}");
    }
}
