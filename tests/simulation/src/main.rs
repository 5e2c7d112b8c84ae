//! Runs seeds until one breaks a promise: `simulation --seed N [--rounds K]`.

use std::process::ExitCode;

use simulation::{Sabotage, Summary, run};

const USAGE: &str =
    "usage: simulation [--seed N] [--rounds K]   (runs the seeds N..N+K; default 0, 1)";

fn main() -> ExitCode {
    let Some((seed, rounds)) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut all = Summary::default();
    for seed in (seed..=u64::MAX).take(usize::try_from(rounds).unwrap_or(usize::MAX)) {
        match run(seed, Sabotage::None) {
            Ok(summary) => all.add(&summary),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} seeds from {seed} kept every promise: {all:?}");
    ExitCode::SUCCESS
}

fn arguments() -> Option<(u64, u64)> {
    let (mut seed, mut rounds) = (0, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seed" => seed = value,
            "--rounds" => rounds = value,
            _ => return None,
        }
    }
    Some((seed, rounds))
}
