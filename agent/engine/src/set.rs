//! SetRequest (RFC 3416 §4.2.5): several modules change as if at once, or none does.
//!
//! `set_check` of all, then `set_apply` of all; where one fails, `set_undo` of those that were applied, the
//! last first. The answer waits until what was set is durable, and so does a refusal until what was undone
//! is. `set_cleanup` ends it for every module that checked, whichever way it went.
//!
//! Invariant: a request that is begun anew, because a module failed in it, finds a SET either undone or
//! decided ([`Scratch::decided`](crate::Scratch)): it is never applied twice.

use crate::access::View;
use crate::dispatch::Durable;
use crate::registry::{Range, covering};
use crate::respond::Result;
use crate::work::Work;
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
    /// Whether there may be something to undo.
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

/// What is to be set, and for whom.
pub(crate) struct Asked<'a> {
    /// Who asks: the security model and the principal that it proved.
    pub(crate) requester: (u32, &'a [u8]),
    pub(crate) context: &'a [u8],
    pub(crate) binds: &'a VarBinds,
}

/// Applies what is asked, all or nothing. Before anything is applied the answer to it is put together, by
/// `answer`, which says what is wrong if it cannot be: with what a SET changes (a key, a user, a view) its
/// own answer might not be possible any more.
pub(crate) fn set(
    view: &View<'_>,
    ranges: &[Range],
    asked: &Asked<'_>,
    answer: impl FnOnce() -> Option<Result>,
    durable: &Durable,
    work: &Work<'_>,
) -> Result {
    let act = view.act;
    let mut grouped = match Grouped::of(ranges, view, asked.binds) {
        Ok(grouped) => grouped,
        Err(error) => return error,
    };
    // Before anything is reserved: a request is left for later as a whole, or not at all. Once its deadline has
    // passed it sets nothing: who asked may have asked for something else meanwhile.
    let slow = grouped.parts.iter().find(|part| !work.may_ask(part.range));
    let late = grouped.parts.first().filter(|_| work.is_late());
    if let Some(part) = slow.or(late) {
        return Result::Error(ErrorStatus::GenErr, grouped.position(part.which));
    }
    let checked = grouped.check(act, asked, work);
    let failed = checked.or_else(answer).or_else(|| grouped.apply(act, durable, work));
    for part in &grouped.parts {
        if let Some(reference) = part.checked {
            // Nothing is left to be decided; a module that fails to clean up is told of by its own proxy.
            let _ = work.call(part.range, |module| module.set_cleanup(act, reference));
        }
    }
    failed.unwrap_or(Result::Answers)
}

/// Whether a SET stays as it is now: applied, or not to be undone.
pub(crate) fn is_decided(result: Result) -> bool {
    matches!(result, Result::Answers | Result::Error(ErrorStatus::UndoFailed, _))
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
    fn check(&mut self, act: &Activity, asked: &Asked<'_>, work: &Work<'_>) -> Option<Result> {
        let Asked { requester: (model, name), context, .. } = *asked;
        for at in 0..self.parts.len() {
            let Part { range, which, .. } = self.parts[at];
            let binds = &self.binds;
            let checked =
                work.call(range, |m| m.set_check(act, model, name, context, binds, which));
            match checked {
                Ok(reference) => self.parts[at].checked = Some(reference),
                Err(error) => return Some(Result::Error(error.status, self.index(error, which))),
            }
        }
        None
    }

    /// The second phase: applies every part, or takes back what was applied.
    fn apply(&mut self, act: &Activity, durable: &Durable, work: &Work<'_>) -> Option<Result> {
        let mut failed = None;
        for at in 0..self.parts.len() {
            let Part { range, which, checked, .. } = self.parts[at];
            let Some(reference) = checked else { continue };
            let binds = &self.binds;
            match work.call(range, |module| module.set_apply(act, reference, binds, which)) {
                Ok(()) => self.parts[at].applied = true,
                Err(error) => {
                    // A module that failed in the middle may have applied some or all of it; one that refused
                    // has not (contract of the role, 6). Undoing what was not applied changes nothing.
                    self.parts[at].applied = error.call != 0;
                    // RFC 3416 §4.2.5: whatever failed in the second phase is a commitFailed.
                    let at = self.index(error, which);
                    failed = Some(Result::Error(ErrorStatus::CommitFailed, at));
                    break;
                }
            }
        }
        // A manager relies on what it was told has been set.
        if failed.is_none() && !work.beside(|| durable(act)) {
            failed = Some(Result::Error(ErrorStatus::CommitFailed, 0));
        }
        failed?;
        for part in self.parts.iter().rev().filter(|part| part.applied) {
            let Some(reference) = part.checked else { continue };
            let (binds, which) = (&self.binds, part.which);
            let undone = work.call(part.range, |m| m.set_undo(act, reference, binds, which));
            if undone.is_err() {
                // RFC 3416 §4.2.5: undoFailed comes with an error-index of zero.
                failed = Some(Result::Error(ErrorStatus::UndoFailed, 0));
            }
        }
        // Some of it may have been written, if only by another SET that was decided meanwhile: it must not
        // come back with the next start. What cannot be written now is tried again with the next SET, and
        // was told by who writes.
        work.beside(|| durable(act));
        failed
    }

    /// The position of the first binding of a part in the request.
    fn position(&self, which: Span) -> u32 {
        self.positions.get(which.at as usize).copied().unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Engine;
    use crate::facts::{Facts, Identity};
    use crate::limits::Limits;
    use crate::pace::Patience;
    use roles::mib::Walk;
    use roles::varbind::VarValue;
    use s_proxy::gate::Fence;
    use s_proxy::{Code, Runtime, Surroundings};
    use s_sdk::{Handle, Host, Module, Refusal, s_module};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    /// What was called, in order. One test uses it.
    static CALLS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn called(what: &str) {
        CALLS.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }

    fn calls() -> String {
        CALLS.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect::<Vec<_>>().join(" ")
    }

    /// A module that takes whatever is set, and panics in the middle of applying 13.
    macro_rules! module {
        ($name:ident, $module:ident) => {
            mod $name {
                use super::*;

                struct $module;

                #[s_module(component = "mib.takes", version = "1.0.0")]
                impl roles::mib::MibAccess for $module {
                    fn subtrees(
                        &self,
                        _: &Activity,
                        _: &mut VarBinds,
                    ) -> std::result::Result<(), MibError> {
                        Ok(())
                    }
                    fn sys_or_entries(
                        &self,
                        _: &Activity,
                        _: &mut VarBinds,
                    ) -> std::result::Result<(), MibError> {
                        Ok(())
                    }
                    fn get(
                        &self,
                        _: &Activity,
                        _: &[u8],
                        _: &VarBinds,
                        _: Span,
                        _: &mut VarBinds,
                    ) -> std::result::Result<(), MibError> {
                        Ok(())
                    }
                    fn get_next(
                        &self,
                        _: &Activity,
                        _: &[u8],
                        _: &VarBinds,
                        _: Walk,
                        _: &[u32],
                        _: &mut VarBinds,
                    ) -> std::result::Result<(), MibError> {
                        Ok(())
                    }
                    fn set_check(
                        &self,
                        _: &Activity,
                        _: u32,
                        _: &[u8],
                        _: &[u8],
                        _: &VarBinds,
                        _: Span,
                    ) -> std::result::Result<SetReference, MibError> {
                        Ok(Handle::none())
                    }
                    fn set_apply(
                        &self,
                        _: &Activity,
                        _: SetReference,
                        binds: &VarBinds,
                        which: Span,
                    ) -> std::result::Result<(), MibError> {
                        called(concat!("apply-", stringify!($name)));
                        let first = binds.get(which.at as usize).map(|bind| bind.value);
                        match first {
                            Some(VarValue::Integer(13)) => panic!("in the middle of it"),
                            Some(VarValue::Integer(14)) => Err(MibError::at(
                                ErrorStatus::ResourceUnavailable,
                                which.at as usize,
                            )),
                            _ => Ok(()),
                        }
                    }
                    fn set_undo(
                        &self,
                        _: &Activity,
                        _: SetReference,
                        _: &VarBinds,
                        _: Span,
                    ) -> std::result::Result<(), MibError> {
                        called(concat!("undo-", stringify!($name)));
                        Ok(())
                    }
                    fn set_cleanup(
                        &self,
                        _: &Activity,
                        _: SetReference,
                    ) -> std::result::Result<(), MibError> {
                        Ok(())
                    }
                }

                impl Module for $module {
                    fn init(_: Host) -> std::result::Result<Self, Refusal> {
                        Ok($module)
                    }
                }
            }
        };
    }

    module!(one, One);
    module!(other, Other);

    struct Nothing;

    impl Surroundings for Nothing {}

    #[test]
    fn what_may_have_been_applied_is_undone_and_what_was_undone_is_kept_again() {
        let (runtime, control) = Runtime::start(Arc::new(Nothing), Fence::Everywhere);
        for name in ["message.v1", "message.v2c", "message.v3", "access.vacm"] {
            runtime.add_component(name).unwrap();
        }
        for (name, module) in [("mib.one", &one::S_MODULE), ("mib.other", &other::S_MODULE)] {
            let component = runtime.add_component(name).unwrap();
            let body = control.create(component, Code::linked(module)).unwrap();
            let group = control.bind(&[(component, Some(body))]);
            control.take(Instant::now() + Duration::from_secs(10)).unwrap().flip_open(group);
        }
        let facts = Facts::new(Identity {
            engine_id: b"engine".to_vec(),
            boots: 1,
            max_message_size: 1472,
            clock: Box::new(|| Duration::ZERO),
        });
        let engine = Engine::new(runtime, facts, Limits::default(), Box::new(|_| true)).unwrap();
        let range = |name, component| Range {
            generation: 1,
            from: vec![1],
            to: vec![2],
            is_subtree: true,
            module: runtime.proxy(name).unwrap(),
            component,
            entry: None,
        };
        let ranges = [range("mib.one", 0), range("mib.other", 1)];
        let mut worker = runtime.worker();
        let mut set = |values: [i32; 2], durable: &Durable| {
            let act = worker.activity();
            let work = Work::new(&engine, Patience::default(), None, &[]);
            let mut grouped =
                Grouped { binds: VarBinds::new(), positions: vec![1, 2], parts: Vec::new() };
            for (range, (value, at)) in ranges.iter().zip(values.into_iter().zip(0..)) {
                grouped.binds.push(&[1, 3], VarValue::Integer(value)).unwrap();
                let which = Span::new(at, 1);
                grouped.parts.push(Part { range, which, checked: None, applied: false });
            }
            let nothing = VarBinds::new();
            let asked = Asked { requester: (3, b"tester"), context: b"", binds: &nothing };
            assert_eq!(grouped.check(&act, &asked, &work), None);
            (grouped.apply(&act, durable, &work), calls())
        };
        let written = Arc::new(AtomicU32::new(0));
        let durable = |answer: bool| -> Durable {
            let written = Arc::clone(&written);
            Box::new(move |_| {
                written.fetch_add(1, Ordering::Relaxed);
                answer
            })
        };
        let failed = |at| Some(Result::Error(ErrorStatus::CommitFailed, at));
        assert_eq!(set([1, 1], &durable(true)), (None, "apply-one apply-other".into()));
        assert_eq!(written.swap(0, Ordering::Relaxed), 1);
        // Refused: what was applied before it is undone, and written again: another SET may have kept it.
        let refused = set([1, 14], &durable(true));
        assert_eq!(refused, (failed(2), "apply-one apply-other undo-one".into()));
        // Panicked: it may have been applied, so it is undone as well.
        let panicked = set([1, 13], &durable(true));
        assert_eq!(panicked, (failed(2), "apply-one apply-other undo-other undo-one".into()));
        assert_eq!(written.swap(0, Ordering::Relaxed), 2);
        // Not durable: undone, and that is written, so that nothing undone comes back.
        let lost = set([1, 1], &durable(false));
        assert_eq!(lost, (failed(0), "apply-one apply-other undo-other undo-one".into()));
        assert_eq!(written.load(Ordering::Relaxed), 2);
        // Only what stays as it is must not be begun anew.
        assert!(
            is_decided(Result::Answers) && !is_decided(Result::Error(ErrorStatus::CommitFailed, 2))
        );
    }
}
