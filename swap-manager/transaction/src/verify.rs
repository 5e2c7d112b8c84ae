//! `verify`: every arriving package is proven before a byte of it is used.
//!
//! Nothing is loaded here. Invariant: one unproven package aborts the whole group.

use std::time::Duration;

use crate::abort::Abort;
use crate::history::PhaseResult;
use crate::load::Load;
use crate::machine::{Context, Input, State};
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Verify {
    round: Round,
}

impl Verify {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Verify, now, cx.plan.deadlines.verify);
        let arriving = cx.plan.arriving();
        let round = Round::begin(cx, arriving.into_iter().map(Action::Verify));
        if round.is_complete() { Self::leave(cx, now) } else { State::Verify(Self { round }) }
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::Verify(self),
            Heard::Complete => Self::leave(cx, now),
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }

    fn leave(cx: &mut Context, now: Duration) -> State {
        cx.close(now, PhaseResult::Passed);
        Load::enter(cx, now)
    }
}
