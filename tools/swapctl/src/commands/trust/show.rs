//! `swapctl trust show`: a trust store or an update, readable.

use std::fmt::Write as _;
use std::path::PathBuf;

use s_package::{KeyId, Timestamp, TrustStore};
use serde_json::json;

use super::{read_update, store_in};
use crate::commands::Session;
use crate::files;
use crate::output::{Answer, Failure};
use crate::whereabouts::Whereabouts;

/// Show a trust store or a trust update; without a file, the store that the running agent judges by.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl trust show next.json\n  swapctl trust show --json | jq .store.version"
)]
pub(crate) struct Args {
    /// A trust store, or an update with or without signatures.
    file: Option<PathBuf>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let Some(file) = &args.file else {
        let told = session.service(&args.at)?.get("/v1/trust")?;
        let store = TrustStore::parse(told.to_string().as_bytes())
            .map_err(|fault| Failure::from(fault).at("the agent's answer"))?;
        return Ok(show(&store, None));
    };
    let bytes = files::read(file, s_package::trust::BYTES_MAX as u64)?;
    // Only an update has a payload; which of the two it is decides which error a bad file gets.
    let is_update = serde_json::from_slice::<serde_json::Value>(&bytes)
        .is_ok_and(|value| value.get("payload").is_some());
    if is_update {
        let envelope = read_update(file)?;
        let keys: Vec<_> = envelope.signatures().iter().map(|signature| signature.key).collect();
        Ok(show(&store_in(&envelope, file)?, Some(&keys)))
    } else {
        let store = TrustStore::parse(&bytes).map_err(|fault| Failure::from(fault).about(file))?;
        Ok(show(&store, None))
    }
}

/// A store, or the one that an update with these signatures would make.
fn show(store: &TrustStore, signatures: Option<&[KeyId]>) -> Answer {
    let document = store.document();
    let kind = if signatures.is_some() { "update to version" } else { "version" };
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
    if let Some(signatures) = signatures {
        let ids: Vec<_> = signatures.iter().map(ToString::to_string).collect();
        let ids = if ids.is_empty() { "nobody yet".to_owned() } else { ids.join(", ") };
        line(format_args!("signed by (not verified): {ids}"));
    }
    Answer::new(text, json!({ "store": document, "update_signed_by": signatures }))
}

fn until(expires: Option<Timestamp>) -> String {
    expires.map(|moment| format!("  until {moment}")).unwrap_or_default()
}
