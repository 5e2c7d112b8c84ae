//! `swapctl versions`: to which versions a component can go back without a package.

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::{Table, list, text};
use crate::service::segment;
use crate::whereabouts::Whereabouts;

/// List the versions of a component that the agent keeps.
#[derive(clap::Args)]
#[command(
    after_long_help = "Go back to one of them with `swapctl rollback --component COMPONENT --to VERSION`."
)]
pub(crate) struct Args {
    /// The component.
    component: String,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let path = format!("/v1/versions/{}", segment(&args.component));
    let versions = session.service(&args.at)?.get(&path)?;
    Ok(Answer::new(show(&versions), versions))
}

fn show(versions: &Value) -> String {
    let mut table = Table::new(&["version", "from", "epoch", "package", ""]);
    for version in list(versions, "versions") {
        let serving = if version["serving"] == Value::Bool(true) { "serving" } else { "" };
        table.row(&[
            &text(version, "version"),
            &text(version, "origin"),
            &text(version, "epoch"),
            &text(version, "digest"),
            serving,
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_serving_version_is_marked() {
        let versions = json!({ "component": "a", "versions": [
            { "version": "1.0.0", "digest": null, "epoch": null, "serving": false, "origin": "factory" },
            { "version": "2.0.0", "digest": "sha256:ab", "epoch": 3, "serving": true, "origin": "package" },
        ] });
        assert_eq!(
            show(&versions),
            "\
version  from     epoch  package
1.0.0    factory  -      -
2.0.0    package  3      sha256:ab  serving
"
        );
    }
}
