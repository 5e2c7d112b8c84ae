//! Who is told of a notification (RFC 3413 §3.3, §4, §6): selected by tag, kept out by filter.
//!
//! It asks nobody and sends nothing. Invariant: a target is selected at most once, by the first
//! snmpNotifyEntry that names its tag.

use crate::notification::{Filter, INCLUDED, INFORM};
use crate::tables::{Tables, name};
use crate::target::{self, TargetAddr, TargetParams};
use mib_kit::index::Implied;
use mib_kit::{Octets, Oid, RowStatus, Rows};
use roles::notify::canonical;
use roles::varbind::{SecurityLevel, VarBinds};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A management target: where, how, as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// snmpTargetAddrName.
    pub(crate) name: Vec<u8>,
    /// As what comes from there has it.
    pub(crate) domain: Vec<u32>,
    pub(crate) address: Vec<u8>,
    /// Hundredths of a second.
    pub(crate) timeout: u32,
    pub(crate) retries: u32,
    /// snmpTargetParamsName.
    pub(crate) params: Vec<u8>,
    pub(crate) message_model: u32,
    pub(crate) security_model: u32,
    pub(crate) security_name: Vec<u8>,
    pub(crate) security_level: SecurityLevel,
    pub(crate) inform: bool,
}

/// The targets of all active rows, in the order of their names.
pub(crate) fn targets(tables: &Tables) -> Vec<Target> {
    let mut targets = BTreeMap::new();
    let notifies = tables.notifies.iter().filter(|(_, row)| row.status == RowStatus::Active);
    for (_, notify) in notifies {
        let tagged = tables
            .addrs
            .iter()
            .filter(|(_, addr)| addr.is_active() && target::has_tag(&addr.tags, &notify.tag));
        for (Implied(Octets(name)), addr) in tagged {
            let target = whole(tables, name.clone(), addr, notify.kind == INFORM);
            if let (Some(target), Entry::Vacant(place)) = (target, targets.entry(name)) {
                place.insert(target);
            }
        }
    }
    targets.into_values().collect()
}

/// A target with its parameters; none while these are not active.
fn whole(tables: &Tables, addr_name: Vec<u8>, addr: &TargetAddr, inform: bool) -> Option<Target> {
    let params = tables.params.get(&name(&addr.params)).filter(|params| params.is_active())?;
    let TargetParams { message_model, security_model, security_name, security_level, .. } = params;
    let number = |number: &Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Some(Target {
        name: addr_name,
        domain: canonical(&addr.domain).to_vec(),
        address: addr.address.clone(),
        timeout: u32::try_from(addr.timeout).ok()?,
        retries: u32::try_from(addr.retries).ok()?,
        params: addr.params.clone(),
        message_model: number(message_model)?,
        security_model: number(security_model)?,
        security_name: security_name.clone()?,
        security_level: match number(security_level)? {
            1 => SecurityLevel::NoAuthNoPriv,
            2 => SecurityLevel::AuthNoPriv,
            3 => SecurityLevel::AuthPriv,
            _ => return None,
        },
        inform,
    })
}

/// Whether the filter of a target's parameters lets a notification through (RFC 3413 §6). Without a
/// profile there is no filter. The notification's own name must be included; of the names of its bindings
/// none may be excluded.
pub(crate) fn passes(
    tables: &Tables,
    params: &[u8],
    notification: &[u32],
    bindings: &VarBinds,
) -> bool {
    let profile = tables.profiles.get(&name(params));
    let Some(profile) = profile.filter(|row| row.status == RowStatus::Active) else { return true };
    let kind = |variable: &[u32]| kind_of(&tables.filters, &profile.filter, variable);
    kind(notification) == Some(true)
        && bindings.iter().all(|binding| kind(binding.name) != Some(false))
}

/// Whether the family of subtrees that says most of a name includes it; none if no family has it.
fn kind_of(
    filters: &Rows<(Octets, Implied<Oid>), Filter>,
    profile: &[u8],
    variable: &[u32],
) -> Option<bool> {
    let families = filters.iter().filter_map(|((Octets(of), Implied(Oid(subtree))), row)| {
        let is_family = of == profile && row.status == RowStatus::Active;
        (is_family && is_below(variable, &subtree, &row.mask)).then_some((subtree, row))
    });
    // The longest subtree decides, and of equally long ones the one that is lexicographically last.
    let last = families.max_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
    last.map(|(_, row)| row.kind == INCLUDED)
}

/// Whether a name lies in a family of subtrees: where the mask has a 1, or nothing, the sub-identifiers
/// are the same.
fn is_below(variable: &[u32], subtree: &[u32], mask: &[u8]) -> bool {
    let counts = |at: usize| mask.get(at / 8).is_none_or(|octet| octet & (0x80 >> (at % 8)) != 0);
    variable.len() >= subtree.len()
        && subtree
            .iter()
            .zip(variable)
            .enumerate()
            .all(|(at, (expected, found))| expected == found || !counts(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{EXCLUDED, Notify, Profile, TRAP};
    use mib_kit::StorageType;
    use roles::varbind::VarValue;

    const STATUS: RowStatus = RowStatus::Active;
    const STORAGE: StorageType = StorageType::Volatile;

    fn addr(tags: &[u8], params: &[u8], status: RowStatus) -> TargetAddr {
        let (domain, address) = (vec![1, 3], vec![1]);
        let (tags, params) = (tags.to_vec(), params.to_vec());
        TargetAddr { domain, address, tags, params, status, ..TargetAddr::NEW }
    }

    fn params(status: RowStatus) -> TargetParams {
        TargetParams {
            message_model: Some(3),
            security_model: Some(3),
            security_name: Some(b"alice".to_vec()),
            security_level: Some(2),
            storage: STORAGE,
            status,
        }
    }

    fn notify(tag: &[u8], kind: i32, status: RowStatus) -> Notify {
        Notify { tag: tag.to_vec(), kind, storage: STORAGE, status }
    }

    #[test]
    fn a_target_is_selected_by_tag_once_while_all_its_rows_are_active() {
        let mut tables = Tables::default();
        let idle = RowStatus::NotInService;
        tables.params.insert(&name(b"p"), params(STATUS));
        tables.params.insert(&name(b"idle"), params(idle));
        for (row, tags, of, status) in [
            (&b"one"[..], &b"ops lab"[..], &b"p"[..], STATUS),
            (b"two", b"lab", b"p", STATUS),
            (b"untagged", b"", b"p", STATUS),
            (b"idle", b"ops", b"p", idle),
            (b"of idle", b"ops", b"idle", STATUS),
            (b"of nobody", b"ops", b"gone", STATUS),
        ] {
            tables.addrs.insert(&name(row), addr(tags, of, status));
        }
        let told = |tables: &Tables| -> Vec<(Vec<u8>, bool)> {
            targets(tables).into_iter().map(|target| (target.name, target.inform)).collect()
        };
        assert_eq!(told(&tables), [], "nobody is told without an snmpNotifyEntry");
        tables.notifies.insert(&name(b"a"), notify(b"ops", TRAP, STATUS));
        tables.notifies.insert(&name(b"b"), notify(b"lab", INFORM, STATUS));
        tables.notifies.insert(&name(b"c"), notify(b"", TRAP, STATUS));
        assert_eq!(told(&tables), [(b"one".to_vec(), false), (b"two".to_vec(), true)]);
        tables.notifies.insert(&name(b"a"), notify(b"ops", TRAP, idle));
        assert_eq!(told(&tables), [(b"one".to_vec(), true), (b"two".to_vec(), true)]);
        let target = &targets(&tables)[0];
        assert_eq!((target.message_model, target.security_level), (3, SecurityLevel::AuthNoPriv));
    }

    fn filtered(families: &[(&[u32], &[u8], i32)]) -> Tables {
        let mut tables = Tables::default();
        let profile = Profile { filter: b"f".to_vec(), storage: STORAGE, status: STATUS };
        tables.profiles.insert(&name(b"p"), profile);
        for (subtree, mask, kind) in families {
            let index = (Octets(b"f".to_vec()), Implied(Oid(subtree.to_vec())));
            let mask = mask.to_vec();
            tables
                .filters
                .insert(&index, Filter { mask, kind: *kind, storage: STORAGE, status: STATUS });
        }
        tables
    }

    #[test]
    fn the_name_must_be_included_and_no_binding_excluded() {
        let mut bindings = VarBinds::new();
        bindings.push(&[1, 3, 9, 1, 0], VarValue::Integer(1)).unwrap();
        let told = |tables: &Tables| passes(tables, b"p", &[1, 3, 6, 1], &bindings);
        assert!(
            passes(&filtered(&[]), b"other", &[1, 3, 6, 1], &bindings),
            "no profile, no filter"
        );
        assert!(!told(&filtered(&[])), "a profile without families includes nothing");
        assert!(told(&filtered(&[(&[1, 3, 6], b"", INCLUDED)])), "a binding need not be included");
        assert!(!told(&filtered(&[(&[1, 3, 6], b"", EXCLUDED)])));
        let some = [(&[1, 3][..], &b""[..], INCLUDED), (&[1, 3, 9, 1], b"", EXCLUDED)];
        assert!(!told(&filtered(&some)), "a binding is excluded");
        let all = [some[0], some[1], (&[1, 3, 9, 1, 0], b"", INCLUDED)];
        assert!(told(&filtered(&all)), "the longest subtree decides");
        let mut idle = filtered(&some);
        idle.profiles.insert(
            &name(b"p"),
            Profile { filter: b"f".to_vec(), storage: STORAGE, status: RowStatus::NotInService },
        );
        assert!(told(&idle), "an idle profile filters nothing");
    }

    #[test]
    fn a_mask_lets_sub_identifiers_be_anything() {
        // 1.3.*.7: the third bit is 0.
        let tables = filtered(&[(&[1, 3, 0, 7], &[0b1101_1111], INCLUDED)]);
        let told = |name: &[u32]| passes(&tables, b"p", name, &VarBinds::new());
        assert!(told(&[1, 3, 5, 7]) && told(&[1, 3, 9, 7, 1]));
        assert!(!told(&[1, 3, 5, 8]) && !told(&[1, 3, 5]));
        // Of two families of one length the lexicographically last decides.
        let tables = filtered(&[
            (&[1, 3, 0, 7], &[0b1101_1111], INCLUDED),
            (&[1, 3, 5, 0], &[0b1110_1111], EXCLUDED),
        ]);
        assert!(!passes(&tables, b"p", &[1, 3, 5, 7], &VarBinds::new()));
    }
}
