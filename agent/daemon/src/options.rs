//! The command line, in snmpd's spelling where snmpd has one.

use crate::log::Place;
use clap::{ArgAction, Parser, Subcommand};
use s_sdk::Level;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// An SNMP agent (v1, v2c, v3) whose every part can be replaced while it runs.
///
/// Without a configuration it listens on udp:127.0.0.1:1161 for one user who may read everything, whose
/// passphrases it prints at its first start, with a command to try.
#[derive(Debug, Parser)]
#[command(
    name = "sagentd",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Signals: HUP reads the configuration again and keeps the old one if the new is faulty; \
                  TERM and INT end the agent.\nExit status: 0 when it was told to end, 1 when it could \
                  not start or continue, 2 for a command line that makes no sense."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where to listen instead of what the configuration says: `udp:ADDRESS:PORT`, `udp6:[ADDRESS]:PORT`,
    /// `tcp:`, `tcp6:`, `unix:/PATH`, or a port.
    #[arg(value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// The configuration; by default /etc/sagentd/sagentd.toml if there is one. A name that does not end with
    /// `.toml` is a file in the syntax of snmpd.conf; of those there may be several.
    #[arg(short = 'c', long = "config", value_name = "FILE", value_delimiter = ',')]
    pub(crate) config: Vec<PathBuf>,
    /// Read no configuration but that of `-c`.
    #[arg(short = 'C')]
    pub(crate) no_config: bool,
    /// Stay in the foreground; it always does.
    #[arg(short = 'f')]
    pub(crate) foreground: bool,
    /// Become this user once the sockets are open: a name or a number.
    #[arg(short = 'u', value_name = "USER")]
    pub(crate) user: Option<String>,
    /// And this group, instead of the user's own.
    #[arg(short = 'g', value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Where log lines go: `-Le` to standard error, `-Lo` to standard output, `-Lf FILE`, `-Ls FACILITY`
    /// to syslog (d for daemon, u for user, 0 to 7 for local).
    #[arg(short = 'L', value_name = "WHERE", value_parser = Place::parse, overrides_with = "log")]
    pub(crate) log: Option<Place>,
    /// Write the process ID to this file.
    #[arg(short = 'p', value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Where keys, boots and modules are kept.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_directory: Option<PathBuf>,
    /// Whose packages are admitted, as `swapctl trust` writes it; by default trust.json in the state directory,
    /// and nobody's where there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Say more; twice for everything.
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say only what is wrong; twice for errors alone.
    #[arg(short = 'q', long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Check the configuration, say what it amounts to, and end: for snmpd.conf, a verdict for each line.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print what `--check` says as JSON.
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask the running agent which packets it refused last, why, and what to do about it.
    Why(Why),
    /// Take over engineID, boots and users with their keys from the persistent file of net-snmp's snmpd.
    Import(Import),
    /// Print the completion script for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder; made if it is not there.
        folder: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// Only those of this address.
    #[arg(long, value_name = "IP")]
    pub(crate) peer: Option<IpAddr>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// The state directory of the agent, where it was told one.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_directory: Option<PathBuf>,
    /// The agent's control socket, where it was told one.
    #[arg(long, value_name = "PATH", conflicts_with = "state_directory")]
    pub(crate) control: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The file that snmpd wrote when it ended.
    #[arg(long, value_name = "FILE", default_value = crate::snmpd_conf::import::USUAL)]
    pub(crate) from: PathBuf,
    /// Where keys, boots and modules are kept.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_directory: Option<PathBuf>,
    /// Say what would be taken over, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write although an agent runs, another engine's state is there, or some lines are refused.
    #[arg(long)]
    pub(crate) force: bool,
}

impl Options {
    /// The options of this process.
    pub(crate) fn of_process() -> Self {
        Self::parse_from(joined(std::env::args_os()))
    }

    pub(crate) fn log_place(&self) -> Place {
        self.log.clone().unwrap_or(Place::Errors)
    }

    pub(crate) fn least_important(&self) -> Level {
        match (self.verbose, self.quiet) {
            (0, 0) => Level::Info,
            (0, 1) => Level::Warning,
            (0, _) => Level::Error,
            _ => Level::Debug,
        }
    }
}

/// `-Lf FILE` and `-Ls FACILITY` are two arguments for snmpd and one for us.
fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let is_facility = |next: &OsString| {
        next.to_str().is_some_and(|text| {
            matches!(text.as_bytes(), [b'd' | b'D' | b'u' | b'U' | b'0'..=b'7'])
        })
    };
    for argument in arguments {
        match all.last_mut() {
            Some(last) if last == "-Lf" || (last == "-Ls" && is_facility(&argument)) => {
                last.push(" ");
                last.push(argument);
            }
            _ => all.push(argument),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Options {
        Options::parse_from(joined(line.split(' ').map(OsString::from)))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn snmpds_spellings_are_understood() {
        let options =
            parse("sagentd -f -Lf /tmp/log -u agent -g agents -p /run/pid -C -c x tcp:161 161");
        assert_eq!(options.log_place(), Place::File("/tmp/log".into()));
        assert_eq!(
            (options.user.as_deref(), options.group.as_deref()),
            (Some("agent"), Some("agents"))
        );
        assert_eq!(options.listen, ["tcp:161", "161"]);
        assert_eq!(parse("sagentd -Ls 3 161").log_place(), Place::Syslog(19));
        let syslog = parse("sagentd -Ls udp:161");
        assert_eq!((syslog.log_place(), syslog.listen.len()), (Place::Syslog(3), 1));
        assert_eq!(parse("sagentd -Lo -Le").log_place(), Place::Errors, "the last one counts");
        assert!(matches!(parse("sagentd why --json").command, Some(Command::Why(_))));
    }
}
