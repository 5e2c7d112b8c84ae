//! `swapctl doctor`: what the agent finds wrong with itself and its surroundings.

use serde_json::{Value, json};

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::render::{line, text};
use crate::whereabouts::Whereabouts;

/// Ask the agent for its state of health. The exit status is 1 when something needs a cure.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let found = session.service(&args.at)?.get("/v1/application/doctor")?;
    let checks = found.as_array().map_or(&[][..], Vec::as_slice);
    let exit = u8::from(checks.iter().any(|check| check["ok"] != json!(true)));
    let text = show(checks);
    Ok(Answer::new(text, json!({ "checks": found, "well": exit == 0 })).with_exit(exit))
}

fn show(checks: &[Value]) -> String {
    let mut out = String::new();
    for check in checks {
        let mark = if check["ok"] == json!(true) { "ok     " } else { "NOT OK " };
        line(&mut out, format_args!("{mark} {}: {}", text(check, "check"), text(check, "says")));
        if check["ok"] != json!(true) && check["cure"].is_string() {
            line(&mut out, format_args!("        cure: {}", text(check, "cure")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_its_cure() {
        let checks = [
            json!({ "check": "disk", "ok": true, "says": "9 GiB free", "cure": "none needed" }),
            json!({ "check": "trust", "ok": false, "says": "expires tomorrow", "cure": "rotate the keys" }),
        ];
        assert_eq!(
            show(&checks),
            "ok      disk: 9 GiB free\nNOT OK  trust: expires tomorrow\n        cure: rotate the keys\n"
        );
    }
}
