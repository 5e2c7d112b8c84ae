//! What the check admits the modules can do, and what it refuses they cannot: schemas as the derive
//! writes them, states as it moves them.

use s_sdk::State;
use s_sdk::state::SchemaOwned;
use s_state::can_map;

#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 1)]
struct One {
    hits: u64,
    name: String,
    scratch: u64,
}

#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 2)]
#[state(step(1 => 2, rename(hits -> calls), drop(scratch: u64)))]
struct Two {
    calls: u64,
    name: String,
}

#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 3)]
#[state(step(1 => 2, rename(hits -> calls), drop(scratch: u64)))]
#[state(step(2 => 3,
    default(since: Option<u64> = Some(9)),
    split(calls: u64 -> (gets: u64, sets: u32),
        up = |calls: u64| (calls, 0),
        down = |gets: u64, sets: u32| gets + u64::from(sets)),
))]
struct Three {
    gets: u64,
    sets: u32,
    name: String,
    since: Option<u64>,
}

/// Forgot `scratch`, and did not say where `mood` comes from.
#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 2)]
#[state(step(1 => 2, rename(hits -> calls)))]
struct Forgetful {
    calls: u64,
    name: String,
    mood: u8,
}

/// Another second version: it starts there, and knows nothing older.
#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 2)]
struct Young {
    calls: u64,
    name: String,
}

/// Says that the name was a number once.
#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "counter", version = 2)]
#[state(step(1 => 2,
    rename(hits -> calls),
    drop(scratch: u64),
    convert(name: u64 -> String, up = |name: u64| name.to_string(), down = |name: String| name.parse::<u64>()),
))]
struct Mistaken {
    calls: u64,
    name: String,
}

#[derive(Debug, Default, PartialEq, State)]
#[state(kind = "gauge", version = 1)]
struct Gauge {
    hits: u64,
}

fn schema<S: State>() -> SchemaOwned {
    SchemaOwned::from(S::schema())
}

/// Moves a default state there and back in the version that the check named, or in any that both know.
fn moves<A: State + Default, B: State + Default>() -> bool {
    let there = |version| {
        let mut state = Vec::new();
        A::default().export(version, &mut state).ok()?;
        B::import(version, &state).ok()
    };
    let and_back = |version| {
        let mut state = Vec::new();
        there(version)?.export(version, &mut state).ok()?;
        A::import(version, &state).ok()
    };
    match can_map(&schema::<A>(), &schema::<B>()) {
        Ok(mapping) => {
            let version = mapping.version.expect("both carry a state");
            assert!(
                and_back(version).is_some(),
                "{} admitted to {} as {version}",
                A::schema().kind,
                B::schema().kind
            );
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let common = s_state::schema::versions(&schema::<A>());
            assert!(common.into_iter().all(|version| and_back(version).is_none()), "{problems:?}");
            false
        }
    }
}

#[test]
fn what_is_admitted_moves_there_and_back_and_what_is_refused_does_not() {
    assert!(moves::<One, One>());
    assert!(moves::<One, Two>());
    assert!(moves::<One, Three>());
    assert!(moves::<Two, One>());
    assert!(moves::<Two, Three>());
    assert!(moves::<Three, One>());
    assert!(moves::<Three, Two>());
    assert!(moves::<Young, Three>());
    assert!(moves::<Two, Young>());
    assert!(!moves::<One, Forgetful>());
    assert!(!moves::<Forgetful, One>());
    assert!(!moves::<Forgetful, Two>());
    assert!(!moves::<One, Young>());
    assert!(!moves::<One, Gauge>());
    assert!(!moves::<Gauge, Two>());
}

#[test]
fn a_kind_that_a_rule_has_wrong_is_refused_before_any_value_is_seen() {
    let problems = can_map(&schema::<One>(), &schema::<Mistaken>()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "the field `name` of version 1 is text, but u64 for the successor: there correct the rule that names it, \
         or add `convert(name: … -> …, up = …, down = …)`"
    );
}
