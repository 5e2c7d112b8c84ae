//! The contract suites of [`crate::engine`] and [`crate::components`]: what the host's own component passes,
//! and what stands in its place in tests.
//!
//! No suite can see that boots are durable before the first answer (sentence 2 of the engine), nor when a
//! generation was noticed (3 of the components).

use super::Broken;
use crate::components::{ComponentEntry, Components};
use crate::engine::Engine;
use crate::error::Counter;
use crate::privacy::EngineTime;
use crate::varbind::{VarBinds, VarValue};
use s_sdk::{Activity, Buf, CallError, List};
use std::collections::BTreeSet;

/// The last snmpEngineBoots, and the largest snmpEngineTime (RFC 3414 §2.2.2).
const LATEST: u32 = 0x7fff_ffff;

/// How often clocks are read.
const READINGS: usize = 100;

/// Checks what the engine tells of itself.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(engine: &dyn Engine, act: &Activity) -> Result<(), Broken> {
    let mut engine_id = Buf::from(b"before".to_vec());
    for _ in 0..2 {
        answered(1, engine.engine_id(act, &mut engine_id))?;
    }
    let both = engine_id.strip_prefix(b"before").unwrap_or_default();
    let (one, again) = both.split_at(both.len() / 2);
    check(1, one == again && (5..=32).contains(&one.len()), || {
        format!("snmpEngineID is appended twice as {:?}", &engine_id[..])
    })?;
    moves_forward(engine, act)?;

    let mut counters = List::new();
    answered(3, engine.counters(act, &mut counters))?;
    check(3, counters.len() == Counter::ALL.len(), || {
        format!("{} values of {} counters", counters.len(), Counter::ALL.len())
    })?;
    entries(engine, act)
}

/// Sentence 2.
fn moves_forward(engine: &dyn Engine, act: &Activity) -> Result<(), Broken> {
    let mut before = EngineTime { boots: 0, time_seconds: 0 };
    for _ in 0..READINGS {
        let now = answered(2, engine.clock(act))?;
        let pair = |time: EngineTime| (time.boots, time.time_seconds);
        check(2, pair(now) >= pair(before), || format!("{now:?} after {before:?}"))?;
        check(2, now.boots <= LATEST && now.time_seconds <= LATEST, || format!("{now:?}"))?;
        before = now;
    }
    Ok(())
}

/// Sentence 4.
fn entries(engine: &dyn Engine, act: &Activity) -> Result<(), Broken> {
    let (mut entries, mut up_times) = (VarBinds::new(), List::new());
    answered(4, engine.sys_or_entries(act, &mut entries, &mut up_times))?;
    let last_change = answered(4, engine.sys_or_last_change(act))?;
    let up_time = answered(4, engine.up_time(act))?;
    check(4, entries.len() == up_times.len(), || {
        format!("{} entries with {} sysORUpTimes", entries.len(), up_times.len())
    })?;
    for (entry, since) in entries.iter().zip(up_times.iter()) {
        check(4, !entry.name.is_empty() && matches!(entry.value, VarValue::Octets(_)), || {
            format!("{entry:?} is no sysORID with its sysORDescr")
        })?;
        check(4, *since <= last_change, || {
            format!("{entry:?} came at {since}, after the last change at {last_change}")
        })?;
    }
    check(4, last_change <= up_time, || {
        format!("the last change is at {last_change}, and sysUpTime {up_time}")
    })
}

/// Checks what the engine tells of its components.
///
/// # Errors
/// The first sentence that is broken, of [`crate::components`].
pub fn components_suite(components: &dyn Components, act: &Activity) -> Result<(), Broken> {
    let broken = |sentence, seen| Broken { role: "components", sentence, seen };
    let check = |sentence, holds: bool, seen: &dyn Fn() -> String| {
        if holds { Ok(()) } else { Err(broken(sentence, seen())) }
    };
    let read = || {
        // Spans count from the beginning of the texts, so both lists are the caller's empty ones.
        let (mut entries, mut texts) = (List::<ComponentEntry>::new(), Buf::new());
        let read = components.components(act, &mut entries, &mut texts);
        read.map_err(|error| broken(1, format!("`components` answers `{error}`")))?;
        Ok((entries, texts))
    };
    let ((entries, texts), (again, texts_again)) = (read()?, read()?);
    let last_change = components.last_change(act);
    let last_change =
        last_change.map_err(|error| broken(3, format!("`last_change` answers `{error}`")))?;
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries.iter() {
        let found = [entry.name, entry.version, entry.annotation].map(|span| span.of(&texts));
        let is_text = |found: &Option<&[u8]>| found.is_some_and(|it| str::from_utf8(it).is_ok());
        check(1, found.iter().all(is_text), &|| format!("{entry:?} has no text"))?;
        let name = found[0].unwrap_or_default();
        check(1, !name.is_empty() && names.insert(name), &|| format!("{name:?} is there twice"))?;
        check(2, entry.number > 0 && numbers.insert(entry.number), &|| {
            format!("the number of {entry:?} is no number, or taken")
        })?;
        check(3, entry.since <= last_change, &|| {
            format!("{entry:?} is younger than the last change at {last_change}")
        })?;
    }
    let known = |entry: &ComponentEntry| {
        let is_same = |other: &&ComponentEntry| {
            other.number == entry.number && other.name.of(&texts_again) == entry.name.of(&texts)
        };
        again.iter().find(is_same).is_some()
    };
    check(2, entries.iter().all(known), &|| format!("{:?} after {:?}", &again[..], &entries[..]))
}

fn answered<T>(sentence: u32, answer: Result<T, CallError>) -> Result<T, Broken> {
    answer.map_err(|error| broken(sentence, format!("an ordinary call answers `{error}`")))
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "engine", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}
