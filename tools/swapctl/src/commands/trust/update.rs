//! `swapctl trust update`: an update becomes the store in force.

use std::path::PathBuf;

use s_package::trust::BYTES_MAX;
use serde_json::json;

use crate::commands;
use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

/// Take a signed update over: the trust store file becomes its next version.
#[derive(clap::Args)]
#[command(after_long_help = "Example:\n  swapctl trust update --trust trust.json next.json")]
pub(crate) struct Args {
    /// The update.
    update: PathBuf,
    /// The store in force; replaced atomically.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let current = files::read_trust(&args.trust)?;
    let next = current
        .updated(&files::read(&args.update, BYTES_MAX as u64)?, commands::now()?)
        .map_err(|refusal| Failure::from(refusal).about(&args.update))?;
    files::write(&args.trust, &next.to_json(), Existing::Replace)?;
    let (from, version) = (current.document().version, next.document().version);
    let path = args.trust.display().to_string();
    Ok(Answer::new(
        format!("{path}: version {from} became version {version}"),
        json!({ "trust": path, "version": version }),
    ))
}
