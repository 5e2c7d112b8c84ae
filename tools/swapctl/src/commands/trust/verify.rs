//! `swapctl trust verify`: would a host take this update over?

use std::path::PathBuf;

use s_package::trust::BYTES_MAX;
use serde_json::json;

use crate::commands;
use crate::files;
use crate::output::{Answer, Failure};

/// Say whether an update may follow a trust store, or why not. Changes nothing.
#[derive(clap::Args)]
#[command(after_long_help = "Example:\n  swapctl trust verify --trust trust.json next.json")]
pub(crate) struct Args {
    /// The update.
    update: PathBuf,
    /// The store in force.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let next = files::read_trust(&args.trust)?
        .updated(&files::read(&args.update, BYTES_MAX as u64)?, commands::now()?)
        .map_err(|refusal| Failure::from(refusal).about(&args.update))?;
    let version = next.document().version;
    Ok(Answer::new(
        format!("{}: may follow, to version {version}", args.update.display()),
        json!({ "may_follow": true, "version": version }),
    ))
}
