//! `swapctl man`: the manual pages, from the same text as `--help`.

use std::path::PathBuf;

use clap::CommandFactory as _;
use serde_json::json;

use crate::cli::Cli;
use crate::output::{Answer, Failure};

/// Write the manual pages into a folder.
#[derive(clap::Args)]
#[command(after_long_help = "Example:\n  swapctl man ~/.local/share/man/man1 && man swapctl")]
pub(crate) struct Args {
    /// The folder; made if it is not there.
    folder: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let failed = |error: std::io::Error| {
        Failure::system(format!("cannot write manual pages: {error}")).about(&args.folder)
    };
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(failed)?;
    let folder = args.folder.display().to_string();
    Ok(Answer::new(format!("manual pages are in {folder}"), json!({ "folder": folder })))
}
