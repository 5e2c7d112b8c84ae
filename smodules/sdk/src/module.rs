//! What a module author writes: an ordinary type and the moments of its life.
//!
//! The host leads every module through `init`, `prepare`, `restart`, `hold` and `term`. A module is
//! called from many threads at once through `&self`; it has no global state, spawns no thread, prints
//! nothing, and keeps what must outlive it in its carried state or in resident tables.

use crate::activity::Activity;
use crate::host::Host;
use crate::state::State;
use crate::value::Value;
use std::fmt;

/// One version of an implementation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module yet",
    label = "how is it created?",
    note = "write `impl Module for {Self}` with at least `init`"
)]
pub trait Module: Send + Sync + Sized + 'static {
    /// Creates the instance. It does not serve yet: other modules of its group may still be missing.
    fn init(host: Host) -> Result<Self, Refusal>;

    /// Votes on a swap, coming or going. Called with the gate open; must return within the deadline.
    fn prepare(&self, part: Part<'_>) -> Vote {
        let _ = part;
        Vote::Yes
    }

    /// From here on the module is quiescent: no call is in it, none will come unless `restart` does.
    fn hold(&self) {}

    /// From here on the module serves: for the first time, or again after a swap was taken back.
    fn restart(&self) {}

    /// The module will never be called again. Release what the host does not know of.
    fn term(&self) {}

    /// Checks the module itself, in the rehearsal, after it imported a copy of the state.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        let _ = act;
        Ok(())
    }

    /// Answers a method that this module lacks but a caller asked for.
    fn does_not_understand(
        &self,
        act: &Activity,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Refusal> {
        let _ = (act, args);
        Err(Refusal(format!("this module has no method `{method}`")))
    }
}

/// A module whose state moves to its successor. `#[s_module(…, carries_state)]` announces it.
#[diagnostic::on_unimplemented(
    message = "`carries_state` promises a state, but `{Self}` exports none",
    label = "what does its successor take over?",
    note = "write `impl CarriesState for {Self}`, or take `carries_state` away"
)]
pub trait CarriesState: Module {
    /// What is carried, with its mapping rules.
    type State: State;

    /// The state now. Called while the module is quiescent, and beforehand for the rehearsal's copy.
    fn export(&self) -> Self::State;

    /// Takes the state of a predecessor, before the first call.
    fn import(&self, state: Self::State) -> Result<(), Refusal>;
}

/// A module with a mailbox, timers and signals, run by the host's task.
/// `#[s_module(…, active)]` announces it.
#[diagnostic::on_unimplemented(
    message = "`active` promises a mailbox, but `{Self}` handles no messages",
    label = "what becomes of a message?",
    note = "write `impl Active for {Self}`, or take `active` away"
)]
pub trait Active: Module {
    /// A message from the mailbox: one activity each, in the order they were sent.
    fn on_message(&self, act: &Activity, kind: &str, payload: &Value);

    /// A timer that [`Host::set_timer`] started.
    fn on_timer(&self, act: &Activity, id: u64) {
        let _ = (act, id);
    }

    /// A signal that the host passes on.
    fn on_signal(&self, act: &Activity, signal: i32) {
        let _ = (act, signal);
    }
}

/// The part a module has in a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// It comes, and this version goes; empty when there is none.
    Comes {
        /// The version serving now.
        after: &'a str,
    },
    /// It goes, and this version comes; empty when there is none.
    Goes {
        /// The version to serve next.
        before: &'a str,
    },
}

/// A module's vote on a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// Swap.
    Yes,
    /// Do not swap, and why.
    No(String),
}

/// Why a module refused, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Refusal(reason.to_owned())
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Refusal(reason)
    }
}
