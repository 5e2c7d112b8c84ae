//! What the service asks of the application that it listens for.
//!
//! The application is asked on helper threads, never on the service's own; an answer may take a while, but
//! what it holds up is only its asker.

use s_control::preview::Described;
use s_sdk::Level;
use serde_json::Value as Json;

/// An S-application as its operators see it.
pub trait Application: Send + Sync {
    /// Its name, such as `sagentd`.
    fn name(&self) -> &str;

    /// Its version.
    fn version(&self) -> &str;

    /// What it answers of its own under `/v1/application/{what}`; none where it knows no such thing. An error is
    /// the caller's to mend: its text says how.
    fn answer(&self, what: &str, query: &[(String, String)]) -> Option<Result<Json, String>>;

    /// What a change of a module means in the application's own terms, for a plan: of what modules are, and of what
    /// they answer to the questions of the swap manager's configuration.
    fn difference(&self, from: Option<&Described>, to: Option<&Described>) -> Option<Json> {
        let _ = (from, to);
        None
    }

    /// Whether a field of a component's state is nobody's to read. Fields named like keys, secrets, passwords and
    /// authentication never are, whatever this says.
    fn is_secret(&self, component: &str, field: &str) -> bool {
        let _ = (component, field);
        false
    }

    /// Writes a line to the application's log: who did what.
    fn log(&self, level: Level, text: &str);
}
