//! `swapctl trust show`: a trust store or an update, readable.

use std::fmt::Write as _;
use std::path::PathBuf;

use s_package::{Timestamp, TrustStore};
use serde_json::json;

use super::{read_update, store_in};
use crate::files;
use crate::output::{Answer, Failure};

/// Show a trust store or a trust update.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A trust store, or an update with or without signatures.
    file: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let bytes = files::read(&args.file, s_package::trust::BYTES_MAX as u64)?;
    // Only an update has a payload; which of the two it is decides which error a bad file gets.
    let is_update = serde_json::from_slice::<serde_json::Value>(&bytes)
        .is_ok_and(|value| value.get("payload").is_some());
    let (store, signatures) = if is_update {
        let envelope = read_update(&args.file)?;
        let keys: Vec<_> = envelope.signatures().iter().map(|signature| signature.key).collect();
        (store_in(&envelope, &args.file)?, Some(keys))
    } else {
        let store =
            TrustStore::parse(&bytes).map_err(|fault| Failure::from(fault).about(&args.file))?;
        (store, None)
    };

    let document = store.document();
    let kind = if is_update { "update to version" } else { "version" };
    let mut text = format!("trust store, {kind} {}\n", document.version);
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(text, "{words}").expect("writing to a string does not fail");
    };
    line(format_args!("changes need {} of these root keys:", document.roots.threshold));
    for root in &document.roots.keys {
        line(format_args!("  {}  {}{}", root.id, root.name, until(root.expires)));
    }
    line(format_args!("packages may be signed by:"));
    for key in &document.keys {
        let patterns: Vec<_> = key.components.iter().map(|pattern| pattern.as_str()).collect();
        let (id, name, expires) = (key.id, &key.name, until(key.expires));
        line(format_args!("  {id}  {name}  for {}{expires}", patterns.join(" ")));
    }
    line(format_args!("and need so many of these keys (the highest that matches):"));
    for rule in &document.rules {
        line(format_args!("  {}  {}", rule.threshold, rule.components));
    }
    if let Some(signatures) = &signatures {
        let ids: Vec<_> = signatures.iter().map(ToString::to_string).collect();
        let ids = if ids.is_empty() { "nobody yet".to_owned() } else { ids.join(", ") };
        line(format_args!("signed by (not verified): {ids}"));
    }
    Ok(Answer::new(text, json!({ "store": document, "update_signed_by": signatures })))
}

fn until(expires: Option<Timestamp>) -> String {
    expires.map(|moment| format!("  until {moment}")).unwrap_or_default()
}
