//! `swapctl script`: commands from a file, up to the first that does not do its work.

use std::path::PathBuf;

use crate::commands::Session;
use crate::files;
use crate::lines;
use crate::output::{self, Answer, Failure};
use crate::whereabouts::Whereabouts;

/// No script that a person could review is longer.
const BYTES_MAX: u64 = 1 << 20;

const AFTER_HELP: &str = "\
A script has one command on each line: those of swapctl without `swapctl` before them, and
  Replace COMPONENT FILE                        a push of one package
  Syn_Replace COMPONENT FILE [COMPONENT FILE]   a push of several as one swap
  Add COMPONENT FILE                            the same for a component without module
  Remove COMPONENT...                           a push that takes modules out
  SetTimer SECONDS                              from here on, how long modules may take to become ready
A line that begins with a blank continues the one before; # begins a comment. The script ends at the
first command whose exit status is not 0, and that is the script's own.

Example:
  SetTimer 2
  Syn_Replace ospf ospf-2.smod
              ip   ip-2.smod
  status";

/// Run the commands in a file.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The file; `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let file = if args.file.as_os_str() == "-" { "/dev/stdin".into() } else { args.file.clone() };
    let octets = files::read(&file, BYTES_MAX)?;
    let text = str::from_utf8(&octets)
        .map_err(|_| Failure::refused("not-text", "a script is text in UTF-8").about(&file))?;
    let session = session.with_agent(&args.at);
    for (number, command) in lines::commands(text) {
        let exit = output::end(lines::run(&command, &session), session.outlet);
        if exit != 0 {
            eprintln!("swapctl: {}:{number}: the script ends here", args.file.display());
            return Ok(Answer::said().with_exit(exit));
        }
    }
    Ok(Answer::said())
}
