//! Typed indexes as the last arcs of a name, and back (RFC 2578 §7.7).
//!
//! It never guesses: arcs that are no index of the type are none, and every index has one form only.

use std::net::Ipv4Addr;

/// An index, or a part of one. A tuple is an index of several parts.
pub trait Index: Sized {
    /// Appends its arcs.
    fn put(&self, arcs: &mut Vec<u32>);

    /// Takes an index off the front of some arcs.
    fn take(arcs: &mut &[u32]) -> Option<Self>;

    /// The index that these arcs are, from the first to the last.
    fn whole(mut arcs: &[u32]) -> Option<Self> {
        let index = Self::take(&mut arcs)?;
        arcs.is_empty().then_some(index)
    }
}

/// An integer that is not negative: one arc.
impl Index for u32 {
    fn put(&self, arcs: &mut Vec<u32>) {
        arcs.push(*self);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        arcs.split_off_first().copied()
    }
}

/// An octet string of fixed length: an arc per octet.
impl<const LEN: usize> Index for [u8; LEN] {
    fn put(&self, arcs: &mut Vec<u32>) {
        put_octets(self, arcs);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        let octets = octets(arcs.split_off(..LEN)?)?;
        octets.try_into().ok()
    }
}

/// An IpAddress: four arcs.
impl Index for Ipv4Addr {
    fn put(&self, arcs: &mut Vec<u32>) {
        self.octets().put(arcs);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        <[u8; 4]>::take(arcs).map(Ipv4Addr::from)
    }
}

/// An octet string of variable length: its length, then an arc per octet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(pub Vec<u8>);

impl Index for Octets {
    fn put(&self, arcs: &mut Vec<u32>) {
        put_length(self.0.len(), arcs);
        put_octets(&self.0, arcs);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        octets(take_counted(arcs)?).map(Octets)
    }
}

/// An object identifier: its length, then its arcs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub Vec<u32>);

impl Index for Oid {
    fn put(&self, arcs: &mut Vec<u32>) {
        put_length(self.0.len(), arcs);
        arcs.extend(&self.0);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        take_counted(arcs).map(|arcs| Oid(arcs.to_vec()))
    }
}

/// The last part of an index, if the MIB says IMPLIED: without its length.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Implied<T>(pub T);

impl Index for Implied<Octets> {
    fn put(&self, arcs: &mut Vec<u32>) {
        put_octets(&self.0.0, arcs);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        octets(std::mem::take(arcs)).map(|octets| Implied(Octets(octets)))
    }
}

impl Index for Implied<Oid> {
    fn put(&self, arcs: &mut Vec<u32>) {
        arcs.extend(&self.0.0);
    }

    fn take(arcs: &mut &[u32]) -> Option<Self> {
        Some(Implied(Oid(std::mem::take(arcs).to_vec())))
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),+))*) => {$(
        impl<$($part: Index),+> Index for ($($part,)+) {
            fn put(&self, arcs: &mut Vec<u32>) {
                $(self.$at.put(arcs);)+
            }

            fn take(arcs: &mut &[u32]) -> Option<Self> {
                Some(($($part::take(arcs)?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
}

fn put_length(len: usize, arcs: &mut Vec<u32>) {
    // Nothing of 2^32 parts is an index; a name of more than 128 arcs is never answered.
    arcs.push(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_octets(octets: &[u8], arcs: &mut Vec<u32>) {
    arcs.extend(octets.iter().copied().map(u32::from));
}

fn take_counted<'a>(arcs: &mut &'a [u32]) -> Option<&'a [u32]> {
    let len = usize::try_from(*arcs.split_off_first()?).ok()?;
    arcs.split_off(..len)
}

fn octets(arcs: &[u32]) -> Option<Vec<u8>> {
    arcs.iter().map(|arc| u8::try_from(*arc).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both<I: Index + PartialEq + std::fmt::Debug>(index: I, arcs: &[u32]) {
        let mut put = Vec::new();
        index.put(&mut put);
        assert_eq!(put, arcs);
        assert_eq!(I::whole(arcs), Some(index));
    }

    #[test]
    fn every_kind_has_the_arcs_of_rfc_2578_and_comes_back() {
        both(7, &[7]);
        both(*b"ab", &[97, 98]);
        both(Ipv4Addr::new(10, 0, 0, 255), &[10, 0, 0, 255]);
        both(Octets(b"ab".to_vec()), &[2, 97, 98]);
        both(Octets(vec![]), &[0]);
        both(Implied(Octets(b"ab".to_vec())), &[97, 98]);
        both(Oid(vec![1, 3, u32::MAX]), &[3, 1, 3, u32::MAX]);
        both(Implied(Oid(vec![1, 3])), &[1, 3]);
        both((1, Octets(b"x".to_vec()), Implied(Oid(vec![9]))), &[1, 1, 120, 9]);
    }

    #[test]
    fn arcs_that_are_no_index_are_none() {
        assert_eq!(u32::whole(&[]), None);
        assert_eq!(u32::whole(&[1, 2]), None);
        assert_eq!(<[u8; 2]>::whole(&[1]), None);
        assert_eq!(Octets::whole(&[1, 256]), None);
        assert_eq!(Octets::whole(&[2, 1]), None);
        assert_eq!(Octets::whole(&[u32::MAX, 1]), None);
        assert_eq!(Octets::whole(&[1, 1, 1]), None);
        assert_eq!(Ipv4Addr::whole(&[1, 2, 3, 256]), None);
        assert_eq!(<(u32, u32)>::whole(&[1]), None);
    }
}
