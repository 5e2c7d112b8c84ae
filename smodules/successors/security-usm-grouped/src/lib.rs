//! The User-based Security Model, version 3: as version 2, for the group of `grouped-role`.
//!
//! `message.v3` reaches it through [`GroupedSecurity`] alone, and it reaches `auth.sha2` so; the other
//! modules for authentication and privacy it reaches by their roles. Its state is that of version 2, with the
//! rules that lead to version 1. It is compiled with the same sources, and never changes what they do.

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
#[path = "../../security-usm-next/src/state.rs"]
pub mod state;
#[path = "../../../security-usm/src/users.rs"]
pub mod users;
#[path = "../../../security-usm/src/usm.rs"]
pub mod usm;
#[path = "../../../security-usm/src/window.rs"]
pub mod window;

use grouped_role::{Envelope, GroupedSecurity, Outgoing};
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
    version = "3.0.0",
    annotation = "RFC 3414: the User-based Security Model, with an interface of its group's own",
    depends("message.v3" = "^2", "auth.sha2" = "^2"),
    also(
        roles::settings::Settings,
        roles::settings::Persistence,
        roles::mib::MibAccess,
        UsmHistory
    ),
    carries_state
)]
impl GroupedSecurity for Usm {
    fn admit(
        &self,
        act: &Activity,
        envelope: Envelope,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        self.process_incoming(act, envelope.header, envelope.parts, message, data)
    }

    fn make(
        &self,
        act: &Activity,
        outgoing: Outgoing,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let Outgoing { header, state, is_answer } = outgoing;
        match is_answer {
            0 => self.generate_request(act, header, global_data, data, message),
            _ => self.generate_response(act, header, global_data, data, state, message),
        }
    }
}

/// Not told to anybody outside: for the suite of its role.
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
