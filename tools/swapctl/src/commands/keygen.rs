//! `swapctl keygen`: a new signing key.

use std::path::PathBuf;

use s_package::SecretKey;
use serde_json::json;
use zeroize::Zeroizing;

use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

/// Make a signing key: NAME.key (secret, mode 0600) and NAME.pub.
///
/// The .pub file is what goes into trust stores and may be shown to anybody. The .key file signs; keep
/// it where hosts that admit packages cannot reach it.
#[derive(clap::Args)]
#[command(
    after_long_help = "Example:\n  swapctl keygen keys/alice      writes keys/alice.key and keys/alice.pub"
)]
pub(crate) struct Args {
    /// Where to write the key, without ending.
    name: PathBuf,
    /// Replace existing files. What only the old key can sign is lost.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let existing = Existing::replaced_if(args.force);
    let [secret_path, public_path] = ["key", "pub"].map(|ending| {
        let mut path = args.name.clone().into_os_string();
        path.push(format!(".{ending}"));
        PathBuf::from(path)
    });
    files::must_not_exist(&secret_path, existing)?;
    files::must_not_exist(&public_path, existing)?;

    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..])
        .map_err(|error| Failure::system(format!("the system gives no random bytes: {error}")))?;
    let secret = SecretKey::from_seed(&seed);
    let public = secret.public();
    files::write_secret(&secret_path, secret.to_text().as_bytes(), existing)?;
    files::write(&public_path, format!("{public}\n").as_bytes(), existing)?;

    let (id, secret, public) = (public.id(), secret_path.display(), public_path.display());
    Ok(Answer::new(
        format!(
            "key     {id}\nsecret  {secret}  (keep it; only its owner may read it)\npublic  {public}"
        ),
        json!({ "key": id, "secret_file": secret.to_string(), "public_file": public.to_string() }),
    ))
}
