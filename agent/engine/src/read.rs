//! Get, GetNext and GetBulk (RFC 3416 §4.2.1 to §4.2.3; RFC 3584 §4.2.2 for SNMPv1).
//!
//! Names that follow each other and belong to one module are asked for in one call. Whatever a module
//! answers is looked at before it goes into a response: a name that does not increase, a binding that no
//! message can carry or a missing answer is that module's genErr, and nobody else's.

use crate::access::View;
use crate::registry::{Range, covering, position};
use crate::respond::{Result, wire_len};
use crate::scratch::Scratch;
use roles::mib::{MibAccess as _, Walk};
use roles::varbind::{ErrorStatus, PduVersion, Span, VarBind, VarBinds, VarValue};
use s_sdk::Activity;
use s_wire::Budget;

/// The request at hand.
pub struct Reading<'a> {
    pub(crate) act: &'a Activity,
    pub(crate) ranges: &'a [Range],
    pub(crate) context: &'a [u8],
    pub(crate) view: View<'a>,
    pub(crate) version: PduVersion,
}

/// An error-status and the position of its binding, counted from 0.
type Refused = (ErrorStatus, usize);

/// So many rows of a GetBulk are asked of a module at once.
const ROWS: u32 = 64;

impl Reading<'_> {
    /// RFC 3416 §4.2.1: the values of these very names.
    pub fn get(&self, scratch: &mut Scratch) -> Result {
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
            let got = range.module.get(self.act, self.context, asked, stretch(at, end), answers);
            got.map_err(|error| refused(error, at))?;
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
    pub fn get_next(&self, scratch: &mut Scratch) -> Result {
        let Scratch { asked, from, part, answers, .. } = scratch;
        let all = Span::new(0, count(asked));
        self.finish(self.row(asked, all, from, part, answers).map(drop))
    }

    /// RFC 3416 §4.2.3: the first variables after some names, and rows of those after the others, as many
    /// as are wanted and fit.
    pub fn get_bulk(
        &self,
        scratch: &mut Scratch,
        non_repeaters: u32,
        max_repetitions: u32,
        mut budget: Budget<1>,
    ) -> Result {
        let Scratch { asked, from, part, answers, .. } = scratch;
        let non_repeaters = non_repeaters.min(count(asked));
        let repeaters = count(asked) - non_repeaters;
        let single = Span::new(0, non_repeaters);
        if let Err(refused) = self.row(asked, single, from, part, answers) {
            return self.finish(Err(refused));
        }
        if !admit_from(answers, 0, &mut budget) || repeaters == 0 {
            return Result::Answers;
        }
        // The names of the last row: first those of the request.
        from.clear();
        for binding in asked.window(Span::new(non_repeaters, repeaters)) {
            if from.push_name(binding.name).is_err() {
                return Result::Error(ErrorStatus::GenErr, 0);
            }
        }
        let mut left = max_repetitions;
        while left > 0 {
            let first = answers.len();
            let rows = match self.rows(from, left.min(ROWS), part, answers) {
                Ok(rows) => rows,
                Err((status, at)) => {
                    return self.finish(Err((status, non_repeaters as usize + at)));
                }
            };
            left -= rows;
            if !admit_from(answers, first, &mut budget) {
                break;
            }
            let row = answers.len() - repeaters as usize;
            let last_row = Span::new(u32::try_from(row).unwrap_or(u32::MAX), repeaters);
            if answers.window(last_row).all(|binding| binding.value == VarValue::EndOfMibView) {
                break;
            }
            from.clear();
            for binding in answers.window(last_row) {
                if from.push_name(binding.name).is_err() {
                    return Result::Error(ErrorStatus::GenErr, 0);
                }
            }
        }
        Result::Answers
    }

    /// Appends one or more whole rows after `names`, and answers how many.
    fn rows(
        &self,
        names: &VarBinds,
        most: u32,
        part: &mut VarBinds,
        answers: &mut VarBinds,
    ) -> std::result::Result<u32, Refused> {
        let width = names.len();
        let all = Span::new(0, count(names));
        let range =
            names.get(0).and_then(|first| self.ranges.get(position(self.ranges, first.name)));
        let together = range
            .filter(|range| names.iter().all(|binding| leads_to(range, self.ranges, binding.name)));
        let Some(range) = together.filter(|_| most > 1) else {
            let mut from = VarBinds::new();
            return self.row(names, all, &mut from, part, answers).map(|()| 1);
        };
        part.clear();
        let walk = Walk { which: all, repetitions: most };
        range
            .module
            .get_next(self.act, self.context, names, walk, &range.to, part)
            .map_err(|error| refused(error, 0))?;
        let mut rows = 0;
        // The row that answers follow: the names, then what was answered.
        let mut last = None;
        while part.len() >= (rows as usize + 1) * width && rows < most {
            let begin = rows as usize * width;
            let plain = (0..width).all(|column| {
                let from = match last {
                    None => names.get(column),
                    Some(row) => answers.get(row + column),
                };
                let after = part.get(begin + column);
                from.zip(after)
                    .is_some_and(|(from, after)| self.is_plain_successor(from.name, after, range))
            });
            if !plain {
                break;
            }
            last = Some(answers.len());
            for column in 0..width {
                if let Some(binding) = part.get(begin + column) {
                    answers
                        .push(binding.name, binding.value)
                        .map_err(|_| (ErrorStatus::GenErr, column))?;
                }
            }
            rows += 1;
        }
        if rows == 0 {
            let mut from = VarBinds::new();
            return self.row(names, all, &mut from, part, answers).map(|()| 1);
        }
        Ok(rows)
    }

    /// Whether an answer can go into the response as it is: it increases, lies in the module's range, the
    /// sender may see it and the version can carry it.
    fn is_plain_successor(&self, from: &[u32], after: VarBind<'_>, range: &Range) -> bool {
        after.name > from
            && within(range, after.name)
            && !after.value.is_exception()
            && self.can_carry(after)
            && self.view.has(after.name) == Ok(true)
    }

    /// Appends, for each name of a stretch, the first variable after it that the sender may see.
    fn row(
        &self,
        names: &VarBinds,
        which: Span,
        from: &mut VarBinds,
        part: &mut VarBinds,
        answers: &mut VarBinds,
    ) -> std::result::Result<(), Refused> {
        let positions = which.positions();
        let (mut at, end) = (positions.start, positions.end);
        while at < end {
            let Some(first) = names.get(at) else { return Err((ErrorStatus::GenErr, at)) };
            // Neighbours that begin in one range go together.
            let range = self.ranges.get(position(self.ranges, first.name));
            let mut until = at + 1;
            while until < end
                && let (Some(range), Some(next)) = (range, names.get(until))
                && leads_to(range, self.ranges, next.name)
            {
                until += 1;
            }
            part.clear();
            if let Some(range) = range {
                let walk = Walk { which: stretch(at, until), repetitions: 1 };
                range
                    .module
                    .get_next(self.act, self.context, names, walk, &range.to, part)
                    .map_err(|error| refused(error, at))?;
                if part.len() != until - at {
                    return Err((ErrorStatus::GenErr, at));
                }
            }
            for position in at..until {
                let Some(asked) = names.get(position) else { continue };
                match (range, part.get(position - at)) {
                    (Some(range), Some(after))
                        if self.is_plain_successor(asked.name, after, range) =>
                    {
                        self.accept(position, after.name, after.value, answers)?;
                    }
                    (range, after) => {
                        // The end of a range, or something that is not for this sender: go on from there.
                        from.clear();
                        let (name, skip) = match (range, after) {
                            (Some(range), Some(after)) if after.value == VarValue::EndOfMibView => {
                                (asked.name, Some(range))
                            }
                            (Some(range), Some(after)) => {
                                if after.name <= asked.name || !within(range, after.name) {
                                    return Err((ErrorStatus::GenErr, position));
                                }
                                (after.name, None)
                            }
                            _ => (asked.name, None),
                        };
                        from.push_name(name).map_err(|_| (ErrorStatus::GenErr, position))?;
                        let behind = skip.map(|range| range.to.as_slice());
                        self.step(asked.name, behind, position, from, answers)?;
                    }
                }
            }
            at = until;
        }
        Ok(())
    }

    /// Appends the first variable after the one name in `from` that the sender may see, or the end under
    /// the name that was asked for. `behind` is where to look from, if not at the name itself.
    fn step(
        &self,
        asked: &[u32],
        behind: Option<&[u32]>,
        position_asked: usize,
        from: &mut VarBinds,
        answers: &mut VarBinds,
    ) -> std::result::Result<(), Refused> {
        let gen_err = (ErrorStatus::GenErr, position_asked);
        let mut one = VarBinds::new();
        let begin = behind.or_else(|| from.get(0).map(|binding| binding.name)).unwrap_or(asked);
        let mut range_at = position(self.ranges, begin);
        while let Some(range) = self.ranges.get(range_at) {
            one.clear();
            let walk = Walk { which: Span::new(0, 1), repetitions: 1 };
            range
                .module
                .get_next(self.act, self.context, from, walk, &range.to, &mut one)
                .map_err(|error| (error.status, position_asked))?;
            let (Some(after), Some(before)) = (one.get(0), from.get(0)) else {
                return Err(gen_err);
            };
            if after.value == VarValue::EndOfMibView {
                range_at += 1;
                continue;
            }
            if after.name <= before.name || !within(range, after.name) {
                return Err(gen_err);
            }
            if self.is_plain_successor(before.name, after, range) {
                return self.accept(position_asked, after.name, after.value, answers);
            }
            from.clear();
            from.push_name(after.name).map_err(|_| gen_err)?;
        }
        self.accept(position_asked, asked, VarValue::EndOfMibView, answers)
    }

    /// Appends an answer, unless this version has no words for it.
    fn accept(
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
    fn can_carry(&self, binding: VarBind<'_>) -> bool {
        let in_version = self.version == PduVersion::V2
            || !(binding.value.is_exception() || matches!(binding.value, VarValue::Counter64(_)));
        in_version && wire_len(binding).is_some()
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

fn within(range: &Range, name: &[u32]) -> bool {
    range.from.as_slice() <= name && name < range.to.as_slice()
}

/// Whether a walk from a name begins in a range.
fn leads_to(range: &Range, ranges: &[Range], name: &[u32]) -> bool {
    ranges.get(position(ranges, name)).is_some_and(|found| std::ptr::eq(found, range))
}

/// A module's refusal, with the position of its binding counted from 0.
fn refused(error: roles::mib::MibError, first: usize) -> Refused {
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
