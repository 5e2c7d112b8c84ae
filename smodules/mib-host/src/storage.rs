//! hrStorageTable and hrFSTable: memory, filesystems, and how full they are.
//!
//! Memory is found under the indexes that managers know from other agents, filesystems behind them.

use crate::cut;
use crate::date::UNKNOWN;
use crate::system::System;
use kernel_host::{Memory, Mount, Numbers, Space};
use mib_kit::values::capped;
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Integer, Octets, Oid};

const OTHER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 1];
const RAM: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 2];
const VIRTUAL: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 3];
const FIXED_DISK: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 4];
const COMPACT_DISC: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 7];
const RAM_DISK: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 8];

/// A filesystem's hrStorageIndex is so much above its hrFSIndex.
const MOUNTS: u32 = 30;

/// Both tables.
#[derive(Default)]
pub(crate) struct Filesystems {
    pub(crate) storage: Rows<u32, Storage>,
    pub(crate) filesystems: Rows<u32, Filesystem>,
}

/// A row of hrStorageTable.
pub(crate) struct Storage {
    index: u32,
    kind: &'static [u32],
    descr: String,
    unit: u64,
    size: u64,
    used: u64,
}

/// A row of hrFSTable.
pub(crate) struct Filesystem {
    index: u32,
    mount: Mount,
    kind: [u32; 10],
    /// 0 where it is not known how full it is.
    storage: u32,
}

pub(crate) const MEMORY: &[Column<System>] =
    &[Column::new(2, |system| Some(Integer(capped(system.memory_kib))))];

pub(crate) const COLUMNS: &[Column<Storage>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |row| Some(Oid(row.kind))),
    Column::new(3, |row| Some(Octets(cut(row.descr.as_bytes(), 255)))),
    Column::new(4, |row| Some(Integer(capped(row.scaled().0)))),
    Column::new(5, |row| Some(Integer(capped(row.scaled().1)))),
    Column::new(6, |row| Some(Integer(capped(row.scaled().2)))),
    // The kernel does not count hrStorageAllocationFailures.
];

pub(crate) const FILESYSTEM: &[Column<Filesystem>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |row| Some(Octets(cut(row.mount.path.as_bytes(), 128)))),
    // Where it is, on the host that it belongs to; empty for our own.
    Column::new(3, |row| {
        let device = row.mount.device.as_bytes();
        Some(Octets(if row.mount.is_far { cut(device, 128) } else { b"" }))
    }),
    Column::new(4, |row| Some(Oid(&row.kind))),
    // readWrite, readOnly.
    Column::new(5, |row| Some(Integer(if row.mount.is_read_only { 2 } else { 1 }))),
    // hrFSBootable, a Boolean: true, false.
    Column::new(6, |row| Some(Integer(if row.mount.path == "/" { 1 } else { 2 }))),
    Column::new(7, |row| Some(Integer(capped(row.storage.into())))),
    Column::new(8, |_| Some(Octets(UNKNOWN))),
    Column::new(9, |_| Some(Octets(UNKNOWN))),
];

impl Storage {
    /// Unit, size and used; in larger units where the size would not fit.
    fn scaled(&self) -> (u64, u64, u64) {
        let mut shift = 0;
        while self.size >> shift > i32::MAX.cast_unsigned().into() {
            shift += 1;
        }
        (self.unit << shift, self.size >> shift, self.used >> shift)
    }
}

impl Filesystems {
    pub(crate) fn look(numbers: &mut Numbers) -> Self {
        Self::of(Memory::now(), Mount::all(), numbers, Mount::space)
    }

    fn of(
        memory: Memory,
        mounts: Vec<Mount>,
        numbers: &mut Numbers,
        space: impl Fn(&Mount) -> Option<Space>,
    ) -> Self {
        numbers.see(mounts.iter().map(|mount| mount.path.as_str()));
        let numbered = mounts.into_iter().filter_map(|mount| {
            let index = numbers.get(&mount.path)?;
            Some((index, index.checked_add(MOUNTS)?, space(&mount), mount))
        });
        let numbered: Vec<_> = numbered.collect();
        let stored = numbered.iter().filter_map(|(_, index, space, mount)| {
            let Space { unit, size, used, .. } = (*space)?;
            let (index, kind, descr) = (*index, stored_as(&mount.kind), mount.path.clone());
            Some((index, Storage { index, kind, descr, unit, size, used }))
        });
        let storage = of_memory(memory).into_iter().chain(stored).collect();
        let filesystems = numbered.into_iter().map(|(index, storage, space, mount)| {
            let kind = kind_of(&mount.kind);
            let storage = space.map_or(0, |_| storage);
            (index, Filesystem { index, mount, kind, storage })
        });
        Filesystems { storage, filesystems: filesystems.collect() }
    }
}

/// Memory under the indexes that managers know.
fn of_memory(memory: Memory) -> [(u32, Storage); 7] {
    let (total, swap) = (memory.total, memory.swap_total);
    let used = total.saturating_sub(memory.free);
    let swapped = swap.saturating_sub(memory.swap_free);
    let both = (total.saturating_add(swap), used.saturating_add(swapped));
    [
        (1, RAM, "Physical memory", total, used),
        (3, VIRTUAL, "Virtual memory", both.0, both.1),
        (6, OTHER, "Memory buffers", total, memory.buffers),
        (7, OTHER, "Cached memory", memory.cached, memory.cached),
        (8, OTHER, "Shared memory", memory.shared, memory.shared),
        (10, VIRTUAL, "Swap space", swap, swapped),
        (11, OTHER, "Available memory", memory.available, 0),
    ]
    .map(|(index, kind, descr, size, used)| {
        (index, Storage { index, kind, descr: descr.to_owned(), unit: 1024, size, used })
    })
}

fn stored_as(kind: &str) -> &'static [u32] {
    match kind {
        "tmpfs" => RAM_DISK,
        "iso9660" | "udf" => COMPACT_DISC,
        _ => FIXED_DISK,
    }
}

/// hrFSTypes of HOST-RESOURCES-TYPES.
fn kind_of(kind: &str) -> [u32; 10] {
    let last = match kind {
        "ufs" => 3,
        "sysv" => 4,
        "msdos" => 5,
        "hpfs" => 6,
        "hfs" | "hfsplus" => 7,
        "ntfs" | "ntfs3" => 9,
        "xfs" | "jfs" | "btrfs" | "reiserfs" | "f2fs" | "zfs" => 11,
        "iso9660" => 12,
        "afs" => 16,
        "vfat" => 22,
        "ext2" | "ext3" | "ext4" => 23,
        _ if kind.starts_with("nfs") => 14,
        // hrFSOther.
        _ => 1,
    };
    [1, 3, 6, 1, 2, 1, 25, 3, 9, last]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, kind: &str, is_far: bool) -> Mount {
        let (device, path, kind) = (format!("dev{path}"), path.to_owned(), kind.to_owned());
        Mount { device, path, kind, is_read_only: false, is_far }
    }

    #[test]
    fn a_size_that_does_not_fit_is_told_in_larger_units() {
        let storage = |size| Storage {
            index: 31,
            kind: FIXED_DISK,
            descr: String::new(),
            unit: 4096,
            size,
            used: size / 2,
        };
        assert_eq!(storage(1000).scaled(), (4096, 1000, 500));
        assert_eq!(storage(1 << 33).scaled(), (4096 << 3, 1 << 30, 1 << 29));
    }

    #[test]
    fn a_filesystem_keeps_its_index_and_one_of_another_host_is_listed_without_a_size() {
        let mut numbers = Numbers::default();
        let space = Space { unit: 1, size: 2, used: 1, ..Space::default() };
        let look = |numbers: &mut Numbers, mounts| {
            let seen = Filesystems::of(Memory::default(), mounts, numbers, |mount: &Mount| {
                (!mount.is_far).then_some(space)
            });
            let filesystems = seen.filesystems.iter();
            let filesystems: Vec<_> = filesystems
                .map(|(index, row)| (index, row.mount.path.clone(), row.storage))
                .collect();
            let stored = seen.storage.iter().filter(|(index, _)| *index > MOUNTS);
            let stored: Vec<_> = stored.map(|(index, row)| (index, row.descr.clone())).collect();
            (filesystems, stored)
        };
        look(&mut numbers, vec![mount("/", "ext4", false), mount("/a", "xfs", false)]);
        let mounts =
            vec![mount("/n", "nfs4", true), mount("/b", "tmpfs", false), mount("/a", "xfs", false)];
        let (filesystems, stored) = look(&mut numbers, mounts);
        let row = |index, path: &str, storage| (index, path.to_owned(), storage);
        assert_eq!(filesystems, [row(2, "/a", 32), row(3, "/n", 0), row(4, "/b", 34)]);
        assert_eq!(stored, [(32, "/a".to_owned()), (34, "/b".to_owned())]);
    }

    #[test]
    fn kinds_are_those_of_the_types_mib() {
        let last = |kind| kind_of(kind)[9];
        assert_eq!((last("ext4"), last("nfs4"), last("tmpfs"), last("vfat")), (23, 14, 1, 22));
    }
}
