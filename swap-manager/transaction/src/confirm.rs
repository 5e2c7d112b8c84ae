//! `confirm`: the successors serve on trial, their predecessors stay loaded.
//!
//! Nothing new is decided by the successors themselves. Trouble or the operator brings the predecessors
//! back. Silence until the end of the window confirms a probation, and reverts a swap that was to be
//! confirmed by the operator: who lost the connection by swapping cannot answer any more.
//!
//! Invariant: predecessors are retired only after the window is over and the confirm record was ordered.

use std::time::Duration;

use crate::commit::wish;
use crate::machine::{Context, Control, Input, State};
use crate::rollback::Rollback;
use crate::round::Round;
use crate::{Action, Confirm, Phase, Reason, Verdict};

#[derive(Debug)]
pub(crate) enum Watch {
    /// The window is open.
    Open,
    /// The window is over; the record is being written.
    Recording(Round),
    /// The predecessors are going.
    Retiring(Round),
}

impl Watch {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        match cx.plan.confirm {
            Confirm::AtOnce => {
                cx.open(Phase::Confirm, now, cx.plan.deadlines.sync);
                Self::record(cx, now)
            }
            Confirm::Probation(window) | Confirm::ByOperator(window) => {
                cx.open(Phase::Confirm, now, window);
                cx.perform(Action::StartConfirm);
                State::Confirm(Self::Open)
            }
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        !matches!(self, Self::Open)
    }

    pub(crate) fn handle(self, cx: &mut Context, now: Duration, input: Input) -> State {
        match (self, input) {
            (Self::Open, Input::Control(Control::Confirm)) => Self::record(cx, now),
            (Self::Open, Input::Late) => match cx.plan.confirm {
                Confirm::ByOperator(_) => {
                    let cause = cx.cause(None, Reason::Silence);
                    Rollback::enter(cx, now, cause)
                }
                Confirm::Probation(_) | Confirm::AtOnce => Self::record(cx, now),
            },
            // A window in which nobody watches is not a trial.
            (Self::Open, Input::Failed(Action::StartConfirm, reason)) => {
                let cause = cx.cause(None, reason);
                Rollback::enter(cx, now, cause)
            }
            (Self::Open, input) => match wish(cx, input) {
                Some(cause) => Rollback::enter(cx, now, cause),
                None => State::Confirm(Self::Open),
            },
            (Self::Recording(mut round), input) => {
                if round.lenient(cx, &input) {
                    Self::retire(cx, now)
                } else {
                    State::Confirm(Self::Recording(round))
                }
            }
            (Self::Retiring(mut round), input) => {
                if round.lenient(cx, &input) {
                    cx.end(now, Verdict::Committed, None, true)
                } else {
                    State::Confirm(Self::Retiring(round))
                }
            }
        }
    }

    fn record(cx: &mut Context, now: Duration) -> State {
        cx.limit(now, cx.plan.deadlines.sync);
        State::Confirm(Self::Recording(Round::begin(cx, [Action::WriteConfirm])))
    }

    fn retire(cx: &mut Context, now: Duration) -> State {
        cx.limit(now, cx.plan.deadlines.release);
        let leaving = cx.plan.leaving();
        let round = Round::begin(cx, leaving.into_iter().map(Action::Retire));
        if round.is_complete() {
            return cx.end(now, Verdict::Committed, None, true);
        }
        State::Confirm(Self::Retiring(round))
    }
}
