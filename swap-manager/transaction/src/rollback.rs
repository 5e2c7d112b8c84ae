//! `rollback`: the swap was decided, and the predecessors come back all the same.
//!
//! 1. If the gates are open: close them and drain the successors, then map the state back.
//! 2. Write the rollback record, without waiting for the disk; then flip back; then open the gates.
//! 3. Make the record durable, and discard the successors.
//!
//! Step 1 is skipped where no request can have met a successor: the predecessors' own state is then the
//! newest there is. A successor that will not drain, or whose state cannot be mapped back, does not keep
//! its predecessor away: the predecessor goes on with its state of the commit, and the report says that
//! later changes are lost. A record that cannot be written does not keep it away either: what serves is
//! more urgent than what a restart would choose, and the report says that a restart may choose the new set.
//!
//! Only a flip that fails leaves the successors serving, with the gates open: this cannot happen short of
//! a bug, so the verdict is `Unreachable`. The journal then says that the old set starts next time.
//!
//! Invariant: every step has its own deadline and leads to the next whatever its answer, so a rollback
//! ends; and it ends with an order to open every gate that was closed.

use std::time::Duration;

use crate::history::PhaseResult;
use crate::machine::{Context, Input, State};
use crate::round::Round;
use crate::{Action, Cause, Phase, Reason, Verdict};

#[derive(Debug)]
pub(crate) struct Rollback {
    cause: Cause,
    /// What went wrong on the way back that must not; empty in a sound program.
    stuck: Stuck,
    step: Step,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stuck {
    flip: bool,
    gates: bool,
}

#[derive(Debug)]
enum Step {
    Quiescing,
    Mapping(Round),
    Writing,
    Flipping,
    Opening,
    /// The record is made durable while the successors are discarded.
    Cleaning(Round),
}

/// The answer to the one action of a step.
enum Answer {
    None,
    Done,
    Bad(String),
}

impl Rollback {
    /// Goes back from where it is known whether the gates are open.
    pub(crate) fn enter(cx: &mut Context, now: Duration, cause: Cause) -> State {
        let met_callers = cx.plan.gated() && !cx.gates_are_closed();
        Self::begin(cx, now, cause, met_callers)
    }

    /// Goes back from an opening of gates that may have happened: callers may have met a successor.
    pub(crate) fn enter_with_gates_in_doubt(
        cx: &mut Context,
        now: Duration,
        cause: Cause,
    ) -> State {
        Self::begin(cx, now, cause, true)
    }

    fn begin(cx: &mut Context, now: Duration, cause: Cause, met_callers: bool) -> State {
        cx.close(now, PhaseResult::Failed);
        cx.open(Phase::Rollback, now, cx.plan.deadlines.rollback);
        let rollback = Self { cause, stuck: Stuck::default(), step: Step::Quiescing };
        if met_callers {
            cx.gates_close(now);
            cx.perform(Action::QuiesceBack);
            State::Rollback(rollback)
        } else {
            rollback.write(cx, now)
        }
    }

    pub(crate) fn handle(mut self, cx: &mut Context, now: Duration, input: Input) -> State {
        match self.step {
            Step::Quiescing => match answer(Action::QuiesceBack, input) {
                Answer::None => State::Rollback(self),
                Answer::Done => self.map_back(cx, now),
                Answer::Bad(why) => {
                    for member in cx.plan.carrying() {
                        cx.state_at_commit(member, &format!("not drained: {why}"));
                    }
                    self.write(cx, now)
                }
            },
            Step::Mapping(ref mut round) => {
                for (action, why) in round.lenient_failures(&input) {
                    if let Some(member) = action.member() {
                        cx.state_at_commit(member, &why);
                    }
                }
                if round.is_complete() { self.write(cx, now) } else { State::Rollback(self) }
            }
            Step::Writing => match answer(Action::WriteRollback, input) {
                Answer::None => State::Rollback(self),
                Answer::Done => self.flip(cx, now),
                Answer::Bad(why) => {
                    cx.doubt(Action::WriteRollback, why);
                    self.flip(cx, now)
                }
            },
            Step::Flipping => match answer(Action::FlipBack, input) {
                Answer::None => State::Rollback(self),
                Answer::Done => self.open(cx, now),
                Answer::Bad(why) => {
                    cx.doubt(Action::FlipBack, why);
                    self.stuck.flip = true;
                    self.open(cx, now)
                }
            },
            Step::Opening => match answer(Action::OpenGatesBack, input) {
                Answer::None => State::Rollback(self),
                Answer::Done => {
                    cx.gates_open(now);
                    self.clean(cx, now)
                }
                Answer::Bad(why) => {
                    cx.doubt(Action::OpenGatesBack, why);
                    self.stuck.gates = true;
                    self.clean(cx, now)
                }
            },
            Step::Cleaning(ref mut round) => {
                if round.lenient(cx, &input) {
                    return self.end(cx, now);
                }
                State::Rollback(self)
            }
        }
    }

    fn map_back(self, cx: &mut Context, now: Duration) -> State {
        cx.limit(now, cx.plan.deadlines.rollback);
        let carrying = cx.plan.carrying();
        let round = Round::begin(cx, carrying.into_iter().map(Action::MapStateBack));
        if round.is_complete() {
            return self.write(cx, now);
        }
        State::Rollback(Self { step: Step::Mapping(round), ..self })
    }

    fn write(self, cx: &mut Context, now: Duration) -> State {
        self.order(cx, now, Action::WriteRollback, Step::Writing)
    }

    fn flip(self, cx: &mut Context, now: Duration) -> State {
        self.order(cx, now, Action::FlipBack, Step::Flipping)
    }

    fn open(self, cx: &mut Context, now: Duration) -> State {
        if cx.gates_are_closed() {
            self.order(cx, now, Action::OpenGatesBack, Step::Opening)
        } else {
            self.clean(cx, now)
        }
    }

    fn clean(self, cx: &mut Context, now: Duration) -> State {
        cx.limit(now, cx.plan.deadlines.sync);
        // Successors that may still be current are not discarded.
        let discards = if self.stuck.flip { Vec::new() } else { cx.loaded() };
        let actions = [Action::SyncRollback].into_iter();
        let round = Round::begin(cx, actions.chain(discards.into_iter().map(Action::Discard)));
        State::Rollback(Self { step: Step::Cleaning(round), ..self })
    }

    fn end(self, cx: &mut Context, now: Duration) -> State {
        let Stuck { flip, gates } = self.stuck;
        let verdict = if flip || gates { Verdict::Unreachable } else { Verdict::RolledBack };
        cx.end(now, verdict, Some(self.cause), flip)
    }

    fn order(self, cx: &mut Context, now: Duration, action: Action, step: Step) -> State {
        cx.limit(now, cx.plan.deadlines.rollback);
        cx.perform(action);
        State::Rollback(Self { step, ..self })
    }
}

fn answer(awaited: Action, input: Input) -> Answer {
    match input {
        Input::Done(action) if action == awaited => Answer::Done,
        Input::Failed(action, reason) if action == awaited => Answer::Bad(reason.to_string()),
        Input::Late => Answer::Bad(Reason::Late.to_string()),
        _ => Answer::None,
    }
}
