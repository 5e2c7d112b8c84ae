//! The measured past: a span per phase, an event at the end of each, a bounded ring of outcomes.
//!
//! It measures nothing itself; times are those that the caller passed in. Invariant: the ring never
//! holds more than it was made for.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{Outcome, Phase};

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseResult {
    /// It did its work.
    Passed,
    /// It is the reason for an abort or a rollback, or left a doubt.
    Failed,
}

/// One phase of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Which phase.
    pub phase: Phase,
    /// When it began, on the caller's clock.
    #[serde(rename = "began_us", serialize_with = "micros")]
    pub began: Duration,
    /// How long it took.
    #[serde(rename = "took_us", serialize_with = "micros")]
    pub took: Duration,
    /// How it ended.
    pub result: PhaseResult,
}

/// What subscribers of `swap.<phase>` get. That of `commit` is the acknowledgement: it comes only after
/// the deciding record is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseEvent {
    /// The transaction's number.
    pub txn: u64,
    /// The phase that has ended.
    #[serde(flatten)]
    pub span: Span,
    /// Gate closed → gate open, in the phase that opened the gates.
    #[serde(rename = "blackout_us", serialize_with = "micros_opt")]
    pub blackout: Option<Duration>,
}

impl PhaseEvent {
    /// The tag under which it is published, such as `swap.quiesce`.
    pub fn tag(&self) -> String {
        format!("swap.{}", self.span.phase)
    }
}

/// The last outcomes, each with what their keeper knows of it beside, oldest first; serialises to a JSON list.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct History<T = Outcome> {
    outcomes: VecDeque<T>,
    #[serde(skip)]
    room: usize,
}

impl<T> History<T> {
    /// A ring of `room` outcomes.
    pub fn new(room: usize) -> Self {
        Self { outcomes: VecDeque::new(), room }
    }

    /// Keeps an outcome, at the price of the oldest.
    pub fn keep(&mut self, outcome: T) {
        self.outcomes.push_back(outcome);
        while self.outcomes.len() > self.room {
            self.outcomes.pop_front();
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.outcomes.iter()
    }
}

pub(crate) fn micros<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    // Half a million years of microseconds fit.
    to.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

pub(crate) fn micros_opt<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => micros(duration, to),
        None => to.serialize_none(),
    }
}
