//! Watching links: who went up or down, as it happens, for who wants to notify (RFC 2863 linkUp, linkDown).
//!
//! It never reads the whole table: the kernel tells of each change in turn, so that a link that went down and
//! up again between two looks is two changes. Where the kernel had to drop some, what is there now counts.

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
}

impl Watch {
    /// What happened since the last call, and whether anything did at all. The first call only looks.
    pub(crate) fn look(
        &mut self,
        links: impl Fn() -> Result<Vec<Link>>,
    ) -> Result<(bool, Vec<Turn>)> {
        let Some(changes) = &mut self.changes else {
            // First the ear, then the look: what happens in between is heard.
            self.changes = Some(Changes::of_links()?);
            self.up.clear();
            self.up.extend(links()?.iter().map(|link| (link.index, is_up(link))));
            return Ok((false, Vec::new()));
        };
        let heard = match changes.links() {
            Ok(heard) => heard,
            Err(_) => {
                let there = links()?;
                self.up.retain(|index, _| there.iter().any(|link| link.index == *index));
                there.into_iter().map(|link| Change::Is(Box::new(link))).collect()
            }
        };
        let turns = heard.iter().filter_map(|change| self.turn(change)).collect();
        Ok((!heard.is_empty(), turns))
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
        assert_eq!(watch.look(kernel_net::links).unwrap(), (false, vec![]));
        assert!(!watch.up.is_empty());
        assert_eq!(watch.look(kernel_net::links).unwrap().1, []);
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
