//! `swapctl trust init`: the first version of a trust store.

use std::path::PathBuf;

use s_package::trust::{ReleaseKey, RootKey};
use s_package::{Pattern, TrustDocument, TrustStore};
use serde_json::json;

use super::holder;
use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

/// Make the first version of a trust store.
///
/// It is not signed: whoever installs it on a host decides whom the host trusts from then on.
#[derive(clap::Args)]
#[command(
    after_long_help = "Example: any one of two roots may change the store, alice signs for security\n  swapctl trust init --root r1.pub --root r2.pub --key 'alice.pub=security.*' --output trust.json"
)]
pub(crate) struct Args {
    /// A public key that may change the store; may be given several times.
    #[arg(long = "root", value_name = "PUB", required = true)]
    roots: Vec<PathBuf>,
    /// How many roots must sign a change.
    #[arg(long, default_value_t = 1)]
    root_threshold: u32,
    /// A public key that may sign packages of the components that PATTERN matches (without =PATTERN: of
    /// all); may be given several times.
    #[arg(long = "key", value_name = "PUB=PATTERN", value_parser = key_and_pattern)]
    keys: Vec<(PathBuf, Pattern)>,
    /// How many keys must sign a package, whatever its component.
    #[arg(long, default_value_t = 1)]
    threshold: u32,
    /// The trust store to write.
    #[arg(long, short)]
    output: PathBuf,
    /// Replace an existing file, and with it all protection against older versions.
    #[arg(long)]
    force: bool,
}

fn key_and_pattern(text: &str) -> Result<(PathBuf, Pattern), String> {
    let (path, pattern) = text.split_once('=').unwrap_or((text, "*"));
    Ok((PathBuf::from(path), Pattern::parse(pattern).map_err(|fault| fault.to_string())?))
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let mut roots = Vec::new();
    for path in &args.roots {
        let public = files::read_public_key(path)?;
        roots.push(RootKey::new(holder(path)?, public));
    }
    let mut keys: Vec<ReleaseKey> = Vec::new();
    for (path, pattern) in args.keys {
        let public = files::read_public_key(&path)?;
        // A key may be given once for each pattern that it may sign.
        match keys.iter_mut().find(|key| key.public == public) {
            Some(key) => key.components.push(pattern),
            None => keys.push(ReleaseKey::new(holder(&path)?, public, vec![pattern])),
        }
    }
    let mut document = TrustDocument::first(roots, keys);
    document.roots.threshold = args.root_threshold;
    document.rules.iter_mut().for_each(|rule| rule.threshold = args.threshold);
    let store = TrustStore::try_from(document)?;
    files::write(&args.output, &store.to_json(), Existing::replaced_if(args.force))?;
    let output = args.output.display().to_string();
    let (roots, keys) = (store.document().roots.keys.len(), store.document().keys.len());
    Ok(Answer::new(
        format!("{output}: version 1, root keys: {roots}, release keys: {keys}"),
        json!({ "trust": output, "version": 1, "roots": roots, "keys": keys }),
    ))
}
