//! `swapctl verify`: would a host with this trust store admit the package?

use std::collections::BTreeMap;
use std::path::PathBuf;

use s_package::{Conditions, Limits, Manifest, Override, Timestamp, Triple, admit};
use serde_json::json;

use crate::commands;
use crate::files;
use crate::output::{Answer, Failure};

/// Say whether a host with this trust store would admit a package, or why not.
///
/// Checks size limits, form, signatures, authority, expiry, target, code digests and, with
/// --recorded-epoch, that the release is not older than one already admitted.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl verify --trust trust.json usm.smod\n  swapctl verify --trust trust.json --target aarch64-unknown-linux-gnu --at 2027-06-01T00:00:00Z usm.smod"
)]
pub(crate) struct Args {
    /// The package.
    package: PathBuf,
    /// The trust store.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The host's target, if it is not this machine's.
    #[arg(long)]
    target: Option<Triple>,
    /// Judge as of this moment instead of now.
    #[arg(long, value_name = "UTC")]
    at: Option<Timestamp>,
    /// The highest epoch that the host has admitted for this component.
    #[arg(long, value_name = "EPOCH")]
    recorded_epoch: Option<u64>,
    /// Judge as if the local operator allowed a package below the recorded epoch.
    #[arg(long)]
    allow_downgrade: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let trust = files::read_trust(&args.trust)?;
    let package = files::read_package(&args.package)?;
    let about = |refusal: s_package::Refusal| Failure::from(refusal).about(&args.package);

    let mut recorded_epochs = BTreeMap::new();
    if let Some(epoch) = args.recorded_epoch {
        // Only to learn which component the epoch is for; admission reads the package again.
        let archive = files::split(&package, &args.package)?;
        let manifest = Manifest::parse(archive.manifest).map_err(|fault| about(fault.into()))?;
        recorded_epochs.insert(manifest.module.component, epoch);
    }
    let conditions = Conditions {
        trust: &trust,
        now: match args.at {
            Some(moment) => moment,
            None => commands::now()?,
        },
        target: &args.target.unwrap_or_else(commands::host_target),
        recorded_epochs: &recorded_epochs,
        operator: args.allow_downgrade.then_some(Override::LocalDowngrade),
        limits: Limits::DEFAULT,
    };
    let admitted = admit(package, &conditions).map_err(about)?;

    let (manifest, module) = (admitted.manifest(), &admitted.manifest().module);
    let signers: Vec<_> = admitted
        .signers()
        .iter()
        .filter_map(|&id| trust.release_key(id))
        .map(|key| format!("{} ({})", key.id, key.name))
        .collect();
    let needed = trust.threshold(&module.component).unwrap_or_default();
    let (component, version, target) = (&module.component, &module.version, admitted.target());
    let epoch = manifest.epoch;
    let mut answer = Answer::new(
        format!(
            "{}: admitted\ncomponent  {component} {version}, epoch {epoch}\ntarget     {target}\n\
             signed by  {}, {needed} needed",
            args.package.display(),
            signers.join(", ")
        ),
        json!({ "admitted": true, "component": component, "version": version, "epoch": epoch,
            "target": target, "signers": admitted.signers(), "threshold": needed,
            "sha256": admitted.digest(), "override_used": admitted.used_override().is_some() }),
    );
    if let Some(used) = admitted.used_override() {
        answer.warnings.push(format!(
            "admitted only because of --allow-downgrade: epoch {} is below the recorded {}",
            used.admitted_epoch, used.recorded_epoch
        ));
    }
    Ok(answer)
}
