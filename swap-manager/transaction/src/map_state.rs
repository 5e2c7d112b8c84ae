//! `map_state`: what predecessors export, their successors import.
//!
//! The predecessors keep their own state untouched. Invariant: until the commit they can go on as if
//! nothing had been asked of them.

use std::time::Duration;

use crate::abort::Abort;
use crate::commit::Commit;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct MapState {
    round: Round,
}

impl MapState {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::MapState, now, cx.plan.deadlines.map_state);
        let carrying = cx.plan.carrying();
        let round = Round::begin(cx, carrying.into_iter().map(Action::MapState));
        if round.is_complete() { Self::leave(cx, now) } else { State::MapState(Self { round }) }
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::MapState(self),
            Heard::Complete => Self::leave(cx, now),
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }

    fn leave(cx: &mut Context, now: Duration) -> State {
        cx.close(now, PhaseResult::Passed);
        Commit::enter(cx, now)
    }
}
