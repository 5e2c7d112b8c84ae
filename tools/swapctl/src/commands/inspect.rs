//! `swapctl inspect`: what a package says about itself. Proves nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use s_package::envelope::MANIFEST_TYPE;
use s_package::manifest::Code;
use s_package::{Digest, Envelope, Manifest, Refusal};
use serde_json::json;

use crate::files;
use crate::output::{Answer, Failure};

/// Show what a package says about itself.
///
/// Proves nothing: everything shown is a claim until `swapctl verify` has admitted the package.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl inspect usm.smod\n  swapctl inspect --json usm.smod | jq .manifest.epoch"
)]
pub(crate) struct Args {
    /// The package.
    package: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let package = files::read_package(&args.package)?;
    let archive = files::split(&package, &args.package)?;
    let about = |refusal: Refusal| Failure::from(refusal).about(&args.package);
    let manifest = Manifest::parse(archive.manifest).map_err(|fault| about(fault.into()))?;
    let envelope = archive
        .signatures
        .map(|signatures| Envelope::parse(signatures, MANIFEST_TYPE))
        .transpose()
        .map_err(|fault| about(fault.into()))?;
    let signatures: Vec<_> =
        envelope.iter().flat_map(Envelope::signatures).map(|signature| signature.key).collect();
    let same_manifest =
        envelope.as_ref().is_none_or(|envelope| envelope.payload() == archive.manifest);
    let code_fits = |target, signed: &Code| {
        archive.code.get(target).is_some_and(|&bytes| Code::of(bytes) == *signed)
    };
    let digest = Digest::of(&package);

    let mut text = format!("claims of {}; nothing is verified\n", args.package.display());
    let mut line = |what: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "{what:<14}{value}").expect("writing to a string does not fail");
    };
    let module = &manifest.module;
    line("component", &module.component);
    line("version", &module.version);
    if !module.annotation.as_str().is_empty() {
        line("annotation", &module.annotation);
    }
    line("module", &module.name);
    for behavior in &module.behaviors {
        line("behavior", &format!("{} {}  {}", behavior.name, behavior.version, behavior.hash));
    }
    for dependency in &module.dependencies {
        line("depends on", &format!("{} {}", dependency.component, dependency.range));
    }
    if let Some(state) = &module.state {
        let (imports, exports) = (&state.imports, &state.exports);
        let versions = format!(
            "{} version {}, imports {imports:?}, exports {exports:?}",
            state.kind, state.version
        );
        line("state", &versions);
    }
    for table in &module.resident_tables {
        line("table", &format!("{}  {}", table.name, table.row_hash));
    }
    line("toolchain", &module.toolchain);
    line("abi version", &module.abi_version);
    line("epoch", &manifest.epoch);
    if let Some(not_before) = manifest.not_before {
        line("not before", &not_before);
    }
    if let Some(expires) = manifest.expires {
        line("expires", &expires);
    }
    for (target, code) in &manifest.targets {
        let fits = if code_fits(target, code) { "" } else { "  THE CODE IN THE PACKAGE DIFFERS" };
        line("target", &format!("{target}  {} bytes  {}{fits}", code.size, code.sha256));
    }
    for key in &signatures {
        line("signature", &format!("{key}  (not verified)"));
    }
    if signatures.is_empty() {
        line("signature", &"none");
    }
    if !same_manifest {
        line("manifest", &"DIFFERS FROM THE ONE THAT WAS SIGNED");
    }
    line("sha256", &digest);

    let code_as_claimed = manifest.targets.iter().all(|(target, code)| code_fits(target, code));
    let json = json!({ "verified": false, "manifest": manifest, "signatures": signatures,
        "code_as_claimed": code_as_claimed, "manifest_as_signed": same_manifest,
        "bytes": package.len(), "sha256": digest });
    Ok(Answer::new(text, json))
}
