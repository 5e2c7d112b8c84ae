//! `swapctl trust`: whose signatures count. A trust store is made once and then changed only by updates
//! that its roots sign: edit (`add-key`, `revoke`, `set-threshold`), `sign`, `verify`, `update` the file, `push` to the agent.

mod add_key;
mod init;
mod push;
mod revoke;
mod set_threshold;
mod show;
mod sign;
mod update;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use s_package::envelope::TRUST_TYPE;
use s_package::trust::BYTES_MAX;
use s_package::{Envelope, Name, TrustDocument, TrustStore, UpdateRefusal};
use serde_json::json;

use crate::commands::Session;
use crate::files::{self, Existing};
use crate::output::{Answer, Failure};

const AFTER_HELP: &str = "\
Make a store, then let alice hand over to bob:
  swapctl trust init --root root.pub --key 'alice.pub=security.*' --output trust.json
  swapctl trust add-key --trust trust.json next.json --key bob.pub --components 'security.*'
  swapctl trust revoke  --trust trust.json next.json ALICE-KEY-ID
  swapctl trust show next.json
  swapctl trust sign --key root.key next.json
  swapctl trust update --trust trust.json next.json
  swapctl trust push next.json            the same for the store of the running agent

Edits collect in next.json, which is the whole new store. A host takes it over only if it is the
very next version, signed by enough roots of the old store and enough roots of the new one.";

/// Decide whose signatures count.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Show(show::Args),
    AddKey(add_key::Args),
    Revoke(revoke::Args),
    SetThreshold(set_threshold::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Update(update::Args),
    Push(push::Args),
}

pub(crate) fn run(args: Args, session: &Session) -> Result<Answer, Failure> {
    match args.command {
        Command::Init(args) => init::run(args),
        Command::Show(args) => show::run(&args, session),
        Command::AddKey(args) => add_key::run(args),
        Command::Revoke(args) => revoke::run(args),
        Command::SetThreshold(args) => set_threshold::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Update(args) => update::run(args),
        Command::Push(args) => push::run(&args, session),
    }
}

/// What every edit is given.
#[derive(clap::Args)]
struct EditArgs {
    /// The update to begin or to continue.
    update: PathBuf,
    /// The store in force, which the update will follow.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// Edit an update that is signed already; its signatures are dropped, since they were for another text.
    #[arg(long)]
    force: bool,
}

/// Changes the update, or begins it from the store in force. Nothing is written unless the outcome is a
/// store that holds together.
fn edit(
    args: &EditArgs,
    change: impl FnOnce(&mut TrustDocument) -> Result<String, Failure>,
) -> Result<Answer, Failure> {
    let current = files::read_trust(&args.trust)?.document().clone();
    let next_version = current.version.checked_add(1).ok_or_else(|| {
        Failure::refused("last-version", "this store has the last version there is; make a new one")
            .about(&args.trust)
    })?;
    let begun = args.update.try_exists().unwrap_or(true);
    let mut document = if begun {
        let envelope = read_update(&args.update)?;
        if !envelope.signatures().is_empty() && !args.force {
            let message = "this update is signed already; an edit drops its signatures: give --force, \
                           then let the roots sign again";
            return Err(Failure::refused("signed", message).about(&args.update));
        }
        store_in(&envelope, &args.update)?.document().clone()
    } else {
        TrustDocument { version: next_version, ..current.clone() }
    };
    if document.version != next_version {
        let refusal =
            UpdateRefusal::WrongVersion { current: current.version, found: document.version };
        return Err(Failure::from(refusal).about(&args.update));
    }
    let done = change(&mut document)?;
    let store = TrustStore::try_from(document)?;
    let envelope = Envelope::new(TRUST_TYPE, store.to_json());
    files::write(&args.update, &envelope.to_json(), Existing::replaced_if(begun))?;
    let path = args.update.display().to_string();
    Ok(Answer::new(
        format!(
            "{path}: {done}\nnot signed yet; continue with `swapctl trust sign --key ROOT-KEY {path}`"
        ),
        json!({ "update": path, "version": next_version, "done": done }),
    ))
}

fn read_update(path: &Path) -> Result<Envelope, Failure> {
    let bytes = files::read(path, BYTES_MAX as u64)?;
    Envelope::parse(&bytes, TRUST_TYPE)
        .map_err(|fault| Failure::from(UpdateRefusal::from(fault)).about(path))
}

fn store_in(envelope: &Envelope, path: &Path) -> Result<TrustStore, Failure> {
    TrustStore::parse(envelope.payload())
        .map_err(|fault| Failure::from(UpdateRefusal::from(fault)).about(path))
}

/// The name of a key, if none is given: its file without ending.
fn holder(path: &Path) -> Result<Name, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Name::parse(&stem).map_err(|fault| {
        Failure::usage(format!(
            "{fault}; the key is named after its file, so rename it or use --name"
        ))
    })
}
