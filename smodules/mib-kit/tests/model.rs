//! Declared tables against the simplest thing that answers the same: one sorted map of names.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

use mib_kit::{Column, Implied, Index, Mib, Octets, Rows, Scalars, Table};
use proptest::prelude::*;
use roles::mib::Walk;
use roles::varbind::{Span, VarBinds, VarValue};
use std::collections::BTreeMap;

type Two = (u32, Octets);
type One = Implied<Octets>;

/// Three columns, each a value or a hole.
type Row = [Option<u32>; 3];

#[derive(Debug)]
struct View {
    scalars: Row,
    two: Rows<Two, Row>,
    one: Rows<One, Row>,
}

const COLUMNS: &[Column<Row>] = &[
    Column::new(3, |row| row[2].map(VarValue::Gauge32)),
    Column::new(1, |row| row[0].map(VarValue::Gauge32)),
    Column::new(2, |row| row[1].map(VarValue::Gauge32)),
];

const GROUP: &[u32] = &[1, 3, 5];
const TWO: &[u32] = &[1, 3, 5, 4, 1];
const ONE: &[u32] = &[1, 3, 6, 1];

fn mib() -> Mib<View> {
    Mib::of(&[&[1, 3, 5], &[1, 3, 6]])
        .with(Table::new(ONE, COLUMNS, |view: &View| &view.one))
        .with(Table::new(TWO, COLUMNS, |view: &View| &view.two))
        .with(Scalars::new(GROUP, COLUMNS, |view: &View| &view.scalars))
        .made()
        .unwrap()
}

type Model = BTreeMap<Vec<u32>, u32>;

fn enter(model: &mut Model, entry: &[u32], key: &[u32], row: &Row) {
    for (number, value) in (1..).zip(row) {
        if let Some(value) = value {
            model.insert([entry, &[number], key].concat(), *value);
        }
    }
}

fn modelled(view: &View) -> Model {
    let mut model = Model::new();
    let arcs = |put: &dyn Fn(&mut Vec<u32>)| {
        let mut arcs = Vec::new();
        put(&mut arcs);
        arcs
    };
    enter(&mut model, GROUP, &[0], &view.scalars);
    view.two.iter().for_each(|(index, row)| {
        enter(&mut model, TWO, &arcs(&|a| index.put(a)), row);
    });
    view.one.iter().for_each(|(index, row)| {
        enter(&mut model, ONE, &arcs(&|a| index.put(a)), row);
    });
    model
}

fn row() -> impl Strategy<Value = Row> {
    let cell = || prop::option::of(0..9u32);
    (cell(), cell(), cell()).prop_map(|(a, b, c)| [a, b, c])
}

fn octets() -> impl Strategy<Value = Octets> {
    prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..4).prop_map(Octets)
}

fn view() -> impl Strategy<Value = View> {
    let two = prop::collection::vec(((0..3u32, octets()), row()), 0..12);
    let one = prop::collection::vec((octets().prop_map(Implied), row()), 0..12);
    (row(), two, one).prop_map(|(scalars, two, one)| View {
        scalars,
        two: two.into_iter().collect(),
        one: one.into_iter().collect(),
    })
}

/// Names in, between, above, below and behind what there is.
fn name() -> impl Strategy<Value = Vec<u32>> {
    let arc = prop_oneof![0..7u32, Just(255), Just(256), Just(u32::MAX)];
    let start = prop_oneof![
        Just(GROUP.to_vec()),
        Just(TWO.to_vec()),
        Just(ONE.to_vec()),
        Just(vec![1, 3]),
        Just(vec![])
    ];
    (start, prop::collection::vec(arc, 0..6)).prop_map(|(start, arcs)| [start, arcs].concat())
}

/// What follows a name below a bound.
fn follows(model: &Model, name: &[u32], before: &[u32]) -> (Vec<u32>, VarValue<'static>) {
    let next = model.iter().find(|(other, _)| other.as_slice() > name);
    match next.filter(|(other, _)| before.is_empty() || other.as_slice() < before) {
        Some((other, value)) => (other.clone(), VarValue::Gauge32(*value)),
        None => (name.to_vec(), VarValue::EndOfMibView),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answer_is_the_models(
        view in view(),
        asked in prop::collection::vec(name(), 1..5),
        before in prop_oneof![Just(vec![]), name()],
        repetitions in 1..20u32,
    ) {
        let (mib, model) = (mib(), modelled(&view));
        let mut names = VarBinds::new();
        asked.iter().for_each(|name| names.push_name(name).unwrap());
        let which = Span::new(0, u32::try_from(names.len()).unwrap());

        let mut answers = VarBinds::new();
        mib.get(&view, b"", &names, which, &mut answers).unwrap();
        for (name, answer) in asked.iter().zip(answers.iter()) {
            prop_assert_eq!(answer.name, name);
            match model.get(name) {
                Some(value) => prop_assert_eq!(answer.value, VarValue::Gauge32(*value)),
                None => prop_assert!(answer.value.is_exception()),
            }
        }

        let mut answers = VarBinds::new();
        let walk = Walk { which, repetitions };
        mib.get_next(&view, b"", &names, walk, &before, &mut answers).unwrap();
        let mut at = asked.clone();
        prop_assert_eq!(answers.len() % asked.len(), 0);
        for (position, answer) in answers.iter().enumerate() {
            let place = position % asked.len();
            let expected = follows(&model, &at[place], &before);
            prop_assert_eq!((answer.name.to_vec(), answer.value), expected.clone());
            prop_assert!(answer.value == VarValue::EndOfMibView || answer.name > at[place].as_slice());
            at[place] = expected.0;
        }
        // It stops early only when every name of the last row is at its end.
        let rows = answers.len() / asked.len();
        let last = answers.iter().skip(answers.len() - asked.len());
        prop_assert!(
            rows == repetitions as usize || last.map(|bind| bind.value).all(|v| v == VarValue::EndOfMibView)
        );
    }

    #[test]
    fn a_walk_visits_all_of_the_model_once(view in view()) {
        let (mib, model) = (mib(), modelled(&view));
        let (mut at, mut found) = (vec![0], Model::new());
        loop {
            let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
            names.push_name(&at).unwrap();
            let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
            mib.get_next(&view, b"", &names, walk, &[], &mut answers).unwrap();
            let answer = answers.get(0).unwrap();
            let VarValue::Gauge32(value) = answer.value else { break };
            prop_assert!(answer.name > at.as_slice());
            at = answer.name.to_vec();
            prop_assert_eq!(found.insert(at.clone(), value), None);
        }
        prop_assert_eq!(found, model);
    }
}

#[test]
fn an_object_that_is_not_there_is_told_from_an_instance_that_is_not() {
    let two = [((1, Octets(b"a".to_vec())), [Some(1), None, Some(3)])].into_iter().collect();
    let view = View { scalars: [Some(1), None, None], two, one: Rows::default() };
    let mib = mib();
    for (name, expected) in [
        (&[1, 3, 5, 1, 0][..], VarValue::Gauge32(1)),
        // The object without an instance, with another one, and with one too many (RFC 3416 §4.2.1).
        (&[1, 3, 5, 1], VarValue::NoSuchInstance),
        (&[1, 3, 5, 1, 1], VarValue::NoSuchInstance),
        (&[1, 3, 5, 1, 0, 0], VarValue::NoSuchInstance),
        // A hole.
        (&[1, 3, 5, 2, 0], VarValue::NoSuchInstance),
        // No such column; the table and its entry are no objects with instances.
        (&[1, 3, 5, 7, 0], VarValue::NoSuchObject),
        (&[1, 3, 5, 4], VarValue::NoSuchObject),
        (&[1, 3, 5, 4, 1], VarValue::NoSuchObject),
        (&[1, 3, 5, 4, 1, 9, 1, 1, 97], VarValue::NoSuchObject),
        (&[1, 3, 5, 4, 1, 1, 1, 1, 97], VarValue::Gauge32(1)),
        (&[1, 3, 5, 4, 1, 2, 1, 1, 97], VarValue::NoSuchInstance),
        (&[1, 3, 5, 4, 1, 1, 1, 1, 98], VarValue::NoSuchInstance),
        (&[1, 3, 5, 4, 1, 1, 1, 2, 97], VarValue::NoSuchInstance),
        // A table without rows has columns all the same.
        (&[1, 3, 6, 1, 1, 5], VarValue::NoSuchInstance),
        (&[], VarValue::NoSuchObject),
    ] {
        assert_eq!(mib.value(&view, name), expected, "{name:?}");
    }
}

#[test]
fn another_context_is_empty() {
    let view = View { scalars: [Some(1); 3], two: Rows::default(), one: Rows::default() };
    let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
    names.push_name(&[1, 3, 5, 1, 0]).unwrap();
    let which = Span::new(0, 1);
    mib().get(&view, b"other", &names, which, &mut answers).unwrap();
    let walk = Walk { which, repetitions: 3 };
    mib().get_next(&view, b"other", &names, walk, &[], &mut answers).unwrap();
    let values: Vec<_> = answers.iter().map(|bind| bind.value).collect();
    assert_eq!(values, [VarValue::NoSuchObject, VarValue::EndOfMibView]);
}

#[test]
fn warm_answers_take_no_memory() {
    let rows = (0..1000u32).map(|n| (Implied(Octets(n.to_be_bytes().to_vec())), [Some(n); 3]));
    let view = View { scalars: [Some(1); 3], two: Rows::default(), one: rows.collect() };
    let mib = mib();
    let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
    names.push_name(&[1, 3, 5]).unwrap();
    names.push_name(&[1, 3, 6, 1, 2]).unwrap();
    let walk = Walk { which: Span::new(0, 2), repetitions: 100 };
    let mut ask = || {
        answers.clear();
        mib.get(&view, b"", &names, walk.which, &mut answers).unwrap();
        mib.get_next(&view, b"", &names, walk, &[], &mut answers).unwrap();
        answers.len()
    };
    assert_eq!(ask(), 202);
    assert_eq!(allocation_counter::measure(|| assert_eq!(ask(), 202)).count_total, 0);
}
