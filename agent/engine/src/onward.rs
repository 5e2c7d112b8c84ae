//! A walk past what is not for its sender: names outside the view, values that its version cannot carry, the
//! ends of ranges.
//!
//! It never goes through an excluded subtree name by name where the access control can say what follows
//! it. Invariant: every call of a module that it makes is counted, and a request makes so many of them at
//! most ([`crate::Limits::max_steps`]): then the binding is a genErr, or a GetBulk ends early.

use crate::access::Onward;
use crate::read::{ROWS, Reading, Refused, within};
use crate::registry::{position, push_just_before};
use crate::scratch::Lists;
use roles::mib::Walk;
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_wire::oid::MAX_ARCS;

/// A name of fixed size, beside the lists that are being written to.
struct Name {
    arcs: [u32; MAX_ARCS],
    len: usize,
}

impl Name {
    fn set(&mut self, name: &[u32]) {
        self.len = 0;
        name.iter().for_each(|arc| self.push(*arc));
    }

    fn set_just_before(&mut self, name: &[u32]) {
        self.len = 0;
        push_just_before(name, |arc| self.push(arc));
    }

    fn push(&mut self, arc: u32) {
        if let Some(place) = self.arcs.get_mut(self.len) {
            *place = arc;
            self.len += 1;
        }
    }

    fn get(&self) -> &[u32] {
        self.arcs.get(..self.len).unwrap_or(&[])
    }
}

impl Reading<'_> {
    /// Appends the first variable after a name that the sender may see, looking from a range on, or the
    /// end under the name that was asked for.
    #[cold]
    pub(crate) fn walk_on(
        &self,
        (asked, position_asked): (&[u32], usize),
        begin: &[u32],
        mut range_at: usize,
        lists: &mut Lists,
        answers: &mut VarBinds,
    ) -> Result<(), Refused> {
        let gen_err = (ErrorStatus::GenErr, position_asked);
        let Lists { at, one, next, .. } = lists;
        let mut from = Name { arcs: [0; MAX_ARCS], len: 0 };
        from.set(begin);
        let mut repetitions = 1;
        'walk: while let Some(range) = self.ranges.get(range_at) {
            if !self.work.may_step() {
                return Err(gen_err);
            }
            if let Some(entry) = range.entry.as_deref().filter(|entry| from.get() < *entry) {
                from.set(entry);
            }
            at.clear();
            at.push_name(from.get()).map_err(|_| gen_err)?;
            let walk = Walk { which: Span::new(0, 1), repetitions };
            self.ask_next(range, at, walk, one).map_err(|error| (error.status, position_asked))?;
            if one.is_empty() {
                return Err(gen_err);
            }
            for row in 0..one.len() {
                let after = one.get(row).ok_or(gen_err)?;
                if after.value == VarValue::EndOfMibView {
                    range_at += 1;
                    repetitions = 1;
                    continue 'walk;
                }
                if after.name <= from.get() || !within(range, after.name) {
                    return Err(gen_err);
                }
                if self.is_plain_successor(from.get(), after, range) {
                    return self.accept(position_asked, after.name, after.value, answers);
                }
                if self.view.has(after.name) == Ok(true) {
                    // Only this version cannot carry it; perhaps a whole column of them.
                    from.set(after.name);
                    repetitions = ROWS;
                    continue;
                }
                match self.view.onward(after.name, next) {
                    Onward::Nowhere => {
                        return self.accept(position_asked, asked, VarValue::EndOfMibView, answers);
                    }
                    Onward::At => {
                        from.set_just_before(next);
                        range_at = position(self.ranges, from.get());
                        repetitions = 1;
                        continue 'walk;
                    }
                    Onward::Next => {
                        from.set(after.name);
                        repetitions = ROWS;
                    }
                }
            }
        }
        self.accept(position_asked, asked, VarValue::EndOfMibView, answers)
    }
}
