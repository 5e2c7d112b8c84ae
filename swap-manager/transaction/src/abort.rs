//! `abort`: nothing was decided, so nothing has changed.
//!
//! 1. Open the gates if they were closed; the predecessors never stopped being current.
//! 2. Write the abort record if the journal knows of this transaction, and make it durable: it takes back a
//!    commit record whose writing was never answered, and nobody is told "aborted" before that is certain.
//! 3. Discard every successor that may have been loaded.
//!
//! Invariant: step 1 waits for nothing else. What fails here is a doubt in the report.

use std::time::Duration;

use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::round::Round;
use crate::{Action, Cause, Phase, Reason, Verdict};

#[derive(Debug)]
pub(crate) struct Abort {
    cause: Cause,
    verdict: Verdict,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Opening,
    Cleaning(Round),
}

impl Abort {
    pub(crate) fn enter(
        cx: &mut Context,
        now: Duration,
        member: Option<usize>,
        reason: Reason,
    ) -> State {
        let cause = cx.cause(member, reason);
        cx.close(now, PhaseResult::Failed);
        cx.open(Phase::Abort, now, cx.plan.deadlines.abort);
        cx.whole_is_over();
        if cx.gates_are_closed() {
            cx.perform(Action::OpenGates);
            return State::Abort(Self { cause, verdict: Verdict::Aborted, step: Step::Opening });
        }
        Self::clean(cx, now, cause, Verdict::Aborted)
    }

    pub(crate) fn handle(self, cx: &mut Context, now: Duration, input: Input) -> State {
        let Self { cause, verdict, step } = self;
        match (step, input) {
            (Step::Opening, Input::Done(Action::OpenGates)) => {
                cx.gates_open(now);
                Self::clean(cx, now, cause, verdict)
            }
            (Step::Opening, Input::Failed(Action::OpenGates, reason)) => {
                cx.doubt(Action::OpenGates, reason.to_string());
                Self::clean(cx, now, cause, Verdict::Unreachable)
            }
            (Step::Opening, Input::Late) => {
                cx.doubt(Action::OpenGates, Reason::Late.to_string());
                Self::clean(cx, now, cause, Verdict::Unreachable)
            }
            (Step::Opening, _) => State::Abort(Self { cause, verdict, step: Step::Opening }),
            (Step::Cleaning(mut round), input) => {
                if round.lenient(cx, &input) {
                    return cx.end(now, verdict, Some(cause), false);
                }
                State::Abort(Self { cause, verdict, step: Step::Cleaning(round) })
            }
        }
    }

    fn clean(cx: &mut Context, now: Duration, cause: Cause, verdict: Verdict) -> State {
        let deadlines = cx.plan.deadlines;
        cx.limit(now, if cx.begun() { deadlines.sync } else { deadlines.abort });
        let record = cx.begun().then_some(Action::WriteAbort);
        let discards = cx.loaded().into_iter().map(Action::Discard);
        let round = Round::begin(cx, record.into_iter().chain(discards));
        if round.is_complete() {
            return cx.end(now, verdict, Some(cause), false);
        }
        State::Abort(Self { cause, verdict, step: Step::Cleaning(round) })
    }
}
