//! The two-phase swap transaction as a value, and the journal that makes its decision last.
//!
//! [`Transaction`] performs nothing, asks no clock and never blocks: events and the time go in, actions
//! come out. Whoever runs it (the executor of the swap manager, or the simulator) keeps one contract:
//!
//! 1. After every input (`begin`, `handle_event`, `handle_control`, `handle_timeout`) call
//!    [`Transaction::poll_output`] until it answers [`Output::Timeout`] or [`Output::Idle`].
//! 2. Answer each [`Output::Perform`] with exactly one event. Actions handed out in one drain may run
//!    concurrently; the actions of one member run in the order in which they were handed out.
//! 3. Call [`Transaction::handle_timeout`] when the time named by [`Output::Timeout`] has come. An answer
//!    that comes later than its deadline is no answer: by then the transaction has gone on without it.
//!
//! ```text
//! verify → load → preflight → prepare → quiesce → map_state → commit → release → confirm
//!    └───────┴────────┴──────────┴─────────┴──────────┴─ abort   └────────┴─────────┴─ rollback
//! ```
//!
//! Invariants: no generation moves before the deciding record is written; no gate stays closed when the
//! transaction ends; a successor that was loaded is either serving or discarded; every transaction ends,
//! with one [`Outcome`].
//!
//! The one place with IO is [`journal::FileDisk`]; the rest of the journal is bytes and values.

// What a transaction is told at its beginning.
mod plan;
pub use plan::{Change, Confirm, Member, Plan, PlanFault};
mod deadlines;
pub use deadlines::Deadlines;

// The machine and its phases, in the order in which a swap meets them.
mod machine;
pub use machine::{Action, Control, Event, Output, Phase, Refusal, Transaction, Vote};
mod round;

mod verify;

mod load;

mod preflight;

mod prepare;

mod quiesce;

mod map_state;

mod commit;

mod release;

// `plan::Confirm` is the wish, `confirm::Watch` the phase.
mod confirm;

mod abort;

mod rollback;

// What is told about it afterwards, and what lasts.
mod report;
pub use report::{Cause, Doubt, Outcome, Reason, Serving, Trouble, Verdict};
mod history;
pub use history::{History, PhaseEvent, PhaseResult, Span};
pub mod journal;
