//! Answers for declared scalars and tables: GET, GETNEXT and GETBULK of RFC 3416 §4.2, the checks of SET.
//!
//! Invariant: columns are sorted by name and none lies within another, rows are sorted by index; so going
//! from one column to the next, and within it from one row to the next, goes up. There is no other way on.
//! It never allocates but to check a SET. A step costs a search among columns and one among rows for the
//! first row of an answer, and nothing but itself after that.

use crate::objects::Objects;
use crate::syntax::Syntax;
use roles::mib::{MibError, Walk};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::{Full, Refusal};

/// The most arcs of a name (RFC 3416 §2.4).
const MAX_ARCS: usize = 128;

/// How many names one answer walks over more than one row; with more names it answers one row at a time.
const MAX_WALKED: usize = 32;

/// An entry of the sysORTable: sysORID and sysORDescr.
pub type SysOrEntry = (&'static [u32], &'static str);

/// All that a module declares.
pub struct Mib<V, W = ()> {
    subtrees: &'static [&'static [u32]],
    sys_or_entries: &'static [SysOrEntry],
    objects: Vec<Box<dyn Objects<V, W>>>,
    /// All columns begin with so many arcs alike: a search compares what tells them apart only.
    common: usize,
    columns: Vec<Place>,
}

/// A column among all columns.
struct Place {
    root: Box<[u32]>,
    objects: usize,
    column: usize,
}

/// Where to look on: a column among all, and a row.
#[derive(Clone, Copy, Default)]
struct Cursor {
    column: usize,
    row: usize,
}

/// A row that a SET writes to.
struct Touched {
    objects: usize,
    key: Vec<u32>,
    /// The binding to blame if the row cannot be brought to an end.
    position: usize,
}

impl<V: 'static, W: 'static> Mib<V, W> {
    /// Nothing yet, below these subtrees.
    pub const fn of(subtrees: &'static [&'static [u32]]) -> Self {
        Mib { subtrees, sys_or_entries: &[], objects: Vec::new(), common: 0, columns: Vec::new() }
    }

    /// What the sysORTable says of the module.
    #[must_use]
    pub fn described(mut self, entries: &'static [SysOrEntry]) -> Self {
        self.sys_or_entries = entries;
        self
    }

    /// The same with scalars or a table.
    #[must_use]
    #[expect(private_bounds, reason = "scalars and tables are all there is")]
    pub fn with(mut self, objects: impl Objects<V, W> + 'static) -> Self {
        self.objects.push(Box::new(objects));
        self
    }

    /// The whole, sorted.
    ///
    /// # Errors
    /// Two columns have one name, or lie within each other, or one lies outside the subtrees.
    pub fn made(mut self) -> Result<Self, Refusal> {
        for (at, objects) in self.objects.iter().enumerate() {
            for (column, number) in (0..).map_while(|c| objects.number(c)).enumerate() {
                let root: Box<[u32]> = [objects.entry(), &[number]].concat().into();
                if !self.subtrees.iter().any(|subtree| root.starts_with(subtree)) {
                    return Err(Refusal(format!("column {root:?} lies outside the subtrees")));
                }
                self.columns.push(Place { root, objects: at, column });
            }
        }
        self.columns.sort_by(|a, b| a.root.cmp(&b.root));
        if let [first, .., last] = &self.columns[..] {
            let alike = first.root.iter().zip(&last.root).take_while(|(a, b)| a == b);
            self.common = alike.count();
        }
        // What lies within a column is sorted right behind it.
        match self.columns.windows(2).find(|pair| pair[1].root.starts_with(&pair[0].root)) {
            Some(pair) => {
                Err(Refusal(format!("column {:?} lies in {:?}", pair[1].root, pair[0].root)))
            }
            None => Ok(self),
        }
    }

    /// Sentence 1 of the role's contract: every subtree, in the default context.
    ///
    /// # Errors
    /// The list is full.
    pub fn subtrees(&self, subtrees: &mut VarBinds) -> Result<(), MibError> {
        for root in self.subtrees {
            subtrees.push(root, VarValue::Octets(b""))?;
        }
        Ok(())
    }

    /// Sentence 1 of the role's contract: the entries of the sysORTable.
    ///
    /// # Errors
    /// The list is full.
    pub fn sys_or_entries(&self, entries: &mut VarBinds) -> Result<(), MibError> {
        for (id, text) in self.sys_or_entries {
            entries.push(id, VarValue::Octets(text.as_bytes()))?;
        }
        Ok(())
    }

    /// A variable, or which exception stands in its place (RFC 3416 §4.2.1).
    pub fn value<'a>(&self, view: &'a V, name: &[u32]) -> VarValue<'a> {
        let Some((place, key)) = self.column_of(name) else { return VarValue::NoSuchObject };
        let objects = &self.objects[place.objects];
        let found = objects.find(view, key).ok();
        let cell = found.and_then(|row| objects.cell(view, place.column, row));
        match cell {
            // A name that is too long to be said is no name.
            Some((_, Some(value))) if name.len() <= MAX_ARCS => value,
            _ => VarValue::NoSuchInstance,
        }
    }

    /// GET.
    ///
    /// # Errors
    /// The answers are full, or a name is none.
    pub fn get(
        &self,
        view: &V,
        context: &[u8],
        names: &VarBinds,
        which: Span,
        answers: &mut VarBinds,
    ) -> Result<(), MibError> {
        for position in which.positions() {
            let name = name_at(names, position)?;
            let value =
                if context.is_empty() { self.value(view, name) } else { VarValue::NoSuchObject };
            answers.push(name, value).map_err(|full| too_big(full, position))?;
        }
        Ok(())
    }

    /// GETNEXT and GETBULK (RFC 3416 §4.2.2 and §4.2.3). An empty `before` is no bound.
    ///
    /// # Errors
    /// Not even one row fits in the answers, or a name is none.
    pub fn get_next(
        &self,
        view: &V,
        context: &[u8],
        names: &VarBinds,
        walk: Walk,
        before: &[u32],
        answers: &mut VarBinds,
    ) -> Result<(), MibError> {
        let (mut cursors, mut name) = ([Cursor::default(); MAX_WALKED], Name::new());
        let nothing = Cursor { column: self.columns.len(), row: 0 };
        let first = answers.len();
        let mut alive = false;
        for position in walk.which.positions() {
            let asked = name_at(names, position)?;
            let from = if context.is_empty() { self.after(view, asked) } else { nothing };
            let (bind, cursor) = match self.seek(view, from, before, &mut name) {
                Some((value, cursor)) => ((name.arcs(), value), cursor),
                None => ((asked, VarValue::EndOfMibView), nothing),
            };
            alive |= cursor.column < nothing.column;
            answers.push(bind.0, bind.1).map_err(|full| too_big(full, position))?;
            if let Some(place) = cursors.get_mut(position - walk.which.positions().start) {
                *place = cursor;
            }
        }
        let width = answers.len() - first;
        let Some(cursors) = cursors.get_mut(..width) else { return Ok(()) };
        for _ in 1..walk.repetitions {
            if !alive {
                break;
            }
            let row = answers.len();
            alive = false;
            for cursor in cursors.iter_mut() {
                let pushed = match self.seek(view, *cursor, before, &mut name) {
                    Some((value, next)) => {
                        (*cursor, alive) = (next, true);
                        answers.push(name.arcs(), value)
                    }
                    None => {
                        *cursor = nothing;
                        push_end(answers, width, &mut name)
                    }
                };
                if pushed.is_err() {
                    answers.truncate(row);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes all bindings of a SET into a draft of the state, which is good for use if nothing is refused.
    ///
    /// # Errors
    /// The first that applies of RFC 3416 §4.2.5, with the binding at fault.
    pub fn write(
        &self,
        before: &W,
        draft: &mut W,
        context: &[u8],
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        self.write_concluding(before, draft, context, binds, which, |_| Ok(()))
    }

    /// The same; `conclude` has the draft when every binding is written and before rows settle.
    ///
    /// # Errors
    /// As for `write`, and what `conclude` says.
    pub fn write_concluding(
        &self,
        before: &W,
        draft: &mut W,
        context: &[u8],
        binds: &VarBinds,
        which: Span,
        conclude: impl FnOnce(&mut W) -> Result<(), MibError>,
    ) -> Result<(), MibError> {
        let mut touched: Vec<Touched> = Vec::new();
        for position in which.positions() {
            let refused = |status| MibError::at(status, position);
            let bind = binds.get(position).ok_or(refused(ErrorStatus::GenErr))?;
            let place = self.column_of(bind.name).filter(|_| context.is_empty());
            // Step 2: nothing at all with this name can be written.
            let (place, key) = place.ok_or(refused(ErrorStatus::NotWritable))?;
            let objects = &self.objects[place.objects];
            let syntax = objects.syntax(place.column).ok_or(refused(ErrorStatus::NotWritable))?;
            // Steps 3, 4 and 6.
            syntax.check(bind.value).map_err(refused)?;
            // Step 7, for a name that could not even be answered.
            if bind.name.len() > MAX_ARCS {
                return Err(refused(ErrorStatus::NoCreation));
            }
            // Steps 7, 9 and 10.
            objects.write(draft, place.column, key, bind.value).map_err(refused)?;
            let known = touched.iter_mut().find(|t| t.objects == place.objects && t.key == key);
            match known {
                Some(row) if syntax == Syntax::RowStatus => row.position = position,
                Some(_) => {}
                None => {
                    touched.push(Touched { objects: place.objects, key: key.to_vec(), position });
                }
            }
        }
        conclude(draft)?;
        // As if at once (RFC 3416 §4.2.5): whether a row can be as it is now is asked after the last write.
        for row in &touched {
            let settled = self.objects[row.objects].settle(before, draft, &row.key);
            settled.map_err(|status| MibError::at(status, row.position))?;
        }
        // Step 11: each row costs memory, and a copy with every further SET. Rows that go make room.
        let has_room = |row: &Touched| self.objects[row.objects].has_room(before, draft, &row.key);
        if let Some(row) = touched.iter().find(|row| !has_room(row)) {
            return Err(MibError::at(ErrorStatus::ResourceUnavailable, row.position));
        }
        Ok(())
    }

    /// The column that a name lies in, and the rest of the name.
    fn column_of<'n>(&self, name: &'n [u32]) -> Option<(&Place, &'n [u32])> {
        let place = self.columns.get(self.behind(name).checked_sub(1)?)?;
        Some((place, name.strip_prefix(&*place.root)?))
    }

    /// The first column that lies behind a name.
    fn behind(&self, name: &[u32]) -> usize {
        let Some(first) = self.columns.first() else { return 0 };
        let common = &first.root[..self.common];
        match name.strip_prefix(common) {
            Some(rest) => self.columns.partition_point(|place| place.root[self.common..] <= *rest),
            None if name < common => 0,
            None => self.columns.len(),
        }
    }

    /// The first place behind a name. Whatever the name ends with, in the middle of an index or with arcs
    /// that no index has, is only compared, never understood: that is all that RFC 3416 §4.2.2 asks for.
    fn after(&self, view: &V, name: &[u32]) -> Cursor {
        let behind = self.behind(name);
        let inside = behind.checked_sub(1).and_then(|column| {
            let place = &self.columns[column];
            let key = name.strip_prefix(&*place.root)?;
            let row = match self.objects[place.objects].find(view, key) {
                Ok(row) => row + 1,
                Err(row) => row,
            };
            Some(Cursor { column, row })
        });
        inside.unwrap_or(Cursor { column: behind, row: 0 })
    }

    /// The first variable from a place on that is below `before`, and the place behind it.
    fn seek<'a>(
        &self,
        view: &'a V,
        mut cursor: Cursor,
        before: &[u32],
        name: &mut Name,
    ) -> Option<(VarValue<'a>, Cursor)> {
        let beyond = |name: &[u32]| !before.is_empty() && name >= before;
        while let Some(place) = self.columns.get(cursor.column) {
            // A row further on in a column lies where the first one was looked at.
            if cursor.row == 0 && beyond(&place.root) {
                return None;
            }
            let objects = &self.objects[place.objects];
            while let Some((key, value)) = objects.cell(view, place.column, cursor.row) {
                cursor.row += 1;
                if let Some(value) = value
                    && name.set(&place.root, key)
                {
                    return (!beyond(name.arcs())).then_some((value, cursor));
                }
            }
            cursor = Cursor { column: cursor.column + 1, row: 0 };
        }
        None
    }
}

/// A name in the making.
struct Name {
    arcs: [u32; MAX_ARCS],
    len: usize,
}

impl Name {
    const fn new() -> Self {
        Name { arcs: [0; MAX_ARCS], len: 0 }
    }

    fn arcs(&self) -> &[u32] {
        &self.arcs[..self.len]
    }

    /// Puts two parts together; false if they are too long for a name.
    fn set(&mut self, root: &[u32], key: &[u32]) -> bool {
        let len = root.len() + key.len();
        let Some(arcs) = self.arcs.get_mut(..len) else { return false };
        let (front, back) = arcs.split_at_mut(root.len());
        front.copy_from_slice(root);
        back.copy_from_slice(key);
        self.len = len;
        true
    }
}

/// Appends the end again that stands a row above (RFC 3416 §4.2.3: with the name of the last one).
fn push_end(answers: &mut VarBinds, width: usize, name: &mut Name) -> Result<(), Full> {
    let above = answers.len().checked_sub(width).and_then(|position| answers.get(position));
    if above.is_none_or(|above| !name.set(above.name, &[])) {
        // A name that is too long is not repeated: the answer ends with the row above.
        return Err(Full);
    }
    answers.push(name.arcs(), VarValue::EndOfMibView)
}

fn name_at(names: &VarBinds, position: usize) -> Result<&[u32], MibError> {
    let bind = names.get(position).ok_or(MibError::at(ErrorStatus::GenErr, position))?;
    Ok(bind.name)
}

fn too_big(full: Full, position: usize) -> MibError {
    MibError { index: MibError::at(ErrorStatus::TooBig, position).index, ..full.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Rows, Scalars, Table};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A table that counts how often it is searched and read.
    struct Counted(Table<View, (), u32, u32>);

    struct View {
        rows: Rows<u32, u32>,
        searches: AtomicUsize,
        reads: AtomicUsize,
    }

    const COLUMNS: &[Column<u32>] = &[
        Column::new(1, |row| Some(VarValue::Gauge32(*row))),
        Column::new(2, |row| (*row % 2 == 0).then_some(VarValue::Gauge32(*row))),
    ];

    impl Objects<View, ()> for Counted {
        fn entry(&self) -> &'static [u32] {
            self.0.entry()
        }
        fn number(&self, column: usize) -> Option<u32> {
            self.0.number(column)
        }
        fn find(&self, view: &View, key: &[u32]) -> Result<usize, usize> {
            view.searches.fetch_add(1, Ordering::Relaxed);
            self.0.find(view, key)
        }
        fn cell<'a>(
            &self,
            view: &'a View,
            column: usize,
            row: usize,
        ) -> Option<(&'a [u32], Option<VarValue<'a>>)> {
            view.reads.fetch_add(1, Ordering::Relaxed);
            self.0.cell(view, column, row)
        }
        fn syntax(&self, column: usize) -> Option<Syntax> {
            self.0.syntax(column)
        }
        fn write(
            &self,
            state: &mut (),
            column: usize,
            key: &[u32],
            value: VarValue<'_>,
        ) -> Result<(), ErrorStatus> {
            self.0.write(state, column, key, value)
        }
        fn settle(&self, before: &(), state: &mut (), key: &[u32]) -> Result<(), ErrorStatus> {
            self.0.settle(before, state, key)
        }
    }

    const ROWS: u32 = 10_000;

    /// Walks all with so many repetitions; answers how many variables, searches and reads there were.
    fn walked(repetitions: u32) -> (usize, usize, usize) {
        let table = Table::new(&[1, 3, 1, 1], COLUMNS, |view: &View| &view.rows);
        let mib = Mib::of(&[&[1, 3]]).with(Counted(table)).made().unwrap();
        // The other way round: it is the kit that sorts.
        let rows = (0..ROWS).rev().map(|n| (n, n)).collect();
        let view = View { rows, searches: 0.into(), reads: 0.into() };
        let (mut names, mut answers, mut found) = (VarBinds::new(), VarBinds::new(), 0);
        names.push_name(&[1, 3]).unwrap();
        let walk = Walk { which: Span::new(0, 1), repetitions };
        loop {
            answers.clear();
            mib.get_next(&view, b"", &names, walk, &[], &mut answers).unwrap();
            let values = answers.iter().filter(|bind| !bind.value.is_exception());
            let values = values.count();
            found += values;
            if values < answers.len() {
                return (found, view.searches.into_inner(), view.reads.into_inner());
            }
            names.clear();
            names.push_name(answers.get(answers.len() - 1).unwrap().name).unwrap();
        }
    }

    #[test]
    fn walking_ten_thousand_rows_searches_once_per_answer_and_reads_each_row_once() {
        let variables = ROWS as usize * 3 / 2;
        // The second column has holes; the end of each column is looked at once more.
        let reads = ROWS as usize * 2 + 2;
        let (found, searches, read) = walked(1);
        assert_eq!((found, searches), (variables, variables));
        assert!((reads..reads + 3).contains(&read), "{read} reads");
        for repetitions in [10, 50, 1000] {
            let (found, searches, read) = walked(repetitions);
            assert_eq!(found, variables);
            assert!(searches <= variables / repetitions as usize + 1, "{searches} searches");
            assert!((reads..reads + 3).contains(&read), "{read} reads");
        }
    }

    #[test]
    fn columns_that_overlap_or_lie_outside_are_refused() {
        const ONE: &[Column<u32>] = &[Column::new(1, |row| Some(VarValue::Gauge32(*row)))];
        let scalars = |group| Scalars::<u32, (), u32>::new(group, ONE, |view| view);
        for (first, second) in
            [([1, 3].as_slice(), [1, 3].as_slice()), (&[1, 3], &[1, 3, 1, 5]), (&[1, 3], &[1, 4])]
        {
            assert!(Mib::of(&[&[1, 3]]).with(scalars(first)).with(scalars(second)).made().is_err());
        }
        assert!(
            Mib::of(&[&[1, 3]]).with(scalars(&[1, 3])).with(scalars(&[1, 3, 2])).made().is_ok()
        );
    }
}
