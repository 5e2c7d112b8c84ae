//! `swapctl history`: which swaps there were, who asked for them, and how they ended.

use serde_json::{Value, json};

use crate::commands::Session;
use crate::outcome;
use crate::output::{Answer, Failure};
use crate::render::{Table, list, micros, text};
use crate::whereabouts::Whereabouts;

/// Show the swaps since the agent's start, the oldest first.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only so many of the last.
    #[arg(long, short = 'n', value_name = "N")]
    last: Option<usize>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let history = session.service(&args.at)?.get("/v1/history")?;
    let swaps = list(&history, "swaps");
    let skipped = swaps.len().saturating_sub(args.last.unwrap_or(swaps.len()));
    let swaps = swaps.get(skipped..).unwrap_or_default();
    Ok(Answer::new(show(swaps), json!({ "swaps": swaps })))
}

fn show(swaps: &[Value]) -> String {
    let mut table = Table::new(&[
        "swap",
        "at",
        "operator",
        "outcome",
        "blackout",
        "took",
        "what serves, and why",
    ]);
    for swap in swaps {
        table.row(&[
            &text(swap, "txn"),
            &text(swap, "at"),
            &text(swap, "operator"),
            &text(swap, "verdict").replace('_', " "),
            &micros(&swap["blackout_us"]),
            &micros(&swap["took_us"]),
            &what(swap),
        ]);
    }
    if table.is_empty() { "No swap yet.".to_owned() } else { table.to_string() }
}

fn what(swap: &Value) -> String {
    let member = |member: &Value| {
        let version = member["version"].as_str().unwrap_or("no module");
        format!("{} {version}", text(member, "component"))
    };
    let mut what = list(swap, "serving").iter().map(member).collect::<Vec<_>>().join(", ");
    if swap["cause"].is_object() {
        what.push_str("; ");
        what.push_str(&outcome::cause(&swap["cause"]));
    }
    what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_swap_is_a_line_with_its_cause() {
        let swaps = [
            json!({ "txn": 7, "verdict": "committed", "operator": "root", "at": "2026-11-21T22:00:00Z",
                "blackout_us": 83, "took_us": 58_212, "cause": null,
                "serving": [{ "component": "a", "version": "2.0.0" }, { "component": "b", "version": null }] }),
            json!({ "txn": 8, "verdict": "rolled_back", "operator": null, "at": null,
                "blackout_us": null, "took_us": 9, "serving": [{ "component": "a", "version": "2.0.0" }],
                "cause": { "phase": "confirm", "component": "a", "version": "3.0.0", "reason": "silence" } }),
        ];
        assert_eq!(
            show(&swaps),
            "\
swap  at                    operator  outcome      blackout  took      what serves, and why
7     2026-11-21T22:00:00Z  root      committed    83 µs     58212 µs  a 2.0.0, b no module
8     -                     -         rolled back  -         9 µs      \
             a 2.0.0; in confirm: a 3.0.0: the operator did not confirm in time
"
        );
        assert_eq!(show(&[]), "No swap yet.");
    }
}
