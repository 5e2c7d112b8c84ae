//! What a SET asks of interfaces, and how it is done and taken back.
//!
//! It never leaves half of it done: where a link cannot be changed, those before it are as they were.

use crate::interface::Interface;
use kernel_net::link::set_up;
use mib_kit::Rows;
use std::collections::BTreeMap;

/// The state that SETs write to: the interfaces as they were found, while a SET is checked, and then what
/// was asked of them.
#[derive(Clone, Default)]
pub struct Asked {
    pub(crate) interfaces: Rows<u32, Interface>,
    pub(crate) wishes: Vec<Wish>,
    /// Greater than in the state before it.
    pub(crate) number: u64,
}

/// What an interface was, and what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Up { index: u32, was: bool, is: bool },
    Tells { index: u32, was: bool, is: bool },
}

impl Asked {
    /// Puts down what was asked, and lets the interfaces go.
    pub(crate) fn conclude(&mut self) {
        self.wishes.clear();
        for (index, row) in std::mem::take(&mut self.interfaces).iter() {
            let was = row.link.is_wanted_up();
            self.wishes.extend(row.asked_up.map(|is| Wish::Up { index, was, is }));
            let was = row.tells;
            self.wishes.extend(row.asked_tells.map(|is| Wish::Tells { index, was, is }));
        }
    }
}

impl Wish {
    /// The way back.
    const fn reversed(self) -> Self {
        match self {
            Wish::Up { index, was, is } => Wish::Up { index, was: is, is: was },
            Wish::Tells { index, was, is } => Wish::Tells { index, was: is, is: was },
        }
    }

    fn is_change(&self) -> bool {
        match self {
            Wish::Up { was, is, .. } | Wish::Tells { was, is, .. } => was != is,
        }
    }

    fn fulfil(self, told: &mut BTreeMap<u32, bool>) -> std::io::Result<()> {
        match self {
            Wish::Up { index, is, .. } => set_up(index, is),
            Wish::Tells { index, is, .. } => {
                told.insert(index, is);
                Ok(())
            }
        }
    }
}

/// Does what is wished, all of it or nothing.
///
/// # Errors
/// The first that cannot be done.
pub(crate) fn fulfil(wishes: &[Wish], told: &mut BTreeMap<u32, bool>) -> std::io::Result<()> {
    for (at, wish) in wishes.iter().enumerate().filter(|(_, wish)| wish.is_change()) {
        if let Err(error) = wish.fulfil(told) {
            // What cannot be taken back either stays: the kernel has the last word on its links.
            let _ = take_back(&wishes[..at], told);
            return Err(error);
        }
    }
    Ok(())
}

/// Takes back what was wished, the last first.
///
/// # Errors
/// The first that cannot be taken back; the others are.
pub(crate) fn take_back(wishes: &[Wish], told: &mut BTreeMap<u32, bool>) -> std::io::Result<()> {
    let mut taken_back = Ok(());
    for wish in wishes.iter().rev().filter(|wish| wish.is_change()) {
        taken_back = taken_back.and(wish.reversed().fulfil(told));
    }
    taken_back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_cannot_be_fulfilled_leaves_nothing_done() {
        let mut told = BTreeMap::new();
        let tells = |index| Wish::Tells { index, was: true, is: false };
        // No link has this number.
        let nobody = Wish::Up { index: 0x7fff_ffff, was: false, is: true };
        assert!(fulfil(&[tells(1), nobody, tells(2)], &mut told).is_err());
        assert_eq!(told, BTreeMap::from([(1, true)]));
        fulfil(&[tells(1), tells(2)], &mut told).unwrap();
        take_back(&[tells(2)], &mut told).unwrap();
        assert_eq!(told, BTreeMap::from([(1, false), (2, true)]));
    }
}
