//! SNMP-VIEW-BASED-ACM-MIB (RFC 3415 §4): the tables, column by column.
//!
//! It holds nothing and decides nothing about access: rows are [`crate::config`]'s.

use crate::config::{AccessRow, Config, ContextRow, FamilyRow, MemberRow, Row};
use mib_kit::syntax::{integer, octets};
use mib_kit::{Column, Mib, Octets, Oid, RowStatus, Scalars, StorageType, Syntax, Table};
use roles::settings::{AccessEntry, GroupMember, ViewFamily};
use roles::varbind::VarValue;
use roles::varbind::VarValue::Integer;
use s_sdk::Refusal;

const CONTEXT_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 1, 1];
const MEMBER_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 2, 1];
const ACCESS_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 4, 1];
const VIEWS: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 5];
const FAMILY_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 5, 2, 1];

/// A column with the name of something.
macro_rules! name_column {
    ($row:ident, $number:literal, $field:ident, $syntax:expr) => {
        Column::writable(
            $number,
            |row: &$row| Some(VarValue::Octets(&row.entry.$field)),
            $syntax,
            |row, value| {
                row.entry.$field = octets(value)?.to_vec();
                Ok(())
            },
        )
    };
}

/// A column with two values, 1 for true.
macro_rules! choice_column {
    ($row:ident, $number:literal, $field:ident) => {
        Column::writable(
            $number,
            |row: &$row| Some(Integer(if row.entry.$field { 1 } else { 2 })),
            Syntax::Enumeration(&[1, 2]),
            |row, value| {
                row.entry.$field = integer(value)? == 1;
                Ok(())
            },
        )
    };
}

const CONTEXT: &[Column<ContextRow>] = &[Column::new(1, |name| Some(VarValue::Octets(name)))];

const MEMBER: &[Column<MemberRow>] = &[
    Column::writable(
        3,
        // RFC 3415 §4: there is no group of no name, so there is no value before there is one.
        |row: &MemberRow| {
            (!row.entry.group.is_empty()).then_some(VarValue::Octets(&row.entry.group))
        },
        Syntax::AdminString(1, 32),
        |row, value| {
            row.entry.group = octets(value)?.to_vec();
            Ok(())
        },
    ),
    Column::storage(4, Syntax::REMOVABLE),
    Column::status(5),
];

const ACCESS: &[Column<AccessRow>] = &[
    choice_column!(AccessRow, 4, exact),
    name_column!(AccessRow, 5, read_view, Syntax::AdminString(0, 32)),
    name_column!(AccessRow, 6, write_view, Syntax::AdminString(0, 32)),
    name_column!(AccessRow, 7, notify_view, Syntax::AdminString(0, 32)),
    Column::storage(8, Syntax::REMOVABLE),
    Column::status(9),
];

const FAMILY: &[Column<FamilyRow>] = &[
    name_column!(FamilyRow, 3, mask, Syntax::Octets(0, 16)),
    choice_column!(FamilyRow, 4, included),
    Column::storage(5, Syntax::REMOVABLE),
    Column::status(6),
];

const SPIN_LOCK: &[Column<i32>] = &[Column::test_and_incr(1)];

/// The MIB.
///
/// # Errors
/// Never: the columns are apart.
pub(crate) fn mib() -> Result<Mib<Config, Config>, Refusal> {
    let members = Table::new(MEMBER_ENTRY, MEMBER, |config: &Config| &config.members)
        .writable(|config: &Config| &config.members, |config| &mut config.members)
        .creatable(|(security_model, Octets(security_name))| {
            let entry = GroupMember {
                security_model: *security_model,
                security_name: security_name.clone(),
                group: Vec::new(),
            };
            let (storage, status) = FRESH;
            Some(MemberRow { entry, storage, status }).filter(Row::is_possible)
        });
    let access = Table::new(ACCESS_ENTRY, ACCESS, |config: &Config| &config.access)
        .writable(|config: &Config| &config.access, |config| &mut config.access)
        .creatable(|(group, context, security_model, security_level)| {
            let entry = AccessEntry {
                group: group.0.clone(),
                context: context.0.clone(),
                exact: true,
                security_model: *security_model,
                security_level: *security_level,
                read_view: Vec::new(),
                write_view: Vec::new(),
                notify_view: Vec::new(),
            };
            let (storage, status) = FRESH;
            Some(AccessRow { entry, storage, status }).filter(Row::is_possible)
        });
    let families = Table::new(FAMILY_ENTRY, FAMILY, |config: &Config| &config.families)
        .writable(|config: &Config| &config.families, |config| &mut config.families)
        .creatable(|(Octets(view), Oid(subtree))| {
            let (view, subtree) = (view.clone(), subtree.clone());
            let entry = ViewFamily { view, subtree, mask: Vec::new(), included: true };
            let (storage, status) = FRESH;
            Some(FamilyRow { entry, storage, status }).filter(Row::is_possible)
        });
    Mib::of(&[&[1, 3, 6, 1, 6, 3, 16, 1]])
        .described(&[(
            &[1, 3, 6, 1, 6, 3, 16, 2, 1, 1],
            "The management information definitions for the View-based Access Control Model.",
        )])
        .with(Table::new(CONTEXT_ENTRY, CONTEXT, |config: &Config| &config.contexts))
        .with(members)
        .with(access)
        .with(
            Scalars::new(VIEWS, SPIN_LOCK, |config: &Config| &config.spin_lock)
                .writable(|config: &mut Config| &mut config.spin_lock),
        )
        .with(families)
        .made()
}

/// What a row that a SET makes begins with.
const FRESH: (StorageType, RowStatus) = (StorageType::NonVolatile, RowStatus::NotReady);
