//! The User-based Security Model (RFC 3414): proves where a message came from, and makes messages that can be.
//!
//! It never interprets a PDU (but tells a Report from others, see [`incoming`]), never decides what a user
//! may see, and computes no code and no cipher: the modules `auth.*` and `priv.*` do. In the order in which
//! a message meets the files: [`incoming`] proves it, [`window`] knows the clocks of other engines,
//! [`size`] what fits in an answer, [`outgoing`] makes the answer. [`users`] is the table of users,
//! [`keys`] turns it into the keys that messages are proven with, [`settings`] is where users come from,
//! [`mib`] shows and changes them as SNMP-USER-BASED-SM-MIB, with the new keys that [`key_change`] makes.
//! [`usm`] holds them together; here is what makes a version of the module, and what its successor takes over.
//!
//! Invariants:
//! 1. A key is derived once, when its user comes or when the module for its protocol does, and is wiped
//!    when it goes. No password is kept once its key is there.
//! 2. The path of a message whose user is known takes no lock that anybody waits for, and once warmed up
//!    allocates nothing. It sees one [`keys::Snapshot`] of all users; whoever changes users makes a new
//!    one beside it, holding no lock while it calls other modules.
//! 3. An answer is made with the user, the keys and the clock with which its request was admitted, whatever
//!    happened to the user since.

mod auth;
pub mod incoming;
pub mod key_change;
pub mod keys;
pub mod mib;
pub mod outgoing;
pub mod settings;
pub mod size;
pub mod users;
pub mod usm;
pub mod window;

use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityHeader, SecurityModel,
    SecurityStateReference,
};
use s_sdk::{Activity, Buf, CarriesState, Host, Module, Refusal, State, s_module};
use users::{UserRow, Users};
pub(crate) use usm::{Asked, Place};
pub use usm::{MAX_KEY, MAX_NAME, Usm};
use window::{Engines, RemoteEngine};

/// This version has nothing that others do not have.
#[derive(Default)]
pub(crate) struct Own {}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "usm", version = 1)]
pub struct UsmState {
    /// The users, with their keys.
    pub users: Vec<UserRow>,
    /// Configured users as SETs have changed them, who wait for their configuration or for a module.
    pub changed: Vec<UserRow>,
    /// usmUserSpinLock.
    pub spin_lock: i32,
    /// The clocks of other engines.
    pub engines: Vec<RemoteEngine>,
}

#[s_module(
    component = "security.usm",
    version = "1.0.0",
    annotation = "RFC 3414: the User-based Security Model",
    also(roles::settings::Settings, roles::settings::Persistence, roles::mib::MibAccess),
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

impl CarriesState for Usm {
    type State = UsmState;

    fn export(&self) -> UsmState {
        let users = self.users.state();
        UsmState {
            users: users.rows().cloned().collect(),
            changed: users.changed.clone(),
            spin_lock: users.spin_lock,
            engines: self.engines().rows().to_vec(),
        }
    }

    fn import(&self, state: UsmState) -> Result<(), Refusal> {
        let UsmState { users, changed, spin_lock, engines } = state;
        self.users.update(|table| *table = Users::with(users, changed, spin_lock));
        *self.engines() = Engines::with(engines);
        Ok(())
    }
}
