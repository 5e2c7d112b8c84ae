//! SNMP-USER-BASED-SM-MIB (RFC 3414 §5): the usmUserTable, its cloning and its changes of keys.
//!
//! The usmStats are the engine's counters, and elsewhere. It holds nothing: rows are those of
//! [`crate::users`]. Invariants: no variable has a key in it or anything that a key could be told from; a
//! message that is under way is answered with the keys that it came with (invariant 3 of the crate).

use crate::Usm;
use crate::key_change::{NoChange, new_key};
use crate::keys::Protocols;
use crate::users::{Index, Secret, UserRow, Users};
use mib_kit::syntax::{integer, octets};
use mib_kit::{
    Column, Index as _, Mib, RowStatus, Scalars, Served, StorageType, Store, Syntax, Table,
    Written, WrittenCell, mib_access,
};
use roles::auth::AuthProtocol;
use roles::mib::MibError;
use roles::settings::KeyForm;
use roles::varbind::{ErrorStatus, VarValue, security_model};
use s_sdk::{Activity, Buf, Refusal};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// usmUserEntry.
const ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1];

/// usmUser, with usmUserSpinLock.
const USER: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2];

/// usmNoAuthProtocol and usmNoPrivProtocol: in a row no protocol at all.
const NO_AUTH: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 1];
const NO_PRIV: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 1];

const CLONE_FROM: u32 = 4;
const AUTH_PROTOCOL: u32 = 5;
const AUTH_KEY_CHANGE: u32 = 6;
const OWN_AUTH_KEY_CHANGE: u32 = 7;
const PRIV_PROTOCOL: u32 = 8;
const PRIV_KEY_CHANGE: u32 = 9;
const OWN_PRIV_KEY_CHANGE: u32 = 10;
const PUBLIC: u32 = 11;
const STATUS: u32 = 13;

/// A column that [`Usm::conclude`] writes: it takes more than the row.
const fn concluded(
    number: u32,
    read: for<'a> fn(&'a UserRow) -> Option<VarValue<'a>>,
    syntax: Syntax,
) -> Column<UserRow> {
    Column::writable(number, read, syntax, |_, _| Ok(()))
}

/// KeyChange: what is read is empty, whatever there is.
const fn key_change(number: u32) -> Column<UserRow> {
    concluded(number, |_| Some(VarValue::Octets(b"")), Syntax::Octets(0, 2 * crate::MAX_KEY))
}

fn protocol<'a>(found: &'a [u32], none: &'static [u32]) -> Option<VarValue<'a>> {
    Some(VarValue::Oid(if found.is_empty() { none } else { found }))
}

const COLUMNS: &[Column<UserRow>] = &[
    Column::new(3, |row| Some(VarValue::Octets(&row.security_name))),
    // "When this object is read, the ZeroDotZero OID is returned."
    concluded(CLONE_FROM, |_| Some(VarValue::Oid(&[0, 0])), Syntax::Oid),
    concluded(AUTH_PROTOCOL, |row| protocol(&row.auth_protocol, NO_AUTH), Syntax::Oid),
    key_change(AUTH_KEY_CHANGE),
    key_change(OWN_AUTH_KEY_CHANGE),
    concluded(PRIV_PROTOCOL, |row| protocol(&row.priv_protocol, NO_PRIV), Syntax::Oid),
    key_change(PRIV_KEY_CHANGE),
    key_change(OWN_PRIV_KEY_CHANGE),
    Column::writable(
        PUBLIC,
        |row| Some(VarValue::Octets(&row.public)),
        Syntax::Octets(0, 32),
        |row, value| {
            row.public = octets(value)?.to_vec();
            Ok(())
        },
    ),
    // A SET makes no row that another SET could not remove: wrongValue (RFC 3414 §5).
    Column::storage(12, Syntax::REMOVABLE),
    Column::status(STATUS),
];

const SPIN_LOCK: &[Column<i32>] = &[Column::test_and_incr(1)];

/// The MIB.
///
/// # Errors
/// Never: the columns are apart.
pub(crate) fn mib() -> Result<Mib<Users, Users>, Refusal> {
    let table = Table::new(ENTRY, COLUMNS, |users: &Users| &users.rows)
        .writable(|users: &Users| &users.rows, |users| &mut users.rows)
        .creatable(UserRow::made);
    Mib::of(&[USER])
        .described(&[(
            &[1, 3, 6, 1, 6, 3, 15, 2, 1, 1],
            "The management information definitions for the SNMP User-based Security Model.",
        )])
        .with(
            Scalars::new(USER, SPIN_LOCK, |users: &Users| &users.spin_lock)
                .writable(|users: &mut Users| &mut users.spin_lock),
        )
        .with(table)
        .made()
}

mib_access!(Usm);

impl Served for Usm {
    type View = Users;
    type State = Users;

    fn mib(&self) -> &Mib<Users, Users> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Users) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.users.state())
    }

    fn store(&self) -> Option<&Store<Users>> {
        Some(&self.users)
    }

    fn conclude(
        &self,
        act: &Activity,
        before: &Users,
        draft: &mut Users,
        written: Written<'_>,
    ) -> Result<(), MibError> {
        let cells: Vec<WrittenCell<'_, Index>> = written.to(ENTRY).collect();
        let protocols = Protocols::new(&self.host, act);
        for (first, WrittenCell { index, .. }) in cells.iter().enumerate() {
            if cells[..first].iter().any(|cell| cell.index == *index) {
                continue;
            }
            let Some(row) = draft.rows.get_mut(index) else { continue };
            let was = before.rows.get(index);
            let requester = written.requester();
            let change = Change { requester, act, protocols: &protocols, before, was };
            let of_row: Vec<_> = cells.iter().filter(|cell| cell.index == *index).collect();
            change.conclude(row, &of_row)?;
        }
        Ok(())
    }

    fn changed(&self, act: &Activity) -> Result<(), MibError> {
        Ok(self.show(act)?)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

/// A row that a SET writes to.
struct Change<'a> {
    requester: (u32, &'a [u8]),
    act: &'a Activity,
    protocols: &'a Protocols<'a>,
    before: &'a Users,
    was: Option<&'a UserRow>,
}

type Cell<'a> = WrittenCell<'a, Index>;

fn refused<T>(status: ErrorStatus, cell: &Cell<'_>) -> Result<T, MibError> {
    Err(MibError::at(status, cell.position))
}

impl Change<'_> {
    /// All bindings of a row as if at once (RFC 3416 §4.2.5): the user is cloned, then has his protocols
    /// taken away, then gets his keys.
    fn conclude(&self, row: &mut UserRow, cells: &[&Cell<'_>]) -> Result<(), MibError> {
        let of = |column| cells.iter().copied().filter(move |cell| cell.column == column);
        if self.was.is_some_and(|was| was.storage == StorageType::ReadOnly) {
            return cells.first().map_or(Ok(()), |cell| refused(ErrorStatus::NotWritable, cell));
        }
        of(PRIV_PROTOCOL).chain(of(AUTH_PROTOCOL)).try_for_each(|cell| self.is_known(cell))?;
        if row.is_configured {
            cells.iter().try_for_each(|cell| self.may_change_configured(cell))?;
        }
        for cell in of(CLONE_FROM) {
            self.clone_from(row, cell)?;
        }
        for cell in of(PRIV_PROTOCOL).chain(of(AUTH_PROTOCOL)) {
            self.set_protocol(row, cell)?;
        }
        // RFC 3414 §5, usmUserAuthProtocol and usmUserPrivProtocol: no privacy without authentication.
        if row.auth_protocol.is_empty() && !row.priv_protocol.is_empty() {
            let mut to_blame = of(AUTH_PROTOCOL).chain(of(PRIV_PROTOCOL)).chain(of(CLONE_FROM));
            if let Some(cell) = to_blame.next() {
                return refused(ErrorStatus::InconsistentValue, cell);
            }
        }
        for cell in cells {
            match cell.column {
                AUTH_KEY_CHANGE | PRIV_KEY_CHANGE => self.change_key(row, cell)?,
                OWN_AUTH_KEY_CHANGE | OWN_PRIV_KEY_CHANGE => {
                    self.is_requester(row, cell)?;
                    self.change_key(row, cell)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// RFC 3414 §5, usmUserStorageType: what a permanent row must allow. The rest is the configuration's.
    fn may_change_configured(&self, cell: &Cell<'_>) -> Result<(), MibError> {
        let stays = match cell.column {
            CLONE_FROM | AUTH_KEY_CHANGE | OWN_AUTH_KEY_CHANGE | PRIV_KEY_CHANGE
            | OWN_PRIV_KEY_CHANGE | PUBLIC => true,
            STATUS => integer(cell.value) == Ok(RowStatus::Active as i32),
            AUTH_PROTOCOL | PRIV_PROTOCOL => self.was.is_some_and(|was| {
                let (now, none) = match cell.column {
                    AUTH_PROTOCOL => (&was.auth_protocol, NO_AUTH),
                    _ => (&was.priv_protocol, NO_PRIV),
                };
                protocol(now, none) == Some(cell.value)
            }),
            _ => false,
        };
        if stays { Ok(()) } else { refused(ErrorStatus::InconsistentValue, cell) }
    }

    /// "If a set operation tries to set the value for an unknown or unsupported protocol, then a 'wrongValue'
    /// error must be returned": whatever else is wrong with it, and though the row has another one.
    fn is_known(&self, cell: &Cell<'_>) -> Result<(), MibError> {
        let VarValue::Oid(wanted) = cell.value else {
            return refused(ErrorStatus::WrongType, cell);
        };
        let is_known = if cell.column == AUTH_PROTOCOL {
            // What the row has stays known while its module is away.
            wanted == NO_AUTH
                || self.was.is_some_and(|was| was.auth_protocol == wanted)
                || self.protocols.auth(wanted).is_some()
        } else {
            wanted == NO_PRIV
                || self.was.is_some_and(|was| was.priv_protocol == wanted)
                || self.protocols.privacy(wanted).is_some()
        };
        if is_known { Ok(()) } else { refused(ErrorStatus::WrongValue, cell) }
    }

    /// usmUserCloneFrom: "The first time an instance of this object is set by a management operation (either
    /// at or after its instantiation), the cloning process is invoked. Subsequent writes are successful but
    /// invoke no action."
    fn clone_from(&self, row: &mut UserRow, cell: &Cell<'_>) -> Result<(), MibError> {
        if row.is_cloned {
            return Ok(());
        }
        // "The cloning process fails with an 'inconsistentName' error if the conceptual row representing the
        // clone-from user does not exist or is not in an active state."
        let VarValue::Oid(pointer) = cell.value else {
            return refused(ErrorStatus::WrongType, cell);
        };
        let index = pointer.strip_prefix(ENTRY).and_then(<[u32]>::split_first);
        let index = index.and_then(|(_column, index)| Index::whole(index));
        let from = index.and_then(|index| self.before.rows.get(&index));
        let Some(from) = from.filter(|from| from.status == RowStatus::Active) else {
            return refused(ErrorStatus::InconsistentName, cell);
        };
        let has_keys =
            |protocol: &[u32], key: &Secret| protocol.is_empty() || key.form == KeyForm::Localized;
        let offered = (from.auth_protocol.is_empty()
            || self.protocols.auth(&from.auth_protocol).is_some())
            && (from.priv_protocol.is_empty()
                || self.protocols.privacy(&from.priv_protocol).is_some())
            && has_keys(&from.auth_protocol, &from.auth)
            && has_keys(&from.priv_protocol, &from.privacy);
        // A key whose protocol nobody has now cannot be changed, so the new user would never be his own.
        if !offered {
            return refused(ErrorStatus::InconsistentValue, cell);
        }
        row.clone_from = pointer.to_vec();
        row.auth_protocol.clone_from(&from.auth_protocol);
        row.priv_protocol.clone_from(&from.priv_protocol);
        // Without what other engines' keys are derived from: those are not this user's.
        (row.auth, row.privacy) = (from.auth.clone(), from.privacy.clone());
        (row.is_cloned, row.has_own_auth, row.has_own_priv) = (true, false, false);
        // A row that waited, complete without keys, waits for them now.
        if row.status == RowStatus::NotInService {
            row.status = RowStatus::NotReady;
        }
        Ok(())
    }

    /// usmUserAuthProtocol and usmUserPrivProtocol.
    fn set_protocol(&self, row: &mut UserRow, cell: &Cell<'_>) -> Result<(), MibError> {
        let VarValue::Oid(wanted) = cell.value else {
            return refused(ErrorStatus::WrongType, cell);
        };
        let is_auth = cell.column == AUTH_PROTOCOL;
        let none = if is_auth { NO_AUTH } else { NO_PRIV };
        let present = if is_auth { &row.auth_protocol } else { &row.priv_protocol };
        if protocol(present, none) == Some(cell.value) {
            return Ok(());
        }
        if wanted == none {
            let Secret { form, octets } = if is_auth { &mut row.auth } else { &mut row.privacy };
            *form = KeyForm::None;
            octets.zeroize();
            let protocol = if is_auth { &mut row.auth_protocol } else { &mut row.priv_protocol };
            protocol.clear();
            return Ok(());
        }
        // "Once instantiated, the value of such an instance of this object can only be changed via a set
        // operation to the value of the usmNoAuthProtocol."
        if self.was.is_some() {
            return refused(ErrorStatus::InconsistentValue, cell);
        }
        // "The value will be overwritten/set when a set operation is performed on the corresponding instance
        // of usmUserCloneFrom": which may be this very one.
        if !row.is_cloned {
            let protocol = if is_auth { &mut row.auth_protocol } else { &mut row.priv_protocol };
            *protocol = wanted.to_vec();
        }
        Ok(())
    }

    /// usmUserOwnAuthKeyChange and usmUserOwnPrivKeyChange: "the usmUserName of the operation requester must
    /// match the usmUserName that indexes the row", "the USM security model must be used", and "this can
    /// only be done once the row is active".
    fn is_requester(&self, row: &UserRow, cell: &Cell<'_>) -> Result<(), MibError> {
        // In this model the security name is the user's name.
        if self.requester != (security_model::USM, &row.name) {
            return refused(ErrorStatus::NoAccess, cell);
        }
        match self.was.is_some_and(|was| was.status == RowStatus::Active) {
            true => Ok(()),
            false => refused(ErrorStatus::InconsistentValue, cell),
        }
    }

    /// usmUserAuthKeyChange and usmUserPrivKeyChange.
    fn change_key(&self, row: &mut UserRow, cell: &Cell<'_>) -> Result<(), MibError> {
        let is_auth = matches!(cell.column, AUTH_KEY_CHANGE | OWN_AUTH_KEY_CHANGE);
        // "When creating a new user, it is an 'inconsistentName' error for a set operation to refer to this
        // object unless it is previously or concurrently initialized through a set operation on the
        // corresponding instance of usmUserCloneFrom."
        if !row.is_cloned {
            return refused(ErrorStatus::InconsistentName, cell);
        }
        // "When the value of the corresponding usmUserAuthProtocol is usmNoAuthProtocol, then a set is
        // successful, but effectively is a no-op."
        let protocol = if is_auth { &row.auth_protocol } else { &row.priv_protocol };
        if protocol.is_empty() {
            return Ok(());
        }
        // A protocol whose module is gone for now.
        let absent = MibError::at(ErrorStatus::ResourceUnavailable, cell.position);
        let auth = self.protocols.auth(&row.auth_protocol).ok_or(absent)?;
        let key_length = match is_auth {
            true => auth.numbers.key_length,
            false => self.protocols.privacy(protocol).ok_or(absent)?.numbers.key_length,
        };
        let old = if is_auth { &row.auth } else { &row.privacy };
        if old.form != KeyForm::Localized || self.before.is_unsettled(row) {
            return Err(absent);
        }
        // Also for privacy: "the hash algorithm used by the user's usmUserAuthProtocol".
        let hash = |octets: &[u8]| {
            let mut digest = Buf::with_capacity(crate::MAX_KEY);
            let hashed = auth.proxy.digest(self.act, &row.auth_protocol, octets, &mut digest);
            let kept = Zeroizing::new(digest.to_vec());
            digest.zeroize();
            hashed.ok().map(|()| kept)
        };
        let change = octets(cell.value).unwrap_or_default();
        let new = match new_key(&old.octets, change, key_length as usize, hash) {
            Ok(new) => Secret { form: KeyForm::Localized, octets: new.to_vec() },
            Err(NoChange::WrongLength) => return refused(ErrorStatus::WrongLength, cell),
            Err(NoChange::NoHash) => return Err(absent),
        };
        let (key, master, replaced, has_own) = match is_auth {
            true => {
                (&mut row.auth, &mut row.auth_master, &mut row.auth_replaced, &mut row.has_own_auth)
            }
            false => (
                &mut row.privacy,
                &mut row.priv_master,
                &mut row.priv_replaced,
                &mut row.has_own_priv,
            ),
        };
        let old = std::mem::replace(key, new);
        *master = Secret::NONE;
        *has_own = true;
        if row.is_configured && replaced.form == KeyForm::None {
            *replaced = old;
        }
        Ok(())
    }
}
