//! What the sender may see: one view for a request, asked once per name (RFC 3413 §3.2).

use roles::access::{
    AccessControl as _, AccessControlProxy, AccessErrorKind, Asking, ViewReference, ViewType,
};
use roles::varbind::ErrorStatus;
use s_sdk::Activity;
use s_wire::PduKind;

/// The view of one request.
pub struct View<'a> {
    pub(crate) access: &'a AccessControlProxy,
    pub(crate) act: &'a Activity,
    pub(crate) view: ViewReference,
}

/// Why a request has no view.
pub enum NoView {
    /// There is no such context: a Report, or nothing (RFC 3413 §3.2 step 5).
    NoContext,
    /// The response carries this.
    Refused(ErrorStatus),
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
    ) -> Result<Self, NoView> {
        match access.find_view(act, asking, security_name, context_name) {
            Ok(view) => Ok(View { access, act, view }),
            Err(error) => Err(match error.kind {
                AccessErrorKind::NoSuchContext => NoView::NoContext,
                AccessErrorKind::NoSuchView
                | AccessErrorKind::NoGroupName
                | AccessErrorKind::NoAccessEntry => {
                    NoView::Refused(ErrorStatus::AuthorizationError)
                }
                AccessErrorKind::NotInView
                | AccessErrorKind::OtherError
                | AccessErrorKind::StaleReference
                | AccessErrorKind::Call => NoView::Refused(ErrorStatus::GenErr),
            }),
        }
    }

    /// Whether a name is in it.
    ///
    /// # Errors
    /// It cannot be determined: genErr (RFC 3413 §3.2 step 4, otherError).
    pub fn has(&self, name: &[u32]) -> Result<bool, ErrorStatus> {
        self.access.is_in_view(self.act, self.view, name).map_err(|_| ErrorStatus::GenErr)
    }
}

/// What a PDU wants to do (RFC 3413 §3.2 step 3: viewType).
pub const fn view_type(kind: PduKind) -> ViewType {
    match kind {
        PduKind::Set => ViewType::Write,
        _ => ViewType::Read,
    }
}
