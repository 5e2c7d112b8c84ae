//! The User-based Security Model (RFC 3414): proves where a message came from, and makes messages that can be.
//!
//! It never interprets a PDU (but tells a Report from others, see [`incoming`]), never decides what a user
//! may see, and computes no code and no cipher: the modules `auth.*` and `priv.*` do. In the order in which
//! a message meets the files: [`incoming`] proves it, [`window`] knows the clocks of other engines,
//! [`size`] what fits in an answer, [`outgoing`] makes the answer. [`users`] is the table of users,
//! [`keys`] turns it into the keys that messages are proven with, [`settings`] is where users come from,
//! [`mib`] shows and changes them as SNMP-USER-BASED-SM-MIB, with the new keys that [`key_change`] makes.
//!
//! Invariants:
//! 1. A key is derived once, when its user comes or when the module for its protocol does, and is wiped
//!    when it goes. No password is kept once its key is there.
//! 2. The path of a message whose user is known takes no lock that anybody waits for, and once warmed up
//!    allocates nothing. It sees one [`keys::Snapshot`] of all users; whoever changes users makes a new
//!    one beside it, holding no lock while it calls other modules.
//! 3. An answer is made with the user, the keys and the clock with which its request was admitted, whatever
//!    happened to the user since.

pub mod incoming;
pub mod key_change;
pub mod keys;
pub mod mib;
pub mod outgoing;
pub mod settings;
pub mod size;
pub mod users;
pub mod window;

use keys::Snapshot;
use mib_kit::syntax::first_number;
use mib_kit::{Mib, Revision, Store};
use roles::engine::{Engine, EngineProxy};
use roles::privacy::EngineTime;
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityHeader, SecurityModel,
    SecurityStateReference,
};
use s_sdk::error::CallErrorKind;
use s_sdk::{
    Activity, Buf, CallError, CarriesState, Host, Module, Plain, Refusal, State, s_module,
};
use scratch::Pool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use users::{UserRow, Users};
use window::{Engines, RemoteEngine};

/// A user's name has so many octets at most (RFC 3414 §5, usmUserName).
pub const MAX_NAME: usize = 32;

/// No localized key is longer: that of SHA-512, and what privacy protocols take of it.
pub const MAX_KEY: usize = 64;

/// The module.
pub struct Usm {
    host: Host,
    engine: EngineProxy,
    /// The engine never changes it (contract of the engine, 1), so it is asked once.
    own_engine_id: OnceLock<Box<[u8]>>,
    mib: Mib<Users, Users>,
    users: Store<Users>,
    revision: Revision,
    snapshot: RwLock<Arc<Snapshot>>,
    /// The number of the snapshot: what the path of a message looks at instead of the lock.
    generation: AtomicU64,
    /// How many snapshots there were; held while one is put in place.
    snapshots: Mutex<u64>,
    engines: Mutex<Engines>,
    pool: Pool<Place>,
}

/// What a lane works with.
#[derive(Default)]
pub(crate) struct Place {
    seen: Option<Arc<Snapshot>>,
    salt: Buf,
    mac: Buf,
}

/// What an answer needs of its request (RFC 3414 §3.2 steps 2 and 10: cachedSecurityData). The keys are in
/// it because they may be changed by the very request that it is for.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
pub(crate) struct Asked {
    /// The clock when the request was admitted, so that an answer is as long as was computed then.
    clock: EngineTime,
    /// Where the snapshot of then had the user.
    user: u32,
    auth: [u32; 2],
    auth_key_len: u32,
    privacy: [u32; 2],
    priv_key_len: u32,
    name_len: u32,
    name: [u8; MAX_NAME],
    auth_key: [u8; MAX_KEY],
    priv_key: [u8; MAX_KEY],
}

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

impl Usm {
    fn engines(&self) -> MutexGuard<'_, Engines> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_engine_id(&self, act: &Activity) -> Result<&[u8], CallError> {
        if let Some(known) = self.own_engine_id.get() {
            return Ok(known);
        }
        let mut engine_id = Buf::new();
        self.engine.engine_id(act, &mut engine_id)?;
        Ok(self.own_engine_id.get_or_init(|| engine_id.to_vec().into()))
    }

    /// The users as they are now, in the lane's place.
    #[inline]
    fn look<'p>(&self, act: &Activity, place: &'p mut Place) -> Result<&'p Snapshot, CallError> {
        let now = self.generation.load(Ordering::Acquire);
        if place.seen.as_ref().is_none_or(|seen| seen.generation != now) {
            place.seen = Some(self.look_anew(act)?);
        }
        // Just put there.
        place.seen.as_deref().ok_or(CallError::new(CallErrorKind::Absent))
    }

    #[cold]
    fn look_anew(&self, act: &Activity) -> Result<Arc<Snapshot>, CallError> {
        // Generation 0: no activity was met yet in which keys could have been derived.
        if self.generation.load(Ordering::Acquire) == 0 {
            self.renew(act)?;
        }
        Ok(self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Derives and prepares the keys of all users, and shows them to all activities.
    ///
    /// # Errors
    /// The users changed faster than their keys could be derived.
    pub(crate) fn renew(&self, act: &Activity) -> Result<(), CallError> {
        // No lock is held while other modules are called: a caller may have to wait at their gates, for
        // activities that wait for the lock.
        for _attempt in 0..16 {
            let seen = self.users.state();
            let mut users = Users::clone(&seen);
            let active = keys::Protocols::new(&self.host, act).activate(&mut users);
            let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
            // With keys where passwords were it is the same table.
            let is_restated = !users.rows().eq(seen.rows()) || users.changed != seen.changed;
            let is_present = match is_restated {
                true => self.users.restate(&seen, users),
                false => Arc::ptr_eq(&seen, &self.users.state()),
            };
            if !is_present {
                continue;
            }
            *snapshots += 1;
            let generation = *snapshots;
            let snapshot = Arc::new(Snapshot { generation, users: active });
            *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot.clone();
            self.generation.store(generation, Ordering::Release);
            drop(snapshots);
            // Keys that are gone are not to wait in a place until its lane has work again.
            self.pool.each_free(|place| {
                if place.seen.as_ref().is_some_and(|seen| seen.generation < generation) {
                    place.seen = Some(snapshot.clone());
                }
            });
            return Ok(());
        }
        Err(CallError::new(CallErrorKind::Refused))
    }

    /// Changes the table of users otherwise than by a SET, and shows the change to all activities.
    ///
    /// # Errors
    /// The keys could not be renewed; the table is changed nevertheless, and the next message renews them.
    pub fn change_users<R>(
        &self,
        act: &Activity,
        change: impl FnOnce(&mut Users) -> R,
    ) -> Result<R, CallError> {
        let mut answer = None;
        self.users.update(|users| answer = Some(change(users)));
        self.show(act)?;
        answer.ok_or(CallError::new(CallErrorKind::Refused))
    }

    /// Shows a changed table of users to all activities that begin from now on.
    ///
    /// # Errors
    /// The keys could not be renewed; then the next message renews them.
    pub(crate) fn show(&self, act: &Activity) -> Result<(), CallError> {
        let renewed = self.renew(act);
        if renewed.is_err() {
            // As if there had never been a snapshot: whoever comes next makes one.
            self.generation.store(0, Ordering::Release);
        }
        renewed
    }
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
        let engine = host.lookup("engine").map_err(|error| Refusal(format!("engine: {error}")))?;
        let spin_lock = first_number(host, "usmUserSpinLock");
        Ok(Usm {
            host,
            engine,
            own_engine_id: OnceLock::new(),
            mib: mib::mib()?,
            users: Store::new(Users { spin_lock, ..Users::default() }),
            revision: Revision::default(),
            snapshot: RwLock::default(),
            generation: AtomicU64::new(0),
            snapshots: Mutex::default(),
            engines: Mutex::default(),
            pool: Pool::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::security::harmless(self, act)?;
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
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
