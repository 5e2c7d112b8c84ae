//! What a swap means for the resident tables of one of its components.
//!
//! This file never touches a row while the swap runs. Invariant: after a swap that did not commit, no table has
//! rows because of it that the version which serves would not have had; after one that did, the tables that the
//! new version claims have rows of its shapes only; and a component without a module has none.

use crate::member::Member;
use s_sdk::abi::ModuleDescriptor;
use s_state::resident::{ResidentTables, RowShape};
use s_transaction::Verdict;

/// A table by name, and the shape of its rows.
pub(crate) type Table = (String, RowShape);

/// The tables that a module says it works on.
pub(crate) fn tables_of(descriptor: &ModuleDescriptor) -> Vec<Table> {
    let each = descriptor.resident.get().iter();
    each.map(|table| (table.name.as_str().to_owned(), RowShape(table.row.hash()))).collect()
}

/// The tables of one component in one swap.
pub(crate) struct Rows {
    component: String,
    /// What the successor claims; `None` where there is to be none.
    claimed: Option<Vec<Table>>,
    /// Those of them that its predecessor does not work on, and that had no rows when the swap began.
    fresh: Vec<Table>,
}

impl Rows {
    /// As they are when the swap begins.
    pub(crate) fn of(member: &Member, tables: &ResidentTables) -> Self {
        let component = member.component.name().to_owned();
        let claimed = member.source.tables();
        let theirs = member.predecessor.body();
        let theirs = theirs.map_or_else(Vec::new, |body| tables_of(body.code().descriptor()));
        let is_fresh = |table: &&Table| {
            let rows = tables.find(&component, &table.0, table.1);
            !theirs.contains(table) && rows.is_none_or(|rows| rows.is_empty())
        };
        let fresh = claimed.iter().flatten().filter(is_fresh).cloned().collect();
        Rows { component, claimed, fresh }
    }

    /// The swap has ended, and whoever does not serve now will not serve again.
    pub(crate) fn end(&self, tables: &ResidentTables, verdict: Verdict) {
        let kept_claim = |claimed: &[Table], table: &str, shape: RowShape| {
            let mut same = claimed.iter().filter(|(name, _)| name == table).peekable();
            same.peek().is_none() || same.any(|(_, claim)| *claim == shape)
        };
        let is_fresh = |table: &str, rows: RowShape| {
            self.fresh.iter().any(|(name, shape)| name == table && *shape == rows)
        };
        tables.keep_only(&self.component, |table, shape| match (verdict, &self.claimed) {
            (Verdict::Committed, Some(claimed)) => kept_claim(claimed, table, shape),
            (Verdict::Committed, None) => false,
            (Verdict::Aborted | Verdict::RolledBack, _) => !is_fresh(table, shape),
            // Who serves now is not certain.
            (Verdict::Unreachable, _) => true,
        });
    }
}
