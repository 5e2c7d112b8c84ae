//! The model: the users with the keys that messages are proven with, and where messages wait meanwhile.
//!
//! It never says what a successor takes over: each version of the module says that itself, in its `lib.rs`,
//! and is compiled with the same sources otherwise. One shared object holds one module, so a version cannot
//! be linked to the one before.

use crate::Own;
use crate::keys::{self, Snapshot};
use crate::mib;
use crate::users::Users;
use crate::window::Engines;
use mib_kit::syntax::first_number;
use mib_kit::{Mib, Revision, Store};
use roles::engine::{Engine, EngineProxy};
use roles::privacy::EngineTime;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, CallError, Host, Plain, Refusal};
use scratch::Pool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// A user's name has so many octets at most (RFC 3414 §5, usmUserName).
pub const MAX_NAME: usize = 32;

/// No localized key is longer: that of SHA-512, and what privacy protocols take of it.
pub const MAX_KEY: usize = 64;

/// The module.
pub struct Usm {
    pub(crate) host: Host,
    pub(crate) engine: EngineProxy,
    /// The engine never changes it (contract of the engine, 1), so it is asked once.
    pub(crate) own_engine_id: OnceLock<Box<[u8]>>,
    pub(crate) mib: Mib<Users, Users>,
    pub(crate) users: Store<Users>,
    pub(crate) revision: Revision,
    pub(crate) snapshot: RwLock<Arc<Snapshot>>,
    /// The number of the snapshot: what the path of a message looks at instead of the lock.
    pub(crate) generation: AtomicU64,
    /// How many snapshots there were; held while one is put in place.
    pub(crate) snapshots: Mutex<u64>,
    pub(crate) engines: Mutex<Engines>,
    /// What this version of the module has and others do not.
    #[allow(dead_code, reason = "a version may have nothing of its own")]
    pub(crate) own: Own,
    pub(crate) pool: Pool<Place>,
}

/// What a lane works with.
#[derive(Default)]
pub(crate) struct Place {
    seen: Option<Arc<Snapshot>>,
    pub(crate) salt: Buf,
    pub(crate) mac: Buf,
}

/// What an answer needs of its request (RFC 3414 §3.2 steps 2 and 10: cachedSecurityData). The keys are in
/// it because they may be changed by the very request that it is for.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
pub(crate) struct Asked {
    /// The clock when the request was admitted, so that an answer is as long as was computed then.
    pub(crate) clock: EngineTime,
    /// Where the snapshot of then had the user.
    pub(crate) user: u32,
    pub(crate) auth: [u32; 2],
    pub(crate) auth_key_len: u32,
    pub(crate) privacy: [u32; 2],
    pub(crate) priv_key_len: u32,
    pub(crate) name_len: u32,
    pub(crate) name: [u8; MAX_NAME],
    pub(crate) auth_key: [u8; MAX_KEY],
    pub(crate) priv_key: [u8; MAX_KEY],
}

impl Usm {
    /// A table without users.
    ///
    /// # Errors
    /// There is no engine to work for.
    pub(crate) fn new(host: Host) -> Result<Self, Refusal> {
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
            own: Own::default(),
            pool: Pool::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    pub(crate) fn test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::security::harmless(self, act)?;
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }

    pub(crate) fn engines(&self) -> MutexGuard<'_, Engines> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn own_engine_id(&self, act: &Activity) -> Result<&[u8], CallError> {
        if let Some(known) = self.own_engine_id.get() {
            return Ok(known);
        }
        let mut engine_id = Buf::new();
        self.engine.engine_id(act, &mut engine_id)?;
        Ok(self.own_engine_id.get_or_init(|| engine_id.to_vec().into()))
    }

    /// The users as they are now, in the lane's place.
    #[inline]
    pub(crate) fn look<'p>(
        &self,
        act: &Activity,
        place: &'p mut Place,
    ) -> Result<&'p Snapshot, CallError> {
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
