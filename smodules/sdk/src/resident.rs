//! Resident tables: rows of plain data that the host owns and lends to a module.
//!
//! A row is copied in and out under the host's lock; no reference into a table crosses the boundary, so
//! a table neither moves nor is locked while a module is swapped. Keys are octets and ordered.
//!
//! Invariant: a row type consists of numbers without padding ([`assert_row`]), so that every octet of a row
//! was written, and whatever octets a table holds are a row.

use crate::abi::{HostServices, Slice, Status};
use crate::error::CallError;
use crate::list::Buf;
use crate::shape::Plain;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Refuses a type that cannot be a row, while that is compiled.
///
/// # Panics
/// In a constant: the message says what is wrong with the type, and what to do about it.
pub const fn assert_row<T: Plain>() {
    if let Some(fault) = T::SHAPE.row_fault() {
        panic!("{}", fault);
    }
}

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
        const { assert_row::<T>() };
        Resident { table, services, row: PhantomData }
    }

    /// The row under a key.
    pub fn get(&self, key: &[u8]) -> Option<T> {
        let mut row = MaybeUninit::<T>::uninit();
        // SAFETY: the host writes `size_of::<T>()` octets, or answers another status; any octets are a row.
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
        // SAFETY: a row has no padding, so each of its octets is initialised; they are copied during the call.
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
