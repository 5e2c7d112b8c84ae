//! The tables of RFC 3415 row by row, as SNMP shows and changes them, and what of them has effect.
//!
//! It decides nothing about access: [`crate::tables`] is made of what is active here. Invariants: a row that
//! was configured is `readOnly`, so nobody changes it but the next configuration; a row that came by SET
//! stays over every configuration, and is kept over restarts unless it is `volatile`.

use mib_kit::{Managed, Octets, Oid, RowStatus, Rows, StorageType, storage_and_status};
use roles::settings::{AccessEntry, GroupMember, VacmSettings, ViewFamily};
use s_sdk::value::Field;

/// vacmContextTable: the name.
pub(crate) type ContextRow = Vec<u8>;

/// A row of vacmSecurityToGroupTable.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct MemberRow {
    pub(crate) entry: GroupMember,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// A row of vacmAccessTable.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct AccessRow {
    pub(crate) entry: AccessEntry,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// A row of vacmViewTreeFamilyTable.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct FamilyRow {
    pub(crate) entry: ViewFamily,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) contexts: Rows<Octets, ContextRow>,
    pub(crate) members: Rows<(u32, Octets), MemberRow>,
    pub(crate) access: Rows<(Octets, Octets, u32, u32), AccessRow>,
    pub(crate) families: Rows<(Octets, Oid), FamilyRow>,
    /// vacmViewSpinLock.
    pub(crate) spin_lock: i32,
}

/// What outlasts the process, and with it what came by SET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub(crate) struct Kept {
    members: Vec<MemberRow>,
    access: Vec<AccessRow>,
    families: Vec<FamilyRow>,
}

/// What the three kinds of rows have in common.
pub(crate) trait Row: Managed {
    type Index: mib_kit::Index;
    fn index(&self) -> Self::Index;
    /// Whether it could be in its table at all: what is kept may have been written by anybody.
    fn is_possible(&self) -> bool;
}

/// SnmpAdminString, as the tables bound it.
const NAME: std::ops::RangeInclusive<usize> = 1..=32;
const VIEW: std::ops::RangeInclusive<usize> = 0..=32;

impl Managed for MemberRow {
    storage_and_status!();
    fn is_complete(&self) -> bool {
        !self.entry.group.is_empty()
    }
}

impl Row for MemberRow {
    type Index = (u32, Octets);
    fn index(&self) -> (u32, Octets) {
        (self.entry.security_model, Octets(self.entry.security_name.clone()))
    }
    fn is_possible(&self) -> bool {
        let model = (1..=i32::MAX.cast_unsigned()).contains(&self.entry.security_model);
        model
            && NAME.contains(&self.entry.security_name.len())
            && VIEW.contains(&self.entry.group.len())
    }
}

impl Managed for AccessRow {
    storage_and_status!();
}

impl Row for AccessRow {
    type Index = (Octets, Octets, u32, u32);
    fn index(&self) -> Self::Index {
        let AccessEntry { group, context, security_model, security_level, .. } = &self.entry;
        (Octets(group.clone()), Octets(context.clone()), *security_model, *security_level)
    }
    fn is_possible(&self) -> bool {
        let AccessEntry { group, context, security_model, security_level, .. } = &self.entry;
        let AccessEntry { read_view, write_view, notify_view, .. } = &self.entry;
        NAME.contains(&group.len())
            && [context, read_view, write_view, notify_view].iter().all(|n| VIEW.contains(&n.len()))
            && *security_model <= i32::MAX.cast_unsigned()
            && (1..=3).contains(security_level)
    }
}

impl Managed for FamilyRow {
    storage_and_status!();
}

impl Row for FamilyRow {
    type Index = (Octets, Oid);
    fn index(&self) -> (Octets, Oid) {
        (Octets(self.entry.view.clone()), Oid(self.entry.subtree.clone()))
    }
    fn is_possible(&self) -> bool {
        let ViewFamily { view, subtree, mask, included: _ } = &self.entry;
        NAME.contains(&view.len()) && subtree.len() <= crate::view::MAX_ARCS && mask.len() <= 16
    }
}

impl Config {
    /// Replaces what was configured. What came by SET stays, and wins over a row of the same index.
    pub(crate) fn configure(&mut self, settings: &VacmSettings) {
        // RFC 3415 §4: the default context is always there.
        let names = settings.contexts.iter().cloned().chain([Vec::new()]);
        self.contexts = names.map(|name| (Octets(name.clone()), name)).collect();
        let fixed = (StorageType::ReadOnly, RowStatus::Active);
        replace(
            &mut self.members,
            is_configured,
            settings.members.iter().cloned().map(|entry| {
                let (storage, status) = fixed;
                MemberRow { entry, storage, status }
            }),
        );
        replace(
            &mut self.access,
            is_configured,
            settings.access.iter().cloned().map(|entry| {
                let (storage, status) = fixed;
                AccessRow { entry, storage, status }
            }),
        );
        replace(
            &mut self.families,
            is_configured,
            settings.views.iter().cloned().map(|entry| {
                let (storage, status) = fixed;
                FamilyRow { entry, storage, status }
            }),
        );
    }

    /// What was configured.
    pub(crate) fn configured(&self) -> VacmSettings {
        self.settings(is_configured, is_configured, is_configured)
    }

    /// What has effect: the rows that are active.
    pub(crate) fn effective(&self) -> VacmSettings {
        self.settings(
            |row| row.status == RowStatus::Active,
            |row| row.status == RowStatus::Active,
            |row| row.status == RowStatus::Active,
        )
    }

    fn settings(
        &self,
        member: impl Fn(&MemberRow) -> bool,
        access: impl Fn(&AccessRow) -> bool,
        family: impl Fn(&FamilyRow) -> bool,
    ) -> VacmSettings {
        let contexts = self.contexts.values().filter(|name| !name.is_empty());
        VacmSettings {
            contexts: contexts.cloned().collect(),
            members: wanted(self.members.values(), member).map(|row| row.entry.clone()).collect(),
            access: wanted(self.access.values(), access).map(|row| row.entry.clone()).collect(),
            views: wanted(self.families.values(), family).map(|row| row.entry.clone()).collect(),
        }
    }

    /// What came by SET; only what outlasts the process, or all of it.
    pub(crate) fn kept(&self, volatile_too: bool) -> Kept {
        let is_kept = |storage| {
            storage == StorageType::NonVolatile || volatile_too && storage != StorageType::ReadOnly
        };
        Kept {
            members: wanted(self.members.values(), |row| is_kept(row.storage)).cloned().collect(),
            access: wanted(self.access.values(), |row| is_kept(row.storage)).cloned().collect(),
            families: wanted(self.families.values(), |row| is_kept(row.storage)).cloned().collect(),
        }
    }

    /// Replaces what came by SET; false if it cannot have come from here, and then nothing has changed.
    pub(crate) fn restore(&mut self, kept: Kept) -> bool {
        let Kept { members, access, families } = kept;
        let possible = members.iter().all(is_from_a_set)
            && access.iter().all(is_from_a_set)
            && families.iter().all(is_from_a_set);
        if possible {
            replace_by(&mut self.members, members);
            replace_by(&mut self.access, access);
            replace_by(&mut self.families, families);
        }
        possible
    }
}

fn is_configured<R: Row>(row: &R) -> bool {
    row.storage() == StorageType::ReadOnly
}

fn is_from_a_set<R: Row>(row: &R) -> bool {
    row.status().is_settled(row.is_complete()) && !is_configured(row) && row.is_possible()
}

fn wanted<'r, R: 'r>(
    rows: impl Iterator<Item = &'r R>,
    wanted: impl Fn(&R) -> bool,
) -> impl Iterator<Item = &'r R> {
    rows.filter(move |row| wanted(row))
}

/// Replaces some rows; others stay, and win over new ones of the same index.
fn replace<R: Row>(
    rows: &mut Rows<R::Index, R>,
    gone: impl Fn(&R) -> bool,
    new: impl Iterator<Item = R>,
) {
    rows.retain(|row| !gone(row));
    for row in new {
        let index = row.index();
        if rows.get(&index).is_none() {
            rows.insert(&index, row);
        }
    }
}

/// Replaces what came by SET, and what is configured where a row of that index comes.
fn replace_by<R: Row>(rows: &mut Rows<R::Index, R>, new: Vec<R>) {
    rows.retain(is_configured);
    new.into_iter().for_each(|row| rows.insert(&row.index(), row));
}
