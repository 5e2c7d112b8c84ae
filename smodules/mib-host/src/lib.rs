//! HOST-RESOURCES-MIB (RFC 2790): hrSystem, hrStorage, processors among hrDevice, hrSWRun, hrSWRunPerf.
//!
//! A snapshot of all of it is taken when an activity finds the last one too old, and the activity keeps it.
//! It never changes anything of the host. Users, printers, disks and installed software are not answered for.
//!
//! Invariant: a filesystem keeps its hrStorageIndex as long as it is mounted, while the module serves.

mod proc;
mod storage;

use mib_kit::{Cache, Column, Mib, Rows, Scalars, Served, Table, mib_module};
use proc::{Process, Ticks};
use roles::mib::MibError;

use roles::varbind::VarValue::{Gauge32, Integer, Octets, Oid, TimeTicks};
use s_sdk::{Activity, Host, Module, Refusal};
use std::time::Duration;
use storage::Mount;

const HR_SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 1];
const HR_STORAGE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2];
const HR_STORAGE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1];
const HR_DEVICE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1];
const HR_PROCESSOR_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1];
const HR_SW_RUN: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 4];
const HR_SW_RUN_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 4, 2, 1];
const HR_SW_RUN_PERF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 5, 1, 1];

const STORAGE_OTHER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 1];
const STORAGE_RAM: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 2];
const STORAGE_VIRTUAL: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 3];
const STORAGE_FIXED_DISK: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 4];
const DEVICE_PROCESSOR: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 3];
const NO_ID: &[u32] = &[0, 0];

/// A snapshot is good for so long.
const MAX_AGE: Duration = Duration::from_secs(2);
/// RFC 2790: hrProcessorLoad is of the last minute.
const LOAD_OVER: Duration = Duration::from_secs(60);
/// hrStorageIndex of the first filesystem; memory has those below. Managers know both from other agents.
const FIRST_MOUNT: u32 = 31;
/// hrDeviceIndex of the first processor.
const FIRST_PROCESSOR: u32 = 196_608;

/// A row of hrStorageTable.
struct Storage {
    index: u32,
    kind: &'static [u32],
    descr: String,
    unit: u64,
    size: u64,
    used: u64,
}

/// A row of hrDeviceTable and hrProcessorTable.
struct Processor {
    index: u32,
    model: Vec<u8>,
    load_percent: i32,
}

/// All of it at one time.
pub struct View {
    uptime: u64,
    date: [u8; 11],
    parameters: Vec<u8>,
    max_processes: i32,
    memory_kib: u64,
    storage: Rows<u32, Storage>,
    processors: Rows<u32, Processor>,
    processes: Rows<u32, Process>,
    /// What loads are reckoned from: when, and each processor's ticks then.
    samples: Vec<(Duration, Vec<Ticks>)>,
}

const SYSTEM: &[Column<View>] = &[
    Column::new(1, |view| Some(TimeTicks(wrapped(view.uptime)))),
    Column::new(2, |view| Some(Octets(&view.date))),
    Column::new(4, |view| Some(Octets(cut(&view.parameters, 128)))),
    Column::new(6, |view| Some(Gauge32(capped(view.processes.len() as u64).cast_unsigned()))),
    Column::new(7, |view| Some(Integer(view.max_processes))),
];

const MEMORY: &[Column<View>] = &[Column::new(2, |view| Some(Integer(capped(view.memory_kib))))];

const STORAGE: &[Column<Storage>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |row| Some(Oid(row.kind))),
    Column::new(3, |row| Some(Octets(cut(row.descr.as_bytes(), 255)))),
    Column::new(4, |row| Some(Integer(capped(row.scaled().0)))),
    Column::new(5, |row| Some(Integer(capped(row.scaled().1)))),
    Column::new(6, |row| Some(Integer(capped(row.scaled().2)))),
];

const DEVICE: &[Column<Processor>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |_| Some(Oid(DEVICE_PROCESSOR))),
    Column::new(3, |row| Some(Octets(cut(&row.model, 64)))),
    Column::new(4, |_| Some(Oid(NO_ID))),
    // hrDeviceStatus: running.
    Column::new(5, |_| Some(Integer(2))),
];

const PROCESSOR: &[Column<Processor>] =
    &[Column::new(1, |_| Some(Oid(NO_ID))), Column::new(2, |row| Some(Integer(row.load_percent)))];

const RUN: &[Column<Process>] = &[
    Column::new(1, |row| Some(Integer(capped(row.pid.into())))),
    Column::new(2, |row| Some(Octets(cut(&row.name, 64)))),
    Column::new(3, |_| Some(Oid(NO_ID))),
    Column::new(4, |row| Some(Octets(cut(&row.path, 128)))),
    Column::new(5, |row| Some(Octets(cut(&row.parameters, 128)))),
    // hrSWRunType: operatingSystem or application.
    Column::new(6, |row| Some(Integer(if row.is_kernel { 2 } else { 4 }))),
    // hrSWRunStatus: running, runnable, notRunnable, invalid.
    Column::new(7, |row| {
        Some(Integer(match row.state {
            b'R' => 1,
            b'S' | b'I' => 2,
            b'Z' | b'X' => 4,
            _ => 3,
        }))
    }),
];

const RUN_PERF: &[Column<Process>] = &[
    Column::new(1, |row| Some(Integer(capped(row.cpu)))),
    Column::new(2, |row| Some(Integer(capped(row.memory_kib)))),
];

/// An INTEGER: at most 2147483647.
fn capped(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// TimeTicks wrap.
#[expect(clippy::cast_possible_truncation, reason = "TimeTicks wrap (RFC 2578 §7.1.8)")]
const fn wrapped(ticks: u64) -> u32 {
    ticks as u32
}

fn cut(octets: &[u8], len: usize) -> &[u8] {
    &octets[..octets.len().min(len)]
}

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

/// The module.
pub struct HostMib {
    host: Host,
    mib: Mib<View>,
    cache: Cache<View>,
}

mib_module!(
    HostMib,
    component = "mib.host",
    version = "1.0.0",
    annotation = "RFC 2790: system, storage, processors, processes"
);

impl Module for HostMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(HostMib {
            host,
            mib: Mib::of(&[&[1, 3, 6, 1, 2, 1, 25]])
                .described(&[(
                    &[1, 3, 6, 1, 2, 1, 25, 7, 1],
                    "The MIB module for managing host systems",
                )])
                .with(Scalars::new(HR_SYSTEM, SYSTEM, |view: &View| view))
                .with(Scalars::new(HR_STORAGE, MEMORY, |view: &View| view))
                .with(Table::new(HR_STORAGE_ENTRY, STORAGE, |view: &View| &view.storage))
                .with(Table::new(HR_DEVICE_ENTRY, DEVICE, |view: &View| &view.processors))
                .with(Table::new(HR_PROCESSOR_ENTRY, PROCESSOR, |view: &View| &view.processors))
                .with(Scalars::new(HR_SW_RUN, OS_INDEX, |view: &View| view))
                .with(Table::new(HR_SW_RUN_ENTRY, RUN, |view: &View| &view.processes))
                .with(Table::new(HR_SW_RUN_PERF_ENTRY, RUN_PERF, |view: &View| &view.processes))
                .made()?,
            cache: Cache::new(MAX_AGE),
        })
    }
}

/// hrSWOSIndex: the first process, which the kernel started.
const OS_INDEX: &[Column<View>] = &[Column::new(1, |_| Some(Integer(1)))];

impl Served for HostMib {
    type View = View;
    type State = ();

    fn mib(&self) -> &Mib<View> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        let now = || self.host.now();
        let read = |last: Option<&View>| {
            Ok::<_, MibError>(View::new(last, self.host.now(), self.host.wall_clock()))
        };
        answer(&*self.cache.of(act, now, read)?)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl View {
    fn new(last: Option<&View>, now: Duration, wall_clock: Duration) -> Self {
        let memory = proc::memory();
        let ticks = proc::processors();
        let mut samples = last.map_or(vec![], |last| last.samples.clone());
        // The oldest that is a minute old stays, so that there is always one to reckon from.
        while samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= LOAD_OVER) {
            samples.remove(0);
        }
        let model = proc::processor_model();
        let oldest = samples.first().map(|(_, ticks)| ticks.clone()).unwrap_or_default();
        let processors = (0..).zip(&ticks).map(|(at, ticks)| {
            let from = oldest.get(at as usize).copied().unwrap_or_default();
            let index = FIRST_PROCESSOR + at;
            (index, Processor { index, model: model.clone(), load_percent: load(from, *ticks) })
        });
        let processors = processors.collect();
        samples.push((now, ticks));
        let parameters = std::fs::read("/proc/cmdline").unwrap_or_default();
        let pid_max = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
        View {
            uptime: proc::uptime(),
            date: date_and_time(wall_clock.as_secs()),
            parameters: parameters.trim_ascii_end().to_vec(),
            max_processes: pid_max.trim().parse().unwrap_or(0),
            memory_kib: memory.total,
            storage: stored(memory, storage::mounts(), last.map(|last| &last.storage)),
            processors,
            processes: proc::processes()
                .into_iter()
                .map(|process| (process.pid, process))
                .collect(),
            samples,
        }
    }
}

/// How busy a processor was between two times, in percent.
fn load(from: Ticks, to: Ticks) -> i32 {
    let (busy, all) = (to.busy.saturating_sub(from.busy), to.all.saturating_sub(from.all));
    capped((busy * 100).checked_div(all).unwrap_or(0)).min(100)
}

/// Memory under the indexes that managers know, then filesystems under theirs.
fn stored(
    memory: proc::Memory,
    mounts: Vec<Mount>,
    last: Option<&Rows<u32, Storage>>,
) -> Rows<u32, Storage> {
    let (total, swap) = (memory.total, memory.swap_total);
    let used = total.saturating_sub(memory.free);
    let swapped = swap.saturating_sub(memory.swap_free);
    let of_memory = [
        (1, STORAGE_RAM, "Physical memory", total, used),
        (3, STORAGE_VIRTUAL, "Virtual memory", total + swap, used + swapped),
        (6, STORAGE_OTHER, "Memory buffers", total, memory.buffers),
        (7, STORAGE_OTHER, "Cached memory", memory.cached, memory.cached),
        (10, STORAGE_VIRTUAL, "Swap space", swap, swapped),
    ];
    let of_memory = of_memory.map(|(index, kind, descr, size, used)| {
        (index, Storage { index, kind, descr: descr.to_owned(), unit: 1024, size, used })
    });
    let known = |path: &str| {
        last?.iter().find(|(i, row)| *i >= FIRST_MOUNT && row.descr == path).map(|(i, _)| i)
    };
    let highest = last.and_then(|last| last.iter().map(|(index, _)| index).max()).unwrap_or(0);
    let mut fresh = (highest + 1).max(FIRST_MOUNT)..;
    let mounted: Vec<_> = mounts
        .into_iter()
        .filter_map(|Mount { path, unit, size, used }| {
            let index = known(&path).or_else(|| fresh.next())?;
            let kind = STORAGE_FIXED_DISK;
            Some((index, Storage { index, kind, descr: path, unit, size, used }))
        })
        .collect();
    of_memory.into_iter().chain(mounted).collect()
}

/// DateAndTime (RFC 2579) in UTC, from seconds since 1970.
fn date_and_time(seconds: u64) -> [u8; 11] {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted in eras of 400 years that begin on the first of March, when a leap day comes last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let octet = |number: u64| u8::try_from(number).unwrap_or(0);
    let [high, low] = u16::try_from(year).unwrap_or(0).to_be_bytes();
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    [high, low, octet(month), octet(day), octet(hour), octet(minute), octet(second), 0, b'+', 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, [1970, 1, 1, 0, 0, 0]),
            (951_782_400, [2000, 2, 29, 0, 0, 0]),
            (951_868_799, [2000, 2, 29, 23, 59, 59]),
            (1_735_689_599, [2024, 12, 31, 23, 59, 59]),
            (4_107_542_400, [2100, 3, 1, 0, 0, 0]),
        ] {
            let made = date_and_time(seconds);
            let year = u16::from_be_bytes([made[0], made[1]]);
            let rest = [made[2], made[3], made[4], made[5], made[6]].map(u16::from);
            assert_eq!((year, rest.as_slice()), (date[0], &date[1..]), "{seconds}");
        }
    }

    #[test]
    fn a_size_that_does_not_fit_is_told_in_larger_units() {
        let storage = |size| Storage {
            index: 31,
            kind: STORAGE_FIXED_DISK,
            descr: String::new(),
            unit: 4096,
            size,
            used: size / 2,
        };
        assert_eq!(storage(1000).scaled(), (4096, 1000, 500));
        assert_eq!(storage(1 << 33).scaled(), (4096 << 3, 1 << 30, 1 << 29));
    }

    #[test]
    fn a_filesystem_keeps_its_index_and_a_new_one_gets_one_that_none_had() {
        let mount = |path: &str| Mount { path: path.to_owned(), unit: 1, size: 2, used: 1 };
        let indexes = |rows: &Rows<u32, Storage>| -> Vec<(u32, String)> {
            let mounts = rows.iter().filter(|(index, _)| *index >= FIRST_MOUNT);
            mounts.map(|(index, row)| (index, row.descr.clone())).collect()
        };
        let none = proc::Memory::default();
        let first = stored(none, vec![mount("/"), mount("/a")], None);
        let second = stored(none, vec![mount("/b"), mount("/a")], Some(&first));
        assert_eq!(indexes(&second), [(32, "/a".to_owned()), (33, "/b".to_owned())]);
    }

    #[test]
    fn a_load_is_of_the_time_between() {
        let at = |busy, all| Ticks { busy, all };
        assert_eq!(load(at(10, 100), at(35, 200)), 25);
        assert_eq!(load(at(10, 100), at(10, 100)), 0);
        assert_eq!(load(at(0, 0), at(50, 50)), 100);
    }
}
