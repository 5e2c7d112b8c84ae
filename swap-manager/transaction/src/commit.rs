//! `commit`: one record decides, then every generation moves, then the gates open.
//!
//! 1. Write the record, without waiting for the disk.
//! 2. Flip all members at once.
//! 3. Open the gates.
//! 4. Make the record durable.
//! 5. Only now announce the commit, and let the predecessors go.
//!
//! Why in this order: callers are parked from `quiesce` to step 3, so under the closed gate there is only
//! work in memory and one small write into space reserved before. A written record is in the page cache
//! and survives `kill -9` of this process, and it is there before the first request meets a successor: a
//! restart never serves an older set than the one that has answered. Losing the machine's power between
//! steps 1 and 4 may lose the record; then the old set starts, and nobody had been told otherwise. A disk
//! that refuses step 4 rolls the swap back, because a commit that cannot last must not be acknowledged.
//!
//! Invariant: `Flip` is ordered only after `WriteCommit` has been done. A wish for a rollback that comes
//! between steps is granted at the next point where it is known what has moved.

use std::time::Duration;

use crate::abort::Abort;
use crate::history::PhaseResult;
use crate::machine::{Context, Control, Input, State};
use crate::release::Release;
use crate::rollback::Rollback;
use crate::{Action, Cause, Phase, Reason};

#[derive(Debug)]
pub(crate) struct Commit {
    step: Step,
    /// Why to roll back as soon as the current step has ended.
    wish: Option<Cause>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Writing,
    Flipping,
    Opening,
    Syncing,
}

impl Commit {
    pub(crate) fn enter(cx: &mut Context, now: Duration) -> State {
        cx.open(Phase::Commit, now, cx.plan.deadlines.commit);
        cx.whole_is_over();
        cx.perform(Action::WriteCommit);
        State::Commit(Self { step: Step::Writing, wish: None })
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match (self.step, input) {
            (Step::Writing, Input::Done(Action::WriteCommit)) => {
                if let Some(cause) = self.wish {
                    return Rollback::enter(cx, now, cause);
                }
                cx.perform(Action::Flip);
                State::Commit(Self { step: Step::Flipping, ..self })
            }
            // Whether a late record is written or not, the abort record after it takes it back.
            (Step::Writing, Input::Failed(Action::WriteCommit, reason)) => {
                Abort::enter(cx, now, None, reason)
            }
            (Step::Writing, Input::Late) => Abort::enter(cx, now, None, Reason::Late),

            (Step::Flipping, Input::Done(Action::Flip)) => {
                if let Some(cause) = self.wish {
                    return Rollback::enter(cx, now, cause);
                }
                if cx.plan.gated() {
                    cx.perform(Action::OpenGates);
                    State::Commit(Self { step: Step::Opening, ..self })
                } else {
                    self.sync(cx, now)
                }
            }
            (Step::Flipping, Input::Failed(Action::Flip, reason)) => {
                let cause = cx.cause(None, reason);
                Rollback::enter(cx, now, cause)
            }

            (Step::Opening, Input::Done(Action::OpenGates)) => {
                cx.gates_open(now);
                match self.wish {
                    Some(cause) => Rollback::enter(cx, now, cause),
                    None => self.sync(cx, now),
                }
            }
            (Step::Opening, Input::Failed(Action::OpenGates, reason)) => {
                let cause = cx.cause(None, reason);
                Rollback::enter_with_gates_in_doubt(cx, now, cause)
            }
            (Step::Opening, Input::Late) => {
                let cause = cx.cause(None, Reason::Late);
                Rollback::enter_with_gates_in_doubt(cx, now, cause)
            }

            (Step::Syncing, Input::Done(Action::SyncJournal)) => {
                cx.close(now, PhaseResult::Passed);
                Release::enter(cx, now)
            }
            (Step::Syncing, Input::Failed(Action::SyncJournal, reason)) => {
                let cause = cx.cause(None, reason);
                Rollback::enter(cx, now, cause)
            }
            (Step::Flipping | Step::Syncing, Input::Late) => {
                let cause = cx.cause(None, Reason::Late);
                Rollback::enter(cx, now, cause)
            }

            (step, input) => {
                self.wish = self.wish.or_else(|| wish(cx, input));
                match (step, self.wish) {
                    (Step::Syncing, Some(cause)) => Rollback::enter(cx, now, cause),
                    (step, wish) => State::Commit(Self { step, wish }),
                }
            }
        }
    }

    fn sync(self, cx: &mut Context, now: Duration) -> State {
        cx.limit(now, cx.plan.deadlines.sync);
        cx.perform(Action::SyncJournal);
        State::Commit(Self { step: Step::Syncing, wish: None })
    }
}

/// Whether an input after the decision asks for the old versions.
pub(crate) fn wish(cx: &Context, input: Input) -> Option<Cause> {
    match input {
        Input::Trouble(member, trouble) => Some(cx.cause(Some(member), Reason::Trouble(trouble))),
        Input::Control(Control::Rollback) => Some(cx.cause(None, Reason::Operator)),
        _ => None,
    }
}
