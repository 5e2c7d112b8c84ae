//! The contract suite of [`crate::swaps`]: what the host's own component passes, and what stands in its place
//! in tests.
//!
//! No suite can make a swap end: what is counted, and that the revision moves, the host's tests see.

use super::Broken;
use crate::components::{ComponentEntry, Components};
use crate::swaps::{MAX_TEXT, Swaps};
use crate::varbind::Span;
use s_sdk::{Activity, Buf, CallError, List};
use std::collections::BTreeSet;

/// Checks what is told of swaps, while none ends.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(swaps: &dyn Swaps, components: &dyn Components, act: &Activity) -> Result<(), Broken> {
    let before = answered(5, swaps.swaps_revision(act))?;
    let (mut past, mut texts) = (List::new(), Buf::new());
    answered(1, swaps.past_swaps(act, &mut past, &mut texts))?;
    check(1, past.windows(2).all(|pair| pair[0].number < pair[1].number), || {
        format!("{:?} do not grow", past.iter().map(|swap| swap.number).collect::<Vec<_>>())
    })?;
    for swap in past.iter() {
        has_text(&texts, swap.components)?;
        has_text(&texts, swap.cause)?;
    }
    let counts = answered(2, swaps.swap_counts(act))?;
    let told = past.iter().filter(|swap| swap.outcome.notification().is_some()).count();
    let counted = [counts.committed, counts.aborted, counts.rolled_back];
    let counted = counted.into_iter().fold(0u32, u32::wrapping_add);
    check(2, counted as usize >= told, || format!("{told} swaps, {counted} counted"))?;

    let (mut swapped, mut origins) = (List::new(), Buf::new());
    answered(3, swaps.swapped_components(act, &mut swapped, &mut origins))?;
    let (mut entries, mut names) = (List::<ComponentEntry>::new(), Buf::new());
    answered(3, components.components(act, &mut entries, &mut names))?;
    let numbers: BTreeSet<u32> = swapped.iter().map(|component| component.number).collect();
    let known: BTreeSet<u32> = entries.iter().map(|component| component.number).collect();
    check(3, numbers == known && numbers.len() == swapped.len(), || {
        format!("{numbers:?} in {} entries, of the components {known:?}", swapped.len())
    })?;
    for component in swapped.iter() {
        has_text(&origins, component.origin)?;
    }
    let after = answered(5, swaps.swaps_revision(act))?;
    check(5, before == after, || format!("{after} after {before}, and nothing has changed"))
}

/// Sentence 4.
fn has_text(texts: &Buf, span: Span) -> Result<(), Broken> {
    let text = span.of(texts).and_then(|octets| str::from_utf8(octets).ok());
    let is_text = text.is_some_and(|text| text.len() <= MAX_TEXT);
    check(4, is_text, || format!("{span:?} is no text of {} octets", texts.len()))
}

fn answered<T>(sentence: u32, answer: Result<T, CallError>) -> Result<T, Broken> {
    answer.map_err(|error| broken(sentence, format!("an ordinary call answers `{error}`")))
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "swaps", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}
