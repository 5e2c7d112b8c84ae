//! Where a view goes on behind a name that is not in it, so that a walk need not go through what it excludes.
//!
//! It never decides whether a name is in a view, which is [`crate::view`]'s. Invariant: what it answers is
//! never behind a name that is in the view, and goes forward; where a view has very many families it may
//! stop early, at a name that is not in the view yet.

use crate::view::{Family, MAX_ARCS, deciding, families};

/// So many excluded families are passed at once.
const ROUNDS: usize = 64;

/// A name in a place of fixed size.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    arcs: [u32; MAX_ARCS],
    len: usize,
}

impl Name {
    fn of(arcs: &[u32]) -> Self {
        let mut name = Name { arcs: [0; MAX_ARCS], len: arcs.len().min(MAX_ARCS) };
        name.arcs[..name.len].copy_from_slice(&arcs[..name.len]);
        name
    }

    pub(crate) fn arcs(&self) -> &[u32] {
        &self.arcs[..self.len]
    }
}

/// A name not below `from` such that nothing between the two is in the view; none where nothing from
/// `from` on is in it.
pub(crate) fn next_in(view: &[u32], from: &[u32]) -> Option<Name> {
    // Nothing is longer than a name may be.
    let mut at = least(view, 0, from.get(..MAX_ARCS).unwrap_or(from))?;
    for _ in 0..ROUNDS {
        let Some(family) = deciding(view, at.arcs()) else { return Some(at) };
        if family.included {
            return Some(at);
        }
        // Under the start that this family matches, only longer families include anything.
        let len = family.subtree.len();
        let inside = least(view, len + 1, at.arcs());
        let behind = behind(&at.arcs()[..len]).and_then(|behind| least(view, 0, behind.arcs()));
        at = match (inside, behind) {
            (Some(inside), Some(behind)) if inside.arcs() < behind.arcs() => inside,
            (inside, None) => inside?,
            (_, Some(behind)) => behind,
        };
    }
    Some(at)
}

/// The least name not below `from` that an included family of so many arcs at least matches.
fn least(view: &[u32], shortest: usize, from: &[u32]) -> Option<Name> {
    let included = families(view).filter(|f| f.included && f.subtree.len() >= shortest);
    included.filter_map(|family| least_match(&family, from)).min_by(|a, b| a.arcs().cmp(b.arcs()))
}

/// The least name not below `from` that a family matches.
fn least_match(family: &Family<'_>, from: &[u32]) -> Option<Name> {
    let len = family.subtree.len();
    let fill = |name: &mut Name, begin: usize| {
        for at in begin..len {
            name.arcs[at] = if family.counts(at) { family.subtree[at] } else { 0 };
        }
        name.len = len;
    };
    // The last arc before the first difference that may be anything and can be raised.
    let mut raised = None;
    for at in 0..len {
        let Some(&arc) = from.get(at) else {
            let mut name = Name::of(from);
            fill(&mut name, at);
            return Some(name);
        };
        if !family.counts(at) {
            if arc < u32::MAX {
                raised = Some(at);
            }
            continue;
        }
        let wanted = family.subtree[at];
        if arc == wanted {
            continue;
        }
        let mut name = Name::of(from);
        if arc < wanted {
            fill(&mut name, at);
        } else {
            let at = raised?;
            name.arcs[at] += 1;
            fill(&mut name, at + 1);
        }
        return Some(name);
    }
    Some(Name::of(from))
}

/// The first name behind a subtree.
fn behind(start: &[u32]) -> Option<Name> {
    let at = start.iter().rposition(|arc| *arc != u32::MAX)?;
    let mut name = Name::of(&start[..=at]);
    name.arcs[at] += 1;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{compile, holds};
    use proptest::prelude::*;
    use roles::settings::ViewFamily;

    fn family(subtree: &[u32], mask: &[u8], included: bool) -> ViewFamily {
        ViewFamily { view: b"v".to_vec(), subtree: subtree.to_vec(), mask: mask.to_vec(), included }
    }

    fn next(families: &[ViewFamily], from: &[u32]) -> Option<Vec<u32>> {
        let view = compile(&mut families.iter().collect::<Vec<_>>());
        next_in(&view, from).map(|name| name.arcs().to_vec())
    }

    #[test]
    fn an_excluded_subtree_is_passed_at_once() {
        let view = [family(&[1, 3], &[], true), family(&[1, 3, 6, 1, 2], &[], false)];
        assert_eq!(next(&view, &[1, 3, 6, 1, 2, 4, 9]), Some(vec![1, 3, 6, 1, 3]));
        assert_eq!(next(&view, &[1, 2]), Some(vec![1, 3]));
        assert_eq!(next(&view, &[1, 4]), None);
        let hole = [view[0].clone(), view[1].clone(), family(&[1, 3, 6, 1, 2, 5], &[], true)];
        assert_eq!(next(&hole, &[1, 3, 6, 1, 2, 4, 9]), Some(vec![1, 3, 6, 1, 2, 5]));
        assert_eq!(next(&[], &[1]), None);
    }

    #[test]
    fn the_row_that_a_mask_chooses_comes_next() {
        // ifEntry.*.2: all columns of one interface.
        let row = [family(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 0, 2], &[0xff, 0xa0], true)];
        let column = |column, index| vec![1, 3, 6, 1, 2, 1, 2, 2, 1, column, index];
        assert_eq!(next(&row, &column(7, 1)), Some(column(7, 2)));
        assert_eq!(next(&row, &column(7, 3)), Some(column(8, 2)));
        assert_eq!(next(&row, &column(u32::MAX, 3)), None);
    }

    fn arcs(max: usize) -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 2, u32::MAX]), 0..max)
    }

    fn masks() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 1)]
    }

    proptest! {
        #[test]
        fn nothing_in_the_view_is_passed_over(
            families in prop::collection::vec((arcs(4), masks(), any::<bool>()), 0..6),
            from in arcs(5),
            others in prop::collection::vec(arcs(6), 0..200),
        ) {
            let mut families: Vec<_> =
                families.iter().map(|(subtree, mask, included)| family(subtree, mask, *included)).collect();
            families.sort_by(|a, b| a.subtree.cmp(&b.subtree));
            families.dedup_by(|a, b| a.subtree == b.subtree);
            let view = compile(&mut families.iter().collect::<Vec<_>>());
            let next = next_in(&view, &from);
            for other in others.iter().filter(|other| **other >= from && holds(&view, other)) {
                let next = next.as_ref().expect("something follows");
                prop_assert!(next.arcs() <= &other[..], "{:?} passed over {:?}", next.arcs(), other);
            }
            if let Some(next) = next {
                prop_assert!(next.arcs() >= &from[..]);
                // So few families are passed in one go, unless a mask makes one of them many.
                let is_plain = families.iter().all(|family| family.mask.iter().all(|m| *m == 0xff));
                prop_assert!(!is_plain || holds(&view, next.arcs()), "{:?}", next.arcs());
            }
        }

        #[test]
        fn any_words_are_passed(words in prop::collection::vec(any::<u32>(), 0..30), from in arcs(8)) {
            let _ = next_in(&words, &from);
        }
    }
}
