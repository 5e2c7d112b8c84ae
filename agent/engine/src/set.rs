//! SetRequest (RFC 3416 §4.2.5): several modules change as if at once, or none does.
//!
//! `set_check` of all, then `set_apply` of all; where one fails, `set_undo` of those that were applied, the
//! last first. The answer waits until what was set is durable. `set_cleanup` ends it for every module that checked, whichever way it went.

use crate::access::View;
use crate::dispatch::Durable;
use crate::registry::{Range, covering};
use crate::respond::Result;
use roles::mib::{MibAccess as _, MibError, SetReference};
use roles::varbind::{ErrorStatus, Span, VarBinds};
use s_sdk::Activity;

/// The part of a SET that one module has.
#[derive(Clone, Copy)]
struct Part<'a> {
    range: &'a Range,
    /// Its bindings in the grouped list.
    which: Span,
    checked: Option<SetReference>,
    applied: bool,
}

/// A SET's bindings, those of one module together: a row may be created by bindings in any order, with
/// others between them.
struct Grouped<'a> {
    binds: VarBinds,
    /// Where each of them stood in the request, counted from 1.
    positions: Vec<u32>,
    parts: Vec<Part<'a>>,
}

/// Applies the bindings of `asked`, all or none.
pub fn set(
    act: &Activity,
    ranges: &[Range],
    context: &[u8],
    view: &View<'_>,
    asked: &VarBinds,
    durable: &Durable,
) -> Result {
    let mut grouped = match Grouped::of(ranges, view, asked) {
        Ok(grouped) => grouped,
        Err(error) => return error,
    };
    let failed = grouped.check(act, context).or_else(|| grouped.apply(act, durable));
    for part in &grouped.parts {
        if let Some(reference) = part.checked {
            // Nothing is left to be decided; a module that fails to clean up is told of by its own proxy.
            let _ = part.range.module.set_cleanup(act, reference);
        }
    }
    failed.unwrap_or(Result::Answers)
}

impl<'a> Grouped<'a> {
    fn of(
        ranges: &'a [Range],
        view: &View<'_>,
        asked: &VarBinds,
    ) -> std::result::Result<Self, Result> {
        let mut owners: Vec<(&Range, u32)> = Vec::with_capacity(asked.len());
        for (at, binding) in (1..).zip(asked.iter()) {
            let refuse = |status| Result::Error(status, at);
            // RFC 3416 §4.2.5 step 1.
            if !view.has(binding.name).map_err(refuse)? {
                return Err(refuse(ErrorStatus::NoAccess));
            }
            // Step 2: nothing there can be created or written.
            let range = covering(ranges, binding.name).ok_or(refuse(ErrorStatus::NotWritable))?;
            owners.push((range, at));
        }
        let mut grouped =
            Grouped { binds: VarBinds::new(), positions: Vec::new(), parts: Vec::new() };
        for (first, &(range, _)) in owners.iter().enumerate() {
            if owners[..first].iter().any(|(before, _)| same_module(before, range)) {
                continue;
            }
            let begin = grouped.binds.len();
            for (at, &(_, position)) in
                owners.iter().enumerate().filter(|(_, (other, _))| same_module(other, range))
            {
                let Some(binding) = asked.get(at) else { continue };
                grouped
                    .binds
                    .push(binding.name, binding.value)
                    .map_err(|_| Result::Error(ErrorStatus::ResourceUnavailable, position))?;
                grouped.positions.push(position);
            }
            let number = |at| u32::try_from(at).unwrap_or(u32::MAX);
            let which = Span::new(number(begin), number(grouped.binds.len() - begin));
            grouped.parts.push(Part { range, which, checked: None, applied: false });
        }
        Ok(grouped)
    }

    /// The first phase: every module says whether its part could be applied, and reserves what that takes.
    fn check(&mut self, act: &Activity, context: &[u8]) -> Option<Result> {
        for at in 0..self.parts.len() {
            let Part { range, which, .. } = self.parts[at];
            match range.module.set_check(act, context, &self.binds, which) {
                Ok(reference) => self.parts[at].checked = Some(reference),
                Err(error) => return Some(Result::Error(error.status, self.index(error, which))),
            }
        }
        None
    }

    /// The second phase: applies every part, or takes back what was applied.
    fn apply(&mut self, act: &Activity, durable: &Durable) -> Option<Result> {
        let mut failed = None;
        for at in 0..self.parts.len() {
            let Part { range, which, checked, .. } = self.parts[at];
            let Some(reference) = checked else { continue };
            match range.module.set_apply(act, reference, &self.binds, which) {
                Ok(()) => self.parts[at].applied = true,
                Err(error) => {
                    // RFC 3416 §4.2.5: whatever failed in the second phase is a commitFailed.
                    let at = self.index(error, which);
                    failed = Some(Result::Error(ErrorStatus::CommitFailed, at));
                    break;
                }
            }
        }
        // A manager relies on what it was told has been set.
        if failed.is_none() && !durable(act) {
            failed = Some(Result::Error(ErrorStatus::CommitFailed, 0));
        }
        failed?;
        for part in self.parts.iter().rev().filter(|part| part.applied) {
            let Some(reference) = part.checked else { continue };
            if part.range.module.set_undo(act, reference, &self.binds, part.which).is_err() {
                // RFC 3416 §4.2.5: undoFailed comes with an error-index of zero.
                failed = Some(Result::Error(ErrorStatus::UndoFailed, 0));
            }
        }
        failed
    }

    /// The position of a refused binding in the request; the first of the part where it was not said.
    fn index(&self, error: MibError, which: Span) -> u32 {
        let grouped = (error.index as usize).checked_sub(1).unwrap_or(which.at as usize);
        self.positions.get(grouped).copied().unwrap_or(0)
    }
}

/// One module may have several ranges.
fn same_module(one: &Range, other: &Range) -> bool {
    one.component == other.component
}
