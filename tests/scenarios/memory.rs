//! Many swaps of a clean module leave nothing behind.
//!
//! Alone in its process, because what it measures is the process.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use world::{World, many};

fn residual_maps() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("/memfd:")).count()
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn many_swaps_of_a_clean_module_leave_no_maps_no_files_and_no_memory() {
    let world = World::without_preflight();
    let round = || {
        world.must_swap("counter_v2");
        world.add(1);
        world.must_swap("counter_v1");
    };
    // Allocators and the bounded history reach their size first.
    let warm_up = 150;
    (0..warm_up).for_each(|_| round());
    let (maps, files, memory) = (residual_maps(), open_files(), resident_kib());
    let swaps = many(300) / 2;
    (0..swaps).for_each(|_| round());
    assert_eq!(residual_maps(), maps);
    assert_eq!(open_files(), files);
    let grown = resident_kib().saturating_sub(memory);
    assert!(grown <= 256, "{grown} KiB more after {} swaps", swaps * 2);
    assert!(world.manager.status().pinned.is_empty());
}
