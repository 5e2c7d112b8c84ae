//! `prepare`: all members are asked at once, and each votes; the journal votes too.
//!
//! No gate is closed yet. This is the master-slave mode: the group waits for its slowest member only.
//! Invariant: silence is a NO. The journal's vote is its reservation: a full disk says no here, while
//! nothing has happened, and not under the closed gate.

use std::time::Duration;

use crate::abort::Abort;
use crate::commit::Commit;
use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::quiesce::Quiesce;
use crate::round::{Heard, Round};
use crate::{Action, Phase};

#[derive(Debug)]
pub(crate) struct Prepare {
    round: Round,
}

impl Prepare {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Prepare, now, cx.plan.deadlines.prepare);
        let votes = (0..cx.plan.members.len()).map(Action::Prepare);
        let round = Round::begin(cx, votes.chain([Action::ReserveJournal]));
        State::Prepare(Self { round })
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.round.strict(input) {
            Heard::Waiting => State::Prepare(self),
            Heard::Complete => {
                cx.close(now, PhaseResult::Passed);
                // Without state to carry, new activities meet the new generation and old ones finish on
                // the old: no gate is needed.
                if cx.plan.gated() { Quiesce::enter(cx, now) } else { Commit::enter(cx, now) }
            }
            Heard::Broken(member, reason) => Abort::enter(cx, now, member, reason),
        }
    }
}
