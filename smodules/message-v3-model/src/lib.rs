//! The SNMPv3 message processing model (RFC 3412 §7), but for the octets: takes messages apart and puts
//! them together with the codec of the module that it is compiled into.
//!
//! It is compiled into each module and is none itself; [`message_v3_module!`] makes one of it. It never
//! proves or encrypts anything, which is the security model's, and never reads a PDU beyond its tag and
//! request-id. In the order in which a message meets the files: [`codec`] says what a module brings,
//! [`incoming`] takes a message apart, [`outgoing`] puts an answer or a message of our own together,
//! [`outstanding`] knows what was sent and not answered yet.
//!
//! Invariants: a response repeats the msgID of its request and nobody else's, and is never reportable. The
//! path of a request takes no lock that anybody waits for and, with a codec that allocates nothing and once
//! warmed up, allocates nothing; what begins a conversation or answers one of ours takes the lock of the
//! outstanding messages, for a step. What a module carries to its successor does not depend on the codec.
//!
//! What the engine relies on beside the role's contract:
//! 1. The Report of a refused message needs no contexts and no request-id: where `elements` has no
//!    contextEngineID this model writes the engine's own, and it puts the request-id of the refused PDU,
//!    or 0 where that was encrypted, in the place of the one that it is given (RFC 3412 §7.1 step 3 c, e).
//! 2. A Confirmed message needs the engineID of its receiver. Where that is not known the answer is
//!    `Security` with the detail `UnknownEngineId`; then the engine sends a Get without bindings at
//!    noAuthNoPriv under an empty security name, which is a discovery (RFC 3414 §4), and sends anew when the
//!    Report has come.
//! 3. A PDU of a tag that SNMPv3 does not have is handed on as Unconfirmed: that nobody takes it is for
//!    the dispatcher to find (RFC 3412 §4.2.2.1 step 2).

pub mod codec;
pub mod incoming;
pub mod outgoing;
pub mod outstanding;

pub use codec::Codec;
pub use outstanding::MessageState;

use outstanding::Outstanding;
use roles::engine::{Engine as _, EngineProxy};
use roles::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, StateReference,
};
use roles::security::{
    SecurityData, SecurityError, SecurityErrorKind, SecurityModel, SecurityModelProxy,
    SecurityStateReference,
};
use s_sdk::{Activity, Buf, CallError, Host, Plain, Refusal};
use scratch::Pool;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

// For `message_v3_module!`.
#[doc(hidden)]
pub use {roles, s_sdk};

/// The model. Its methods are those of [`roles::message::MessageProcessing`], contract included.
///
/// `S` is how it reaches the security model: by its role, unless a module and the security model that it is
/// made for have an interface of their own.
pub struct V3Messages<C, S = SecurityModelProxy> {
    engine: EngineProxy,
    usm: S,
    /// The engine never changes it (contract of the engine, 1), so it is asked once.
    own_engine_id: OnceLock<Box<[u8]>>,
    outstanding: Mutex<Outstanding>,
    pool: Pool<SecurityData>,
    codec: PhantomData<C>,
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

impl<C: Codec> V3Messages<C> {
    /// A model that has sent nothing yet.
    ///
    /// # Errors
    /// There is no engine to work for, no security model, or nothing random.
    pub fn new(host: &Host) -> Result<Self, Refusal> {
        let usm = host.lookup("security.usm");
        Self::over(host, usm.map_err(|error| Refusal(format!("security.usm: {error}")))?)
    }
}

#[expect(missing_docs, reason = "the behavior documents them")]
#[expect(clippy::missing_errors_doc, reason = "the behavior's contract says which")]
impl<C: Codec, S: SecurityModel> V3Messages<C, S> {
    pub fn over(host: &Host, usm: S) -> Result<Self, Refusal> {
        // A start that nobody guesses, so that answers to an earlier life of this engine fit nothing.
        let mut first = [0; 4];
        host.random(&mut first).map_err(|error| Refusal(format!("no random numbers: {error}")))?;
        Ok(V3Messages {
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            usm,
            own_engine_id: OnceLock::new(),
            outstanding: Mutex::new(Outstanding::beginning_with(u32::from_be_bytes(first))),
            pool: Pool::default(),
            codec: PhantomData,
        })
    }

    pub fn prepare_data_elements(
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

    pub fn prepare_response_message(
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

    pub fn prepare_outgoing_message(
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
            let to = (transport_domain, transport_address);
            self.begin(act, to, header, elements, data, message)
        })
    }

    pub fn export(&self) -> MessageState {
        self.outstanding().export()
    }

    pub fn import(&self, state: MessageState) {
        self.outstanding().import(state);
    }

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

/// Makes a type that wraps a [`V3Messages`] the module `message.v3`: every method is that of the model.
///
/// The options are those of `#[s_module]` beside the component, its dependency and its state. A module that
/// says how it is made says on what it depends, too.
#[macro_export]
macro_rules! message_v3_module {
    ($module:ident, $($options:tt)*) => {
        // What the state of the security model looks like is nobody's business but its own.
        $crate::message_v3_module!(
            $module as $crate::V3Messages::new,
            depends("security.usm" = ">=1, <3"),
            $($options)*
        );
    };
    ($module:ident as $new:expr, $($options:tt)*) => {
        #[::s_sdk::s_module(component = "message.v3", carries_state, $($options)*)]
        impl $crate::roles::message::MessageProcessing for $module {
            fn prepare_data_elements(
                &self,
                act: &$crate::s_sdk::Activity,
                transport_domain: &[u32],
                transport_address: &[u8],
                message: &[u8],
                elements: &mut $crate::roles::message::DataElements,
            ) -> Result<$crate::roles::message::Incoming, $crate::roles::message::MessageError> {
                let (domain, address) = (transport_domain, transport_address);
                self.0.prepare_data_elements(act, domain, address, message, elements)
            }

            fn prepare_response_message(
                &self,
                act: &$crate::s_sdk::Activity,
                header: $crate::roles::message::MessageHeader,
                elements: &$crate::roles::message::DataElements,
                state: $crate::roles::message::StateReference,
                message: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::message::MessageError> {
                self.0.prepare_response_message(act, header, elements, state, message)
            }

            fn prepare_outgoing_message(
                &self,
                act: &$crate::s_sdk::Activity,
                transport_domain: &[u32],
                transport_address: &[u8],
                header: $crate::roles::message::MessageHeader,
                elements: &$crate::roles::message::DataElements,
                message: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::message::MessageError> {
                let (domain, address) = (transport_domain, transport_address);
                self.0.prepare_outgoing_message(act, domain, address, header, elements, message)
            }
        }

        impl $crate::s_sdk::Module for $module {
            fn init(host: $crate::s_sdk::Host) -> Result<Self, $crate::s_sdk::Refusal> {
                $new(&host).map($module)
            }
        }

        impl $crate::s_sdk::CarriesState for $module {
            type State = $crate::MessageState;

            fn export(&self) -> $crate::MessageState {
                self.0.export()
            }

            fn import(&self, state: $crate::MessageState) -> Result<(), $crate::s_sdk::Refusal> {
                self.0.import(state);
                Ok(())
            }
        }
    };
}
