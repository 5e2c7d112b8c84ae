//! What survives a swap: mapping checks and resident tables.
//!
//! [`schema`] says, before anything is quiesced, whether the carried state of a module maps to its
//! successor and back. [`resident`] keeps the tables that the host owns and lends to modules.
//!
//! This crate never calls a module, never moves a resident row, and never looks into a carried state:
//! it compares what two modules declare.
//!
//! The invariant it keeps: a mapping that it admits has no field without a destination and no field
//! without a source, on the way there and on the way back.

pub mod resident;
pub mod schema;

pub use resident::{Resident, ResidentError, ResidentTables, RowShape};
pub use schema::{Mapping, Problem, can_map};
