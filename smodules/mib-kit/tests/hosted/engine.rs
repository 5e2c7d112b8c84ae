//! An engine for tests: says the same whenever it is asked.

use roles::engine::Engine;
use roles::error::Counter;
use roles::privacy::EngineTime;
use roles::varbind::{VarBinds, VarValue};
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, s_module};

pub(crate) struct FixedEngine;

#[s_module(component = "engine", version = "1.0.0")]
impl Engine for FixedEngine {
    fn engine_id(&self, _act: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(b"\x80\x00\x1f\x88\x04test")?)
    }
    fn clock(&self, _act: &Activity) -> Result<EngineTime, CallError> {
        Ok(EngineTime { boots: 3, time_seconds: 77 })
    }
    fn max_message_size(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(65507)
    }
    fn up_time(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(7700)
    }
    /// Each counter is at its place plus one.
    fn counters(&self, _act: &Activity, values: &mut List<u32>) -> Result<(), CallError> {
        for (value, _) in (1..).zip(Counter::ALL) {
            values.push(value)?;
        }
        Ok(())
    }
    fn sys_or_entries(
        &self,
        _act: &Activity,
        entries: &mut VarBinds,
        up_times: &mut List<u32>,
    ) -> Result<(), CallError> {
        entries.push(&[1, 3, 6, 1, 6, 3, 1], VarValue::Octets(b"one"))?;
        entries.push(&[1, 3, 6, 1, 6, 3, 16], VarValue::Octets(b"two"))?;
        up_times.append(&[4, 5])?;
        Ok(())
    }
    fn sys_or_last_change(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(5)
    }
}

impl Module for FixedEngine {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(FixedEngine)
    }
}
