//! `swapctl why`: which packets were refused last, why, and what to do about it.

use std::net::IpAddr;

use serde_json::Value;

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::{line, list, text};
use crate::whereabouts::Whereabouts;

/// Show the packets that the agent refused last, with the reason and the cure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only those of this address.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let path = match args.peer {
        Some(peer) => format!("/v1/application/why?peer={peer}"),
        None => "/v1/application/why".to_owned(),
    };
    let why = session.service(&args.at)?.get(&path)?;
    Ok(Answer::new(show(&why), why))
}

fn show(why: &Value) -> String {
    let mut out = String::new();
    for packet in list(why, "refused") {
        let mut who = text(packet, "peer").into_owned();
        if let Some(version) = packet["version"].as_str() {
            who.push_str(&format!("  v{version}"));
        }
        if let Some(user) = packet["user"].as_str() {
            // Whoever sent it chose the name.
            who.push_str(&format!("  as {user:?}"));
        }
        let ago = packet["last_seconds_ago"].as_f64().unwrap_or_default();
        match packet["times"].as_u64() {
            None | Some(1) => line(&mut out, format_args!("{who}  {ago:.0} s ago")),
            Some(times) => {
                line(&mut out, format_args!("{who}  {times} times, last {ago:.0} s ago"))
            }
        }
        let told = if packet["told"] == Value::Bool(true) {
            "the sender was told"
        } else {
            "the sender was told nothing"
        };
        let counter = packet["counter"].as_str().unwrap_or("none");
        let (step, reason) = (text(packet, "step"), text(packet, "reason"));
        line(&mut out, format_args!("  refused  {step} ({reason})"));
        line(&mut out, format_args!("  counter  {counter}; {told}"));
        line(&mut out, format_args!("  likely   {}", text(packet, "hint")));
        line(&mut out, format_args!("  cure     {}\n", text(packet, "cure")));
    }
    if out.is_empty() {
        out.push_str("No packet was refused.\n");
    }
    match why["overlooked"].as_u64() {
        None | Some(0) => {}
        Some(some) => line(&mut out, format_args!("And {some} that came while others were noted.")),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refused_packet_comes_with_its_cure() {
        let why = json!({ "overlooked": 2, "refused": [{
            "peer": "10.0.0.1:5", "version": "3", "user": "\u{1b}[2Jjoe", "times": 3,
            "first_seconds_ago": 9.0, "last_seconds_ago": 2.2, "reason": "wrong-digest", "step": "a step",
            "hint": "a hint", "cure": "a cure", "counter": "usmStatsWrongDigests", "told": true }] });
        assert_eq!(
            show(&why),
            "\
10.0.0.1:5  v3  as \"\\u{1b}[2Jjoe\"  3 times, last 2 s ago
  refused  a step (wrong-digest)
  counter  usmStatsWrongDigests; the sender was told
  likely   a hint
  cure     a cure

And 2 that came while others were noted.
"
        );
        assert_eq!(show(&json!({ "refused": [], "overlooked": 0 })), "No packet was refused.\n");
    }
}
