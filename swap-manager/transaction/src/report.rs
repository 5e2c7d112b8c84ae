//! What is told about a swap: which phase, which member, why, and what serves now.
//!
//! Values and sentences only. Invariant: an [`Outcome`] always says what serves, and never claims more
//! than is known; what is not known is a [`Doubt`].

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::history::{Span, micros, micros_opt};
use crate::{Action, Phase, Plan};

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The successors serve, the record is durable, the confirm window is over.
    Committed,
    /// Nothing has changed: the predecessors never stopped being the current set.
    Aborted,
    /// The successors served for a while; the predecessors are back.
    RolledBack,
    /// A step that cannot fail did. What serves keeps serving; this is our bug, please report it.
    Unreachable,
}

/// The end of a transaction, in facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The transaction's number.
    pub txn: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// What ended it; `None` when everything went well.
    pub cause: Option<Cause>,
    /// What serves now, member by member.
    pub serving: Vec<Serving>,
    /// What is left in an unknown or unwanted state.
    pub doubts: Vec<Doubt>,
    /// Gate closed → gate open on the way forward (or until the abort opened it).
    #[serde(rename = "blackout_us", serialize_with = "micros_opt")]
    pub blackout: Option<Duration>,
    /// Gate closed → gate open of the rollback.
    #[serde(rename = "rollback_blackout_us", serialize_with = "micros_opt")]
    pub rollback_blackout: Option<Duration>,
    /// From `begin` to the end.
    #[serde(rename = "took_us", serialize_with = "micros")]
    pub took: Duration,
    /// Every phase that was entered, in order.
    pub phases: Vec<Span>,
}

/// Which version of a component serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Serving {
    /// The component's name.
    pub component: String,
    /// Its version; `None` when the component has no module.
    pub version: Option<String>,
}

/// What ended a transaction before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The phase in which it happened.
    pub phase: Phase,
    /// The component, where one is to blame.
    pub component: Option<String>,
    /// The version of the successor to blame, where there is one.
    pub version: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a transaction was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An action failed, in the executor's words.
    Failed(String),
    /// A member voted no, in its own words.
    VotedNo(String),
    /// The phase's deadline passed.
    Late,
    /// The deadline of the whole transaction passed.
    Overdue,
    /// The operator asked for it.
    Operator,
    /// A successor did badly after the flip.
    Trouble(Trouble),
    /// The operator's word did not come in time.
    Silence,
}

/// How a successor did badly after the flip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It panicked.
    Panic(String),
    /// It answered with more errors than allowed.
    ErrorRate(String),
    /// It answered too late.
    MissedDeadline(String),
}

/// What a transaction leaves behind that it did not want to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The predecessor is back with the state that it had at the commit: later changes are lost.
    StateAtCommit {
        /// The component's name.
        component: String,
        /// Why its state could not be mapped back.
        why: String,
    },
    /// This step is not known to have happened, or is known not to have.
    Step {
        /// The action.
        action: Action,
        /// The component, where it was the action of one member.
        component: Option<String>,
        /// What is known.
        why: String,
    },
}

impl Cause {
    pub(crate) fn new(plan: &Plan, phase: Phase, member: Option<usize>, reason: Reason) -> Self {
        let member = member.and_then(|m| plan.members.get(m));
        Self {
            phase,
            component: member.map(|m| m.component.clone()),
            version: member.and_then(|m| m.to()).map(str::to_owned),
            reason,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Committed => "committed",
            Verdict::Aborted => "aborted",
            Verdict::RolledBack => "rolled back",
            Verdict::Unreachable => "UNREACHABLE (please report)",
        };
        write!(f, "swap {} {verdict}", self.txn)?;
        if let Some(cause) = &self.cause {
            write!(f, " {cause}")?;
        }
        let still = match self.verdict {
            Verdict::Aborted => "still serving",
            Verdict::RolledBack => "serving again",
            Verdict::Committed | Verdict::Unreachable => "serving",
        };
        // A group is named member by member; a single swap needs no repetition of its name.
        let mut before = "; ";
        for serving in &self.serving {
            f.write_str(before)?;
            before = ", ";
            if self.serving.len() > 1 {
                write!(f, "{} ", serving.component)?;
            }
            match &serving.version {
                Some(version) => f.write_str(version)?,
                None => f.write_str("no module")?,
            }
        }
        write!(f, " {still}")?;
        for doubt in &self.doubts {
            write!(f, "; {doubt}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: ", self.phase)?;
        if let Some(component) = &self.component {
            f.write_str(component)?;
            if let Some(version) = &self.version {
                write!(f, " {version}")?;
            }
            f.write_str(": ")?;
        }
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::VotedNo(why) => write!(f, "voted no: {why}"),
            Self::Late => f.write_str("no answer before the phase's deadline"),
            Self::Overdue => f.write_str("the deadline of the whole swap passed"),
            Self::Operator => f.write_str("asked by the operator"),
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Silence => f.write_str("the operator did not confirm in time"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(what) => write!(f, "panicked: {what}"),
            Self::ErrorRate(what) => write!(f, "too many errors: {what}"),
            Self::MissedDeadline(what) => write!(f, "too slow: {what}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateAtCommit { component, why } => {
                write!(f, "{component} is back with its state of the commit ({why})")
            }
            Self::Step { action, component, why } => {
                write!(f, "{}", action.name())?;
                if let Some(component) = component {
                    write!(f, " of {component}")?;
                }
                write!(f, ": {why}")
            }
        }
    }
}
