//! The usmUserTable as a manager meets it: its columns, SETs, and the changes of keys that he computes.

use super::world::{AES_256, AUTH_PASSWORD, Ask, MD5, Manager, OWN, SHA_1, World, user};
use roles::auth::{AuthProtocol, AuthProtocolProxy};
use roles::mib::{MibAccess, MibAccessProxy, MibError};
use roles::security::SecurityErrorKind;
use roles::settings::PersistenceProxy;
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue, security_model};
use s_sdk::{Activity, Buf};

pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1];
pub(crate) const SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2, 1, 0];
pub(crate) const NO_AUTH: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 1];
pub(crate) const NO_PRIV: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 1];

pub(crate) const SECURITY_NAME: u32 = 3;
pub(crate) const CLONE_FROM: u32 = 4;
pub(crate) const AUTH_PROTOCOL: u32 = 5;
pub(crate) const AUTH_KEY: u32 = 6;
pub(crate) const OWN_AUTH_KEY: u32 = 7;
pub(crate) const PRIV_PROTOCOL: u32 = 8;
pub(crate) const PRIV_KEY: u32 = 9;
pub(crate) const OWN_PRIV_KEY: u32 = 10;
pub(crate) const PUBLIC: u32 = 11;
pub(crate) const STORAGE: u32 = 12;
pub(crate) const STATUS: u32 = 13;

pub(crate) const ACTIVE: VarValue<'_> = VarValue::Integer(1);
pub(crate) const CREATE_AND_GO: VarValue<'_> = VarValue::Integer(4);
pub(crate) const CREATE_AND_WAIT: VarValue<'_> = VarValue::Integer(5);
pub(crate) const DESTROY: VarValue<'_> = VarValue::Integer(6);

pub(crate) fn cell(column: u32, name: &str) -> Vec<u32> {
    let part = |octets: &[u8]| {
        let length = u32::try_from(octets.len()).unwrap();
        [length].into_iter().chain(octets.iter().copied().map(u32::from)).collect::<Vec<_>>()
    };
    [ENTRY, &[column], &part(OWN), &part(name.as_bytes())].concat()
}

/// The table as a manager meets it, in activities of their own.
pub(crate) struct Users {
    pub(crate) world: World,
    pub(crate) mib: MibAccessProxy,
    pub(crate) kept: PersistenceProxy,
}

pub(crate) type Refused = (ErrorStatus, u32);

impl Users {
    pub(crate) fn of(world: World) -> Self {
        let (mib, kept) = (
            world.runtime.proxy("security.usm").unwrap(),
            world.runtime.proxy("security.usm").unwrap(),
        );
        Users { world, mib, kept }
    }

    pub(crate) fn new() -> Self {
        Self::of(World::new())
    }

    pub(crate) fn set(&self, cells: &[(Vec<u32>, VarValue<'_>)]) -> Result<(), Refused> {
        let mut worker = self.world.runtime.worker();
        self.set_in(&worker.activity(), cells)
    }

    pub(crate) fn set_in(
        &self,
        act: &Activity,
        cells: &[(Vec<u32>, VarValue<'_>)],
    ) -> Result<(), Refused> {
        self.set_as(act, (security_model::USM, b"tester"), cells)
    }

    pub(crate) fn set_as(
        &self,
        act: &Activity,
        (model, name): (u32, &[u8]),
        cells: &[(Vec<u32>, VarValue<'_>)],
    ) -> Result<(), Refused> {
        let mut binds = VarBinds::new();
        cells.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
        let which = Span::new(0, u32::try_from(binds.len()).unwrap());
        let refused = |error: MibError| (error.status, error.index);
        let checked = self.mib.set_check(act, model, name, b"", &binds, which);
        let set = checked.map_err(refused)?;
        let applied = self.mib.set_apply(act, set, &binds, which).map_err(refused);
        self.mib.set_cleanup(act, set).unwrap();
        applied
    }

    pub(crate) fn get(&self, name: &[u32]) -> String {
        let mut worker = self.world.runtime.worker();
        let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
        names.push_name(name).unwrap();
        self.mib.get(&worker.activity(), b"", &names, Span::new(0, 1), &mut answers).unwrap();
        format!("{:?}", answers.get(0).unwrap().value)
    }

    /// What changes a cloned key into the one of the manager's passwords.
    pub(crate) fn changes(
        &self,
        (auth, privacy): (&[u32], &[u32]),
        from: (&[u8], &[u8]),
    ) -> [Vec<u8>; 2] {
        let mut worker = self.world.runtime.worker();
        let act = worker.activity();
        let manager = Manager { runtime: self.world.runtime, act: &act };
        let new_auth = manager.key(auth, AUTH_PASSWORD, OWN);
        let new_priv = match privacy {
            [] => Vec::new(),
            _ => manager.priv_key((auth, privacy), OWN),
        };
        [(from.0, new_auth), (from.1, new_priv)]
            .map(|(old, new)| self.change(&act, auth, old, &new))
    }

    /// RFC 3414 §5, KeyChange, as the one who requests it computes it.
    pub(crate) fn change(&self, act: &Activity, auth: &[u32], old: &[u8], new: &[u8]) -> Vec<u8> {
        let random: Vec<u8> = (1u8..).take(new.len()).collect();
        let (mut temporary, mut delta) = (old.to_vec(), Vec::new());
        while delta.len() < new.len() {
            temporary = self.digest(act, auth, &[&temporary[..], &random].concat());
            let some = new[delta.len()..].iter().zip(&temporary).map(|(a, b)| a ^ b);
            delta.extend(some.collect::<Vec<_>>());
        }
        [random, delta].concat()
    }

    pub(crate) fn digest(&self, act: &Activity, auth: &[u32], octets: &[u8]) -> Vec<u8> {
        let component = match auth {
            MD5 => "auth.md5",
            SHA_1 => "auth.sha1",
            _ => "auth.sha2",
        };
        let proxy: AuthProtocolProxy = self.world.runtime.proxy(component).unwrap();
        let mut hash = Buf::new();
        proxy.digest(act, auth, octets, &mut hash).unwrap();
        hash.to_vec()
    }

    /// Whether a user is let in with the manager's keys, at the level that his protocols allow.
    pub(crate) fn lets_in(&self, ask: &Ask) -> Result<(), SecurityErrorKind> {
        let mut worker = self.world.runtime.worker();
        let act = worker.activity();
        let request = Manager { runtime: self.world.runtime, act: &act }.ask(ask);
        let taken = self.world.take(&act, &request);
        taken.map(drop).map_err(|error| error.security_kind().unwrap())
    }
}

/// A template whose passwords are not the manager's, and the localized keys that he has.
pub(crate) fn template(auth: &[u32], privacy: &[u32]) -> (roles::settings::User, [Vec<u8>; 2]) {
    let mut template = user(("template", auth, privacy));
    (template.auth_secret, template.priv_secret) =
        (b"another one".to_vec(), b"yet another".to_vec());
    if privacy.is_empty() {
        template.priv_secret.clear();
    }
    let world = World::empty();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let old_auth = manager.key(auth, b"another one", OWN);
    let mut old_priv = manager.key(auth, b"yet another", OWN);
    if privacy == AES_256 {
        let users = Users::of(World::empty());
        old_priv.extend(users.digest(&act, auth, &old_priv));
        old_priv.truncate(32);
    } else {
        old_priv.truncate(16);
    }
    (template, [old_auth, old_priv])
}
