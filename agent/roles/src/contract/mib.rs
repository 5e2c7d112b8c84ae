//! The contract suite of [`crate::mib`]: what every MIB module passes.
//!
//! [`suite`] walks a module and holds every answer to the sentences; [`set_suite`] takes a SET that can be
//! applied through its phases. They know no MIB: what the right values are, the module's own tests say.
//! Values may move while the suite looks (a clock, a counter), so names and types are compared, not values.

use super::Broken;
use crate::mib::{MibAccess, MibError, Walk};
use crate::varbind::{ErrorStatus, Span, ValueKind, VarBinds, VarValue, security_model};
use s_sdk::Activity;

/// More variables than any module under test has: a walk of so many never ends.
const MANY: usize = 1_000_000;

/// So many variables are looked at from all sides; the others only walked over.
const CLOSELY: usize = 200;

/// The name of a variable, and which type its value has.
pub type Variable = (Vec<u32>, ValueKind);

/// Checks all that reading a module can show.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(mib: &dyn MibAccess, act: &Activity) -> Result<(), Broken> {
    let subtrees = registered(mib, act)?;
    for root in &subtrees {
        let variables = walk(mib, act, root)?;
        gets(mib, act, &variables)?;
        let step = (variables.len() / CLOSELY).max(1);
        let mut before: &[u32] = root;
        for (position, (name, kind)) in variables.iter().enumerate() {
            if position % step == 0 {
                between(mib, act, before, name, *kind)?;
            }
            before = name;
        }
        repeats(mib, act, root, &variables)?;
    }
    outside(mib, act, &subtrees)
}

/// Takes a SET that can be applied through its phases, and some that must be refused, each with the status
/// and the position that is to blame, counted from 1. What is set stays set.
///
/// # Errors
/// The first sentence that is broken.
pub fn set_suite(
    mib: &dyn MibAccess,
    act: &Activity,
    set: &VarBinds,
    refused: &[(&VarBinds, ErrorStatus, u32)],
) -> Result<(), Broken> {
    let all = whole(set);
    let values = || values(mib, act, set);
    let before = values()?;
    let check_ok = |binds: &VarBinds, which| {
        let checked = mib.set_check(act, security_model::USM, b"tester", &[], binds, which);
        checked.map_err(|error| broken(6, format!("a SET that can be applied answers `{error}`")))
    };
    let cleanup = |set| {
        let cleaned = mib.set_cleanup(act, set);
        cleaned.map_err(|error| broken(7, format!("set_cleanup answers `{error}`")))
    };
    let seen = |sentence, expected: &VarBinds, when: &str| {
        let found = values()?;
        check(sentence, same(&found, expected), || format!("{when}: {found:?}"))
    };

    let reference = check_ok(set, all)?;
    seen(6, &before, "a check alone is seen")?;
    cleanup(reference)?;
    seen(6, &before, "a check that was cleaned up is seen")?;

    let reference = check_ok(set, all)?;
    let applied = mib.set_apply(act, reference, set, all);
    check(6, applied.is_ok(), || format!("what was checked cannot be applied: {applied:?}"))?;
    seen(7, set, "what was applied is not there")?;
    let undone = mib.set_undo(act, reference, set, all);
    check(7, undone.is_ok(), || format!("what was applied cannot be undone: {undone:?}"))?;
    seen(7, &before, "what was undone is there")?;
    cleanup(reference)?;

    // The other way round, and behind a binding that is not the module's.
    let mut reversed = VarBinds::new();
    push(&mut reversed, &[2, 999], VarValue::Integer(1))?;
    for position in (0..set.len()).rev() {
        let bind = set.get(position).ok_or_else(unseen)?;
        push(&mut reversed, bind.name, bind.value)?;
    }
    let behind = Span::new(1, all.len);
    let reference = check_ok(&reversed, behind).map_err(|error| Broken { sentence: 8, ..error })?;
    let applied = mib.set_apply(act, reference, &reversed, behind);
    check(8, applied.is_ok(), || format!("the other way round: {applied:?}"))?;
    cleanup(reference)?;
    seen(7, set, "what was applied and cleaned up is not there")?;

    for (binds, status, index) in refused {
        let answer = mib.set_check(act, security_model::USM, b"tester", &[], binds, whole(binds));
        let expected = answer.is_err_and(|error| (error.status, error.index) == (*status, *index));
        check(9, expected, || {
            format!("{binds:?} answers {answer:?} instead of {status} at {index}")
        })?;
    }
    seen(6, set, "a SET that was refused is seen")
}

/// Sentence 1.
fn registered(mib: &dyn MibAccess, act: &Activity) -> Result<Vec<Vec<u32>>, Broken> {
    let read = || {
        let (mut subtrees, mut entries) = (VarBinds::new(), VarBinds::new());
        answered(1, mib.subtrees(act, &mut subtrees))?;
        answered(1, mib.sys_or_entries(act, &mut entries))?;
        Ok((subtrees, entries))
    };
    let ((subtrees, entries), again) = (read()?, read()?);
    check(1, same(&subtrees, &again.0) && same(&entries, &again.1), || {
        "subtrees or entries of the sysORTable changed".to_owned()
    })?;
    for bind in subtrees.iter().chain(entries.iter()) {
        check(1, !bind.name.is_empty() && matches!(bind.value, VarValue::Octets(_)), || {
            format!("{bind:?} is no name with octets")
        })?;
    }
    // Subtrees of other contexts hold what nobody can ask for without knowing them.
    let roots = subtrees.iter().filter(|bind| bind.value == VarValue::Octets(b""));
    let roots: Vec<_> = roots.map(|bind| bind.name.to_vec()).collect();
    check(1, !subtrees.is_empty(), || "no subtree is registered".to_owned())?;
    Ok(roots)
}

/// Sentences 3 and 5: all variables below a root, one by one.
///
/// # Errors
/// The answers do not go up, leave the root, or do not end.
pub fn walk(mib: &dyn MibAccess, act: &Activity, root: &[u32]) -> Result<Vec<Variable>, Broken> {
    let before = successor(root);
    let mut found: Vec<Variable> = Vec::new();
    let mut at = root.to_vec();
    while found.len() < MANY {
        let (name, kind) = next(mib, act, &at, &before)?;
        if kind == ValueKind::EndOfMibView {
            check(3, name == at, || format!("the end behind {at:?} is named {name:?}"))?;
            return Ok(found);
        }
        check(3, name > at, || format!("{name:?} follows {at:?}: not increasing"))?;
        check(3, name.starts_with(root), || format!("{name:?} is not below {root:?}"))?;
        check(3, !is_exception(kind), || format!("{name:?} has no value but {kind:?}"))?;
        at.clone_from(&name);
        found.push((name, kind));
    }
    Err(broken(5, format!("there is no end after {MANY} variables")))
}

/// Sentences 2 and 5: what was walked over can be asked for, all at once.
fn gets(mib: &dyn MibAccess, act: &Activity, variables: &[Variable]) -> Result<(), Broken> {
    let mut names = VarBinds::new();
    push(&mut names, &[2, 999], VarValue::Unspecified)?;
    for (name, _) in variables {
        push(&mut names, name, VarValue::Unspecified)?;
    }
    let mut answers = VarBinds::new();
    push(&mut answers, &[1, 1], VarValue::Integer(7))?;
    let which = Span { at: 1, len: whole(&names).len.saturating_sub(1) };
    answered(2, mib.get(act, &[], &names, which, &mut answers))?;
    let first = answers.get(0).map(|bind| (bind.name, bind.value));
    check(2, first == Some((&[1, 1], VarValue::Integer(7))), || {
        "an output was overwritten, not appended to".to_owned()
    })?;
    check(2, answers.iter().count() == variables.len() + 1, || {
        format!("{} names are answered with {} variables", variables.len(), answers.len() - 1)
    })?;
    for (answer, (name, kind)) in answers.iter().skip(1).zip(variables) {
        check(5, answer.name == name && answer.value.kind() == *kind, || {
            format!("{name:?} was walked over with {kind:?}, and answers {answer:?}")
        })?;
    }
    Ok(())
}

/// Sentences 2 and 3 between two neighbours: partial indexes, arcs that are no index, the bound.
fn between(
    mib: &dyn MibAccess,
    act: &Activity,
    before: &[u32],
    name: &[u32],
    kind: ValueKind,
) -> Result<(), Broken> {
    let bound = successor(name);
    let mut asked: Vec<Vec<u32>> =
        (before.len()..name.len()).map(|len| name[..len].to_vec()).collect();
    asked.push([before, &[0]].concat());
    asked.push([before, &[u32::MAX; 3]].concat());
    for asked in asked.iter().filter(|asked| asked[..] >= *before && asked[..] < *name) {
        let follows = next(mib, act, asked, &bound)?;
        check(3, follows == (name.to_vec(), kind), || {
            format!("{follows:?} follows {asked:?} instead of {name:?}")
        })?;
        let end = next(mib, act, asked, name)?;
        check(3, end == (asked.clone(), ValueKind::EndOfMibView), || {
            format!("{end:?} follows {asked:?} below {name:?}, where nothing is")
        })?;
        if asked[..] != *before {
            let value = get(mib, act, asked)?;
            check(2, matches!(value, ValueKind::NoSuchObject | ValueKind::NoSuchInstance), || {
                format!("{asked:?} is passed over in a walk, and answers {value:?}")
            })?;
        }
    }
    let longer = [name, &[0]].concat();
    let value = get(mib, act, &longer)?;
    check(2, value == ValueKind::NoSuchInstance, || {
        format!("{longer:?} is the name of a variable with an arc behind, and answers {value:?}")
    })
}

/// Sentence 4: rows are what asking again and again answers.
fn repeats(
    mib: &dyn MibAccess,
    act: &Activity,
    root: &[u32],
    variables: &[Variable],
) -> Result<(), Broken> {
    let before = successor(root);
    let middle = variables.get(variables.len() / 2).map_or(root, |(name, _)| name);
    let last = variables.last().map_or(root, |(name, _)| name);
    let starts = [root, middle, last];
    let mut names = VarBinds::new();
    for name in starts {
        push(&mut names, name, VarValue::Unspecified)?;
    }
    for repetitions in [1u32, 2, 7] {
        let mut answers = VarBinds::new();
        let walk = Walk { which: Span::new(0, 3), repetitions };
        answered(4, mib.get_next(act, &[], &names, walk, &before, &mut answers))?;
        let rows = answers.len() / 3;
        check(
            4,
            answers.len().is_multiple_of(3) && (1..=repetitions as usize).contains(&rows),
            || format!("{} answers to 3 names and {repetitions} repetitions", answers.len()),
        )?;
        let mut at = starts.map(<[u32]>::to_vec);
        for (position, answer) in answers.iter().enumerate() {
            let expected = next(mib, act, &at[position % 3], &before)?;
            check(4, (answer.name.to_vec(), answer.value.kind()) == expected, || {
                format!("answer {position} is {answer:?} instead of {expected:?}")
            })?;
            at[position % 3] = expected.0;
        }
    }
    // An allocator may round up, so how many rows fit is not known; that they are whole is.
    let walk = Walk { which: Span::new(0, 3), repetitions: 50 };
    let mut small = VarBinds::bounded(10, 10 * 128, 10 * 1024);
    answered(4, mib.get_next(act, &[], &names, walk, &before, &mut small))?;
    check(4, small.len().is_multiple_of(3) && !small.is_empty(), || {
        format!("{} answers to 3 names when the answers are full", small.len())
    })?;
    let full = mib.get_next(act, &[], &names, walk, &before, &mut VarBinds::bounded(0, 0, 0));
    check(4, full.is_err_and(|error| error.status == ErrorStatus::TooBig), || {
        format!("answers without room for a row are answered with {full:?}")
    })
}

/// Sentence 3: names that the module does not answer for.
fn outside(mib: &dyn MibAccess, act: &Activity, subtrees: &[Vec<u32>]) -> Result<(), Broken> {
    for name in [&[][..], &[0], &[2, 999], &[u32::MAX; 128]] {
        let value = get(mib, act, name)?;
        check(2, value == ValueKind::NoSuchObject, || format!("{name:?} answers {value:?}"))?;
    }
    for root in subtrees {
        let behind = successor(root);
        let end = next(mib, act, &behind, &successor(&behind))?;
        let registered = subtrees.iter().any(|other| other.starts_with(&behind));
        check(3, registered || end.1 == ValueKind::EndOfMibView, || {
            format!("{end:?} follows {behind:?}, which is not registered")
        })?;
    }
    Ok(())
}

fn next(
    mib: &dyn MibAccess,
    act: &Activity,
    name: &[u32],
    before: &[u32],
) -> Result<Variable, Broken> {
    let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
    push(&mut names, name, VarValue::Unspecified)?;
    let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
    answered(3, mib.get_next(act, &[], &names, walk, before, &mut answers))?;
    only(3, name, &answers)
}

fn get(mib: &dyn MibAccess, act: &Activity, name: &[u32]) -> Result<ValueKind, Broken> {
    let (mut names, mut answers) = (VarBinds::new(), VarBinds::new());
    push(&mut names, name, VarValue::Unspecified)?;
    answered(2, mib.get(act, &[], &names, Span::new(0, 1), &mut answers))?;
    let (answer, kind) = only(2, name, &answers)?;
    check(2, answer == name, || format!("{name:?} is answered with {answer:?}"))?;
    Ok(kind)
}

fn only(sentence: u32, name: &[u32], answers: &VarBinds) -> Result<Variable, Broken> {
    match (answers.get(0), answers.len()) {
        (Some(answer), 1) => Ok((answer.name.to_vec(), answer.value.kind())),
        _ => Err(broken(sentence, format!("{name:?} has {} answers", answers.len()))),
    }
}

/// What the names of a SET hold now.
fn values(mib: &dyn MibAccess, act: &Activity, set: &VarBinds) -> Result<VarBinds, Broken> {
    let mut values = VarBinds::new();
    answered(7, mib.get(act, &[], set, whole(set), &mut values))?;
    Ok(values)
}

/// The first name behind everything below a root.
fn successor(root: &[u32]) -> Vec<u32> {
    let mut name = root.to_vec();
    while name.pop_if(|last| *last == u32::MAX).is_some() {}
    if let Some(last) = name.last_mut() {
        *last += 1;
    }
    name
}

fn is_exception(kind: ValueKind) -> bool {
    matches!(kind, ValueKind::NoSuchObject | ValueKind::NoSuchInstance | ValueKind::Unspecified)
}

fn same(a: &VarBinds, b: &VarBinds) -> bool {
    a.iter().eq(b.iter())
}

fn whole(binds: &VarBinds) -> Span {
    Span { at: 0, len: u32::try_from(binds.len()).unwrap_or(u32::MAX) }
}

fn push(binds: &mut VarBinds, name: &[u32], value: VarValue<'_>) -> Result<(), Broken> {
    binds.push(name, value).map_err(|_| broken(0, "the suite has no memory".to_owned()))
}

fn unseen() -> Broken {
    broken(0, "the suite was given a list with an entry that points outside".to_owned())
}

fn answered(sentence: u32, answer: Result<(), MibError>) -> Result<(), Broken> {
    answer.map_err(|error| broken(sentence, format!("an ordinary call answers `{error}`")))
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "mib", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}
