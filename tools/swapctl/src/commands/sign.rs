//! `swapctl sign`: adds signatures to a package, in place.

use std::path::PathBuf;

use s_package::Limits;
use serde_json::json;

use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

/// Add signatures to a package, in place.
///
/// Several people can sign one after the other; a key counts once. Before signing, the code is held
/// against the manifest. Look at what you sign with `swapctl inspect` first.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl sign --key alice.key usm.smod\n  swapctl sign --key alice.key --key bob.key usm.smod --output usm-signed.smod"
)]
pub(crate) struct Args {
    /// The package.
    package: PathBuf,
    /// A secret key file; may be given several times.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Write the signed package here and leave the given one as it is.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Replace an existing --output.
    #[arg(long, requires = "output")]
    force: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let mut package = files::read_package(&args.package)?;
    let mut signed_by = Vec::new();
    for path in &args.keys {
        let key = files::read_secret_key(path)?;
        package = s_package::sign(&package, &key, &Limits::DEFAULT)
            .map_err(|refusal| Failure::from(refusal).about(&args.package))?;
        signed_by.push(key.public().id());
    }
    let (output, existing) = match &args.output {
        Some(output) => (output, Existing::replaced_if(args.force)),
        None => (&args.package, Existing::Replace),
    };
    files::write(output, &package, existing)?;
    let ids: Vec<_> = signed_by.iter().map(ToString::to_string).collect();
    Ok(Answer::new(
        format!("{}: signed by {}", output.display(), ids.join(", ")),
        json!({ "package": output.display().to_string(), "signed_by": signed_by }),
    ))
}
