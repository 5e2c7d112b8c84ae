//! `swapctl push`: packages become what serves, all of them or none.

use crate::commands::{Session, plan};
use crate::follow::{self, Until};
use crate::order::OrderArgs;
use crate::output::{Answer, Failure};
use crate::whereabouts::Whereabouts;

const AFTER_HELP: &str = "\
Examples:
  swapctl push usm.smod
  swapctl push message-v3.smod usm.smod sha2.smod        one group: all three, or none
  swapctl push --remove priv.des --timeout 30s
  swapctl push --confirm 60s usm.smod && ./check && swapctl confirm

Each phase is told as it ends, with its microseconds; the swap goes on if you stop watching. With
--confirm the command ends when the new version serves and awaits your word, unless --wait is given;
otherwise it ends when the probation has passed. With --json: the swap, one object per phase, the outcome.";

/// Replace, add or remove modules of the running agent, as one swap.
///
/// Nothing has changed unless the swap commits, and if anything goes wrong afterwards the old versions come
/// back by themselves.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    order: OrderArgs,
    /// With --confirm: stay until somebody has confirmed or the time is over.
    #[arg(long, requires = "confirm")]
    wait: bool,
    /// Change nothing; show what would change. The same as `swapctl plan`.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    if args.dry_run {
        return plan::make(&args.order, &args.at, session);
    }
    let ends_in_window = args.order.confirm.is_some() && !args.wait;
    let until = if ends_in_window { Until::Serving } else { Until::Ended };
    push(&args.order, &args.at, session, until)
}

/// Pushes, and watches the swap to its end or to its confirm window.
pub(crate) fn push(
    order: &OrderArgs,
    at: &Whereabouts,
    session: &Session,
    until: Until,
) -> Result<Answer, Failure> {
    let order = order.read(session.votes_within.get())?;
    let service = session.service(at)?;
    order.adds_what_is_not_there(&service)?;
    follow::swap(session, &service, || service.order("/v1/swaps", &order), until)
}
