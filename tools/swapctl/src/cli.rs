//! The command line as a whole; each command's own arguments stand in its file under `commands/`.

use clap::{Parser, Subcommand};

use crate::commands::{completions, inspect, keygen, man, pack, sign, trust, verify};

const AFTER_HELP: &str = "\
From code to a package that a host admits:
  swapctl keygen root                     root.key (secret) and root.pub
  swapctl keygen alice                    alice.key and alice.pub
  swapctl trust init --root root.pub --key 'alice.pub=security.*' --output trust.json
  swapctl pack usm.so --facts usm.json --epoch 1 --output usm.smod
  swapctl sign --key alice.key usm.smod
  swapctl verify --trust trust.json usm.smod

Exit codes:
  0  done
  1  refused: the package, key, trust store or update was judged and turned down, or a file
     would have been overwritten
  2  usage: the command line was not understood
  3  a file or the system did not cooperate (missing, unreadable, disk full)

Answers go to standard output, errors and warnings to standard error. With --json both are one
JSON object per line; an error is {\"error\": WORD, \"message\": TEXT, \"exit\": CODE}.";

/// Make, sign, inspect and verify packages of S-modules, and decide whose signatures count.
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
    Completions(completions::Args),
    Man(man::Args),
}
