//! The User-based Security Model, version 2: what it does is what version 1 does, what it carries is not.
//!
//! Configured users and those that SETs made are two tables of the state now, the clocks of other engines
//! have another name, and it is remembered how often the users were taken over. The rules say how a state of
//! version 1 becomes one of version 2 and, because a swap can be taken back, how 2 becomes 1: users, keys
//! and clocks are the same afterwards.
//!
//! One shared object holds one module, so a version cannot be linked to the one before: this one is compiled
//! with the same sources, and never changes what they do.

#[path = "../../../security-usm/src/auth.rs"]
mod auth;
#[path = "../../../security-usm/src/incoming.rs"]
pub mod incoming;
#[path = "../../../security-usm/src/key_change.rs"]
pub mod key_change;
#[path = "../../../security-usm/src/keys.rs"]
pub mod keys;
#[path = "../../../security-usm/src/mib.rs"]
pub mod mib;
#[path = "../../../security-usm/src/outgoing.rs"]
pub mod outgoing;
#[path = "../../../security-usm/src/settings.rs"]
pub mod settings;
#[path = "../../../security-usm/src/size.rs"]
pub mod size;
pub mod state;
#[path = "../../../security-usm/src/users.rs"]
pub mod users;
#[path = "../../../security-usm/src/usm.rs"]
pub mod usm;
#[path = "../../../security-usm/src/window.rs"]
pub mod window;

use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityHeader, SecurityModel,
    SecurityStateReference,
};
use s_sdk::{Activity, Buf, Host, Module, Refusal, s_module};
pub(crate) use state::Own;
pub use state::{UsmHistory, UsmHistoryProxy, UsmState};
pub(crate) use usm::{Asked, Place};
pub use usm::{MAX_KEY, MAX_NAME, Usm};

#[s_module(
    component = "security.usm",
    version = "2.0.0",
    annotation = "RFC 3414: the User-based Security Model, with a state of version 2",
    also(
        roles::settings::Settings,
        roles::settings::Persistence,
        roles::mib::MibAccess,
        UsmHistory
    ),
    carries_state
)]
impl SecurityModel for Usm {
    fn process_incoming(
        &self,
        act: &Activity,
        header: SecurityHeader,
        parts: MessageParts,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        self.pool.with(act, |place| self.admit(act, &header, &parts, message, data, place))
    }

    fn generate_request(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        self.pool.with(act, |place| self.begin(act, &header, global_data, data, place, message))
    }

    fn generate_response(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        state: SecurityStateReference,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        self.pool.with(act, |place| {
            self.answer(act, &header, global_data, &data.scoped_pdu, state, place, message)
        })
    }
}

impl Module for Usm {
    fn init(host: Host) -> Result<Self, Refusal> {
        Usm::new(host)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        self.test(act)
    }
}
