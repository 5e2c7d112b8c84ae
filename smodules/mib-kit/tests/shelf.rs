//! A module made with the kit, read and written as the agent does: directly and through a proxy.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::{host, serve};
use mib_kit::syntax::{integer, octets, test_and_increment};
use mib_kit::{
    Cache, Column, MOST_ROWS, Managed, Mib, Octets, RowStatus, Rows, Scalars, Served, StorageType,
    Store, Syntax, Table, mib_module, storage_and_status,
};
use roles::contract::mib::{set_suite, suite};
use roles::mib::{MibAccess, MibAccessProxy, MibError, SetReference, Walk};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::{Activity, Host, Module, Refusal};
use std::cell::Cell;
use std::time::Duration;

/// A shelf with labelled boxes.
#[derive(Clone, Default)]
struct Shelf {
    label: Vec<u8>,
    serial: i32,
    boxes: Rows<Octets, Box>,
}

#[derive(Clone)]
struct Box {
    weight: Option<i32>,
    owner: Vec<u8>,
    storage: StorageType,
    status: RowStatus,
}

impl Managed for Box {
    storage_and_status!();
    fn is_complete(&self) -> bool {
        self.weight.is_some()
    }
}

const SHELF: &[Column<Shelf>] = &[
    Column::writable(
        1,
        |shelf| Some(VarValue::Octets(&shelf.label)),
        Syntax::DisplayString(0, 8),
        |shelf, value| {
            shelf.label = octets(value)?.to_vec();
            Ok(())
        },
    ),
    Column::writable(
        2,
        |shelf| Some(VarValue::Integer(shelf.serial)),
        Syntax::TEST_AND_INCR,
        |shelf, value| test_and_increment(&mut shelf.serial, value),
    ),
    Column::new(3, |shelf| i32::try_from(shelf.boxes.len()).ok().map(VarValue::Integer)),
];

const BOX: &[Column<Box>] = &[
    Column::writable(
        2,
        |row| row.weight.map(VarValue::Integer),
        Syntax::Integer(1, 100),
        |row, value| {
            row.weight = Some(integer(value)?);
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| Some(VarValue::Octets(&row.owner)),
        Syntax::Octets(0, 4),
        |row, value| {
            row.owner = octets(value)?.to_vec();
            Ok(())
        },
    ),
    Column::storage(4, Syntax::STORAGE_TYPE),
    Column::status(5),
];

struct ShelfMib {
    host: Host,
    mib: Mib<Shelf, Shelf>,
    store: Store<Shelf>,
}

mib_module!(ShelfMib, component = "mib.shelf", version = "1.0.0");

impl Module for ShelfMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let boxes = Table::new(&[1, 3, 9, 4, 1], BOX, |shelf: &Shelf| &shelf.boxes)
            .writable(|shelf: &Shelf| &shelf.boxes, |shelf| &mut shelf.boxes)
            .creatable(|index| {
                (index.0.len() <= 4).then(|| Box {
                    weight: None,
                    owner: Vec::new(),
                    storage: StorageType::NonVolatile,
                    status: RowStatus::NotReady,
                })
            });
        let fixed = |storage| Box {
            weight: Some(1),
            owner: Vec::new(),
            storage,
            status: RowStatus::Active,
        };
        let boxes_there = [
            (Octets(b"p".to_vec()), fixed(StorageType::Permanent)),
            (Octets(b"r".to_vec()), fixed(StorageType::ReadOnly)),
        ];
        let shelf = Shelf { boxes: boxes_there.into_iter().collect(), ..Shelf::default() };
        Ok(ShelfMib {
            host,
            mib: Mib::of(&[&[1, 3, 9]])
                .described(&[(&[1, 3, 9], "shelves")])
                .with(
                    Scalars::new(&[1, 3, 9], SHELF, |shelf: &Shelf| shelf)
                        .writable(|shelf: &mut Shelf| shelf),
                )
                .with(boxes)
                .made()?,
            store: Store::new(shelf),
        })
    }
}

impl Served for ShelfMib {
    type View = Shelf;
    type State = Shelf;

    fn mib(&self) -> &Mib<Shelf, Shelf> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Shelf) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.store.state())
    }

    fn store(&self) -> Option<&Store<Shelf>> {
        Some(&self.store)
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

const LABEL: &[u32] = &[1, 3, 9, 1, 0];
const SERIAL: &[u32] = &[1, 3, 9, 2, 0];

fn cell(column: u32, name: &[u8]) -> Vec<u32> {
    let length = u32::try_from(name.len()).unwrap();
    let octets = name.iter().copied().map(u32::from);
    [1, 3, 9, 4, 1, column, length].into_iter().chain(octets).collect()
}

fn binds(list: &[(&[u32], VarValue<'_>)]) -> VarBinds {
    let mut binds = VarBinds::new();
    list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
    binds
}

/// Runs a test through a proxy, on a module of its own.
fn hosted_shelf(test: impl Fn(&dyn MibAccess, &Activity)) {
    let (runtime, control) = host();
    serve(&control, "mib.shelf", &S_MODULE);
    let mut worker = runtime.worker();
    let proxy = runtime.proxy::<MibAccessProxy>("mib.shelf").unwrap();
    test(&proxy, &worker.activity());
}

fn set(mib: &dyn MibAccess, act: &Activity, binds: &VarBinds) -> Result<(), (ErrorStatus, u32)> {
    let which = Span::new(0, u32::try_from(binds.len()).unwrap());
    let refused = |error: MibError| (error.status, error.index);
    let set = mib.set_check(act, 3, b"tester", b"", binds, which).map_err(refused)?;
    let applied = mib.set_apply(act, set, binds, which).map_err(refused);
    mib.set_cleanup(act, set).unwrap();
    applied
}

fn get(mib: &dyn MibAccess, act: &Activity, name: &[u32]) -> String {
    let mut answers = VarBinds::new();
    let names = binds(&[(name, VarValue::Unspecified)]);
    mib.get(act, b"", &names, Span::new(0, 1), &mut answers).unwrap();
    format!("{:?}", answers.get(0).unwrap().value)
}

#[test]
fn the_contract_holds() {
    hosted_shelf(|mib, act| {
        suite(mib, act).unwrap();
        let (weight, owner) = (cell(2, b"a"), cell(3, b"a"));
        let good = binds(&[
            (LABEL, VarValue::Octets(b"left")),
            (&weight, VarValue::Integer(7)),
            (&owner, VarValue::Octets(b"me")),
        ]);
        let (fresh, go) = (cell(5, b"a"), VarValue::Integer(4));
        assert_eq!(set(mib, act, &binds(&[(&fresh, go), (&weight, VarValue::Integer(1))])), Ok(()));
        let label = |value| binds(&[(SERIAL, VarValue::Integer(0)), (LABEL, value)]);
        let only = |name: &[u32]| binds(&[(name, VarValue::Integer(1))]);
        set_suite(
            mib,
            act,
            &good,
            &[
                (&label(VarValue::Integer(1)), ErrorStatus::WrongType, 2),
                (&label(VarValue::Octets(b"123456789")), ErrorStatus::WrongLength, 2),
                (&label(VarValue::Octets(b"\xe9")), ErrorStatus::WrongValue, 2),
                (&only(&[1, 3, 9, 3, 0]), ErrorStatus::NotWritable, 1),
                (&only(&[1, 3, 9, 8, 0]), ErrorStatus::NotWritable, 1),
                (&only(&[1, 3, 9, 2, 1]), ErrorStatus::NoCreation, 1),
                (&only(SERIAL), ErrorStatus::InconsistentValue, 1),
                (&only(&cell(2, b"new")), ErrorStatus::InconsistentName, 1),
                (&only(&cell(2, b"too long")), ErrorStatus::NoCreation, 1),
                (&only(&[1, 3, 9, 4, 1, 2, 3, 97]), ErrorStatus::NoCreation, 1),
                (&only(&[1, 3, 9, 4, 1, 2, 1, 256]), ErrorStatus::NoCreation, 1),
            ],
        )
        .unwrap();
        suite(mib, act).unwrap();
    });
}

#[test]
fn a_row_is_made_waits_is_used_and_goes() {
    hosted_shelf(|mib, act| {
        let (weight, storage, status) = (cell(2, b"x"), cell(4, b"x"), cell(5, b"x"));
        let status_is = |number| binds(&[(&status, VarValue::Integer(number))]);
        let status = || get(mib, act, &status);
        // Without a weight it cannot be used; the status is to blame, wherever it stands.
        let owner = cell(3, b"x");
        let both =
            binds(&[(&owner, VarValue::Octets(b"me")), (&cell(5, b"x"), VarValue::Integer(4))]);
        assert_eq!(set(mib, act, &both), Err((ErrorStatus::InconsistentValue, 2)));
        assert_eq!(status(), "NoSuchInstance");
        assert_eq!(set(mib, act, &status_is(5)), Ok(()));
        assert_eq!(status(), "Integer(3)");
        assert_eq!(set(mib, act, &status_is(5)), Err((ErrorStatus::InconsistentValue, 1)));
        assert_eq!(set(mib, act, &status_is(1)), Err((ErrorStatus::InconsistentValue, 1)));
        assert_eq!(set(mib, act, &status_is(3)), Err((ErrorStatus::WrongValue, 1)));
        assert_eq!(set(mib, act, &binds(&[(&weight, VarValue::Integer(5))])), Ok(()));
        assert_eq!(status(), "Integer(2)");
        assert_eq!(set(mib, act, &status_is(1)), Ok(()));
        assert_eq!(set(mib, act, &status_is(4)), Err((ErrorStatus::InconsistentValue, 1)));
        let permanent = binds(&[(&storage, VarValue::Integer(4))]);
        assert_eq!(set(mib, act, &permanent), Err((ErrorStatus::InconsistentValue, 1)));
        assert_eq!(set(mib, act, &binds(&[(&storage, VarValue::Integer(2))])), Ok(()));
        assert_eq!(set(mib, act, &status_is(6)), Ok(()));
        assert_eq!(status(), "NoSuchInstance");
        assert_eq!(set(mib, act, &status_is(6)), Ok(()));
    });
}

#[test]
fn a_table_has_a_bound_and_room_again_when_a_row_goes() {
    let (runtime, control) = host();
    serve(&control, "mib.shelf", &S_MODULE);
    let mut worker = runtime.worker();
    let mib = runtime.proxy::<MibAccessProxy>("mib.shelf").unwrap();
    // Each in an activity of its own, as SETs come.
    let mut put = |number: usize, status| {
        let name = number.to_string();
        let binds = binds(&[(&cell(5, name.as_bytes()), VarValue::Integer(status))]);
        set(&mib, &worker.activity(), &binds)
    };
    let full = Err((ErrorStatus::ResourceUnavailable, 1));
    // Two are there.
    (2..MOST_ROWS).for_each(|number| assert_eq!(put(number, 5), Ok(())));
    assert_eq!(put(1, 5), full);
    // To destroy what is not there takes no room.
    assert_eq!(put(1, 6), Ok(()));
    assert_eq!(put(2, 6), Ok(()));
    assert_eq!((put(1, 5), put(2, 5)), (Ok(()), full));
    // As if at once: whoever goes in the same SET makes room.
    let name = |number: usize| cell(5, number.to_string().as_bytes());
    let (make, destroy) = (VarValue::Integer(5), VarValue::Integer(6));
    let exchange = binds(&[(&name(2), make), (&name(1), destroy)]);
    assert_eq!(set(&mib, &worker.activity(), &exchange), Ok(()));
}

#[test]
fn what_is_permanent_stays_and_what_is_read_only_is_not_touched() {
    hosted_shelf(|mib, act| {
        let put = |column, name: &[u8], number| {
            set(mib, act, &binds(&[(&cell(column, name), VarValue::Integer(number))]))
        };
        assert_eq!(put(2, b"p", 9), Ok(()));
        assert_eq!(put(5, b"p", 6), Err((ErrorStatus::InconsistentValue, 1)));
        assert_eq!(put(2, b"r", 9), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn an_activity_keeps_the_snapshot_that_it_met_and_the_next_one_meets_a_fresh_one() {
    let (runtime, _control) = host();
    let (mut worker, mut other) = (runtime.worker(), runtime.worker());
    let cache = Cache::new(Duration::from_secs(1));
    let (clock, reads) = (Cell::new(0), Cell::new(0));
    let meet = |act: &Activity| {
        let read = |_: Option<&u32>| {
            reads.set(reads.get() + 1);
            Ok::<u32, Refusal>(reads.get())
        };
        *cache.of(act, || Duration::from_millis(clock.get()), read).unwrap()
    };
    {
        let act = worker.activity();
        assert_eq!((meet(&act), meet(&act)), (1, 1));
        clock.set(1000);
        assert_eq!((meet(&act), meet(&other.activity()), meet(&act)), (1, 2, 1));
    }
    assert_eq!(meet(&worker.activity()), 2);
    clock.set(1999);
    assert_eq!(meet(&worker.activity()), 2);
    clock.set(2000);
    assert_eq!(meet(&worker.activity()), 3);
}

/// The module with one sentence of the contract broken.
struct Faulty<'a> {
    mib: &'a dyn MibAccess,
    sentence: u32,
    calls: Cell<u32>,
}

impl Faulty<'_> {
    fn breaks(&self, sentence: u32) -> bool {
        self.sentence == sentence
    }
}

impl MibAccess for Faulty<'_> {
    fn subtrees(&self, act: &Activity, subtrees: &mut VarBinds) -> Result<(), MibError> {
        self.calls.set(self.calls.get() + 1);
        if self.breaks(1) && self.calls.get() > 1 {
            subtrees.push(&[1, 4], VarValue::Octets(b""))?;
        }
        self.mib.subtrees(act, subtrees)
    }
    fn sys_or_entries(&self, act: &Activity, entries: &mut VarBinds) -> Result<(), MibError> {
        self.mib.sys_or_entries(act, entries)
    }
    fn get(
        &self,
        act: &Activity,
        context: &[u8],
        names: &VarBinds,
        which: Span,
        answers: &mut VarBinds,
    ) -> Result<(), MibError> {
        if self.breaks(2) {
            answers.clear();
        }
        if self.breaks(5) {
            return names
                .window(which)
                .try_for_each(|bind| answers.push(bind.name, VarValue::NoSuchInstance))
                .map_err(MibError::from);
        }
        self.mib.get(act, context, names, which, answers)
    }
    fn get_next(
        &self,
        act: &Activity,
        context: &[u8],
        names: &VarBinds,
        walk: Walk,
        before: &[u32],
        answers: &mut VarBinds,
    ) -> Result<(), MibError> {
        let before = if self.breaks(3) { &[] } else { before };
        if self.breaks(30) {
            // A name that is not greater.
            return answers.push(&[1, 3, 9], VarValue::Integer(1)).map_err(MibError::from);
        }
        self.mib.get_next(act, context, names, walk, before, answers)?;
        if self.breaks(4) && walk.repetitions > 1 {
            answers.truncate(answers.len() - 1);
        }
        Ok(())
    }
    fn set_check(
        &self,
        act: &Activity,
        security_model: u32,
        security_name: &[u8],
        context: &[u8],
        binds: &VarBinds,
        which: Span,
    ) -> Result<SetReference, MibError> {
        if self.breaks(8) && which.at > 0 {
            return Err(MibError::at(ErrorStatus::InconsistentName, 1));
        }
        let checked = self.mib.set_check(act, security_model, security_name, context, binds, which);
        if let (Ok(set), true) = (&checked, self.breaks(6)) {
            self.mib.set_apply(act, *set, binds, which)?;
        }
        checked
            .map_err(|error| MibError { index: error.index + u32::from(self.breaks(9)), ..error })
    }
    fn set_apply(
        &self,
        act: &Activity,
        set: SetReference,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        self.mib.set_apply(act, set, binds, which)
    }
    fn set_undo(
        &self,
        act: &Activity,
        set: SetReference,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        if self.breaks(7) { Ok(()) } else { self.mib.set_undo(act, set, binds, which) }
    }
    fn set_cleanup(&self, act: &Activity, set: SetReference) -> Result<(), MibError> {
        if self.breaks(70) { Ok(()) } else { self.mib.set_cleanup(act, set) }
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    let good = binds(&[(LABEL, VarValue::Octets(b"left"))]);
    let wrong = binds(&[(LABEL, VarValue::Integer(1))]);
    let broken = |sentence| {
        let found = Cell::new(0);
        hosted_shelf(|mib, act| {
            let faulty = Faulty { mib, sentence, calls: Cell::new(0) };
            let refused = [(&wrong, ErrorStatus::WrongType, 1)];
            let answer =
                suite(&faulty, act).and_then(|()| set_suite(&faulty, act, &good, &refused));
            found.set(answer.map_or_else(|broken| broken.sentence, |()| 0));
        });
        found.get()
    };
    for sentence in 1..=9 {
        assert_eq!(broken(sentence), sentence);
    }
    // A name that does not rise; a SET that is never ended and stays in the way.
    assert_eq!((broken(30), broken(70), broken(0)), (3, 6, 0));
}
