//! `swapctl plan`: what a push would change, found out without changing anything.

use serde_json::Value;

use crate::commands::Session;
use crate::order::OrderArgs;
use crate::output::{Answer, Failure};
use crate::render::{brief, joined, line, list, micros, shown, text};
use crate::whereabouts::Whereabouts;

const AFTER_HELP: &str = "\
Example:
  swapctl plan message-v3.smod usm.smod --remove priv.des

Lines with + are gained, lines with - lost. The expected pause is the middle of what earlier swaps of
these components took. The exit status is 1 when the agent would refuse the swap.";

/// Show what a push would change: methods, state, dependencies, OIDs, and how long callers would wait.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    make(&args.order, &args.at, session)
}

/// Asks for the plan of an order.
pub(crate) fn make(
    order: &OrderArgs,
    at: &Whereabouts,
    session: &Session,
) -> Result<Answer, Failure> {
    let order = order.read(session.votes_within.get())?;
    let service = session.service(at)?;
    order.adds_what_is_not_there(&service)?;
    let plan = service.order("/v1/plans", &order)?;
    let exit = u8::from(!list(&plan, "refusals").is_empty());
    Ok(Answer::new(show(&plan), plan).with_exit(exit))
}

fn show(plan: &Value) -> String {
    let mut out = String::new();
    for member in list(plan, "members") {
        show_member(&mut out, member);
    }
    let pause = match plan["expected_pause_us"].as_u64() {
        Some(_) => micros(&plan["expected_pause_us"]),
        None => "not known: no swap of these components is remembered".to_owned(),
    };
    line(&mut out, format_args!("expected pause  {pause}"));
    for warning in list(plan, "warnings") {
        line(&mut out, format_args!("warning         {}", shown(warning)));
    }
    for refusal in list(plan, "refusals") {
        line(&mut out, format_args!("refused         {}", shown(refusal)));
    }
    line(&mut out, format_args!("Nothing has changed."));
    out
}

fn show_member(out: &mut String, member: &Value) {
    let versions = match (member["from"].as_str(), member["to"].as_str()) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(version), None) | (None, Some(version)) => version.to_owned(),
        (None, None) => String::new(),
    };
    let gate =
        if member["gated"] == Value::Bool(true) { "  (callers wait at the gate)" } else { "" };
    let (component, change) = (text(member, "component"), text(member, "change"));
    line(out, format_args!("{component}  {change} {versions}{gate}"));
    differences(out, "method", &member["methods"]);
    differences(out, "behavior", &member["behaviors"]);
    let state = &member["state"];
    for (sign, fields) in [('+', "fields_gained"), ('-', "fields_lost")] {
        for field in list(state, fields) {
            line(out, format_args!("  {sign} state field  {}", brief(&shown(field))));
        }
    }
    if state["mapped"] == Value::Bool(false) {
        line(out, format_args!("  ! state is NOT taken over: {}", text(state, "why")));
    }
    differences(out, "dependency", &member["dependencies"]);
    for (what, difference) in member["application"].as_object().into_iter().flatten() {
        if difference["gained"].is_array() || difference["lost"].is_array() {
            differences(out, what, difference);
        } else {
            line(out, format_args!("    {what}  {}", shown(difference)));
        }
    }
}

fn differences(out: &mut String, what: &str, difference: &Value) {
    for (sign, key) in [('+', "gained"), ('-', "lost")] {
        for one in list(difference, key) {
            let one = match one {
                Value::Array(parts) => joined(parts),
                Value::Object(_) if one["component"].is_string() => {
                    format!("{} {}", text(one, "component"), text(one, "range"))
                }
                Value::Object(_) if one["name"].is_string() => {
                    format!("{} {}", text(one, "name"), text(one, "version"))
                }
                _ => shown(one).into_owned(),
            };
            line(out, format_args!("  {sign} {what}  {}", brief(&one)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_gained_and_lost_is_shown() {
        let plan = json!({
            "members": [
                { "component": "security.usm", "change": "replace", "from": "1.0.0", "to": "2.0.0", "gated": true,
                  "methods": { "gained": ["fn b()"], "lost": ["fn a()"] }, "behaviors": { "gained": [], "lost": [] },
                  "state": { "fields_gained": ["users.realm: text"], "fields_lost": [], "mapped": false, "why": "no rule" },
                  "dependencies": { "gained": [{ "component": "auth.sha2", "range": "^2" }], "lost": [] },
                  "application": { "oids": { "gained": ["1.3.6.1"], "lost": [] } } },
                { "component": "priv.des", "change": "remove", "from": "1.0.0", "to": null, "gated": false },
            ],
            "expected_pause_us": 83, "refusals": ["security.usm: too old"], "warnings": ["careful"],
        });
        assert_eq!(
            show(&plan),
            "\
security.usm  replace 1.0.0 -> 2.0.0  (callers wait at the gate)
  + method  fn b()
  - method  fn a()
  + state field  users.realm: text
  ! state is NOT taken over: no rule
  + dependency  auth.sha2 ^2
  + oids  1.3.6.1
priv.des  remove 1.0.0
expected pause  83 µs
warning         careful
refused         security.usm: too old
Nothing has changed.
"
        );
    }

    #[test]
    fn a_pause_that_nobody_knows_is_not_made_up() {
        assert!(show(&json!({ "members": [], "expected_pause_us": null })).contains("not known"));
    }
}
