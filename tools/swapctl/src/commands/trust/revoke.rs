//! `swapctl trust revoke`: one key less.

use s_package::KeyId;

use super::{EditArgs, edit};
use crate::output::{Answer, Failure};

/// Remove a key from an update.
///
/// Packages that only this key has signed are refused once the update is in force.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl trust revoke --trust trust.json next.json 00112233445566778899aabbccddeeff\n  swapctl trust revoke --trust trust.json next.json --root 00112233445566778899aabbccddeeff"
)]
pub(crate) struct Args {
    #[command(flatten)]
    edit: EditArgs,
    /// The key's id, as `swapctl trust show` prints it.
    key: KeyId,
    /// Remove it from the root keys instead of the release keys.
    #[arg(long)]
    root: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let id = args.key;
    edit(&args.edit, |document| {
        let (kind, before, after) = if args.root {
            let before = document.roots.keys.len();
            document.roots.keys.retain(|key| key.id != id);
            ("root key", before, document.roots.keys.len())
        } else {
            let before = document.keys.len();
            document.keys.retain(|key| key.id != id);
            ("release key", before, document.keys.len())
        };
        if before == after {
            let message = format!("there is no {kind} {id}; `swapctl trust show` lists the keys");
            return Err(Failure::refused("no-such-key", message));
        }
        Ok(format!("{kind} {id} is revoked in version {}", document.version))
    })
}
