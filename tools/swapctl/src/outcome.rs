//! How a swap ended, from the service's JSON: its sentence and the exit status that it means.
//!
//! The sentence is the one that the agent's own log has; a test holds the two together.

use std::fmt::Write as _;

use serde_json::Value;

use crate::render::{list, shown, text};

/// The swap was undone after it had committed.
pub(crate) const ROLLED_BACK: u8 = 4;

/// The exit status that tells this verdict.
pub(crate) fn exit(outcome: &Value) -> u8 {
    match outcome["verdict"].as_str() {
        Some("committed") => 0,
        Some("rolled_back") => ROLLED_BACK,
        Some("aborted") => 1,
        _ => 3,
    }
}

/// One sentence: what became of the swap, why, and what serves.
pub(crate) fn sentence(outcome: &Value) -> String {
    let (verdict, still) = match outcome["verdict"].as_str() {
        Some("committed") => ("committed", "serving"),
        Some("aborted") => ("aborted", "still serving"),
        Some("rolled_back") => ("rolled back", "serving again"),
        _ => ("UNREACHABLE (please report)", "serving"),
    };
    let mut sentence = format!("swap {} {verdict}", text(outcome, "txn"));
    if outcome["cause"].is_object() {
        sentence.push(' ');
        sentence.push_str(&cause(&outcome["cause"]));
    }
    let serving = list(outcome, "serving");
    for (i, member) in serving.iter().enumerate() {
        sentence.push_str(if i == 0 { "; " } else { ", " });
        if serving.len() > 1 {
            add(&mut sentence, format_args!("{} ", text(member, "component")));
        }
        sentence.push_str(member["version"].as_str().unwrap_or("no module"));
    }
    add(&mut sentence, format_args!(" {still}"));
    for doubt in list(outcome, "doubts") {
        add(&mut sentence, format_args!("; {}", self::doubt(doubt)));
    }
    sentence
}

fn add(sentence: &mut String, words: std::fmt::Arguments<'_>) {
    sentence.write_fmt(words).expect("writing to a string does not fail");
}

/// `in preflight: component 2.0.0: why`
pub(crate) fn cause(cause: &Value) -> String {
    let mut words = format!("in {}: ", text(cause, "phase"));
    if let Some(component) = cause["component"].as_str() {
        words.push_str(component);
        if let Some(version) = cause["version"].as_str() {
            add(&mut words, format_args!(" {version}"));
        }
        words.push_str(": ");
    }
    words.push_str(&reason(&cause["reason"]));
    words
}

fn reason(reason: &Value) -> String {
    match named(reason) {
        ("failed", why) => shown(why).into_owned(),
        ("voted_no", why) => format!("voted no: {}", shown(why)),
        ("late", _) => "no answer before the phase's deadline".to_owned(),
        ("overdue", _) => "the deadline of the whole swap passed".to_owned(),
        ("operator", _) => "asked by the operator".to_owned(),
        ("silence", _) => "the operator did not confirm in time".to_owned(),
        ("trouble", trouble) => match named(trouble) {
            ("panic", what) => format!("panicked: {}", shown(what)),
            ("error_rate", what) => format!("too many errors: {}", shown(what)),
            ("missed_deadline", what) => format!("too slow: {}", shown(what)),
            (_, _) => shown(trouble).into_owned(),
        },
        (_, _) => shown(reason).into_owned(),
    }
}

fn doubt(doubt: &Value) -> String {
    match named(doubt) {
        ("state_at_commit", fields) => format!(
            "{} is back with its state of the commit ({})",
            text(fields, "component"),
            text(fields, "why")
        ),
        ("step", fields) => {
            let of = fields["component"].as_str().map(|component| format!(" of {component}"));
            // The number is the member's place in the plan, which the component says better.
            let action = named(&fields["action"]).0;
            format!("{action}{}: {}", of.unwrap_or_default(), text(fields, "why"))
        }
        (_, _) => shown(doubt).into_owned(),
    }
}

/// A value of one of several kinds: its kind, and what it holds.
fn named(value: &Value) -> (&str, &Value) {
    match value {
        Value::String(name) => (name, &Value::Null),
        Value::Object(object) if object.len() == 1 => {
            object.iter().next().map_or(("", value), |(name, held)| (name.as_str(), held))
        }
        _ => ("", value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s_transaction::{Action, Cause, Doubt, Outcome, Phase, Reason, Serving, Trouble, Verdict};
    use std::time::Duration;

    fn outcome(verdict: Verdict) -> Outcome {
        let serving = |component: &str, version: Option<&str>| Serving {
            component: component.to_owned(),
            version: version.map(str::to_owned),
        };
        Outcome {
            txn: 7,
            verdict,
            cause: None,
            serving: vec![serving("a.b", Some("1.0.0")), serving("c", None)],
            doubts: Vec::new(),
            blackout: Some(Duration::from_micros(83)),
            rollback_blackout: None,
            took: Duration::from_millis(5),
            phases: Vec::new(),
        }
    }

    #[test]
    fn the_sentence_is_the_agents_own() {
        let mut outcomes: Vec<Outcome> =
            [Verdict::Committed, Verdict::Aborted, Verdict::RolledBack, Verdict::Unreachable]
                .map(outcome)
                .into();
        let trouble = |trouble| Reason::Trouble(trouble);
        for reason in [
            Reason::Failed("no such thing".into()),
            Reason::VotedNo("not now".into()),
            Reason::Late,
            Reason::Overdue,
            Reason::Operator,
            Reason::Silence,
            trouble(Trouble::Panic("x".into())),
            trouble(Trouble::ErrorRate("y".into())),
            trouble(Trouble::MissedDeadline("z".into())),
        ] {
            let cause = Cause {
                phase: Phase::MapState,
                component: Some("a.b".into()),
                version: Some("2.0.0".into()),
                reason,
            };
            outcomes.push(Outcome { cause: Some(cause.clone()), ..outcome(Verdict::RolledBack) });
            let nobody = Cause { component: None, version: None, ..cause };
            outcomes.push(Outcome {
                cause: Some(nobody),
                serving: vec![Serving { component: "c".into(), version: None }],
                doubts: vec![
                    Doubt::StateAtCommit { component: "a".into(), why: "b".into() },
                    Doubt::Step { action: Action::Load(1), component: None, why: "d".into() },
                    Doubt::Step {
                        action: Action::WriteCommit,
                        component: Some("e".into()),
                        why: "f".into(),
                    },
                ],
                ..outcome(Verdict::Aborted)
            });
        }
        for outcome in outcomes {
            let json = serde_json::to_value(&outcome).unwrap();
            assert_eq!(sentence(&json), outcome.to_string());
        }
    }

    #[test]
    fn each_verdict_has_an_exit_status() {
        let told = |verdict| exit(&serde_json::to_value(outcome(verdict)).unwrap());
        let all = [Verdict::Committed, Verdict::Aborted, Verdict::RolledBack, Verdict::Unreachable];
        assert_eq!(all.map(told), [0, 1, 4, 3]);
    }
}
