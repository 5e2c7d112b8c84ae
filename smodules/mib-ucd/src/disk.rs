//! dskTable: filesystems that are looked after; diskIOTable: what was read and written.

use crate::MINIMUM_KIB;
use kernel_host::{Disk, Mount, Numbers, Space};
use mib_kit::values::{capped, wrapped};
use mib_kit::{Column, Rows};
use roles::settings::{UcdSettings, WatchedDisk};
use roles::varbind::VarValue::{Counter32, Counter64, Gauge32, Integer, Octets};

/// A row of dskTable. Sizes are in kilobytes.
pub(crate) struct Watched {
    index: u32,
    path: String,
    device: String,
    minimum_kib: i32,
    minimum_percent: i32,
    total: u64,
    available: u64,
    used: u64,
    percent: u64,
    percent_nodes: u64,
    message: String,
}

pub(crate) const COLUMNS: &[Column<Watched>] = &[
    Column::new(1, |disk| Some(Integer(capped(disk.index.into())))),
    Column::new(2, |disk| Some(Octets(disk.path.as_bytes()))),
    Column::new(3, |disk| Some(Octets(disk.device.as_bytes()))),
    Column::new(4, |disk| Some(Integer(disk.minimum_kib))),
    Column::new(5, |disk| Some(Integer(disk.minimum_percent))),
    Column::new(6, |disk| Some(Integer(capped(disk.total)))),
    Column::new(7, |disk| Some(Integer(capped(disk.available)))),
    Column::new(8, |disk| Some(Integer(capped(disk.used)))),
    Column::new(9, |disk| Some(Integer(capped(disk.percent)))),
    Column::new(10, |disk| Some(Integer(capped(disk.percent_nodes)))),
    Column::new(11, |disk| Some(Gauge32(wrapped(disk.total)))),
    Column::new(12, |disk| Some(Gauge32(wrapped(disk.total >> 32)))),
    Column::new(13, |disk| Some(Gauge32(wrapped(disk.available)))),
    Column::new(14, |disk| Some(Gauge32(wrapped(disk.available >> 32)))),
    Column::new(15, |disk| Some(Gauge32(wrapped(disk.used)))),
    Column::new(16, |disk| Some(Gauge32(wrapped(disk.used >> 32)))),
    Column::new(100, |disk| Some(Integer(i32::from(!disk.message.is_empty())))),
    Column::new(101, |disk| Some(Octets(disk.message.as_bytes()))),
];

/// The filesystems of the settings that are mounted: the named ones under their places in the settings, all
/// others behind them under their own numbers.
pub(crate) fn watched(
    settings: &UcdSettings,
    mounts: &[Mount],
    numbers: &Numbers,
    space: impl Fn(&Mount) -> Option<Space>,
) -> Rows<u32, Watched> {
    let named = (1..).zip(&settings.disks);
    let behind = u32::try_from(settings.disks.len()).unwrap_or(u32::MAX);
    let all = settings.all_disks_percent.map(|percent| {
        let others = mounts
            .iter()
            .filter(|mount| !settings.disks.iter().any(|disk| disk.path == mount.path));
        others.filter_map(move |mount| {
            let disk = WatchedDisk {
                path: mount.path.clone(),
                minimum_kib: None,
                minimum_percent: Some(percent),
            };
            Some((behind.checked_add(numbers.get(&mount.path)?)?, disk))
        })
    });
    let all = named.map(|(index, disk)| (index, disk.clone())).chain(all.into_iter().flatten());
    all.filter_map(|(index, disk)| {
        let mount = mounts.iter().find(|mount| mount.path == disk.path)?;
        Some((index, row(index, &disk, mount, space(mount)?)))
    })
    .collect()
}

fn row(index: u32, disk: &WatchedDisk, mount: &Mount, space: Space) -> Watched {
    let kib = |units: u64| {
        let octets = u128::from(units) * u128::from(space.unit);
        u64::try_from(octets / 1024).unwrap_or(u64::MAX)
    };
    let (minimum_kib, minimum_percent) = match (disk.minimum_kib, disk.minimum_percent) {
        (None, None) => (Some(MINIMUM_KIB), None),
        minimums => minimums,
    };
    let (available, path) = (kib(space.available), &disk.path);
    let free = percent(space.available, space.size);
    let too_little = match (minimum_kib, minimum_percent) {
        (Some(minimum), _) if available < minimum.into() => {
            Some(format!("{path}: less than {minimum} free (= {available})"))
        }
        (_, Some(minimum)) if free < minimum.into() => {
            Some(format!("{path}: less than {minimum}% free (= {free}%)"))
        }
        _ => None,
    };
    // The MIB has no word for "none"; managers know -1.
    let number = |minimum: Option<u32>| minimum.map_or(-1, |minimum| capped(minimum.into()));
    Watched {
        index,
        path: path.clone(),
        device: mount.device.clone(),
        minimum_kib: number(minimum_kib),
        minimum_percent: number(minimum_percent),
        total: kib(space.size),
        available,
        used: kib(space.used),
        percent: percent(space.used, space.size),
        percent_nodes: percent(space.nodes.saturating_sub(space.nodes_free), space.nodes),
        message: too_little.unwrap_or_default(),
    }
}

/// Rounded; 0 of nothing.
fn percent(part: u64, all: u64) -> u64 {
    let (part, all) = (u128::from(part), u128::from(all));
    let rounded = (part * 100 + all / 2).checked_div(all).unwrap_or(0);
    u64::try_from(rounded).unwrap_or(u64::MAX)
}

/// A row of diskIOTable.
pub(crate) struct Io {
    index: u32,
    disk: Disk,
}

pub(crate) const IO_COLUMNS: &[Column<Io>] = &[
    Column::new(1, |io| Some(Integer(capped(io.index.into())))),
    Column::new(2, |io| Some(Octets(io.disk.name.as_bytes()))),
    Column::new(3, |io| Some(Counter32(wrapped(io.disk.octets_read)))),
    Column::new(4, |io| Some(Counter32(wrapped(io.disk.octets_written)))),
    Column::new(5, |io| Some(Counter32(wrapped(io.disk.reads)))),
    Column::new(6, |io| Some(Counter32(wrapped(io.disk.writes)))),
    Column::new(12, |io| Some(Counter64(io.disk.octets_read))),
    Column::new(13, |io| Some(Counter64(io.disk.octets_written))),
    // Microseconds.
    Column::new(14, |io| Some(Counter64(io.disk.busy_ms.wrapping_mul(1000)))),
];

pub(crate) fn io(disks: Vec<Disk>, numbers: &Numbers) -> Rows<u32, Io> {
    let rows = disks.into_iter().filter_map(|disk| {
        let index = numbers.get(&disk.name)?;
        Some((index, Io { index, disk }))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mib_kit::{Mib, Table};

    fn mount(path: &str) -> Mount {
        Mount {
            device: format!("/dev{path}"),
            path: path.to_owned(),
            kind: "ext4".into(),
            is_read_only: false,
            is_far: false,
        }
    }

    const SPACE: Space =
        Space { unit: 4096, size: 1000, used: 900, available: 50, nodes: 10, nodes_free: 5 };

    fn disk(path: &str, minimum_kib: Option<u32>, minimum_percent: Option<u32>) -> WatchedDisk {
        WatchedDisk { path: path.to_owned(), minimum_kib, minimum_percent }
    }

    fn watch(settings: &UcdSettings, mounted: &[&str]) -> Vec<(u32, String, String)> {
        let mounts: Vec<_> = mounted.iter().map(|path| mount(path)).collect();
        let mut numbers = Numbers::default();
        numbers.see(mounted.iter().copied());
        let rows = watched(settings, &mounts, &numbers, |_| Some(SPACE));
        rows.iter().map(|(i, row)| (i, row.path.clone(), row.message.clone())).collect()
    }

    #[test]
    fn named_filesystems_come_first_and_those_not_mounted_not_at_all() {
        let disks = vec![disk("/b", Some(200), None), disk("/gone", None, None)];
        let some = UcdSettings { disks, ..UcdSettings::default() };
        let all = UcdSettings { all_disks_percent: Some(6), ..some.clone() };
        let b = (1, "/b".to_owned(), String::new());
        let a = (3, "/a".to_owned(), "/a: less than 6% free (= 5%)".to_owned());
        assert_eq!(watch(&some, &["/a", "/b"]), std::slice::from_ref(&b));
        assert_eq!(watch(&all, &["/a", "/b"]), [b, a]);
    }

    #[test]
    fn too_little_is_below_the_minimum() {
        let said = |kib, percent| {
            let disks = vec![disk("/", kib, percent)];
            watch(&UcdSettings { disks, ..UcdSettings::default() }, &["/"])[0].2.clone()
        };
        assert_eq!(said(Some(200), None), "");
        assert_eq!(said(Some(201), None), "/: less than 201 free (= 200)");
        assert_eq!(said(None, Some(5)), "");
        assert_eq!(said(None, Some(6)), "/: less than 6% free (= 5%)");
        assert_eq!(said(None, None), "/: less than 100000 free (= 200)");
    }

    #[test]
    fn sizes_beyond_32_bits_are_whole_in_two_halves() {
        let space = Space { unit: 1 << 20, size: 1 << 42, used: (1 << 42) + 3, ..SPACE };
        let row = row(1, &disk("/", None, None), &mount("/"), space);
        let rows: Rows<u32, Watched> = [(1, row)].into_iter().collect();
        let mib: Mib<Rows<u32, Watched>> = Mib::of(&[&[1, 3]])
            .with(Table::new(&[1, 3], COLUMNS, |rows: &Rows<u32, Watched>| rows))
            .made()
            .unwrap();
        let of = |column| mib.value(&rows, &[1, 3, column, 1]);
        assert_eq!(of(6), Integer(i32::MAX));
        assert_eq!((of(11), of(12)), (Gauge32(0), Gauge32(1 << 20)));
        assert_eq!((of(15), of(16)), (Gauge32(3072), Gauge32(1 << 20)));
    }

    #[test]
    fn percents_are_rounded_and_of_nothing_there_are_none() {
        assert_eq!((percent(1, 200), percent(99, 200), percent(0, 0)), (1, 50, 0));
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
    }
}
