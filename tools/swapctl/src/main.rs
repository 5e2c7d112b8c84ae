//! `swapctl`: makes, signs and verifies packages and trust stores, and pushes packages into a running agent.
//! This file only joins the command line to the commands: they return an answer or a failure and never
//! exit or read the command line themselves. Invariant: answers go to standard output, everything
//! else to standard error, and the exit code is one that `--help` documents.

mod cli;
mod commands;
mod describe;
mod files;
mod follow;
mod lines;
mod moment;
mod order;
mod outcome;
mod output;
mod progress;
mod render;
mod service;
mod whereabouts;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // In the child that describes a module this does not return.
    s_preflight::run_if_child();
    let cli = cli::Cli::parse();
    let outlet = output::Outlet { as_json: cli.json };
    let ended = commands::run(cli.command, &commands::Session::new(outlet));
    ExitCode::from(output::end(ended, outlet))
}
