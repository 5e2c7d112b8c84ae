//! `swapctl status`: what serves now, and what is being changed.

use std::time::Duration;

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::{Table, joined, line, list, shown, text};
use crate::whereabouts::Whereabouts;

/// How often a picture is asked for while nothing is heard.
const INTERVAL: Duration = Duration::from_secs(1);

/// Show the components, the versions that serve, and running swaps.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl status\n  swapctl status --watch\n  swapctl status --json | jq '.components[].version'"
)]
pub(crate) struct Args {
    /// Show it again whenever something changes, until interrupted.
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let service = session.service(&args.at)?;
    if !args.watch {
        let status = service.get("/v1/status")?;
        return Ok(Answer::new(show(&status), status));
    }
    let mut events = service.events("swap.*", None)?;
    let mut before = String::new();
    loop {
        let status = service.get("/v1/status")?;
        let now = show_components(&status);
        if now != before {
            session.outlet.clear();
            session.outlet.say(&show(&status), &status)?;
            before = now;
        }
        events.next(INTERVAL)?;
    }
}

fn show(status: &Value) -> String {
    let application = &status["application"];
    let mut out = String::new();
    if application.is_object() {
        line(
            &mut out,
            format_args!(
                "{} {}, process {}, up {}\n",
                text(application, "name"),
                text(application, "version"),
                text(application, "pid"),
                uptime(application["uptime_s"].as_f64())
            ),
        );
    }
    out + &show_components(status)
}

/// All but what changes every second.
fn show_components(status: &Value) -> String {
    let mut table =
        Table::new(&["component", "version", "generation", "module", "origin", "remarks"]);
    for component in list(status, "components") {
        table.row(&[
            &text(component, "name"),
            &text(component, "version"),
            &text(component, "generation"),
            &text(component, "module"),
            &short(&text(component, "origin")),
            &remarks(component),
        ]);
    }
    let mut out = table.to_string();
    for swap in list(status, "running") {
        let (txn, phase) = (text(swap, "txn"), text(swap, "phase"));
        let components = joined(list(swap, "components"));
        let whose =
            swap["operator"].as_str().map(|name| format!(" for {name}")).unwrap_or_default();
        line(&mut out, format_args!("swap {txn} runs{whose}, in {phase}: {components}"));
    }
    for module in list(status, "pinned") {
        line(&mut out, format_args!("pinned  {}", shown(module)));
    }
    for gone in list(status, "let_go") {
        let (component, version) = (text(gone, "component"), text(gone, "version"));
        line(&mut out, format_args!("let go  {component} {version}: {}", text(gone, "fate")));
    }
    out
}

fn remarks(component: &Value) -> String {
    let mut remarks = Vec::new();
    if let Some(predecessor) = component["predecessor"].as_str() {
        remarks.push(format!("{predecessor} comes back on rollback"));
    }
    match component["panics"].as_u64() {
        None | Some(0) => {}
        Some(1) => remarks.push("panicked once".to_owned()),
        Some(panics) => remarks.push(format!("panicked {panics} times")),
    }
    if component["critical"] == Value::Bool(true) {
        remarks.push("in an S-critical section".to_owned());
    }
    remarks.join(", ")
}

/// Enough of a hash to tell two apart.
fn short(origin: &str) -> String {
    match origin.split_once(':') {
        Some((kind, hash)) => format!("{kind}:{}", hash.chars().take(12).collect::<String>()),
        None => origin.to_owned(),
    }
}

/// A time as people say it, in its two largest units.
pub(crate) fn uptime(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return crate::render::NOTHING.to_owned() };
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_serves_is_a_table_and_what_runs_is_said_below() {
        let status = json!({
            "application": { "name": "sagentd", "version": "0.1.0", "pid": 12, "uptime_s": 3723.4 },
            "components": [
                { "name": "security.usm", "version": "2.0.0", "generation": 3, "module": "security-usm",
                  "origin": "sha256:0123456789abcdef", "predecessor": "1.0.0", "panics": 2, "critical": false },
                { "name": "priv.des", "version": null, "generation": 1, "module": null, "origin": null,
                  "predecessor": null, "panics": 0, "critical": false },
            ],
            "running": [{ "txn": 7, "operator": "root", "phase": "confirm", "components": ["security.usm"] }],
            "pinned": ["a 1.0.0: a thread"],
            "let_go": [{ "component": "a", "version": "1.0.0", "fate": "unloaded" }],
        });
        assert_eq!(
            show(&status),
            "\
sagentd 0.1.0, process 12, up 1 h 2 min

component     version  generation  module        origin               remarks
security.usm  2.0.0    3           security-usm  sha256:0123456789ab  1.0.0 comes back on rollback, panicked 2 times
priv.des      -        1           -             -
swap 7 runs for root, in confirm: security.usm
pinned  a 1.0.0: a thread
let go  a 1.0.0: unloaded
"
        );
    }

    #[test]
    fn an_uptime_has_two_units() {
        let said = [0.0, 61.5, 7200.0, 90_061.0, -1.0].map(|s| uptime(Some(s)));
        assert_eq!(said, ["0 s", "1 min 1 s", "2 h 0 min", "1 d 1 h", "0 s"]);
    }
}
