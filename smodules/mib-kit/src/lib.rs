//! What MIB modules are written with: scalars and tables are declared, and the role `roles::mib` is done.
//!
//! An author says which columns there are and how each is read from a row; rows carry typed indexes and
//! come sorted. Everything that can go wrong in a MIB is in here once: lexicographical order, holes,
//! partial indexes, noSuchObject against noSuchInstance, the checks of a SET and its undoing. The kit never
//! decides who may see a variable, never encodes, never reads the system, and has no idea of any MIB.
//!
//! Invariants: a module answers below its subtrees only, and what follows a name is greater than it,
//! because columns are sorted when the [`Mib`] is made and rows when [`Rows`] are.
//!
//! In reading order: [`index`] turns typed indexes into the last arcs of a name, [`inet`] those of
//! addresses; [`rows`] are a table's rows, sorted by index; [`syntax`] is what a SET may write; [`managed`]
//! are rows that SETs make and remove; [`values`] are what columns say; [`objects`] declares scalars and
//! tables; [`mib`] answers for them; [`store`] holds what SETs change; [`cache`] holds what was read from
//! elsewhere; [`served`] makes a module of it all.
//!
//! ```
//! use mib_kit::{Column, Mib, Octets, Rows, Scalars, Table};
//! use roles::varbind::VarValue::{Gauge32, Integer};
//! use roles::varbind::VarValue;
//!
//! struct Shelf { width: u32 }
//! struct View { boxes: Rows<Octets, i32>, shelf: Shelf }
//!
//! const SHELF: &[Column<Shelf>] = &[Column::new(1, |shelf| Some(Gauge32(shelf.width)))];
//! const BOX: &[Column<i32>] = &[Column::new(2, |weight| Some(Integer(*weight)))];
//!
//! let mib: Mib<View> = Mib::of(&[&[1, 3, 9]])
//!     .with(Scalars::new(&[1, 3, 9, 1], SHELF, |view: &View| &view.shelf))
//!     .with(Table::new(&[1, 3, 9, 2, 1], BOX, |view: &View| &view.boxes))
//!     .made()?;
//! let view = View { boxes: [(Octets(b"a".to_vec()), 7)].into_iter().collect(), shelf: Shelf { width: 3 } };
//! assert_eq!(mib.value(&view, &[1, 3, 9, 1, 1, 0]), Gauge32(3));
//! // The index is an octet string of variable length: its length, then its octets.
//! assert_eq!(mib.value(&view, &[1, 3, 9, 2, 1, 2, 1, 97]), Integer(7));
//! assert_eq!(mib.value(&view, &[1, 3, 9, 2, 1, 2, 1, 98]), VarValue::NoSuchInstance);
//! # Ok::<(), s_sdk::Refusal>(())
//! ```

pub mod index;
pub mod inet;
pub mod rows;
pub mod syntax;

pub mod managed;
pub mod objects;
pub mod values;

pub mod mib;
pub mod store;

pub mod cache;
pub mod served;

pub use cache::{Cache, Part, Scratch, Source, locked};
pub use index::{Implied, Index, Octets, Oid};
pub use inet::Inet;
pub use managed::Managed;
pub use mib::Mib;
pub use objects::{Column, MOST_ROWS, Scalars, Table};
pub use rows::Rows;
pub use served::{Served, Written, WrittenCell};
pub use store::{Revision, Store};
pub use syntax::{RowStatus, StorageType, Syntax};

#[doc(hidden)]
pub use {roles, s_sdk};
