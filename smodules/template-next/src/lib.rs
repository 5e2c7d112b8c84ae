//! The second version of the template: the same behavior, other insides.
//!
//! The field `total` is called `sum` now, and the largest amount is remembered too. The rules on the
//! state say how version 1 becomes version 2 and, because a swap can be taken back, how 2 becomes 1.

use s_sdk::{Activity, CallError, CarriesState, Host, Module, Refusal, State, s_module};
use std::sync::{Mutex, PoisonError};
use template_role::Tally;

/// The module.
pub struct RememberingTally {
    state: Mutex<TallyState>,
}

/// What a successor takes over.
#[derive(Clone, Default, State)]
#[state(kind = "tally", version = 2)]
#[state(step(1 => 2, rename(total -> sum), default(largest: u64)))]
pub struct TallyState {
    /// The total so far.
    pub sum: u64,
    /// The largest amount so far; 0 after a predecessor that did not remember it.
    pub largest: u64,
}

impl RememberingTally {
    fn state(&self) -> std::sync::MutexGuard<'_, TallyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[s_module(
    component = "tally",
    version = "2.0.0",
    annotation = "remembers the largest amount",
    carries_state
)]
impl Tally for RememberingTally {
    fn add(&self, _act: &Activity, amount: u64) -> Result<u64, CallError> {
        let mut state = self.state();
        state.sum = state.sum.wrapping_add(amount);
        state.largest = state.largest.max(amount);
        Ok(state.sum)
    }

    fn total(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.state().sum)
    }
}

impl Module for RememberingTally {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(RememberingTally { state: Mutex::default() })
    }
}

impl CarriesState for RememberingTally {
    type State = TallyState;

    fn export(&self) -> TallyState {
        self.state().clone()
    }

    fn import(&self, state: TallyState) -> Result<(), Refusal> {
        *self.state() = state;
        Ok(())
    }
}
