//! The SNMPv3 message processing model (RFC 3412 §7): takes messages apart and puts them together.
//!
//! It never proves or encrypts anything, which is the security model's, and never reads a PDU beyond its
//! tag and request-id. In the order in which a message meets the files: [`incoming`] takes it apart,
//! [`outgoing`] puts an answer or a message of our own together, [`outstanding`] knows what was sent and
//! not answered yet.
//!
//! Invariants: a response repeats the msgID of its request and nobody else's, and is never reportable. The
//! path of a request takes no lock that anybody waits for and, once warmed up, allocates nothing; what
//! begins a conversation or answers one of ours takes the lock of the outstanding messages, for a step.
//!
//! What the engine relies on beside the role's contract:
//! 1. The Report of a refused message needs no contexts and no request-id: where `elements` has no
//!    contextEngineID this module writes the engine's own, and it puts the request-id of the refused PDU,
//!    or 0 where that was encrypted, in the place of the one that it is given (RFC 3412 §7.1 step 3 c, e).
//! 2. A Confirmed message needs the engineID of its receiver. Where that is not known the answer is
//!    `Security` with the detail `UnknownEngineId`; then the engine sends a Get without bindings at
//!    noAuthNoPriv under an empty security name, which is a discovery (RFC 3414 §4), and sends anew when the
//!    Report has come.
//! 3. A PDU of a tag that SNMPv3 does not have is handed on as Unconfirmed: that nobody takes it is for
//!    the dispatcher to find (RFC 3412 §4.2.2.1 step 2).

pub mod incoming;
pub mod outgoing;
pub mod outstanding;

use outstanding::{MessageState, Outstanding};
use roles::engine::{Engine, EngineProxy};
use roles::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, MessageProcessing,
    StateReference,
};
use roles::security::{
    SecurityData, SecurityError, SecurityErrorKind, SecurityModelProxy, SecurityStateReference,
};
use s_sdk::{Activity, Buf, CallError, CarriesState, Host, Module, Plain, Refusal, s_module};
use scratch::Pool;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The module.
pub struct MessageV3 {
    engine: EngineProxy,
    usm: SecurityModelProxy,
    /// The engine never changes it (contract of the engine, 1), so it is asked once.
    own_engine_id: OnceLock<Box<[u8]>>,
    outstanding: Mutex<Outstanding>,
    pool: Pool<SecurityData>,
}

/// What a response needs of its request.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
pub(crate) struct Asked {
    msg_id: u32,
    /// The msgMaxSize of the sender.
    max_size: u32,
    /// The request-id of a refused PDU; 0 where it could not be read.
    request_id: i32,
    /// 1 for a message that was refused: only a Report can answer it.
    refused: u32,
    security: SecurityStateReference,
}

impl MessageV3 {
    fn outstanding(&self) -> MutexGuard<'_, Outstanding> {
        self.outstanding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_engine_id(&self, act: &Activity) -> Result<&[u8], CallError> {
        if let Some(known) = self.own_engine_id.get() {
            return Ok(known);
        }
        let mut engine_id = Buf::new();
        self.engine.engine_id(act, &mut engine_id)?;
        Ok(self.own_engine_id.get_or_init(|| engine_id.to_vec().into()))
    }
}

/// What the security model's refusal is to the caller of this model.
fn refused_by_security(error: SecurityError) -> MessageError {
    let kind = match error.kind {
        SecurityErrorKind::Call => MessageErrorKind::Call,
        SecurityErrorKind::TooBig => MessageErrorKind::TooBig,
        SecurityErrorKind::StaleReference => MessageErrorKind::StaleReference,
        kind => return MessageError::detailed(MessageErrorKind::Security, kind as u32),
    };
    MessageError::detailed(kind, error.detail)
}

#[s_module(
    component = "message.v3",
    version = "1.0.0",
    annotation = "RFC 3412: the SNMPv3 message processing model",
    depends("security.usm" = "^1"),
    carries_state
)]
impl MessageProcessing for MessageV3 {
    fn prepare_data_elements(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError> {
        self.pool.with(act, |proven| {
            proven.clear();
            let from = (transport_domain, transport_address);
            self.take_apart(act, from, message, proven, elements)
        })
    }

    fn prepare_response_message(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        self.pool.with(act, |data| {
            data.clear();
            self.answer(act, header, elements, state, data, message)
        })
    }

    fn prepare_outgoing_message(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        header: MessageHeader,
        elements: &DataElements,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        self.pool.with(act, |data| {
            data.clear();
            self.begin(act, (transport_domain, transport_address), header, elements, data, message)
        })
    }
}

impl Module for MessageV3 {
    fn init(host: Host) -> Result<Self, Refusal> {
        let lookup = |name: &str, error: CallError| Refusal(format!("{name}: {error}"));
        // A start that nobody guesses, so that answers to an earlier life of this engine fit nothing.
        let mut first = [0; 4];
        host.random(&mut first).map_err(|error| Refusal(format!("no random numbers: {error}")))?;
        Ok(MessageV3 {
            engine: host.lookup("engine").map_err(|error| lookup("engine", error))?,
            usm: host.lookup("security.usm").map_err(|error| lookup("security.usm", error))?,
            own_engine_id: OnceLock::new(),
            outstanding: Mutex::new(Outstanding::beginning_with(u32::from_be_bytes(first))),
            pool: Pool::default(),
        })
    }
}

impl CarriesState for MessageV3 {
    type State = MessageState;

    fn export(&self) -> MessageState {
        self.outstanding().export()
    }

    fn import(&self, state: MessageState) -> Result<(), Refusal> {
        self.outstanding().import(state);
        Ok(())
    }
}
