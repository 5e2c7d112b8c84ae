//! Watches one swap: a line for each phase as it ends, then the outcome.
//!
//! The stream of events is opened before the swap begins, so no phase is missed; should the stream end or
//! skip, the outcome is asked for. Invariant: what is told at the end is the service's outcome, never a
//! guess from events.

use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::Session;
use crate::outcome;
use crate::output::{Answer, Failure};
use crate::progress::{self, Line};
use crate::render::{NOTHING, joined, list, micros, text};
use crate::service::{Event, Events, Service};

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The outcome.
    Ended,
    /// The outcome, or that the operator's word is awaited.
    Serving,
}

/// The phases on the way forward, in their order: what is being done while nothing is heard.
const PHASES: [&str; 9] = [
    "verify",
    "load",
    "preflight",
    "prepare",
    "quiesce",
    "map_state",
    "commit",
    "release",
    "confirm",
];

/// The last phase before the confirm window.
const RELEASE: &str = "swap.release";

/// How long one question for the outcome may wait for it, in seconds.
const WAIT_S: u64 = 30;

/// Begins a swap and watches it.
pub(crate) fn swap(
    session: &Session,
    service: &Service,
    begin: impl FnOnce() -> Result<Value, Failure>,
    until: Until,
) -> Result<Answer, Failure> {
    let mut events = service.events("swap.*", None)?;
    let begun = begin()?;
    let txn = begun["txn"].as_u64().ok_or_else(|| {
        Failure::system("the agent began a swap and did not say its number; see `swapctl history`")
    })?;
    let members = joined(list(&begun, "members"));
    session.outlet.say(&format!("swap {txn}  {members}"), &begun)?;
    watch(session, service, &mut events, txn, until)
}

fn watch(
    session: &Session,
    service: &Service,
    events: &mut Events,
    txn: u64,
    until: Until,
) -> Result<Answer, Failure> {
    let mut line = Line::new();
    let mut phase = PHASES[0];
    loop {
        match events.next(progress::TICK) {
            Ok(Some(event)) if event.txn() == Some(txn) => {
                line.clear();
                if event.tag == "swap.ended" {
                    break;
                }
                session.outlet.say(&phase_line(&event), &event.json())?;
                if until == Until::Serving && event.tag == RELEASE && passed(&event) {
                    return Ok(serving(txn));
                }
                phase = after(&event.tag);
            }
            Ok(Some(event)) if event.tag == "missed" => break,
            Ok(Some(_)) => {}
            Ok(None) => line.tick(&format!("  {phase}")),
            // The swap goes on without us; what became of it can still be asked.
            Err(_) => break,
        }
    }
    drop(line);
    ended(service, txn, until)
}

/// Waits for the end of a swap without hearing of its phases.
pub(crate) fn ended(service: &Service, txn: u64, until: Until) -> Result<Answer, Failure> {
    loop {
        let wait = if until == Until::Serving { 0 } else { WAIT_S };
        let swap = service.get(&format!("/v1/swaps/{txn}?wait={wait}"))?;
        if swap["running"] == json!(false) {
            return Ok(told(&swap["outcome"]));
        }
        if until == Until::Serving {
            if swap["phase"] == json!("confirm") {
                return Ok(serving(txn));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The answer that an outcome is.
pub(crate) fn told(outcome: &Value) -> Answer {
    let mut sentence = outcome::sentence(outcome);
    let blackout = micros(&outcome["blackout_us"]);
    if blackout != NOTHING {
        sentence.push_str(&format!("\nblackout {blackout}"));
    }
    let mut json = outcome.clone();
    if let Some(json) = json.as_object_mut() {
        json.insert("sentence".to_owned(), json!(outcome::sentence(outcome)));
    }
    Answer::new(sentence, json).with_exit(outcome::exit(outcome))
}

fn serving(txn: u64) -> Answer {
    let text = format!(
        "swap {txn} serves and awaits your word: `swapctl confirm {txn}` keeps it, `swapctl rollback \
         {txn}` or silence takes it back"
    );
    Answer::new(text, json!({ "txn": txn, "awaits": "confirm" }))
}

fn passed(event: &Event) -> bool {
    event.data["payload"]["passed"] == json!(true)
}

fn phase_line(event: &Event) -> String {
    let payload = &event.data["payload"];
    let phase = event.tag.strip_prefix("swap.").unwrap_or(&event.tag);
    let mut line = format!("  {phase:<10} {:>12}", micros(&payload["took_us"]));
    if !passed(event) {
        line.push_str("  failed");
    }
    if payload["blackout_us"].is_u64() {
        line.push_str("  blackout ");
        line.push_str(&text(payload, "blackout_us"));
        line.push_str(" µs");
    }
    line
}

fn after(tag: &str) -> &'static str {
    let mut phases = PHASES.iter();
    phases.find(|phase| tag.strip_prefix("swap.") == Some(phase));
    phases.next().copied().unwrap_or("taking back")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tag: &str, payload: Value) -> Event {
        Event { id: Some(1), tag: tag.to_owned(), data: json!({ "payload": payload }) }
    }

    #[test]
    fn a_phase_is_one_line_with_its_microseconds() {
        let verify = event("swap.verify", json!({ "txn": 7, "passed": true, "took_us": 1204 }));
        assert_eq!(phase_line(&verify), "  verify          1204 µs");
        let commit = json!({ "txn": 7, "passed": false, "took_us": 9, "blackout_us": 83 });
        assert_eq!(
            phase_line(&event("swap.commit", commit)),
            "  commit             9 µs  failed  blackout 83 µs"
        );
    }

    #[test]
    fn what_comes_next_is_known_until_a_swap_turns_back() {
        assert_eq!((after("swap.verify"), after("swap.commit")), ("load", "release"));
        assert_eq!((after("swap.abort"), after("swap.confirm")), ("taking back", "taking back"));
    }

    #[test]
    fn an_outcome_says_what_the_swap_cost() {
        let outcome = json!({ "txn": 7, "verdict": "committed", "blackout_us": 83,
            "serving": [{ "component": "a", "version": "2.0.0" }], "doubts": [] });
        let answer = told(&outcome);
        assert_eq!(answer.text, "swap 7 committed; 2.0.0 serving\nblackout 83 µs");
        assert_eq!(
            (answer.exit, &answer.json["sentence"]),
            (0, &json!("swap 7 committed; 2.0.0 serving"))
        );
        let aborted = json!({ "txn": 8, "verdict": "aborted", "serving": [] });
        assert_eq!(told(&aborted).exit, 1);
    }
}
