//! Resident tables: rows of plain data that the host owns and lends to a module.
//!
//! A row is copied in and out under the host's lock; no reference into a table crosses the boundary, so
//! a table neither moves nor is locked while a module is swapped. Keys are octets and ordered.

use crate::abi::{HostServices, Slice, Status};
use crate::error::CallError;
use crate::list::Buf;
use crate::shape::Plain;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A table of rows of one plain type.
pub struct Resident<T: Plain> {
    table: *const c_void,
    services: &'static HostServices,
    row: PhantomData<fn(T) -> T>,
}

// SAFETY: the host's functions lock the table.
unsafe impl<T: Plain> Send for Resident<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Resident<T> {}

impl<T: Plain> Resident<T> {
    pub(crate) fn new(table: *const c_void, services: &'static HostServices) -> Self {
        Resident { table, services, row: PhantomData }
    }

    /// The row under a key.
    pub fn get(&self, key: &[u8]) -> Option<T> {
        let mut row = MaybeUninit::<T>::uninit();
        // SAFETY: the host writes a whole row of this shape, which it compared at `resident_open`, or
        // answers another status.
        unsafe {
            let status = (self.services.resident_get)(
                self.table,
                Slice::new(key),
                row.as_mut_ptr().cast(),
                size_of::<T>(),
            );
            (status == Status::OK).then(|| row.assume_init())
        }
    }

    /// Writes a row; `Full` when the table's bound is reached.
    pub fn put(&self, key: &[u8], row: &T) -> Result<(), CallError> {
        // SAFETY: the row is plain data; its octets are copied during the call.
        let status = unsafe {
            let octets =
                std::slice::from_raw_parts(std::ptr::from_ref(row).cast::<u8>(), size_of::<T>());
            (self.services.resident_put)(self.table, Slice::new(key), Slice::new(octets))
        };
        if status == Status::OK { Ok(()) } else { Err(CallError::from_status(status)) }
    }

    /// Removes a row; false when there was none.
    pub fn remove(&self, key: &[u8]) -> bool {
        // SAFETY: the table came from the host with these functions.
        let status = unsafe { (self.services.resident_remove)(self.table, Slice::new(key)) };
        status == Status::OK
    }

    /// The first row after a key, in key order; an empty key asks for the first row.
    pub fn next(&self, after: &[u8]) -> Option<(Vec<u8>, T)> {
        let mut key = Buf::new();
        let mut row = MaybeUninit::<T>::uninit();
        // SAFETY: as in `get`.
        unsafe {
            let status = (self.services.resident_next)(
                self.table,
                Slice::new(after),
                &mut key,
                row.as_mut_ptr().cast(),
                size_of::<T>(),
            );
            (status == Status::OK).then(|| (key.to_vec(), row.assume_init()))
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        // SAFETY: the table came from the host with these functions.
        unsafe { (self.services.resident_len)(self.table) }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
