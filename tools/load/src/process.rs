//! What a process costs: processor time, memory, and where it runs.
//!
//! It reads /proc and changes no process but those that it starts.

use crate::Error;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::process::{Child, Command};

/// The processors that this thread may use.
///
/// # Errors
/// The system's.
pub fn processors() -> Result<Vec<usize>, Error> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Keeps this thread on some processors, and what it starts from now on.
///
/// # Errors
/// The system's.
pub fn stay_on(processors: &[usize]) -> Result<(), Error> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    Ok(sched_setaffinity(None, &set)?)
}

/// Starts a program that stays on one processor; this thread stays on another.
///
/// # Errors
/// The system's.
pub fn start_on(processor: usize, here: usize, command: &mut Command) -> Result<Child, Error> {
    stay_on(&[processor])?;
    let child = command.spawn();
    stay_on(&[here])?;
    child.map_err(|error| format!("{}: {error}", command.get_program().display()).into())
}

/// Nanoseconds of processor time that all threads of a process have used.
///
/// # Errors
/// It is gone, or the system does not say.
pub fn cpu_nanos(pid: u32) -> Result<u64, Error> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().ok_or("an empty schedstat")?;
        sum += first.parse::<u64>()?;
    }
    Ok(sum)
}

/// Resident memory of a process, in KiB.
///
/// # Errors
/// It is gone.
pub fn rss_kib(pid: u32) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(number.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_time_and_memory() {
        let own = std::process::id();
        let before = cpu_nanos(own).unwrap();
        let mut number = 1_u64;
        while cpu_nanos(own).unwrap() < before + 10_000_000 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(rss_kib(own).unwrap() > 100);
    }
}
