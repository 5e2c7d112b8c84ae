//! `release`: the predecessors are put to rest, still loaded and with their state.
//!
//! Nothing is unloaded here. Invariant: a predecessor that will not rest is a doubt in the report, never a
//! reason to take a durable commit back.

use std::time::Duration;

use crate::commit::wish;
use crate::confirm::Watch;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::rollback::Rollback;
use crate::round::Round;
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Release {
    round: Round,
}

impl Release {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Release, now, cx.plan.deadlines.release);
        let leaving = cx.plan.leaving();
        let round = Round::begin(cx, leaving.into_iter().map(Action::Release));
        Self { round }.settle(cx, now)
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        self.round.lenient(cx, &input);
        match wish(cx, input) {
            Some(cause) => Rollback::enter(cx, now, cause),
            None => self.settle(cx, now),
        }
    }

    fn settle(self, cx: &mut Context, now: Duration) -> State {
        if !self.round.is_complete() {
            return State::Release(self);
        }
        cx.close(now, PhaseResult::Passed);
        Watch::enter(cx, now)
    }
}
