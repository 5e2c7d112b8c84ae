//! Names that callers hold on to while what they mean changes.
//!
//! Every component has its own name from the start. Further names can be registered, resolved, bound to
//! another component and taken away; a [`Named`] proxy notices at its next call and looks again, so its
//! holder never does. Looking is one load as long as nothing changed.

use crate::component::Component;
use crate::runtime::{Runtime, RuntimeError};
use s_sdk::ProxyOf;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// The name service.
#[derive(Default)]
pub(crate) struct Names {
    by_name: RwLock<BTreeMap<String, &'static Component>>,
    /// Moves with every change.
    edition: AtomicU64,
}

impl Names {
    pub(crate) fn resolve(&self, name: &str) -> Option<&'static Component> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Binds a name; answers what it meant before.
    pub(crate) fn bind(
        &self,
        name: &str,
        component: Option<&'static Component>,
    ) -> Option<&'static Component> {
        let mut names = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let before = match component {
            Some(component) => names.insert(name.to_owned(), component),
            None => names.remove(name),
        };
        self.edition.fetch_add(1, Ordering::Release);
        before
    }

    pub(crate) fn all(&self) -> Vec<(String, &'static Component)> {
        let names = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().map(|(name, component)| (name.clone(), *component)).collect()
    }
}

/// A proxy held by name: follows the name wherever it is bound.
pub struct Named<P: ProxyOf> {
    runtime: &'static Runtime,
    name: String,
    found: RwLock<(u64, P)>,
}

impl<P: ProxyOf> Named<P> {
    pub(crate) fn new(runtime: &'static Runtime, name: &str) -> Result<Self, RuntimeError> {
        let edition = runtime.names().edition.load(Ordering::Acquire);
        let proxy = runtime.proxy(name)?;
        Ok(Named { runtime, name: name.to_owned(), found: RwLock::new((edition, proxy)) })
    }

    /// The proxy behind the name now.
    ///
    /// # Errors
    /// The name was taken away.
    pub fn get(&self) -> Result<P, RuntimeError> {
        let edition = self.runtime.names().edition.load(Ordering::Acquire);
        let (known, proxy) = *self.found.read().unwrap_or_else(PoisonError::into_inner);
        if known == edition {
            return Ok(proxy);
        }
        let proxy = self.runtime.proxy(&self.name)?;
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = (edition, proxy);
        Ok(proxy)
    }
}
