//! What a swap would do, without doing it.
//!
//! Members are verified and described, and rehearsed with a copy of the real state, in confined children; no gate
//! closes, nothing is loaded into this process, nothing is written. A preview that refuses nothing is no
//! promise: the module still has its vote, and what serves may be another by then.

use crate::execution::rehearse;
use crate::manager::{Preflight, SwapManager, members, planned};
use crate::member::{Member, Source, prove};
use crate::request::{Item, Request, RequestFault, claims, unmet};
use s_loader::{LoadedModule, Sealed};
use s_package::admit::Admitted;
use s_package::manifest::Manifest;
use s_preflight::Description;
use s_proxy::Body;
use s_sdk::state::SchemaOwned;
use s_sdk::{Activity, Value};
use s_state::schema::can_map;
use s_transaction::{Change, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a swap would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preview {
    /// Member by member.
    pub members: Vec<MemberPreview>,
    /// The middle blackout of earlier swaps of these components, in microseconds; none where none is known.
    pub expected_pause_us: Option<u64>,
    /// Why it would not come about.
    pub refusals: Vec<String>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// What would happen to one component.
#[derive(Clone, Debug, Serialize)]
pub struct MemberPreview {
    /// Its name.
    pub component: String,
    /// `add`, `replace` or `remove`.
    pub change: &'static str,
    /// The version that goes.
    pub from: Option<String>,
    /// The version that comes.
    pub to: Option<String>,
    /// Whether its callers would wait at a closed gate.
    pub gated: bool,
    /// Signatures of methods.
    pub methods: Difference,
    /// Behaviors with their versions.
    pub behaviors: Difference,
    /// What becomes of the state; none where neither side carries any.
    pub state: Option<StateDifference>,
    /// Components that are called, with the ranges accepted.
    pub dependencies: Difference,
    /// The module that goes.
    #[serde(skip)]
    pub before: Option<Described>,
    /// The module that comes.
    #[serde(skip)]
    pub after: Option<Described>,
}

/// A module, and what it answers to the questions of the application.
#[derive(Clone, Debug)]
pub struct Described {
    /// What it says of itself.
    pub module: Description,
    /// By question. One that it failed to answer, or that could not be put to it, is not here.
    pub answers: BTreeMap<String, Value>,
}

/// What there would be more and less of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// New.
    pub gained: Vec<String>,
    /// No more.
    pub lost: Vec<String>,
}

/// What would become of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateDifference {
    /// New fields with their types.
    pub fields_gained: Vec<String>,
    /// Fields that are no more.
    pub fields_lost: Vec<String>,
    /// The successor takes it over.
    pub mapped: bool,
    /// Why not.
    pub why: Option<String>,
}

/// A package of a component that there is not yet, and what it claims.
type Newcomer = (Arc<[u8]>, Manifest);

/// A successor, and what its rehearsal warns of; or why it would not serve.
type Successor = Result<(Option<Described>, Vec<String>), String>;

impl Preview {
    fn refuse(&mut self, phase: &str, planned: &s_transaction::Member, why: &str) {
        self.refusals.push(format!("in {phase}: {}: {why}", planned.component));
    }
}

impl Difference {
    fn between(before: Vec<String>, after: Vec<String>) -> Self {
        let (before, after) = (BTreeSet::from_iter(before), BTreeSet::from_iter(after));
        Difference {
            gained: after.difference(&before).cloned().collect(),
            lost: before.difference(&after).cloned().collect(),
        }
    }
}

fn methods(module: Option<&Description>) -> Vec<String> {
    let behaviors = module.iter().flat_map(|module| &module.behaviors);
    let methods = behaviors
        .flat_map(|b| b.methods.iter().filter(|method| method.offered).map(move |m| (b, m)));
    methods.map(|(behavior, method)| format!("{}.{}", behavior.name, method.signature)).collect()
}

fn behaviors(module: Option<&Description>) -> Vec<String> {
    let behaviors = module.iter().flat_map(|module| &module.behaviors);
    behaviors.map(|behavior| format!("{} {}", behavior.name, behavior.version)).collect()
}

fn dependencies(module: Option<&Description>) -> Vec<String> {
    let each = module.iter().flat_map(|module| &module.dependencies);
    each.map(|dependency| format!("{} {}", dependency.component, dependency.range)).collect()
}

fn schema(module: Option<&Description>) -> Option<SchemaOwned> {
    SchemaOwned::from_value(module?.schema.clone()).ok()
}

fn state(before: Option<&Description>, after: Option<&Description>) -> Option<StateDifference> {
    let (old, new) = (schema(before), schema(after));
    if old.is_none() && new.is_none() {
        return None;
    }
    let fields = |schema: &Option<SchemaOwned>| {
        let fields = schema.iter().flat_map(|schema| &schema.fields);
        fields.map(|(name, kind)| format!("{name}: {kind}")).collect::<Vec<_>>()
    };
    let Difference { gained, lost } = Difference::between(fields(&old), fields(&new));
    // Only what has somewhere to come from and somewhere to go is mapped.
    let mapping = match (before, after) {
        (Some(_), Some(_)) => can_map(
            old.as_ref().unwrap_or(&SchemaOwned::NOTHING),
            new.as_ref().unwrap_or(&SchemaOwned::NOTHING),
        )
        .map(drop)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        (None, _) => Err("there is no predecessor: it starts with none".to_owned()),
        (_, None) => Err("there is no successor: it is gone for good".to_owned()),
    };
    let (mapped, why) = (mapping.is_ok(), mapping.err());
    Some(StateDifference { fields_gained: gained, fields_lost: lost, mapped, why })
}

impl SwapManager {
    /// What a swap would do. Takes as long as its rehearsals.
    pub fn preview(&self, request: Request) -> Preview {
        let mut preview = Preview::default();
        if let Err(fault) = self.preview_into(&mut preview, request) {
            preview.refusals.push(fault.to_string());
        }
        preview
    }

    fn preview_into(&self, preview: &mut Preview, request: Request) -> Result<(), RequestFault> {
        let (items, newcomers) = self.apart(request.items)?;
        let mut members =
            members(self.sources(items, request.allow_downgrade)?, request.allow_downgrade);
        let added = newcomers.iter().map(|(_, claims)| s_transaction::Member {
            component: claims.module.component.as_str().to_owned(),
            change: Change::Add { to: claims.module.version.to_string() },
            gated: claims.module.state.is_some() || !claims.module.resident_tables.is_empty(),
        });
        let plan = s_transaction::Plan {
            id: 0,
            members: planned(&members)?.into_iter().chain(added).collect(),
            deadlines: request.deadlines,
            confirm: request.confirm,
        };
        plan.check()?;
        let names: Vec<String> = plan.members.iter().map(|m| m.component.clone()).collect();
        let mut after = self.versions_after(&members);
        for (_, claims) in &newcomers {
            let name = claims.module.component.as_str().to_owned();
            after.insert(name, claims.module.version.clone());
        }
        if let Err(fault) = self.nobody_needs_what_goes(&members, &after) {
            preview.refusals.push(fault.to_string());
        }
        let (known, new) = plan.members.split_at(members.len());
        for (member, planned) in members.iter_mut().zip(known) {
            match member.verify(&self.0, &after, &names) {
                Ok(()) => self.preview_member(preview, planned, || self.described(member)),
                Err(why) => preview.refuse("verify", planned, &why),
            }
        }
        for ((bytes, claims), planned) in newcomers.iter().zip(new) {
            let needs = claims.module.dependencies.iter();
            let needs = needs.map(|d| (d.component.as_str().to_owned(), d.range.to_string()));
            let unmet = unmet(&planned.component, needs, &after).map_or(Ok(()), Err);
            match unmet.and_then(|()| prove(&self.0, bytes, request.allow_downgrade)) {
                Ok((admitted, sealed)) => self.preview_member(preview, planned, || {
                    self.rehearsed(sealed.as_ref(), &admitted, None)
                }),
                Err(why) => preview.refuse("verify", planned, &why),
            }
        }
        preview.expected_pause_us = self.expected_pause(&names, plan.gated());
        Ok(())
    }

    /// Packages of components that they would bring along, apart from the rest: to look at one makes none.
    fn apart(&self, items: Vec<Item>) -> Result<(Vec<Item>, Vec<Newcomer>), RequestFault> {
        let (mut rest, mut newcomers) = (Vec::new(), Vec::new());
        for (i, item) in items.into_iter().enumerate() {
            if let Item::Package(bytes) = &item {
                let claims = claims(i, bytes, &self.0.limits)?;
                let name = claims.module.component.as_str();
                if self.0.runtime.component(name).is_none() && self.0.may_be_added(name) {
                    newcomers.push((Arc::clone(bytes), claims));
                    continue;
                }
            }
            rest.push(item);
        }
        Ok((rest, newcomers))
    }

    fn preview_member(
        &self,
        preview: &mut Preview,
        planned: &s_transaction::Member,
        described: impl FnOnce() -> Successor,
    ) {
        let before = self.asked(&planned.component);
        let after = match described() {
            Ok((after, warnings)) => {
                let named = |warning| format!("{}: {warning}", planned.component);
                preview.warnings.extend(warnings.into_iter().map(named));
                after
            }
            Err(why) => return preview.refuse("preflight", planned, &why),
        };
        let [old, new] = [&before, &after].map(|side| side.as_ref().map(|one| &one.module));
        preview.members.push(MemberPreview {
            component: planned.component.clone(),
            change: match planned.change {
                Change::Add { .. } => "add",
                Change::Replace { .. } => "replace",
                Change::Remove { .. } => "remove",
            },
            from: planned.from().map(str::to_owned),
            to: planned.to().map(str::to_owned),
            gated: planned.gated,
            methods: Difference::between(methods(old), methods(new)),
            behaviors: Difference::between(behaviors(old), behaviors(new)),
            state: state(old, new),
            dependencies: Difference::between(dependencies(old), dependencies(new)),
            before,
            after,
        });
    }

    /// Who serves in a component now, and what it answers.
    fn asked(&self, component: &str) -> Option<Described> {
        let module = self.describe(component)?;
        let found = self.0.runtime.component(component)?;
        let questions = || self.0.questions.iter().filter(|question| module.offers(question));
        let ask = |act: &Activity| {
            let answer = |question: &String| {
                Some((question.clone(), found.invoke(act, question, &[]).ok()?))
            };
            questions().filter_map(answer).collect()
        };
        let answers = self.0.runtime.worker().serve(ask);
        Some(Described { module, answers })
    }

    /// What a member's successor says of itself, and what its rehearsal warns of.
    fn described(&self, member: &Member) -> Successor {
        match (&member.source, &member.admitted) {
            (Source::Nothing, _) => Ok((None, Vec::new())),
            (Source::Linked(descriptor), _) => {
                let module = LoadedModule::linked(descriptor).map_err(|why| why.to_string())?;
                let module =
                    Description::from_descriptor(&module).map_err(|why| why.to_string())?;
                // Part of the host, it is not rehearsed: nobody can ask it before it serves.
                let answers = BTreeMap::new();
                Ok((Some(Described { module, answers }), Vec::new()))
            }
            (Source::Package { .. }, Some(admitted)) => {
                let predecessor = member.predecessor.body();
                self.rehearsed(member.sealed.as_ref(), admitted, predecessor.as_deref())
            }
            (Source::Package { .. }, None) => Err("the package was not admitted".into()),
        }
    }

    /// The same of a package, proven and sealed.
    fn rehearsed(
        &self,
        sealed: Option<&Sealed>,
        admitted: &Admitted,
        predecessor: Option<&Body>,
    ) -> Successor {
        let inner = &self.0;
        let sealed = sealed.ok_or("the code was not sealed")?;
        inner.loader.admit().map_err(|why| why.to_string())?;
        let Preflight::On(rehearsal) = &inner.preflight else {
            return Err("this host rehearses nothing, so it describes nothing".into());
        };
        let report = rehearse(inner, rehearsal, sealed, admitted, predecessor)?;
        let described = Described { module: report.description, answers: report.answers };
        Ok((Some(described), report.warnings))
    }

    /// The middle blackout of the swaps that changed one of these.
    fn expected_pause(&self, components: &[String], gated: bool) -> Option<u64> {
        if !gated {
            return Some(0);
        }
        let of_these = |outcome: &s_transaction::Outcome| {
            outcome.verdict == Verdict::Committed
                && outcome.serving.iter().any(|serving| components.contains(&serving.component))
        };
        let history = self.history();
        let mut pauses: Vec<_> =
            history.iter().filter(|o| of_these(o)).filter_map(|outcome| outcome.blackout).collect();
        pauses.sort();
        let middle = pauses.get(pauses.len().checked_sub(1)? / 2)?;
        u64::try_from(middle.as_micros()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_on_one_side_only() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let difference = Difference::between(list(&["a", "b"]), list(&["b", "c"]));
        assert_eq!((difference.gained, difference.lost), (list(&["c"]), list(&["a"])));
    }
}
