//! One view, ready to be asked for names: its families in the order in which they decide.
//!
//! It knows nothing of who may use it. RFC 3415 §4 (vacmViewTreeFamilyTable): of the families that match a
//! name the one with the longest subtree decides, among those of one length the lexicographically
//! greatest; so in that order the first match decides. Invariant: a [`View`] is a stretch of words that
//! means the same wherever it is copied, so an activity can keep a small one by itself.
//!
//! Each family is a head, the words of its mask if not all arcs count, and its arcs:
//! ```text
//! head   bits 0-7 how many arcs, bit 8 included, bit 9 a mask follows
//! mask   one word for 32 arcs, the first arc in the highest bit; a set bit counts
//! ```

use roles::settings::ViewFamily;

/// RFC 2578 §3.5.
pub(crate) const MAX_ARCS: usize = 128;

const LEN: u32 = 0xff;
const INCLUDED: u32 = 1 << 8;
const MASKED: u32 = 1 << 9;

/// Appends a view's families in the order in which they decide. None has more than [`MAX_ARCS`] arcs.
pub(crate) fn compile(families: &mut [&ViewFamily]) -> Box<[u32]> {
    families.sort_by(|a, b| {
        let order = |family: &ViewFamily| family.subtree.len();
        order(b).cmp(&order(a)).then_with(|| b.subtree.cmp(&a.subtree))
    });
    let mut words = Vec::new();
    for ViewFamily { view: _, subtree, mask, included } in families.iter().copied() {
        let mask = mask_words(mask, subtree.len());
        let head = u32::try_from(subtree.len()).unwrap_or(LEN) & LEN
            | if *included { INCLUDED } else { 0 }
            | if mask.is_empty() { 0 } else { MASKED };
        words.push(head);
        words.extend(mask);
        words.extend(subtree);
    }
    words.into()
}

/// The mask in words; empty if all arcs count.
fn mask_words(mask: &[u8], arcs: usize) -> Vec<u32> {
    // RFC 3415 §4: a mask that is too short is extended with ones, and bits behind the arcs say nothing.
    let counts = |arc: usize| mask.get(arc / 8).is_none_or(|octet| octet >> (7 - arc % 8) & 1 == 1);
    if (0..arcs).all(counts) {
        return Vec::new();
    }
    let word =
        |first: usize| (0..32).fold(0, |word, bit| word << 1 | u32::from(counts(first + bit)));
    (0..arcs).step_by(32).map(word).collect()
}

/// One family of a view.
#[derive(Clone, Copy)]
pub(crate) struct Family<'v> {
    pub(crate) subtree: &'v [u32],
    mask: &'v [u32],
    pub(crate) included: bool,
}

impl Family<'_> {
    /// Whether an arc of the subtree counts.
    pub(crate) fn counts(&self, arc: usize) -> bool {
        self.mask.get(arc / 32).is_none_or(|word| word << (arc % 32) & 1 << 31 != 0)
    }

    #[inline]
    fn matches(&self, name: &[u32]) -> bool {
        let Family { subtree, mask, .. } = *self;
        name.get(..subtree.len()).is_some_and(|start| match mask {
            // Subtrees of one view mostly differ at their ends.
            [] => start.last() == subtree.last() && start == subtree,
            mask => matches_masked(start, subtree, mask),
        })
    }
}

/// The families of a view, in the order in which they decide.
#[inline]
pub(crate) fn families(mut view: &[u32]) -> impl Iterator<Item = Family<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = view.split_first()?;
        let len = (head & LEN) as usize;
        let mask_len = if head & MASKED == 0 { 0 } else { len.div_ceil(32) };
        let (mask, rest) = rest.split_at_checked(mask_len)?;
        let (subtree, rest) = rest.split_at_checked(len)?;
        view = rest;
        // Words that are no view may say more arcs than a name has.
        (len <= MAX_ARCS).then_some(Family { subtree, mask, included: head & INCLUDED != 0 })
    })
}

/// The family that decides about a name.
#[inline]
pub(crate) fn deciding<'v>(view: &'v [u32], name: &[u32]) -> Option<Family<'v>> {
    families(view).find(|family| family.matches(name))
}

/// Whether a name is in a view.
#[inline]
pub(crate) fn holds(view: &[u32], name: &[u32]) -> bool {
    deciding(view, name).is_some_and(|family| family.included)
}

fn matches_masked(start: &[u32], subtree: &[u32], mask: &[u32]) -> bool {
    let words = start.chunks(32).zip(subtree.chunks(32)).zip(mask);
    words.into_iter().all(|((start, subtree), mask)| {
        let mut counts = *mask;
        start.iter().zip(subtree).all(|(a, b)| {
            let counted = counts & 1 << 31 != 0;
            counts <<= 1;
            a == b || !counted
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn family(subtree: &[u32], mask: &[u8], included: bool) -> ViewFamily {
        ViewFamily { view: b"v".to_vec(), subtree: subtree.to_vec(), mask: mask.to_vec(), included }
    }

    fn view(families: &[ViewFamily]) -> Box<[u32]> {
        compile(&mut families.iter().collect::<Vec<_>>())
    }

    /// RFC 3415 §4 in its own order: all families that match, and then the one that decides.
    fn as_the_rfc_says(families: &[ViewFamily], name: &[u32]) -> bool {
        let matching = families.iter().filter(|family| {
            name.len() >= family.subtree.len()
                && family.subtree.iter().enumerate().all(|(at, arc)| {
                    let octet = family.mask.get(at / 8).copied().unwrap_or(0xff);
                    octet & (0x80 >> (at % 8)) == 0 || name[at] == *arc
                })
        });
        let decides = matching
            .max_by(|a, b| (a.subtree.len(), &a.subtree).cmp(&(b.subtree.len(), &b.subtree)));
        decides.is_some_and(|family| family.included)
    }

    #[test]
    fn a_row_of_a_table_is_chosen_by_a_mask() {
        // RFC 3415 §2.4.2: ifEntry.*.2, all columns of one interface.
        let row = [family(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 0, 2], &[0xff, 0xa0], true)];
        let view = view(&row);
        assert!(holds(&view, &[1, 3, 6, 1, 2, 1, 2, 2, 1, 7, 2]));
        assert!(holds(&view, &[1, 3, 6, 1, 2, 1, 2, 2, 1, 22, 2, 5]));
        assert!(!holds(&view, &[1, 3, 6, 1, 2, 1, 2, 2, 1, 7, 3]));
        assert!(!holds(&view, &[1, 3, 6, 1, 2, 1, 2, 2, 1, 7]));
    }

    #[test]
    fn of_two_families_the_longer_one_decides_and_of_equals_the_greater_one() {
        let wide = family(&[1, 3, 6], &[], true);
        let narrow = family(&[1, 3, 6, 1], &[], false);
        assert!(!holds(&view(&[wide.clone(), narrow.clone()]), &[1, 3, 6, 1, 5]));
        assert!(holds(&view(&[wide, narrow]), &[1, 3, 6, 2]));
        // Both match 1.7.9; the greater one has 2 where its mask looks away.
        let lesser = family(&[1, 1, 9], &[0xa0], true);
        let greater = family(&[1, 2, 9], &[0xa0], false);
        assert!(!holds(&view(&[greater, lesser]), &[1, 7, 9]));
    }

    #[test]
    fn a_view_without_families_and_words_that_are_no_view_hold_nothing() {
        assert!(!holds(&[], &[1, 3]));
        assert!(!holds(&[INCLUDED | 2, 1], &[1, 3]));
        assert!(!holds(&[INCLUDED | MASKED | 2], &[1, 3]));
    }

    #[test]
    fn a_mask_that_says_nothing_is_none() {
        assert_eq!(mask_words(&[0xff, 0x80], 9), [0u32; 0]);
        assert_eq!(mask_words(&[0xff, 0x7f], 8), [0u32; 0]);
        assert_eq!(mask_words(&[0xff, 0x7f], 9), [0xff7f_ffff]);
        assert_eq!(mask_words(&[0xff, 0xff, 0xff, 0xff, 0x7f], 40).len(), 2);
    }

    fn arcs(max: usize) -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(0u32..3, 0..max)
    }

    proptest! {
        #[test]
        fn the_first_match_decides_as_the_rfc_says(
            families in prop::collection::vec((arcs(6), prop::collection::vec(any::<u8>(), 0..2), any::<bool>()), 0..8),
            name in arcs(8),
        ) {
            let mut families: Vec<_> =
                families.iter().map(|(subtree, mask, included)| family(subtree, mask, *included)).collect();
            families.sort_by(|a, b| a.subtree.cmp(&b.subtree));
            families.dedup_by(|a, b| a.subtree == b.subtree);
            prop_assert_eq!(holds(&view(&families), &name), as_the_rfc_says(&families, &name));
        }

        #[test]
        fn long_masks_decide_as_the_rfc_says(
            subtree in prop::collection::vec(0u32..2, 60..MAX_ARCS + 1),
            mask in prop::collection::vec(any::<u8>(), 0..17),
            flips in prop::collection::vec(0usize..140, 0..4),
            more in 0usize..3,
        ) {
            let mut name = subtree.clone();
            name.extend(vec![7; more]);
            for at in flips {
                if let Some(arc) = name.get_mut(at) {
                    *arc ^= 1;
                }
            }
            let families = [family(&subtree, &mask, true)];
            prop_assert_eq!(holds(&view(&families), &name), as_the_rfc_says(&families, &name));
        }

        #[test]
        fn any_words_hold_or_hold_not(words in prop::collection::vec(any::<u32>(), 0..20), name in arcs(8)) {
            let _ = holds(&words, &name);
        }
    }
}
