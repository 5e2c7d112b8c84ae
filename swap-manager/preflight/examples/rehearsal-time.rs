//! Measures what a rehearsal costs: `rehearsal-time <module.so> [rounds]`. Prints, asserts nothing.

use s_loader::Sealed;
use s_preflight::{Rehearsal, Request};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    s_preflight::run_if_child();
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: rehearsal-time <module.so> [rounds]")?;
    let rounds = arguments.next().map_or(Ok(500), |rounds| rounds.parse())?;
    let sealed = Sealed::new("measured", &std::fs::read(path)?, None)?;
    let rehearsal = Rehearsal::default();
    let mut times: Vec<Duration> = Vec::new();
    let mut last = None;
    for _ in 0..rounds {
        let begun = Instant::now();
        last = Some(rehearsal.rehearse(&sealed, &Request::default())?);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    if let Some(reason) = last.as_ref().and_then(|report| report.would_pin.as_ref()) {
        println!("would be pinned: {reason}");
    }
    println!("{rounds} rehearsals: p50 {p50:?}, p99 {p99:?}, min {:?}", times[0]);
    for (step, took) in last.map(|report| report.steps).unwrap_or_default() {
        println!("  {step:<10} {took:?}");
    }
    Ok(())
}
