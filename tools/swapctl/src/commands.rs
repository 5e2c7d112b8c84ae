//! The commands, one file each, in the order in which a package meets them. A command takes its
//! arguments and returns an answer or a failure; what it has to say meanwhile goes to the session's outlet.

pub(crate) mod keygen;
pub(crate) mod pack;
pub(crate) mod sign;

pub(crate) mod inspect;
pub(crate) mod verify;

pub(crate) mod trust;

pub(crate) mod plan;
pub(crate) mod push;

pub(crate) mod abort;
pub(crate) mod confirm;
pub(crate) mod rollback;

pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod invoke;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod top;
pub(crate) mod versions;
pub(crate) mod why;

pub(crate) mod script;
pub(crate) mod shell;

pub(crate) mod completions;
pub(crate) mod man;

use std::cell::Cell;
use std::time::Duration;

use crate::cli::Command;
use crate::output::{Answer, Failure, Outlet};
use crate::render::list;
use crate::service::Service;
use crate::whereabouts::Whereabouts;

/// What commands share that run one after the other: one command, or those of a shell.
pub(crate) struct Session {
    pub(crate) outlet: Outlet,
    /// Where the agent is, for commands that do not say.
    at: Whereabouts,
    /// How long modules may take to become ready, once somebody has said so.
    pub(crate) votes_within: Cell<Option<Duration>>,
}

impl Session {
    pub(crate) fn new(outlet: Outlet) -> Self {
        Self { outlet, at: Whereabouts::default(), votes_within: Cell::new(None) }
    }

    /// The same, with one agent for all commands that do not name another.
    pub(crate) fn with_agent(&self, at: &Whereabouts) -> Self {
        let at = if at.are_told() { at } else { &self.at };
        Self { outlet: self.outlet, at: at.clone(), votes_within: self.votes_within.clone() }
    }

    /// The same, with other answers.
    pub(crate) fn with_outlet(&self, outlet: Outlet) -> Self {
        Self { outlet, at: self.at.clone(), votes_within: self.votes_within.clone() }
    }

    pub(crate) fn service(&self, at: &Whereabouts) -> Result<Service, Failure> {
        if at.are_told() { at.find() } else { self.at.find() }
    }
}

pub(crate) fn run(command: Command, session: &Session) -> Result<Answer, Failure> {
    match command {
        Command::Keygen(args) => keygen::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Trust(args) => trust::run(args, session),
        Command::Plan(args) => plan::run(&args, session),
        Command::Push(args) => push::run(&args, session),
        Command::Confirm(args) => confirm::run(&args, session),
        Command::Abort(args) => abort::run(&args, session),
        Command::Rollback(args) => rollback::run(&args, session),
        Command::Status(args) => status::run(&args, session),
        Command::History(args) => history::run(&args, session),
        Command::Versions(args) => versions::run(&args, session),
        Command::Describe(args) => describe::run(&args, session),
        Command::State(args) => state::run(&args, session),
        Command::Invoke(args) => invoke::run(&args, session),
        Command::Events(args) => events::run(&args, session),
        Command::Why(args) => why::run(&args, session),
        Command::Doctor(args) => doctor::run(&args, session),
        Command::Top(args) => top::run(&args, session),
        Command::Script(args) => script::run(&args, session),
        Command::Shell(args) => shell::run(&args, session),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The swap that is meant: the one named, or the only one that runs.
pub(crate) fn running_swap(service: &Service, named: Option<u64>) -> Result<u64, Failure> {
    if let Some(txn) = named {
        return Ok(txn);
    }
    let status = service.get("/v1/status")?;
    let running: Vec<u64> =
        list(&status, "running").iter().filter_map(|swap| swap["txn"].as_u64()).collect();
    match running[..] {
        [txn] => Ok(txn),
        [] => Err(Failure::refused(
            "no-such-swap",
            "no swap runs; `swapctl history` tells how the last ones ended, and `swapctl rollback \
             --component COMPONENT` goes back to an older version",
        )),
        _ => Err(Failure::usage(format!("several swaps run; name one of {running:?}"))),
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
