//! `swapctl trust sign`: a root signs an update.

use std::path::PathBuf;

use serde_json::json;

use super::{read_update, store_in};
use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

/// Sign a trust update with a root key, in place.
///
/// Look at it with `swapctl trust show` first: it is the whole new store. A new root signs too, which
/// proves that somebody holds its secret.
#[derive(clap::Args)]
#[command(after_long_help = "Example:\n  swapctl trust sign --key root.key next.json")]
pub(crate) struct Args {
    /// The update.
    update: PathBuf,
    /// A secret key file of a root; may be given several times.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let mut envelope = read_update(&args.update)?;
    // Nobody signs what no host could read.
    let version = store_in(&envelope, &args.update)?.document().version;
    let mut signed_by = Vec::new();
    for path in &args.keys {
        let key = files::read_secret_key(path)?;
        envelope.sign(&key);
        signed_by.push(key.public().id());
    }
    files::write(&args.update, &envelope.to_json(), Existing::Replace)?;
    let path = args.update.display().to_string();
    let ids: Vec<_> = signed_by.iter().map(ToString::to_string).collect();
    Ok(Answer::new(
        format!("{path}: update to version {version} signed by {}", ids.join(", ")),
        json!({ "update": path, "version": version, "signed_by": signed_by }),
    ))
}
