//! hrDevice: processors, network interfaces and disks, with the tables that say more of each.

use crate::{NO_ID, cut};
use kernel_host::disks::Partition;
use kernel_host::{Activity as Doings, Drive, Mount, Numbers};
use kernel_net::Link;
use mib_kit::values::{capped, wrapped};
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Counter32, Integer, Octets, Oid};

const PROCESSOR_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 3];
const NETWORK_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 4];
const DISK_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 6];

// A device's index says what it is, as managers know it from other agents: its type times 65536, then its
// number: from 0 for processors, the ifIndex, our own from 1 for disks.
/// hrDeviceIndex of the first processor.
pub(crate) const PROCESSORS: u32 = 3 << 16;
const NETWORKS: u32 = 4 << 16;
/// hrDeviceIndex of a disk, less its number.
pub(crate) const DISKS: u32 = (6 << 16) - 1;

/// hrDeviceStatus.
const RUNNING: i32 = 2;
const DOWN: i32 = 5;

/// The tables of devices.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) devices: Rows<u32, Device>,
    /// ifIndex.
    pub(crate) networks: Rows<u32, u32>,
    pub(crate) disks: Rows<u32, Drive>,
    pub(crate) partitions: Rows<(u32, u32), Part>,
    /// The number of the disk that the root filesystem is on.
    pub(crate) root_disk: Option<u32>,
}

/// A row of hrDeviceTable.
pub(crate) struct Device {
    index: u32,
    kind: &'static [u32],
    descr: Vec<u8>,
    status: i32,
    errors: Option<u64>,
}

/// A row of hrPartitionTable.
pub(crate) struct Part {
    partition: Partition,
    /// hrFSIndex; 0 where no filesystem of it is mounted.
    filesystem: u32,
}

pub(crate) const COLUMNS: &[Column<Device>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |row| Some(Oid(row.kind))),
    Column::new(3, |row| Some(Octets(cut(&row.descr, 64)))),
    Column::new(4, |_| Some(Oid(NO_ID))),
    Column::new(5, |row| Some(Integer(row.status))),
    Column::new(6, |row| row.errors.map(|errors| Counter32(wrapped(errors)))),
];

pub(crate) const NETWORK: &[Column<u32>] =
    &[Column::new(1, |if_index| Some(Integer(capped((*if_index).into()))))];

pub(crate) const DISK: &[Column<Drive>] = &[
    // readWrite, readOnly.
    Column::new(1, |drive| Some(Integer(if drive.is_read_only { 2 } else { 1 }))),
    // hrDiskStorageMedia: hardDisk, floppyDisk, opticalDiskROM.
    Column::new(2, |drive| {
        Some(Integer(match drive.name.get(..2) {
            Some("sr") => 5,
            Some("fd") => 4,
            _ => 3,
        }))
    }),
    // hrDiskStorageRemoveble, a Boolean: true, false.
    Column::new(3, |drive| Some(Integer(if drive.is_removable { 1 } else { 2 }))),
    Column::new(4, |drive| Some(Integer(capped(drive.size_kib)))),
];

pub(crate) const PARTITION: &[Column<Part>] = &[
    Column::new(1, |row| Some(Integer(capped(row.partition.number.into())))),
    Column::new(2, |row| Some(Octets(cut(row.partition.name.as_bytes(), 128)))),
    Column::new(3, |row| Some(Octets(row.partition.device_number.as_bytes()))),
    Column::new(4, |row| Some(Integer(capped(row.partition.size_kib)))),
    Column::new(5, |row| Some(Integer(capped(row.filesystem.into())))),
];

impl Devices {
    pub(crate) fn look(filesystems: &mut Numbers, disks: &mut Numbers) -> std::io::Result<Self> {
        let mounts = Mount::all();
        filesystems.see(mounts.iter().map(|mount| mount.path.as_str()));
        let drives = Drive::all();
        disks.see(drives.iter().map(|drive| drive.name.as_str()));
        let processors = Doings::now().each.len();
        let processors = (Processor::model(&kernel_host::text("/proc/cpuinfo")), processors);
        Ok(Self::of(processors, &kernel_net::links()?, drives, (&mounts, filesystems, disks)))
    }

    fn of(
        (model, processors): (Vec<u8>, usize),
        links: &[Link],
        drives: Vec<Drive>,
        (mounts, filesystems, disks): (&[Mount], &Numbers, &Numbers),
    ) -> Self {
        let processors = (PROCESSORS..).take(processors).map(|index| Device {
            index,
            kind: PROCESSOR_TYPE,
            descr: model.clone(),
            status: RUNNING,
            errors: None,
        });
        let indexed =
            links.iter().filter_map(|link| Some((NETWORKS.checked_add(link.index)?, link)));
        let networks = indexed.clone().map(|(index, link)| Device {
            index,
            kind: NETWORK_TYPE,
            descr: [b"network interface ", link.name.as_slice()].concat(),
            status: if link.is_wanted_up() { RUNNING } else { DOWN },
            errors: Some(link.counters.rx_errors.wrapping_add(link.counters.tx_errors)),
        });
        let numbered = drives
            .into_iter()
            .filter_map(|drive| Some((DISKS.checked_add(disks.get(&drive.name)?)?, drive)));
        let numbered: Vec<(u32, Drive)> = numbered.collect();
        let of_disks = numbered.iter().map(|(index, drive)| Device {
            index: *index,
            kind: DISK_TYPE,
            descr: match drive.model.as_str() {
                "" => format!("disk {}", drive.name),
                model => format!("{model} ({})", drive.name),
            }
            .into_bytes(),
            status: RUNNING,
            errors: None,
        });
        let devices = processors.chain(networks).chain(of_disks);
        let on_it = |name: &str| {
            let device = format!("/dev/{name}");
            let mount = mounts.iter().find(|mount| mount.device == device);
            mount.and_then(|mount| filesystems.get(&mount.path)).unwrap_or(0)
        };
        let partitions = numbered.iter().flat_map(|(index, drive)| {
            drive.partitions.iter().map(|partition| {
                let filesystem = on_it(&partition.name);
                ((*index, partition.number), Part { partition: partition.clone(), filesystem })
            })
        });
        let root = mounts.iter().find(|mount| mount.path == "/");
        let root = root.and_then(|mount| mount.device.strip_prefix("/dev/"));
        let root_disk = root.and_then(|name| numbered.iter().find(|(_, drive)| drive.has(name)));
        Devices {
            devices: devices.map(|device| (device.index, device)).collect(),
            networks: indexed.map(|(index, link)| (index, link.index)).collect(),
            partitions: partitions.collect(),
            root_disk: root_disk.and_then(|(_, drive)| disks.get(&drive.name)),
            disks: numbered.into_iter().collect(),
        }
    }
}

/// A processor as /proc/cpuinfo describes it.
struct Processor;

impl Processor {
    /// Maker and model; empty where the kernel does not name them.
    fn model(text: &str) -> Vec<u8> {
        let value = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.trim())
        };
        let words = [value("vendor_id"), value("model name")].into_iter().flatten();
        words.collect::<Vec<_>>().join(": ").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_described_by_maker_and_model() {
        let text =
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n";
        assert_eq!(Processor::model(text), b"AuthenticAMD: AMD EPYC");
        assert_eq!(Processor::model("BogoMIPS : 50\n"), b"");
    }

    #[test]
    fn partitions_lead_to_their_filesystems_and_the_root_to_its_disk() {
        let partition = |number| Partition {
            number,
            name: format!("sda{number}"),
            device_number: format!("8:{number}"),
            size_kib: 10,
        };
        let drive = Drive {
            name: "sda".into(),
            partitions: vec![partition(1), partition(2)],
            size_kib: 20,
            ..Drive::default()
        };
        let mount = Mount {
            device: "/dev/sda2".into(),
            path: "/".into(),
            kind: "ext4".into(),
            is_read_only: false,
            is_far: false,
        };
        let (mut filesystems, mut disks) = (Numbers::default(), Numbers::default());
        filesystems.see(["/proc2", "/"]);
        disks.see(["vda", "sda"]);
        let known = (&[mount][..], &filesystems, &disks);
        let seen = Devices::of((b"P".to_vec(), 2), &[], vec![drive], known);
        let found: Vec<_> =
            seen.partitions.iter().map(|(index, row)| (index, row.filesystem)).collect();
        assert_eq!(found, [((DISKS + 2, 1), 0), ((DISKS + 2, 2), 2)]);
        assert_eq!(seen.root_disk, Some(2));
        let indexes: Vec<_> = seen.devices.iter().map(|(index, _)| index).collect();
        assert_eq!(indexes, [PROCESSORS, PROCESSORS + 1, DISKS + 2]);
    }
}
