//! `swapctl describe`: all that the module in service says about itself.

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::{NOTHING, brief, fact, line, list, shown, text};
use crate::service::segment;
use crate::whereabouts::Whereabouts;

/// Show the identity, methods, dependencies, state and mapping rules of the module that serves.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl describe security.usm\n  swapctl describe security.usm --json | jq '.behaviors[].methods[].signature'"
)]
pub(crate) struct Args {
    /// The component.
    component: String,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let path = format!("/v1/components/{}", segment(&args.component));
    let described = session.service(&args.at)?.get(&path)?;
    Ok(Answer::new(show(&described), described))
}

fn show(described: &Value) -> String {
    let mut out = String::new();
    for (name, member) in [
        ("component", "component"),
        ("module", "module"),
        ("version", "version"),
        ("annotation", "annotation"),
        ("origin", "origin"),
        ("generation", "generation"),
        ("active", "active"),
        ("abi version", "abi_version"),
        ("target", "target"),
        ("toolchain", "toolchain"),
    ] {
        fact(&mut out, name, &text(described, member));
    }
    for dependency in list(described, "dependencies") {
        let (component, range) = (text(dependency, "component"), text(dependency, "range"));
        fact(&mut out, "depends on", &format!("{component} {range}"));
    }
    for table in list(described, "residents") {
        let (name, row, size) = (text(table, "name"), text(table, "row"), text(table, "row_size"));
        fact(&mut out, "table", &format!("{name}, rows of {row}, {size} octets each"));
    }
    for behavior in list(described, "behaviors") {
        show_behavior(&mut out, behavior);
    }
    if described["state"].is_object() {
        show_state(&mut out, &described["state"]);
    }
    out
}

fn show_behavior(out: &mut String, behavior: &Value) {
    let (name, version, hash) =
        (text(behavior, "name"), text(behavior, "version"), text(behavior, "hash"));
    line(out, format_args!("\nbehavior {name} {version}  {hash}"));
    indented(out, "  ", &text(behavior, "doc"));
    for method in list(behavior, "methods") {
        let missing =
            if method["offered"] == Value::Bool(false) { "  (not in this module)" } else { "" };
        let since = match method["since"].as_u64() {
            None | Some(0 | 1) => String::new(),
            Some(since) => format!("  since version {since}"),
        };
        line(out, format_args!("  {}{since}{missing}", text(method, "signature")));
        indented(out, "      ", &text(method, "doc"));
    }
}

fn show_state(out: &mut String, state: &Value) {
    let (kind, version) = (text(state, "kind"), text(state, "version"));
    line(out, format_args!("\nstate {kind}, version {version}"));
    for field in list(state, "fields") {
        let (path, kind) = (text(field, "path"), text(field, "type"));
        line(out, format_args!("  {}", brief(&format!("{path}: {kind}"))));
    }
    for step in list(state, "steps") {
        line(out, format_args!("  {}", brief(&shown(step))));
    }
}

fn indented(out: &mut String, margin: &str, words: &str) {
    if words != NOTHING {
        line(out, format_args!("{margin}{words}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_module_is_described_from_its_identity_to_its_rules() {
        let described = json!({
            "component": "tally", "module": "template", "version": "1.1.0", "annotation": "", "origin": "linked",
            "generation": 2, "abi_version": 1, "target": "x86_64-unknown-linux-gnu", "toolchain": "rustc 1.95.0",
            "active": false, "dependencies": [{ "component": "clock", "range": "^1" }],
            "residents": [{ "name": "rows", "row": "Row", "row_size": 16 }],
            "behaviors": [{ "name": "Tally", "version": 2, "doc": "Counts.", "hash": "00ff", "methods": [
                { "name": "add", "signature": "add(n: u64) -> u64", "doc": "Adds.", "since": 1, "offered": true },
                { "name": "sub", "signature": "sub(n: u64)", "doc": "", "since": 2, "offered": false } ] }],
            "state": { "kind": "tally", "version": 2, "fields": [{ "path": "total", "type": "u64" }],
                "steps": ["from version 1: `sum` is renamed to `total`"] },
        });
        assert_eq!(
            show(&described),
            "\
component    tally
module       template
version      1.1.0
origin       linked
generation   2
active       no
abi version  1
target       x86_64-unknown-linux-gnu
toolchain    rustc 1.95.0
depends on   clock ^1
table        rows, rows of Row, 16 octets each

behavior Tally 2  00ff
  Counts.
  add(n: u64) -> u64
      Adds.
  sub(n: u64)  since version 2  (not in this module)

state tally, version 2
  total: u64
  from version 1: `sum` is renamed to `total`
"
        );
    }
}
