//! A round: actions handed out at once, and the answers still missing.
//!
//! It decides nothing about the transaction. Invariant: an answer to an action that is not in the round,
//! or was answered before, changes nothing.

use crate::machine::{Context, Control, Input};
use crate::{Action, Reason};

#[derive(Debug)]
pub(crate) struct Round {
    waiting: Vec<Action>,
}

/// What an input means for a round in which every answer has to be good.
pub(crate) enum Heard {
    Waiting,
    Complete,
    Broken(Option<usize>, Reason),
}

impl Round {
    pub(crate) fn begin(cx: &mut Context, actions: impl IntoIterator<Item = Action>) -> Self {
        let waiting: Vec<Action> = actions.into_iter().collect();
        for &action in &waiting {
            cx.perform(action);
        }
        Self { waiting }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Before the decision: the first bad answer, the first deadline or the operator ends it.
    pub(crate) fn strict(&mut self, input: Input) -> Heard {
        let first = self.waiting.first().and_then(Action::member);
        match input {
            Input::Done(action) if self.strike(action) && self.is_complete() => Heard::Complete,
            Input::Failed(action, reason) if self.strike(action) => {
                Heard::Broken(action.member(), reason)
            }
            Input::Late => Heard::Broken(first, Reason::Late),
            Input::Overdue => Heard::Broken(first, Reason::Overdue),
            Input::Control(Control::Abort) => Heard::Broken(None, Reason::Operator),
            // Trouble before the flip is the predecessor's: this transaction is its cure, or nothing to it.
            _ => Heard::Waiting,
        }
    }

    /// Where there is no way but on: bad and missing answers become doubts. Says whether it is over.
    pub(crate) fn lenient(&mut self, cx: &mut Context, input: &Input) -> bool {
        for (action, why) in self.lenient_failures(input) {
            cx.doubt(action, why);
        }
        self.is_complete()
    }

    /// As [`Round::lenient`], for a caller that has its own word for a failure.
    pub(crate) fn lenient_failures(&mut self, input: &Input) -> Vec<(Action, String)> {
        match input {
            Input::Done(action) => {
                self.strike(*action);
                Vec::new()
            }
            Input::Failed(action, reason) if self.strike(*action) => {
                vec![(*action, reason.to_string())]
            }
            Input::Late => {
                self.waiting.drain(..).map(|action| (action, Reason::Late.to_string())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn strike(&mut self, action: Action) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|a| *a != action);
        self.waiting.len() < before
    }
}
