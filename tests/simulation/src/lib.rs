//! The transaction under random faults, from a seed.
//!
//! The production machine, journal, codec and recovery run here; clock, disk, modules, callers, operator
//! and the executor are simulated. Nothing asks the real clock or the real disk: a seed is a run.
//!
//! Safety, at every instant: an accepted request is answered exactly once (unless its process died), meets
//! one version of each component and never two sides of a group; no state is lost; a restart serves a set
//! that was decided, whole, and never one older than what was acknowledged. Termination: when the faults
//! stop, every swap ends, every gate opens, every request is answered, and a last swap commits.

mod dice;
mod disk;
mod executor;
mod world;

use std::fmt;

pub use world::{Sabotage, Summary};

/// A run that broke a promise.
#[derive(Debug)]
pub struct Failure {
    /// What reproduces it.
    pub seed: u64,
    /// The promise.
    pub broken: String,
    /// The last things that happened, oldest first.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.broken)?;
        write!(f, "repeat it with: cargo xtask sim --seed {}", self.seed)
    }
}

/// Runs one seed; `sabotage` breaks the executor on purpose, to prove that the checks see it.
///
/// # Errors
/// The promise that was broken, with the seed and a trace.
pub fn run(seed: u64, sabotage: Sabotage) -> Result<Summary, Box<Failure>> {
    world::World::new(seed, sabotage).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_hundred_seeds_keep_every_promise() {
        let mut all = Summary::default();
        for seed in 0..300 {
            match run(seed, Sabotage::None) {
                Ok(summary) => all.add(&summary),
                Err(failure) => panic!("{failure}"),
            }
        }
        // The runs went where the faults are.
        assert!(all.committed > 300 && all.aborted > 300 && all.rolled_back > 300, "{all:?}");
        assert!(all.kills > 100 && all.power_losses > 100, "{all:?}");
        assert!(all.crash_loops_left > 0 && all.unconfirmed_reverted > 0, "{all:?}");
        assert!(all.torn_tails > 0 && all.forced_back > 0, "{all:?}");
        assert!(all.versions_alive_max >= 3, "{all:?}");
    }

    #[test]
    fn a_seed_is_a_run() {
        let [first, second] = [run(7, Sabotage::None), run(7, Sabotage::None)];
        assert_eq!(first.ok(), second.ok());
    }

    /// Some seed has to break exactly this promise.
    fn finds(sabotage: Sabotage, promise: &str) {
        let mut others = std::collections::BTreeSet::new();
        for seed in 0..3_000 {
            if let Err(failure) = run(seed, sabotage) {
                if failure.broken.contains(promise) {
                    return;
                }
                others.insert(failure.broken);
            }
        }
        panic!("{sabotage:?} was not found out; seen instead: {others:?}");
    }

    #[test]
    fn a_flip_before_the_record_is_found_out() {
        finds(Sabotage::FlipBeforeRecord, "older than the one that answered");
    }

    #[test]
    fn a_group_that_flips_member_by_member_is_found_out() {
        finds(Sabotage::FlipOneByOne, "both sides of swap");
    }

    #[test]
    fn an_acknowledgement_before_the_disk_is_found_out() {
        finds(Sabotage::AcknowledgeEarly, "what was acknowledged");
    }

    #[test]
    fn a_quiesce_that_does_not_drain_is_found_out() {
        finds(Sabotage::SkipDrain, "both sides of swap");
        finds(Sabotage::SkipDrain, "lost state");
    }

    #[test]
    fn a_rollback_that_forgets_the_state_is_found_out() {
        finds(Sabotage::ForgetStateBack, "lost state");
    }

    #[test]
    fn a_discard_under_a_running_call_is_found_out() {
        finds(Sabotage::UnloadInUse, "unloaded");
    }

    #[test]
    fn gates_that_stay_closed_after_an_abort_are_found_out() {
        finds(Sabotage::ForgetGates, "left the gate");
    }
}
