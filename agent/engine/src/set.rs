//! SetRequest (RFC 3416 §4.2.5): several modules change as if at once, or none does.
//!
//! `set_check` of all, then `set_apply` of all; where one fails, `set_undo` of those that were applied, the
//! last first. The answer waits until what was set is durable. `set_cleanup` ends it for every module that checked, whichever way it went.

use crate::access::View;
use crate::registry::{Range, covering};
use crate::respond::Result;
use roles::mib::{MibAccess as _, MibAccessProxy, MibError, SetReference};
use roles::varbind::{ErrorStatus, Span, VarBinds};
use s_sdk::Activity;

/// The part of a SET that one module has.
struct Part {
    module: MibAccessProxy,
    which: Span,
    checked: Option<SetReference>,
    applied: bool,
}

/// Applies the bindings of `asked`, all or none.
pub fn set(
    act: &Activity,
    ranges: &[Range],
    context: &[u8],
    view: &View<'_>,
    asked: &VarBinds,
    durable: &crate::dispatch::Durable,
) -> Result {
    let mut parts = match split(ranges, view, asked) {
        Ok(parts) => parts,
        Err(error) => return error,
    };
    let mut failed = None;
    for part in &mut parts {
        match part.module.set_check(act, context, asked, part.which) {
            Ok(reference) => part.checked = Some(reference),
            Err(error) => {
                failed = Some(as_result(error, part.which));
                break;
            }
        }
    }
    if failed.is_none() {
        failed = apply(act, &mut parts, asked, durable);
    }
    for part in &parts {
        if let Some(reference) = part.checked {
            // Nothing is left to be decided; a module that fails to clean up is told of by its own proxy.
            let _ = part.module.set_cleanup(act, reference);
        }
    }
    failed.unwrap_or(Result::Answers)
}

/// The second phase: applies every part, or takes back what was applied.
fn apply(
    act: &Activity,
    parts: &mut [Part],
    asked: &VarBinds,
    durable: &crate::dispatch::Durable,
) -> Option<Result> {
    let mut failed = None;
    for part in parts.iter_mut() {
        let Some(reference) = part.checked else { continue };
        match part.module.set_apply(act, reference, asked, part.which) {
            Ok(()) => part.applied = true,
            Err(error) => {
                // RFC 3416 §4.2.5: whatever failed in the second phase is a commitFailed.
                let at = index(error, part.which);
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
    for part in parts.iter().rev().filter(|part| part.applied) {
        let Some(reference) = part.checked else { continue };
        if part.module.set_undo(act, reference, asked, part.which).is_err() {
            // RFC 3416 §4.2.5: undoFailed comes with an error-index of zero.
            failed = Some(Result::Error(ErrorStatus::UndoFailed, 0));
        }
    }
    failed
}

/// The bindings by module, neighbours together.
fn split(
    ranges: &[Range],
    view: &View<'_>,
    asked: &VarBinds,
) -> std::result::Result<Vec<Part>, Result> {
    let mut parts: Vec<Part> = Vec::new();
    let mut last: Option<&Range> = None;
    for (at, binding) in asked.iter().enumerate() {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let refuse = |status| Result::Error(status, at.saturating_add(1));
        // RFC 3416 §4.2.5 step 1.
        if !view.has(binding.name).map_err(refuse)? {
            return Err(refuse(ErrorStatus::NoAccess));
        }
        // Step 2: nothing there can be created or written.
        let range = covering(ranges, binding.name).ok_or(refuse(ErrorStatus::NotWritable))?;
        match parts.last_mut().filter(|_| last.is_some_and(|last| std::ptr::eq(last, range))) {
            Some(part) => part.which.len += 1,
            None => parts.push(Part {
                module: range.module,
                which: Span::new(at, 1),
                checked: None,
                applied: false,
            }),
        }
        last = Some(range);
    }
    Ok(parts)
}

/// The position of a refused binding in the request; the first of the part where it was not said.
fn index(error: MibError, which: Span) -> u32 {
    if error.index == 0 { which.at + 1 } else { error.index }
}

fn as_result(error: MibError, which: Span) -> Result {
    Result::Error(error.status, index(error, which))
}
