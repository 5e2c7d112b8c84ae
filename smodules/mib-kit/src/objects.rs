//! Scalars and tables, declared: where they are, which columns they have, how each is read and written.
//!
//! Scalars are the columns of one row whose index is 0, so there is one way to walk and one to write. It
//! never looks at names as a whole: [`crate::mib`] takes them apart.
//!
//! `V` is what a module reads from (its view), `W` what its SETs change (its state).

use crate::index::Index;
use crate::managed::{self, Managed};
use crate::rows::Rows;
use crate::syntax::{RowStatus, StorageType, Syntax, test_and_increment};
use roles::varbind::{ErrorStatus, VarValue};

/// Reads a column of a row; None is a hole.
pub type Read<R> = for<'a> fn(&'a R) -> Option<VarValue<'a>>;

/// Writes a value that fits the column's syntax into a row, or says why it cannot be now.
pub type Write<R> = fn(&mut R, VarValue<'_>) -> Result<(), ErrorStatus>;

/// A column of a table, or a scalar.
pub struct Column<R> {
    number: u32,
    read: Read<R>,
    write: Option<(Syntax, Write<R>)>,
}

impl<R> Column<R> {
    /// A column that can only be read.
    pub const fn new(number: u32, read: Read<R>) -> Self {
        Column { number, read, write: None }
    }

    /// A column that can be written too.
    pub const fn writable(number: u32, read: Read<R>, syntax: Syntax, write: Write<R>) -> Self {
        Column { number, read, write: Some((syntax, write)) }
    }
}

impl Column<i32> {
    /// A TestAndIncr.
    pub const fn test_and_incr(number: u32) -> Self {
        let read = |number: &i32| Some(VarValue::Integer(*number));
        Self::writable(number, read, Syntax::TEST_AND_INCR, test_and_increment)
    }
}

impl<R: Managed> Column<R> {
    /// The StorageType of a row, of which a SET may write what the syntax takes.
    pub const fn storage(number: u32, syntax: Syntax) -> Self {
        Self::writable(
            number,
            |row| Some(row.storage().value()),
            syntax,
            |row, value| StorageType::from_value(value).map(|storage| row.set_storage(storage)),
        )
    }

    /// The RowStatus of a row.
    pub const fn status(number: u32) -> Self {
        Self::writable(
            number,
            |row| Some(row.status().value()),
            Syntax::RowStatus,
            |row, value| RowStatus::from_value(value).map(|status| row.set_status(status)),
        )
    }
}

/// The only row of scalars.
const SCALAR: &[u32] = &[0];

/// Scalars that are read from one `R`.
pub struct Scalars<V, W, R: 'static> {
    group: &'static [u32],
    columns: &'static [Column<R>],
    of: fn(&V) -> &R,
    of_mut: Option<fn(&mut W) -> &mut R>,
}

impl<V, W, R> Scalars<V, W, R> {
    /// Scalars with a name in common: group, number of the column, 0.
    pub const fn new(
        group: &'static [u32],
        columns: &'static [Column<R>],
        of: fn(&V) -> &R,
    ) -> Self {
        Scalars { group, columns, of, of_mut: None }
    }

    /// The same, written to an `R` in the state.
    pub const fn writable(self, of_mut: fn(&mut W) -> &mut R) -> Self {
        Scalars { of_mut: Some(of_mut), ..self }
    }
}

/// A table whose rows are read from [`Rows`].
pub struct Table<V, W, I: 'static, R: 'static> {
    entry: &'static [u32],
    columns: &'static [Column<R>],
    rows: fn(&V) -> &Rows<I, R>,
    writing: Option<Writing<W, I, R>>,
}

struct Writing<W, I, R> {
    rows: fn(&W) -> &Rows<I, R>,
    rows_mut: fn(&mut W) -> &mut Rows<I, R>,
    creation: Option<Creation<I, R>>,
}

/// A table with so many rows, whoever made them, gets no more of them by SET.
pub const MOST_ROWS: usize = 1024;

/// How a SET makes and removes rows of a table.
struct Creation<I, R> {
    create: fn(&I) -> Option<R>,
    /// [`managed::settle`].
    settle: fn(Option<&R>, &mut R) -> Result<bool, ErrorStatus>,
}

impl<V, W, I: Index, R> Table<V, W, I, R> {
    /// A table: the name of its entry, its columns, its rows.
    pub const fn new(
        entry: &'static [u32],
        columns: &'static [Column<R>],
        rows: fn(&V) -> &Rows<I, R>,
    ) -> Self {
        Table { entry, columns, rows, writing: None }
    }

    /// The same, with rows in the state whose writable columns a SET changes.
    pub const fn writable(
        self,
        rows: fn(&W) -> &Rows<I, R>,
        rows_mut: fn(&mut W) -> &mut Rows<I, R>,
    ) -> Self {
        Table { writing: Some(Writing { rows, rows_mut, creation: None }), ..self }
    }

    /// The same, with rows that a SET makes and removes. `create` makes one with its default values, not
    /// ready; none where no row can ever have this index.
    #[must_use]
    pub fn creatable(mut self, create: fn(&I) -> Option<R>) -> Self
    where
        R: Managed,
    {
        if let Some(writing) = &mut self.writing {
            writing.creation = Some(Creation { create, settle: managed::settle });
        }
        self
    }
}

/// What [`crate::mib`] walks and writes. Rows are named by position where they are read, by the arcs of
/// their index where they are written.
pub(crate) trait Objects<V, W>: Send + Sync {
    /// The name in front of the column's number.
    fn entry(&self) -> &'static [u32];

    /// The number of a column, by position.
    fn number(&self, column: usize) -> Option<u32>;

    /// Where the row with these arcs is, or would be.
    fn find(&self, view: &V, key: &[u32]) -> Result<usize, usize>;

    /// The arcs of a row's index and the value of one of its columns; None beyond the last row.
    fn cell<'a>(
        &self,
        view: &'a V,
        column: usize,
        row: usize,
    ) -> Option<(&'a [u32], Option<VarValue<'a>>)>;

    /// The syntax of a column that can be written.
    fn syntax(&self, column: usize) -> Option<Syntax>;

    /// Writes a checked value; makes the row first if it can be made.
    fn write(
        &self,
        state: &mut W,
        column: usize,
        key: &[u32],
        value: VarValue<'_>,
    ) -> Result<(), ErrorStatus>;

    /// Brings a row that was written to its end: after the last write, once.
    fn settle(&self, before: &W, state: &mut W, key: &[u32]) -> Result<(), ErrorStatus>;

    /// Whether there is room for a row that was written: after all of them are settled.
    fn has_room(&self, _before: &W, _state: &W, _key: &[u32]) -> bool {
        true
    }
}

impl<V, W, R> Objects<V, W> for Scalars<V, W, R> {
    fn entry(&self) -> &'static [u32] {
        self.group
    }

    fn number(&self, column: usize) -> Option<u32> {
        self.columns.get(column).map(|column| column.number)
    }

    fn find(&self, _view: &V, key: &[u32]) -> Result<usize, usize> {
        [SCALAR].binary_search(&key)
    }

    fn cell<'a>(
        &self,
        view: &'a V,
        column: usize,
        row: usize,
    ) -> Option<(&'a [u32], Option<VarValue<'a>>)> {
        (row == 0).then(|| (SCALAR, (self.columns[column].read)((self.of)(view))))
    }

    fn syntax(&self, column: usize) -> Option<Syntax> {
        self.of_mut.and(self.columns[column].write.map(|(syntax, _)| syntax))
    }

    fn write(
        &self,
        state: &mut W,
        column: usize,
        key: &[u32],
        value: VarValue<'_>,
    ) -> Result<(), ErrorStatus> {
        let (Some(of_mut), Some((_, write))) = (self.of_mut, self.columns[column].write) else {
            return Err(ErrorStatus::NotWritable);
        };
        if key != SCALAR {
            return Err(ErrorStatus::NoCreation);
        }
        write(of_mut(state), value)
    }

    fn settle(&self, _before: &W, _state: &mut W, _key: &[u32]) -> Result<(), ErrorStatus> {
        Ok(())
    }
}

impl<V, W, I: Index, R> Objects<V, W> for Table<V, W, I, R> {
    fn entry(&self) -> &'static [u32] {
        self.entry
    }

    fn number(&self, column: usize) -> Option<u32> {
        self.columns.get(column).map(|column| column.number)
    }

    fn find(&self, view: &V, key: &[u32]) -> Result<usize, usize> {
        (self.rows)(view).find(key)
    }

    fn cell<'a>(
        &self,
        view: &'a V,
        column: usize,
        row: usize,
    ) -> Option<(&'a [u32], Option<VarValue<'a>>)> {
        let (key, row) = (self.rows)(view).at(row)?;
        Some((key, (self.columns[column].read)(row)))
    }

    fn syntax(&self, column: usize) -> Option<Syntax> {
        self.writing.as_ref()?;
        self.columns[column].write.map(|(syntax, _)| syntax)
    }

    fn write(
        &self,
        state: &mut W,
        column: usize,
        key: &[u32],
        value: VarValue<'_>,
    ) -> Result<(), ErrorStatus> {
        let (Some(writing), Some((_, write))) = (&self.writing, self.columns[column].write) else {
            return Err(ErrorStatus::NotWritable);
        };
        let rows = (writing.rows_mut)(state);
        if rows.find(key).is_err() {
            let creation = writing.creation.as_ref().ok_or(ErrorStatus::NoCreation)?;
            let index = I::whole(key).ok_or(ErrorStatus::NoCreation)?;
            let row = (creation.create)(&index).ok_or(ErrorStatus::NoCreation)?;
            rows.insert(&index, row);
        }
        write(rows.at_key_mut(key).ok_or(ErrorStatus::NoCreation)?, value)
    }

    fn settle(&self, before: &W, state: &mut W, key: &[u32]) -> Result<(), ErrorStatus> {
        let Some(Writing { rows, rows_mut, creation: Some(creation) }) = &self.writing else {
            return Ok(());
        };
        let rows_now = rows_mut(state);
        let Some(row) = rows_now.at_key_mut(key) else { return Ok(()) };
        if !(creation.settle)(rows(before).at_key(key), row)? {
            rows_now.remove_key(key);
        }
        Ok(())
    }

    fn has_room(&self, before: &W, state: &W, key: &[u32]) -> bool {
        let Some(Writing { rows, .. }) = &self.writing else { return true };
        let (before, now) = (rows(before), rows(state));
        let is_new = before.find(key).is_err() && now.find(key).is_ok();
        !is_new || now.len() <= MOST_ROWS
    }
}
