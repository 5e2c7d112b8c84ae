//! Which module has which names: the subtrees that modules register, as ranges that do not overlap.
//!
//! It never asks a module for a value. Invariant: the ranges of a context are sorted and disjoint; where
//! one subtree lies in another, the inner one's module has it.

use roles::mib::{MibAccess as _, MibAccessProxy};
use roles::varbind::{VarBinds, VarValue};
use s_proxy::Runtime;
use s_sdk::Activity;
use s_sdk::error::CallErrorKind;
use s_wire::oid::MAX_ARCS;

/// All registrations.
#[derive(Default)]
pub struct Registry {
    contexts: Vec<(Vec<u8>, Vec<Range>)>,
}

/// Names from one to another, the second excluded, and the module that has them.
pub struct Range {
    /// The first name.
    pub from: Vec<u32>,
    /// The first name behind it.
    pub to: Vec<u32>,
    /// All that begins with the first name lies in it.
    pub is_subtree: bool,
    /// Who answers.
    pub module: MibAccessProxy,
    /// Its place among the components.
    pub component: usize,
    /// The generation that said so.
    pub generation: u64,
    /// Where to ask from when a walk comes to this range from before it, and its module has names there,
    /// too, that are others' or were passed: a name just before the first one.
    pub entry: Option<Vec<u32>>,
}

/// Who answers, its place among the components, and the generation.
type Owner = (MibAccessProxy, usize, u64);

/// What a look at all modules found.
#[derive(Default)]
pub struct Found {
    /// Who answers what.
    pub registry: Registry,
    /// The entries of the sysORTable.
    pub resources: VarBinds,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

impl Found {
    /// Asks every component that has MIB variables what it answers for.
    pub fn look(runtime: &'static Runtime, act: &Activity) -> Self {
        let mut found = Found::default();
        let mut subtrees: Vec<(Vec<u8>, Vec<u32>, usize)> = Vec::new();
        let mut modules: Vec<Owner> = Vec::new();
        for (place, component) in runtime.components().into_iter().enumerate() {
            let name = component.name();
            let Ok(module) = runtime.proxy::<MibAccessProxy>(name) else { continue };
            let generation = component.current().number();
            let mut answer = VarBinds::new();
            match module.subtrees(act, &mut answer) {
                Ok(()) => {}
                // Most components have no variables.
                Err(error) if is_lacking(error.call) => continue,
                Err(error) => {
                    found.problems.push(format!("{name}: its subtrees are not known: {error}"));
                    continue;
                }
            }
            for subtree in answer.iter() {
                let VarValue::Octets(context) = subtree.value else { continue };
                let (context, root) = (context.to_vec(), subtree.name.to_vec());
                if subtrees.iter().any(|(c, r, _)| (c, r) == (&context, &root)) {
                    found.problems.push(format!(
                        "{name}: another module answers for {} already",
                        dotted(&root)
                    ));
                    continue;
                }
                subtrees.push((context, root, modules.len()));
            }
            let before = found.resources.len();
            if module.sys_or_entries(act, &mut found.resources).is_err() {
                found.resources.truncate(before);
            }
            modules.push((module, place, generation));
        }
        found.registry = Registry::new(subtrees, &modules);
        found
    }
}

/// Whether a call failed because the component has no such behavior, or no module.
fn is_lacking(call: u32) -> bool {
    [CallErrorKind::NotUnderstood, CallErrorKind::Absent].iter().any(|kind| *kind as u32 == call)
}

impl Registry {
    fn new(mut subtrees: Vec<(Vec<u8>, Vec<u32>, usize)>, modules: &[Owner]) -> Self {
        subtrees.sort();
        let mut registry = Registry::default();
        for same in subtrees.chunk_by(|a, b| a.0 == b.0) {
            let roots = same.iter().map(|(_, root, module)| (root.clone(), *module));
            let mut ranges: Vec<Range> = Vec::new();
            flat(roots, |from, to, owner| {
                let (module, component, generation) = modules[owner];
                let is_resumed = ranges.iter().any(|range| range.component == component);
                let entry = is_resumed.then(|| just_before(&from));
                let is_subtree = to == behind(&from);
                ranges.push(Range { from, to, is_subtree, module, component, generation, entry });
            });
            registry.contexts.push((same[0].0.clone(), ranges));
        }
        registry
    }

    /// The ranges of a context, in order.
    pub fn context(&self, context: &[u8]) -> &[Range] {
        let found = self.contexts.iter().find(|(name, _)| name == context);
        found.map_or(&[], |(_, ranges)| ranges)
    }
}

/// Where in sorted ranges a name is, or would be: the first range that does not end before it.
pub fn position(ranges: &[Range], name: &[u32]) -> usize {
    ranges.partition_point(|range| range.to.as_slice() <= name)
}

/// The range that has a name.
pub fn covering<'r>(ranges: &'r [Range], name: &[u32]) -> Option<&'r Range> {
    ranges.get(position(ranges, name)).filter(|range| range.from.as_slice() <= name)
}

/// The greatest name before another, for all that names are made of: behind the arc before its last one
/// follow the greatest arcs that there are, as many as a name has room for.
pub fn just_before(name: &[u32]) -> Vec<u32> {
    let mut before = Vec::with_capacity(MAX_ARCS);
    push_just_before(name, |arc| before.push(arc));
    before
}

/// The arcs of [`just_before`], one after the other.
pub fn push_just_before(name: &[u32], mut push: impl FnMut(u32)) {
    let Some((last, start)) = name.split_last() else { return };
    start.iter().for_each(|arc| push(*arc));
    if let Some(before) = last.checked_sub(1) {
        push(before);
        (name.len()..MAX_ARCS).for_each(|_| push(u32::MAX));
    }
}

/// Disjoint ranges of sorted subtrees, the inner before the outer.
fn flat<T: Copy>(
    roots: impl Iterator<Item = (Vec<u32>, T)>,
    mut range: impl FnMut(Vec<u32>, Vec<u32>, T),
) {
    let mut open: Vec<(Vec<u32>, T)> = Vec::new();
    let mut at = Vec::new();
    let mut close = |from: &mut Vec<u32>, to: &Vec<u32>, owner| {
        if *from < *to {
            range(std::mem::replace(from, to.clone()), to.clone(), owner);
        }
    };
    for (root, owner) in roots {
        while let Some((to, inner)) = open.pop_if(|(to, _)| *to <= root) {
            close(&mut at, &to, inner);
        }
        if let Some((_, outer)) = open.last() {
            close(&mut at, &root, *outer);
        }
        at.clone_from(&root);
        open.push((behind(&root), owner));
    }
    while let Some((to, inner)) = open.pop() {
        close(&mut at, &to, inner);
    }
}

/// The first name behind a subtree.
fn behind(root: &[u32]) -> Vec<u32> {
    let mut name = root.to_vec();
    while let Some(last) = name.pop() {
        if let Some(next) = last.checked_add(1) {
            name.push(next);
            return name;
        }
    }
    vec![u32::MAX; 2]
}

/// An object identifier as people write it.
pub fn dotted(name: &[u32]) -> String {
    name.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(roots: &[&[u32]]) -> Vec<(Vec<u32>, Vec<u32>, usize)> {
        let mut found = Vec::new();
        let roots = roots.iter().enumerate().map(|(owner, root)| (root.to_vec(), owner));
        flat(roots, |from, to, owner| found.push((from, to, owner)));
        found
    }

    #[test]
    fn the_inner_subtree_has_its_names_and_the_outer_one_the_rest() {
        // Each name of a small world belongs to the owner of the longest root that it begins with.
        let roots: [&[u32]; 6] =
            [&[1], &[1, 2], &[1, 2, 2], &[1, 2, 2, 0], &[1, 3], &[2, u32::MAX]];
        let found = ranges(&roots);
        assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{found:?}");
        let arcs = [0, 1, 2, 3, u32::MAX];
        for name in arcs
            .iter()
            .flat_map(|a| arcs.iter().map(|b| vec![*a, *b]))
            .flat_map(|name| arcs.iter().map(move |c| [name.clone(), vec![*c]].concat()))
        {
            let longest = (0..roots.len())
                .filter(|&root| name.starts_with(roots[root]))
                .max_by_key(|&root| roots[root].len());
            let has = |(from, to, _): &&(Vec<u32>, Vec<u32>, usize)| *from <= name && name < *to;
            assert_eq!(found.iter().find(has).map(|range| range.2), longest, "{name:?}");
        }
    }

    #[test]
    fn nothing_lies_between_a_name_and_the_one_just_before_it() {
        let name = [1, 3, 5];
        let before = just_before(&name);
        assert!(before.as_slice() < &name[..] && before.as_slice() > &[1, 3, 4, u32::MAX, 7][..]);
        assert_eq!(before.len(), MAX_ARCS);
        // Behind the start comes its first successor at once.
        assert_eq!(just_before(&[1, 3, 0]), [1, 3]);
        assert_eq!(just_before(&[]), [0; 0]);
    }

    #[test]
    fn nothing_lies_behind_the_last_name() {
        assert_eq!(behind(&[1, 3]), [1, 4]);
        assert_eq!(behind(&[1, u32::MAX]), [2]);
        assert!(behind(&[u32::MAX]) > vec![2, 0]);
        assert_eq!(ranges(&[]), []);
    }
}
