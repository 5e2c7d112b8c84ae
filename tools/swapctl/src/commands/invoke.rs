//! `swapctl invoke`: a method of a component, called from the shell.

use serde_json::{Value, json};

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::service::segment;
use crate::whereabouts::Whereabouts;

const AFTER_HELP: &str = "\
Examples:
  swapctl describe tally                    which methods there are, and what they take
  swapctl invoke tally add 3
  swapctl invoke auth.sha2 digest '{\"hex\": \"00ff\"}' hello

An argument that is JSON is passed as that, any other as text: write '\"3\"' for the text 3. What a module
does not understand it answers itself, and that is the error.";

/// Call a method of a component by its name.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The component.
    component: String,
    /// The method.
    method: String,
    /// Its arguments.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let path = format!("/v1/components/{}/invoke", segment(&args.component));
    let arguments: Vec<Value> = args.arguments.iter().map(|text| argument(text)).collect();
    let call = json!({ "method": args.method, "args": arguments });
    let answer = session.service(&args.at)?.post(&path, &call)?;
    let text = match &answer["result"] {
        Value::String(text) => text.clone(),
        result => format!("{result:#}"),
    };
    Ok(Answer::new(text, answer))
}

fn argument(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_json_is_text() {
        let said = ["3", "\"3\"", "hello", "{\"hex\":\"00\"}", "1.3.6"].map(argument);
        assert_eq!(said[..3], [json!(3), json!("3"), json!("hello")]);
        assert_eq!(said[3..], [json!({ "hex": "00" }), json!("1.3.6")]);
    }
}
