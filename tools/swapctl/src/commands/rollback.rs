//! `swapctl rollback`: back to what served before, within the confirm window or long after it.

use serde_json::json;

use crate::commands::{Session, running_swap};
use crate::follow::{self, Until};
use crate::outcome::ROLLED_BACK;
use crate::output::{Answer, Failure};
use crate::whereabouts::Whereabouts;

const AFTER_HELP: &str = "\
Examples:
  swapctl rollback                                          the swap in its confirm window
  swapctl rollback --component security.usm                 to the version before
  swapctl rollback --component security.usm --to 1.0.0      to one that `swapctl versions` lists";

/// Bring older versions back.
///
/// Within the confirm window the predecessors return. Later, an older version comes back as a swap of its
/// own, told phase by phase like a push, from the packages that the agent has kept.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The swap's number; by default the one that runs.
    #[arg(conflicts_with = "component")]
    txn: Option<u64>,
    /// Swap this component to a version that served before.
    #[arg(long)]
    component: Option<String>,
    /// The version to go back to; by default the one before.
    #[arg(long, value_name = "VERSION", requires = "component")]
    to: Option<String>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let service = session.service(&args.at)?;
    if let Some(component) = &args.component {
        let wanted = json!({ "component": component, "to": args.to });
        let begin = || service.post("/v1/rollbacks", &wanted);
        return follow::swap(session, &service, begin, Until::Ended);
    }
    let txn = running_swap(&service, args.txn)?;
    service.post(&format!("/v1/swaps/{txn}/rollback"), &json!({}))?;
    let answer = follow::ended(&service, txn, Until::Ended)?;
    // Here it is what was asked for.
    let exit = if answer.exit == ROLLED_BACK { 0 } else { answer.exit };
    Ok(answer.with_exit(exit))
}
