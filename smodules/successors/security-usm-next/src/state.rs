//! What version 2 carries, and the rules between that and what version 1 does.

use crate::users::{UserRow, Users};
use crate::usm::Usm;
use crate::window::{Engines, RemoteEngine};
use s_sdk::{Activity, CallError, CarriesState, Refusal, State, behavior};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a successor takes over.
#[derive(State)]
#[state(kind = "usm", version = 2)]
#[state(step(1 => 2,
    rename(engines -> remote_engines),
    split(users: Vec<UserRow> -> (configured: Vec<UserRow>, made: Vec<UserRow>), up = by_origin, down = together),
    default(times_taken_over: u32),
))]
pub struct UsmState {
    /// The users that a document brought, with their keys.
    pub configured: Vec<UserRow>,
    /// The users that SETs made, with their keys.
    pub made: Vec<UserRow>,
    /// Configured users as SETs have changed them, who wait for their configuration or for a module.
    pub changed: Vec<UserRow>,
    /// usmUserSpinLock.
    pub spin_lock: i32,
    /// The clocks of other engines.
    pub remote_engines: Vec<RemoteEngine>,
    /// How often the users were taken over by versions that count it.
    pub times_taken_over: u32,
}

fn by_origin(users: Vec<UserRow>) -> (Vec<UserRow>, Vec<UserRow>) {
    users.into_iter().partition(|row| row.is_configured)
}

fn together(configured: Vec<UserRow>, made: Vec<UserRow>) -> Vec<UserRow> {
    [configured, made].concat()
}

/// What this version has and others do not.
#[derive(Default)]
pub(crate) struct Own {
    times_taken_over: AtomicU32,
}

/// What the table of users has been through.
#[behavior(name = "usm-history")]
pub trait UsmHistory {
    /// How often the users were taken over since a version that counts it came.
    fn times_taken_over(&self, act: &Activity) -> Result<u32, CallError>;
}

impl UsmHistory for Usm {
    fn times_taken_over(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(self.own.times_taken_over.load(Ordering::Relaxed))
    }
}

impl CarriesState for Usm {
    type State = UsmState;

    fn export(&self) -> UsmState {
        let users = self.users.state();
        let (configured, made) = by_origin(users.rows().cloned().collect());
        UsmState {
            configured,
            made,
            changed: users.changed.clone(),
            spin_lock: users.spin_lock,
            remote_engines: self.engines().rows().to_vec(),
            times_taken_over: self.own.times_taken_over.load(Ordering::Relaxed),
        }
    }

    fn import(&self, state: UsmState) -> Result<(), Refusal> {
        let UsmState { configured, made, changed, spin_lock, remote_engines, .. } = state;
        let users = together(configured, made);
        self.users.update(|table| *table = Users::with(users, changed, spin_lock));
        *self.engines() = Engines::with(remote_engines);
        let times = state.times_taken_over.saturating_add(1);
        self.own.times_taken_over.store(times, Ordering::Relaxed);
        Ok(())
    }
}
