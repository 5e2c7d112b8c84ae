//! What the kernel's files say of memory, processors and processes.
//!
//! It never fails as a whole: a process that ends while it is looked at is left out, and what an older
//! kernel does not say is 0.

use std::fs::{read, read_dir, read_to_string};

/// The kernel counts processor time in hundredths of a second (USER_HZ), whatever its own tick is.
const TICKS_PER_SECOND: u64 = 100;

/// /proc/meminfo, in kilobytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) free: u64,
    pub(crate) buffers: u64,
    pub(crate) cached: u64,
    pub(crate) swap_total: u64,
    pub(crate) swap_free: u64,
}

/// The time that a processor was busy, and all of it, in ticks since the host started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) busy: u64,
    pub(crate) all: u64,
}

/// A process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) parameters: Vec<u8>,
    pub(crate) state: u8,
    pub(crate) is_kernel: bool,
    /// Hundredths of a second.
    pub(crate) cpu: u64,
    pub(crate) memory_kib: u64,
}

pub(crate) fn memory() -> Memory {
    let text = read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Memory {
        total: kib("MemTotal"),
        free: kib("MemFree"),
        buffers: kib("Buffers"),
        cached: kib("Cached"),
        swap_total: kib("SwapTotal"),
        swap_free: kib("SwapFree"),
    }
}

/// Hundredths of a second since the host started.
pub(crate) fn uptime() -> u64 {
    let text = read_to_string("/proc/uptime").unwrap_or_default();
    let digits = text.split_whitespace().next().unwrap_or_default().replace('.', "");
    digits.parse().unwrap_or(0)
}

/// Each processor's ticks, in order.
pub(crate) fn processors() -> Vec<Ticks> {
    let text = read_to_string("/proc/stat").unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let (cpu, numbers) = line.split_once(' ')?;
        cpu.strip_prefix("cpu").filter(|number| !number.is_empty()).map(|_| ticks(numbers))
    });
    lines.collect()
}

/// user nice system idle iowait irq softirq steal; guest time is in user time already.
fn ticks(numbers: &str) -> Ticks {
    let numbers: Vec<u64> =
        numbers.split_whitespace().take(8).map(|number| number.parse().unwrap_or(0)).collect();
    let all = numbers.iter().sum();
    Ticks { busy: all - numbers.iter().skip(3).take(2).sum::<u64>(), all }
}

/// A processor's model; empty where the kernel does not name it.
pub(crate) fn processor_model() -> Vec<u8> {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or(vec![], |(_, model)| model.into())
}

/// All processes.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
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

    #[test]
    fn waiting_is_not_being_busy() {
        assert_eq!(ticks("10 1 5 100 20 2 3 4 9 9"), Ticks { busy: 25, all: 145 });
        assert_eq!(ticks(""), Ticks::default());
    }
}
