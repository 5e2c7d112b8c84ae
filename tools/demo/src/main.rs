//! A small S-application: two threads call a module without pause while it is replaced under them.
//!
//! It shows what the runtime promises, on real parts: the successor is packed, signed, verified,
//! rehearsed in a confined child, loaded from sealed memory, given its predecessor's state behind a closed
//! gate, and serves; then it is swapped back. Printed are the phases, the measured blackout, and how many
//! calls were answered meanwhile. It never leaves anything behind: its repository is a temporary folder.

use clap::Parser;
use s_control::{Config, Item, Request, SwapManager};
use s_package::archive::Limits;
use s_package::key::SecretKey;
use s_package::make::{Release, pack, sign};
use s_package::text::{Name, Pattern, Triple};
use s_package::trust::{ReleaseKey, RootKey, TrustDocument, TrustStore};
use s_preflight::Rehearsal;
use s_transaction::{Outcome, Verdict};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use template_role::{Tally, TallyProxy};
use zeroize::Zeroizing;

/// Swaps a module of this program while two threads call it, and prints what that cost them.
///
/// Every call adds 1 to a running total, and the total is carried from version to version: at the end it
/// must be the number of calls that were answered, exactly.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit status: 0 when every call was answered and counted once, 1 otherwise."
)]
struct Options {
    /// How many swaps to make, there and back in turn.
    #[arg(long, default_value_t = 6)]
    swaps: u32,
    /// Milliseconds of calls between two swaps.
    #[arg(long, default_value_t = 250)]
    pause: u64,
}

fn main() -> ExitCode {
    // In the child that rehearses a module this does not return.
    s_preflight::run_if_child();
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let successor = successor()?;
    let key = secret_key()?;
    let package = package(&std::fs::read(&successor)?, &key)?;
    let directory = tempfile::tempdir()?;
    let mut config = Config::new(directory.path(), trust(&key)?);
    // The outcome is printed below; the log would say it again.
    config.log = Arc::new(|_, _, _, _| {});
    let (manager, runtime) = SwapManager::open(config)?;
    manager.component("tally", Some(&template::S_MODULE))?;
    manager.start()?;
    println!("component `tally` serves {}; two threads call it without pause", version(&manager));

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, answered, failed) =
                (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&failed));
            let proxy: TallyProxy = runtime.proxy("tally")?;
            Ok(std::thread::spawn(move || call(runtime.worker(), proxy, &stop, &answered, &failed)))
        })
        .collect::<Result<_, s_proxy::RuntimeError>>()?;

    let mut blackouts = Vec::new();
    for swap in 0..options.swaps {
        std::thread::sleep(Duration::from_millis(options.pause));
        let request = if swap % 2 == 0 {
            Request::package(package.as_slice())
        } else {
            Request::new(vec![Item::Linked(&template::S_MODULE)])
        };
        let before = answered.load(Ordering::Relaxed);
        let outcome = manager.swap(request)?;
        print(&outcome, answered.load(Ordering::Relaxed) - before);
        if outcome.verdict != Verdict::Committed {
            return Ok(false);
        }
        blackouts.extend(outcome.blackout);
    }
    std::thread::sleep(Duration::from_millis(options.pause));
    stop.store(true, Ordering::Relaxed);
    let latest: Vec<Duration> =
        callers.into_iter().filter_map(|caller| caller.join().ok()).collect();

    let mut worker = runtime.worker();
    let proxy: TallyProxy = runtime.proxy("tally")?;
    let total = worker.serve(|act| proxy.total(act))?;
    let (answered, failed) = (answered.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    blackouts.sort();
    println!();
    println!("calls answered      {answered}");
    println!("calls failed        {failed}");
    println!("carried total       {total} ({})", if total == answered { "exact" } else { "WRONG" });
    if let (Some(middle), Some(worst)) =
        (blackouts.get(blackouts.len().saturating_sub(1) / 2), blackouts.last())
    {
        println!("blackout            median {middle:?}, longest {worst:?}");
    }
    if let Some(slowest) = latest.iter().max() {
        println!("slowest call        {slowest:?}, waiting at the gate or for a processor");
    }
    for fate in manager.status().let_go {
        println!("{} {:<17} {}", fate.component, fate.version, fate.fate);
    }
    Ok(failed == 0 && total == answered)
}

/// Calls until told to stop; answers how long the slowest call took.
fn call(
    mut worker: s_proxy::Worker,
    proxy: TallyProxy,
    stop: &AtomicBool,
    answered: &AtomicU64,
    failed: &AtomicU64,
) -> Duration {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match worker.serve(|act| proxy.add(act, 1)) {
            Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
            Err(_) => failed.fetch_add(1, Ordering::Relaxed),
        };
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

fn version(manager: &SwapManager) -> String {
    let status = manager.status();
    status.components.first().and_then(|component| component.version.clone()).unwrap_or_default()
}

fn print(outcome: &Outcome, calls: u64) {
    println!();
    println!("{outcome}");
    for span in &outcome.phases {
        println!("  {:<10} {:>9.1} µs", span.phase.name(), span.took.as_secs_f64() * 1e6);
    }
    if let Some(blackout) = outcome.blackout {
        println!(
            "  gate closed for {:.1} µs; {calls} calls were answered during the swap",
            blackout.as_secs_f64() * 1e6
        );
    }
}

/// The successor's code: cargo built it as a dependency and left it beside this executable.
fn successor() -> Result<PathBuf, Box<dyn Error>> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or("this executable has no folder")?;
    let name = "libtemplate_next.so";
    let places = [folder.join("deps").join(name), folder.join(name)];
    let missing = || {
        format!(
            "{name} is not beside {}: start the demonstration with `cargo run --release`",
            here.display()
        )
    };
    Ok(places.into_iter().find(|place| place.exists()).ok_or_else(missing)?)
}

/// A key for this run only.
fn secret_key() -> Result<SecretKey, Box<dyn Error>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| format!("no random octets for a key: {error}"))?;
    Ok(SecretKey::from_seed(&seed))
}

/// Describes, packs and signs a module, as `swapctl pack` and `swapctl sign` do.
fn package(code: &[u8], key: &SecretKey) -> Result<Vec<u8>, Box<dyn Error>> {
    let sealed = s_loader::Sealed::new("successor", code, None)?;
    let facts = s_control::facts(&Rehearsal::default().describe(&sealed)?)?;
    let target = Triple::parse(s_sdk::abi::TARGET)?;
    let package = pack(facts, Release::default(), &BTreeMap::from([(target, code.to_vec())]))?;
    Ok(sign(&package, key, &Limits::DEFAULT)?)
}

/// Trusts that key for every component.
fn trust(key: &SecretKey) -> Result<TrustStore, Box<dyn Error>> {
    let (name, public) = (Name::parse("demonstration")?, key.public());
    Ok(TrustStore::try_from(TrustDocument::first(
        vec![RootKey::new(name.clone(), public)],
        vec![ReleaseKey::new(name, public, vec![Pattern::any()])],
    ))?)
}
