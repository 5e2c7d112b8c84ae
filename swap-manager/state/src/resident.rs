//! Resident tables: rows that the host owns and lends to modules, ordered by key.
//!
//! A table belongs to a component and a name, not to a module: a successor opens the table that its
//! predecessor used and finds every row where it was. Nothing is copied, moved or locked by a swap,
//! whatever the number of rows.
//!
//! This file never interprets a row and never removes one by itself.
//!
//! The invariant: all rows of a table were written with one row shape. Who opens it with another is
//! refused, unless the table is empty and nobody holds it, as after an aborted swap.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;

/// The structural hash of a row type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowShape(pub u64);

/// Why a table or a row was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResidentError {
    /// The table has rows of another shape.
    #[error(
        "the resident table `{table}` of `{component}` holds {rows} rows of shape {existing:016x}, not \
         {asked:016x}: a changed row type needs a table of another name"
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
    /// The empty key stands before the first row, so no row can have it.
    #[error("a resident row needs a key of at least one octet")]
    EmptyKey,
}

/// All resident tables of an S-application.
#[derive(Debug, Default)]
pub struct ResidentTables {
    tables: RwLock<BTreeMap<(String, String), Arc<Resident>>>,
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
    pub fn open(
        &self,
        component: &str,
        table: &str,
        shape: RowShape,
        max_rows: Option<u64>,
    ) -> Result<Arc<Resident>, ResidentError> {
        let mut tables = write(&self.tables);
        let name = (component.to_owned(), table.to_owned());
        if let Some(existing) = tables.get(&name) {
            if existing.shape == shape {
                return Ok(existing.clone());
            }
            // Whoever wants a table must come through this lock, so nobody takes hold of it meanwhile.
            if Arc::strong_count(existing) > 1 || !existing.is_empty() {
                return Err(ResidentError::OtherShape {
                    component: name.0,
                    table: name.1,
                    rows: existing.len(),
                    existing: existing.shape.0,
                    asked: shape.0,
                });
            }
        }
        let made = Arc::new(Resident { shape, max_rows, rows: RwLock::default() });
        tables.insert(name, made.clone());
        Ok(made)
    }

    /// Would [`ResidentTables::open`] succeed? Asked before a swap begins; opens and makes nothing.
    pub fn check(
        &self,
        component: &str,
        table: &str,
        shape: RowShape,
    ) -> Result<(), ResidentError> {
        let tables = read(&self.tables);
        match tables.get(&(component.to_owned(), table.to_owned())) {
            Some(existing) if existing.shape != shape && !existing.is_empty() => {
                Err(ResidentError::OtherShape {
                    component: component.to_owned(),
                    table: table.to_owned(),
                    rows: existing.len(),
                    existing: existing.shape.0,
                    asked: shape.0,
                })
            }
            _ => Ok(()),
        }
    }

    /// Forgets the tables of a component that was removed; those that hold one keep it until they let go.
    pub fn forget(&self, component: &str) {
        write(&self.tables).retain(|(owner, _), _| owner != component);
    }

    /// All tables, by component and name.
    pub fn describe(&self) -> Vec<TableInfo> {
        let info = |((component, table), rows): (&(String, String), &Arc<Resident>)| TableInfo {
            component: component.clone(),
            table: table.clone(),
            shape: rows.shape,
            rows: rows.len(),
            max_rows: rows.max_rows,
        };
        read(&self.tables).iter().map(info).collect()
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
             0000000000000008: a changed row type needs a table of another name"
        );
        assert!(tables.open("security.core", "users2", OTHER, None).is_ok());
        assert!(tables.open("access.rules", "users", OTHER, None).is_ok());
    }

    #[test]
    fn an_empty_table_takes_another_shape_once_nobody_holds_it() {
        let tables = ResidentTables::new();
        let held = open(&tables, SHAPE).unwrap();
        assert!(matches!(open(&tables, OTHER), Err(ResidentError::OtherShape { .. })));
        drop(held);
        assert_eq!(open(&tables, OTHER).unwrap().shape(), OTHER);
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
    fn a_forgotten_component_starts_anew_and_others_are_left_alone() {
        let tables = ResidentTables::new();
        let old = open(&tables, SHAPE).unwrap();
        old.insert(b"a", &[1]).unwrap();
        tables.open("access.rules", "views", SHAPE, Some(9)).unwrap();
        tables.forget("security.core");
        let info = tables.describe();
        assert_eq!(info.len(), 1);
        assert_eq!(
            (&info[0].component[..], &info[0].table[..], info[0].max_rows),
            ("access.rules", "views", Some(9))
        );
        assert!(open(&tables, OTHER).unwrap().is_empty());
        assert_eq!(old.len(), 1);
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
