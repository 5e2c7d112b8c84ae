//! `swapctl`: makes, signs, inspects and verifies packages and trust stores.
//! This file only joins the command line to the commands: they return an answer or a failure and never
//! print, exit or read the command line themselves. Invariant: answers go to standard output, everything
//! else to standard error, and the exit code is one that `--help` documents.

mod cli;
mod commands;
mod describe;
mod files;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // In the child that describes a module this does not return.
    s_preflight::run_if_child();
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(answer) => output::answer(&answer, cli.json),
        Err(failure) => output::failure(&failure, cli.json),
    }
}
