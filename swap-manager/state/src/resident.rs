//! Resident tables: rows that the host owns and lends to modules, ordered by key.
//!
//! A table belongs to a component and a name, not to a module: a successor opens the table that its
//! predecessor used and finds every row where it was. Nothing is copied, moved or locked by a swap,
//! whatever the number of rows.
//!
//! Each row shape of a table has rows of its own, so that a version never reads a row of another shape, and
//! one that still serves goes on with its rows while a successor of another shape is tried. Only one shape
//! at a time may have rows: who opens the table with another is refused, as [`ResidentTables::check`] said.
//!
//! This file never interprets a row, and removes none by itself: the swap manager says when rows are given
//! back.
//!
//! The invariant: rows lie under the shape that they were written with, and where nobody opened a table no
//! row can be written.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;

/// The structural hash of a row type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowShape(pub u64);

/// Why a table or a row was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResidentError {
    /// The table has rows of another shape.
    #[error(
        "the resident table `{table}` of `{component}` holds {rows} rows of shape {existing:016x}, not \
         {asked:016x}: a changed row type needs a table of another name, or one without rows"
    )]
    OtherShape {
        /// The component that owns the table.
        component: String,
        /// The table.
        table: String,
        /// Its rows now.
        rows: u64,
        /// The shape of its rows.
        existing: u64,
        /// The shape that was asked for.
        asked: u64,
    },
    /// The bound on rows is reached.
    #[error(
        "the resident table is full at {max_rows} rows: remove rows, or declare a larger bound"
    )]
    Full {
        /// The bound.
        max_rows: u64,
    },
    /// Rows of one table have one size.
    #[error(
        "a row of {found} octets does not fit into a resident table whose rows have {expected}"
    )]
    OtherSize {
        /// The size of the first row written.
        expected: usize,
        /// The size of this row.
        found: usize,
    },
    /// The rows were given back, and nobody opened the table since.
    #[error("the rows of this resident table were given back: open it anew")]
    GivenBack,
    /// The empty key stands before the first row, so no row can have it.
    #[error("a resident row needs a key of at least one octet")]
    EmptyKey,
}

/// The rows of one shape, by table and component. One that was ever there stays, however empty, because whoever
/// opened it may still hold it.
type ByShape = BTreeMap<RowShape, Arc<Resident>>;

/// All resident tables of an S-application.
#[derive(Debug, Default)]
pub struct ResidentTables {
    tables: RwLock<BTreeMap<(String, String), ByShape>>,
}

/// What is known about a table from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The component that owns it.
    pub component: String,
    /// Its name.
    pub table: String,
    /// The shape of its rows.
    pub shape: RowShape,
    /// Its rows now.
    pub rows: u64,
    /// The most it takes.
    pub max_rows: Option<u64>,
}

impl ResidentTables {
    /// No tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a table, and makes it when it is not there. The bound is that of whoever made it.
    ///
    /// # Errors
    /// It has rows of another shape.
    pub fn open(
        &self,
        component: &str,
        table: &str,
        shape: RowShape,
        max_rows: Option<u64>,
    ) -> Result<Arc<Resident>, ResidentError> {
        let mut tables = write(&self.tables);
        let name = (component.to_owned(), table.to_owned());
        refuse_rows_of_another_shape(&tables, &name, shape)?;
        let made = || Arc::new(Resident { shape, max_rows, rows: RwLock::default() });
        let opened = tables.entry(name).or_default().entry(shape).or_insert_with(made);
        write(&opened.rows).open = true;
        Ok(Arc::clone(opened))
    }

    /// Would [`ResidentTables::open`] succeed? Asked before a swap begins, and again when nobody writes any
    /// more; opens and makes nothing.
    ///
    /// # Errors
    /// As for [`ResidentTables::open`].
    pub fn check(
        &self,
        component: &str,
        table: &str,
        shape: RowShape,
    ) -> Result<(), ResidentError> {
        let name = (component.to_owned(), table.to_owned());
        refuse_rows_of_another_shape(&read(&self.tables), &name, shape)
    }

    /// The rows of one shape, if somebody has them open. Opens and makes nothing.
    pub fn find(&self, component: &str, table: &str, shape: RowShape) -> Option<Arc<Resident>> {
        let tables = read(&self.tables);
        let found = tables.get(&(component.to_owned(), table.to_owned()))?.get(&shape)?;
        read(&found.rows).open.then(|| Arc::clone(found))
    }

    /// Gives back the rows of a component's tables, but for those that are to be kept. Whoever holds one finds it
    /// empty, and writes nothing into it until it is opened anew.
    pub fn keep_only(&self, component: &str, keep: impl Fn(&str, RowShape) -> bool) {
        let goes = |table: &str, rows: &&Arc<Resident>| !keep(table, rows.shape);
        let gone: Vec<Arc<Resident>> = read(&self.tables)
            .iter()
            .filter(|((owner, _), _)| owner == component)
            .flat_map(|((_, table), by_shape)| {
                by_shape.values().filter(|rows| goes(table, rows)).cloned()
            })
            .collect();
        // Without the lock on all tables: a million rows take their time.
        gone.iter().for_each(|rows| rows.give_back());
    }

    /// All tables that somebody opened, by component and name.
    pub fn describe(&self) -> Vec<TableInfo> {
        let tables = read(&self.tables);
        let each =
            tables.iter().flat_map(|(name, by_shape)| by_shape.values().map(move |t| (name, t)));
        each.filter(|(_, rows)| read(&rows.rows).open)
            .map(|((component, table), rows)| TableInfo {
                component: component.clone(),
                table: table.clone(),
                shape: rows.shape,
                rows: rows.len(),
                max_rows: rows.max_rows,
            })
            .collect()
    }
}

/// The one rule about shapes, for whoever asks and for whoever opens.
fn refuse_rows_of_another_shape(
    tables: &BTreeMap<(String, String), ByShape>,
    name: &(String, String),
    asked: RowShape,
) -> Result<(), ResidentError> {
    let others = tables.get(name).into_iter().flatten().filter(|(shape, _)| **shape != asked);
    match others.map(|(shape, rows)| (shape, rows.len())).find(|(_, rows)| *rows != 0) {
        Some((existing, rows)) => Err(ResidentError::OtherShape {
            component: name.0.clone(),
            table: name.1.clone(),
            rows,
            existing: existing.0,
            asked: asked.0,
        }),
        None => Ok(()),
    }
}

/// A table. Readers run side by side; a reader sees a row as one writer left it, never half of two.
#[derive(Debug)]
pub struct Resident {
    shape: RowShape,
    max_rows: Option<u64>,
    rows: RwLock<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    /// Somebody opened the table since its rows were given back.
    open: bool,
    by_key: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// Fixed by the first row that was ever written.
    row_size: Option<usize>,
}

impl Resident {
    /// The shape of its rows.
    pub const fn shape(&self) -> RowShape {
        self.shape
    }

    /// Shows the row under a key to `look`, which must not come back to this table.
    pub fn get<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        read(&self.rows).by_key.get(key).map(|row| look(row))
    }

    /// Shows the first row after a key to `look`, which must not come back to this table. The empty key
    /// stands before the first row.
    pub fn next_after<R>(&self, key: &[u8], look: impl FnOnce(&[u8], &[u8]) -> R) -> Option<R> {
        let rows = read(&self.rows);
        let mut after = rows.by_key.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
        after.next().map(|(key, row)| look(key, row))
    }

    /// Writes a row, and says whether it took the place of another.
    pub fn insert(&self, key: &[u8], row: &[u8]) -> Result<bool, ResidentError> {
        if key.is_empty() {
            return Err(ResidentError::EmptyKey);
        }
        let mut rows = write(&self.rows);
        if !rows.open {
            return Err(ResidentError::GivenBack);
        }
        match rows.row_size {
            Some(expected) if expected != row.len() => {
                return Err(ResidentError::OtherSize { expected, found: row.len() });
            }
            _ => {}
        }
        if let Some(existing) = rows.by_key.get_mut(key) {
            existing.copy_from_slice(row);
            return Ok(true);
        }
        if let Some(max_rows) = self.max_rows
            && rows.by_key.len() as u64 >= max_rows
        {
            return Err(ResidentError::Full { max_rows });
        }
        rows.by_key.insert(key.into(), row.into());
        rows.row_size = Some(row.len());
        Ok(false)
    }

    /// Removes a row, and says whether there was one.
    pub fn remove(&self, key: &[u8]) -> bool {
        let removed = write(&self.rows).by_key.remove(key);
        // The row's memory is given back after the lock.
        removed.is_some()
    }

    fn give_back(&self) {
        let gone = std::mem::take(&mut *write(&self.rows));
        // Their memory is given back after the lock.
        drop(gone);
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        read(&self.rows).by_key.len() as u64
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// A holder of these locks can only panic in `look`, which changes nothing; so a poisoned lock still
// guards whole rows.

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    const SHAPE: RowShape = RowShape(7);
    const OTHER: RowShape = RowShape(8);

    fn open(tables: &ResidentTables, shape: RowShape) -> Result<Arc<Resident>, ResidentError> {
        tables.open("security.core", "users", shape, None)
    }

    #[test]
    fn rows_are_found_replaced_and_removed() {
        let table = open(&ResidentTables::new(), SHAPE).unwrap();
        assert_eq!(table.insert(b"a", &[1, 2]), Ok(false));
        assert_eq!(table.insert(b"a", &[3, 4]), Ok(true));
        assert_eq!(table.get(b"a", <[u8]>::to_vec), Some(vec![3, 4]));
        assert_eq!(table.get(b"b", <[u8]>::to_vec), None);
        assert_eq!(table.len(), 1);
        assert!(table.remove(b"a"));
        assert!(!table.remove(b"a"));
        assert!(table.is_empty());
    }

    #[test]
    fn a_walk_meets_every_key_once_in_order() {
        let table = open(&ResidentTables::new(), SHAPE).unwrap();
        let keys: [&[u8]; 5] = [&[0], &[0, 0], &[1], &[1, 255, 9], &[2]];
        for key in [3, 0, 4, 2, 1] {
            table.insert(keys[key], &[0]).unwrap();
        }
        let (mut at, mut met) = (Vec::new(), Vec::new());
        while let Some(key) = table.next_after(&at, |key, _| key.to_vec()) {
            met.push(key.clone());
            at = key;
        }
        assert_eq!(met, keys);
        assert_eq!(table.next_after(&[1, 7], |key, _| key.to_vec()), Some(vec![1, 255, 9]));
    }

    #[test]
    fn a_successor_finds_the_rows_where_they_were() {
        let tables = ResidentTables::new();
        let predecessor = open(&tables, SHAPE).unwrap();
        predecessor.insert(b"a", &[1]).unwrap();
        let address = predecessor.get(b"a", <[u8]>::as_ptr);
        let successor = open(&tables, SHAPE).unwrap();
        drop(predecessor);
        assert_eq!(successor.get(b"a", <[u8]>::as_ptr), address);
        drop(successor);
        assert_eq!(open(&tables, SHAPE).unwrap().get(b"a", <[u8]>::as_ptr), address);
    }

    #[test]
    fn another_row_shape_is_refused_while_there_are_rows() {
        let tables = ResidentTables::new();
        let table = open(&tables, SHAPE).unwrap();
        table.insert(b"a", &[1]).unwrap();
        let error = tables.check("security.core", "users", OTHER).unwrap_err();
        assert_eq!(open(&tables, OTHER).unwrap_err(), error);
        assert_eq!(
            error.to_string(),
            "the resident table `users` of `security.core` holds 1 rows of shape 0000000000000007, not \
             0000000000000008: a changed row type needs a table of another name, or one without rows"
        );
        assert!(tables.open("security.core", "users2", OTHER, None).is_ok());
        assert!(tables.open("access.rules", "users", OTHER, None).is_ok());
    }

    #[test]
    fn an_empty_table_takes_another_shape_and_whoever_holds_the_other_meets_none_of_its_rows() {
        let tables = ResidentTables::new();
        let held = open(&tables, SHAPE).unwrap();
        assert_eq!(tables.check("security.core", "users", OTHER), Ok(()));
        let other = open(&tables, OTHER).unwrap();
        other.insert(b"a", &[1, 2]).unwrap();
        assert_eq!((held.len(), held.get(b"a", <[u8]>::to_vec)), (0, None));
        assert_eq!(held.next_after(b"", |key, _| key.to_vec()), None);
        assert!(!held.remove(b"a"));
        assert_eq!(other.len(), 1);
        // Who opens and who asks before hear the same.
        assert_eq!(
            tables.check("security.core", "users", SHAPE).unwrap_err(),
            open(&tables, SHAPE).unwrap_err()
        );
        tables.keep_only("security.core", |_, shape| shape == SHAPE);
        held.insert(b"a", &[1]).unwrap();
        assert_eq!((held.len(), other.len()), (1, 0));
    }

    #[test]
    fn rows_that_were_given_back_are_gone_and_none_comes_in_until_the_table_is_opened_anew() {
        let tables = ResidentTables::new();
        let old = open(&tables, SHAPE).unwrap();
        old.insert(b"a", &[1]).unwrap();
        tables.keep_only("security.core", |_, _| false);
        assert_eq!((old.len(), old.insert(b"b", &[1])), (0, Err(ResidentError::GivenBack)));
        assert!(tables.find("security.core", "users", SHAPE).is_none());
        assert!(tables.describe().is_empty());
        // Empty, and of another size if need be.
        let new = open(&tables, SHAPE).unwrap();
        assert_eq!((new.len(), new.insert(b"b", &[1, 2])), (0, Ok(false)));
    }

    #[test]
    fn who_looks_for_a_table_makes_none() {
        let tables = ResidentTables::new();
        assert!(tables.find("security.core", "users", SHAPE).is_none());
        assert!(tables.describe().is_empty());
        open(&tables, SHAPE).unwrap().insert(b"a", &[1]).unwrap();
        assert_eq!(tables.find("security.core", "users", SHAPE).map(|rows| rows.len()), Some(1));
        assert!(tables.find("security.core", "users", OTHER).is_none());
    }

    #[test]
    fn bounds_and_sizes_are_kept() {
        let tables = ResidentTables::new();
        let table = tables.open("a", "b", SHAPE, Some(2)).unwrap();
        table.insert(b"1", &[0; 4]).unwrap();
        table.insert(b"2", &[0; 4]).unwrap();
        assert_eq!(table.insert(b"3", &[0; 4]), Err(ResidentError::Full { max_rows: 2 }));
        assert_eq!(table.insert(b"2", &[1; 4]), Ok(true));
        assert_eq!(
            table.insert(b"2", &[0; 5]),
            Err(ResidentError::OtherSize { expected: 4, found: 5 })
        );
        assert_eq!(table.insert(b"", &[0; 4]), Err(ResidentError::EmptyKey));
        table.remove(b"1");
        assert_eq!(table.insert(b"3", &[0; 4]), Ok(false));
    }

    #[test]
    fn a_component_that_goes_leaves_the_tables_of_others_alone() {
        let tables = ResidentTables::new();
        open(&tables, SHAPE).unwrap().insert(b"a", &[1]).unwrap();
        tables.open("access.rules", "views", SHAPE, Some(9)).unwrap();
        tables.keep_only("security.core", |_, _| false);
        let info = tables.describe();
        assert_eq!(info.len(), 1);
        assert_eq!(
            (&info[0].component[..], &info[0].table[..], info[0].max_rows),
            ("access.rules", "views", Some(9))
        );
        assert!(open(&tables, OTHER).unwrap().is_empty());
    }

    #[test]
    fn a_panic_while_looking_leaves_the_table_usable() {
        let table = open(&ResidentTables::new(), SHAPE).unwrap();
        table.insert(b"a", &[1]).unwrap();
        let look = std::panic::AssertUnwindSafe(|| table.get(b"a", |_| panic!("on purpose")));
        assert!(std::panic::catch_unwind(look).is_err());
        table.insert(b"b", &[2]).unwrap();
        assert_eq!(table.get(b"a", <[u8]>::to_vec), Some(vec![1]));
    }

    #[test]
    fn readers_see_whole_rows_while_writers_change_them() {
        let table = open(&ResidentTables::new(), SHAPE).unwrap();
        table.insert(b"row", &[0; 64]).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 0..20_000u32 {
                    table.insert(b"row", &[value.to_le_bytes()[0]; 64]).unwrap();
                    table.insert(&value.to_be_bytes(), &[0; 64]).unwrap();
                    table.remove(&value.to_be_bytes());
                }
                stop.store(true, Ordering::Relaxed);
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let whole =
                            table.get(b"row", |row| row.iter().all(|octet| *octet == row[0]));
                        assert_eq!(whole, Some(true));
                        assert!(table.next_after(b"\xff", |_, _| ()).is_none());
                    }
                });
            }
        });
        assert_eq!(table.len(), 1);
    }
}
