//! Growing output lists: the caller's memory, written by the callee.
//!
//! A list knows the function that grows it and the one that frees it, both from the side that made it,
//! so it never matters whose allocator is whose. A bounded list refuses to grow instead.

use crate::shape::{Crossing, Plain, Shape, ShapeKind};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// The list has no room and may not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the caller's buffer is full")
    }
}

impl std::error::Error for Full {}

impl From<Full> for crate::CallError {
    fn from(_: Full) -> Self {
        crate::CallError::new(crate::error::CallErrorKind::Full)
    }
}

/// A growing list of plain data in C layout.
#[repr(C)]
pub struct List<T: Plain> {
    ptr: *mut T,
    len: usize,
    capacity: usize,
    /// Makes room for so many more elements; false when it may not.
    grow: unsafe extern "C" fn(&mut List<T>, usize) -> bool,
    /// Frees the memory.
    free: unsafe extern "C" fn(&mut List<T>),
}

/// A growing buffer of octets.
pub type Buf = List<u8>;

// SAFETY: a list owns its elements like a vector.
unsafe impl<T: Plain + Send> Send for List<T> {}
// SAFETY: shared access only reads.
unsafe impl<T: Plain + Sync> Sync for List<T> {}

// SAFETY: `repr(C)`; both sides know the element by its shape.
unsafe impl<T: Plain> Crossing for List<T> {
    const SHAPE: &'static Shape = &Shape::with(
        ShapeKind::List,
        "list",
        size_of::<Self>(),
        align_of::<Self>(),
        &[],
        Some(T::SHAPE),
    );
}

impl<T: Plain> List<T> {
    /// An empty list that grows as needed.
    pub const fn new() -> Self {
        List {
            ptr: std::ptr::dangling_mut(),
            len: 0,
            capacity: 0,
            grow: grow_vec::<T>,
            free: free_vec::<T>,
        }
    }

    /// An empty list with room for so many elements.
    pub fn with_capacity(capacity: usize) -> Self {
        Vec::with_capacity(capacity).into()
    }

    /// An empty list with room for so many elements and never more: what the callee cannot exceed.
    pub fn bounded(capacity: usize) -> Self {
        let mut list = Self::with_capacity(capacity);
        list.grow = grow_never::<T>;
        list
    }

    /// How many more elements fit without growing.
    pub const fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Appends one element.
    #[inline]
    pub fn push(&mut self, element: T) -> Result<(), Full> {
        self.append(std::slice::from_ref(&element))
    }

    /// Appends all elements, or none.
    #[inline]
    pub fn append(&mut self, elements: &[T]) -> Result<(), Full> {
        if self.capacity - self.len < elements.len() {
            self.reserve(elements.len())?;
        }
        // SAFETY: there is room behind `len` for so many elements, and `elements` is borrowed, so it
        // cannot overlap memory that `self` borrows exclusively.
        unsafe {
            std::ptr::copy_nonoverlapping(
                elements.as_ptr(),
                self.ptr.add(self.len),
                elements.len(),
            );
        }
        self.len += elements.len();
        Ok(())
    }

    /// Makes room for so many more elements.
    pub fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        if self.capacity - self.len >= additional {
            return Ok(());
        }
        let grow = self.grow;
        // SAFETY: the function came with the list from the side that owns the memory.
        let grown = unsafe { grow(self, additional) };
        if grown { Ok(()) } else { Err(Full) }
    }

    /// Forgets all elements.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets the elements from a position on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl<T: Plain> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Plain> From<Vec<T>> for List<T> {
    fn from(vec: Vec<T>) -> Self {
        let mut vec = ManuallyDrop::new(vec);
        List {
            ptr: vec.as_mut_ptr(),
            len: vec.len(),
            capacity: vec.capacity(),
            grow: grow_vec::<T>,
            free: free_vec::<T>,
        }
    }
}

impl<T: Plain> Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` elements are initialised and owned by the list.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }
}

impl<T: Plain> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.ptr, self.len) }
    }
}

impl<T: Plain> Drop for List<T> {
    fn drop(&mut self) {
        // Without capacity there is no memory to give back, and nobody to call for it.
        if self.capacity == 0 {
            return;
        }
        let free = self.free;
        // SAFETY: the function came with the list, and the list is not used again.
        unsafe {
            free(self);
        }
    }
}

impl<T: Plain + std::fmt::Debug> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Takes the vector out of a list that was made from one.
///
/// # Safety
/// `list.free` is `free_vec::<T>` of this very copy of the SDK.
unsafe fn vec_of<T: Plain>(list: &mut List<T>) -> Vec<T> {
    // SAFETY: pointer, length and capacity were taken from a vector of the same allocator.
    unsafe { Vec::from_raw_parts(list.ptr, list.len, list.capacity) }
}

unsafe extern "C" fn grow_vec<T: Plain>(list: &mut List<T>, additional: usize) -> bool {
    // SAFETY: this function is only paired with `free_vec` of the same copy of the SDK.
    let mut vec = ManuallyDrop::new(unsafe { vec_of(list) });
    let grown = vec.try_reserve(additional).is_ok();
    (list.ptr, list.capacity) = (vec.as_mut_ptr(), vec.capacity());
    grown
}

unsafe extern "C" fn free_vec<T: Plain>(list: &mut List<T>) {
    // SAFETY: as in `grow_vec`; the list is not used again.
    drop(unsafe { vec_of(list) });
}

unsafe extern "C" fn grow_never<T: Plain>(_: &mut List<T>, _: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_and_keeps_what_it_has() {
        let mut list = List::<u32>::new();
        for i in 0..1000 {
            list.push(i).unwrap();
        }
        assert_eq!(list.len(), 1000);
        assert!(list.iter().copied().eq(0..1000));
    }

    #[test]
    fn a_bounded_list_takes_all_or_nothing() {
        let mut buf = Buf::bounded(4);
        let room = buf.room();
        buf.append(&vec![1; room - 1]).unwrap();
        assert_eq!(buf.append(&[4, 5]), Err(Full));
        assert_eq!(buf.len(), room - 1);
        buf.append(&[4]).unwrap();
        assert_eq!(buf.push(5), Err(Full));
    }

    #[test]
    fn a_list_of_nothing_needs_no_memory() {
        let mut list = List::<()>::new();
        list.push(()).unwrap();
        assert_eq!(list.len(), 1);
    }
}
