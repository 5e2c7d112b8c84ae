//! `swapctl state`: the state that a component would hand to its successor, without its secrets.

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::text;
use crate::service::segment;
use crate::whereabouts::Whereabouts;

/// Show the state that a component carries from version to version.
///
/// The agent blanks out what is secret, and what its name makes suspect, before it answers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component.
    component: String,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let path = format!("/v1/components/{}/state", segment(&args.component));
    let state = session.service(&args.at)?.get(&path)?;
    Ok(Answer::new(show(&state), state))
}

fn show(state: &Value) -> String {
    let (component, version) = (text(state, "component"), text(state, "version"));
    if state["state"].is_null() {
        return format!("{component} {version} carries no state");
    }
    let (kind, number) = (text(state, "kind"), text(state, "state_version"));
    format!("{component} {version}, state `{kind}` version {number}\n{:#}", state["state"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_has_a_heading_and_its_fields() {
        let state = json!({ "component": "a", "version": "1.0.0", "kind": "tally", "state_version": 2,
            "state": { "total": 3, "key": { "redacted": 16 } } });
        let shown = show(&state);
        assert!(shown.starts_with("a 1.0.0, state `tally` version 2\n{\n"), "{shown}");
        assert!(shown.contains("\"redacted\": 16"), "{shown}");
        let none = json!({ "component": "a", "version": "1.0.0", "state": null });
        assert_eq!(show(&none), "a 1.0.0 carries no state");
    }
}
