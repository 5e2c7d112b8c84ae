//! The smallest honest module: copy this folder to begin.
//!
//! It keeps a tally. The behavior, in `template-role`, says what callers can ask; the module answers; the
//! state says what a successor takes over. There is nothing else to write: descriptor, shims and proxy are
//! generated.

use s_sdk::{Activity, CallError, CarriesState, Host, Module, Refusal, State, s_module};
use std::sync::atomic::{AtomicU64, Ordering};
use template_role::Tally;

/// The module.
pub struct SimpleTally {
    total: AtomicU64,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "tally", version = 1)]
pub struct TallyState {
    /// The total so far.
    pub total: u64,
}

#[s_module(component = "tally", version = "1.0.0", annotation = "the first version", carries_state)]
impl Tally for SimpleTally {
    fn add(&self, _act: &Activity, amount: u64) -> Result<u64, CallError> {
        Ok(self.total.fetch_add(amount, Ordering::Relaxed).wrapping_add(amount))
    }

    fn total(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.total.load(Ordering::Relaxed))
    }
}

impl Module for SimpleTally {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(SimpleTally { total: AtomicU64::new(0) })
    }
}

impl CarriesState for SimpleTally {
    type State = TallyState;

    fn export(&self) -> TallyState {
        TallyState { total: self.total.load(Ordering::Relaxed) }
    }

    fn import(&self, state: TallyState) -> Result<(), Refusal> {
        self.total.store(state.total, Ordering::Relaxed);
        Ok(())
    }
}
