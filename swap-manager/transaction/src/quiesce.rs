//! `quiesce`: the gates of all gated members close, and what is inside finishes.
//!
//! Other components' gates stay open. Invariant: from the order to close on, the gates count as closed,
//! and whatever happens next ends with an order to open them.

use std::time::Duration;

use crate::abort::Abort;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::map_state::MapState;
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Quiesce {
    round: Round,
}

impl Quiesce {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Quiesce, now, cx.plan.deadlines.quiesce);
        cx.gates_close(now);
        State::Quiesce(Self { round: Round::begin(cx, [Action::Quiesce]) })
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::Quiesce(self),
            Heard::Complete => {
                cx.close(now, PhaseResult::Passed);
                MapState::enter(cx, now)
            }
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }
}
