//! What a swap means in object identifiers: the subtrees that there would be more and less of.
//!
//! It asks nobody: the swap manager puts the question to who serves, and in its rehearsal to who would. Invariant: where
//! either has not answered, no difference is made up.

use roles::varbind::{VarBinds, VarValue};
use s_control::preview::Described;
use s_engine::registry::dotted;
use s_sdk::dynamic::Dynamic as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The method that names a module's subtrees, of the behavior of `roles::mib`.
pub(crate) const QUESTION: &str = "mib-access.subtrees";

/// What a change of a module gains and loses; nothing where neither side has variables.
pub(crate) fn difference(from: Option<&Described>, to: Option<&Described>) -> Option<Value> {
    let has_variables = |side: &&Described| side.module.offers(QUESTION);
    let (from, to) = (from.filter(has_variables), to.filter(has_variables));
    if from.is_none() && to.is_none() {
        return None;
    }
    let oids = match (
        from.map_or(Some(BTreeSet::new()), subtrees),
        to.map_or(Some(BTreeSet::new()), subtrees),
    ) {
        (Some(before), Some(after)) => {
            let only = |one: &BTreeSet<Subtree>, other| {
                one.difference(other).map(Subtree::to_string).collect::<Vec<_>>()
            };
            json!({ "gained": only(&after, &before), "lost": only(&before, &after) })
        }
        (None, _) => json!("not known: the module that serves did not name its own"),
        (_, None) => json!("not known: the module that would serve did not name its own"),
    };
    Some(json!({ "oids": oids }))
}

/// A subtree in a context; in the order of names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Subtree {
    root: Vec<u32>,
    context: Vec<u8>,
}

impl std::fmt::Display for Subtree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&dotted(&self.root))?;
        if self.context.is_empty() {
            return Ok(());
        }
        write!(f, " in context `{}`", self.context.escape_ascii())
    }
}

/// What a module answered; nothing if that is no list of subtrees.
fn subtrees(module: &Described) -> Option<BTreeSet<Subtree>> {
    let answer = VarBinds::from_value(module.answers.get(QUESTION)?.get("subtrees")?)?;
    let subtrees: Option<BTreeSet<_>> = answer
        .iter()
        .map(|one| match one.value {
            VarValue::Octets(context) => {
                Some(Subtree { root: one.name.to_vec(), context: context.to_vec() })
            }
            _ => None,
        })
        .collect();
    // A broken list ends early: what is left out of it would look lost.
    subtrees.filter(|_| answer.iter().count() == answer.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use s_loader::LoadedModule;
    use s_preflight::Description;
    use s_sdk::Value as Answer;
    use std::collections::BTreeMap;

    fn module(
        descriptor: &'static s_sdk::abi::ModuleDescriptor,
        subtrees: Option<&[(&[u32], &[u8])]>,
    ) -> Described {
        let module = LoadedModule::linked(descriptor).unwrap();
        let module = Description::from_descriptor(&module).unwrap();
        let answer = subtrees.map(|subtrees| {
            let mut binds = VarBinds::new();
            for (root, context) in subtrees {
                binds.push(root, VarValue::Octets(context)).unwrap();
            }
            let answer = BTreeMap::from([("subtrees".to_owned(), binds.to_value())]);
            (QUESTION.to_owned(), Answer::from(answer))
        });
        Described { module, answers: answer.into_iter().collect() }
    }

    #[test]
    fn subtrees_are_gained_and_lost_each_in_its_context() {
        let of = |subtrees| module(&mib_udp::S_MODULE, Some(subtrees));
        let before = of(&[(&[1, 3, 9], b""), (&[1, 3, 10], b"")]);
        let after = of(&[(&[1, 3, 10], b""), (&[1, 3, 10], b"b\x1b")]);
        let told = |from, to| difference(from, to).unwrap()["oids"].clone();
        assert_eq!(
            told(Some(&before), Some(&after)),
            json!({ "gained": ["1.3.10 in context `b\\x1b`"], "lost": ["1.3.9"] })
        );
        assert_eq!(
            told(None, Some(&before)),
            json!({ "gained": ["1.3.9", "1.3.10"], "lost": [] }),
            "in the order of names"
        );
        assert_eq!(told(Some(&before), None), json!({ "gained": [], "lost": ["1.3.9", "1.3.10"] }));
    }

    #[test]
    fn what_was_not_answered_is_not_made_up_and_who_has_no_variables_is_not_asked() {
        let silent = module(&mib_udp::S_MODULE, None);
        let said = module(&mib_udp::S_MODULE, Some(&[(&[1, 3], b"")]));
        for (from, to, who) in [(&silent, &said, "that serves"), (&said, &silent, "would serve")] {
            let told = difference(Some(from), Some(to)).unwrap();
            assert!(told["oids"].as_str().unwrap().contains(who), "{told}");
        }
        let without = module(&priv_des::S_MODULE, None);
        assert_eq!(difference(Some(&without), None), None);
        assert_eq!(difference(None, None), None);
    }
}
