//! `swapctl abort`: a swap that is not decided yet is given up.

use serde_json::json;

use crate::commands::{Session, running_swap};
use crate::follow::{self, Until};
use crate::output::{Answer, Failure};
use crate::whereabouts::Whereabouts;

/// Give up a swap that has not committed. Nothing has changed then.
///
/// The exit status is 0 when the swap was aborted, whoever was first, and tells its outcome otherwise.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The swap's number; by default the one that runs.
    txn: Option<u64>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let service = session.service(&args.at)?;
    let txn = running_swap(&service, args.txn)?;
    service.post(&format!("/v1/swaps/{txn}/abort"), &json!({}))?;
    let answer = follow::ended(&service, txn, Until::Ended)?;
    let exit = if answer.json["verdict"] == json!("aborted") { 0 } else { answer.exit };
    Ok(answer.with_exit(exit))
}
