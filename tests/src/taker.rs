//! The skeleton of the active fixtures: a taker that keeps books of what comes out of its mailbox.
//!
//! [`taker!`](crate::taker!) writes a version of it. Invariants: each sender numbers its messages from 0, so
//! that one lost, doubled or out of order is seen by the next; the books are carried, so that this holds over
//! all versions together.

use s_sdk::{Host, State, Value};
use std::time::Duration;

/// The kind of a numbered message.
pub const NUMBERED: &str = "numbered";
/// The kind of a message that has the module start a timer of its own: its number.
pub const START_TIMER: &str = "start-timer";
/// How often such a timer comes.
pub const EVERY: Duration = Duration::from_micros(500);

/// What a successor takes over.
#[derive(State, Clone, Default)]
#[state(kind = "taker-state", version = 1)]
pub struct Books {
    /// The number that is next, by sender.
    pub awaited: Vec<u64>,
    /// How many messages.
    pub messages: u64,
    /// How many timers.
    pub timers: u64,
    /// How many signals.
    pub signals: u64,
    /// How many messages and signals were not the next of their sender.
    pub disordered: u64,
}

/// A numbered message.
pub fn numbered(sender: u32, number: u64) -> Vec<u8> {
    Value::from(vec![Value::from(sender), Value::U64(number)]).encode()
}

impl Books {
    /// A message came.
    pub fn message(&mut self, host: &Host, kind: &str, payload: &Value) {
        self.messages += 1;
        let parts = payload.as_list().unwrap_or_default();
        match (kind, parts, payload) {
            (START_TIMER, _, Value::U64(id)) => {
                let started = host.set_timer(*id, Duration::ZERO, Some(EVERY));
                self.disordered += u64::from(started.is_err());
            }
            (NUMBERED, [Value::U64(sender), Value::U64(number)], _) => {
                let sender = usize::try_from(*sender).unwrap_or(usize::MAX).min(63);
                let senders = self.awaited.len().max(sender + 1);
                self.awaited.resize(senders, 0);
                self.disordered += u64::from(self.awaited[sender] != *number);
                self.awaited[sender] = number.wrapping_add(1);
            }
            _ => self.disordered += 1,
        }
    }

    /// A signal came: they are numbered, too.
    pub fn signal(&mut self, number: i32) {
        self.disordered +=
            u64::from(i64::from(number) != i64::try_from(self.signals).unwrap_or(-1));
        self.signals += 1;
    }
}

/// Writes a taker of this version that misbehaves as the given type says.
#[macro_export]
macro_rules! taker {
    ($version:literal, $major:literal, $misbehaviour:ty) => {
        /// The module.
        pub struct Taker {
            misbehaviour: $misbehaviour,
            host: s_sdk::Host,
            books: std::sync::Mutex<$crate::taker::Books>,
        }

        impl Taker {
            fn books(&self) -> std::sync::MutexGuard<'_, $crate::taker::Books> {
                self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
            }
        }

        #[s_sdk::s_module(component = "taker", version = $version, carries_state, active)]
        impl $crate::roles::Taken for Taker {
            fn taken(
                &self,
                _: &s_sdk::Activity,
            ) -> Result<$crate::roles::Tagged, s_sdk::CallError> {
                let books = self.books();
                Ok($crate::roles::Tagged::new($major, books.messages, books.timers))
            }

            fn next_of(&self, _: &s_sdk::Activity, sender: u32) -> Result<u64, s_sdk::CallError> {
                Ok(self.books().awaited.get(sender as usize).copied().unwrap_or(0))
            }

            fn signals(&self, _: &s_sdk::Activity) -> Result<u64, s_sdk::CallError> {
                Ok(self.books().signals)
            }

            fn disordered(&self, _: &s_sdk::Activity) -> Result<u64, s_sdk::CallError> {
                Ok(self.books().disordered)
            }
        }

        impl s_sdk::Active for Taker {
            fn on_message(&self, _: &s_sdk::Activity, kind: &str, payload: &s_sdk::Value) {
                self.books().message(&self.host, kind, payload);
            }

            fn on_timer(&self, _: &s_sdk::Activity, _id: u64) {
                self.books().timers += 1;
            }

            fn on_signal(&self, _: &s_sdk::Activity, number: i32) {
                self.books().signal(number);
            }
        }

        impl s_sdk::Module for Taker {
            fn init(host: s_sdk::Host) -> Result<Self, s_sdk::Refusal> {
                let misbehaviour = <$misbehaviour as $crate::misbehave::Misbehaviour>::init(host)?;
                Ok(Taker { misbehaviour, host, books: std::sync::Mutex::default() })
            }
            fn prepare(&self, _: s_sdk::Part<'_>) -> s_sdk::Vote {
                $crate::misbehave::Misbehaviour::prepare(&self.misbehaviour)
            }
        }

        impl s_sdk::CarriesState for Taker {
            type State = $crate::taker::Books;

            fn export(&self) -> $crate::taker::Books {
                self.books().clone()
            }

            fn import(&self, state: $crate::taker::Books) -> Result<(), s_sdk::Refusal> {
                $crate::misbehave::Misbehaviour::import(&self.misbehaviour)?;
                *self.books() = state;
                Ok(())
            }
        }
    };
}
