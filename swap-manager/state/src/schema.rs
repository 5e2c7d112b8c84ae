//! Whether carried state maps from one module to another and back: decided from two schemas alone.
//!
//! Two modules meet in a version that both declare. What a version consists of is not written down
//! anywhere: each side tells it by running its steps backwards from its own fields. If both sides tell
//! the same, every field has a destination, in both directions, and the swap and its rollback are
//! possible. Values are not looked at; one that does not fit is found by the dry run.

use s_sdk::state::{RuleOwned, SchemaOwned, StepOwned};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// How state moves between a predecessor and its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The version in which they meet: the predecessor exports as it, the successor imports from it, and
    /// a rollback does the same in the other direction. `None` when nothing is carried.
    pub version: Option<u32>,
    /// Fields of the predecessor that the successor will not have, as `name (version)`.
    pub lost: Vec<String>,
    /// Fields of the successor that a rollback will not bring back, as `name (version)`.
    pub lost_on_rollback: Vec<String>,
}

/// Why state does not map, and what would help.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The state would be lost.
    #[error(
        "the predecessor carries `{kind}`, the successor carries nothing: \
         add a state of that kind to the successor, or remove the component and add it anew"
    )]
    Abandoned {
        /// The kind of the predecessor's state.
        kind: String,
    },
    /// The states are not the same thing.
    #[error(
        "the predecessor carries `{predecessor}`, the successor `{successor}`: kinds have no mapping, \
         so keep the kind and raise the version"
    )]
    OtherKind {
        /// The kind of the predecessor's state.
        predecessor: String,
        /// The kind of the successor's state.
        successor: String,
    },
    /// No version is declared by both.
    #[error(
        "no version of `{kind}` is known to both sides: the predecessor has {predecessor:?}, the successor \
         {successor:?}; add `step({from} => …)` to the one at version {to}"
    )]
    NoCommonVersion {
        /// The kind of both.
        kind: String,
        /// The versions of the predecessor.
        predecessor: Vec<u32>,
        /// The versions of the successor.
        successor: Vec<u32>,
        /// Where the missing step starts: the version of the older side.
        from: u32,
        /// Where the steps are missing: the version of the newer side.
        to: u32,
    },
    /// A leftover field: the older side has it, the newer side does not take it.
    #[error(
        "the field `{field}: {kind}` of version {version} is named by no rule of the {newer}: there add \
         `drop({field}: …)`, `rename({field} -> …)`, or name it in `convert`, `split` or `merge`"
    )]
    Leftover {
        /// Who has the rules.
        newer: Side,
        /// The version in which they meet.
        version: u32,
        /// The field.
        field: String,
        /// Its kind.
        kind: String,
    },
    /// A missing field: the newer side needs it, the older side does not have it.
    #[error(
        "the {newer} expects a field `{field}: {kind}` in version {version}, which is not there: in its rules add \
         `default({field}: … = …)`, `rename(… -> {field})`, or make it in `convert`, `split` or `merge`"
    )]
    Missing {
        /// Who has the rules.
        newer: Side,
        /// The version in which they meet.
        version: u32,
        /// The field.
        field: String,
        /// Its kind.
        kind: String,
    },
    /// Both have the field, but not of the same kind.
    #[error(
        "the field `{field}` of version {version} is {older_kind}, but {newer_kind} for the {newer}: there correct \
         the rule that names it, or add `convert({field}: … -> …, up = …, down = …)`"
    )]
    OtherFieldKind {
        /// Who has the rules.
        newer: Side,
        /// The version in which they meet.
        version: u32,
        /// The field.
        field: String,
        /// Its kind for the older side.
        older_kind: String,
        /// Its kind for the newer side.
        newer_kind: String,
    },
    /// The fields changed, the version did not.
    #[error(
        "both sides are at version {version} of `{kind}`, but the field `{field}` differs: \
         raise the successor's version and add `step({version} => …)`"
    )]
    SameVersion {
        /// The kind of both.
        kind: String,
        /// The version of both.
        version: u32,
        /// A field that one side lacks, or has of another kind.
        field: String,
    },
    /// A schema contradicts itself. The derive cannot make one that does.
    #[error("the schema of the {side} contradicts itself at {from} => {to}, {rule}: {what}")]
    Contradiction {
        /// Whose schema.
        side: Side,
        /// The step's older version.
        from: u32,
        /// The step's newer version.
        to: u32,
        /// The rule, or empty when it is the step itself.
        rule: String,
        /// What is wrong.
        what: String,
    },
}

/// A party of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The module that serves.
    Predecessor,
    /// The module that is to serve.
    Successor,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Predecessor => "predecessor",
            Side::Successor => "successor",
        })
    }
}

/// Decides whether the predecessor's state maps to the successor and back.
pub fn can_map(
    predecessor: &SchemaOwned,
    successor: &SchemaOwned,
) -> Result<Mapping, Vec<Problem>> {
    if predecessor.is_nothing() {
        // The successor starts with what its `init` made; a rollback finds the predecessor as it was.
        return Ok(Mapping { version: None, lost: vec![], lost_on_rollback: vec![] });
    }
    if successor.is_nothing() {
        return Err(vec![Problem::Abandoned { kind: predecessor.kind.clone() }]);
    }
    if predecessor.kind != successor.kind {
        let (predecessor, successor) = (predecessor.kind.clone(), successor.kind.clone());
        return Err(vec![Problem::OtherKind { predecessor, successor }]);
    }
    let (old_versions, new_versions) = (versions(predecessor), versions(successor));
    // The newest version that both know loses least.
    let Some(version) = old_versions.iter().copied().filter(|v| new_versions.contains(v)).max()
    else {
        return Err(vec![Problem::NoCommonVersion {
            kind: predecessor.kind.clone(),
            from: predecessor.version.min(successor.version),
            to: predecessor.version.max(successor.version),
            predecessor: old_versions,
            successor: new_versions,
        }]);
    };
    match (
        descend(predecessor, Side::Predecessor, version),
        descend(successor, Side::Successor, version),
    ) {
        (Ok(old), Ok(new)) => {
            let problems = match predecessor.version.cmp(&successor.version) {
                Ordering::Less => differences(&old.fields, &new.fields, Side::Successor, version),
                Ordering::Greater => {
                    differences(&new.fields, &old.fields, Side::Predecessor, version)
                }
                Ordering::Equal => changes(&old.fields, &new.fields, predecessor),
            };
            if !problems.is_empty() {
                return Err(problems);
            }
            Ok(Mapping {
                version: Some(version),
                lost: [old.lost_down, new.lost_up].concat(),
                lost_on_rollback: [new.lost_down, old.lost_up].concat(),
            })
        }
        (old, new) => Err([old.err(), new.err()].into_iter().flatten().collect()),
    }
}

/// All versions a module reads and writes, oldest first.
pub fn versions(schema: &SchemaOwned) -> Vec<u32> {
    schema.steps.iter().map(|step| step.from).chain([schema.version]).collect()
}

/// Kinds by field name.
type Kinds = BTreeMap<String, String>;

/// What one side says about an older version of itself.
struct Descent {
    fields: Kinds,
    lost_down: Vec<String>,
    lost_up: Vec<String>,
}

fn descend(schema: &SchemaOwned, side: Side, version: u32) -> Result<Descent, Problem> {
    let mut descent = Descent {
        fields: schema.fields.iter().cloned().collect(),
        lost_down: Vec::new(),
        lost_up: Vec::new(),
    };
    let mut at = schema.version;
    for step in schema.steps.iter().rev() {
        if at == version {
            break;
        }
        let wrong = |rule: Option<&RuleOwned>, what| Problem::Contradiction {
            side,
            from: step.from,
            to: step.to,
            rule: rule.map_or_else(String::new, RuleOwned::to_string),
            what,
        };
        if step.to != at || step.from >= step.to {
            return Err(wrong(None, format!("the step should end at version {at}")));
        }
        for rule in step.rules.iter().rev() {
            descent.undo(rule, step).map_err(|what| wrong(Some(rule), what))?;
        }
        at = step.from;
    }
    Ok(descent)
}

impl Descent {
    fn undo(&mut self, rule: &RuleOwned, step: &StepOwned) -> Result<(), String> {
        for (name, kind) in &rule.to {
            match self.fields.remove(name) {
                Some(found) if found == *kind => {}
                Some(found) => return Err(format!("`{name}` is {found} in version {}", step.to)),
                None => return Err(format!("version {} has no field `{name}`", step.to)),
            }
        }
        for (name, kind) in &rule.from {
            if self.fields.insert(name.clone(), kind.clone()).is_some() {
                return Err(format!("version {} has two fields `{name}`", step.from));
            }
        }
        let named = |fields: &[(String, String)], version| {
            fields.iter().map(move |(name, _)| format!("{name} ({version})")).collect::<Vec<_>>()
        };
        if rule.from.is_empty() {
            self.lost_down.extend(named(&rule.to, step.to));
        }
        if rule.to.is_empty() {
            self.lost_up.extend(named(&rule.from, step.from));
        }
        Ok(())
    }
}

fn differences(older: &Kinds, newer: &Kinds, newer_side: Side, version: u32) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (field, kind) in older {
        let (newer_kind, field, kind) = (newer.get(field), field.clone(), kind.clone());
        match newer_kind {
            Some(newer_kind) if *newer_kind == kind => {}
            Some(newer_kind) => problems.push(Problem::OtherFieldKind {
                newer: newer_side,
                version,
                field,
                older_kind: kind,
                newer_kind: newer_kind.clone(),
            }),
            None => problems.push(Problem::Leftover { newer: newer_side, version, field, kind }),
        }
    }
    let missing = newer.iter().filter(|(field, _)| !older.contains_key(*field));
    problems.extend(missing.map(|(field, kind)| Problem::Missing {
        newer: newer_side,
        version,
        field: field.clone(),
        kind: kind.clone(),
    }));
    problems
}

fn changes(old: &Kinds, new: &Kinds, schema: &SchemaOwned) -> Vec<Problem> {
    let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = fields.into_iter().filter(|field| old.get(*field) != new.get(*field));
    let problem = |field: &String| Problem::SameVersion {
        kind: schema.kind.clone(),
        version: schema.version,
        field: field.clone(),
    };
    changed.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn owned(fields: Fields<'_>) -> Vec<(String, String)> {
        fields.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
    }

    fn rule(name: &str, from: Fields<'_>, to: Fields<'_>) -> RuleOwned {
        RuleOwned { name: name.into(), from: owned(from), to: owned(to) }
    }

    fn step(from: u32, to: u32, rules: Vec<RuleOwned>) -> StepOwned {
        StepOwned { from, to, rules }
    }

    fn schema(version: u32, fields: Fields<'_>, steps: Vec<StepOwned>) -> SchemaOwned {
        SchemaOwned { kind: "counter".into(), version, fields: owned(fields), steps }
    }

    fn one() -> SchemaOwned {
        schema(1, &[("hits", "u64"), ("limit", "u32"), ("scratch", "u64")], vec![])
    }

    fn one_to_two() -> StepOwned {
        step(
            1,
            2,
            vec![
                rule("rename", &[("hits", "u64")], &[("calls", "u64")]),
                rule("convert", &[("limit", "u32")], &[("limit", "u64")]),
                rule("drop", &[("scratch", "u64")], &[]),
            ],
        )
    }

    fn two() -> SchemaOwned {
        schema(2, &[("calls", "u64"), ("limit", "u64")], vec![one_to_two()])
    }

    fn three() -> SchemaOwned {
        let step = step(
            2,
            3,
            vec![
                rule("default", &[], &[("since", "u64")]),
                rule("merge", &[("calls", "u64"), ("limit", "u64")], &[("quota", "(u64, u64)")]),
            ],
        );
        schema(3, &[("since", "u64"), ("quota", "(u64, u64)")], vec![one_to_two(), step])
    }

    fn problem(predecessor: &SchemaOwned, successor: &SchemaOwned) -> Problem {
        let mut problems = can_map(predecessor, successor).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn an_upgrade_meets_in_the_older_version_and_says_what_is_lost() {
        let mapping = can_map(&one(), &three()).unwrap();
        assert_eq!(mapping.version, Some(1));
        assert_eq!(mapping.lost, ["scratch (1)"]);
        assert_eq!(mapping.lost_on_rollback, ["since (3)"]);
        assert_eq!(can_map(&two(), &three()).unwrap().version, Some(2));
    }

    #[test]
    fn a_downgrade_is_an_ordinary_swap() {
        let mapping = can_map(&three(), &one()).unwrap();
        assert_eq!(mapping.version, Some(1));
        assert_eq!(mapping.lost, ["since (3)"]);
        assert_eq!(mapping.lost_on_rollback, ["scratch (1)"]);
    }

    #[test]
    fn the_same_version_loses_nothing() {
        let mapping = can_map(&three(), &three()).unwrap();
        assert_eq!(mapping, Mapping { version: Some(3), lost: vec![], lost_on_rollback: vec![] });
    }

    #[test]
    fn two_branches_meet_in_the_newest_common_version() {
        let branch = step(2, 5, vec![rule("rename", &[("calls", "u64")], &[("served", "u64")])]);
        let branch = schema(5, &[("served", "u64"), ("limit", "u64")], vec![one_to_two(), branch]);
        assert_eq!(can_map(&three(), &branch).unwrap().version, Some(2));
        assert_eq!(can_map(&branch, &three()).unwrap().version, Some(2));
    }

    #[test]
    fn a_leftover_field_is_named_with_its_cure_in_both_directions() {
        let mut forgetful = two();
        forgetful.steps[0].rules.pop();
        let expected = |newer| Problem::Leftover {
            newer,
            version: 1,
            field: "scratch".into(),
            kind: "u64".into(),
        };
        let found = problem(&one(), &forgetful);
        assert_eq!(found, expected(Side::Successor));
        assert_eq!(
            found.to_string(),
            "the field `scratch: u64` of version 1 is named by no rule of the successor: there add \
             `drop(scratch: …)`, `rename(scratch -> …)`, or name it in `convert`, `split` or `merge`"
        );
        assert_eq!(problem(&forgetful, &one()), expected(Side::Predecessor));
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut greedy = two();
        greedy.fields.push(("mood".into(), "text".into()));
        let expected = |newer| Problem::Missing {
            newer,
            version: 1,
            field: "mood".into(),
            kind: "text".into(),
        };
        assert_eq!(problem(&one(), &greedy), expected(Side::Successor));
        assert_eq!(problem(&greedy, &one()), expected(Side::Predecessor));
    }

    #[test]
    fn a_field_of_another_kind_is_named() {
        let mut other = one();
        other.fields[1].1 = "text".into();
        assert_eq!(
            problem(&other, &two()),
            Problem::OtherFieldKind {
                newer: Side::Successor,
                version: 1,
                field: "limit".into(),
                older_kind: "text".into(),
                newer_kind: "u32".into(),
            }
        );
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let other = schema(2, &[("calls", "u64")], vec![step(1, 2, vec![])]);
        assert_eq!(can_map(&one(), &other).unwrap_err().len(), 4);
    }

    #[test]
    fn changed_fields_need_a_new_version() {
        let mut changed = two();
        changed.fields[0].0 = "served".into();
        changed.steps.clear();
        let problems = can_map(&two(), &changed).unwrap_err();
        assert!(
            matches!(&problems[..], [Problem::SameVersion { field: a, .. }, Problem::SameVersion { field: b, .. }]
            if a == "calls" && b == "served")
        );
    }

    #[test]
    fn a_gap_in_versions_is_told_with_the_missing_step() {
        let four = schema(4, &[("hits", "u64")], vec![step(3, 4, vec![])]);
        let found = problem(&two(), &four);
        assert!(
            found.to_string().ends_with("add `step(2 => …)` to the one at version 4"),
            "{found}"
        );
        assert_eq!(
            problem(&four, &two()).to_string().split_once("add").unwrap().1,
            found.to_string().split_once("add").unwrap().1
        );
    }

    #[test]
    fn kinds_never_mix_and_nothing_is_abandoned() {
        let other = SchemaOwned { kind: "gauge".into(), ..one() };
        assert!(matches!(problem(&one(), &other), Problem::OtherKind { .. }));
        assert!(matches!(problem(&one(), &SchemaOwned::NOTHING), Problem::Abandoned { .. }));
        assert_eq!(can_map(&SchemaOwned::NOTHING, &one()).unwrap().version, None);
        assert_eq!(can_map(&SchemaOwned::NOTHING, &SchemaOwned::NOTHING).unwrap().version, None);
    }

    #[test]
    fn a_schema_that_contradicts_itself_is_refused() {
        let mut wrong = two();
        wrong.steps[0].rules[0].to[0].0 = "served".into();
        assert!(matches!(
            problem(&one(), &wrong),
            Problem::Contradiction { side: Side::Successor, .. }
        ));
        let mut gap = three();
        gap.steps[0].to = 7;
        assert!(matches!(problem(&one(), &gap), Problem::Contradiction { .. }));
        let mut twice = two();
        twice.steps[0].rules[2].from[0].0 = "limit".into();
        assert!(matches!(problem(&one(), &twice), Problem::Contradiction { .. }));
    }
}
