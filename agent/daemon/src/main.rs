//! `sagentd`: the SNMP agent that never has to stop.
//!
//! Thin: it reads the command line and the configuration, opens sockets, gives up what only root may, starts
//! the application, lends it threads and a clock, and ends it when told to. In reading order: `options`,
//! `config`, `places`, `log`, `address`, `sockets`, `privileges`, `store`, `identity`, `keeper`,
//! `first_user`, `application`, then `serving` with its `threads` and those who ask: `udp` with `batch`,
//! `stream` with `connection`, both with `answering`, `latency` and, where a module is slow, `watch` and `later`. The operator
//! is heard by `control`, whose packages `trust` judges, with `why`, `doctor` and `oids`; `metrics` are read by `local`.

mod address;
mod answering;
mod application;
mod batch;
mod commands;
mod config;
mod connection;
mod control;
mod doctor;
mod first_user;
mod identity;
mod keeper;
mod latency;
mod later;
mod local;
mod log;
mod looks;
mod metrics;
mod notify;
mod oids;
mod options;
mod places;
mod privileges;
mod serving;
mod snmpd_conf;
mod sockets;
mod store;
mod stream;
mod threads;
mod told;
mod trial;
mod trust;
mod udp;
mod watch;
mod why;

use address::Listen;
use application::Application;
use config::Configuration;
use log::Log;
use options::{Command, Options};
use privileges::Account;
use rustix::fs::FileType;
use rustix::thread::CapabilitySet;
use s_sdk::Level;
use sd_notify::NotifyState;
use serving::Serving;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sockets::Sockets;
use std::error::Error;
use std::io::{IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use trust::Trust;

fn main() -> ExitCode {
    // In the child that rehearses a module this does not return.
    s_preflight::run_if_child();
    let options = Options::of_process();
    let done = match &options.command {
        None => run(&options),
        Some(Command::Import(import)) => self::import(import),
        Some(Command::Why(asked)) => why::run(asked),
        Some(Command::Completions { shell }) => commands::completions(*shell).map_err(Into::into),
        Some(Command::Man { folder }) => commands::man(folder).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody hears it, the status says it.
            let _ = writeln!(std::io::stderr(), "sagentd: {}", s_control::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // From the first moment on: a signal that comes while the agent starts ends it in good order.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    if options.check {
        return check(options);
    }
    let mut configuration = configuration(options)?;
    let addresses = addresses(options, &configuration)?;
    let account = account(options, &configuration)?;
    // What is made from here on is for the agent's user alone, unless it says otherwise.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let log = Log::open(options.log_place(), options.least_important())?;
    warn_of(&configuration, &log);
    let sockets = Sockets::open(&addresses, threads(&configuration))?;
    let state = state_directory(options, &configuration);
    let pid_file = PidFile::write(options.pid_file.as_deref())?;
    change_user(account.as_ref(), configuration.keep(), &sockets, &state, &log)?;

    let store = Store::open(&state)?;
    let metrics = metrics::open(&configuration.metrics)?;
    let trust = trust(options, &configuration, &state)?;
    let (application, unseen) =
        application::start(&mut configuration, trust.store, &store, log.sink())?;
    let application = Arc::new(application);
    let told = configuration.control.clone();
    let control = told.unwrap_or_else(|| places::control_socket(&state));
    let operators = control::open(&application, control, &configuration.swap, trust.place)?;
    let serving = Serving::begin(&application, sockets, metrics)?;
    log.say(Level::Info, &format!("listening on {}", address::list(&addresses)));
    if let Some(unseen) = unseen {
        show(unseen, &addresses, &log)?;
    }
    // Outside of systemd there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    until_told(&mut signals, options, &application, configuration, &log);
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    // Whoever is told to end has not crashed.
    application.is_healthy();
    operators.stop();
    let kept = serving.end();
    if kept > 0 {
        log.say(
            Level::Warning,
            &format!("{kept} threads are in a module still, and end with this process"),
        );
    }
    application.runtime.worker().serve(|act| application.keeper.keep(act))?;
    drop(pid_file);
    Ok(())
}

/// Waits for the signal to end; a SIGHUP meanwhile reads the configuration again.
fn until_told(
    signals: &mut Signals,
    options: &Options,
    application: &Application,
    mut current: Configuration,
    log: &Arc<Log>,
) {
    for signal in signals.forever() {
        if signal != SIGHUP {
            log.say(Level::Info, "told to end");
            break;
        }
        let mut told = vec![NotifyState::Reloading];
        told.extend(NotifyState::monotonic_usec_now());
        let _ = sd_notify::notify(&told);
        if let Err(why) = log.reopen() {
            log.say(Level::Warning, &format!("lines go where they went: {why}"));
        }
        match reload(options, application, log, &current) {
            Ok(new) => {
                log.say(Level::Info, "the configuration was read again");
                warn_of(&new, log);
                let waiting = current.needs_restart_for(&new);
                if !waiting.is_empty() {
                    let text = format!(
                        "these have changed and wait for a restart: {}",
                        waiting.join(", ")
                    );
                    log.say(Level::Warning, &text);
                }
                // What waits for a restart goes on being compared with what is in force.
                current = current.reloaded(new);
            }
            Err(why) => {
                for line in why.to_string().lines() {
                    log.say(Level::Error, &format!("the configuration stays as it was: {line}"));
                }
            }
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }
}

/// Reads the configuration again, and has the modules take it over.
fn reload(
    options: &Options,
    application: &Application,
    log: &Log,
    current: &Configuration,
) -> Result<Configuration, Box<dyn Error>> {
    let mut new = configuration(options)?;
    if current.is_from_a_file && !new.is_from_a_file {
        let usual = places::CONFIGURATION;
        return Err(format!("{usual} is not there any more; to go without one, restart").into());
    }
    // A file that is about to be written is empty.
    if current.names_somebody() && !new.names_somebody() {
        let why = "it names no user and no community any more, as a file that is being written; to let nobody of \
                   them in, restart";
        return Err(why.into());
    }
    addresses(options, &new)?;
    account(options, &new)?;
    let (unseen, warning) = application.let_somebody_in(&mut new)?;
    warning.into_iter().chain(unseen.map(|unseen| unseen.notice())).for_each(|line| {
        log.say(Level::Warning, &line);
    });
    application.configure(&new)?;
    Ok(new)
}

fn configuration(options: &Options) -> Result<Configuration, Box<dyn Error>> {
    let usual = Path::new(places::CONFIGURATION);
    let read = match &options.config[..] {
        [] if options.no_config => return Ok(Configuration::default()),
        // One that cannot be looked at is a mistake, not a wish for none.
        [] if !usual.try_exists().map_err(|error| format!("{}: {error}", usual.display()))? => {
            return Ok(Configuration::default());
        }
        [] => Configuration::read(usual)?,
        [path] if !snmpd_conf::is_snmpd_conf(path) => Configuration::read(path)?,
        paths => snmpd_conf::read(paths)?.into_configuration()?,
    };
    Ok(Configuration { is_from_a_file: true, ..read })
}

fn warn_of(configuration: &Configuration, log: &Log) {
    for warning in &configuration.warnings {
        log.say(Level::Warning, warning);
    }
}

/// Says what the configuration amounts to.
fn check(options: &Options) -> Result<(), Box<dyn Error>> {
    let is_snmpd_conf = options.config.iter().any(|path| snmpd_conf::is_snmpd_conf(path));
    if is_snmpd_conf {
        snmpd_conf::read(&options.config)?.tell(options.json)?;
    }
    let configuration = configuration(options)?;
    account(options, &configuration)?;
    let list = address::list(&addresses(options, &configuration)?);
    application::check(&configuration)?;
    trust(options, &configuration, &state_directory(options, &configuration))?;
    match options.json {
        false => {
            let sound = format!("sagentd: the configuration is sound; would listen on {list}\n");
            commands::print(sound)?;
        }
        // The verdicts say it all.
        true if is_snmpd_conf => {}
        true => {
            let sound = serde_json::json!({ "sound": true, "listen": list });
            commands::print(format_args!("{sound}\n"))?;
        }
    }
    Ok(())
}

/// Takes over what net-snmp's snmpd has kept.
fn import(options: &options::Import) -> Result<(), Box<dyn Error>> {
    let directory = options.state_directory.clone().unwrap_or_else(places::state_directory);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let persistent = snmpd_conf::import::Persistent::read(&options.from)?;
    let manner = snmpd_conf::import::Manner { dry_run: options.dry_run, force: options.force };
    let taken = persistent.take_over(&directory, manner)?;
    let what = if options.dry_run { "would be taken over" } else { "was taken over" };
    let directory = directory.display();
    Ok(commands::print(format_args!("This {what} into {directory}:\n{taken}"))?)
}

fn addresses(options: &Options, configuration: &Configuration) -> Result<Vec<Listen>, String> {
    let listed = if options.listen.is_empty() { &configuration.listen } else { &options.listen };
    if listed.is_empty() {
        return Ok(vec![Listen::Udp(([127, 0, 0, 1], 1161).into())]);
    }
    address::read(listed).map_err(|(_, problem)| problem)
}

fn account(options: &Options, configuration: &Configuration) -> Result<Option<Account>, String> {
    let user = options.user.as_ref().or(configuration.run_as.as_ref());
    let group = options.group.as_ref().or(configuration.run_as_group.as_ref());
    match (user, group) {
        (Some(user), group) => Account::find(user, group.map(String::as_str)).map(Some),
        (None, Some(_)) => Err("a group needs a user: add `-u USER`, or `run-as`".into()),
        (None, None) => Ok(None),
    }
}

fn trust(
    options: &Options,
    configuration: &Configuration,
    state: &Path,
) -> Result<Trust, Box<dyn Error>> {
    Trust::read(options.trust.as_deref().or(configuration.swap.trust.as_deref()), state)
}

fn threads(configuration: &Configuration) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    configuration.threads.unwrap_or_else(cores)
}

fn state_directory(options: &Options, configuration: &Configuration) -> PathBuf {
    let told = options.state_directory.as_ref().or(configuration.state_directory.as_ref());
    told.cloned().unwrap_or_else(places::state_directory)
}

/// Becomes who the agent is to be, and gives up what is not needed any more.
fn change_user(
    account: Option<&Account>,
    keep: CapabilitySet,
    sockets: &Sockets,
    state: &Path,
    log: &Log,
) -> Result<(), String> {
    let Some(account) = account else {
        if rustix::process::geteuid().is_root() {
            log.say(Level::Info, "runs as root; `-u USER` has it become somebody else");
        }
        return privileges::give_up_capabilities(keep);
    };
    if rustix::process::geteuid().is_root() {
        let give = |error| {
            format!("{}: cannot be given to user {}: {error}", state.display(), account.uid)
        };
        if !state.exists() {
            Store::open(state)?;
            std::os::unix::fs::chown(state, Some(account.uid), Some(account.gid)).map_err(give)?;
        }
        sockets.give_to(account.uid, account.gid).map_err(give)?;
        log.give_to(account.uid, account.gid)
            .map_err(|error| format!("-Lf: cannot be given to user {}: {error}", account.uid))?;
    }
    account.become_it(keep)
}

/// Shows passphrases to whoever started this, and forgets them; where that is nobody says where they are.
fn show(unseen: first_user::Unseen, addresses: &[Listen], log: &Log) -> Result<(), Box<dyn Error>> {
    if log.is_on_output() || !is_read(std::io::stdout())? {
        log.say(Level::Warning, &unseen.notice());
        return Ok(());
    }
    let somewhere = addresses.first().map(ToString::to_string).unwrap_or_default();
    let mut output = std::io::stdout();
    let shown = writeln!(output, "{}", unseen.welcome(&somewhere)).and_then(|()| output.flush());
    if shown.is_err() {
        // Whoever was to read it has gone.
        log.say(Level::Warning, &unseen.notice());
        return Ok(());
    }
    Ok(unseen.forget()?)
}

/// Whether somebody reads what is written there: a terminal, a pipe or a file that the command line named; no
/// journal, which is a socket, and not what swallows everything.
fn is_read(output: impl IsTerminal + AsFd) -> std::io::Result<bool> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(output.as_fd())?.st_mode);
    Ok(output.is_terminal() || matches!(kind, FileType::Fifo | FileType::RegularFile))
}

/// A file with the number of this process, as long as it runs.
struct PidFile(Option<PathBuf>);

impl PidFile {
    fn write(path: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = path {
            // Whoever is to send signals may read it, whatever the mask keeps from others.
            let written = std::fs::File::create(path).and_then(|mut file| {
                // A device stays as it is.
                if file.metadata()?.is_file() {
                    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
                }
                writeln!(file, "{}", std::process::id())
            });
            written.map_err(|error| {
                format!("-p {}: {error}; name a file that can be written", path.display())
            })?;
        }
        Ok(PidFile(path.map(Path::to_owned)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Whoever gave up root may not be allowed to.
            let _ = std::fs::remove_file(path);
        }
    }
}
