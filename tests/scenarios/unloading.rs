//! What is mapped is what was verified, and what is over leaves the process or says why it stays.
//!
//! Guarantee 4, and the evidence-based unloading.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::Request;
use s_transaction::Verdict;
use std::io::{Read, Seek, SeekFrom};
use world::packages::{self, Recipe, package};
use world::{World, eventually};

/// The mappings of sealed modules: start, end, permissions, offset in the file, name.
fn mapped() -> Vec<(u64, u64, String, u64, String)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapping = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let permissions = fields.next()?.to_owned();
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let offset = hex(fields.next()?)?;
        let name = fields.nth(2)?.to_owned();
        name.starts_with("/memfd:").then_some((hex(start)?, hex(end)?, permissions, offset, name))
    };
    maps.lines().filter_map(mapping).collect()
}

#[test]
fn the_code_that_runs_is_octet_by_octet_the_code_that_was_verified() {
    // A fixture that no other test of this process loads; its mappings are told by its content.
    let world = World::with(&[("blob", None)], |_| {});
    world.must_swap("blob_v2");
    let verified = packages::code("blob_v2");
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut compared = 0;
    for (start, end, permissions, offset, _) in mapped() {
        if permissions != "r-xp" {
            continue;
        }
        let mut live = vec![0; usize::try_from(end - start).unwrap()];
        memory.seek(SeekFrom::Start(start)).unwrap();
        memory.read_exact(&mut live).unwrap();
        let from = usize::try_from(offset).unwrap();
        let signed = &verified[from..verified.len().min(from + live.len())];
        if live[..signed.len()] == *signed {
            compared += signed.len();
        }
    }
    assert!(compared > 1000, "no executable mapping holds the signed code");
}

#[test]
fn bytes_that_change_after_the_request_began_are_not_the_bytes_that_run() {
    // The request has its own copy, and the seal is of the admitted bytes: the maker's buffer is nothing.
    let world = World::new();
    let mut bytes = package("counter_v2");
    let request = Request::package(bytes.clone());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let outcome = world.manager.swap(request).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    let status = world.manager.status();
    let expected = s_package::Digest::of(&packages::code("counter_v2")).to_string();
    let origin = status.components[0].origin.clone().unwrap();
    assert!(
        origin.contains(&expected) || expected.contains(origin.trim_start_matches("sha256:")),
        "{origin} {expected}"
    );
    assert!(world.swap_bytes(bytes).is_err_and(|_| true) || world.version("counter") == "2.0.0");
}

#[test]
fn a_clean_module_is_unloaded() {
    let world = World::new();
    world.must_swap("counter_v2");
    world.add(1);
    world.must_swap("counter_v3");
    assert_eq!(world.last_fate(), "unloaded");
    assert!(world.manager.status().pinned.is_empty());
    world.must_swap("counter_v1");
    assert_eq!(world.last_fate(), "unloaded");
}

#[test]
fn a_refused_module_is_unloaded_too() {
    let world = World::without_preflight();
    for fixture in ["votes_no", "panics_in_init", "panics_in_import", "leftover_state"] {
        assert_eq!(world.swap(fixture).verdict, Verdict::Aborted);
        assert_eq!(world.last_fate(), "unloaded", "{fixture}");
    }
}

#[test]
fn thread_local_data_with_a_destructor_pins_until_its_threads_end() {
    let world = World::new();
    world.must_swap("tls_with_drop");
    let runtime = world.runtime;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (called, calling) = std::sync::mpsc::channel();
    let caller = std::thread::spawn(move || {
        use s_tests::roles::Counter;
        let counter: s_tests::roles::CounterProxy = runtime.proxy("counter").unwrap();
        runtime.worker().serve(|act| counter.add(act, 1)).unwrap();
        called.send(()).unwrap();
        let _ = held.recv();
    });
    calling.recv().unwrap();
    world.must_swap("counter_v2");
    assert!(
        world.last_fate().starts_with("pinned: ") && world.last_fate().contains("TLS destructor"),
        "{}",
        world.last_fate()
    );
    assert_eq!(world.manager.status().pinned.len(), 1);
    drop(hold);
    caller.join().unwrap();
    eventually("the thread's end frees the module", || world.manager.status().pinned.is_empty());
}

#[test]
fn a_thread_of_its_own_pins_a_module() {
    let world = World::without_preflight();
    world.must_swap("spawns_a_thread");
    world.must_swap("counter_v2");
    assert_eq!(world.last_fate(), "pinned: a thread that it started still runs");
    let pinned = world.manager.status().pinned;
    assert!(pinned.len() == 1 && pinned[0].contains("1.1.0"), "{pinned:?}");
}

#[test]
fn memory_that_leaks_does_not_pin_a_module() {
    let world = World::new();
    world.must_swap("leaks");
    world.add(1);
    world.must_swap("counter_v2");
    assert_eq!(world.last_fate(), "unloaded");
}

#[test]
fn a_panic_when_it_is_freed_or_ended_does_not_stop_the_swap_away_from_it() {
    for fixture in ["panics_in_drop", "panics_in_term"] {
        let world = World::without_preflight();
        world.must_swap(fixture);
        world.add(4);
        let outcome = world.swap("counter_v2");
        assert_eq!(outcome.verdict, Verdict::Committed, "{fixture}: {outcome}");
        assert_eq!((world.total().version, world.total().total), (2, 4));
    }
}

#[test]
fn the_same_version_can_be_packed_anew_and_swapped_in() {
    // Other bytes under the same version: the dynamic linker must not answer with the old library.
    let world = World::new();
    world.must_swap("counter_v2");
    let facts = Recipe::of("counter_v2").facts;
    let again =
        Recipe { epoch: 1, ..Recipe::from_parts(packages::code("counter_v2"), facts) }.build();
    let outcome = world.swap_bytes(again).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    assert_eq!(world.last_fate(), "unloaded");
}
