//! The command line, in snmpd's spelling where snmpd has one.

use clap::{ArgAction, Parser};
use s_sdk::Level;
use std::path::PathBuf;

/// An SNMP agent (v1, v2c, v3) whose every part can be replaced while it runs.
///
/// Without a configuration it listens on udp:127.0.0.1:1161 for one user who may read everything, whose
/// passphrases it prints at its first start, with a command to try.
#[derive(Debug, Parser)]
#[command(
    name = "sagentd",
    version,
    after_help = "Signals: HUP reads the configuration again and keeps the old one if the new is faulty; \
                  TERM and INT end the agent.\nExit status: 0 when it was told to end, 1 when it could \
                  not start or continue, 2 for a command line that makes no sense."
)]
pub(crate) struct Options {
    /// Where to listen instead of what the configuration says: `udp:ADDRESS:PORT`, `udp6:[ADDRESS]:PORT`, or a port.
    #[arg(value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// The configuration; by default /etc/sagentd/sagentd.toml if there is one.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read no configuration but that of `-c`.
    #[arg(short = 'C')]
    pub(crate) no_config: bool,
    /// Stay in the foreground; it always does.
    #[arg(short = 'f')]
    pub(crate) foreground: bool,
    /// Where log lines go: `-Le` to standard error, `-Lo` to standard output.
    #[arg(short = 'L', value_name = "WHERE", action = ArgAction::Append)]
    pub(crate) log: Vec<String>,
    /// Write the process ID to this file.
    #[arg(short = 'p', value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Where keys, boots and modules are kept.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_directory: Option<PathBuf>,
    /// Say more; twice for everything.
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Check the configuration, say what it amounts to, and end.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Options {
    pub(crate) fn logs_to_stdout(&self) -> bool {
        self.log.last().is_some_and(|place| place.starts_with('o'))
    }

    pub(crate) fn least_important(&self) -> Level {
        match self.verbose {
            0 => Level::Info,
            _ => Level::Debug,
        }
    }
}
