//! `load`: the proven bytes are sealed, loaded and instantiated beside the module that serves.
//!
//! No caller meets a successor here. Invariant: from the order to load on, a successor is the machine's to
//! discard, even if the answer never comes.

use std::time::Duration;

use crate::abort::Abort;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::preflight::Preflight;
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Load {
    round: Round,
}

impl Load {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Load, now, cx.plan.deadlines.load);
        let arriving = cx.plan.arriving();
        let round = Round::begin(cx, arriving.into_iter().map(Action::Load));
        if round.is_complete() { Self::leave(cx, now) } else { State::Load(Self { round }) }
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::Load(self),
            Heard::Complete => Self::leave(cx, now),
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }

    fn leave(cx: &mut Context, now: Duration) -> State {
        cx.close(now, PhaseResult::Passed);
        Preflight::enter(cx, now)
    }
}
