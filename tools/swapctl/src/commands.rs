//! The commands, one file each, in the order in which a package meets them. A command takes its
//! arguments and returns an answer or a failure.

pub(crate) mod keygen;
pub(crate) mod pack;
pub(crate) mod sign;

pub(crate) mod inspect;
pub(crate) mod verify;

pub(crate) mod trust;

pub(crate) mod completions;
pub(crate) mod man;

use crate::cli::Command;
use crate::output::{Answer, Failure};

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Keygen(args) => keygen::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Trust(args) => trust::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The target that swapctl itself was built for, and that it assumes where none is given.
pub(crate) fn host_target() -> s_package::Triple {
    s_package::Triple::parse(env!("SWAPCTL_TARGET"))
        .expect("the build script passes on rustc's own triple")
}

/// The present moment.
pub(crate) fn now() -> Result<s_package::Timestamp, Failure> {
    let wrong_clock =
        || Failure::system("the clock of this host is not between 1970 and 9999; set it");
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|_| wrong_clock())?;
    s_package::Timestamp::from_unix_seconds(since_1970.as_secs()).map_err(|_| wrong_clock())
}
