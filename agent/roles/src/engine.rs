//! What the engine tells its modules: who it is, what time it is there, what it has counted.
//!
//! RFC 3411 has no interface for this; its modules reach into the engine (snmpEngineID, snmpEngineBoots,
//! the counters of RFC 3412 and 3414). Here the engine is a component like any other and answers. It is
//! filled by the host, never by a package, and it answers the same throughout one activity but for clocks.
//!
//! The contract:
//! 1. `engine_id` appends snmpEngineID, 5 to 32 octets, the same as long as the process lives.
//! 2. `clock` answers snmpEngineBoots and snmpEngineTime. Boots are durable before the first answer, and
//!    the pair never goes back (RFC 3414 §2.2.2). At 2147483647 boots it stays there.
//! 3. `counters` appends the values of [`crate::error::Counter::ALL`], in that order.
//! 4. `sys_or_entries` appends sysORID and sysORDescr of every entry, in the order of sysORIndex, and for
//!    each its sysORUpTime; `sys_or_last_change` is the value of sysUpTime when that changed last.

use crate::privacy::EngineTime;
use crate::varbind::VarBinds;
use s_sdk::{Activity, Buf, CallError, List, behavior};

/// Answers about the engine.
#[behavior(name = "engine")]
pub trait Engine {
    /// Appends snmpEngineID.
    fn engine_id(&self, act: &Activity, engine_id: &mut Buf) -> Result<(), CallError>;

    /// snmpEngineBoots and snmpEngineTime.
    fn clock(&self, act: &Activity) -> Result<EngineTime, CallError>;

    /// snmpEngineMaxMessageSize: the largest message that the engine takes.
    fn max_message_size(&self, act: &Activity) -> Result<u32, CallError>;

    /// sysUpTime, in hundredths of a second.
    fn up_time(&self, act: &Activity) -> Result<u32, CallError>;

    /// Appends the engine's counters.
    fn counters(&self, act: &Activity, values: &mut List<u32>) -> Result<(), CallError>;

    /// Appends the entries of the sysORTable, and when each came.
    fn sys_or_entries(
        &self,
        act: &Activity,
        entries: &mut VarBinds,
        up_times: &mut List<u32>,
    ) -> Result<(), CallError>;

    /// sysORLastChange, in hundredths of a second.
    fn sys_or_last_change(&self, act: &Activity) -> Result<u32, CallError>;
}
