//! Numbers for what the kernel gives a name only: a filesystem, a disk.
//!
//! Invariants: a name keeps its number while it is there, and longer unless too many names came meanwhile;
//! and no number is given out twice before all have been.

use std::collections::{BTreeMap, BTreeSet};

/// So many names are remembered; beyond that, those that are gone are forgotten.
const REMEMBERED: usize = 1024;

/// Names with their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    by_name: BTreeMap<String, u32>,
    last: u32,
}

impl Numbers {
    /// Numbers that were given out before.
    pub fn restored(by_name: BTreeMap<String, u32>) -> Self {
        let last = by_name.values().copied().max().unwrap_or(0);
        Numbers { by_name, last }
    }

    /// What was given out.
    pub const fn by_name(&self) -> &BTreeMap<String, u32> {
        &self.by_name
    }

    /// The number of a name.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Numbers every name that is there, in order, from 1.
    pub fn see<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let names: Vec<&str> = names.into_iter().collect();
        if self.by_name.len() > REMEMBERED {
            let there: BTreeSet<&str> = names.iter().copied().collect();
            self.by_name.retain(|name, _| there.contains(name.as_str()));
        }
        for name in names {
            if !self.by_name.contains_key(name) {
                // Four thousand million later it begins anew.
                self.last = self.last.checked_add(1).unwrap_or(1);
                self.by_name.insert(name.to_owned(), self.last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_went_and_came_has_its_number_and_a_new_one_has_one_that_none_had() {
        let mut numbers = Numbers::default();
        numbers.see(["/", "/a"]);
        numbers.see(["/b", "/"]);
        numbers.see(["/a"]);
        let of = |name| numbers.get(name);
        assert_eq!((of("/"), of("/a"), of("/b"), of("/c")), (Some(1), Some(2), Some(3), None));
        let mut again = Numbers::restored(numbers.by_name().clone());
        again.see(["/c"]);
        assert_eq!(again.get("/c"), Some(4));
    }

    #[test]
    fn names_that_are_gone_are_forgotten_before_there_are_too_many() {
        let mut numbers = Numbers::default();
        for round in 0..5000 {
            numbers.see(["/", format!("/run/{round}").as_str()]);
        }
        assert!(numbers.by_name().len() <= REMEMBERED + 2);
        assert_eq!(numbers.get("/"), Some(1));
    }
}
