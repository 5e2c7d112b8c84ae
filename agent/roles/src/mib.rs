//! MIB access (RFC 3411 §3.3 MIB instrumentation; RFC 3416 §4.2): answers for the variables of some subtrees.
//!
//! A module of this role knows its variables. It never decides who may see them, never encodes, and never
//! answers outside what it registered. Names come in batches: one call answers all names of a request
//! that belong to it, and for GETBULK all rows of a table.
//!
//! The contract:
//! 1. `subtrees` appends one binding per registered subtree: its root as the name, the context as octets.
//!    `sys_or_entries` appends one per entry of the sysORTable: sysORID and sysORDescr (RFC 3418).
//!    Neither changes while the module serves.
//! 2. `get` appends one binding per name of the stretch, in their order, each with its name, and with a
//!    value, `NoSuchObject` or `NoSuchInstance` (RFC 3416 §4.2.1).
//! 3. `get_next` appends, per name of the stretch, the first variable after it in lexicographical order
//!    that is below `before`; where there is none, the name itself with `EndOfMibView` (RFC 3416 §4.2.2).
//!    Names that it answers are greater than the ones asked for and lie in a registered subtree: "OID not
//!    increasing" cannot happen.
//! 4. With `repetitions` above 1 the rows follow each other: all names of the stretch, then their
//!    successors, and so on (RFC 3416 §4.2.3). It may stop after any whole row: when every name of a row
//!    is at its end, when the answers are full, or when it has worked long enough. At least one row is
//!    answered. A full output ends the answer after the last whole row, and is an error only if that is
//!    none.
//! 5. `get_next` repeated from its own answers visits every variable that `get` answers with a value,
//!    each once.
//! 6. `set_check` changes nothing that anybody can see. If it answers a reference, `set_apply` with it
//!    succeeds unless a resource fails (RFC 3416 §4.2.5: the two phases).
//! 7. After `set_apply`, `get` answers the new values; after `set_undo` the old ones. `set_cleanup` ends
//!    the SET, whichever way it went, and frees what it reserved; nothing else is called with that
//!    reference afterwards. It is called for every reference that `set_check` answered.
//! 8. Several bindings of one SET are checked and applied as if at once (RFC 3416 §4.2.5), so a row may be
//!    created by bindings in any order.
//! 9. A refusal names the binding at fault, by its position in the list, counted from 1.
//! 10. A module without the `set_*` methods is read-only: the call answers `NotWritable`.
//! 11. Who asks comes with `set_check` and was proven by its security model. Access was decided before; a
//!     module looks at it only where an object is one principal's own (RFC 3414 §5, usmUserOwnAuthKeyChange).

use crate::varbind::{ErrorStatus, Span, VarBinds};
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, CallError, Full, Handle, Plain, behavior};
use std::fmt;

/// What the module reserved for a SET, until the activity ends.
pub type SetReference = Handle<()>;

/// Which names of a list to walk from, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Walk {
    /// The names of the list.
    pub which: Span,
    /// How many rows at most; 1 for GETNEXT.
    pub repetitions: u32,
}

/// Why a MIB module refused. It moves no counter: the response carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct MibError {
    /// The error-status of the response.
    pub status: ErrorStatus,
    /// The position of the binding in the list, counted from 1; 0 where it is not about one.
    pub index: u32,
    /// The number of a `CallErrorKind` where the call itself failed; otherwise 0.
    pub call: u32,
}

impl MibError {
    /// A refusal of the binding at a position, counted from 0 as everywhere else.
    pub fn at(status: ErrorStatus, position: usize) -> Self {
        MibError {
            status,
            index: u32::try_from(position).map_or(0, |at| at.saturating_add(1)),
            call: 0,
        }
    }
}

impl fmt::Display for MibError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => self.status.fmt(f),
            index => write!(f, "{} at binding {index}", self.status),
        }
    }
}

impl std::error::Error for MibError {}

impl From<CallError> for MibError {
    fn from(error: CallError) -> Self {
        let status = match error.kind {
            // Only `set_*` is optional, so what a module lacks is the ability to be written.
            CallErrorKind::NotUnderstood => ErrorStatus::NotWritable,
            CallErrorKind::Full => ErrorStatus::TooBig,
            _ => ErrorStatus::GenErr,
        };
        MibError { status, index: 0, call: error.kind as u32 }
    }
}

impl From<Full> for MibError {
    fn from(full: Full) -> Self {
        CallError::from(full).into()
    }
}

/// Answers for the variables of some subtrees.
#[behavior(name = "mib-access")]
pub trait MibAccess {
    /// Appends the subtrees that the module answers for, each with its context.
    fn subtrees(&self, act: &Activity, subtrees: &mut VarBinds) -> Result<(), MibError>;

    /// Appends the module's entries of the sysORTable.
    fn sys_or_entries(&self, act: &Activity, entries: &mut VarBinds) -> Result<(), MibError>;

    /// Appends the variables with these names.
    fn get(
        &self,
        act: &Activity,
        context: &[u8],
        names: &VarBinds,
        which: Span,
        answers: &mut VarBinds,
    ) -> Result<(), MibError>;

    /// Appends the variables after these names and below `before`, row by row.
    fn get_next(
        &self,
        act: &Activity,
        context: &[u8],
        names: &VarBinds,
        walk: Walk,
        before: &[u32],
        answers: &mut VarBinds,
    ) -> Result<(), MibError>;

    /// Checks whether the bindings could be applied for a principal, and reserves what that takes.
    #[optional]
    fn set_check(
        &self,
        act: &Activity,
        security_model: u32,
        security_name: &[u8],
        context: &[u8],
        binds: &VarBinds,
        which: Span,
    ) -> Result<SetReference, MibError>;

    /// Applies them.
    #[optional]
    fn set_apply(
        &self,
        act: &Activity,
        set: SetReference,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError>;

    /// Takes an applied SET back, because another module of the same SET failed.
    #[optional]
    fn set_undo(
        &self,
        act: &Activity,
        set: SetReference,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError>;

    /// Ends the SET.
    #[optional]
    fn set_cleanup(&self, act: &Activity, set: SetReference) -> Result<(), MibError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_lacks_is_not_writable_and_what_does_not_fit_is_too_big() {
        let status = |kind| MibError::from(CallError::new(kind)).status;
        assert_eq!(status(CallErrorKind::NotUnderstood), ErrorStatus::NotWritable);
        assert_eq!(status(CallErrorKind::Full), ErrorStatus::TooBig);
        assert_eq!(status(CallErrorKind::Panicked), ErrorStatus::GenErr);
        assert_eq!(MibError::at(ErrorStatus::WrongType, 0).to_string(), "wrongType at binding 1");
    }
}
