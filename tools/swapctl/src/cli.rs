//! The command line as a whole; each command's own arguments stand in its file under `commands/`.

use clap::{Parser, Subcommand};

use crate::commands::{
    abort, completions, confirm, describe, doctor, events, history, inspect, invoke, keygen, man,
    pack, plan, push, rollback, script, shell, sign, state, status, top, trust, verify, versions,
    why,
};

const AFTER_HELP: &str = "\
From code to a package that a host admits:
  swapctl keygen root                     root.key (secret) and root.pub
  swapctl keygen alice                    alice.key and alice.pub
  swapctl trust init --root root.pub --key 'alice.pub=security.*' --output trust.json
  swapctl pack usm.so --facts usm.json --epoch 1 --output usm.smod
  swapctl sign --key alice.key usm.smod
  swapctl verify --trust trust.json usm.smod

From the package to a new version that serves:
  swapctl plan usm.smod                   what would change, and how long callers would wait
  swapctl push usm.smod                   one line per phase, then the outcome
  swapctl push --confirm 60s usm.smod && swapctl status && swapctl confirm
  swapctl rollback --component security.usm

Exit codes:
  0  done; of a swap: committed
  1  refused: the package, key, trust store or update was judged and turned down, a file would have
     been overwritten, or the agent refused or aborted the swap: the old version serves
  2  usage: the command line was not understood
  3  a file, the system or the agent did not cooperate (missing, unreadable, disk full, not running)
  4  rolled back: the new version served for a while and the old one is back
  5  busy: another swap runs, or too many were asked for; nothing was begun, ask again later

Answers go to standard output, errors and warnings to standard error. With --json both are one
JSON object per line; an error is {\"error\": WORD, \"message\": TEXT, \"exit\": CODE}. The outcome of a
swap is an answer, whatever it is.";

/// Make, sign and verify packages of S-modules, decide whose signatures count, and push packages into a
/// running agent.
#[derive(Parser)]
#[command(name = "swapctl", version, after_long_help = AFTER_HELP, after_help = "Use --help for examples and exit codes.")]
pub(crate) struct Cli {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Keygen(keygen::Args),
    Pack(pack::Args),
    Sign(sign::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Trust(trust::Args),

    Plan(plan::Args),
    Push(push::Args),
    Confirm(confirm::Args),
    Abort(abort::Args),
    Rollback(rollback::Args),

    Status(status::Args),
    History(history::Args),
    Versions(versions::Args),
    Describe(describe::Args),
    State(state::Args),
    Invoke(invoke::Args),
    Events(events::Args),
    Why(why::Args),
    Doctor(doctor::Args),
    Top(top::Args),

    Script(script::Args),
    Shell(shell::Args),

    Completions(completions::Args),
    Man(man::Args),
}
