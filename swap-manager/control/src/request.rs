//! What an operator asks for, and the plan that it makes.
//!
//! A plan names components and versions before anything is proven: it is read from the packages' own
//! claims, within the reader's limits, and `verify` proves them afterwards over the same bytes.

use s_package::archive::{Archive, Limits};
use s_package::manifest::Manifest;
use s_sdk::abi::ModuleDescriptor;
use s_transaction::{Confirm, Deadlines};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A swap to make: all items together, or none.
#[derive(Clone)]
pub struct Request {
    /// What changes.
    pub items: Vec<Item>,
    /// The window after the commit.
    pub confirm: Confirm,
    /// How long each phase may take.
    pub deadlines: Deadlines,
    /// Admit packages below the recorded security epoch. Only a local operator may say so.
    pub allow_downgrade: bool,
    /// Who asks, for the status and the history.
    pub operator: Option<String>,
}

impl Request {
    /// A request with the usual deadlines and no confirm window.
    pub fn new(items: Vec<Item>) -> Self {
        Request {
            items,
            confirm: Confirm::AtOnce,
            deadlines: Deadlines::default(),
            allow_downgrade: false,
            operator: None,
        }
    }

    /// One package.
    pub fn package(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(vec![Item::Package(bytes.into())])
    }

    /// The same request with a window in which trouble brings the predecessors back.
    #[must_use]
    pub fn with_confirm(mut self, confirm: Confirm) -> Self {
        self.confirm = confirm;
        self
    }

    /// The same request in somebody's name.
    #[must_use]
    pub fn by(mut self, operator: impl Into<String>) -> Self {
        self.operator = Some(operator.into());
        self
    }

    /// The same request with other deadlines.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }
}

/// One change of a request.
#[derive(Clone)]
pub enum Item {
    /// A signed package: adds its module, or replaces what the component binds.
    Package(Arc<[u8]>),
    /// The host's own module of a component: adds it, or goes back to it.
    Linked(&'static ModuleDescriptor),
    /// Takes the module of a component out.
    Remove(String),
}

/// Why a request cannot become a plan. Nothing has begun.
#[derive(Debug, thiserror::Error)]
pub enum RequestFault {
    /// The file is no package.
    #[error("in verify: item {item} is not a package: {why}; nothing has changed")]
    NotAPackage {
        /// Its place in the request.
        item: usize,
        /// Why.
        why: String,
    },
    /// The component is not one of this application's.
    #[error(
        "in verify: no component is named `{component}`; nothing has changed (see the status for the names)"
    )]
    NoSuchComponent {
        /// The name asked for.
        component: String,
    },
    /// The component is not one of this application's, and is not made for this package.
    #[error(
        "in verify: no component is named `{component}`, and none was added: {why}; nothing has changed"
    )]
    NotAdded {
        /// The name.
        component: String,
        /// Why.
        why: String,
    },
    /// There is nothing to remove.
    #[error("in verify: component `{component}` has no module to remove; nothing has changed")]
    NothingToRemove {
        /// The component.
        component: String,
    },
    /// A module that stays needs one that would go.
    #[error("in verify: {why}; nothing has changed (take both out, or neither)")]
    StillNeeded {
        /// Who needs it, and which versions.
        why: String,
    },
    /// The plan is not one.
    #[error("in verify: {0}; nothing has changed")]
    Plan(#[from] s_transaction::PlanFault),
}

/// What a package claims, unproven: enough to plan with.
pub(crate) fn claims(item: usize, bytes: &[u8], limits: &Limits) -> Result<Manifest, RequestFault> {
    let fault = |why: String| RequestFault::NotAPackage { item, why };
    let archive = Archive::read(bytes, limits).map_err(|error| fault(error.to_string()))?;
    Manifest::parse(archive.manifest).map_err(|error| fault(error.to_string()))
}

/// The versions that components would have after a swap.
pub(crate) type Versions = BTreeMap<String, semver::Version>;

/// A dependency that would not hold after a swap.
pub(crate) fn unmet(
    dependent: &str,
    dependencies: impl IntoIterator<Item = (String, String)>,
    after: &Versions,
) -> Option<String> {
    dependencies.into_iter().find_map(|(component, range)| {
        let wanted = match semver::VersionReq::parse(&range) {
            Ok(wanted) => wanted,
            Err(error) => {
                return Some(format!(
                    "`{dependent}` asks for `{component}` {range}, which is no range: {error}"
                ));
            }
        };
        match after.get(&component) {
            None => Some(format!(
                "`{dependent}` needs `{component}` {range}, and no module is bound there"
            )),
            Some(found) if !wanted.matches(found) => {
                Some(format!("`{dependent}` needs `{component}` {range}, and {found} would serve"))
            }
            Some(_) => None,
        }
    })
}
