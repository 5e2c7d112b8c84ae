//! SNMP-NOTIFICATION-MIB (RFC 3413 §4.2): which targets are told, in which way, and of what not.
//!
//! Rows are values; nothing here sends.

use crate::target::{self, MAX_NAME, text};
use mib_kit::index::Implied;
use mib_kit::syntax::integer;
use mib_kit::{Column, Managed, Octets, Oid, RowStatus, StorageType, Syntax, storage_and_status};
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{self, Integer};
use s_sdk::value::Field;

/// The profile's name, and the subtree IMPLIED.
pub(crate) type FilterIndex = (Octets, Implied<Oid>);

pub(crate) const OBJECTS: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1];
pub(crate) const NOTIFY_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 1, 1];
pub(crate) const PROFILE_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 2, 1];
pub(crate) const FILTER_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 3, 1];

/// snmpNotifyType: trap.
pub(crate) const TRAP: i32 = 1;
/// snmpNotifyType: inform.
pub(crate) const INFORM: i32 = 2;

/// snmpNotifyFilterType: included.
pub(crate) const INCLUDED: i32 = 1;
/// snmpNotifyFilterType: excluded.
pub(crate) const EXCLUDED: i32 = 2;

/// The longest mask: a bit for each of 128 sub-identifiers.
pub(crate) const MAX_MASK: usize = 16;

/// snmpNotifyEntry.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct Notify {
    pub(crate) tag: Vec<u8>,
    pub(crate) kind: i32,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// snmpNotifyFilterProfileEntry. What was not written yet is empty.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct Profile {
    pub(crate) filter: Vec<u8>,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// snmpNotifyFilterEntry.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct Filter {
    pub(crate) mask: Vec<u8>,
    pub(crate) kind: i32,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

impl Notify {
    /// The defaults of the MIB.
    pub(crate) const NEW: Notify = Notify {
        tag: Vec::new(),
        kind: TRAP,
        storage: StorageType::NonVolatile,
        status: RowStatus::NotReady,
    };
}

impl Profile {
    /// The defaults of the MIB.
    pub(crate) const NEW: Profile = Profile {
        filter: Vec::new(),
        storage: StorageType::NonVolatile,
        status: RowStatus::NotReady,
    };
}

impl Filter {
    /// The defaults of the MIB.
    pub(crate) const NEW: Filter = Filter {
        mask: Vec::new(),
        kind: INCLUDED,
        storage: StorageType::NonVolatile,
        status: RowStatus::NotReady,
    };

    /// What a SET makes.
    pub(crate) fn made((profile, _): &FilterIndex) -> Option<Self> {
        (1..=MAX_NAME).contains(&profile.0.len()).then_some(Filter::NEW)
    }
}

impl Managed for Notify {
    storage_and_status!();
}

pub(crate) const NOTIFY_COLUMNS: &[Column<Notify>] = &[
    Column::writable(
        2,
        |row| Some(VarValue::Octets(&row.tag)),
        Syntax::Octets(0, 255),
        |row, value| {
            let tag = text(value)?;
            if !target::is_tag(&tag) {
                return Err(ErrorStatus::WrongValue);
            }
            row.tag = tag;
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| Some(Integer(row.kind)),
        Syntax::Integer(TRAP, INFORM),
        |row, value| {
            row.kind = integer(value)?;
            Ok(())
        },
    ),
    Column::storage(4, Syntax::STORAGE_TYPE),
    Column::status(5),
];

impl Managed for Profile {
    storage_and_status!();
    fn is_complete(&self) -> bool {
        !self.filter.is_empty()
    }
}

pub(crate) const PROFILE_COLUMNS: &[Column<Profile>] = &[
    Column::writable(
        1,
        |row| (!row.filter.is_empty()).then_some(VarValue::Octets(&row.filter)),
        Syntax::Octets(1, MAX_NAME),
        |row, value| {
            row.filter = text(value)?;
            Ok(())
        },
    ),
    Column::storage(2, Syntax::STORAGE_TYPE),
    Column::status(3),
];

impl Managed for Filter {
    storage_and_status!();
}

pub(crate) const FILTER_COLUMNS: &[Column<Filter>] = &[
    Column::writable(
        2,
        |row| Some(VarValue::Octets(&row.mask)),
        Syntax::Octets(0, MAX_MASK),
        |row, value| {
            row.mask = text(value)?;
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| Some(Integer(row.kind)),
        Syntax::Integer(INCLUDED, EXCLUDED),
        |row, value| {
            row.kind = integer(value)?;
            Ok(())
        },
    ),
    Column::storage(4, Syntax::STORAGE_TYPE),
    Column::status(5),
];
