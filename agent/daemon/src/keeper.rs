//! What modules keep over a restart: asked for when it has changed, written before anybody relies on it.
//!
//! It never interprets what is kept. Invariants: a module is given back what was kept of it once, when it is
//! first met, be that at the start or later; what a module does not take back is never overwritten, but kept
//! aside under another name.

use crate::store::{Kept as Stored, Store};
use roles::settings::{Persistence as _, PersistenceProxy};
use s_proxy::Runtime;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, CallError};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroize as _;

/// The modules that have something to keep.
pub(crate) struct Keeper {
    store: Store,
    runtime: &'static Runtime,
    modules: Mutex<Vec<Kept>>,
}

struct Kept {
    component: String,
    module: PersistenceProxy,
    /// The revision that is written, where that is certain.
    written: Option<u64>,
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
        let mut modules = Vec::new();
        let warnings = keeper.look(act, &mut modules)?;
        *keeper.modules.lock().unwrap_or_else(PoisonError::into_inner) = modules;
        Ok((keeper, warnings))
    }

    /// Writes what has changed, durably; answers what was odd about modules that have come meanwhile.
    ///
    /// # Errors
    /// What could not be written, in words.
    pub(crate) fn keep(&self, act: &Activity) -> Result<Vec<String>, String> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever comes again after he went is a new one: nobody carried his state over.
        modules.retain(|kept| !kept.module.revision(act).is_err_and(is_lacking));
        let warnings = self.look(act, &mut modules)?;
        for kept in modules.iter_mut() {
            let component = &kept.component;
            let told = |error: CallError| format!("{component}: {error}");
            let revision = kept.module.revision(act).map_err(told)?;
            if kept.written == Some(revision) {
                continue;
            }
            // Until it is known to be there, anything may be: what failed may have been written, too.
            kept.written = None;
            let mut octets = Buf::new();
            let written = kept.module.save(act, &mut octets).map_err(told).and_then(|()| {
                let written = self.store.write(&file(component), &octets);
                written.map_err(|error| format!("{component} cannot be kept: {error}"))
            });
            // It may have keys in it.
            octets.zeroize();
            written?;
            kept.written = Some(revision);
        }
        Ok(warnings)
    }

    /// Meets the modules that have come, and gives them back what was kept of them.
    fn look(&self, act: &Activity, modules: &mut Vec<Kept>) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for component in self.runtime.components() {
            let name = component.name();
            if modules.iter().any(|kept| kept.component == name) {
                continue;
            }
            let Ok(module) = self.runtime.proxy::<PersistenceProxy>(name) else { continue };
            if module.revision(act).is_err() {
                // It keeps nothing.
                continue;
            }
            // What a module does not take back is of another module, or damaged: then the one before it.
            let taken_back = |kept: &[u8]| module.restore(act, kept).unwrap_or(false).then_some(());
            let stored = self.store.read(&file(name), taken_back)?;
            let is_newest = matches!(stored, Stored::Nothing | Stored::Newest(()));
            let is_refused = matches!(stored, Stored::Before((), Some(_)) | Stored::Lost(_));
            let (content, warning) = stored.into_parts();
            warnings.extend(warning.map(|what| format!("{name}: {what}")));
            if is_refused {
                let aside = self.store.keep_aside(&file(name), content.is_none());
                let aside =
                    aside.map_err(|error| format!("{name} cannot be kept aside: {error}"))?;
                warnings.extend(aside.iter().map(|path| {
                    format!("{name}: what it did not take back is now {}", path.display())
                }));
            }
            let written = module.revision(act).ok().filter(|_| is_newest);
            modules.push(Kept { component: name.to_owned(), module, written });
        }
        Ok(warnings)
    }
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
    use s_proxy::{Code, Component, Surroundings, SwapControl};
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
