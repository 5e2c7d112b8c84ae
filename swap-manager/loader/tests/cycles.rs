//! Ten thousand lives of a clean module leave nothing behind. Alone in its process, so that nobody else's
//! memory is counted; fewer rounds without optimisation.
#![allow(unsafe_code, reason = "calls the functions of C fixtures")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fixtures;

use s_loader::{Budget, Digest, Loader, Sealed, Unload};
use s_sdk::Buf;

const ROUNDS: u32 = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
const GROWTH_MAX_KIB: u64 = 256;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_lives_leave_nothing_behind() {
    let octets = fixtures::module(&[("AT_SELF_TEST", "free(malloc(5000))")]);
    let digest = Digest::of(&octets);
    let loader = Loader::new(Budget::default());
    let live = || {
        let module = loader.load(Sealed::new("cycles", &octets, Some(digest)).unwrap()).unwrap();
        // SAFETY: this fixture looks at none of its arguments.
        unsafe {
            (module.lifecycle().self_test)(std::ptr::null(), std::ptr::null(), &mut Buf::new())
        };
        assert_eq!(loader.unload(module), Unload::Unloaded);
    };
    // The first rounds fill caches that stay the same size.
    (0..50).for_each(|_| live());
    let before = resident_kib();
    let begun = std::time::Instant::now();
    (0..ROUNDS).for_each(|_| live());
    let grown = resident_kib().saturating_sub(before);
    println!("{ROUNDS} rounds, {:?} each, {grown} KiB more", begun.elapsed() / ROUNDS);
    assert!(grown <= GROWTH_MAX_KIB, "grown by {grown} KiB");
    assert!(!std::fs::read_to_string("/proc/self/maps").unwrap().contains("s-module:"));
    assert!(loader.pinned().is_empty());
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let leaked = open
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|to| to.starts_with("/memfd:"));
    assert_eq!(leaked.count(), 0);
}
