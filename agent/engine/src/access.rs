//! What the sender may see: one view for a request, asked once per name (RFC 3413 §3.2).

use roles::access::{
    AccessControl as _, AccessControlProxy, AccessErrorKind, Asking, ViewReference, ViewType,
};
use roles::varbind::ErrorStatus;
use s_sdk::{Activity, List};
use s_wire::PduKind;

/// The view of one request.
pub struct View<'a> {
    pub(crate) access: &'a AccessControlProxy,
    pub(crate) act: &'a Activity,
    pub(crate) view: ViewReference,
}

impl<'a> View<'a> {
    /// The view of a principal.
    ///
    /// # Errors
    /// It has none.
    pub fn find(
        access: &'a AccessControlProxy,
        act: &'a Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
    ) -> Result<Self, AccessErrorKind> {
        let view = access.find_view(act, asking, security_name, context_name);
        view.map(|view| View { access, act, view }).map_err(|error| error.kind)
    }

    /// Whether a name is in it.
    ///
    /// # Errors
    /// It cannot be determined: genErr (RFC 3413 §3.2 step 4, otherError).
    pub fn has(&self, name: &[u32]) -> Result<bool, ErrorStatus> {
        self.access.is_in_view(self.act, self.view, name).map_err(|_| ErrorStatus::GenErr)
    }

    /// Where something in the view may follow from a name on, which is then in `next`.
    pub fn onward(&self, name: &[u32], next: &mut List<u32>) -> Onward {
        next.clear();
        match self.access.next_in_view(self.act, self.view, name, next) {
            Ok(true) if **next > *name => Onward::At,
            Ok(false) => Onward::Nowhere,
            // A module may lack this: then a walk goes step by step.
            Ok(true) | Err(_) => Onward::Next,
        }
    }
}

/// Where a walk goes on from a name that is not in a view.
pub enum Onward {
    /// At the next name: more is not known.
    Next,
    /// Nothing before the name that was appended is in the view.
    At,
    /// Nothing more is in the view.
    Nowhere,
}

/// What a response says of a refusal, where it is no Report (RFC 3413 §3.2 steps 4 and 5).
pub const fn status_of(kind: AccessErrorKind) -> ErrorStatus {
    match kind {
        AccessErrorKind::NoSuchView
        | AccessErrorKind::NoGroupName
        | AccessErrorKind::NoAccessEntry => ErrorStatus::AuthorizationError,
        AccessErrorKind::NoSuchContext
        | AccessErrorKind::NotInView
        | AccessErrorKind::OtherError
        | AccessErrorKind::StaleReference
        | AccessErrorKind::Call => ErrorStatus::GenErr,
    }
}

/// What a PDU wants to do (RFC 3413 §3.2 step 3: viewType).
pub const fn view_type(kind: PduKind) -> ViewType {
    match kind {
        PduKind::Set => ViewType::Write,
        _ => ViewType::Read,
    }
}
