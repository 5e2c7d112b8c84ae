//! The table of users (RFC 3414 §5, usmUserTable), as it is configured, changed, carried and kept.
//!
//! It knows no module and derives nothing. Invariants: rows are in the order of the MIB's index, and no two
//! have the same engineID and name. A configured row is `readOnly`, or `permanent` where it has a key, which
//! a SET may change (RFC 3414 §5, usmUserStorageType); such a change outlasts restarts and new
//! configurations for as long as these bring the key that it replaced. A row that came by SET stays over
//! every configuration.

pub use mib_kit::StorageType;
use mib_kit::{Managed, Octets, RowStatus, Rows, storage_and_status};
use roles::settings::KeyForm;
use s_sdk::value::Field;
use std::cmp::Ordering;
use zeroize::Zeroize;

/// A password or a key, wiped when it goes.
#[derive(Clone, PartialEq, Eq, Field)]
pub struct Secret {
    /// What it is.
    pub form: KeyForm,
    /// The password or the key.
    pub octets: Vec<u8>,
}

impl Secret {
    /// No secret.
    pub const NONE: Secret = Secret { form: KeyForm::None, octets: Vec::new() };
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

/// A user.
#[derive(Clone, PartialEq, Eq, Field)]
pub struct UserRow {
    /// usmUserEngineID: never empty.
    pub engine_id: Vec<u8>,
    /// usmUserName.
    pub name: Vec<u8>,
    /// usmUserSecurityName.
    pub security_name: Vec<u8>,
    /// usmUserCloneFrom: the row that it was cloned from; empty if none.
    pub clone_from: Vec<u32>,
    /// usmUserAuthProtocol; empty for none.
    pub auth_protocol: Vec<u32>,
    /// The authentication key; once it was derived, localized.
    pub auth: Secret,
    /// The key at no engine, where a password was given: so that keys for other engines can be derived.
    pub auth_master: Secret,
    /// usmUserPrivProtocol; empty for none.
    pub priv_protocol: Vec<u32>,
    /// The privacy key; once it was derived, localized and as long as its protocol wants it.
    pub privacy: Secret,
    /// As `auth_master`.
    pub priv_master: Secret,
    /// usmUserPublic.
    pub public: Vec<u8>,
    /// usmUserStorageType.
    pub storage: StorageType,
    /// usmUserStatus.
    pub status: RowStatus,
    /// Whether a document brought it; otherwise a SET did.
    pub is_configured: bool,
    /// Whether its keys are a user's whom it was cloned from: the first cloning counts.
    pub is_cloned: bool,
    /// Whether the authentication key is the row's own, and not only cloned.
    pub has_own_auth: bool,
    /// As `has_own_auth`.
    pub has_own_priv: bool,
    /// In a configured row: the key that a SET replaced.
    pub auth_replaced: Secret,
    /// As `auth_replaced`.
    pub priv_replaced: Secret,
}

impl UserRow {
    /// A row without keys, in use, that does not outlast the process.
    pub fn new(engine_id: &[u8], name: &[u8]) -> Self {
        UserRow {
            engine_id: engine_id.to_vec(),
            name: name.to_vec(),
            security_name: name.to_vec(),
            clone_from: Vec::new(),
            auth_protocol: Vec::new(),
            auth: Secret::NONE,
            auth_master: Secret::NONE,
            priv_protocol: Vec::new(),
            privacy: Secret::NONE,
            priv_master: Secret::NONE,
            public: Vec::new(),
            storage: StorageType::Volatile,
            status: RowStatus::Active,
            is_configured: false,
            is_cloned: false,
            has_own_auth: false,
            has_own_priv: false,
            auth_replaced: Secret::NONE,
            priv_replaced: Secret::NONE,
        }
    }

    /// What a SET makes.
    pub(crate) fn made((Octets(engine_id), Octets(name)): &Index) -> Option<Self> {
        let possible = ENGINE_ID.contains(&engine_id.len()) && NAME.contains(&name.len());
        possible.then(|| UserRow {
            storage: StorageType::NonVolatile,
            status: RowStatus::NotReady,
            ..UserRow::new(engine_id, name)
        })
    }

    /// Its index in the MIB.
    pub(crate) fn index(&self) -> Index {
        (Octets(self.engine_id.clone()), Octets(self.name.clone()))
    }

    /// Whether a SET can have made it, or can have changed it: what is kept may be anybody's.
    fn is_possible(&self) -> bool {
        self.status.is_settled(self.is_configured || self.is_complete())
            && ENGINE_ID.contains(&self.engine_id.len())
            && NAME.contains(&self.name.len())
            && (self.is_configured || self.storage.may_become(StorageType::NonVolatile))
    }

    /// The same user at another engine, if keys for it can be derived.
    pub fn at_engine(&self, engine_id: &[u8]) -> Option<Self> {
        let has = |protocol: &[u32], master: &Secret| {
            protocol.is_empty() || master.form == KeyForm::Master
        };
        if !has(&self.auth_protocol, &self.auth_master)
            || !has(&self.priv_protocol, &self.priv_master)
        {
            return None;
        }
        Some(UserRow {
            engine_id: engine_id.to_vec(),
            auth: self.auth_master.clone(),
            privacy: self.priv_master.clone(),
            storage: StorageType::Volatile,
            // A copy: whoever changes the user of this engine changes that one alone.
            auth_replaced: Secret::NONE,
            priv_replaced: Secret::NONE,
            public: Vec::new(),
            ..self.clone()
        })
    }

    fn is_kept(&self) -> bool {
        match self.is_configured {
            true => self.is_changed(),
            false => self.storage == StorageType::NonVolatile,
        }
    }

    /// Whether a SET changed what was configured.
    fn is_changed(&self) -> bool {
        let replaced = [&self.auth_replaced, &self.priv_replaced];
        replaced.iter().any(|key| key.form != KeyForm::None) || !self.public.is_empty()
    }

    /// Takes over what a SET has changed of the same row, where the configuration still brings what was
    /// changed: of each key once it is derived, because only then can the two be compared. Answers whether a
    /// key is another one now.
    fn change_as(&mut self, changed: &mut UserRow, derived: Derived) -> bool {
        let is_same = self.auth_protocol == changed.auth_protocol
            && self.priv_protocol == changed.priv_protocol;
        if !is_same {
            (changed.auth_replaced, changed.priv_replaced) = (Secret::NONE, Secret::NONE);
            changed.public.clear();
            return false;
        }
        if !changed.public.is_empty() {
            self.public = std::mem::take(&mut changed.public);
        }
        let Self { auth, auth_master, auth_replaced, privacy, priv_master, priv_replaced, .. } =
            self;
        let mut is_another = false;
        for (is_derived, key, master, replaced, theirs, their_replaced) in [
            (
                derived.auth,
                auth,
                auth_master,
                auth_replaced,
                &changed.auth,
                &mut changed.auth_replaced,
            ),
            (
                derived.privacy,
                privacy,
                priv_master,
                priv_replaced,
                &changed.privacy,
                &mut changed.priv_replaced,
            ),
        ] {
            if !is_derived || their_replaced.form == KeyForm::None {
                continue;
            }
            let their_replaced = std::mem::replace(their_replaced, Secret::NONE);
            if *key == their_replaced {
                *key = theirs.clone();
                *master = Secret::NONE;
                *replaced = their_replaced;
                is_another = true;
            }
        }
        is_another
    }
}

impl Managed for UserRow {
    storage_and_status!();

    /// RFC 3414 §5, usmUserStatus: a user who has keys has his own before he is active.
    fn is_complete(&self) -> bool {
        let whole = |protocol: &[u32], has_own| protocol.is_empty() || has_own;
        whole(&self.auth_protocol, self.has_own_auth)
            && whole(&self.priv_protocol, self.has_own_priv)
    }
}

/// usmUserEngineID and usmUserName.
pub(crate) type Index = (Octets, Octets);

/// SnmpEngineID (RFC 3411 §5).
const ENGINE_ID: std::ops::RangeInclusive<usize> = 5..=32;

/// usmUserName.
const NAME: std::ops::RangeInclusive<usize> = 1..=crate::MAX_NAME;

/// The order of the MIB's index, whose parts have their length in front.
pub fn index_order(one: (&[u8], &[u8]), other: (&[u8], &[u8])) -> Ordering {
    let key = |(engine_id, name): (&[u8], &[u8])| (engine_id.len(), name.len());
    let (ours, theirs) = (key(one), key(other));
    ours.0
        .cmp(&theirs.0)
        .then_with(|| one.0.cmp(other.0))
        .then(ours.1.cmp(&theirs.1))
        .then_with(|| one.1.cmp(other.1))
}

/// Which keys of a row are what messages are proven with, and no longer what the configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// The authentication key.
    pub auth: bool,
    /// The privacy key.
    pub privacy: bool,
}

/// All users, and what SETs change besides.
#[derive(Clone, Default)]
pub struct Users {
    pub(crate) rows: Rows<Index, UserRow>,
    /// usmUserSpinLock.
    pub(crate) spin_lock: i32,
    /// Configured rows as a SET has changed them, which wait for their configuration or for a module.
    pub(crate) changed: Vec<UserRow>,
}

impl Users {
    /// All of them, in the order of the MIB's index.
    pub fn rows(&self) -> impl Iterator<Item = &UserRow> {
        self.rows.values()
    }

    /// One of them.
    pub fn get(&self, engine_id: &[u8], name: &[u8]) -> Option<&UserRow> {
        self.rows.get(&(Octets(engine_id.to_vec()), Octets(name.to_vec())))
    }

    /// Adds a user, or replaces him.
    pub fn put(&mut self, row: UserRow) {
        self.rows.insert(&row.index(), row);
    }

    /// Replaces all that documents brought. What came by SET stays, and wins over a row of the same index;
    /// what SETs have changed waits for [`Users::settle`].
    pub fn configure(&mut self, rows: Vec<UserRow>) {
        let changed = self.rows.values().filter(|row| row.is_configured && row.is_changed());
        self.changed.extend(changed.cloned());
        self.rows.retain(|row| !row.is_configured);
        for row in rows {
            if self.get(&row.engine_id, &row.name).is_none() {
                self.put(row);
            }
        }
        // A user whom the operator takes away takes his changes with him.
        let rows = &self.rows;
        self.changed
            .retain(|changed| rows.get(&changed.index()).is_some_and(|row| row.is_configured));
    }

    /// Replaces all that came by SET; false if it cannot have, and then nothing has changed. What SETs have
    /// changed waits for [`Users::settle`].
    pub fn restore(&mut self, rows: Vec<UserRow>) -> bool {
        let possible = rows.iter().all(UserRow::is_possible);
        if possible {
            self.rows.retain(|row| row.is_configured);
            let (changed, made) = rows.into_iter().partition(|row| row.is_configured);
            self.changed = changed;
            made.into_iter().for_each(|row| self.put(row));
        }
        possible
    }

    /// Changes configured rows as SETs had changed them, as far as keys are derived. The rest waits: for the
    /// configuration, or for the module of a protocol. Answers whether a key is another one now.
    pub fn settle(&mut self, derived: impl Fn(&UserRow) -> Derived) -> bool {
        let mut is_another = false;
        for changed in &mut self.changed {
            let row = self.rows.get_mut(&changed.index()).filter(|row| row.is_configured);
            let Some(row) = row else { continue };
            let derived = derived(row);
            is_another |= row.change_as(changed, derived);
        }
        let rows = &self.rows;
        let waits = |changed: &UserRow| {
            changed.is_changed() || rows.get(&changed.index()).is_none_or(|row| !row.is_configured)
        };
        self.changed.retain(waits);
        is_another
    }

    /// Whether it is not known yet which keys a configured row has.
    pub(crate) fn is_unsettled(&self, row: &UserRow) -> bool {
        self.changed.iter().any(|changed| changed.index() == row.index())
    }

    /// What outlasts the process.
    pub fn to_keep(&self) -> Vec<UserRow> {
        let rows = self.rows().filter(|row| row.is_kept());
        rows.chain(&self.changed).cloned().collect()
    }

    /// Users from elsewhere, with those whose configuration has not come yet.
    pub(crate) fn with(rows: Vec<UserRow>, changed: Vec<UserRow>, spin_lock: i32) -> Self {
        let rows = rows.into_iter().map(|row| (row.index(), row)).collect();
        Users { rows, spin_lock, changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine_id: &[u8], name: &str, is_configured: bool, storage: StorageType) -> UserRow {
        UserRow { is_configured, storage, ..UserRow::new(engine_id, name.as_bytes()) }
    }

    fn key(octet: u8) -> Secret {
        Secret { form: KeyForm::Localized, octets: vec![octet; 16] }
    }

    fn names(users: &Users) -> Vec<&str> {
        users.rows().map(|row| std::str::from_utf8(&row.name).unwrap()).collect()
    }

    #[test]
    fn rows_are_in_the_order_of_the_mibs_index() {
        let mut users = Users::default();
        for (engine_id, name) in
            [("engine2", "a"), ("engine", "bb"), ("engine", "c"), ("engine", "aa"), ("zzzzzz", "d")]
        {
            users.put(row(engine_id.as_bytes(), name, false, StorageType::Volatile));
        }
        assert_eq!(names(&users), ["c", "aa", "bb", "d", "a"]);
        let sorted: Vec<_> = users.rows().map(|row| (&row.engine_id[..], &row.name[..])).collect();
        assert!(sorted.is_sorted_by(|one, other| index_order(*one, *other).is_lt()));
        assert!(users.get(b"engine", b"bb").is_some() && users.get(b"engine", b"b").is_none());
    }

    #[test]
    fn documents_leave_what_came_by_set_and_what_came_by_set_is_kept() {
        let mut users = Users::default();
        users.put(row(b"engine", "set", false, StorageType::NonVolatile));
        users.put(row(b"engine", "passing", false, StorageType::Volatile));
        let documented = |name| row(b"engine", name, true, StorageType::ReadOnly);
        users.configure(vec![documented("one"), documented("set")]);
        assert!(users.get(b"engine", b"set").is_some_and(|row| !row.is_configured));
        users.configure(vec![documented("two")]);
        assert_eq!(names(&users), ["set", "two", "passing"]);
        // Restored elsewhere.
        let mut other = Users::default();
        other.configure(vec![documented("two")]);
        assert!(other.restore(users.to_keep()));
        assert_eq!(names(&other), ["set", "two"]);
        // What no SET can have made is nobody's.
        for wrong in [
            row(b"engine", "", false, StorageType::NonVolatile),
            row(b"eng", "user", false, StorageType::NonVolatile),
            row(b"engine", "user", false, StorageType::ReadOnly),
            UserRow {
                auth_protocol: vec![1, 3],
                ..row(b"engine", "u", false, StorageType::Volatile)
            },
        ] {
            assert!(!other.restore(vec![wrong]));
        }
        assert_eq!(names(&other), ["set", "two"]);
    }

    #[test]
    fn a_changed_key_stays_until_the_configuration_brings_another_one() {
        let documented = |octet| UserRow {
            auth_protocol: vec![1, 3],
            auth: key(octet),
            auth_master: Secret { form: KeyForm::Master, octets: vec![octet] },
            has_own_auth: true,
            ..row(b"engine", "user", true, StorageType::Permanent)
        };
        let mut users = Users::default();
        users.configure(vec![documented(1)]);
        assert!(users.to_keep().is_empty());
        users.put(UserRow {
            auth: key(2),
            auth_master: Secret::NONE,
            auth_replaced: key(1),
            ..documented(1)
        });
        let kept = users.to_keep();
        let has = |users: &Users| users.get(b"engine", b"user").unwrap().auth.octets[0];
        let configure = |users: &mut Users, octet| {
            users.configure(vec![documented(octet)]);
            users.settle(|_| Derived { auth: true, privacy: true })
        };
        assert!(configure(&mut users, 1));
        assert_eq!((has(&users), users.to_keep().len()), (2, 1), "the same configuration again");
        for configured_first in [false, true] {
            let mut started = Users::default();
            if configured_first {
                started.configure(vec![documented(1)]);
            }
            assert!(started.restore(kept.clone()));
            assert!(started.to_keep() == kept, "nothing is lost before the configuration comes");
            assert!(configure(&mut started, 1));
            assert_eq!(has(&started), 2);
            let row = started.get(b"engine", b"user").unwrap();
            assert!(row.auth_master == Secret::NONE, "no other engine is reached by the old one");
        }
        assert!(!configure(&mut users, 3));
        assert_eq!((has(&users), users.to_keep().len()), (3, 0), "the operator has the last word");
        assert!(!configure(&mut users, 1));
        assert_eq!(has(&users), 1, "and a change does not come back");
    }

    #[test]
    fn a_user_is_taken_to_another_engine_where_there_is_a_key_to_derive_from() {
        let mut user = row(b"engine", "user", true, StorageType::Permanent);
        assert!(user.at_engine(b"other").is_some(), "without keys there is nothing to derive");
        user.auth_protocol = vec![1, 3];
        user.auth = key(1);
        assert!(user.at_engine(b"other").is_none());
        user.auth_master = Secret { form: KeyForm::Master, octets: vec![2; 16] };
        let there = user.at_engine(b"other").unwrap();
        assert_eq!((&there.engine_id[..], there.auth.octets[0]), (&b"other"[..], 2));
        assert_eq!(there.storage, StorageType::Volatile);
    }
}
