//! What modules keep over a restart: asked for when it has changed, written before anybody relies on it.
//!
//! It never interprets what is kept, and holds no lock while it calls a module: such a call may wait at a
//! gate, for an activity that waits for the lock. Invariants: what is written was asked for after everything
//! that was written before it, so nothing older replaces anything newer; a module is given back what was
//! kept of it once, when it is first met, be that at the start or later; what a module does not take back is
//! never overwritten, but kept aside under another name.

use crate::store::{Kept as Stored, Store};
use roles::settings::{Persistence as _, PersistenceProxy};
use s_proxy::{Component, Runtime};
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, CallError};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroize as _;

/// So often somebody else may write a module's file between asking that module and writing.
const ATTEMPTS: u32 = 64;

/// A component whose module has something to keep.
type Keeping = (&'static Component, PersistenceProxy);

/// The modules that have something to keep.
pub(crate) struct Keeper {
    store: Store,
    runtime: &'static Runtime,
    /// By component; held while a file is written.
    modules: Mutex<HashMap<String, Kept>>,
}

/// What is known of a module's file.
#[derive(Clone, Copy, Default)]
struct Kept {
    /// Whether the module was given back what was kept of it.
    is_restored: bool,
    /// The revision that is written, where that is certain.
    written: Option<u64>,
    /// How often it was written, or may have been.
    writes: u64,
    /// The youngest generation in which it was met.
    generation: u64,
}

impl Keeper {
    /// Gives every module back what was kept of it; answers what was odd.
    ///
    /// # Errors
    /// What was kept cannot be read.
    pub(crate) fn restore(
        store: &Store,
        runtime: &'static Runtime,
        act: &Activity,
    ) -> Result<(Self, Vec<String>), String> {
        let keeper = Keeper { store: store.clone(), runtime, modules: Mutex::default() };
        let mut warnings = Vec::new();
        for (component, module) in keeper.keeping(act)? {
            warnings.extend(keeper.meet(component, &module, act)?);
        }
        Ok((keeper, warnings))
    }

    /// Writes what has changed, durably; answers what was odd about modules that have come meanwhile.
    ///
    /// # Errors
    /// What could not be written, in words.
    pub(crate) fn keep(&self, act: &Activity) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for (component, module) in self.keeping(act)? {
            warnings.extend(self.meet(component, &module, act)?);
            self.write(component.name(), &module, act)?;
        }
        Ok(warnings)
    }

    /// The modules that have something to keep.
    fn keeping(&self, act: &Activity) -> Result<Vec<Keeping>, String> {
        let mut keeping = Vec::new();
        for component in self.runtime.components() {
            let name = component.name();
            let Ok(module) = self.runtime.proxy::<PersistenceProxy>(name) else { continue };
            match module.revision(act) {
                Ok(_) => keeping.push((component, module)),
                Err(error) if is_lacking(error) => self.forget(component, act),
                Err(error) if self.modules().contains_key(name) => {
                    return Err(format!("{name}: {error}"));
                }
                // It keeps nothing.
                Err(_) => {}
            }
        }
        Ok(keeping)
    }

    /// A component keeps nothing, as an activity sees it. Whoever comes again after he went is a new one: nobody
    /// carried his state over. But where the activity is older than the module that was met, nobody has gone.
    fn forget(&self, component: &'static Component, act: &Activity) {
        let generation = generation(component, act);
        let mut modules = self.modules();
        if modules.get(component.name()).is_some_and(|known| known.generation < generation) {
            modules.remove(component.name());
        }
    }

    /// Writes what a module has to keep, unless that is there already.
    fn write(
        &self,
        component: &str,
        module: &PersistenceProxy,
        act: &Activity,
    ) -> Result<(), String> {
        let told = |error: CallError| format!("{component}: {error}");
        for _attempt in 0..ATTEMPTS {
            let before = self.modules().get(component).copied().unwrap_or_default();
            let revision = module.revision(act).map_err(told)?;
            if before.written == Some(revision) {
                return Ok(());
            }
            let mut octets = Buf::new();
            let saved = module.save(act, &mut octets).and_then(|()| module.revision(act));
            let is_written = saved.map_err(told).and_then(|now| {
                // Where it changed meanwhile there is at least what there was when this began.
                let certain = (now == revision).then_some(revision);
                self.put(component, before, &octets, certain)
            });
            // It may have keys in it.
            octets.zeroize();
            if is_written? {
                return Ok(());
            }
        }
        Err(format!("{component} changes faster than it can be written"))
    }

    /// Writes octets that were asked for when a file was as `before`; false if it was written since, maybe
    /// with something newer.
    fn put(
        &self,
        component: &str,
        before: Kept,
        octets: &[u8],
        revision: Option<u64>,
    ) -> Result<bool, String> {
        let mut modules = self.modules();
        let kept = modules.entry(component.to_owned()).or_default();
        if kept.writes != before.writes {
            return Ok(false);
        }
        // Until it is known to be there, anything may be: what failed may have been written, too.
        kept.written = None;
        kept.writes += 1;
        let written = self.store.write(&file(component), octets);
        written.map_err(|error| format!("{component} cannot be kept: {error}"))?;
        kept.written = revision;
        Ok(true)
    }

    /// Gives a module that has come back what was kept of it.
    fn meet(
        &self,
        component: &'static Component,
        module: &PersistenceProxy,
        act: &Activity,
    ) -> Result<Vec<String>, String> {
        let generation = generation(component, act);
        let component = component.name();
        match self.modules().entry(component.to_owned()) {
            Entry::Occupied(mut known) if known.get().is_restored => {
                let known = known.get_mut();
                known.generation = known.generation.max(generation);
                return Ok(Vec::new());
            }
            // What is set before that is done may be gone when it is.
            Entry::Occupied(_) => {
                return Err(format!(
                    "{component} has just come and takes back what was kept of it: try again"
                ));
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Kept { generation, ..Kept::default() });
            }
        }
        let restored = self.give_back(component, module, act);
        let mut modules = self.modules();
        match restored {
            Ok((warnings, written)) => {
                let kept = modules.entry(component.to_owned()).or_default();
                (kept.is_restored, kept.written) = (true, written);
                Ok(warnings)
            }
            Err(why) => {
                modules.remove(component);
                Err(why)
            }
        }
    }

    /// Answers what was odd, and the revision that is written where that is certain.
    fn give_back(
        &self,
        component: &str,
        module: &PersistenceProxy,
        act: &Activity,
    ) -> Result<(Vec<String>, Option<u64>), String> {
        let name = file(component);
        // What a module does not take back is of another module, or damaged: then the one before it.
        let taken_back = |kept: &[u8]| module.restore(act, kept).unwrap_or(false).then_some(());
        let stored = self.store.read(&name, taken_back)?;
        let is_newest = matches!(stored, Stored::Nothing | Stored::Newest(()));
        let is_refused = matches!(stored, Stored::Before((), Some(_)) | Stored::Lost(_));
        let (content, warning) = stored.into_parts();
        let mut warnings: Vec<String> =
            warning.into_iter().map(|what| format!("{component}: {what}")).collect();
        if is_refused {
            let aside = self.store.keep_aside(&name, "refused", content.is_none());
            let aside =
                aside.map_err(|error| format!("{component} cannot be kept aside: {error}"))?;
            warnings.extend(aside.iter().map(|path| {
                format!("{component}: what it did not take back is now {}", path.display())
            }));
        }
        Ok((warnings, module.revision(act).ok().filter(|_| is_newest)))
    }

    fn modules(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The generation of a component that an activity sees.
fn generation(component: &'static Component, act: &Activity) -> u64 {
    act.enter(component.core()).map_or(0, |bound| bound.generation)
}

/// Whether a call failed because there is no such behavior, or no module.
fn is_lacking(error: CallError) -> bool {
    matches!(error.kind, CallErrorKind::NotUnderstood | CallErrorKind::Absent)
}

/// The name under which a component's module is kept.
pub(crate) fn file(component: &str) -> String {
    format!("module-{component}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::settings::Persistence;
    use s_proxy::gate::Fence;
    use s_proxy::{Code, Surroundings, SwapControl};
    use s_sdk::{Host, Module, Refusal, s_module};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// A module that keeps one number below a hundred.
    struct Keeps(AtomicU64);

    #[s_module(component = "mib.keeps", version = "1.0.0")]
    impl Persistence for Keeps {
        fn revision(&self, _: &Activity) -> Result<u64, CallError> {
            Ok(self.0.load(Ordering::Relaxed))
        }
        fn save(&self, _: &Activity, kept: &mut Buf) -> Result<(), CallError> {
            let number = u8::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0);
            Ok(kept.append(&[number])?)
        }
        fn restore(&self, _: &Activity, kept: &[u8]) -> Result<bool, CallError> {
            let number = kept.first().copied().filter(|number| *number < 100);
            self.0.store(number.map_or(0, u64::from), Ordering::Relaxed);
            Ok(number.is_some())
        }
    }

    impl Module for Keeps {
        fn init(_: Host) -> Result<Self, Refusal> {
            Ok(Keeps(AtomicU64::new(0)))
        }
    }

    struct Nothing;

    impl Surroundings for Nothing {}

    struct World {
        runtime: &'static Runtime,
        control: SwapControl,
        component: &'static Component,
        store: Store,
        _directory: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let (runtime, control) = Runtime::start(Arc::new(Nothing), Fence::Everywhere);
            let component = runtime.add_component("mib.keeps").unwrap();
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(directory.path().join("state")).unwrap();
            World { runtime, control, component, store, _directory: directory }
        }

        /// Fills the component with a new instance, or with nothing.
        fn fill(&self, with: bool) {
            let body =
                with.then(|| self.control.create(self.component, Code::linked(&S_MODULE)).unwrap());
            let group = self.control.bind(&[(self.component, body)]);
            let soon = Instant::now() + Duration::from_secs(10);
            self.control.take(soon).unwrap().flip_open(group);
        }

        fn number(&self) -> u64 {
            let module: PersistenceProxy = self.runtime.proxy("mib.keeps").unwrap();
            let mut worker = self.runtime.worker();
            module.revision(&worker.activity()).unwrap()
        }

        fn keeper(&self) -> (Keeper, Vec<String>) {
            let mut worker = self.runtime.worker();
            Keeper::restore(&self.store, self.runtime, &worker.activity()).unwrap()
        }

        fn keep(&self, keeper: &Keeper) -> Vec<String> {
            let mut worker = self.runtime.worker();
            keeper.keep(&worker.activity()).unwrap()
        }

        fn written(&self) -> Option<Vec<u8>> {
            let read = self.store.read(&file("mib.keeps"), |kept| Some(kept.to_vec()));
            read.unwrap().into_parts().0
        }
    }

    #[test]
    fn a_module_that_comes_later_is_given_back_what_was_kept_of_it_and_so_is_one_that_comes_again()
    {
        let world = World::new();
        world.store.write(&file("mib.keeps"), &[7]).unwrap();
        let (keeper, warnings) = world.keeper();
        assert_eq!(warnings, [""; 0]);
        world.fill(true);
        assert_eq!(world.number(), 0);
        assert_eq!(world.keep(&keeper), [""; 0]);
        assert_eq!((world.number(), world.written()), (7, Some(vec![7])));
        // While it is gone nobody's SET fails, and what was kept stays.
        world.fill(false);
        assert_eq!(world.keep(&keeper), [""; 0]);
        assert_eq!(world.written(), Some(vec![7]));
        world.fill(true);
        assert_eq!(world.keep(&keeper), [""; 0]);
        assert_eq!(world.number(), 7);
    }

    #[test]
    fn who_is_from_before_a_module_came_has_nothing_given_back_to_it_again() {
        let world = World::new();
        world.store.write(&file("mib.keeps"), &[7]).unwrap();
        let (keeper, _) = world.keeper();
        let module: PersistenceProxy = world.runtime.proxy("mib.keeps").unwrap();
        let (mut before, mut after) = (world.runtime.worker(), world.runtime.worker());
        let old = before.activity();
        keeper.keep(&old).unwrap();
        world.fill(true);
        let new = after.activity();
        keeper.keep(&new).unwrap();
        assert_eq!(world.number(), 7);
        // Set by somebody, and to whoever is from before there is no such module.
        module.restore(&new, &[9]).unwrap();
        assert!(module.revision(&old).is_err());
        keeper.keep(&old).unwrap();
        keeper.keep(&new).unwrap();
        assert_eq!((world.number(), world.written()), (9, Some(vec![9])));
    }

    #[test]
    fn nobody_who_is_inside_waits_for_somebody_at_the_gate() {
        let world = World::new();
        world.fill(true);
        let (keeper, _) = world.keeper();
        let module: PersistenceProxy = world.runtime.proxy("mib.keeps").unwrap();
        let mut worker = world.runtime.worker();
        // It has set something, which a swap waits for.
        let inside = worker.activity();
        module.restore(&inside, &[9]).unwrap();
        let group = world.control.bind(&[(world.component, None)]);
        let deadline = Instant::now() + Duration::from_secs(3);
        let (closed, drain) = world.control.close(&group, deadline, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut worker = world.runtime.worker();
                // It waits at the gate until that opens.
                keeper.keep(&worker.activity())
            });
            // However far the other one comes meanwhile.
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(keeper.keep(&inside), Ok(Vec::new()));
            assert_eq!(world.written(), Some(vec![9]));
            drop(inside);
            assert!(drain.wait(deadline, || true).is_ok(), "the gate was waited for");
            closed.open();
        });
    }

    #[test]
    fn what_is_written_is_no_older_than_what_was_written_before_it() {
        let world = World::new();
        world.fill(true);
        let (keeper, _) = world.keeper();
        let module: PersistenceProxy = world.runtime.proxy("mib.keeps").unwrap();
        let mut worker = world.runtime.worker();
        let act = worker.activity();
        let before = keeper.modules()["mib.keeps"];
        // Somebody is overtaken between asking and writing.
        module.restore(&act, &[9]).unwrap();
        keeper.keep(&act).unwrap();
        assert_eq!(keeper.put("mib.keeps", before, &[8], Some(8)), Ok(false));
        assert_eq!(world.written(), Some(vec![9]));
        // And several at once, each of whom relies on its own.
        std::thread::scope(|scope| {
            for number in 10..14 {
                let (world, keeper, module) = (&world, &keeper, &module);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mut worker = world.runtime.worker();
                        let act = worker.activity();
                        module.restore(&act, &[number]).unwrap();
                        keeper.keep(&act).unwrap();
                    }
                });
            }
        });
        keeper.keep(&act).unwrap();
        assert_eq!(world.written().map(|kept| u64::from(kept[0])), Some(world.number()));
    }

    #[test]
    fn what_a_module_does_not_take_back_is_kept_aside() {
        let world = World::new();
        world.store.write(&file("mib.keeps"), &[200]).unwrap();
        world.fill(true);
        let (keeper, warnings) = world.keeper();
        assert!(
            warnings.iter().any(|what| what.contains("module-mib.keeps.refused-1")),
            "{warnings:?}"
        );
        assert_eq!(world.keep(&keeper), [""; 0]);
        assert_eq!(world.written(), Some(vec![0]));
        let aside = |content: &[u8]| Some(content.to_vec());
        let aside = world.store.read("module-mib.keeps.refused-1", aside).unwrap();
        assert_eq!(aside, Stored::Newest(vec![200]));
    }

    #[test]
    fn what_could_not_be_written_is_written_again_even_if_the_module_is_as_before() {
        let world = World::new();
        world.store.write(&file("mib.keeps"), &[7]).unwrap();
        world.fill(true);
        let (keeper, _) = world.keeper();
        let module: PersistenceProxy = world.runtime.proxy("mib.keeps").unwrap();
        let mut worker = world.runtime.worker();
        let act = worker.activity();
        module.restore(&act, &[9]).unwrap();
        // In the place of the file that is written first.
        let obstacle = world.store.path().join("module-mib.keeps.new");
        std::fs::create_dir(&obstacle).unwrap();
        assert!(keeper.keep(&act).is_err());
        std::fs::remove_dir(&obstacle).unwrap();
        // As if it had been written all the same, and an undone SET brought the old number back.
        world.store.write(&file("mib.keeps"), &[9]).unwrap();
        module.restore(&act, &[7]).unwrap();
        keeper.keep(&act).unwrap();
        assert_eq!(world.written(), Some(vec![7]));
    }
}
