//! Get, GetNext and GetBulk (RFC 3416 §4.2.1 to §4.2.3; RFC 3584 §4.2.2 for SNMPv1).
//!
//! Names that follow each other and belong to one module are asked for in one call. Whatever a module
//! answers is looked at before it goes into a response: a name that does not increase, a binding that no
//! message can carry or a missing answer is that module's genErr, and nobody else's. A module that is not
//! there any more has no variables. What is not for the sender is passed by in `crate::onward`.

use crate::access::View;
use crate::registry::{Range, covering, position};
use crate::respond::{Result, wire_len};
use crate::scratch::{Lists, Scratch};
use crate::work::Work;
use roles::mib::{MibAccess as _, MibError, Walk};
use roles::varbind::{ErrorStatus, PduVersion, Span, VarBind, VarBinds, VarValue};
use roles::wire::to_wire;
use s_sdk::Activity;
use s_sdk::error::CallErrorKind;
use s_wire::Budget;

/// The request at hand.
pub(crate) struct Reading<'a> {
    pub(crate) act: &'a Activity,
    pub(crate) ranges: &'a [Range],
    pub(crate) context: &'a [u8],
    pub(crate) view: View<'a>,
    pub(crate) version: PduVersion,
    pub(crate) work: &'a Work<'a>,
}

/// An error-status and the position of its binding, counted from 0.
pub(crate) type Refused = (ErrorStatus, usize);

/// So many rows of a GetBulk are asked of a module at once.
pub(crate) const ROWS: u32 = 64;

impl Reading<'_> {
    /// RFC 3416 §4.2.1: the values of these very names.
    pub(crate) fn get(&self, scratch: &mut Scratch) -> Result {
        self.finish(self.get_all(scratch))
    }

    fn get_all(&self, scratch: &mut Scratch) -> std::result::Result<(), Refused> {
        let Scratch { asked, answers, .. } = scratch;
        let mut at = 0;
        while let Some(VarBind { name, .. }) = asked.get(at) {
            let visible = self.view.has(name).map_err(|status| (status, at))?;
            let Some(range) = covering(self.ranges, name).filter(|_| visible) else {
                self.accept(at, name, VarValue::NoSuchObject, answers)?;
                at += 1;
                continue;
            };
            let mut end = at + 1;
            while let Some(next) = asked.get(end)
                && within(range, next.name)
                && self.view.has(next.name).map_err(|status| (status, end))?
            {
                end += 1;
            }
            let before = answers.len();
            let got = self.work.ask(range, |module| {
                module.get(self.act, self.context, asked, stretch(at, end), answers)
            });
            match got {
                Err(error) if is_gone(error) => {
                    answers.truncate(before);
                    for asked_at in at..end {
                        let Some(VarBind { name, .. }) = asked.get(asked_at) else { continue };
                        self.accept(asked_at, name, VarValue::NoSuchObject, answers)?;
                    }
                    at = end;
                    continue;
                }
                got => got.map_err(|error| refused(error, at))?,
            }
            if answers.len() != before + (end - at) {
                return Err((ErrorStatus::GenErr, at));
            }
            for asked_at in at..end {
                let fits = answers.get(before + asked_at - at).is_some_and(|answer| {
                    asked.get(asked_at).is_some_and(|asked| asked.name == answer.name)
                        && self.can_carry(answer)
                });
                if !fits {
                    return Err(match (self.version, answers.get(before + asked_at - at)) {
                        // RFC 3584 §4.2.2.1 and §4.4: no exceptions and no Counter64 in SNMPv1.
                        (PduVersion::V1, Some(_)) => (ErrorStatus::NoSuchName, asked_at),
                        _ => (ErrorStatus::GenErr, asked_at),
                    });
                }
            }
            at = end;
        }
        Ok(())
    }

    /// RFC 3416 §4.2.2: the first variables after these names.
    pub(crate) fn get_next(&self, scratch: &mut Scratch) -> Result {
        let Scratch { asked, lists, answers, .. } = scratch;
        let all = Span::new(0, count(asked));
        self.finish(self.row(asked, all, lists, answers))
    }

    /// RFC 3416 §4.2.3: the first variables after some names, and rows of those after the others, as many
    /// as are wanted and fit.
    pub(crate) fn get_bulk(
        &self,
        scratch: &mut Scratch,
        non_repeaters: u32,
        max_repetitions: u32,
        mut budget: Budget<1>,
    ) -> Result {
        let Scratch { asked, from, lists, answers, .. } = scratch;
        let repeaters = count(asked) - non_repeaters;
        let single = Span::new(0, non_repeaters);
        let done = self.row(asked, single, lists, answers);
        // RFC 3416 §4.2.3: what does not fit is left out, and never an error.
        let is_full = matches!(done, Err((ErrorStatus::TooBig, _)));
        if let (Err(refused), false) = (done, is_full) {
            return self.finish(Err(refused));
        }
        if !admit_from(answers, 0, &mut budget) || is_full || repeaters == 0 {
            return Result::Answers;
        }
        // The names of the last row, with what was answered to them: first those of the request.
        if !copy(asked, Span::new(non_repeaters, repeaters), from) {
            return Result::Error(ErrorStatus::GenErr, 0);
        }
        // Fewer rows are asked for at once where those that come are not for the sender.
        let (mut left, mut at_once) = (max_repetitions, ROWS);
        while left > 0 {
            let first = answers.len();
            let rows = match self.rows(from, left.min(at_once), lists, answers) {
                Ok(rows) => rows,
                // RFC 3416 §4.2.3: what takes too long ends early, with one repetition at least.
                Err(_) if self.work.is_exhausted() && left < max_repetitions => {
                    answers.truncate(first);
                    break;
                }
                Err((ErrorStatus::TooBig, _)) => {
                    admit_from(answers, first, &mut budget);
                    break;
                }
                Err((status, at)) => {
                    return self.finish(Err((status, non_repeaters as usize + at)));
                }
            };
            at_once = rows.saturating_mul(2).min(ROWS);
            left -= rows;
            if !admit_from(answers, first, &mut budget) {
                break;
            }
            let row = answers.len() - repeaters as usize;
            let last_row = Span::new(u32::try_from(row).unwrap_or(u32::MAX), repeaters);
            if answers.window(last_row).all(|binding| is_ended(&binding)) {
                break;
            }
            if !copy(answers, last_row, from) {
                return Result::Error(ErrorStatus::GenErr, 0);
            }
        }
        Result::Answers
    }

    /// Appends one or more whole rows after `names`, and answers how many.
    fn rows(
        &self,
        names: &VarBinds,
        most: u32,
        lists: &mut Lists,
        answers: &mut VarBinds,
    ) -> std::result::Result<u32, Refused> {
        let width = names.len();
        let all = Span::new(0, count(names));
        let first = names.get(0).and_then(|first| self.begins_in(&first));
        let together = first.filter(|range| {
            most > 1
                && names.iter().all(|binding| {
                    self.begins_in(&binding).is_some_and(|r| std::ptr::eq(r, *range))
                })
        });
        let Some(range) = together else {
            return self.row(names, all, lists, answers).map(|()| 1);
        };
        let part = &mut lists.part;
        self.ask_next(range, names, Walk { which: all, repetitions: most }, part)
            .map_err(|error| refused(error, 0))?;
        let mut rows = 0;
        // The row that answers follow: the names, then what was answered.
        let mut last = None;
        while part.len() >= (rows as usize + 1) * width && rows < most {
            let (begin, row) = (rows as usize * width, answers.len());
            let is_plain = (0..width).all(|column| {
                let from = match last {
                    None => names.name(column),
                    Some(row) => answers.name(row + column),
                };
                let (Some(from), Some(after)) = (from, part.get(begin + column)) else {
                    return false;
                };
                // What does not fit any more is left to `row`, which says so.
                self.is_plain_successor(from, after, range)
                    && answers.push(after.name, after.value).is_ok()
            });
            if !is_plain {
                answers.truncate(row);
                break;
            }
            last = Some(row);
            rows += 1;
        }
        if rows == 0 {
            return self.row(names, all, lists, answers).map(|()| 1);
        }
        Ok(rows)
    }

    /// Appends, for each name of a stretch, the first variable after it that the sender may see.
    fn row(
        &self,
        names: &VarBinds,
        which: Span,
        lists: &mut Lists,
        answers: &mut VarBinds,
    ) -> std::result::Result<(), Refused> {
        let positions = which.positions();
        let (mut at, end) = (positions.start, positions.end);
        while at < end {
            let Some(first) = names.get(at) else { return Err((ErrorStatus::GenErr, at)) };
            let Some(range) = self.begins_in(&first) else {
                if is_ended(&first) {
                    // A column of a GetBulk that has reached its end stays there.
                    self.accept(at, first.name, VarValue::EndOfMibView, answers)?;
                } else {
                    let range_at = position(self.ranges, first.name);
                    self.walk_on((first.name, at), first.name, range_at, lists, answers)?;
                }
                at += 1;
                continue;
            };
            // Neighbours that begin in one range go together.
            let mut until = at + 1;
            while until < end
                && let Some(next) = names.get(until)
                && self.begins_in(&next).is_some_and(|next| std::ptr::eq(next, range))
            {
                until += 1;
            }
            let walk = Walk { which: stretch(at, until), repetitions: 1 };
            self.ask_next(range, names, walk, &mut lists.part)
                .map_err(|error| refused(error, at))?;
            if lists.part.len() != until - at {
                return Err((ErrorStatus::GenErr, at));
            }
            for position in at..until {
                let (Some(asked), Some(after)) =
                    (names.get(position), lists.part.get(position - at))
                else {
                    return Err((ErrorStatus::GenErr, position));
                };
                if self.is_plain_successor(asked.name, after, range) {
                    self.accept(position, after.name, after.value, answers)?;
                    continue;
                }
                let is_end = after.value == VarValue::EndOfMibView;
                if !is_end && (after.name <= asked.name || !within(range, after.name)) {
                    return Err((ErrorStatus::GenErr, position));
                }
                let range_at = self.place_of(range) + usize::from(is_end);
                self.walk_on((asked.name, position), asked.name, range_at, lists, answers)?;
            }
            at = until;
        }
        Ok(())
    }

    /// The range in which a walk from a name begins, if its module can be asked from that name: not where
    /// the column has ended, nor where the module would answer with what lies before this range.
    fn begins_in(&self, from: &VarBind<'_>) -> Option<&Range> {
        let range = self.ranges.get(position(self.ranges, from.name))?;
        let is_resumed = range.entry.is_some() && from.name < range.from.as_slice();
        (!is_ended(from) && !is_resumed).then_some(range)
    }

    fn place_of(&self, range: &Range) -> usize {
        position(self.ranges, &range.from)
    }

    /// Asks a module for what follows. One that is not there any more has nothing.
    #[inline]
    pub(crate) fn ask_next(
        &self,
        range: &Range,
        names: &VarBinds,
        walk: Walk,
        into: &mut VarBinds,
    ) -> std::result::Result<(), MibError> {
        into.clear();
        let asked = self.work.ask(range, |module| {
            module.get_next(self.act, self.context, names, walk, &range.to, into)
        });
        match asked {
            Err(error) if is_gone(error) => {
                into.clear();
                for binding in names.window(walk.which) {
                    into.push(binding.name, VarValue::EndOfMibView)?;
                }
                Ok(())
            }
            asked => asked,
        }
    }

    /// Whether an answer can go into the response as it is: it increases, lies in the module's range, the
    /// sender may see it and the version can carry it.
    pub(crate) fn is_plain_successor(
        &self,
        from: &[u32],
        after: VarBind<'_>,
        range: &Range,
    ) -> bool {
        after.name > from
            && within(range, after.name)
            && !after.value.is_exception()
            && self.can_carry(after)
            && self.view.has(after.name) == Ok(true)
    }

    /// Appends an answer, unless this version has no words for it.
    pub(crate) fn accept(
        &self,
        position: usize,
        name: &[u32],
        value: VarValue<'_>,
        answers: &mut VarBinds,
    ) -> std::result::Result<(), Refused> {
        if self.version == PduVersion::V1 && value.is_exception() {
            return Err((ErrorStatus::NoSuchName, position));
        }
        answers.push(name, value).map_err(|_| (ErrorStatus::TooBig, position))
    }

    /// Whether a message of this version can carry a binding.
    pub(crate) fn can_carry(&self, binding: VarBind<'_>) -> bool {
        let in_version = self.version == PduVersion::V2
            || !(binding.value.is_exception() || matches!(binding.value, VarValue::Counter64(_)));
        in_version && to_wire(binding).is_some()
    }

    fn finish(&self, done: std::result::Result<(), Refused>) -> Result {
        match done {
            Ok(()) => Result::Answers,
            Err((ErrorStatus::TooBig, _)) => Result::Error(ErrorStatus::TooBig, 0),
            Err((status, at)) => Result::Error(status, u32::try_from(at + 1).unwrap_or(u32::MAX)),
        }
    }
}

fn count(binds: &VarBinds) -> u32 {
    u32::try_from(binds.len()).unwrap_or(u32::MAX)
}

fn stretch(from: usize, to: usize) -> Span {
    let number = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span::new(number(from), number(to - from))
}

/// Copies the names of a stretch, and with them which columns have ended.
fn copy(binds: &VarBinds, which: Span, into: &mut VarBinds) -> bool {
    into.clear();
    binds.window(which).all(|binding| {
        let value = match binding.value {
            VarValue::EndOfMibView => VarValue::EndOfMibView,
            _ => VarValue::Unspecified,
        };
        into.push(binding.name, value).is_ok()
    })
}

fn is_ended(binding: &VarBind<'_>) -> bool {
    binding.value == VarValue::EndOfMibView
}

pub(crate) fn within(range: &Range, name: &[u32]) -> bool {
    // A common beginning is compared at once, an order arc by arc.
    range.is_subtree && name.starts_with(&range.from)
        || range.from.as_slice() <= name && name < range.to.as_slice()
}

/// Whether a call failed because the module, or its variables, went since the registry was made.
fn is_gone(error: MibError) -> bool {
    [CallErrorKind::Absent, CallErrorKind::NotUnderstood]
        .iter()
        .any(|kind| *kind as u32 == error.call)
}

/// A module's refusal, with the position of its binding counted from 0.
fn refused(error: MibError, first: usize) -> Refused {
    let at = (error.index as usize).checked_sub(1).unwrap_or(first);
    (error.status, at)
}

/// Admits the answers from a position on, as far as they fit; false when some do not.
fn admit_from(answers: &mut VarBinds, from: usize, budget: &mut Budget<1>) -> bool {
    for at in from..answers.len() {
        let len = answers.get(at).and_then(wire_len);
        if !len.is_some_and(|len| budget.admit(len)) {
            answers.truncate(at);
            return false;
        }
    }
    true
}
