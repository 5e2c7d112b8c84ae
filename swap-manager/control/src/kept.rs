//! The versions of a component that a swap can go back to: kept packages, and the host's own module.
//!
//! Nothing is believed of a kept package here beyond what it claims: going back to it is an ordinary swap, which
//! verifies it again. Invariant: package files are read without any lock that a running swap needs.

use crate::manager::{SwapManager, lock};
use crate::request::{Item, Request, claims};
use s_transaction::journal::Digest;
use serde::Serialize;
use std::path::PathBuf;

/// A version that is at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The version.
    pub version: String,
    /// Its package; none for the host's own module.
    pub digest: Option<String>,
    /// The package's security epoch.
    pub epoch: Option<u64>,
    /// It serves now.
    pub serving: bool,
    /// `factory` or `package`.
    pub origin: &'static str,
}

/// Why there is nothing to go back to.
#[derive(Debug, thiserror::Error)]
pub enum KeptFault {
    /// No such component.
    #[error("no component is named `{0}`; the status has the names")]
    NoSuchComponent(String),
    /// That version is not at hand.
    #[error("component `{component}` has no kept version {wanted}; at hand: {}", at_hand(.kept))]
    NoSuchVersion {
        /// The component.
        component: String,
        /// What was asked for.
        wanted: String,
        /// What there is instead.
        kept: Vec<String>,
    },
}

fn at_hand(kept: &[String]) -> String {
    if kept.is_empty() { "none".to_owned() } else { kept.join(", ") }
}

/// A version, and the file that has it.
struct Place {
    version: String,
    package: Option<(Digest, PathBuf)>,
    serving: bool,
}

impl SwapManager {
    /// The versions of a component that are at hand: the one bound last first, the host's own last unless it was
    /// bound lately.
    ///
    /// # Errors
    /// No such component.
    pub fn versions(&self, component: &str) -> Result<Vec<Kept>, KeptFault> {
        let places = self.places(component)?;
        let kept = places.into_iter().filter_map(|place| match place.package {
            None => Some(Kept {
                version: place.version,
                digest: None,
                epoch: None,
                serving: place.serving,
                origin: "factory",
            }),
            // A file that is not there, or not whole, is no way back.
            Some((digest, path)) => {
                let claims = claims(0, &std::fs::read(path).ok()?, &self.0.limits).ok()?;
                Some(Kept {
                    version: claims.module.version.to_string(),
                    digest: Some(digest.to_string()),
                    epoch: Some(claims.epoch),
                    serving: place.serving,
                    origin: "package",
                })
            }
        });
        Ok(kept.collect())
    }

    /// The request that brings a version back; without one, the version that served before the one that does.
    ///
    /// # Errors
    /// No such component, or the version is not at hand.
    pub fn rollback_to(
        &self,
        component: &str,
        version: Option<&str>,
    ) -> Result<Request, KeptFault> {
        let places = self.places(component)?;
        let wanted = |place: &&Place| match version {
            Some(version) => place.version == version,
            None => !place.serving,
        };
        let item = places.iter().filter(wanted).find_map(|place| match &place.package {
            Some((_, path)) => Some(Item::Package(std::fs::read(path).ok()?.into())),
            None => lock(&self.0.factory).get(component).copied().map(Item::Linked),
        });
        item.map(|item| Request::new(vec![item])).ok_or_else(|| KeptFault::NoSuchVersion {
            component: component.to_owned(),
            wanted: version.unwrap_or("before the one that serves").to_owned(),
            kept: places.into_iter().map(|place| place.version).collect(),
        })
    }

    /// Where versions are, youngest binding first, each once.
    fn places(&self, component: &str) -> Result<Vec<Place>, KeptFault> {
        let inner = &self.0;
        if inner.runtime.component(component).is_none() {
            return Err(KeptFault::NoSuchComponent(component.to_owned()));
        }
        let factory = lock(&inner.factory).get(component).map(|d| d.version.as_str().to_owned());
        let serving = inner.set().modules.remove(component);
        let repository = lock(&inner.repository);
        let sets = repository.recovered().sets.iter().rev();
        let bounds = sets.filter_map(|committed| committed.set.modules.get(component));
        let mut places: Vec<Place> = Vec::new();
        for bound in serving.iter().chain(bounds) {
            let package = bound.package.map(|digest| (digest, repository.path(digest)));
            // Another build of this host had another module of its own; it is not at hand.
            let at_hand = package.is_some() || factory.as_ref() == Some(&bound.version);
            if at_hand && !places.iter().any(|place| place.package == package) {
                let (version, serving) = (bound.version.clone(), serving.as_ref() == Some(bound));
                places.push(Place { version, package, serving });
            }
        }
        if let Some(version) = factory
            && !places.iter().any(|place| place.package.is_none())
        {
            places.push(Place { version, package: None, serving: false });
        }
        Ok(places)
    }
}
