//! The module as the agent asks it: through a proxy, on this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, hosting, set, walk_takes_no_memory};
use kernel_host::{Drive, Mount};
use mib_host::HostState;
use roles::contract::mib::{suite, walk};
use roles::mib::MibAccessProxy;
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{Gauge32, Integer, NoSuchInstance, Octets, Oid, TimeTicks};
use s_sdk::Activity;
use s_sdk::state::State;

const HOST: [u32; 7] = [1, 3, 6, 1, 2, 1, 25];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    hosting(&[("engine", &engine::S_MODULE), ("mib.host", &mib_host::S_MODULE)], test);
}

fn name(rest: &[u32]) -> Vec<u32> {
    [&HOST, rest].concat()
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
}

#[test]
fn this_process_is_among_the_processes() {
    asked(|mib, act| {
        let own = std::process::id();
        let test = std::fs::read_to_string("/proc/self/comm").unwrap();
        get(&mib, act, &name(&[4, 2, 1, 1, own]), |found| {
            assert_eq!(found, Integer(i32::try_from(own).unwrap()));
        });
        get(&mib, act, &name(&[4, 2, 1, 2, own]), |found| {
            let Octets(found) = found else { panic!("{found:?}") };
            assert!(!found.is_empty() && !test.is_empty());
        });
        get(&mib, act, &name(&[5, 1, 1, 2, own]), |found| {
            assert!(matches!(found, Integer(kib) if kib > 0), "{found:?}");
        });
        let rows = walk(&mib, act, &name(&[4, 2, 1, 1])).unwrap().len();
        get(&mib, act, &name(&[1, 6, 0]), |found| {
            assert_eq!(found, Gauge32(u32::try_from(rows).unwrap()));
        });
    });
}

#[test]
fn memory_and_processors_are_what_the_kernel_says() {
    asked(|mib, act| {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
        get(&mib, act, &name(&[2, 2, 0]), |found| assert_eq!(found, Integer(total)));
        get(&mib, act, &name(&[2, 3, 1, 5, 1]), |found| assert_eq!(found, Integer(total)));
        get(&mib, act, &name(&[2, 3, 1, 2, 1]), |found| {
            assert_eq!(found, Oid(&[1, 3, 6, 1, 2, 1, 25, 2, 1, 2]));
        });
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let processors = stat.lines().filter(|line| line.starts_with("cpu")).count() - 1;
        let loads = walk(&mib, act, &name(&[3, 3, 1, 2])).unwrap();
        assert_eq!(loads.len(), processors);
    });
}

#[test]
fn every_interface_is_a_device_and_every_disk_is_as_large_as_the_kernel_says() {
    asked(|mib, act| {
        for link in kernel_net::links().unwrap() {
            let index = (4 << 16) + link.index;
            let if_index = Integer(i32::try_from(link.index).unwrap());
            get(&mib, act, &name(&[3, 4, 1, 1, index]), |found| assert_eq!(found, if_index));
            let descr = [b"network interface ", link.name.as_slice()].concat();
            get(&mib, act, &name(&[3, 2, 1, 3, index]), |found| {
                assert_eq!(found, Octets(&descr));
            });
        }
        let disks = walk(&mib, act, &name(&[3, 6, 1, 4])).unwrap();
        let drives = Drive::all();
        assert_eq!(disks.len(), drives.len());
        for ((at, _), drive) in disks.iter().zip(drives) {
            let size = Integer(i32::try_from(drive.size_kib).unwrap_or(i32::MAX));
            get(&mib, act, at, |found| assert_eq!(found, size));
        }
    });
}

#[test]
fn a_filesystem_leads_to_its_storage() {
    asked(|mib, act| {
        let paths = walk(&mib, act, &name(&[3, 8, 1, 2])).unwrap();
        assert_eq!(paths.len(), Mount::all().len());
        let root = paths.iter().find(|(at, _)| get(&mib, act, at, |found| found == Octets(b"/")));
        let index = *root.unwrap().0.last().unwrap();
        let storage = get(&mib, act, &name(&[3, 8, 1, 7, index]), |found| match found {
            Integer(storage) => u32::try_from(storage).unwrap(),
            other => panic!("{other:?}"),
        });
        let of_root = Mount::all().into_iter().find(|mount| mount.path == "/").unwrap();
        let space = of_root.space().unwrap();
        get(&mib, act, &name(&[2, 3, 1, 3, storage]), |found| assert_eq!(found, Octets(b"/")));
        let size = get(&mib, act, &name(&[2, 3, 1, 5, storage]), |found| match found {
            Integer(size) => u64::try_from(size).unwrap(),
            other => panic!("{other:?}"),
        });
        let unit = get(&mib, act, &name(&[2, 3, 1, 4, storage]), |found| match found {
            Integer(unit) => u64::try_from(unit).unwrap(),
            other => panic!("{other:?}"),
        });
        assert_eq!(size * unit, space.size * space.unit);
    });
}

#[test]
fn installed_software_is_numbered_without_holes() {
    asked(|mib, act| {
        let names = walk(&mib, act, &name(&[6, 3, 1, 2])).unwrap();
        for (at, (found, _)) in (1..).zip(&names) {
            assert_eq!(found.last(), Some(&at));
        }
        let status = std::fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
        let installed = status.lines().filter(|line| *line == "Status: install ok installed");
        assert_eq!(names.len(), installed.count());
        get(&mib, act, &name(&[6, 1, 0]), |found| match names.is_empty() {
            true => assert_eq!(found, NoSuchInstance),
            false => assert!(matches!(found, TimeTicks(at) if at <= 7700), "{found:?}"),
        });
    });
}

#[test]
fn the_state_crosses_a_swap_in_one_version() {
    let numbers = |name: &str| [(name.to_owned(), 7)].into_iter().collect();
    let state = HostState { filesystems: numbers("/"), disks: numbers("vda") };
    let mut octets = Vec::new();
    state.export(1, &mut octets).unwrap();
    let again = HostState::import(1, &octets).unwrap();
    assert_eq!((again.filesystems["/"], again.disks["vda"]), (7, 7));
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, act| {
        let date = binds(&[(&name(&[1, 2, 0]), Octets(b"12345678"))]);
        assert_eq!(set(&mib, act, &date), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 50));
}
