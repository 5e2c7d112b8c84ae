//! Walks over a table that changes under them: every GETNEXT and GETBULK may meet another snapshot, as it
//! does when a walk takes longer than a snapshot is good for. "OID not increasing" must be impossible.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

use mib_kit::{Column, Inet, Mib, Octets, Rows, Scalars, Table};
use proptest::prelude::*;
use roles::mib::Walk;
use roles::varbind::VarValue::{Gauge32, Integer};
use roles::varbind::{Span, VarBinds};
use std::collections::BTreeSet;

/// A snapshot: two tables with indexes of several lengths, and a scalar between them that may be a hole.
#[derive(Debug)]
struct Snapshot {
    named: Rows<(u32, Octets), u32>,
    addressed: Rows<(Inet, u32), u32>,
    scalar: Option<i32>,
}

const SCALAR: &[Column<Snapshot>] = &[Column::new(1, |all| all.scalar.map(Integer))];
/// The second column has holes, which move with the snapshots.
const NUMBERS: &[Column<u32>] = &[
    Column::new(1, |row| Some(Gauge32(*row))),
    Column::new(4, |row| (row % 2 == 0).then_some(Gauge32(*row))),
];

fn mib() -> Mib<Snapshot> {
    Mib::of(&[&[1, 3, 9]])
        .with(Table::new(&[1, 3, 9, 1, 1], NUMBERS, |all: &Snapshot| &all.named))
        .with(Scalars::new(&[1, 3, 9, 2], SCALAR, |all: &Snapshot| all))
        .with(Table::new(&[1, 3, 9, 3, 1], NUMBERS, |all: &Snapshot| &all.addressed))
        .made()
        .unwrap()
}

fn inet() -> impl Strategy<Value = Inet> {
    prop_oneof![
        Just(Inet::Unknown),
        (0..3u8).prop_map(|last| Inet::V4([10, 0, 0, last])),
        (0..3u8).prop_map(|last| Inet::V6([last; 16])),
        (0..3u32).prop_map(|zone| Inet::V6z([0xfe; 16], zone)),
    ]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let name = prop::collection::vec(0..3u8, 0..3).prop_map(Octets);
    let named = prop::collection::vec(((0..4u32, name), 0..4u32), 0..12);
    let addressed = prop::collection::vec(((inet(), 0..4u32), 0..4u32), 0..12);
    (named, addressed, prop::option::of(0..9i32)).prop_map(|(named, addressed, scalar)| Snapshot {
        named: named.into_iter().collect(),
        addressed: addressed.into_iter().collect(),
        scalar,
    })
}

/// The most variables that a snapshot of these has.
const MOST: usize = 12 * 2 * 2 + 1;

fn names_in(mib: &Mib<Snapshot>, snapshot: &Snapshot) -> BTreeSet<Vec<u32>> {
    let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
    names.push_name(&[1, 3]).unwrap();
    let walk = Walk { which: Span::new(0, 1), repetitions: u32::try_from(MOST).unwrap() + 1 };
    mib.get_next(snapshot, b"", &names, walk, &[], &mut answers).unwrap();
    let values = answers.iter().filter(|bind| !bind.value.is_exception());
    values.map(|bind| bind.name.to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Each step asks for what follows the last answer, of the next snapshot in turn. Names rise whatever
    /// came and went; what is in every snapshot is met; and the walk ends, for names are finite.
    #[test]
    fn a_walk_over_changing_snapshots_rises_ends_and_misses_nothing_that_stays(
        snapshots in prop::collection::vec(snapshot(), 1..6),
        repetitions in 1..6u32,
    ) {
        let mib = mib();
        let all: Vec<BTreeSet<Vec<u32>>> =
            snapshots.iter().map(|snapshot| names_in(&mib, snapshot)).collect();
        let mut stays = all[0].clone();
        all.iter().for_each(|names| stays.retain(|name| names.contains(name)));

        let mut at = vec![1, 3];
        let mut seen = BTreeSet::new();
        'walk: for snapshot in snapshots.iter().cycle() {
            let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
            names.push_name(&at).unwrap();
            let walk = Walk { which: Span::new(0, 1), repetitions };
            mib.get_next(snapshot, b"", &names, walk, &[], &mut answers).unwrap();
            prop_assert!(!answers.is_empty());
            for bind in answers.iter() {
                if bind.value.is_exception() {
                    prop_assert_eq!(bind.name, &at[..]);
                    break 'walk;
                }
                prop_assert!(bind.name > &at[..], "{:?} follows {:?}", bind.name, at);
                at = bind.name.to_vec();
                seen.insert(at.clone());
            }
            prop_assert!(seen.len() <= MOST * snapshots.len());
        }
        prop_assert!(stays.is_subset(&seen), "{stays:?} of {seen:?}");
    }
}
