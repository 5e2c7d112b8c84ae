//! SNMP-TARGET-MIB and SNMP-NOTIFICATION-MIB as a manager meets them.

use crate::world::{World, target};
use roles::contract::mib::{set_suite, suite};
use roles::mib::{MibAccess, MibAccessProxy, MibError};
use roles::settings::{NotifyFilter, Persistence, PersistenceProxy};
use roles::varbind::VarValue::{Gauge32, Integer, Octets, Oid};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::{Activity, Buf};

const ADDR: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 2, 1];
const PARAMS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 3, 1];
const NOTIFY: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 1, 1];
const PROFILE: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 2, 1];
const FILTER: &[u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 3, 1];
const SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 1, 0];

const UDP: VarValue<'static> = Oid(&[1, 3, 6, 1, 6, 1, 1]);
const CREATE_AND_GO: VarValue<'static> = Integer(4);
const CREATE_AND_WAIT: VarValue<'static> = Integer(5);
const DESTROY: VarValue<'static> = Integer(6);

/// A column of the row with a name of one letter, or of another index.
fn cell(entry: &[u32], column: u32, index: &[u32]) -> Vec<u32> {
    [entry, &[column], index].concat()
}

fn binds(list: &[(Vec<u32>, VarValue<'_>)]) -> VarBinds {
    let mut binds = VarBinds::new();
    list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
    binds
}

fn set(
    mib: &MibAccessProxy,
    act: &Activity,
    list: &[(Vec<u32>, VarValue<'_>)],
) -> Result<(), (ErrorStatus, u32)> {
    let binds = binds(list);
    let which = Span::new(0, u32::try_from(binds.len()).unwrap());
    let refused = |error: MibError| (error.status, error.index);
    let set = mib.set_check(act, 3, b"tester", b"", &binds, which).map_err(refused)?;
    let applied = mib.set_apply(act, set, &binds, which).map_err(refused);
    mib.set_cleanup(act, set).unwrap();
    applied
}

fn get<T>(
    mib: &MibAccessProxy,
    act: &Activity,
    name: &[u32],
    check: impl FnOnce(VarValue<'_>) -> T,
) -> T {
    let mut answers = VarBinds::new();
    let names = binds(&[(name.to_vec(), VarValue::Unspecified)]);
    mib.get(act, b"", &names, Span::new(0, 1), &mut answers).unwrap();
    check(answers.get(0).unwrap().value)
}

/// Makes a target of all five tables by SET, named `a`.
pub(crate) fn make_all(mib: &MibAccessProxy, act: &Activity) {
    let a = &[97];
    set(
        mib,
        act,
        &[
            // The status first: the order of bindings must not matter.
            (cell(ADDR, 9, a), CREATE_AND_GO),
            (cell(ADDR, 2, a), UDP),
            (cell(ADDR, 3, a), Octets(&[127, 0, 0, 1, 0, 162])),
            (cell(ADDR, 6, a), Octets(b"ops lab")),
            (cell(ADDR, 7, a), Octets(b"a")),
            (cell(PARAMS, 2, a), Integer(1)),
            (cell(PARAMS, 3, a), Integer(2)),
            (cell(PARAMS, 4, a), Octets(b"told")),
            (cell(PARAMS, 5, a), Integer(1)),
            (cell(PARAMS, 7, a), CREATE_AND_GO),
            (cell(NOTIFY, 2, a), Octets(b"ops")),
            (cell(NOTIFY, 5, a), CREATE_AND_GO),
            (cell(PROFILE, 1, a), Octets(b"f")),
            (cell(PROFILE, 3, a), CREATE_AND_GO),
            (cell(FILTER, 5, &[1, 102, 1, 3]), CREATE_AND_GO),
        ],
    )
    .unwrap();
}

#[test]
fn the_contract_holds_with_rows_of_both_kinds() {
    let world = World::new();
    let filters = vec![NotifyFilter { subtree: vec![1, 3], mask: vec![0xff], included: true }];
    let configured = roles::settings::NotifyTarget { filters, ..target("configured", 3, true) };
    world.targets(&[configured]);
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    world.act(|act| make_all(&mib, act));
    world.act(|act| suite(&mib, act)).unwrap();
    let a = &[97];
    let refused = |list: &[(Vec<u32>, VarValue<'_>)]| binds(list);
    let configured: Vec<u32> = b"configured".iter().copied().map(u32::from).collect();
    world
        .act(|act| {
            set_suite(
                &mib,
                act,
                &binds(&[
                    (cell(ADDR, 4, a), Integer(77)),
                    (cell(ADDR, 5, a), Integer(7)),
                    (cell(NOTIFY, 3, a), Integer(2)),
                    (cell(FILTER, 3, &[1, 102, 1, 3]), Integer(2)),
                ]),
                &[
                    (&refused(&[(cell(ADDR, 5, a), Integer(256))]), ErrorStatus::WrongValue, 1),
                    (&refused(&[(cell(ADDR, 5, a), Gauge32(1))]), ErrorStatus::WrongType, 1),
                    (
                        &refused(&[(cell(ADDR, 6, a), Octets(b"two  blanks"))]),
                        ErrorStatus::WrongValue,
                        1,
                    ),
                    (
                        &refused(&[(cell(NOTIFY, 2, a), Octets(b"two tags"))]),
                        ErrorStatus::WrongValue,
                        1,
                    ),
                    (
                        &refused(&[(cell(PARAMS, 2, a), Integer(2))]),
                        ErrorStatus::InconsistentValue,
                        1,
                    ),
                    (
                        &refused(&[(cell(PARAMS, 3, a), Integer(4))]),
                        ErrorStatus::InconsistentValue,
                        1,
                    ),
                    (&refused(&[(cell(ADDR, 1, a), Octets(b"a"))]), ErrorStatus::NotWritable, 1),
                    // What is configured is nobody else's to change.
                    (
                        &refused(&[(cell(ADDR, 4, &configured), Integer(1))]),
                        ErrorStatus::NotWritable,
                        1,
                    ),
                    (
                        &refused(&[(cell(NOTIFY, 5, &configured), DESTROY)]),
                        ErrorStatus::NotWritable,
                        1,
                    ),
                    // A name of no octets, and one of 33.
                    (
                        &refused(&[(cell(ADDR, 9, &[]), CREATE_AND_WAIT)]),
                        ErrorStatus::NoCreation,
                        1,
                    ),
                    (
                        &refused(&[(cell(ADDR, 9, &[97; 33]), CREATE_AND_WAIT)]),
                        ErrorStatus::NoCreation,
                        1,
                    ),
                ],
            )
        })
        .unwrap();
}

#[test]
fn where_and_as_whom_cannot_be_changed_while_a_row_is_active() {
    let world = World::new();
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    let set = |list: &[(Vec<u32>, VarValue<'_>)]| world.act(|act| set(&mib, act, list));
    let a = &[97];
    // Incomplete: not ready, and not to be used.
    set(&[(cell(ADDR, 9, a), CREATE_AND_WAIT)]).unwrap();
    world.act(|act| get(&mib, act, &cell(ADDR, 9, a), |status| assert_eq!(status, Integer(3))));
    assert_eq!(set(&[(cell(ADDR, 9, a), Integer(1))]), Err((ErrorStatus::InconsistentValue, 1)));
    set(&[(cell(ADDR, 9, a), DESTROY)]).unwrap();
    world.act(|act| make_all(&mib, act));
    let elsewhere = Octets(&[127, 0, 0, 2, 0, 162]);
    let inconsistent = |at| Err((ErrorStatus::InconsistentValue, at));
    assert_eq!(
        set(&[(cell(ADDR, 4, a), Integer(5)), (cell(ADDR, 3, a), elsewhere)]),
        inconsistent(1)
    );
    assert_eq!(set(&[(cell(PARAMS, 4, a), Octets(b"bob"))]), inconsistent(1));
    // In any order with the status that allows it.
    set(&[(cell(ADDR, 3, a), elsewhere), (cell(ADDR, 9, a), Integer(2))]).unwrap();
    set(&[(cell(ADDR, 9, a), Integer(1)), (cell(ADDR, 3, a), Octets(&[127, 0, 0, 3, 0, 162]))])
        .unwrap();
    set(&[(cell(PARAMS, 7, a), Integer(2)), (cell(PARAMS, 4, a), Octets(b"bob"))]).unwrap();
    // The same value again changes nothing.
    set(&[(cell(ADDR, 3, a), Octets(&[127, 0, 0, 3, 0, 162]))]).unwrap();
}

#[test]
fn the_spin_lock_takes_its_own_number_once() {
    let world = World::new();
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    let lock = world.act(|act| {
        get(&mib, act, SPIN_LOCK, |value| match value {
            Integer(lock) => lock,
            other => panic!("{other:?}"),
        })
    });
    let name = SPIN_LOCK.to_vec();
    world.act(|act| set(&mib, act, &[(name.clone(), Integer(lock))])).unwrap();
    let again = world.act(|act| set(&mib, act, &[(name, Integer(lock))]));
    assert_eq!(again, Err((ErrorStatus::InconsistentValue, 1)));
}

#[test]
fn what_came_by_set_is_kept_and_what_was_configured_is_not() {
    let before = World::new();
    let mib: MibAccessProxy = before.runtime.proxy("notify").unwrap();
    let kept: PersistenceProxy = before.runtime.proxy("notify").unwrap();
    let revision = |world: &World| {
        let kept: PersistenceProxy = world.runtime.proxy("notify").unwrap();
        world.act(|act| kept.revision(act)).unwrap()
    };
    let nothing = revision(&before);
    before.targets(&[target("configured", 1, false)]);
    assert_eq!(revision(&before), nothing, "settings are not kept");
    before.act(|act| make_all(&mib, act));
    assert_ne!(revision(&before), nothing);
    let mut document = Buf::new();
    before.act(|act| kept.save(act, &mut document)).unwrap();

    let after = World::new();
    let mib: MibAccessProxy = after.runtime.proxy("notify").unwrap();
    let restored: PersistenceProxy = after.runtime.proxy("notify").unwrap();
    after.act(|act| {
        assert_eq!(restored.restore(act, b"nonsense"), Ok(false));
        assert_eq!(restored.restore(act, &document), Ok(true));
        get(&mib, act, &cell(ADDR, 6, &[97]), |tags| assert_eq!(tags, Octets(b"ops lab")));
        get(&mib, act, &cell(FILTER, 5, &[1, 102, 1, 3]), |status| assert_eq!(status, Integer(1)));
        let configured: Vec<u32> = b"configured".iter().copied().map(u32::from).collect();
        get(&mib, act, &cell(ADDR, 9, &configured), |status| {
            assert_eq!(status, VarValue::NoSuchInstance);
        });
    });
    assert_eq!(revision(&after), revision(&before));
}
