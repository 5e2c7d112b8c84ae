//! The plan of a swap: which members change and how, decided before the transaction begins.
//!
//! A plan leaves no choices to the executor and is never changed while it runs. Invariant: a plan that
//! [`Plan::check`] passed names each component once and has at least one member.

use std::time::Duration;

use crate::Deadlines;

/// One swap of one component, or of a group of components that commit together or not at all.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number of the transaction; higher than every earlier one in the journal.
    pub id: u64,
    /// What changes. Actions and events name a member by its place in this list.
    pub members: Vec<Member>,
    /// How long each phase, and all of them together, may take.
    pub deadlines: Deadlines,
    /// What happens between the commit and the end of the predecessors.
    pub confirm: Confirm,
}

/// One component in a plan.
#[derive(Clone, Debug)]
pub struct Member {
    /// The component's name, such as `security.core`.
    pub component: String,
    /// What happens to it.
    pub change: Change,
    /// Whether it needs the gate, because it carries state or may not run in two generations at once. One
    /// such member closes the gates of the whole group; a plan without any has neither `quiesce` nor
    /// `map_state`. A group without any asks more of the proxies: an activity that is on the old side of
    /// one member must meet the old side of the others. Where they cannot promise this, mark the members.
    pub gated: bool,
}

/// What happens to a component; the strings are the versions as people know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The component gets its first module.
    Add {
        /// The successor's version.
        to: String,
    },
    /// One module follows another.
    Replace {
        /// The predecessor's version.
        from: String,
        /// The successor's version.
        to: String,
    },
    /// The component loses its module.
    Remove {
        /// The predecessor's version.
        from: String,
    },
}

/// The window after the commit in which the predecessors stay loaded and trouble brings them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// No window: the predecessors are retired as soon as the commit is durable.
    AtOnce,
    /// Probation: silence until the end of the window confirms.
    Probation(Duration),
    /// The operator's word is needed: silence until the end of the window reverts.
    ByOperator(Duration),
}

/// Why a plan cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// There is nothing to do.
    #[error("the plan has no members; name at least one component")]
    Empty,
    /// Two members would move the same component.
    #[error("the plan names {0} twice; a component changes once per transaction")]
    Twice(String),
}

impl Member {
    /// The version that serves before the swap.
    pub fn from(&self) -> Option<&str> {
        match &self.change {
            Change::Add { .. } => None,
            Change::Replace { from, .. } | Change::Remove { from } => Some(from),
        }
    }

    /// The version that serves after the swap.
    pub fn to(&self) -> Option<&str> {
        match &self.change {
            Change::Add { to } | Change::Replace { to, .. } => Some(to),
            Change::Remove { .. } => None,
        }
    }

    /// Whether state moves from a predecessor to a successor.
    fn carries(&self) -> bool {
        self.gated && matches!(self.change, Change::Replace { .. })
    }
}

impl Plan {
    /// Checks what the machine relies on.
    ///
    /// # Errors
    /// An empty plan, or a component named twice.
    pub fn check(&self) -> Result<(), PlanFault> {
        if self.members.is_empty() {
            return Err(PlanFault::Empty);
        }
        for (i, member) in self.members.iter().enumerate() {
            if self.members[..i].iter().any(|m| m.component == member.component) {
                return Err(PlanFault::Twice(member.component.clone()));
            }
        }
        Ok(())
    }

    /// Whether any gate has to be closed.
    pub fn gated(&self) -> bool {
        self.members.iter().any(|m| m.gated)
    }

    fn places(&self, wanted: impl Fn(&Member) -> bool) -> Vec<usize> {
        (0..self.members.len()).filter(|&m| wanted(&self.members[m])).collect()
    }

    /// Members that bring a successor.
    pub(crate) fn arriving(&self) -> Vec<usize> {
        self.places(|m| m.to().is_some())
    }

    /// Members that have a predecessor.
    pub(crate) fn leaving(&self) -> Vec<usize> {
        self.places(|m| m.from().is_some())
    }

    /// Members whose state crosses.
    pub(crate) fn carrying(&self) -> Vec<usize> {
        self.places(Member::carries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(components: &[&str]) -> Plan {
        let members = components.iter().map(|c| Member {
            component: (*c).into(),
            change: Change::Add { to: "1.0.0".into() },
            gated: true,
        });
        Plan {
            id: 1,
            members: members.collect(),
            deadlines: Deadlines::default(),
            confirm: Confirm::AtOnce,
        }
    }

    #[test]
    fn a_plan_needs_members_and_names_each_component_once() {
        assert_eq!(plan(&[]).check(), Err(PlanFault::Empty));
        assert_eq!(plan(&["a", "b", "a"]).check(), Err(PlanFault::Twice("a".into())));
        assert_eq!(plan(&["a", "b"]).check(), Ok(()));
    }
}
