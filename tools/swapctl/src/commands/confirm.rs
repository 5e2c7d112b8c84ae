//! `swapctl confirm`: the operator's word that the new versions stay.

use serde_json::json;

use crate::commands::{Session, running_swap};
use crate::follow::{self, Until};
use crate::output::{Answer, Failure};
use crate::whereabouts::Whereabouts;

/// Keep the new versions of a swap that awaits your word.
#[derive(clap::Args)]
#[command(
    after_long_help = "Example:\n  swapctl push --confirm 60s usm.smod && ./check && swapctl confirm"
)]
pub(crate) struct Args {
    /// The swap's number; by default the one that runs.
    txn: Option<u64>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let service = session.service(&args.at)?;
    let txn = running_swap(&service, args.txn)?;
    service.post(&format!("/v1/swaps/{txn}/confirm"), &json!({}))?;
    follow::ended(&service, txn, Until::Ended)
}
