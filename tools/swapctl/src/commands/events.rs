//! `swapctl events`: what happens in the agent, as it happens.

use std::time::Duration;

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::text;
use crate::service::Event;
use crate::whereabouts::Whereabouts;

/// The service sends what it remembers without a pause; a pause this long is its end.
const PAUSE: Duration = Duration::from_millis(700);

/// How long one wait is while nothing happens.
const FOREVER: Duration = Duration::from_secs(3600);

/// Show events: swaps, phases, overrides, and whatever modules publish.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl events\n  swapctl events -f --tag 'swap.*'\n  swapctl events -f --json | jq .payload"
)]
pub(crate) struct Args {
    /// Go on with what happens from now on, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Only events with this tag; `swap.*` stands for all that begin so.
    #[arg(long, default_value = "*")]
    tag: String,
    /// Only events after this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    since: u64,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let service = session.service(&args.at)?;
    let mut events = service.events(&args.tag, Some(args.since))?;
    let patience = if args.follow { FOREVER } else { PAUSE };
    loop {
        match events.next(patience)? {
            Some(event) => session.outlet.say(&show(&event), &event.json())?,
            None if args.follow => {}
            None => return Ok(Answer::said()),
        }
    }
}

fn show(event: &Event) -> String {
    if event.tag == "missed" {
        let count = text(&event.data, "count");
        return format!("({count} events came faster than they were read)");
    }
    let (at, source) = (text(&event.data, "at"), text(&event.data, "source"));
    let mut line = format!("{}  {at}  {source}  {}", event.id.unwrap_or_default(), event.tag);
    match &event.data["payload"] {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                line.push_str(&format!("  {name}={}", crate::render::shown(value)));
            }
        }
        payload => line.push_str(&format!("  {payload}")),
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_line() {
        let event = Event {
            id: Some(12),
            tag: "swap.verify".into(),
            data: json!({ "at": "2026-11-21T22:00:00Z", "source": "swap-manager",
                "payload": { "txn": 7, "passed": true, "took_us": 1204 } }),
        };
        assert_eq!(
            show(&event),
            "12  2026-11-21T22:00:00Z  swap-manager  swap.verify  passed=yes  took_us=1204  txn=7"
        );
    }
}
