//! The five tables together: what was configured, what came by SET, and how the one lies over the other.
//!
//! Configured rows are readOnly, so nobody can change them by SET, and no SET can make such a row: that is
//! how they are told apart. Invariant: a row that came by SET is never lost to a configured one of the same
//! name; it lies in the shadow until the configured one goes.

use crate::notification::{EXCLUDED, Filter, FilterIndex, INCLUDED, INFORM, Notify, Profile, TRAP};
use crate::target::{Name, TargetAddr, TargetParams};
use mib_kit::index::{Implied, Index};
use mib_kit::{Managed, Octets, Oid, RowStatus, Rows, StorageType};
use roles::settings::{NotifySettings, NotifyTarget};
use s_sdk::value::Field;

/// The tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) addrs: Rows<Name, TargetAddr>,
    pub(crate) params: Rows<Name, TargetParams>,
    pub(crate) notifies: Rows<Name, Notify>,
    pub(crate) profiles: Rows<Name, Profile>,
    pub(crate) filters: Rows<FilterIndex, Filter>,
}

/// All that a SET or a configuration changes.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub(crate) tables: Tables,
    /// What is configured, of which the readOnly rows are made.
    pub(crate) settings: NotifySettings,
    /// What came by SET and lies under a configured row of the same name.
    shadowed: Tables,
    /// snmpTargetSpinLock.
    pub(crate) spin_lock: i32,
}

/// Rows as they are kept: indexes as the arcs that a name ends with are of no use to a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub(crate) struct Kept {
    addrs: Vec<(Vec<u8>, TargetAddr)>,
    params: Vec<(Vec<u8>, TargetParams)>,
    notifies: Vec<(Vec<u8>, Notify)>,
    profiles: Vec<(Vec<u8>, Profile)>,
    filters: Vec<(Vec<u8>, Vec<u32>, Filter)>,
}

pub(crate) fn name(octets: &[u8]) -> Name {
    Implied(Octets(octets.to_vec()))
}

/// The rows that came by SET: those in the table that are not configured, and those in the shadow.
fn written<I: Index, R: Managed + Clone>(rows: &Rows<I, R>, shadowed: &Rows<I, R>) -> Rows<I, R> {
    let in_table = rows.iter().filter(|(_, row)| row.storage() != StorageType::ReadOnly);
    in_table.chain(shadowed.iter()).map(|(index, row)| (index, row.clone())).collect()
}

/// Puts configured rows over others; answers what is in their shadow.
fn cover<I: Index, R: Managed + Clone>(
    rows: &mut Rows<I, R>,
    configured: &Rows<I, R>,
) -> Rows<I, R> {
    let mut shadowed = Rows::default();
    for (index, row) in configured.iter() {
        if let Some(covered) = rows.remove(&index) {
            shadowed.insert(&index, covered);
        }
        rows.insert(&index, row.clone());
    }
    shadowed
}

/// The rows that are to be kept, with names as octets.
fn kept<R: Managed + Clone>(
    rows: &Rows<Name, R>,
    keep: fn(StorageType) -> bool,
) -> Vec<(Vec<u8>, R)> {
    let rows = rows.iter().filter(|(_, row)| keep(row.storage()));
    rows.map(|(Implied(Octets(name)), row)| (name, row.clone())).collect()
}

fn taken<R: Managed + Clone>(rows: Vec<(Vec<u8>, R)>) -> Rows<Name, R> {
    rows.into_iter().map(|(octets, row)| (name(&octets), row)).collect()
}

impl Tables {
    /// The rows that are to be kept.
    pub(crate) fn kept(&self, keep: fn(StorageType) -> bool) -> Kept {
        let filters = self.filters.iter().filter(|(_, row)| keep(row.storage));
        Kept {
            addrs: kept(&self.addrs, keep),
            params: kept(&self.params, keep),
            notifies: kept(&self.notifies, keep),
            profiles: kept(&self.profiles, keep),
            filters: filters
                .map(|((Octets(profile), Implied(Oid(subtree))), row)| {
                    (profile, subtree, row.clone())
                })
                .collect(),
        }
    }

    /// The rows that are configured.
    pub(crate) fn configured(settings: &NotifySettings) -> Self {
        let mut tables = Tables::default();
        settings.targets.iter().for_each(|target| tables.add(target));
        tables
    }

    /// The rows of one target, all of which have its name.
    fn add(&mut self, target: &NotifyTarget) {
        let (storage, status) = (StorageType::ReadOnly, RowStatus::Active);
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let octets = target.name.as_bytes();
        let index = name(octets);
        let tag = tag_of(target).as_bytes().to_vec();
        self.addrs.insert(
            &index,
            TargetAddr {
                domain: target.domain.clone(),
                address: target.address.clone(),
                timeout: number(target.timeout),
                retries: number(target.retries),
                tags: tag.clone(),
                params: octets.to_vec(),
                storage,
                status,
            },
        );
        self.params.insert(
            &index,
            TargetParams {
                message_model: Some(number(target.message_model)),
                security_model: Some(number(target.security_model)),
                security_name: Some(target.security_name.as_bytes().to_vec()),
                security_level: Some(number(target.security_level)),
                storage,
                status,
            },
        );
        let kind = if target.inform { INFORM } else { TRAP };
        self.notifies.insert(&index, Notify { tag, kind, storage, status });
        if !target.filters.is_empty() {
            self.profiles.insert(&index, Profile { filter: octets.to_vec(), storage, status });
        }
        for filter in &target.filters {
            let index = (Octets(octets.to_vec()), Implied(Oid(filter.subtree.clone())));
            let kind = if filter.included { INCLUDED } else { EXCLUDED };
            self.filters
                .insert(&index, Filter { mask: filter.mask.clone(), kind, storage, status });
        }
    }
}

impl From<Kept> for Tables {
    fn from(kept: Kept) -> Self {
        let filters = kept.filters.into_iter();
        Tables {
            addrs: taken(kept.addrs),
            params: taken(kept.params),
            notifies: taken(kept.notifies),
            profiles: taken(kept.profiles),
            filters: filters
                .map(|(profile, subtree, row)| ((Octets(profile), Implied(Oid(subtree))), row))
                .collect(),
        }
    }
}

/// The tag under which a configured target is selected.
pub(crate) fn tag_of(target: &NotifyTarget) -> &str {
    if target.tag.is_empty() { &target.name } else { &target.tag }
}

/// What outlasts the process (RFC 2579, StorageType).
pub(crate) const fn lasts(storage: StorageType) -> bool {
    matches!(storage, StorageType::NonVolatile | StorageType::Permanent)
}

impl Layers {
    /// What came by SET.
    pub(crate) fn written(&self) -> Tables {
        let Layers { tables, shadowed, .. } = self;
        Tables {
            addrs: written(&tables.addrs, &shadowed.addrs),
            params: written(&tables.params, &shadowed.params),
            notifies: written(&tables.notifies, &shadowed.notifies),
            profiles: written(&tables.profiles, &shadowed.profiles),
            filters: written(&tables.filters, &shadowed.filters),
        }
    }

    /// Puts configured rows in the place of those that were configured before.
    pub(crate) fn configure(&mut self, settings: NotifySettings) {
        let written = self.written();
        self.settings = settings;
        self.restore(written);
    }

    /// Puts rows that came by SET in the place of those that did before, under what is configured.
    pub(crate) fn restore(&mut self, written: Tables) {
        let configured = Tables::configured(&self.settings);
        self.tables = written;
        let tables = &mut self.tables;
        self.shadowed = Tables {
            addrs: cover(&mut tables.addrs, &configured.addrs),
            params: cover(&mut tables.params, &configured.params),
            notifies: cover(&mut tables.notifies, &configured.notifies),
            profiles: cover(&mut tables.profiles, &configured.profiles),
            filters: cover(&mut tables.filters, &configured.filters),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::settings::NotifyFilter;

    fn target(name: &str, port: u8) -> NotifyTarget {
        NotifyTarget {
            name: name.to_owned(),
            domain: roles::notify::UDP_DOMAIN.to_vec(),
            address: vec![127, 0, 0, 1, 0, port],
            message_model: 1,
            security_model: 2,
            security_name: "trap".to_owned(),
            security_level: 1,
            inform: false,
            tag: String::new(),
            timeout: 500,
            retries: 3,
            filters: vec![NotifyFilter { subtree: vec![1, 3], mask: vec![], included: true }],
        }
    }

    fn addresses(state: &Layers) -> Vec<(Vec<u8>, Option<u8>)> {
        let rows = state.tables.addrs.iter();
        rows.map(|(Implied(Octets(name)), row)| (name, row.address.last().copied())).collect()
    }

    #[test]
    fn what_came_by_set_comes_back_when_a_configured_row_of_its_name_goes() {
        let mut state = Layers::default();
        let by_set = |port| TargetAddr { address: vec![127, 0, 0, 1, 0, port], ..TargetAddr::NEW };
        state.tables.addrs.insert(&name(b"a"), by_set(1));
        state.tables.addrs.insert(&name(b"b"), by_set(2));
        state.configure(NotifySettings { targets: vec![target("b", 7), target("c", 8)] });
        let covered = |last: &[(&[u8], u8)]| -> Vec<(Vec<u8>, Option<u8>)> {
            last.iter().map(|(name, port)| (name.to_vec(), Some(*port))).collect()
        };
        assert_eq!(addresses(&state), covered(&[(b"a", 1), (b"b", 7), (b"c", 8)]));
        assert_eq!(state.tables.filters.len(), 2);
        // Settings again, and what was kept under them.
        let kept = state.written().kept(lasts);
        state.restore(Tables::from(kept));
        assert_eq!(addresses(&state), covered(&[(b"a", 1), (b"b", 7), (b"c", 8)]));
        state.configure(NotifySettings::default());
        assert_eq!(addresses(&state), covered(&[(b"a", 1), (b"b", 2)]));
        assert!(state.tables.filters.is_empty());
    }

    #[test]
    fn volatile_rows_are_not_kept() {
        let mut tables = Tables::default();
        let row = |storage| Notify { storage, ..Notify::NEW };
        tables.notifies.insert(&name(b"v"), row(StorageType::Volatile));
        tables.notifies.insert(&name(b"p"), row(StorageType::Permanent));
        tables.notifies.insert(&name(b"n"), row(StorageType::NonVolatile));
        let kept = Tables::from(tables.kept(lasts));
        assert!(kept.notifies.iter().map(|(name, _)| name.0.0).eq([b"n".to_vec(), b"p".to_vec()]));
        assert_eq!(Tables::from(tables.kept(|_| true)).notifies.len(), 3);
    }
}
