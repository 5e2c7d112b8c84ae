//! Where the entries of a TOML text stand.
//!
//! It never says what stands there. Invariant: there is always a line; where a step of a place is not in the
//! text, it is that of the step before.

use super::Configuration;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// A text whose lines are looked up.
pub(super) struct Lines<'a> {
    root: DeValue<'a>,
    /// Where each line but the last ends.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // Of what is no TOML only the lines are known.
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Lines { root: DeValue::Table(root), ends }
    }

    /// The line of an octet.
    pub(super) fn at(&self, octet: usize) -> usize {
        self.ends.partition_point(|end| *end < octet) + 1
    }

    /// The line of an entry: its keys and its positions in lists, from 0, with dots between, as in
    /// `user.2.name`.
    pub(super) fn of(&self, place: &str) -> usize {
        let (mut value, mut octet) = (&self.root, 0);
        for step in place.split('.') {
            let found = match value {
                DeValue::Table(table) => {
                    let found = table.iter().find(|(key, _)| key.get_ref() == step);
                    found.map(|(key, value)| (value, key.span()))
                }
                DeValue::Array(list) => {
                    let element = step.parse().ok().and_then(|at: usize| list.get(at));
                    element.map(|element| (element, element.span()))
                }
                _ => None,
            };
            let Some((next, span)) = found else { break };
            (value, octet) = (next.get_ref(), span.start);
        }
        self.at(octet)
    }
}

/// Where entries stand that a module may have something against.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(super) file: PathBuf,
    /// What a module calls an entry, and its line.
    lines: Vec<(String, usize)>,
}

impl Places {
    pub(super) fn new(text: &str, of: &Configuration) -> Self {
        let lines = Lines::new(text);
        let mut all = Vec::new();
        for (at, user) in of.usm.users.iter().enumerate() {
            all.push((format!("user `{}`", user.name), lines.of(&format!("user.{at}"))));
        }
        for (at, disk) in of.ucd.disks.iter().enumerate() {
            all.push((format!("disk `{}`", disk.path), lines.of(&format!("watch.disk.{at}"))));
        }
        for (at, target) in of.notify.targets.iter().enumerate() {
            all.push((format!("target `{}`", target.name), lines.of(&format!("notify.{at}"))));
        }
        for (name, place) in [
            ("sysDescr", "system.descr"),
            ("sysObjectID", "system.object-id"),
            ("sysContact", "system.contact"),
            ("sysName", "system.name"),
            ("sysLocation", "system.location"),
            ("sysServices", "system.services"),
            ("a minimum", "watch"),
        ] {
            all.push((name.to_owned(), lines.of(place)));
        }
        Places { file: PathBuf::new(), lines: all }
    }

    /// What modules have against the file, a line each, with the line of the entry that each names; of
    /// several, the last.
    pub(crate) fn of(&self, problems: &str) -> String {
        let shown = self.file.display();
        let located = problems.lines().map(|problem| {
            let named = self.lines.iter().rfind(|(name, _)| problem.contains(name.as_str()));
            match named {
                Some((_, line)) => format!("{shown}:{line}: {problem}"),
                None if self.lines.is_empty() => problem.to_owned(),
                None => format!("{shown}: {problem}"),
            }
        });
        located.collect::<Vec<_>>().join("\n")
    }
}
