//! A look at the state that a module would hand to its successor.
//!
//! The module exports a copy while it serves, as it does for the rehearsal of a successor; no gate closes. What in it
//! is nobody's to read is for whoever shows it to leave out.

use crate::manager::SwapManager;
use crate::member::schema_of;
use s_sdk::value::Value;

/// A copy of a module's state.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The version of the module.
    pub version: String,
    /// What kind of state it is.
    pub kind: String,
    /// The version of the state.
    pub state_version: u32,
    /// The state.
    pub state: Value,
}

/// Why there is no state to look at.
#[derive(Debug, thiserror::Error)]
pub enum CarriedFault {
    /// No such component.
    #[error("no component is named `{0}`; the status has the names")]
    NoSuchComponent(String),
    /// No module, or one without state.
    #[error("component `{0}` carries no state now")]
    Nothing(String),
    /// The module did not export it, or not as it said.
    #[error("the module of `{component}` did not export its state: {why}")]
    NotExported {
        /// The component.
        component: String,
        /// Why.
        why: String,
    },
}

impl SwapManager {
    /// A copy of the state that a component carries.
    ///
    /// # Errors
    /// There is none, or its module did not export it.
    pub fn state(&self, component: &str) -> Result<Carried, CarriedFault> {
        let name = || component.to_owned();
        let found = self.0.runtime.component(component);
        let found = found.ok_or_else(|| CarriedFault::NoSuchComponent(name()))?;
        let current = found.current();
        let body = current.body().ok_or_else(|| CarriedFault::Nothing(name()))?;
        let fault = |why: String| CarriedFault::NotExported { component: name(), why };
        let schema = schema_of(body.code().descriptor()).map_err(fault)?;
        let schema = schema.ok_or_else(|| CarriedFault::Nothing(name()))?;
        let octets = body.instance().export_state(schema.version);
        let octets = octets.map_err(|why| fault(why.to_string()))?;
        // State crosses as its kind, its version, and what it is.
        let crossing = Value::decode(&octets).map_err(|why| fault(why.to_string()))?;
        let Some([_, _, state]) = crossing.as_list() else {
            return Err(fault("it is not a kind, a version and a state".into()));
        };
        Ok(Carried {
            version: body.version().to_owned(),
            kind: schema.kind,
            state_version: schema.version,
            state: state.clone(),
        })
    }
}
