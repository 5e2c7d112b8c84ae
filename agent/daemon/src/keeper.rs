//! What modules keep over a restart: asked for when it has changed, written before anybody relies on it.

use crate::store::Store;
use roles::settings::{Persistence as _, PersistenceProxy};
use s_proxy::Runtime;
use s_sdk::{Activity, Buf};
use std::sync::{Mutex, PoisonError};

/// The modules that have something to keep.
pub(crate) struct Keeper {
    store: Store,
    modules: Mutex<Vec<Kept>>,
}

struct Kept {
    component: String,
    module: PersistenceProxy,
    /// The revision that is written.
    written: u64,
}

impl Keeper {
    /// Gives every module back what was kept of it; answers what was odd.
    pub(crate) fn restore(
        store: &Store,
        runtime: &'static Runtime,
        act: &Activity,
    ) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let mut modules = Vec::new();
        for component in runtime.components() {
            let name = component.name();
            let Ok(module) = runtime.proxy::<PersistenceProxy>(name) else { continue };
            if module.revision(act).is_err() {
                // It keeps nothing.
                continue;
            }
            if let Some(kept) = store.read(&file(name)) {
                warnings.extend(kept.warning);
                if !module.restore(act, &kept.content).unwrap_or(false) {
                    warnings.push(format!(
                        "{name}: what was kept is not of this module; it starts anew"
                    ));
                }
            }
            let written = module.revision(act).unwrap_or(0);
            modules.push(Kept { component: name.to_owned(), module, written });
        }
        (Keeper { store: store.clone(), modules: Mutex::new(modules) }, warnings)
    }

    /// Writes what has changed, durably.
    ///
    /// # Errors
    /// What could not be written, in words.
    pub(crate) fn keep(&self, act: &Activity) -> Result<(), String> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        for kept in modules.iter_mut() {
            let component = &kept.component;
            let revision =
                kept.module.revision(act).map_err(|error| format!("{component}: {error}"))?;
            if revision == kept.written {
                continue;
            }
            let mut octets = Buf::new();
            kept.module.save(act, &mut octets).map_err(|error| format!("{component}: {error}"))?;
            self.store
                .write(&file(component), &octets)
                .map_err(|error| format!("{component} cannot be kept: {error}"))?;
            kept.written = revision;
        }
        Ok(())
    }
}

fn file(component: &str) -> String {
    format!("module-{component}")
}
