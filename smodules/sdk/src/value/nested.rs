//! What octets, a text, a list, a map and an object identifier hold, dropped out of line.
//!
//! Most arguments and answers of dynamic calls are numbers, and every one of them is dropped. Were these
//! collections dropped in line, the drop of any [`Value`](super::Value) would save half the registers
//! before it looks at what it has; so it costs a number one comparison.
//!
//! This file never looks into a collection. Invariant: each is dropped exactly once, or moved out by
//! [`Nested::into_inner`].

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// A collection in a [`Value`](super::Value): made by `into` or `collect`, used like what it holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Nested<T>(ManuallyDrop<T>);

impl<T> Nested<T> {
    /// The collection itself.
    pub fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so nobody else gets or drops the collection.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Nested<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and `into_inner` drops nothing.
        discard(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

/// Drops a collection. It comes by value: a `Value` whose address is given away is read from memory again
/// wherever it is used. It is cold, so that what has nothing to drop is told apart first.
#[cold]
#[inline(never)]
fn discard<T>(collection: T) {
    drop(collection);
}

impl<T> Deref for Nested<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Nested<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Nested<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> From<T> for Nested<T> {
    fn from(collection: T) -> Self {
        Nested(ManuallyDrop::new(collection))
    }
}

impl<M, T: FromIterator<M>> FromIterator<M> for Nested<T> {
    fn from_iter<I: IntoIterator<Item = M>>(members: I) -> Self {
        T::from_iter(members).into()
    }
}

impl<T: IntoIterator> IntoIterator for Nested<T> {
    type Item = T::Item;
    type IntoIter = T::IntoIter;

    fn into_iter(self) -> T::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Nested<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}
