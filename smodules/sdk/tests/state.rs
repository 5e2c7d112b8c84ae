//! Three versions of a state, in every direction, and what goes wrong when a rule is forgotten.

use s_sdk::State;
use s_sdk::state::{SchemaOwned, StateError};
use s_sdk::value::{Field, Value};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, State)]
#[state(kind = "visitor", version = 1)]
struct Visitor1 {
    hits: u64,
    limit: u32,
    full: String,
    scratch: u64,
    rows: BTreeMap<u64, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, State)]
#[state(kind = "visitor", version = 2)]
#[state(step(1 => 2, rename(hits -> calls), convert(limit: u32 -> u64), drop(scratch: u64 = 77)))]
struct Visitor2 {
    calls: u64,
    limit: u64,
    full: String,
    rows: BTreeMap<u64, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, State)]
#[state(kind = "visitor", version = 4)]
#[state(step(1 => 2,
    rename(hits -> calls),
    convert(limit: u32 -> u64),
    drop(scratch: u64 = 77),
))]
#[state(step(2 => 4,
    split(full: String -> (first: String, last: String), up = split_name, down = join_name),
    merge((calls: u64, limit: u64) -> quota: (u64, u64), up = |calls, limit| (calls, limit), down = |both| both),
    default(since: Option<u32>),
    convert(rows: BTreeMap<u64, Vec<u8>> -> table: Vec<Entry>, up = to_table, down = from_table),
))]
struct Visitor4 {
    quota: (u64, u64),
    first: String,
    last: String,
    since: Option<u32>,
    table: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, s_sdk::value::Field)]
struct Entry {
    key: u64,
    octets: Vec<u8>,
}

fn split_name(full: String) -> Result<(String, String), &'static str> {
    let (first, last) = full.split_once(' ').ok_or("a full name has a space")?;
    Ok((first.to_owned(), last.to_owned()))
}

fn join_name(first: String, last: String) -> String {
    format!("{first} {last}")
}

fn to_table(rows: BTreeMap<u64, Vec<u8>>) -> Vec<Entry> {
    rows.into_iter().map(|(key, octets)| Entry { key, octets }).collect()
}

fn from_table(table: Vec<Entry>) -> BTreeMap<u64, Vec<u8>> {
    table.into_iter().map(|entry| (entry.key, entry.octets)).collect()
}

fn visitor1() -> Visitor1 {
    Visitor1 {
        hits: 7,
        limit: 100,
        full: "Ada Lovelace".into(),
        scratch: 5,
        rows: [(1, vec![1]), (9, vec![])].into(),
    }
}

fn visitor4() -> Visitor4 {
    Visitor4 {
        quota: (7, 100),
        first: "Ada".into(),
        last: "Lovelace".into(),
        since: None,
        table: vec![Entry { key: 1, octets: vec![1] }, Entry { key: 9, octets: vec![] }],
    }
}

fn exported(state: &impl State, version: u32) -> Vec<u8> {
    let mut out = Vec::new();
    state.export(version, &mut out).expect("the version is declared and the values fit");
    out
}

#[test]
fn the_own_version_comes_back() {
    assert_eq!(Visitor1::import(1, &exported(&visitor1(), 1)), Ok(visitor1()));
    assert_eq!(Visitor4::import(4, &exported(&visitor4(), 4)), Ok(visitor4()));
}

#[test]
fn the_fast_path_writes_what_the_value_says() {
    let state = visitor4();
    let slow = Value::from(vec![Value::from("visitor"), Value::U64(4), Field::to_value(&state)]);
    assert_eq!(exported(&state, 4), slow.encode());
}

#[test]
fn an_upgrade_takes_all_steps_and_its_rollback_takes_them_back() {
    let new = Visitor4::import(1, &exported(&visitor1(), 1)).unwrap();
    assert_eq!(new, visitor4());
    let old = Visitor1::import(1, &exported(&new, 1)).unwrap();
    assert_eq!(old, Visitor1 { scratch: 77, ..visitor1() });
}

#[test]
fn steps_chain_over_the_version_between() {
    let middle = Visitor2::import(1, &exported(&visitor1(), 1)).unwrap();
    assert_eq!(
        middle,
        Visitor2 { calls: 7, limit: 100, full: "Ada Lovelace".into(), rows: visitor1().rows }
    );
    assert_eq!(Visitor4::import(2, &exported(&middle, 2)).unwrap(), visitor4());
    assert_eq!(Visitor2::import(2, &exported(&visitor4(), 2)).unwrap(), middle);
}

#[test]
fn a_value_that_does_not_fit_names_its_field_and_leaves_the_output_alone() {
    let state =
        Visitor2 { calls: 0, limit: 5_000_000_000, full: String::new(), rows: BTreeMap::new() };
    let mut out = vec![1, 2, 3];
    let error = state.export(1, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`visitor` 1 => 2, convert(limit: u32 -> limit: u64): `limit`: 5000000000 does not fit in u32"
    );
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn a_function_that_refuses_says_why() {
    let state = Visitor1 { full: "Ada".into(), ..visitor1() };
    let error = Visitor4::import(1, &exported(&state, 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`visitor` 2 => 4, split(full: text -> (first: text, last: text)): `full`: a full name has a space"
    );
}

#[derive(Debug, State)]
#[state(kind = "visitor", version = 2)]
#[state(step(1 => 2, rename(hits -> calls), default(mood: String)))]
struct Forgetful {
    calls: u64,
    limit: u32,
    full: String,
    mood: String,
    rank: u8,
}

#[test]
fn fields_that_no_rule_names_or_gives_are_errors_with_their_cure() {
    let error = Forgetful::import(1, &exported(&visitor1(), 1)).unwrap_err();
    let StateError::Unmapped { ref leftover, ref missing, .. } = error else { panic!("{error}") };
    assert_eq!(leftover, &["rows", "scratch"]);
    assert_eq!(missing, &["rank"]);
    let text = error.to_string();
    assert!(
        text.contains("no rule names the field `rows`: add `rename(rows -> …)`, `drop(rows: …)`"),
        "{text}"
    );
    assert!(text.contains("no rule gives the field `rank`: add `default(rank: … = …)`"), "{text}");
}

#[derive(Debug, State)]
#[state(kind = "visitor", version = 1)]
struct Changed {
    hits: u64,
    limit: u32,
    full: String,
    rows: BTreeMap<u64, Vec<u8>>,
    extra: bool,
}

#[test]
fn changed_fields_under_an_old_version_are_found() {
    let error = Changed::import(1, &exported(&visitor1(), 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`visitor` version 1: there is no field `scratch`; changed fields need a new version and a `step`"
    );
}

#[derive(Debug, State)]
#[state(kind = "guest", version = 1)]
struct Guest {}

#[test]
fn states_of_other_kinds_and_versions_are_refused() {
    assert_eq!(
        Guest::import(1, &exported(&visitor1(), 1)).unwrap_err(),
        StateError::OtherKind { expected: "guest", found: "visitor".into() }
    );
    assert_eq!(
        Visitor2::import(1, &exported(&visitor4(), 2)).unwrap_err(),
        StateError::OtherVersion { kind: "visitor", announced: 1, found: 2 }
    );
    let unknown = StateError::UnknownVersion { kind: "visitor", version: 3, known: vec![1, 2, 4] };
    assert_eq!(visitor4().export(3, &mut Vec::new()), Err(unknown.clone()));
    let three =
        Value::from(vec![Value::from("visitor"), Value::U64(3), Value::from(BTreeMap::new())]);
    assert_eq!(Visitor4::import(3, &three.encode()), Err(unknown));
}

#[test]
fn nothing_is_a_state_too() {
    assert_eq!(<()>::import(0, &exported(&(), 0)), Ok(()));
    assert!(<()>::import(1, &exported(&visitor1(), 1)).is_err());
    assert!(Guest::import(1, &exported(&Guest {}, 1)).is_ok());
}

#[test]
fn octets_that_are_no_state_are_refused() {
    let good = exported(&visitor4(), 4);
    for end in 0..good.len() {
        assert!(Visitor4::import(4, &good[..end]).is_err());
    }
    assert!(Visitor4::import(4, &[&good[..], &[0]].concat()).is_err());
    assert!(matches!(
        Visitor4::import(4, &Value::Null.encode()),
        Err(StateError::Unreadable { .. })
    ));
    assert!(matches!(
        Visitor4::import(4, &Value::List(vec![].into()).encode()),
        Err(StateError::NoState { .. })
    ));
}

#[test]
fn a_schema_crosses_as_a_value() {
    let schema = SchemaOwned::from(Visitor4::schema());
    let crossed = Visitor4::schema().to_value().encode();
    assert_eq!(SchemaOwned::from_value(Value::decode(&crossed).unwrap()), Ok(schema.clone()));
    let names: Vec<_> =
        schema.fields.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
    assert_eq!(
        names,
        [
            "last: text",
            "first: text",
            "quota: (u64, u64)",
            "since: option<u32>",
            "table: list<{key: u64, octets: bytes}>"
        ]
    );
    let rules: Vec<_> =
        schema.steps.iter().flat_map(|step| &step.rules).map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "rename(hits -> calls)",
            "convert(limit: u32 -> limit: u64)",
            "drop(scratch: u64)",
            "split(full: text -> (first: text, last: text))",
            "merge((calls: u64, limit: u64) -> quota: (u64, u64))",
            "default(since: option<u32>)",
            "convert(rows: map<u64, bytes> -> table: list<{key: u64, octets: bytes}>)",
        ]
    );
    assert_eq!(SchemaOwned::from(<()>::schema()), SchemaOwned::NOTHING);
}

#[test]
fn a_large_state_is_copied_whole() {
    #[derive(PartialEq, State)]
    #[state(kind = "blob", version = 1)]
    struct Blob {
        octets: Vec<u8>,
    }
    let blob = Blob { octets: (0..=255).cycle().take(64 << 10).collect() };
    let out = exported(&blob, 1);
    assert_eq!(out.len() - blob.octets.len(), 20);
    assert!(Blob::import(1, &out) == Ok(blob));
}
