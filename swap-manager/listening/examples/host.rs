//! The smallest S-application that listens: one component, `tally`, and the service in front of it.
//!
//! `cargo run -p s-listening --example host -- <directory> <trust.json>` keeps its repository in the directory and
//! listens on `<directory>/control` until its standard input ends. The tests of this crate start it to rehearse their
//! packages. Invariant: it does nothing that a host has not to do.

use s_control::{Config, SwapManager};
use s_listening::{Application, Operators, Service};
use s_package::TrustStore;
use s_sdk::Level;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

struct Host;

impl Application for Host {
    fn name(&self) -> &str {
        "host"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn answer(
        &self,
        what: &str,
        _: &[(String, String)],
    ) -> Option<Result<serde_json::Value, String>> {
        (what == "greeting").then(|| Ok("hello".into()))
    }

    fn log(&self, level: Level, text: &str) {
        eprintln!("{level:?}: {text}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // In the child that rehearses a module this does not return.
    s_preflight::run_if_child();
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(directory), Some(trust)) = (arguments.next(), arguments.next()) else {
        return Err("usage: host <directory> <trust.json>".into());
    };
    let trust = TrustStore::parse(&std::fs::read(trust)?)?;
    let (manager, _) = SwapManager::open(Config::new(&directory, trust))?;
    manager.component("tally", Some(&template::S_MODULE))?;
    manager.start()?;
    let config = s_listening::Config {
        unix: directory.join("control"),
        tls: None,
        operators: Operators::default(),
        two_persons: false,
    };
    let service = Service::open(config, manager, Arc::new(Host))?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    service.stop();
    Ok(())
}
