//! `preflight`: each successor is rehearsed in a child process, with a copy of the real state.
//!
//! Nothing in this process is touched. Invariant: what crashes here has never served a request.

use std::time::Duration;

use crate::abort::Abort;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::prepare::Prepare;
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Preflight {
    round: Round,
}

impl Preflight {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Preflight, now, cx.plan.deadlines.preflight);
        let arriving = cx.plan.arriving();
        let round = Round::begin(cx, arriving.into_iter().map(Action::Preflight));
        if round.is_complete() { Self::leave(cx, now) } else { State::Preflight(Self { round }) }
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::Preflight(self),
            Heard::Complete => Self::leave(cx, now),
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }

    fn leave(cx: &mut Context, now: Duration) -> State {
        cx.close(now, PhaseResult::Passed);
        Prepare::enter(cx, now)
    }
}
