//! HOST-RESOURCES-MIB (RFC 2790): hrSystem, hrStorage, hrDevice, hrSWRun, hrSWRunPerf, hrSWInstalled.
//!
//! Each table is a part of the view: read when somebody first looks at it, good for its own time, and the
//! same for an activity to its end. It never changes anything of the host, and never asks a filesystem of
//! another host how full it is. Printers, tapes and the like are not answered for.
//!
//! Invariant: a filesystem or disk keeps its index as long as it is there, over swaps too.

mod date;
mod device;
mod run;
mod software;
mod storage;
mod system;

use device::Devices;
use kernel_host::Numbers;
use mib_kit::{Cache, Mib, Part, Rows, Scalars, Served, Source, Table, locked, mib_module};
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use run::Process;
use s_sdk::{Activity, CarriesState, Host, Module, Refusal, State};
use software::Software;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::Filesystems;
use system::System;

const HR_SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 1];
const HR_STORAGE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2];
const HR_STORAGE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1];
const HR_DEVICE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1];
const HR_PROCESSOR_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1];
const HR_NETWORK_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 4, 1];
const HR_DISK_STORAGE_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 6, 1];
const HR_PARTITION_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 7, 1];
const HR_FS_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 8, 1];
const HR_SW_RUN: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 4];
const HR_SW_RUN_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 4, 2, 1];
const HR_SW_RUN_PERF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 5, 1, 1];
const HR_SW_INSTALLED: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 6];
const HR_SW_INSTALLED_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 6, 3, 1];

/// A product that has no name in the tree: zeroDotZero.
const NO_ID: &[u32] = &[0, 0];

/// A view is good for so long, and so are the tables that move all the time.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Filesystems and devices come and go slowly.
const SLOW_MAX_AGE: Duration = Duration::from_secs(5);
/// Software is looked at again so seldom, and read again when it was changed.
const SOFTWARE_MAX_AGE: Duration = Duration::from_secs(30);

/// All of it at one time.
pub struct View {
    system: System,
    filesystems: Part<Filesystems>,
    devices: Part<Devices>,
    processes: Part<Rows<u32, Process>>,
    software: Part<Software>,
}

/// The numbers that were given out.
#[derive(Default)]
struct Known {
    /// By where they are mounted.
    filesystems: Numbers,
    /// By their names.
    disks: Numbers,
}

/// The module.
pub struct HostMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View>,
    cache: Cache<View>,
    known: Arc<Mutex<Known>>,
    filesystems: Source<Filesystems>,
    devices: Source<Devices>,
    processes: Source<Rows<u32, Process>>,
    software: Source<Software>,
}

mib_module!(
    HostMib,
    component = "mib.host",
    version = "1.1.0",
    annotation = "RFC 2790: system, storage, devices, filesystems, processes, installed software",
    depends("engine" = "^1"),
    carries_state
);

impl Module for HostMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let known = Arc::new(Mutex::new(Known::default()));
        let (for_filesystems, for_devices) = (Arc::clone(&known), Arc::clone(&known));
        Ok(HostMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: declared()?,
            cache: Cache::new(MAX_AGE),
            known,
            filesystems: Source::new(host, "filesystems", SLOW_MAX_AGE, move |_| {
                Ok(Filesystems::look(&mut locked(&for_filesystems).filesystems))
            }),
            devices: Source::new(host, "devices", SLOW_MAX_AGE, move |_| {
                let mut known = locked(&for_devices);
                let Known { filesystems, disks } = &mut *known;
                Devices::look(filesystems, disks)
            }),
            processes: Source::new(host, "processes", MAX_AGE, |_| Ok(run::processes())),
            software: Source::new(host, "installed software", SOFTWARE_MAX_AGE, move |last| {
                Ok(Software::look(last, host.now()))
            }),
        })
    }
}

fn declared() -> Result<Mib<View>, Refusal> {
    Mib::of(&[&[1, 3, 6, 1, 2, 1, 25]])
        .described(&[(&[1, 3, 6, 1, 2, 1, 25, 7, 1], "The MIB module for managing host systems")])
        .with(Scalars::new(HR_SYSTEM, system::COLUMNS, |view: &View| view))
        .with(Scalars::new(HR_STORAGE, storage::MEMORY, |view: &View| &view.system))
        .with(Table::new(HR_STORAGE_ENTRY, storage::COLUMNS, |view: &View| {
            &view.filesystems.get().storage
        }))
        .with(Table::new(HR_DEVICE_ENTRY, device::COLUMNS, |view: &View| {
            &view.devices.get().devices
        }))
        .with(Table::new(HR_PROCESSOR_ENTRY, system::PROCESSOR, |view: &View| {
            &view.system.processors
        }))
        .with(Table::new(HR_NETWORK_ENTRY, device::NETWORK, |view: &View| {
            &view.devices.get().networks
        }))
        .with(Table::new(HR_DISK_STORAGE_ENTRY, device::DISK, |view: &View| {
            &view.devices.get().disks
        }))
        .with(Table::new(HR_PARTITION_ENTRY, device::PARTITION, |view: &View| {
            &view.devices.get().partitions
        }))
        .with(Table::new(HR_FS_ENTRY, storage::FILESYSTEM, |view: &View| {
            &view.filesystems.get().filesystems
        }))
        .with(Scalars::new(HR_SW_RUN, run::OS_INDEX, |view: &View| view))
        .with(Table::new(HR_SW_RUN_ENTRY, run::COLUMNS, |view: &View| view.processes.get()))
        .with(Table::new(HR_SW_RUN_PERF_ENTRY, run::PERF, |view: &View| view.processes.get()))
        .with(Scalars::new(HR_SW_INSTALLED, software::SCALARS, |view: &View| view))
        .with(Table::new(HR_SW_INSTALLED_ENTRY, software::COLUMNS, |view: &View| {
            view.software.get().packages()
        }))
        .made()
}

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
        let made = |last: Option<&View>| {
            let up_time = self.engine.up_time(act)?;
            let clocks = (self.host.now(), self.host.wall_clock());
            Ok(View {
                system: System::look(last.map(|last| &last.system), clocks, up_time),
                filesystems: self.filesystems.part(),
                devices: self.devices.part(),
                processes: self.processes.part(),
                software: self.software.part(),
            })
        };
        // Nothing but devices can fail as a whole.
        let failed = |view: &View| view.devices.failed();
        self.cache.answer(act, || self.host.now(), made, failed, answer)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "mib-host", version = 1)]
pub struct HostState {
    /// The numbers of filesystems, by where they are mounted.
    pub filesystems: BTreeMap<String, u32>,
    /// The numbers of disks, by name.
    pub disks: BTreeMap<String, u32>,
}

impl CarriesState for HostMib {
    type State = HostState;

    fn export(&self) -> HostState {
        let known = locked(&self.known);
        HostState {
            filesystems: known.filesystems.by_name().clone(),
            disks: known.disks.by_name().clone(),
        }
    }

    fn import(&self, state: HostState) -> Result<(), Refusal> {
        let mut known = locked(&self.known);
        known.filesystems = Numbers::restored(state.filesystems);
        known.disks = Numbers::restored(state.disks);
        Ok(())
    }
}

fn cut(octets: &[u8], len: usize) -> &[u8] {
    &octets[..octets.len().min(len)]
}
