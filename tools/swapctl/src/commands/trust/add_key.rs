//! `swapctl trust add-key`: one more key, or other terms for one that is there.

use std::path::PathBuf;

use s_package::trust::{ReleaseKey, RootKey};
use s_package::{Name, Pattern, Timestamp};

use super::{EditArgs, edit, holder};
use crate::files;
use crate::output::{Answer, Failure};

/// Add a key to an update, or change its components or expiry if it is there already.
#[derive(clap::Args)]
#[command(
    after_long_help = "Examples:\n  swapctl trust add-key --trust trust.json next.json --key bob.pub --components 'mib.*' --expires 2028-01-01T00:00:00Z\n  swapctl trust add-key --trust trust.json next.json --key heir.pub --root"
)]
pub(crate) struct Args {
    #[command(flatten)]
    edit: EditArgs,
    /// The public key file.
    #[arg(long, value_name = "PUB")]
    key: PathBuf,
    /// Who holds it; by default the file's name without ending.
    #[arg(long)]
    name: Option<Name>,
    /// The key counts for nothing at or after this moment.
    #[arg(long, value_name = "UTC")]
    expires: Option<Timestamp>,
    /// Components whose packages it may sign; may be given several times.
    #[arg(long, value_name = "PATTERN", required_unless_present = "root")]
    components: Vec<Pattern>,
    /// Let it change the trust store instead of signing packages.
    #[arg(long, conflicts_with = "components")]
    root: bool,
}

pub(crate) fn run(args: Args) -> Result<Answer, Failure> {
    let public = files::read_public_key(&args.key)?;
    let (id, expires) = (public.id(), args.expires);
    let name = args.name.map_or_else(|| holder(&args.key), Ok)?;
    edit(&args.edit, |document| {
        let kind = if args.root {
            let key = RootKey { id, public, name: name.clone(), expires };
            replace_or_push(&mut document.roots.keys, key, |key| key.id == id);
            "root key"
        } else {
            let components = args.components;
            let key = ReleaseKey { id, public, name: name.clone(), expires, components };
            replace_or_push(&mut document.keys, key, |key| key.id == id);
            "release key"
        };
        Ok(format!("{kind} {id} ({name}) stands in version {}", document.version))
    })
}

fn replace_or_push<K>(keys: &mut Vec<K>, key: K, is_same: impl Fn(&K) -> bool) {
    match keys.iter_mut().find(|key| is_same(key)) {
        Some(place) => *place = key,
        None => keys.push(key),
    }
}
