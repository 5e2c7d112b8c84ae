//! UCD-SNMP-MIB: memory, filesystems that are looked after, load, what processors and disks have done; and
//! UCD-DISKIO-MIB. None is a standard, but this is what monitoring asks a Linux host for.
//!
//! It never repairs, runs or restarts anything, so prErrFix, extTable and versionRestartAgent are not here.
//! Settings say what is looked after and from where on something is an error.
//!
//! Invariant: a filesystem or disk keeps its index as long as it is there, over swaps too.

mod disk;
mod load;
mod memory;
mod stats;

use disk::{Io, Watched};
use kernel_host::{Activity as Doings, Disk, Memory, Mount, Numbers};
use load::Load;
use mib_kit::{Cache, Column, Mib, Rows, Scalars, Served, Table, locked, mib_module};
use roles::mib::MibError;
use roles::settings::{self, Settings, UcdSettings};
use roles::varbind::VarValue::{Integer, Octets};
use s_sdk::{Activity, Buf, CallError, CarriesState, Host, Module, Refusal, State};
use stats::Rates;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const UCD: &[u32] = &[1, 3, 6, 1, 4, 1, 2021];
const MEMORY: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 4];
const DISK_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 9, 1];
const LOAD_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 10, 1];
const SYSTEM_STATS: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 11];
const DISK_IO_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 13, 15, 1, 1];
const VERSION: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 100];

/// A snapshot is good for so long.
const MAX_AGE: Duration = Duration::from_secs(2);
/// A filesystem without a minimum of its own is to have so much free, in kilobytes.
const MINIMUM_KIB: u32 = 100_000;

/// All of it at one time.
pub struct View {
    /// What it was made by.
    settings: Arc<UcdSettings>,
    memory: memory::Swap,
    disks: Rows<u32, Watched>,
    loads: Rows<u32, Load>,
    doings: Doings,
    rates: Rates,
    disk_io: Rows<u32, Io>,
}

const VERSION_COLUMNS: &[Column<View>] = &[
    Column::new(1, |_| Some(Integer(1))),
    Column::new(2, |_| Some(Octets(env!("CARGO_PKG_VERSION").as_bytes()))),
];

/// What is configured and what has a number: changed seldom, and together.
#[derive(Clone, Default)]
struct Kept {
    settings: Arc<UcdSettings>,
    /// Filesystems by path, disks by name.
    filesystems: Numbers,
    disks: Numbers,
}

/// The module.
pub struct UcdMib {
    host: Host,
    mib: Mib<View>,
    cache: Cache<View>,
    kept: Mutex<Kept>,
}

mib_module!(
    UcdMib,
    component = "mib.ucd",
    version = "1.0.0",
    annotation = "UCD-SNMP-MIB: memory, disks, load, systemStats; UCD-DISKIO-MIB",
    also(Settings),
    carries_state
);

impl Module for UcdMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(UcdMib {
            host,
            mib: Mib::of(&[
                MEMORY,
                &[1, 3, 6, 1, 4, 1, 2021, 9],
                &[1, 3, 6, 1, 4, 1, 2021, 10],
                SYSTEM_STATS,
                &[1, 3, 6, 1, 4, 1, 2021, 13, 15],
                VERSION,
            ])
            .described(&[(UCD, "The UCD-SNMP-MIB: memory, disks, load and system statistics")])
            .with(Scalars::new(MEMORY, memory::COLUMNS, |view: &View| &view.memory))
            .with(Table::new(DISK_ENTRY, disk::COLUMNS, |view: &View| &view.disks))
            .with(Table::new(LOAD_ENTRY, load::COLUMNS, |view: &View| &view.loads))
            .with(Scalars::new(SYSTEM_STATS, stats::RATES, |view: &View| &view.rates))
            .with(Scalars::new(SYSTEM_STATS, stats::COUNTERS, |view: &View| &view.doings))
            .with(Table::new(DISK_IO_ENTRY, disk::IO_COLUMNS, |view: &View| &view.disk_io))
            .with(Scalars::new(VERSION, VERSION_COLUMNS, |view: &View| view))
            .made()?,
            cache: Cache::new(MAX_AGE),
            kept: Mutex::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::settings::harmless(self, act)?)
    }
}

impl Served for UcdMib {
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
        let read = |last: Option<&View>| Ok::<_, MibError>(self.read(last));
        let mut view = self.cache.of(act, now, read)?;
        // What was read under other settings is not good any more.
        if !Arc::ptr_eq(&view.settings, &locked(&self.kept).settings) {
            self.cache.forget();
            view = self.cache.of(act, now, read)?;
        }
        answer(&view)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl UcdMib {
    fn read(&self, last: Option<&View>) -> View {
        let (mounts, disks) = (Mount::all(), Disk::all());
        let Kept { settings, filesystems, disks: numbers } = {
            let mut kept = locked(&self.kept);
            kept.filesystems.see(mounts.iter().map(|mount| mount.path.as_str()));
            kept.disks.see(disks.iter().map(|disk| disk.name.as_str()));
            kept.clone()
        };
        let doings = Doings::now();
        View {
            memory: memory::Swap::new(Memory::now(), settings.minimum_swap_kib),
            disks: disk::watched(&settings, &mounts, &filesystems, Mount::space),
            loads: load::loads(kernel_host::processors::load_averages(), settings.load_limits),
            rates: Rates::new(last.map(|last| &last.rates), self.host.now(), &doings),
            doings,
            disk_io: disk::io(disks, &numbers),
            settings,
        }
    }

    fn configure(&self, settings: UcdSettings) {
        locked(&self.kept).settings = Arc::new(settings);
    }
}

impl Settings for UcdMib {
    fn check(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        settings::report(&checked(document), problems)
    }

    fn apply(
        &self,
        _act: &Activity,
        document: &[u8],
        problems: &mut Buf,
    ) -> Result<u32, CallError> {
        let checked = checked(document);
        let count = settings::report(&checked, problems)?;
        if let Ok(settings) = checked {
            self.configure(settings);
        }
        Ok(count)
    }
}

/// The settings, or a line for each problem.
fn checked(document: &[u8]) -> Result<UcdSettings, Vec<String>> {
    let settings: UcdSettings = settings::read(document).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    for (at, disk) in settings.disks.iter().enumerate() {
        let path = &disk.path;
        if !path.starts_with('/') {
            problems.push(format!("disk `{path}` is no path; write where it is mounted, from `/`"));
        }
        if settings.disks[..at].iter().any(|other| other.path == *path) {
            problems.push(format!("disk `{path}` is there twice; remove one"));
        }
        if disk.minimum_kib.is_some() && disk.minimum_percent.is_some() {
            problems.push(format!("disk `{path}` has two minimums; give one"));
        }
    }
    let percents = settings.disks.iter().filter_map(|disk| disk.minimum_percent);
    if percents.chain(settings.all_disks_percent).any(|percent| percent > 100) {
        problems.push("a minimum is above 100 percent; give 0 to 100".to_owned());
    }
    let kilobytes = settings.disks.iter().filter_map(|disk| disk.minimum_kib);
    let mut kilobytes = kilobytes.chain([settings.minimum_swap_kib]);
    if kilobytes.any(|kib| i32::try_from(kib).is_err()) {
        problems.push("a minimum is above 2147483647 kilobytes; give less".to_owned());
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "mib-ucd", version = 1)]
pub struct UcdState {
    /// The settings in force, as their document.
    pub settings: Vec<u8>,
    /// The numbers of filesystems, by path.
    pub filesystems: BTreeMap<String, u32>,
    /// The numbers of disks, by name.
    pub disks: BTreeMap<String, u32>,
}

impl CarriesState for UcdMib {
    type State = UcdState;

    fn export(&self) -> UcdState {
        let kept = locked(&self.kept);
        UcdState {
            settings: settings::write(&*kept.settings),
            filesystems: kept.filesystems.by_name().clone(),
            disks: kept.disks.by_name().clone(),
        }
    }

    fn import(&self, state: UcdState) -> Result<(), Refusal> {
        let settings = settings::read(&state.settings)?;
        {
            let mut kept = locked(&self.kept);
            kept.filesystems = Numbers::restored(state.filesystems);
            kept.disks = Numbers::restored(state.disks);
        }
        self.configure(settings);
        Ok(())
    }
}
