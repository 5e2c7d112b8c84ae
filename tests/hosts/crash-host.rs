//! A host that scenarios kill: it starts on a directory, and then swaps, answers or only tells.
//!
//! `crash-host DIRECTORY WHAT`, with `trust.json` and packages as `*.smod` in `DIRECTORY`. It never
//! catches a signal. Invariant: what it prints has happened.

use s_control::{Config, Item, Preflight, Request, SwapManager};
use s_package::TrustStore;
use s_tests::roles::{Counter, CounterProxy};
use s_transaction::{Confirm, Phase};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[path = "../fixtures/counter_v1.rs"]
#[allow(unreachable_pub, reason = "a module of the gallery, linked into this host")]
mod counter_v1;
#[path = "../fixtures/echo_v1.rs"]
#[allow(unreachable_pub, reason = "a module of the gallery, linked into this host")]
mod echo_v1;

fn main() -> ExitCode {
    s_preflight::run_if_child();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, what] = &arguments[..] else {
        eprintln!("usage: crash-host DIRECTORY show|swap|call|once|doubt");
        return ExitCode::from(2);
    };
    match run(Path::new(directory), what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(directory: &Path, what: &str) -> Result<(), Box<dyn Error>> {
    let trust = TrustStore::parse(&std::fs::read(directory.join("trust.json"))?)?;
    let mut config = Config::new(directory.join("repository"), trust);
    config.preflight = Preflight::Off;
    config.log =
        Arc::new(|_, component, version, message| println!("log {component} {version}: {message}"));
    let (manager, runtime) = SwapManager::open(config)?;
    manager.component("counter", Some(&counter_v1::S_MODULE))?;
    manager.component("echo", Some(&echo_v1::S_MODULE))?;
    let started = manager.start()?;
    let version = |name: &str| {
        runtime.component(name).map_or("none", |component| component.current().version())
    };
    let serving = || format!("{} {}", version("counter"), version("echo"));
    println!("started {started:?}");
    println!("serving {}", serving());

    let counter: CounterProxy = runtime.proxy("counter")?;
    let package = |name: &str| -> Result<Item, Box<dyn Error>> {
        Ok(Item::Package(std::fs::read(directory.join(name))?.into()))
    };
    match what {
        "show" => {
            let answer = runtime.worker().serve(|act| counter.total(act))?;
            println!("answered {}", answer.version);
            manager.healthy()?;
        }
        "call" => {
            runtime.worker().serve(|act| counter.total(act))?;
            manager.healthy()?;
        }
        "swap" => loop {
            let next = if version("counter") == "1.0.0" { "2" } else { "1" };
            let group = vec![
                package(&format!("counter_v{next}.smod"))?,
                package(&format!("echo_v{next}.smod"))?,
            ];
            let outcome = manager.swap(Request::new(group))?;
            println!("outcome {outcome}");
            println!("serving {}", serving());
        },
        "once" => {
            let outcome = manager.swap(Request::new(vec![package("next.smod")?]))?;
            println!("outcome {outcome}");
        }
        // Each line on the input has it go on: meanwhile whoever started it changes what its disk takes.
        "doubt" => {
            let mut orders = std::io::stdin().lines();
            let window = Confirm::ByOperator(Duration::from_secs(60));
            let request = Request::new(vec![package("next.smod")?]).with_confirm(window);
            let ticket = manager.begin(request)?;
            while ticket.outcome().is_none() && ticket.phase() != Some(Phase::Confirm) {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("window");
            orders.next().transpose()?;
            manager.confirm(ticket.txn())?;
            println!("outcome {}", ticket.wait());
            orders.next().transpose()?;
            for name in ["older.smod", "echo_v2.smod"] {
                println!("{name} {}", manager.swap(Request::new(vec![package(name)?]))?);
            }
        }
        other => return Err(format!("unknown order {other}").into()),
    }
    Ok(())
}
