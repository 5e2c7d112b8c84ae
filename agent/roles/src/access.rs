//! Access control (RFC 3411 §4.3; RFC 3415): says whether a principal may see or change a variable.
//!
//! A module of this role knows groups, access rights and views. It never sees a value and never touches a
//! MIB. Finding a view costs lookups in three tables, asking whether a name is in it costs little; a
//! request has one view and many names, so the two are apart.
//!
//! The contract:
//! 1. `is_access_allowed` answers as RFC 3415 §3.2 does, with the first reason of its steps: context,
//!    group, access entry, view, name. `Ok` is accessAllowed.
//! 2. `find_view` followed by `is_in_view` answers what `is_access_allowed` answers; the reference is
//!    good until the activity ends.
//! 3. A reference of another activity is refused with `StaleReference`.
//! 4. Within one activity the answers for one view do not change, even if a SET changes the tables.
//! 5. A higher security level never sees less than a lower one through the same access entry
//!    (RFC 3415 §4: vacmAccessSecurityLevel is a minimum).
//! 6. `next_in_view` appends a name that is not less than the one given, and no name between the two is in
//!    the view; whether the appended one is has to be asked. Where no name from the given one on is in the
//!    view it appends nothing and answers `false`. A module without it is walked name by name.

use crate::error::{Counter, role_error};
use crate::varbind::SecurityLevel;
use s_sdk::{Activity, Handle, List, Plain, behavior};

/// A view as the module keeps it until the activity ends.
pub type ViewReference = Handle<()>;

/// What is to be done with a variable (RFC 3411 §4.3: viewType).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Plain)]
#[repr(u32)]
pub enum ViewType {
    /// Get, GetNext, GetBulk.
    Read = 0,
    /// Set.
    Write = 1,
    /// Traps and informs.
    Notify = 2,
}

/// How the principal was proven, and what it wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Asking {
    /// The security model that proved it.
    pub security_model: u32,
    /// At which level.
    pub security_level: SecurityLevel,
    /// What it wants to do.
    pub view_type: ViewType,
}

role_error! {
    /// RFC 3415 §3.1: the statusInformation of a refusal.
    AccessError of AccessErrorKind;
    /// The name is not in the view.
    NotInView = 1, "the variable is not in the view", None;
    /// The access entry names no view for this.
    NoSuchView = 2, "there is no view for this operation", None;
    /// There is no such context.
    NoSuchContext = 3, "there is no such context", Some(Counter::UnknownContexts);
    /// The principal is in no group.
    NoGroupName = 4, "the principal is in no group", None;
    /// The group has no access entry for this.
    NoAccessEntry = 5, "the group has no access right for this", None;
    /// Something else failed.
    OtherError = 6, "access cannot be determined", None;
    /// Nothing of this activity was kept under the reference.
    StaleReference = 7, "the view belongs to another activity", None;
}

/// Says who may see and change what.
#[behavior(name = "access-control")]
pub trait AccessControl {
    /// Whether one variable may be accessed (RFC 3411 §4.3: isAccessAllowed).
    fn is_access_allowed(
        &self,
        act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
        variable: &[u32],
    ) -> Result<(), AccessError>;

    /// The view of a principal in a context: steps 1 to 4 of RFC 3415 §3.2.
    fn find_view(
        &self,
        act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
    ) -> Result<ViewReference, AccessError>;

    /// Whether a name is in a view: step 5 of RFC 3415 §3.2. `NotInView` is `Ok(false)`.
    fn is_in_view(
        &self,
        act: &Activity,
        view: ViewReference,
        variable: &[u32],
    ) -> Result<bool, AccessError>;

    /// Appends a name up to which nothing from a name on is in a view; false where nothing more is in it.
    #[optional]
    fn next_in_view(
        &self,
        act: &Activity,
        view: ViewReference,
        from: &[u32],
        next: &mut List<u32>,
    ) -> Result<bool, AccessError>;
}
