//! An originator of notifications without room for the first one, which refuses the third. It sends nothing.

use roles::message::MessageHeader;
use roles::notify::{Notifier, Statistics};
use roles::varbind::VarBinds;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, CallError, Host, Module, Refusal, s_module};
use std::sync::Mutex;

/// What it was told of.
#[derive(Default)]
pub(crate) struct TestNotifier(Mutex<Statistics>);

#[s_module(component = "notify", version = "1.0.0")]
impl Notifier for TestNotifier {
    fn notify(
        &self,
        _act: &Activity,
        _notification: &[u32],
        _context_name: &[u8],
        _bindings: &VarBinds,
    ) -> Result<(), CallError> {
        let mut statistics = self.0.lock().unwrap();
        let error = match (statistics.dropped, statistics.accepted) {
            (0, 0) => CallErrorKind::Full,
            (1, 1) => CallErrorKind::Refused,
            _ => {
                statistics.accepted += 1;
                return Ok(());
            }
        };
        statistics.dropped += 1;
        Err(CallError::new(error))
    }

    fn answered(
        &self,
        _act: &Activity,
        _header: MessageHeader,
        _transport_domain: &[u32],
        _transport_address: &[u8],
        _pdu: &[u8],
    ) -> Result<bool, CallError> {
        Ok(false)
    }

    fn statistics(&self, _act: &Activity) -> Result<Statistics, CallError> {
        Ok(*self.0.lock().unwrap())
    }
}

impl Module for TestNotifier {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(TestNotifier::default())
    }
}
