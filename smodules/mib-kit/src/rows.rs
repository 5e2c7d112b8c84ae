//! The rows of a table, sorted by index.
//!
//! Invariant: the arcs of the indexes rise strictly from row to row, whatever order the rows came in; of
//! two rows with one index the first stays. Indexes lie in one stretch of memory, so that a snapshot of ten
//! thousand rows takes two allocations and a search stays near itself.

use crate::index::Index;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::Range;

/// Rows `R` with indexes `I`.
#[derive(Clone, Debug)]
pub struct Rows<I, R> {
    arcs: Vec<u32>,
    rows: Vec<Row<R>>,
    index: PhantomData<fn() -> I>,
}

#[derive(Clone, Debug)]
struct Row<R> {
    key: Range<usize>,
    row: R,
}

impl<I: Index, R> FromIterator<(I, R)> for Rows<I, R> {
    fn from_iter<T: IntoIterator<Item = (I, R)>>(rows: T) -> Self {
        let mut made = Rows::default();
        for (index, row) in rows {
            let key = made.put(&index);
            made.rows.push(Row { key, row });
        }
        let Rows { arcs, rows, .. } = &mut made;
        rows.sort_by(|a, b| arcs[a.key.clone()].cmp(&arcs[b.key.clone()]));
        rows.dedup_by(|later, first| arcs[later.key.clone()] == arcs[first.key.clone()]);
        made
    }
}

impl<I, R> Default for Rows<I, R> {
    fn default() -> Self {
        Rows { arcs: Vec::new(), rows: Vec::new(), index: PhantomData }
    }
}

impl<I: Index, R> Rows<I, R> {
    /// The row with an index.
    pub fn get(&self, index: &I) -> Option<&R> {
        self.find(&arcs_of(index)).ok().map(|at| &self.rows[at].row)
    }

    /// The row with an index, to be changed.
    pub fn get_mut(&mut self, index: &I) -> Option<&mut R> {
        self.at_key_mut(&arcs_of(index))
    }

    /// Puts a row in its place, or in the place of the one that has its index.
    pub fn insert(&mut self, index: &I, row: R) {
        match self.find(&arcs_of(index)) {
            Ok(at) => self.rows[at].row = row,
            Err(at) => {
                let key = self.put(index);
                self.rows.insert(at, Row { key, row });
            }
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, index: &I) -> Option<R> {
        self.remove_key(&arcs_of(index))
    }

    /// The rows with their indexes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (I, &R)> {
        // An index that was put in comes out; one that is never answered may be left out.
        self.rows.iter().filter_map(|row| Some((I::whole(self.arcs_at(row))?, &row.row)))
    }

    fn put(&mut self, index: &I) -> Range<usize> {
        let at = self.arcs.len();
        index.put(&mut self.arcs);
        at..self.arcs.len()
    }
}

impl<I, R> Rows<I, R> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, in order.
    pub fn values(&self) -> impl Iterator<Item = &R> {
        self.rows.iter().map(|row| &row.row)
    }

    /// Leaves only the rows that are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&R) -> bool) {
        self.rows.retain(|row| wanted(&row.row));
        let mut arcs = Vec::new();
        for row in &mut self.rows {
            let at = arcs.len();
            arcs.extend_from_slice(&self.arcs[row.key.clone()]);
            row.key = at..arcs.len();
        }
        self.arcs = arcs;
    }

    /// The rows to be changed, in order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.rows.iter_mut().map(|row| &mut row.row)
    }

    /// Where the index with these arcs is, or would be.
    pub(crate) fn find(&self, key: &[u32]) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| compared(self.arcs_at(row), key))
    }

    /// The arcs of an index and its row, by position.
    pub(crate) fn at(&self, position: usize) -> Option<(&[u32], &R)> {
        self.rows.get(position).map(|row| (self.arcs_at(row), &row.row))
    }

    pub(crate) fn at_key(&self, key: &[u32]) -> Option<&R> {
        self.find(key).ok().map(|at| &self.rows[at].row)
    }

    pub(crate) fn at_key_mut(&mut self, key: &[u32]) -> Option<&mut R> {
        self.find(key).ok().map(|at| &mut self.rows[at].row)
    }

    pub(crate) fn remove_key(&mut self, key: &[u32]) -> Option<R> {
        let gone = self.rows.remove(self.find(key).ok()?);
        self.arcs.drain(gone.key.clone());
        for row in self.rows.iter_mut().filter(|row| row.key.start >= gone.key.end) {
            row.key = row.key.start - gone.key.len()..row.key.end - gone.key.len();
        }
        Some(gone.row)
    }

    fn arcs_at(&self, row: &Row<R>) -> &[u32] {
        &self.arcs[row.key.clone()]
    }
}

/// Lexicographical order; most indexes are one arc, and most searches end with the first.
fn compared(a: &[u32], b: &[u32]) -> Ordering {
    match (a, b) {
        ([a, ..], [b, ..]) if a != b => a.cmp(b),
        _ => a.cmp(b),
    }
}

fn arcs_of<I: Index>(index: &I) -> Vec<u32> {
    let mut arcs = Vec::new();
    index.put(&mut arcs);
    arcs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Octets;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn rows_are_sorted_and_the_first_of_two_stays() {
        let rows: Rows<u32, &str> = [(3, "c"), (1, "a"), (3, "again")].into_iter().collect();
        assert!(rows.iter().eq([(1, &"a"), (3, &"c")]));
    }

    proptest! {
        #[test]
        fn they_are_a_map_sorted_by_arcs(
            steps in prop::collection::vec((any::<bool>(), prop::collection::vec(0..3u8, 0..3)), 0..60),
        ) {
            let (mut rows, mut model) = (Rows::default(), BTreeMap::new());
            for (step, (put, name)) in steps.into_iter().enumerate() {
                let (index, key) = (Octets(name.clone()), (name.len(), name));
                if put {
                    rows.insert(&index, step);
                    model.insert(key, step);
                } else {
                    prop_assert_eq!(rows.remove(&index), model.remove(&key));
                }
                if step % 7 == 6 {
                    rows.retain(|row| row % 3 != 0);
                    model.retain(|_, row| *row % 3 != 0);
                    prop_assert_eq!(rows.arcs.len(), model.keys().map(|(len, _)| len + 1).sum::<usize>());
                }
                let found: Vec<_> = rows.iter().map(|(Octets(name), row)| (name, *row)).collect();
                let expected: Vec<_> = model.iter().map(|((_, name), row)| (name.clone(), *row)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
