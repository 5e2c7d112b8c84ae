//! What operators are told about the application as it is now.

use s_package::timestamp::Timestamp;
use s_transaction::Outcome;
use serde::Serialize;

/// The whole picture.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// All components.
    pub components: Vec<ComponentStatus>,
    /// Swaps that run now.
    pub running: Vec<RunningSwap>,
    /// Modules that are out of service and still in memory, with the reason.
    pub pinned: Vec<String>,
    /// What became of the modules let go of last, oldest first: `unloaded` or `pinned: <reason>`.
    pub let_go: Vec<LetGo>,
}

/// One component.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentStatus {
    /// Its name.
    pub name: String,
    /// The version that serves; none when no module is bound.
    pub version: Option<String>,
    /// What changed in it, in its author's words.
    pub annotation: Option<String>,
    /// The module's name.
    pub module: Option<String>,
    /// Where its code is: `sha256:…` or `linked`.
    pub origin: Option<String>,
    /// The generation.
    pub generation: u64,
    /// The version that a rollback would bring back, during a confirm window.
    pub predecessor: Option<String>,
    /// What happens to a request in which it panics.
    pub policy: &'static str,
    /// How many calls panicked in the module that serves.
    pub panics: u64,
    /// It is in an S-critical section.
    pub critical: bool,
}

/// A swap that runs.
#[derive(Clone, Debug, Serialize)]
pub struct RunningSwap {
    /// Its number.
    pub txn: u64,
    /// The phase it is in.
    pub phase: Option<&'static str>,
    /// What it changes.
    pub components: Vec<String>,
    /// Who asked for it.
    pub operator: Option<String>,
}

/// A swap that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Past {
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Who asked for it.
    pub operator: Option<String>,
    /// When it ended.
    pub at: Timestamp,
}

/// A module that was let go of.
#[derive(Clone, Debug, Serialize)]
pub struct LetGo {
    /// The component it served.
    pub component: String,
    /// Its version.
    pub version: String,
    /// What became of it.
    pub fate: String,
}
