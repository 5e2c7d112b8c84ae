//! `swapctl trust push`: a running agent takes an update over.

use std::path::PathBuf;

use s_package::trust::BYTES_MAX;

use crate::commands::Session;
use crate::files;
use crate::output::{Answer, Failure};
use crate::render::text;
use crate::whereabouts::Whereabouts;

use super::{read_update, store_in};

/// Hand a signed update to the running agent, which judges by it from then on.
///
/// The agent keeps it beside its packages. Bring its trust store file to the same version with
/// `swapctl trust update`, so that the file and the agent agree.
#[derive(clap::Args)]
#[command(after_long_help = "Example:\n  swapctl trust push next.json")]
pub(crate) struct Args {
    /// The update.
    update: PathBuf,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    // What no host could read is refused before one hears of it.
    store_in(&read_update(&args.update)?, &args.update)?;
    let update = files::read(&args.update, BYTES_MAX as u64)?;
    let answer = session.service(&args.at)?.post_octets("/v1/trust", update)?;
    let version = text(&answer, "version");
    Ok(Answer::new(format!("version {version} of the trust store is in force"), answer))
}
