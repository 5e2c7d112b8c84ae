//! What a host's task asks of an active module: take a message, a timer, a signal.
//!
//! Like any call, each enters through the gate, reaches the generation that its activity is pinned to,
//! and turns a panic into the component's failure. Nothing in here waits except at a closed gate.

use crate::component::Component;
use s_sdk::abi::{Slice, Text};
use s_sdk::component::{ActiveCall, ComponentLink};
use s_sdk::{Activity, CallError};

impl Component {
    fn active(&self, act: &Activity, call: &ActiveCall<'_>) -> Result<(), CallError> {
        ComponentLink::new(self.core(), 0).active(act, call)
    }

    /// Hands the active module a mailbox message; the payload is an encoded value.
    ///
    /// # Errors
    /// The gate stayed closed, no module is bound, it is not active, the payload is no value, or it panicked.
    pub fn on_message(&self, act: &Activity, kind: &str, payload: &[u8]) -> Result<(), CallError> {
        self.active(act, &ActiveCall::Message(Text::new(kind), Slice::new(payload)))
    }

    /// Tells the active module that a timer fired.
    ///
    /// # Errors
    /// The gate stayed closed, no module is bound, it is not active, or it panicked.
    pub fn on_timer(&self, act: &Activity, id: u64) -> Result<(), CallError> {
        self.active(act, &ActiveCall::Timer(id))
    }

    /// Tells the active module of a signal.
    ///
    /// # Errors
    /// The gate stayed closed, no module is bound, it is not active, or it panicked.
    pub fn on_signal(&self, act: &Activity, signal: i32) -> Result<(), CallError> {
        self.active(act, &ActiveCall::Signal(signal))
    }
}
