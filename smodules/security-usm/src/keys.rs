//! Keys: from what a row of the table has to what the authentication and privacy modules take.
//!
//! It computes nothing itself and keeps nothing: the snapshot keeps the keys. Invariant: every copy of a
//! key that is made on the way is wiped.

use crate::auth::{self, AuthProxy};
use crate::users::{Derived, Secret, UserRow, Users, index_order};
use crate::{Asked, MAX_KEY, MAX_NAME};
use mib_kit::RowStatus;
use roles::auth::{AuthError, AuthParameters, AuthProtocol, MAX_PREPARED_KEY};
use roles::privacy::{
    EngineTime, KeyExtension, PrivProtocol, PrivProtocolProxy, PrivacyParameters,
};
use roles::settings::KeyForm;
use s_sdk::{Activity, Buf, Host, List};
use zeroize::{Zeroize, Zeroizing};

/// Where authentication protocols are looked for. Appended to, never reordered: activities keep positions.
pub const AUTH_COMPONENTS: [&str; 3] = ["auth.sha2", "auth.sha1", "auth.md5"];

/// Where privacy protocols are looked for.
pub const PRIV_COMPONENTS: [&str; 2] = ["priv.aes", "priv.des"];

/// No module has more protocols: a bound for one that never says where its protocols end.
const MOST_PROTOCOLS: u32 = 64;

/// All users with the keys that messages are proven with, at one time.
#[derive(Default)]
pub struct Snapshot {
    pub(crate) generation: u64,
    /// In the order of the MIB's index.
    pub(crate) users: Vec<ActiveUser>,
}

impl Snapshot {
    /// The user of an engine with this name, and where he stands.
    #[inline]
    pub(crate) fn find(&self, engine_id: &[u8], name: &[u8]) -> Option<(usize, &ActiveUser)> {
        let wanted = (engine_id, name);
        let at =
            self.users.binary_search_by(|user| index_order((&user.engine_id, &user.name), wanted));
        let at = at.ok()?;
        Some((at, self.users.get(at)?))
    }

    /// Whether there is any user of an engine.
    pub(crate) fn knows_engine(&self, engine_id: &[u8]) -> bool {
        self.users.iter().any(|user| *user.engine_id == *engine_id)
    }
}

/// A user whose row is active.
pub(crate) struct ActiveUser {
    pub(crate) engine_id: Box<[u8]>,
    pub(crate) name: Box<[u8]>,
    pub(crate) auth: Keyed<AuthKey>,
    pub(crate) privacy: Keyed<PrivKey>,
}

/// Whether there is a key.
pub(crate) enum Keyed<K> {
    /// The user has no such protocol.
    None,
    /// No module has the protocol now.
    Waiting,
    /// A module has the protocol and refused the key.
    Refused,
    /// There it is.
    Ready(K),
}

impl<K> Keyed<K> {
    pub(crate) const fn ready(&self) -> Option<&K> {
        match self {
            Keyed::Ready(key) => Some(key),
            _ => None,
        }
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self, Keyed::Waiting)
    }
}

/// A protocol of a component, by position: both, so that an activity can find it again.
pub(crate) struct Found<P, N> {
    pub(crate) place: [u32; 2],
    pub(crate) proxy: P,
    pub(crate) numbers: N,
}

/// An authentication key.
pub(crate) struct AuthKey {
    pub(crate) protocol: Box<[u32]>,
    pub(crate) found: Found<AuthProxy, AuthParameters>,
    pub(crate) localized: Zeroizing<Vec<u8>>,
    pub(crate) prepared: Zeroizing<Vec<u8>>,
}

/// A privacy key.
pub(crate) struct PrivKey {
    pub(crate) protocol: Box<[u32]>,
    pub(crate) found: Found<PrivProtocolProxy, PrivacyParameters>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// What was appended, in memory that is wiped.
fn wiped<E>(
    room: usize,
    fill: impl FnOnce(&mut Buf) -> Result<(), E>,
) -> Result<Zeroizing<Vec<u8>>, E> {
    // Room for all of it, because memory that a list leaves when it grows is not wiped.
    let mut buf = Buf::with_capacity(room);
    let filled = fill(&mut buf).map(|()| Zeroizing::new(buf.to_vec()));
    buf.zeroize();
    filled
}

impl AuthKey {
    /// The key in the form that the module of now takes.
    pub(crate) fn prepare(&self, act: &Activity) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        wiped(MAX_PREPARED_KEY, |prepared| {
            self.found.proxy.prepare_key(act, &self.protocol, &self.localized, prepared)
        })
    }
}

/// The modules that have protocols, as one activity sees them.
pub(crate) struct Protocols<'a> {
    host: &'a Host,
    act: &'a Activity,
}

impl<'a> Protocols<'a> {
    pub(crate) const fn new(host: &'a Host, act: &'a Activity) -> Self {
        Protocols { host, act }
    }

    /// Who has an authentication protocol.
    pub(crate) fn auth(&self, name: &[u32]) -> Option<Found<AuthProxy, AuthParameters>> {
        let mut found = List::new();
        for (component, at) in AUTH_COMPONENTS.into_iter().zip(0u32..) {
            let Ok(proxy) = auth::lookup(self.host, component) else { continue };
            for position in 0..MOST_PROTOCOLS {
                found.clear();
                let Ok(numbers) = proxy.protocol(self.act, position, &mut found) else { break };
                if found[..] == *name {
                    return Some(Found { place: [at, position], proxy, numbers });
                }
            }
        }
        None
    }

    /// Who has a privacy protocol.
    pub(crate) fn privacy(
        &self,
        name: &[u32],
    ) -> Option<Found<PrivProtocolProxy, PrivacyParameters>> {
        let mut found = List::new();
        for (component, at) in PRIV_COMPONENTS.into_iter().zip(0u32..) {
            let Ok(proxy) = self.host.lookup::<PrivProtocolProxy>(component) else { continue };
            for position in 0..MOST_PROTOCOLS {
                found.clear();
                let Ok(numbers) = proxy.protocol(self.act, position, &mut found) else { break };
                if found[..] == *name {
                    return Some(Found { place: [at, position], proxy, numbers });
                }
            }
        }
        None
    }

    /// The active users of a table. Where a row had a password it has the key afterwards, and where a SET
    /// had changed that, the changed one.
    pub(crate) fn activate(&self, users: &mut Users) -> Vec<ActiveUser> {
        let active = self.activate_rows(users);
        let is_another = users.settle(|row| {
            let wanted = (&row.engine_id[..], &row.name[..]);
            let at =
                active.binary_search_by(|user| index_order((&user.engine_id, &user.name), wanted));
            let user = at.ok().and_then(|at| active.get(at));
            Derived {
                auth: user.is_some_and(|user| user.auth.ready().is_some()),
                privacy: user.is_some_and(|user| user.privacy.ready().is_some()),
            }
        });
        if is_another { self.activate_rows(users) } else { active }
    }

    fn activate_rows(&self, users: &mut Users) -> Vec<ActiveUser> {
        let active = users.rows.values_mut().filter(|row| row.status == RowStatus::Active);
        active
            .filter(|row| row.name.len() <= MAX_NAME)
            .map(|row| {
                let auth = self.auth_key(row);
                let privacy = match auth {
                    _ if row.priv_protocol.is_empty() => Keyed::None,
                    Keyed::Ready(ref auth) => self.priv_key(row, auth),
                    Keyed::Waiting => Keyed::Waiting,
                    // RFC 3414 §5, usmUserPrivProtocol: no privacy without authentication.
                    Keyed::None | Keyed::Refused => Keyed::Refused,
                };
                ActiveUser {
                    engine_id: row.engine_id.clone().into(),
                    name: row.name.clone().into(),
                    auth,
                    privacy,
                }
            })
            .collect()
    }

    fn auth_key(&self, row: &mut UserRow) -> Keyed<AuthKey> {
        if row.auth_protocol.is_empty() {
            return Keyed::None;
        }
        let Some(found) = self.auth(&row.auth_protocol) else { return Keyed::Waiting };
        let UserRow { auth_protocol, auth, auth_master, engine_id, .. } = row;
        let derive = || {
            let localized =
                self.localized(&found.proxy, auth_protocol, auth, auth_master, engine_id)?;
            let mut key = AuthKey {
                protocol: auth_protocol.clone().into(),
                found,
                localized,
                prepared: Zeroizing::default(),
            };
            key.prepared = key.prepare(self.act)?;
            Ok::<_, AuthError>(key)
        };
        match derive() {
            Ok(key) if key.localized.len() <= MAX_KEY => Keyed::Ready(key),
            _ => Keyed::Refused,
        }
    }

    fn priv_key(&self, row: &mut UserRow, auth: &AuthKey) -> Keyed<PrivKey> {
        let Some(found) = self.privacy(&row.priv_protocol) else { return Keyed::Waiting };
        let UserRow { priv_protocol, privacy, priv_master, engine_id, .. } = row;
        let proxy = &auth.found.proxy;
        let key = self.localized(proxy, &auth.protocol, privacy, priv_master, engine_id);
        let key = key.ok().and_then(|key| self.fitted(key, &found.numbers, auth, engine_id));
        let Some(key) = key else { return Keyed::Refused };
        *privacy = Secret { form: KeyForm::Localized, octets: key.to_vec() };
        Keyed::Ready(PrivKey { protocol: priv_protocol.clone().into(), found, key })
    }

    /// A localized key from what a row has (RFC 3414 §2.6), which takes its place in the row.
    fn localized(
        &self,
        proxy: &AuthProxy,
        protocol: &[u32],
        secret: &mut Secret,
        master: &mut Secret,
        engine_id: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        if secret.form == KeyForm::Password {
            let key = wiped(MAX_KEY, |key| {
                proxy.password_to_key(self.act, protocol, &secret.octets, key)
            })?;
            *secret = Secret { form: KeyForm::Master, octets: key.to_vec() };
        }
        if secret.form == KeyForm::Master {
            let key = wiped(MAX_KEY, |key| {
                proxy.localize_key(self.act, protocol, &secret.octets, engine_id, key)
            })?;
            *master = std::mem::replace(
                secret,
                Secret { form: KeyForm::Localized, octets: key.to_vec() },
            );
        }
        Ok(Zeroizing::new(secret.octets.clone()))
    }

    /// A localized key, cut or extended to what a privacy protocol takes (contract of that role, 3).
    fn fitted(
        &self,
        mut key: Zeroizing<Vec<u8>>,
        numbers: &PrivacyParameters,
        auth: &AuthKey,
        engine_id: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (proxy, protocol) = (&auth.found.proxy, &auth.protocol);
        let wanted = numbers.key_length as usize;
        if key.is_empty() || wanted > MAX_KEY {
            return None;
        }
        let mut last = key.clone();
        while key.len() < wanted {
            last = match numbers.extension {
                KeyExtension::None => return None,
                KeyExtension::Blumenthal => {
                    wiped(MAX_KEY, |hash| proxy.digest(self.act, protocol, &key, hash)).ok()?
                }
                KeyExtension::Reeder => {
                    let next =
                        |next: &mut Buf| proxy.password_to_key(self.act, protocol, &last, next);
                    let next = wiped(MAX_KEY, next).ok()?;
                    let localize = |localized: &mut Buf| {
                        proxy.localize_key(self.act, protocol, &next, engine_id, localized)
                    };
                    wiped(MAX_KEY, localize).ok()?
                }
            };
            if last.is_empty() {
                return None;
            }
            let mut longer = Zeroizing::new(Vec::with_capacity(key.len() + last.len()));
            longer.extend_from_slice(&key);
            longer.extend_from_slice(&last);
            key = longer;
        }
        key.truncate(wanted);
        Some(key)
    }

    /// The keys that an activity kept, of a user who has others now or none.
    pub(crate) fn kept(&self, asked: &Asked) -> (Option<AuthKey>, Option<PrivKey>) {
        let auth = || {
            let [component, position] = asked.auth;
            let component = AUTH_COMPONENTS.get(component as usize)?;
            let proxy = auth::lookup(self.host, component).ok()?;
            let mut name = List::new();
            let numbers = proxy.protocol(self.act, position, &mut name).ok()?;
            let mut key = AuthKey {
                protocol: name.to_vec().into(),
                found: Found { place: asked.auth, proxy, numbers },
                localized: Zeroizing::new(asked.auth_key().to_vec()),
                prepared: Zeroizing::default(),
            };
            key.prepared = key.prepare(self.act).ok()?;
            Some(key)
        };
        let privacy = || {
            let [component, position] = asked.privacy;
            let proxy: PrivProtocolProxy =
                self.host.lookup(PRIV_COMPONENTS.get(component as usize)?).ok()?;
            let mut name = List::new();
            let numbers = proxy.protocol(self.act, position, &mut name).ok()?;
            Some(PrivKey {
                protocol: name.to_vec().into(),
                found: Found { place: asked.privacy, proxy, numbers },
                key: Zeroizing::new(asked.priv_key().to_vec()),
            })
        };
        let has = |key: &[u8]| !key.is_empty();
        (has(asked.auth_key()).then(auth).flatten(), has(asked.priv_key()).then(privacy).flatten())
    }
}

impl Asked {
    /// A message that nothing is proven of: it can only be answered without authentication.
    pub(crate) fn unproven(name: &[u8], clock: EngineTime) -> Self {
        let mut asked = Asked {
            clock,
            user: u32::MAX,
            auth: [u32::MAX; 2],
            auth_key_len: 0,
            privacy: [u32::MAX; 2],
            priv_key_len: 0,
            name_len: 0,
            name: [0; MAX_NAME],
            auth_key: [0; MAX_KEY],
            priv_key: [0; MAX_KEY],
        };
        asked.name_len = fill(&mut asked.name, name);
        asked
    }

    /// A message of a user, proven with these keys.
    pub(crate) fn of_user(
        at: usize,
        name: &[u8],
        clock: EngineTime,
        auth: Option<&AuthKey>,
        privacy: Option<&PrivKey>,
    ) -> Self {
        let mut asked = Asked::unproven(name, clock);
        asked.user = u32::try_from(at).unwrap_or(u32::MAX);
        if let Some(key) = auth {
            asked.auth = key.found.place;
            asked.auth_key_len = fill(&mut asked.auth_key, &key.localized);
        }
        if let Some(key) = privacy {
            asked.privacy = key.found.place;
            asked.priv_key_len = fill(&mut asked.priv_key, &key.key);
        }
        asked
    }

    pub(crate) fn name(&self) -> &[u8] {
        first(&self.name, self.name_len)
    }

    pub(crate) fn auth_key(&self) -> &[u8] {
        first(&self.auth_key, self.auth_key_len)
    }

    pub(crate) fn priv_key(&self) -> &[u8] {
        first(&self.priv_key, self.priv_key_len)
    }

    /// Whether a user is the one who asked, with the keys that he had then.
    pub(crate) fn is_of(&self, user: &ActiveUser) -> bool {
        let auth = user.auth.ready().map_or(&[][..], |key| &key.localized);
        let privacy = user.privacy.ready().map_or(&[][..], |key| &key.key);
        let asked_with = |kept: &[u8], key: &[u8]| kept.is_empty() || kept == key;
        *user.name == *self.name()
            && asked_with(self.auth_key(), auth)
            && asked_with(self.priv_key(), privacy)
    }
}

/// Copies octets to the front of a room that was made for the longest; what does not fit is left out.
fn fill<const N: usize>(room: &mut [u8; N], octets: &[u8]) -> u32 {
    match room.get_mut(..octets.len()) {
        Some(front) => {
            front.copy_from_slice(octets);
            u32::try_from(octets.len()).unwrap_or(0)
        }
        None => 0,
    }
}

fn first(octets: &[u8], len: u32) -> &[u8] {
    octets.get(..len as usize).unwrap_or_default()
}
