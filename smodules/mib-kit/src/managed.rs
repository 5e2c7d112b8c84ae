//! Rows that SETs make and remove: StorageType and RowStatus (RFC 2579), and what becomes of both.
//!
//! It never looks at any other column. Invariants: no row rests in a status that only asks for something,
//! and what is permanent or read-only stays so.

use crate::syntax::{RowStatus, StorageType};
use roles::varbind::ErrorStatus;

/// A row that has a StorageType and a RowStatus. Where they are fields of these names,
/// [`crate::storage_and_status!`] writes what reads and changes them.
pub trait Managed {
    /// Its StorageType.
    fn storage(&self) -> StorageType;
    /// Gives it another one.
    fn set_storage(&mut self, storage: StorageType);
    /// Its RowStatus.
    fn status(&self) -> RowStatus;
    /// Gives it another one.
    fn set_status(&mut self, status: RowStatus);
    /// Whether all that the row needs to be active is there.
    fn is_complete(&self) -> bool {
        true
    }
}

/// The methods of [`Managed`] that every row with fields `storage` and `status` has alike.
#[macro_export]
macro_rules! storage_and_status {
    () => {
        fn storage(&self) -> $crate::StorageType {
            self.storage
        }
        fn set_storage(&mut self, storage: $crate::StorageType) {
            self.storage = storage;
        }
        fn status(&self) -> $crate::RowStatus {
            self.status
        }
        fn set_status(&mut self, status: $crate::RowStatus) {
            self.status = status;
        }
    };
}

/// Brings a row to its end when all of a SET is written to it; false if it goes.
pub(crate) fn settle<R: Managed>(before: Option<&R>, row: &mut R) -> Result<bool, ErrorStatus> {
    let was = before.map(R::storage);
    if was == Some(StorageType::ReadOnly) {
        return Err(ErrorStatus::NotWritable);
    }
    if !was.unwrap_or(StorageType::Volatile).may_become(row.storage()) {
        return Err(ErrorStatus::InconsistentValue);
    }
    match row.status().settled(was.is_some(), row.is_complete())? {
        Some(settled) => row.set_status(settled),
        None if was == Some(StorageType::Permanent) => return Err(ErrorStatus::InconsistentValue),
        None => return Ok(false),
    }
    Ok(true)
}
