//! hrSWRunTable and hrSWRunPerfTable: processes.
//!
//! A process that ends while it is looked at is left out.

use crate::{NO_ID, View, cut};
use mib_kit::values::capped;
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Integer, Octets, Oid};
use std::fs::{read, read_dir};

/// The kernel counts processor time in hundredths of a second (USER_HZ), whatever its own tick is.
const TICKS_PER_SECOND: u64 = 100;

/// A process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pid: u32,
    name: Vec<u8>,
    path: Vec<u8>,
    parameters: Vec<u8>,
    state: u8,
    is_kernel: bool,
    /// Hundredths of a second.
    cpu: u64,
    memory_kib: u64,
}

/// hrSWOSIndex: the first process, which the kernel started.
pub(crate) const OS_INDEX: &[Column<View>] = &[Column::new(1, |_| Some(Integer(1)))];

pub(crate) const COLUMNS: &[Column<Process>] = &[
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

pub(crate) const PERF: &[Column<Process>] = &[
    Column::new(1, |row| Some(Integer(capped(row.cpu)))),
    Column::new(2, |row| Some(Integer(capped(row.memory_kib)))),
];

/// All processes.
pub(crate) fn processes() -> Rows<u32, Process> {
    let Ok(entries) = read_dir("/proc") else { return Rows::default() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process(pid)?))).collect()
}

fn process(pid: u32) -> Option<Process> {
    let stat = read(format!("/proc/{pid}/stat")).ok()?;
    let mut process = parsed(pid, &stat)?;
    let line = read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|octet| *octet == 0).filter(|word| !word.is_empty());
    process.path = words.next().unwrap_or_default().to_vec();
    process.parameters = words.collect::<Vec<_>>().join(&b' ');
    process.is_kernel = line.is_empty();
    Some(process)
}

/// A line of /proc/PID/stat: the name may hold anything, so what follows begins at the last bracket.
fn parsed(pid: u32, stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|octet| *octet == b'(')?;
    let close = stat.iter().rposition(|octet| *octet == b')')?;
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    Some(Process {
        pid,
        name: stat.get(open + 1..close)?.to_vec(),
        state: *fields.first()?.as_bytes().first()?,
        // utime, stime and rss are fields 14, 15 and 24 of proc(5); the state is the third.
        cpu: (number(11)? + number(12)?) * 100 / TICKS_PER_SECOND,
        memory_kib: number(21)? * (rustix::param::page_size() as u64) / 1024,
        ..Process::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_named_anything() {
        let stat = b"7 (a) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 12 30 0 0 20 0 1 0 5 4096 3 0";
        let process = parsed(7, stat).unwrap();
        assert_eq!((process.name.as_slice(), process.state), (b"a) R (b".as_slice(), b'S'));
        assert_eq!(process.cpu, 42);
        assert_eq!(process.memory_kib, 3 * (rustix::param::page_size() as u64) / 1024);
        for cut in 0..stat.len() - 4 {
            let _ = parsed(7, &stat[..cut]);
        }
    }
}
