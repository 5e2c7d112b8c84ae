//! /proc/diskstats and /sys/block: disks, their partitions, and what was read and written.

use std::collections::BTreeSet;
use std::fs::read_dir;

/// The kernel counts in sectors of 512 octets, whatever the disk's own are.
const SECTOR: u64 = 512;

/// What was done with a disk or a partition since the host started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name for it.
    pub name: String,
    /// Reads that were completed.
    pub reads: u64,
    /// Octets that were read.
    pub octets_read: u64,
    /// Writes that were completed.
    pub writes: u64,
    /// Octets that were written.
    pub octets_written: u64,
    /// How long it was busy, in milliseconds.
    pub busy_ms: u64,
}

impl Disk {
    /// All of them, in the kernel's order.
    pub fn all() -> Vec<Self> {
        crate::text("/proc/diskstats").lines().filter_map(Self::line).collect()
    }

    /// Major and minor number, name, then counters: Documentation/admin-guide/iostats.rst of the kernel.
    pub(crate) fn line(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(2);
        let name = fields.next()?.to_owned();
        let counters: Vec<u64> = fields.map(|field| field.parse().unwrap_or(0)).collect();
        let counter = |at: usize| counters.get(at).copied();
        Some(Disk {
            name,
            reads: counter(0)?,
            octets_read: counter(2)?.wrapping_mul(SECTOR),
            writes: counter(4)?,
            octets_written: counter(6)?.wrapping_mul(SECTOR),
            busy_ms: counter(9)?,
        })
    }
}

/// A disk as equipment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drive {
    /// The kernel's name for it.
    pub name: String,
    /// What its maker calls it; empty where that is not known.
    pub model: String,
    /// Its size, in kilobytes of 1024 octets.
    pub size_kib: u64,
    /// Nothing can be written there.
    pub is_read_only: bool,
    /// Its medium can be taken out.
    pub is_removable: bool,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A part of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its number on the disk.
    pub number: u32,
    /// The kernel's name for it.
    pub name: String,
    /// Its major and minor number, as `8:1`.
    pub device_number: String,
    /// Its size, in kilobytes of 1024 octets.
    pub size_kib: u64,
}

impl Drive {
    /// All disks with something in them, by name. Loops, memory and what is made of other disks are none.
    pub fn all() -> Vec<Self> {
        let names = names("/sys/block").into_iter().filter(|name| {
            let made_up = ["loop", "ram", "zram", "dm-", "md", "nbd", "drbd"];
            !made_up.iter().any(|kind| name.starts_with(kind))
        });
        names.map(Self::named).filter(|drive| drive.size_kib > 0).collect()
    }

    fn named(name: String) -> Self {
        let folder = format!("/sys/block/{name}");
        let word = |file: &str| crate::text(&format!("{folder}/{file}")).trim().to_owned();
        let parts = names(&folder).into_iter().filter(|part| part.starts_with(&name));
        let partitions = parts.filter_map(|part| {
            let number = word(&format!("{part}/partition")).parse().ok()?;
            let size_kib = kib(&word(&format!("{part}/size")));
            let device_number = word(&format!("{part}/dev"));
            Some(Partition { number, name: part, device_number, size_kib })
        });
        Drive {
            model: word("device/model"),
            size_kib: kib(&word("size")),
            is_read_only: word("ro") == "1",
            is_removable: word("removable") == "1",
            partitions: partitions.collect(),
            name,
        }
    }

    /// Whether a name is that of the disk or of a part of it.
    pub fn has(&self, name: &str) -> bool {
        self.name == name || self.partitions.iter().any(|part| part.name == name)
    }
}

fn kib(sectors: &str) -> u64 {
    sectors.parse::<u64>().unwrap_or(0) / (1024 / SECTOR)
}

fn names(folder: &str) -> BTreeSet<String> {
    let Ok(entries) = read_dir(folder) else { return BTreeSet::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_diskstats_is_taken_apart() {
        let line = " 254 0 vda 17 8 100 73 64 47 200 14 0 461 890 4 9 1 9";
        let disk = Disk::line(line).unwrap();
        assert_eq!((disk.name.as_str(), disk.reads, disk.octets_read), ("vda", 17, 51_200));
        assert_eq!((disk.writes, disk.octets_written, disk.busy_ms), (64, 102_400, 461));
        assert_eq!(Disk::line("254 0 vda 1 2 3"), None);
    }

    #[test]
    fn drives_are_as_large_as_the_kernel_says() {
        for drive in Drive::all() {
            let size = crate::text(&format!("/sys/class/block/{}/size", drive.name));
            assert_eq!(drive.size_kib * 2, size.trim().parse::<u64>().unwrap(), "{drive:?}");
            assert!(drive.has(&drive.name) && !drive.has("none"));
        }
    }
}
