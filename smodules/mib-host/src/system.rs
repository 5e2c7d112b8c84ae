//! hrSystem, and hrProcessorTable: small things that are read for every view.

use crate::date::date_and_time;
use crate::device::{DISKS, PROCESSORS};
use crate::{NO_ID, View, cut};
use kernel_host::{Activity as Doings, Memory, Ticks, text};
use mib_kit::values::{capped, wrapped};
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Gauge32, Integer, Octets, Oid, TimeTicks};
use std::time::Duration;

/// RFC 2790: hrProcessorLoad is of the last minute.
const LOAD_OVER: Duration = Duration::from_secs(60);

/// What is read for every view.
pub(crate) struct System {
    /// sysUpTime and the wall clock, for what is told relative to them.
    pub(crate) up_time: u32,
    pub(crate) now: Duration,
    pub(crate) wall_clock: Duration,
    pub(crate) memory_kib: u64,
    /// The load of each in percent.
    pub(crate) processors: Rows<u32, i32>,
    host_up_time: u64,
    date: [u8; 11],
    parameters: Vec<u8>,
    max_processes: i32,
    sessions: u32,
    /// What loads are reckoned from: when, and each processor's ticks then.
    samples: Vec<(Duration, Vec<Ticks>)>,
}

pub(crate) const COLUMNS: &[Column<View>] = &[
    Column::new(1, |view| Some(TimeTicks(wrapped(view.system.host_up_time)))),
    Column::new(2, |view| Some(Octets(&view.system.date))),
    // The disk with the root; none where that is not one disk.
    Column::new(3, |view| {
        let number = view.devices.get().root_disk?;
        Some(Integer(capped(DISKS.checked_add(number)?.into())))
    }),
    Column::new(4, |view| Some(Octets(cut(&view.system.parameters, 128)))),
    Column::new(5, |view| Some(Gauge32(view.system.sessions))),
    Column::new(6, |view| Some(Gauge32(capped(view.processes.get().len() as u64).cast_unsigned()))),
    Column::new(7, |view| Some(Integer(view.system.max_processes))),
];

pub(crate) const PROCESSOR: &[Column<i32>] =
    &[Column::new(1, |_| Some(Oid(NO_ID))), Column::new(2, |load| Some(Integer(*load)))];

impl System {
    pub(crate) fn look(
        last: Option<&System>,
        (now, wall_clock): (Duration, Duration),
        up_time: u32,
    ) -> Self {
        let ticks = Doings::now().each;
        let mut samples = last.map_or(vec![], |last| last.samples.clone());
        // The oldest that is a minute old stays, so that there is always one to reckon from.
        while samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= LOAD_OVER) {
            samples.remove(0);
        }
        let oldest = samples.first().map(|(_, ticks)| ticks.clone()).unwrap_or_default();
        let oldest = oldest.into_iter().chain(std::iter::repeat(Ticks::default()));
        let loads = oldest.zip(&ticks).map(|(from, to)| load(from, *to));
        let processors = (PROCESSORS..).zip(loads).collect();
        samples.push((now, ticks));
        System {
            up_time,
            now,
            wall_clock,
            memory_kib: Memory::now().total,
            processors,
            host_up_time: kernel_host::processors::uptime(),
            date: date_and_time(wall_clock.as_secs()),
            parameters: text("/proc/cmdline").trim_end().as_bytes().to_vec(),
            max_processes: text("/proc/sys/kernel/pid_max").trim().parse().unwrap_or(0),
            sessions: sessions("/run/systemd/sessions"),
            samples,
        }
    }
}

/// The sessions of users for which the host keeps state, as logind writes them down; those of its own
/// services and greeters left out.
fn sessions(folder: &str) -> u32 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let is_user = |path: std::path::PathBuf| {
        let session = std::fs::read_to_string(path).unwrap_or_default();
        session.lines().any(|line| line.starts_with("CLASS=user"))
    };
    let users = entries.filter_map(Result::ok).filter(|entry| is_user(entry.path()));
    u32::try_from(users.count()).unwrap_or(u32::MAX)
}

/// How busy a processor was between two times, in percent.
fn load(from: Ticks, to: Ticks) -> i32 {
    let busy = to.busy().saturating_sub(from.busy());
    let all = to.all().saturating_sub(from.all());
    capped((busy.saturating_mul(100)).checked_div(all).unwrap_or(0)).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_of_the_time_between() {
        let at = |user, idle| Ticks { user, idle, ..Ticks::default() };
        assert_eq!(load(at(10, 90), at(35, 165)), 25);
        assert_eq!(load(at(10, 90), at(10, 90)), 0);
        assert_eq!(load(Ticks::default(), at(50, 0)), 100);
    }

    #[test]
    fn sessions_of_users_are_counted() {
        let folder = std::env::temp_dir().join(format!("sessions-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, class) in [("1", "user"), ("2", "manager"), ("3", "user-early")] {
            let session = format!("UID=0\nCLASS={class}\n");
            std::fs::write(folder.join(name), session).unwrap();
        }
        let counted = sessions(folder.to_str().unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(counted, 2);
        assert_eq!(sessions("/nowhere"), 0);
    }
}
