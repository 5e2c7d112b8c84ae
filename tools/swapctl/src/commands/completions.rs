//! `swapctl completions`: scripts that let a shell complete swapctl.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::cli::Cli;
use crate::output::{Answer, Failure};

/// Print the completion script for a shell.
#[derive(clap::Args)]
#[command(
    after_long_help = "Example:\n  swapctl completions bash > ~/.local/share/bash-completion/completions/swapctl"
)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "swapctl", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": args.shell.to_string(), "script": script });
    Ok(Answer::new(script, json))
}
