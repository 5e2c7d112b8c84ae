//! `sagentd`: the SNMP agent that never has to stop.
//!
//! Thin: it reads the command line and the configuration, starts the application, lends it sockets,
//! threads and a clock, and ends it when told to. In reading order: `options`, `config`, `store`,
//! `identity`, `keeper`, `application`, `udp`, `batch`.

mod application;
mod batch;
mod config;
mod identity;
mod keeper;
mod options;
mod store;
mod udp;

use application::Application;
use clap::Parser as _;
use config::Configuration;
use options::Options;
use s_sdk::Level;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::Store;

fn main() -> ExitCode {
    // In the child that rehearses a module this does not return.
    s_preflight::run_if_child();
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sagentd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // From the first moment on: a signal that comes while the agent starts ends it in good order.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let mut configuration = configuration(options)?;
    let addresses = addresses(options, &configuration)?;
    if options.check {
        println!("sagentd: the configuration is sound; would listen on {}", list(&addresses));
        return Ok(());
    }
    for address in &addresses {
        udp::claim(*address).map_err(|error| {
            format!("{address}: {error}; end what listens there, or name another address")
        })?;
    }
    let store = Store::open(state_directory(options, &configuration))?;
    let first = let_somebody_in(&store, &mut configuration)?;
    let log = log_sink(options);
    let application = application::start(&configuration, &store, Arc::clone(&log))?;
    let stop = Arc::new(AtomicBool::new(false));
    let threads = serve(&application, &configuration, &addresses, &stop)?;
    if let (Some(passphrases), Some(address)) = (first, addresses.first()) {
        println!("{}", welcome(&passphrases, *address));
    }
    if let Some(path) = &options.pid_file {
        std::fs::write(path, format!("{}\n", std::process::id()))?;
    }
    log(Level::Info, "sagentd", "", &format!("listening on {}", list(&addresses)));
    // Outside of systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    until_told(&mut signals, options, &store, &application, &log);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        // A thread that panicked said so.
        let _ = thread.join();
    }
    application.runtime.worker().serve(|act| application.keeper.keep(act))?;
    if let Some(path) = &options.pid_file {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Waits for the signal to end; a SIGHUP meanwhile reads the configuration again.
fn until_told(
    signals: &mut Signals,
    options: &Options,
    store: &Store,
    application: &Application,
    log: &s_control::LogSink,
) {
    for signal in signals.forever() {
        if signal != SIGHUP {
            log(Level::Info, "sagentd", "", "told to end");
            break;
        }
        let read = configuration(options).and_then(|mut new| {
            let_somebody_in(store, &mut new)?;
            Ok(new)
        });
        let read = read.map_err(|error| error.to_string());
        match read.and_then(|new| application.configure(&new)) {
            Ok(()) => log(Level::Info, "sagentd", "", "the configuration was read again"),
            Err(why) => {
                let text = format!("the configuration stays as it was: {why}");
                log(Level::Error, "sagentd", "", &text);
            }
        }
    }
}

fn serve(
    application: &Application,
    configuration: &Configuration,
    addresses: &[SocketAddr],
    stop: &Arc<AtomicBool>,
) -> Result<Vec<std::thread::JoinHandle<()>>, Box<dyn Error>> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = configuration.threads.unwrap_or_else(cores).max(1);
    let mut threads = Vec::new();
    for address in addresses {
        for number in 0..count {
            let socket = udp::bind(*address).map_err(|error| format!("{address}: {error}"))?;
            let (runtime, engine) = (application.runtime, Arc::clone(&application.engine));
            let stop = Arc::clone(stop);
            let thread = std::thread::Builder::new().name(format!("snmp-{number}"));
            threads.push(thread.spawn(move || udp::serve(runtime, &engine, &socket, &stop))?);
        }
    }
    Ok(threads)
}

fn configuration(options: &Options) -> Result<Configuration, Box<dyn Error>> {
    let usual = PathBuf::from("/etc/sagentd/sagentd.toml");
    match &options.config {
        Some(path) => Ok(Configuration::read(path)?),
        None if usual.exists() && !options.no_config => Ok(Configuration::read(&usual)?),
        None => Ok(Configuration::default()),
    }
}

fn addresses(options: &Options, configuration: &Configuration) -> Result<Vec<SocketAddr>, String> {
    let listed = if options.listen.is_empty() { &configuration.listen } else { &options.listen };
    if listed.is_empty() {
        return Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1161))]);
    }
    listed.iter().flat_map(|text| text.split(',')).map(udp::address).collect()
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| format!("udp:{address}")).collect::<Vec<_>>().join(", ")
}

/// Where state is kept: as told, as systemd says, as the environment says, or where the user keeps it.
fn state_directory(options: &Options, configuration: &Configuration) -> PathBuf {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    options
        .state_directory
        .clone()
        .or_else(|| configuration.state_directory.clone())
        .or_else(|| from("STATE_DIRECTORY"))
        .or_else(|| {
            let root = rustix::process::geteuid().is_root();
            root.then(|| PathBuf::from("/var/lib/sagentd"))
        })
        .or_else(|| from("XDG_STATE_HOME").map(|home| home.join("sagentd")))
        .or_else(|| from("HOME").map(|home| home.join(".local/state/sagentd")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/sagentd"))
}

/// Gives an agent that nobody has configured a user. Answers the passphrases at the first start only.
fn let_somebody_in(
    store: &Store,
    configuration: &mut Configuration,
) -> Result<Option<[String; 2]>, Box<dyn Error>> {
    const FILE: &str = "first-user";
    if !configuration.usm.users.is_empty() || !configuration.communities.communities.is_empty() {
        return Ok(None);
    }
    if let Some(kept) = store.read(FILE)
        && let Some((auth, private)) = std::str::from_utf8(&kept.content)?.split_once('\n')
    {
        configuration.add_reader(FIRST_USER, auth, private)?;
        return Ok(None);
    }
    let passphrases = [passphrase()?, passphrase()?];
    store.write(FILE, passphrases.join("\n").as_bytes())?;
    configuration.add_reader(FIRST_USER, &passphrases[0], &passphrases[1])?;
    Ok(Some(passphrases))
}

/// The name of that user.
const FIRST_USER: &str = "reader";

/// Twenty letters and digits that are not mistaken for each other: 100 bits.
fn passphrase() -> Result<String, Box<dyn Error>> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = [0; 20];
    getrandom::fill(&mut octets)?;
    Ok(octets.iter().map(|octet| char::from(LETTERS[usize::from(octet % 32)])).collect())
}

fn welcome([auth, private]: &[String; 2], address: SocketAddr) -> String {
    format!(
        "No configuration was given, so a user was made who may read everything. This is shown once:\n\
         \n  user {FIRST_USER}, authentication {auth}, privacy {private}\n\
         \nTry it:\n\
         \n  snmpget -v3 -l authPriv -u {FIRST_USER} -a SHA-256 -A {auth} -x AES -X {private} {address} 1.3.6.1.2.1.1.3.0\n"
    )
}

/// Log lines go to standard error, or where `-Lo` says; journald reads the level from their beginning.
fn log_sink(options: &Options) -> s_control::LogSink {
    let (stdout, journal) =
        (options.logs_to_stdout(), std::env::var_os("JOURNAL_STREAM").is_some());
    let most = options.least_important();
    Arc::new(move |level, component, version, message| {
        if level as u32 > most as u32 {
            return;
        }
        let (number, word) = match level {
            Level::Error => (3, "error"),
            Level::Warning => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug => (7, "debug"),
        };
        let version = if version.is_empty() { String::new() } else { format!(" {version}") };
        let line = if journal {
            format!("<{number}>{component}{version}: {message}")
        } else {
            format!("{word}: {component}{version}: {message}")
        };
        if stdout { println!("{line}") } else { eprintln!("{line}") }
    })
}
