//! The table of users (RFC 3414 §5, usmUserTable), as it is configured, changed, carried and kept.
//!
//! It knows no module and derives nothing. Invariant: rows are in the order of the MIB's index, and no two
//! have the same engineID and name.

use roles::settings::KeyForm;
use s_sdk::value::Field;
use std::cmp::Ordering;
use zeroize::Zeroize;

/// Numbers of RowStatus (RFC 2579) that a row can have.
pub mod row_status {
    /// In use.
    pub const ACTIVE: u32 = 1;
    /// Complete, not in use.
    pub const NOT_IN_SERVICE: u32 = 2;
    /// Not complete yet.
    pub const NOT_READY: u32 = 3;
}

/// Numbers of StorageType (RFC 2579).
pub mod storage_type {
    /// Gone after a restart.
    pub const VOLATILE: u32 = 2;
    /// Kept over restarts.
    pub const NON_VOLATILE: u32 = 3;
    /// Kept, and cannot be deleted.
    pub const PERMANENT: u32 = 4;
    /// Cannot be changed.
    pub const READ_ONLY: u32 = 5;
}

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
    pub storage_type: u32,
    /// usmUserStatus.
    pub status: u32,
    /// Whether a document brought it; otherwise a SET did.
    pub is_configured: bool,
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
            storage_type: storage_type::VOLATILE,
            status: row_status::ACTIVE,
            is_configured: false,
        }
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
            storage_type: storage_type::VOLATILE,
            ..self.clone()
        })
    }

    fn is_kept(&self) -> bool {
        !self.is_configured && self.storage_type >= storage_type::NON_VOLATILE
    }
}

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

/// All users.
#[derive(Default)]
pub struct Users {
    rows: Vec<UserRow>,
    /// Counts changes of any kind.
    change: u64,
    /// Counts changes of what is kept over restarts.
    revision: u64,
    /// Counts the snapshots that were made of it.
    snapshots: u64,
    /// What was to be kept when `revision` moved last.
    kept: Vec<UserRow>,
}

impl Users {
    /// Users from elsewhere.
    pub fn with(rows: Vec<UserRow>, revision: u64) -> Self {
        let mut users = Users { revision, ..Users::default() };
        rows.into_iter().for_each(|row| users.put(row));
        users.kept = users.to_keep();
        users
    }

    /// All of them, in the order of the MIB's index.
    pub fn rows(&self) -> &[UserRow] {
        &self.rows
    }

    fn find(&self, engine_id: &[u8], name: &[u8]) -> Result<usize, usize> {
        let wanted = (engine_id, name);
        self.rows.binary_search_by(|row| index_order((&row.engine_id, &row.name), wanted))
    }

    /// One of them.
    pub fn get(&self, engine_id: &[u8], name: &[u8]) -> Option<&UserRow> {
        self.rows.get(self.find(engine_id, name).ok()?)
    }

    /// Adds a user, or replaces him.
    pub fn put(&mut self, row: UserRow) {
        match self.find(&row.engine_id, &row.name) {
            Ok(at) => self.rows[at] = row,
            Err(at) => self.rows.insert(at, row),
        }
    }

    /// Removes a user.
    pub fn remove(&mut self, engine_id: &[u8], name: &[u8]) -> Option<UserRow> {
        Some(self.rows.remove(self.find(engine_id, name).ok()?))
    }

    /// Replaces all that documents brought. What came by SET stays, and wins over a row of the same index.
    pub fn configure(&mut self, rows: Vec<UserRow>) {
        self.rows.retain(|row| !row.is_configured);
        for row in rows {
            if self.get(&row.engine_id, &row.name).is_none() {
                self.put(row);
            }
        }
    }

    /// Replaces all that came by SET.
    pub fn restore(&mut self, rows: Vec<UserRow>) {
        self.rows.retain(|row| row.is_configured);
        rows.into_iter().for_each(|row| self.put(row));
        self.kept = self.to_keep();
    }

    /// What outlasts the process.
    pub fn to_keep(&self) -> Vec<UserRow> {
        self.rows.iter().filter(|row| row.is_kept()).cloned().collect()
    }

    /// A number that moves with every change.
    pub fn change(&self) -> u64 {
        self.change
    }

    /// A number that moves with every change of what outlasts the process.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The number of a new snapshot, from 1.
    pub(crate) fn next_snapshot(&mut self) -> u64 {
        self.snapshots += 1;
        self.snapshots
    }

    /// Rows were changed: counts it.
    pub(crate) fn changed(&mut self) {
        self.change += 1;
        let kept = self.to_keep();
        if kept != self.kept {
            self.kept = kept;
            self.revision += 1;
        }
    }

    /// Takes the same rows back, with keys where passwords were.
    pub(crate) fn derived(&mut self, rows: Vec<UserRow>) {
        self.rows = rows;
        let kept = self.to_keep();
        if kept != self.kept {
            self.kept = kept;
            self.revision += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine_id: &[u8], name: &str, is_configured: bool, storage: u32) -> UserRow {
        UserRow { is_configured, storage_type: storage, ..UserRow::new(engine_id, name.as_bytes()) }
    }

    fn names(users: &Users) -> Vec<&str> {
        users.rows().iter().map(|row| std::str::from_utf8(&row.name).unwrap()).collect()
    }

    #[test]
    fn rows_are_in_the_order_of_the_mibs_index() {
        let mut users = Users::default();
        for (engine_id, name) in
            [("engine2", "a"), ("engine", "bb"), ("engine", "c"), ("engine", "aa"), ("zzzzzz", "d")]
        {
            users.put(row(engine_id.as_bytes(), name, false, storage_type::VOLATILE));
        }
        assert_eq!(names(&users), ["c", "aa", "bb", "d", "a"]);
        assert!(users.get(b"engine", b"bb").is_some() && users.get(b"engine", b"b").is_none());
        assert!(users.remove(b"engine", b"bb").is_some() && users.get(b"engine", b"bb").is_none());
    }

    #[test]
    fn documents_leave_what_came_by_set_and_the_revision_moves_with_what_is_kept_only() {
        let mut users = Users::default();
        users.put(row(b"engine", "set", false, storage_type::NON_VOLATILE));
        users.changed();
        assert_eq!((users.change(), users.revision()), (1, 1));
        users.put(row(b"engine", "passing", false, storage_type::VOLATILE));
        users.changed();
        let documented = |name| row(b"engine", name, true, storage_type::VOLATILE);
        users.configure(vec![documented("one"), documented("set")]);
        users.changed();
        assert_eq!((users.change(), users.revision()), (3, 1));
        assert!(users.get(b"engine", b"set").is_some_and(|row| !row.is_configured));
        users.configure(vec![documented("two")]);
        assert_eq!(names(&users), ["set", "two", "passing"]);
        // Restored elsewhere, and carried.
        let mut other = Users::default();
        other.configure(vec![documented("two")]);
        other.restore(users.to_keep());
        other.changed();
        assert_eq!((names(&other), other.revision()), (vec!["set", "two"], 0));
        let mut carried = Users::with(users.rows().to_vec(), users.revision());
        carried.changed();
        assert_eq!((names(&carried), carried.revision()), (names(&users), 1));
        carried.remove(b"engine", b"set");
        carried.changed();
        assert_eq!(carried.revision(), 2);
    }

    #[test]
    fn a_user_is_taken_to_another_engine_where_there_is_a_key_to_derive_from() {
        let mut user = row(b"engine", "user", true, storage_type::NON_VOLATILE);
        assert!(user.at_engine(b"other").is_some(), "without keys there is nothing to derive");
        user.auth_protocol = vec![1, 3];
        user.auth = Secret { form: KeyForm::Localized, octets: vec![1; 16] };
        assert!(user.at_engine(b"other").is_none());
        user.auth_master = Secret { form: KeyForm::Master, octets: vec![2; 16] };
        let there = user.at_engine(b"other").unwrap();
        assert_eq!((&there.engine_id[..], there.auth.octets[0]), (&b"other"[..], 2));
        assert!(there.storage_type == storage_type::VOLATILE);
    }
}
