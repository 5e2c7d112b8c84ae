//! Contexts, groups, access entries and views (RFC 3415 §4) as they were configured, ready to be looked up.
//!
//! They never change: other rows are other tables. Invariant: an access entry names its views by position,
//! and a view that it names but that does not exist is no view (RFC 3415 §4, vacmAccessReadViewName).

use crate::view::{self, MAX_ARCS};
use roles::access::{AccessErrorKind, Asking, ViewType};
use roles::settings::{AccessEntry, GroupMember, VacmSettings, ViewFamily};
use roles::varbind::security_model;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// SnmpAdminString, as the tables bound it.
const MAX_NAME: usize = 32;

/// vacmViewTreeFamilyMask: a bit for each of 128 arcs.
const MAX_MASK: usize = MAX_ARCS / 8;

/// Views in the order of their names.
pub(crate) type Views = Arc<[Box<[u32]>]>;

/// The tables.
#[derive(Debug)]
pub(crate) struct Tables {
    /// By security model and security name; an index into `groups`.
    members: Vec<(u32, Vec<u8>, usize)>,
    /// What each group may do, in the order in which entries are preferred.
    groups: Vec<Vec<Access>>,
    contexts: Vec<Vec<u8>>,
    pub(crate) views: Views,
}

/// An access entry.
#[derive(Debug)]
struct Access {
    context: Vec<u8>,
    exact: bool,
    security_model: u32,
    security_level: u32,
    /// Positions of the views for reading, writing and notifying.
    views: [Option<u32>; 3],
}

impl Access {
    /// RFC 3415 §4, vacmAccessTable, step 1.
    fn is_for(&self, asking: Asking, context_name: &[u8]) -> bool {
        let context = match self.exact {
            true => self.context == context_name,
            false => context_name.starts_with(&self.context),
        };
        let model = [security_model::ANY, asking.security_model].contains(&self.security_model);
        context && model && self.security_level <= asking.security_level as u32
    }
}

impl Tables {
    /// The tables of some settings; otherwise all that is wrong with them.
    pub(crate) fn of(settings: &VacmSettings) -> Result<Self, Vec<String>> {
        let problems = problems(settings);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut families: BTreeMap<&[u8], Vec<&ViewFamily>> = BTreeMap::new();
        for family in &settings.views {
            families.entry(&family.view).or_default().push(family);
        }
        let positions: BTreeMap<&[u8], u32> = families.keys().copied().zip(0..).collect();
        let views = families.values_mut().map(|families| view::compile(families)).collect();

        // Groups that nobody is in cannot be reached, and members of groups without entries find none.
        let mut names: BTreeMap<&[u8], usize> = BTreeMap::new();
        let mut groups = Vec::new();
        let mut members = Vec::with_capacity(settings.members.len());
        for GroupMember { security_model, security_name, group } in &settings.members {
            let at = *names.entry(group).or_insert_with(|| {
                groups.push(accesses(&settings.access, group, &positions));
                groups.len() - 1
            });
            members.push((*security_model, security_name.clone(), at));
        }
        members.sort();

        // The default context is always there (RFC 3415 §A.1 step 1).
        let mut contexts: Vec<Vec<u8>> = settings.contexts.clone();
        contexts.push(Vec::new());
        contexts.sort();
        Ok(Tables { members, groups, contexts, views })
    }

    /// The position of a principal's view in a context (RFC 3415 §3.2 steps 1 to 4).
    pub(crate) fn find_view(
        &self,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
    ) -> Result<u32, AccessErrorKind> {
        // Step 1.
        self.contexts
            .binary_search_by(|context| context[..].cmp(context_name))
            .map_err(|_| AccessErrorKind::NoSuchContext)?;
        // Step 2.
        let wanted = (asking.security_model, security_name);
        let member = self
            .members
            .binary_search_by(|(model, name, _)| (*model, &name[..]).cmp(&wanted))
            .ok()
            .and_then(|at| self.members.get(at));
        let (_, _, group) = member.ok_or(AccessErrorKind::NoGroupName)?;
        // Step 3: entries stand in the order of preference.
        let group = self.groups.get(*group).ok_or(AccessErrorKind::NoGroupName)?;
        let access = group.iter().find(|access| access.is_for(asking, context_name));
        let access = access.ok_or(AccessErrorKind::NoAccessEntry)?;
        // Step 4.
        let [read, write, notify] = access.views;
        match asking.view_type {
            ViewType::Read => read,
            ViewType::Write => write,
            ViewType::Notify => notify,
        }
        .ok_or(AccessErrorKind::NoSuchView)
    }
}

/// Tables with nothing in them.
impl Default for Tables {
    fn default() -> Self {
        Tables {
            members: Vec::new(),
            groups: Vec::new(),
            contexts: vec![Vec::new()],
            views: Arc::default(),
        }
    }
}

/// The entries of a group in the order in which they are preferred (RFC 3415 §4, vacmAccessTable, step 2).
fn accesses(
    entries: &[AccessEntry],
    group: &[u8],
    positions: &BTreeMap<&[u8], u32>,
) -> Vec<Access> {
    let view = |name: &[u8]| positions.get(name).copied();
    let entries = entries.iter().filter(|entry| entry.group == group);
    let mut accesses: Vec<Access> = entries
        .map(|entry| Access {
            context: entry.context.clone(),
            exact: entry.exact,
            security_model: entry.security_model,
            security_level: entry.security_level,
            views: [view(&entry.read_view), view(&entry.write_view), view(&entry.notify_view)],
        })
        .collect();
    // a) The model of the message before any. b) and c) Longer beginnings of the context before shorter
    // ones: the whole name is the longest. d) Higher levels before lower ones.
    accesses.sort_by_key(|access| {
        let any = access.security_model == security_model::ANY;
        (any, usize::MAX - access.context.len(), u32::MAX - access.security_level)
    });
    accesses
}

/// All that is wrong with settings, a line each, with the remedy.
fn problems(settings: &VacmSettings) -> Vec<String> {
    let VacmSettings { contexts, members, access, views } = settings;
    let mut problems = Problems::default();
    for context in contexts {
        problems.length("a context", context, "its name", context, 0, MAX_NAME);
    }
    for GroupMember { security_model, security_name, group } in members {
        let what = "a member of a group";
        problems.length(what, security_name, "the security name", security_name, 1, MAX_NAME);
        problems.length(what, security_name, "the group", group, 1, MAX_NAME);
        if !(1..=i32::MAX.cast_unsigned()).contains(security_model) {
            let name = text(security_name);
            problems.add(format!(
                "{what} `{name}`: there is no security model {security_model}: give 1, 2 or 3"
            ));
        }
    }
    for entry in access {
        let (what, group) = ("an access entry", &entry.group);
        problems.length(what, group, "the group", group, 1, MAX_NAME);
        problems.length(what, group, "the context", &entry.context, 0, MAX_NAME);
        for view in [&entry.read_view, &entry.write_view, &entry.notify_view] {
            problems.length(what, group, "the name of a view", view, 0, MAX_NAME);
        }
        if entry.security_model > i32::MAX.cast_unsigned() {
            problems.add(format!(
                "{what} `{}`: there is no security model {}: give 1, 2, 3, or 0 for any",
                text(group),
                entry.security_model
            ));
        }
        if !(1..=3).contains(&entry.security_level) {
            problems.add(format!(
                "{what} `{}`: there is no security level {}: give 1, 2 or 3",
                text(group),
                entry.security_level
            ));
        }
    }
    for ViewFamily { view, subtree, mask, included: _ } in views {
        problems.length("a view", view, "its name", view, 1, MAX_NAME);
        problems.length("a view", view, "the mask", mask, 0, MAX_MASK);
        if subtree.len() > MAX_ARCS {
            problems.add(format!(
                "a view `{}`: a subtree has {} arcs: give at most {MAX_ARCS}",
                text(view),
                subtree.len()
            ));
        }
    }
    problems.twice(
        "group of the member",
        members.iter().map(|member| {
            (text(&member.security_name), (member.security_model, &member.security_name))
        }),
    );
    problems.twice(
        "access entry of the group",
        access.iter().map(|entry| {
            (
                text(&entry.group),
                (&entry.group, &entry.context, entry.security_model, entry.security_level),
            )
        }),
    );
    problems.twice(
        "family of the view",
        views.iter().map(|family| (text(&family.view), (&family.view, &family.subtree))),
    );
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    fn length(
        &mut self,
        what: &str,
        name: &[u8],
        part: &str,
        octets: &[u8],
        least: usize,
        most: usize,
    ) {
        if !(least..=most).contains(&octets.len()) {
            let (name, len) = (text(name), octets.len());
            self.add(format!("{what} `{name}`: {part} has {len} octets: give {least} to {most}"));
        }
    }

    /// RFC 3415 §4: rows of a table have different indexes.
    fn twice<K: Ord>(&mut self, what: &str, rows: impl Iterator<Item = (String, K)>) {
        let mut seen = BTreeSet::new();
        for (name, key) in rows {
            if !seen.insert(key) {
                self.add(format!("the {what} `{name}` is given twice: remove one"));
            }
        }
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
