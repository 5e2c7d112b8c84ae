//! Starting the application: which set is loaded, and what this program makes of it.
//!
//! A set is recorded by one program and may be started by another, newer or older: the factory set is then not the
//! one that the record knows. So a recorded set is fitted to the program first.
//!
//! 1. A linked module is this program's: its version is, too. One that the program no longer has leaves its
//!    component without a module.
//! 2. A component of the factory set that the recorded set does not name is new, and gets its module, unless an
//!    operator had its module taken out.
//! 3. What has come out differently takes the place of the recorded set.
//!
//! What this never does: fill a component that an operator has vacated, unless nothing can be started otherwise; or
//! bind a part of a set. Invariant: what is fitted depends on the record and the program alone, so a start that dies
//! on the way is followed by the same one.

use crate::chain;
use crate::manager::{StartError, Started, SwapManager, lock};
use crate::member::dependencies_of;
use crate::request::{Versions, claims, unmet};
use s_loader::LoadedModule;
use s_package::admit::{Conditions, Override, admit};
use s_package::timestamp::Timestamp;
use s_sdk::Level;
use s_sdk::abi::ModuleDescriptor;
use s_transaction::journal::{Bound, Candidate, Committed, Digest, Recovered, Set};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Factory = BTreeMap<String, &'static ModuleDescriptor>;

/// What was fitted where: how grave it is, the component, and what has happened.
type Told = (Level, String, String);

fn linked(descriptor: &ModuleDescriptor) -> Bound {
    Bound { version: descriptor.version.as_str().to_owned(), package: None, epoch: 0 }
}

fn versions_of(set: &Set) -> Versions {
    let versions = set.modules.iter();
    versions.filter_map(|(name, bound)| Some((name.clone(), bound.version.parse().ok()?))).collect()
}

/// The components that the whole history names; `None` where its beginning is gone.
fn known(facts: &Recovered) -> Option<BTreeSet<String>> {
    let from_the_first = facts.sets.first().is_some_and(|first| first.txn == 0);
    let names = facts.sets.iter().flat_map(|committed| committed.set.modules.keys());
    from_the_first.then(|| names.cloned().collect())
}

/// A recorded set as this program starts it, and what is to be said about that.
fn fitted(recorded: &Set, factory: &Factory, known: Option<&BTreeSet<String>>) -> (Set, Vec<Told>) {
    let mut told = Vec::new();
    let mut tell = |level, name: &str, what: String| told.push((level, name.to_owned(), what));
    let mut set = recorded.clone();
    set.modules.retain(|name, bound| match (bound.package, factory.get(name)) {
        (Some(_), _) => true,
        (None, Some(descriptor)) => {
            *bound = linked(descriptor);
            true
        }
        (None, None) => {
            let version = &bound.version;
            let what = format!(
                "version {version} was part of the program that recorded the set, and this program has no module \
                 of its own for `{name}`: it has none now"
            );
            tell(Level::Warning, name, what);
            false
        }
    });
    // A record from before vacated components were named: what the history names and the set does not was taken
    // out. Where not even that is known nothing is filled, because a module that an operator took out must not
    // come back by itself.
    let vacated = set.vacated.take().unwrap_or_else(|| {
        let names = known.cloned().unwrap_or_else(|| factory.keys().cloned().collect());
        names.into_iter().filter(|name| !recorded.modules.contains_key(name)).collect()
    });
    if recorded.vacated.is_none() && known.is_none() {
        for name in &vacated {
            let what = format!(
                "the recorded set does not tell whether the module of `{name}` was taken out or is new in this \
                 program: it stays out; go back to the program's own version to have it"
            );
            tell(Level::Warning, name, what);
        }
    }
    let mut new: Factory = factory.clone();
    new.retain(|name, _| !set.modules.contains_key(name) && !vacated.contains(name));
    set.vacated = Some(vacated);
    // New ones may need each other; one that cannot be served here keeps the others from nothing.
    loop {
        let mut with_all = set.clone();
        with_all.modules.extend(new.iter().map(|(name, module)| (name.clone(), linked(module))));
        let versions = versions_of(&with_all);
        let mut each = new.iter();
        let lacking = each.find_map(|(name, module)| {
            Some((name.clone(), unmet(name, dependencies_of(module), &versions)?))
        });
        let Some((name, why)) = lacking else {
            let news = |name: &String| {
                (Level::Info, name.clone(), format!("`{name}` is new in this program"))
            };
            told.extend(new.keys().map(news));
            return (with_all, told);
        };
        new.remove(&name);
        let what = format!("`{name}` is new in this program and stays without its module: {why}");
        told.push((Level::Warning, name, what));
    }
}

impl SwapManager {
    /// Loads the last committed set, or the one before it where the last cannot be loaded or crashes again
    /// and again; at the first start, or when neither can be, the factory set.
    ///
    /// # Errors
    /// No set can be loaded, or the repository cannot be written.
    pub fn start(&self) -> Result<Started, StartError> {
        let inner = &self.0;
        let (candidates, known) = {
            let mut repository = lock(&inner.repository);
            (repository.start()?, known(repository.recovered()))
        };
        let factory = lock(&inner.factory).clone();
        let mut failed = Vec::new();
        for candidate in &candidates {
            let Committed { txn, set: recorded, .. } = &candidate.committed;
            let (set, told) = fitted(recorded, &factory, known.as_ref());
            match self.load_set(&set) {
                Ok(()) => {
                    lock(&inner.repository).settle(candidate, &set)?;
                    self.say_start(candidate, &failed);
                    told.iter().for_each(|(level, name, what)| inner.log(*level, name, what));
                    return Ok(Started::Recorded { txn: *txn, why: candidate.why, failed });
                }
                Err(why) => {
                    // It may be for want of what this program has left out.
                    let left_out = told.into_iter().filter(|(level, ..)| *level == Level::Warning);
                    let whys = std::iter::once(why).chain(left_out.map(|(_, _, what)| what));
                    let whys = whys.collect::<Vec<_>>().join("; ");
                    failed.push(format!("the set of swap {txn}: {whys}"));
                }
            }
        }
        let set = match self.load_factory_set(&factory, &candidates) {
            Ok(set) => set,
            Err(why) => {
                failed.push(format!("the factory set: {why}"));
                return Err(StartError::NoSet(failed));
            }
        };
        for why in &failed {
            inner.warn("swap-manager", &format!("{why}; the factory set serves"));
        }
        lock(&inner.repository).record_first_set(set)?;
        Ok(Started::FactorySet { failed })
    }

    /// What an operator has taken out stays out of the factory set, too, unless the rest of it needs that.
    fn load_factory_set(&self, factory: &Factory, candidates: &[Candidate]) -> Result<Set, String> {
        let whole: Set =
            factory.iter().map(|(name, module)| (name.clone(), linked(module))).collect();
        let last = candidates.iter().max_by_key(|candidate| candidate.committed.txn);
        let vacated = last.and_then(|last| last.committed.set.vacated.as_ref());
        let mut without = whole.clone();
        vacated.into_iter().flatten().for_each(|name| without.vacate(name));
        match self.load_set(&without) {
            Err(why) if without.modules.len() < whole.modules.len() => {
                self.load_set(&whole)?;
                let back = "what an operator had taken out serves again: the factory set needs it";
                self.0.warn("swap-manager", &format!("{back}: {why}"));
                Ok(whole)
            }
            loaded => loaded.map(|()| without),
        }
    }

    fn say_start(&self, candidate: &Candidate, failed: &[String]) {
        for why in failed {
            self.0.warn("swap-manager", why);
        }
        if !failed.is_empty() || candidate.why != s_transaction::journal::Why::Last {
            let txn = candidate.committed.txn;
            self.0.warn(
                "swap-manager",
                &format!("started with the set of swap {txn} ({:?})", candidate.why),
            );
        }
    }

    /// Loads and binds a whole set; nothing is bound when one of it cannot be loaded.
    fn load_set(&self, set: &Set) -> Result<(), String> {
        let inner = &self.0;
        // Those that packages brought along: they were proven when the set was decided.
        for name in set.modules.keys().filter(|name| inner.runtime.component(name).is_none()) {
            inner.runtime.add_component(name).map_err(|error| error.to_string())?;
        }
        let mut modules = Vec::new();
        for component in inner.runtime.components() {
            let name = component.name();
            let Some(bound) = set.modules.get(name) else { continue };
            let module = match bound.package {
                Some(digest) => self.recorded(digest)?,
                None => {
                    let descriptor = lock(&inner.factory).get(name).copied();
                    let descriptor = descriptor.ok_or_else(|| {
                        format!("this host has no module of its own for `{name}`")
                    })?;
                    LoadedModule::linked(descriptor).map_err(|error| error.to_string())?
                }
            };
            modules.push((component, module));
        }
        // Before any of their code runs.
        let versions: Versions =
            modules.iter().map(|(c, m)| (c.name().to_owned(), m.version().clone())).collect();
        for (component, module) in &modules {
            let needs = dependencies_of(module.descriptor());
            if let Some(problem) = unmet(component.name(), needs, &versions) {
                return Err(problem);
            }
        }
        let mut members = Vec::new();
        for (component, module) in modules {
            inner.give_task(component, &module)?;
            let body = inner
                .control
                .create(component, inner.code(&module))
                .map_err(|error| format!("{}: {error}", component.name()))?;
            members.push((component, body, module));
        }
        for (component, body, _) in &members {
            body.instance().restart().map_err(|error| format!("{}: {error}", component.name()))?;
        }
        let bodies: Vec<_> = members
            .iter()
            .map(|(component, body, _)| (*component, Some(Arc::clone(body))))
            .collect();
        let soon = Instant::now() + Duration::from_secs(5);
        let taken = inner.control.take(soon).ok_or("another swap kept the gate")?;
        taken.flip_open(inner.control.bind(&bodies));
        drop(taken);
        members.iter().for_each(|(_, body, _)| body.serve());
        for (component, body, module) in members {
            drop(body);
            inner.replace_module(component.name(), Some(module));
        }
        lock(&inner.serving).clone_from(set);
        Ok(())
    }

    /// Loads a package that was committed once. Its bytes and signatures are checked again; its dates are
    /// not: a set that served yesterday must start today.
    fn recorded(&self, digest: Digest) -> Result<Arc<LoadedModule>, String> {
        let inner = &self.0;
        let bytes = lock(&inner.repository).get(digest).map_err(|error| chain(&error))?;
        let manifest = claims(0, &bytes, &inner.limits).map_err(|error| error.to_string())?;
        let trust = lock(&inner.trust).clone();
        let conditions = Conditions {
            trust: &trust,
            now: manifest.not_before.unwrap_or(Timestamp::MIN),
            target: &inner.target,
            recorded_epochs: &BTreeMap::new(),
            operator: Some(Override::LocalDowngrade),
            limits: inner.limits,
        };
        let admitted = admit(bytes, &conditions).map_err(|refusal| refusal.to_string())?;
        let expected = s_loader::Digest(admitted.manifest().targets[admitted.target()].sha256.0);
        let name = admitted.manifest().module.name.as_str();
        let sealed = s_loader::Sealed::new(name, admitted.code(), Some(expected))
            .map_err(|error| error.to_string())?;
        inner.loader.load(sealed).map_err(|error| error.to_string())
    }
}
