//! `swapctl pack`: code and facts become an unsigned package.

use std::collections::BTreeMap;
use std::path::PathBuf;

use s_package::text::Note;
use s_package::{Digest, Limits, Release, Timestamp, Triple};
use serde_json::json;

use crate::files::{self, Existing};
use crate::output::{Answer, Failure};
use crate::{commands, describe};

const AFTER_HELP: &str = r#"Examples:
  swapctl pack usm.so --epoch 3 --output usm.smod
  swapctl pack --facts usm.json --output usm.smod \
      --target x86_64-unknown-linux-gnu=build/x86/usm.so \
      --target aarch64-unknown-linux-gnu=build/arm/usm.so

Facts (--facts) look like this, a HEX being 16 digits; what may be left out is marked (*):
  {
    "component": "security.usm",
    "version": "1.4.0",
    "annotation": "",                                                            (*)
    "name": "security-usm",
    "behaviors": [{"name": "SecurityModel", "version": 1, "hash": "HEX"}],
    "dependencies": [{"component": "auth.sha2", "range": "^1.2"}],               (*)
    "state": {"kind": "usm", "version": 3, "imports": [2, 3], "exports": [2, 3]},  (*)
    "resident_tables": [{"name": "users", "row_hash": "HEX"}],                   (*)
    "toolchain": "rustc 1.95.0",
    "abi_version": 1
  }

The package is not signed yet: continue with `swapctl sign`."#;

/// Pack code into an unsigned package.
///
/// The same code, facts and options always give the same bytes.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The code for this machine's target.
    #[arg(required_unless_present = "targets")]
    code: Option<PathBuf>,
    /// Code for another target; may be given several times.
    #[arg(long = "target", value_name = "TRIPLE=CODE", value_parser = target)]
    targets: Vec<(Triple, PathBuf)>,
    /// The package to write.
    #[arg(long, short)]
    output: PathBuf,
    /// Take the facts about the module from this file instead of describing the code.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Security epoch; raise it when older releases must never come back.
    #[arg(long, default_value_t = 0)]
    epoch: u64,
    /// Not admitted before this moment.
    #[arg(long, value_name = "UTC")]
    not_before: Option<Timestamp>,
    /// Not admitted at or after this moment, such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "UTC")]
    expires: Option<Timestamp>,
    /// Tells two builds of one version apart; replaces the annotation of the facts.
    #[arg(long)]
    annotation: Option<Note>,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
}

fn target(text: &str) -> Result<(Triple, PathBuf), String> {
    let (triple, path) = text.split_once('=').ok_or("write it as TRIPLE=CODE")?;
    Ok((Triple::parse(triple).map_err(|fault| fault.to_string())?, PathBuf::from(path)))
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let existing = Existing::replaced_if(args.force);
    files::must_not_exist(&args.output, existing)?;

    let mut code_files = BTreeMap::new();
    let own = args.code.into_iter().map(|path| (commands::host_target(), path));
    for (target, path) in own.chain(args.targets) {
        if code_files.insert(target.clone(), path).is_some() {
            return Err(Failure::usage(format!("there are two files for {target}; give one")));
        }
    }
    let own_code = code_files.get(&commands::host_target()).map(PathBuf::as_path);
    let mut facts = describe::facts(args.facts.as_deref(), own_code)?;
    if let Some(annotation) = args.annotation {
        facts.annotation = annotation;
    }
    let mut code = BTreeMap::new();
    for (target, path) in &code_files {
        code.insert(target.clone(), files::read(path, Limits::DEFAULT.code_bytes as u64)?);
    }
    let release = Release { epoch: args.epoch, not_before: args.not_before, expires: args.expires };
    let (component, version) = (facts.component.clone(), facts.version.clone());
    let package = s_package::pack(facts, release, &code)?;
    // A package that no host would read is better refused here than there.
    files::split(&package, &args.output)?;
    files::write(&args.output, &package, existing)?;

    let (output, digest) = (args.output.display(), Digest::of(&package));
    let targets: Vec<_> = code.keys().map(Triple::as_str).collect();
    Ok(Answer::new(
        format!(
            "{output}: {component} {version}, epoch {}, {} bytes for {}\n\
             not signed yet; continue with `swapctl sign --key KEY {output}`",
            args.epoch,
            package.len(),
            targets.join(", ")
        ),
        json!({ "package": output.to_string(), "component": component, "version": version,
            "epoch": args.epoch, "bytes": package.len(), "targets": targets, "sha256": digest }),
    ))
}
