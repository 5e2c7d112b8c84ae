//! Watching links: who went up or down, as it happens, for who wants to notify (RFC 2863 linkUp, linkDown).
//!
//! The kernel tells of each change in turn, so that a link that went down and up again between two looks is two
//! changes. It never reads the whole table but at first, and where the kernel had to drop some: then what is
//! there now counts. Invariant: a turn is told or refused, or kept until there is room for it; of one
//! interface the latest is.

use kernel_net::Link;
use kernel_net::link::Change;
use kernel_net::netlink::Changes;
use roles::notify::standard;
use roles::varbind::{VarBinds, VarValue};
use s_sdk::Full;
use std::collections::BTreeMap;
use std::io::Result;

/// A link went up or down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    index: u32,
    /// ifAdminStatus and ifOperStatus.
    admin: i32,
    oper: i32,
    is_up: bool,
    /// Whether it is on top of no other link, as far as it says itself.
    pub(crate) is_lowest: bool,
}

/// What is known of links, to tell what is new.
#[derive(Default)]
pub(crate) struct Watch {
    changes: Option<Changes>,
    up: BTreeMap<u32, bool>,
    untold: BTreeMap<u32, Turn>,
}

/// Turns of so many interfaces are kept for later.
const MOST_UNTOLD: usize = 1024;

impl Watch {
    /// One that goes on where a predecessor's [`Watch::told`] ended.
    pub(crate) fn after(told: BTreeMap<u32, bool>) -> Self {
        Watch { up: told, ..Watch::default() }
    }

    /// Which links are up, as far as that was told: what was not turns again for a successor.
    pub(crate) fn told(&self) -> BTreeMap<u32, bool> {
        let told =
            |(index, is_up): (&u32, &bool)| (*index, *is_up != self.untold.contains_key(index));
        self.up.iter().map(told).collect()
    }

    /// What happened since the last call, and whether anything did at all. The first call knows no more than
    /// a predecessor did.
    pub(crate) fn look(
        &mut self,
        links: impl Fn() -> Result<Vec<Link>>,
    ) -> Result<(bool, Vec<Turn>)> {
        let heard = self.changes.as_mut().and_then(|changes| changes.links().ok());
        let heard = match heard {
            Some(heard) => heard,
            None => {
                // First the ear, then the look: what happens in between is heard. Without both, the next
                // look is a first one again.
                self.changes = None;
                let ear = Changes::of_links()?;
                let there = links()?;
                self.changes = Some(ear);
                self.up.retain(|index, _| there.iter().any(|link| link.index == *index));
                there.into_iter().map(|link| Change::Is(Box::new(link))).collect()
            }
        };
        let turns = heard.iter().filter_map(|change| self.turn(change)).collect();
        Ok((!heard.is_empty(), turns))
    }

    /// Takes the turns that were kept out, to be told before others.
    pub(crate) fn take_untold(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.untold).into_values().collect()
    }

    /// Keeps turns that could not be told, the latest of each interface; how many are lost.
    pub(crate) fn keep(&mut self, untold: impl IntoIterator<Item = Turn>) -> usize {
        let mut lost = 0;
        for turn in untold {
            if self.untold.len() < MOST_UNTOLD || self.untold.contains_key(&turn.index) {
                self.untold.insert(turn.index, turn);
            } else {
                lost += 1;
            }
        }
        lost
    }

    /// RFC 2863: into the down state from another one, or out of it. A link that comes or goes is not one
    /// that was down or is: the state next to those is notPresent.
    fn turn(&mut self, change: &Change) -> Option<Turn> {
        match change {
            Change::Went(index) => {
                self.up.remove(index);
                None
            }
            Change::Is(link) => {
                let is_up = is_up(link);
                let before = self.up.insert(link.index, is_up)?;
                (before != is_up).then(|| Turn {
                    index: link.index,
                    admin: if link.is_wanted_up() { 1 } else { 2 },
                    oper: link.oper_status(),
                    is_up,
                    is_lowest: link.lower == 0,
                })
            }
        }
    }
}

/// Out of the down state, of which lowerLayerDown is a kind and notPresent another.
fn is_up(link: &Link) -> bool {
    !matches!(link.oper_status(), 2 | 6 | 7)
}

impl Turn {
    /// Which interface.
    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    /// The notification that tells of it.
    pub(crate) const fn notification(&self) -> &'static [u32] {
        if self.is_up { standard::LINK_UP } else { standard::LINK_DOWN }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        if self.is_up { "linkUp" } else { "linkDown" }
    }

    /// ifIndex, ifAdminStatus and ifOperStatus, as they were then.
    ///
    /// # Errors
    /// There is no memory.
    pub(crate) fn bindings(&self) -> std::result::Result<VarBinds, Full> {
        let mut binds = VarBinds::new();
        let index = self.index.cast_signed();
        for (column, value) in [(1, index), (7, self.admin), (8, self.oper)] {
            let name = [crate::IF_ENTRY, &[column, self.index]].concat();
            binds.push(&name, VarValue::Integer(value))?;
        }
        Ok(binds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tests::link;

    #[test]
    fn going_down_and_up_again_is_two_turns_and_coming_is_none() {
        let mut watch = Watch::default();
        let mut seen = |index, oper_state| {
            let change = Change::Is(Box::new(link(index, oper_state)));
            watch.turn(&change).map(|turn| (turn.is_up, turn.oper))
        };
        // Up, down, lower layer down, up, dormant; dormant is not down.
        let seen = [6, 2, 3, 6, 5].map(|oper_state| seen(1, oper_state));
        assert_eq!(seen, [None, Some((false, 2)), None, Some((true, 1)), None]);
        assert_eq!(watch.turn(&Change::Went(1)), None);
        assert_eq!(watch.turn(&Change::Is(Box::new(link(1, 2)))), None);
    }

    #[test]
    fn the_first_look_says_nothing_and_the_next_one_nothing_new() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(kernel_net::links).unwrap().1, []);
        assert!(!watch.up.is_empty());
        assert_eq!(watch.look(kernel_net::links).unwrap().1, []);
    }

    #[test]
    fn a_successor_sees_who_turned_meanwhile_and_who_was_not_told_of() {
        let mut watch = Watch::default();
        let there = |states: &[(u32, u8)]| {
            let links: Vec<Link> = states.iter().map(|(i, state)| link(*i, *state)).collect();
            move || Ok(links.clone())
        };
        watch.look(there(&[(70_001, 6), (70_002, 6), (70_003, 2)])).unwrap();
        // The third goes up, and nobody can be told.
        let untold = watch.turn(&Change::Is(Box::new(link(70_003, 6))));
        assert_eq!(watch.keep(untold), 0);
        let mut next = Watch::after(watch.told());
        // Meanwhile the second went down; the fourth came, which is no turn.
        let now = [(70_001, 6), (70_002, 2), (70_003, 6), (70_004, 2)];
        let turns = next.look(there(&now)).unwrap().1;
        let turns: Vec<_> = turns.iter().map(|turn| (turn.index, turn.is_up)).collect();
        assert_eq!(turns, [(70_002, false), (70_003, true)]);
    }

    #[test]
    fn a_look_that_fails_is_a_first_look_again() {
        let mut watch = Watch::after(BTreeMap::from([(70_001, true)]));
        watch.look(|| Err(std::io::ErrorKind::Other.into())).unwrap_err();
        let turns = watch.look(|| Ok(vec![link(70_001, 2)])).unwrap().1;
        assert_eq!(turns.len(), 1);
    }

    #[test]
    fn what_could_not_be_told_is_kept_and_of_each_interface_the_latest() {
        let mut watch = Watch::default();
        let turn = |index, is_up| Turn { index, admin: 1, oper: 1, is_up, is_lowest: true };
        assert_eq!(watch.keep([turn(2, false), turn(1, true), turn(2, true)]), 0);
        assert_eq!(watch.take_untold(), [turn(1, true), turn(2, true)]);
        assert_eq!(watch.take_untold(), []);
        let many = (0..).map(|index| turn(index, true)).take(MOST_UNTOLD);
        assert_eq!(watch.keep(many), 0);
        assert_eq!(watch.keep([turn(0, false), turn(u32::MAX, true)]), 1);
        assert_eq!(watch.take_untold()[0], turn(0, false));
    }

    #[test]
    fn a_turn_is_told_with_the_objects_of_its_interface() {
        let mut watch = Watch::default();
        watch.turn(&Change::Is(Box::new(link(7, 6))));
        let turn = watch.turn(&Change::Is(Box::new(link(7, 2)))).unwrap();
        assert_eq!((turn.notification(), turn.name()), (standard::LINK_DOWN, "linkDown"));
        let binds = turn.bindings().unwrap();
        let told: Vec<_> = binds.iter().map(|bind| (bind.name, bind.value)).collect();
        let name = |column| [crate::IF_ENTRY, &[column, 7]].concat();
        assert_eq!(
            told,
            [
                (&name(1)[..], VarValue::Integer(7)),
                (&name(7)[..], VarValue::Integer(2)),
                (&name(8)[..], VarValue::Integer(2)),
            ]
        );
    }
}
