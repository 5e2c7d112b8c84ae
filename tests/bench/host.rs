//! The benchmark's host: a swap manager, packages made and signed on the spot, callers that never pause.
//!
//! Nothing in here is measured. Invariant: every module comes from a signed package through the whole
//! swap, so what is measured is what an operator gets.

use crate::role::BenchProxy;
use s_control::{Config, Item, Preflight, Request, SwapManager};
use s_package::archive::Limits;
use s_package::key::SecretKey;
use s_package::make::{Release, pack, sign};
use s_package::text::{Name, Pattern, Triple};
use s_package::trust::{ReleaseKey, RootKey, TrustDocument, TrustStore};
use s_preflight::Rehearsal;
use s_proxy::{Component, Runtime, Worker};
use s_sdk::{Activity, CallError};
use s_transaction::{Outcome, Verdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use zeroize::Zeroizing;

pub(crate) type Error = Box<dyn std::error::Error>;

/// A signed package, shared between swaps.
pub(crate) type Package = Arc<[u8]>;

/// The key of this run and the fixtures' code.
pub(crate) struct Maker {
    key: SecretKey,
    trust: TrustStore,
}

impl Maker {
    /// A key for this run only.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|error| format!("no random octets for a key: {error}"))?;
        let key = SecretKey::from_seed(&seed);
        let trust = trust(&key)?;
        Ok(Maker { key, trust })
    }

    /// A fixture, packed and signed for one of the benchmark's components.
    ///
    /// A group of eight needs eight modules that differ in nothing but their component: the name in the
    /// code is replaced by another of the same length before the code is described and signed.
    pub(crate) fn package(&self, fixture: &str, component: usize) -> Result<Package, Error> {
        let mut code = std::fs::read(crate::fixture(fixture)?)?;
        let (built_for, name) = (component_name(0), component_name(component));
        for at in 0..code.len().saturating_sub(built_for.len()) {
            if code[at..].starts_with(built_for.as_bytes()) {
                code[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        let sealed = s_loader::Sealed::new(fixture, &code, None)?;
        let facts = s_control::facts(&Rehearsal::default().describe(&sealed)?)?;
        let target = Triple::parse(s_sdk::abi::TARGET)?;
        let package = pack(facts, Release::default(), &BTreeMap::from([(target, code)]))?;
        Ok(sign(&package, &self.key, &Limits::DEFAULT)?.into())
    }

    /// Both versions of a fixture for one component.
    pub(crate) fn versions(&self, fixture: &str, component: usize) -> Result<[Package; 2], Error> {
        Ok([
            self.package(&format!("{fixture}_v1"), component)?,
            self.package(&format!("{fixture}_v2"), component)?,
        ])
    }
}

/// The name of one of the benchmark's components.
pub(crate) fn component_name(at: usize) -> String {
    format!("bench.{at}")
}

fn trust(key: &SecretKey) -> Result<TrustStore, Error> {
    let (name, public) = (Name::parse("benchmark")?, key.public());
    Ok(TrustStore::try_from(TrustDocument::first(
        vec![RootKey::new(name.clone(), public)],
        vec![ReleaseKey::new(name, public, vec![Pattern::any()])],
    ))?)
}

/// Components behind one swap manager, swapped between two versions.
pub(crate) struct Host {
    pub(crate) manager: SwapManager,
    pub(crate) runtime: &'static Runtime,
    pub(crate) components: Vec<&'static Component>,
    /// By component: both versions.
    packages: Vec<[Package; 2]>,
    /// Swaps made; every other one goes back.
    swaps: usize,
    /// The repository goes away with the host.
    _directory: tempfile::TempDir,
}

impl Host {
    /// Starts a host and loads the first versions.
    pub(crate) fn start(
        maker: &Maker,
        parent: &Path,
        names: &[String],
        packages: Vec<[Package; 2]>,
        preflight: bool,
    ) -> Result<Self, Error> {
        let directory = tempfile::tempdir_in(parent)?;
        let mut config = Config::new(directory.path(), maker.trust.clone());
        config.log = Arc::new(|_, _, _, _| {});
        if !preflight {
            config.preflight = Preflight::Off;
        }
        let (manager, runtime) = SwapManager::open(config)?;
        let components =
            names.iter().map(|name| manager.component(name, None)).collect::<Result<_, _>>()?;
        manager.start()?;
        let mut host =
            Host { manager, runtime, components, packages, swaps: 0, _directory: directory };
        host.swap()?;
        Ok(host)
    }

    /// Swaps every component to its other version, as one group.
    pub(crate) fn swap(&mut self) -> Result<Outcome, Error> {
        let version = self.swaps % 2;
        self.swaps += 1;
        let items = self
            .packages
            .iter()
            .map(|versions| Item::Package(Arc::clone(&versions[version])))
            .collect();
        let outcome = self.manager.swap(Request::new(items))?;
        match outcome.verdict {
            Verdict::Committed => Ok(outcome),
            _ => Err(format!("a swap of the benchmark failed: {outcome}").into()),
        }
    }

    /// The proxies of all components.
    pub(crate) fn proxies(&self) -> Result<Vec<BenchProxy>, Error> {
        let each = self.components.iter().map(|component| self.runtime.proxy(component.name()));
        Ok(each.collect::<Result<_, _>>()?)
    }
}

/// What callers saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Calls that were answered.
    pub(crate) answered: u64,
    /// Calls that were answered with an error.
    pub(crate) failed: u64,
    /// Activities that met more than one version.
    pub(crate) mixed: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Seen) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.mixed += other.mixed;
    }
}

/// Threads that call without pause until they are stopped.
pub(crate) struct Callers {
    stop: Arc<AtomicBool>,
    progress: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Callers {
    /// Starts `count` threads that run `activity` again and again; it answers how many calls it made, and
    /// whether all came from one version.
    pub(crate) fn start<F>(runtime: &'static Runtime, count: usize, activity: F) -> Self
    where
        F: Fn(&Activity) -> Result<(u64, bool), CallError> + Clone + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(AtomicU64::new(0));
        let threads = (0..count)
            .map(|_| {
                let (stop, progress, activity) =
                    (Arc::clone(&stop), Arc::clone(&progress), activity.clone());
                std::thread::spawn(move || call(runtime.worker(), &stop, &progress, activity))
            })
            .collect();
        let callers = Callers { stop, progress, threads };
        while callers.progress.load(Relaxed) < count as u64 {
            std::thread::yield_now();
        }
        callers
    }

    /// Threads that count calls on every component, twice in each activity.
    pub(crate) fn counting(host: &Host, count: usize) -> Result<Self, Error> {
        let proxies = host.proxies()?;
        Ok(Self::start(host.runtime, count, move |act| {
            use crate::role::Bench as _;
            let version = proxies[0].count(act)?.version;
            let mut whole = true;
            for proxy in proxies[1..].iter().chain(&proxies[..1]) {
                whole &= proxy.count(act)?.version == version;
            }
            Ok((proxies.len() as u64 + 1, whole))
        }))
    }

    /// Stops them and adds up what they saw.
    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Relaxed);
        let mut seen = Seen::default();
        for thread in self.threads {
            match thread.join() {
                Ok(one) => seen.add(one),
                Err(_) => seen.failed += 1,
            }
        }
        seen
    }
}

fn call(
    mut worker: Worker,
    stop: &AtomicBool,
    progress: &AtomicU64,
    activity: impl Fn(&Activity) -> Result<(u64, bool), CallError>,
) -> Seen {
    let mut seen = Seen::default();
    let mut first = true;
    while !stop.load(Relaxed) {
        match worker.serve(&activity) {
            Ok((calls, whole)) => {
                seen.answered += calls;
                seen.mixed += u64::from(!whole);
            }
            Err(_) => seen.failed += 1,
        }
        if std::mem::take(&mut first) {
            progress.fetch_add(1, Relaxed);
        }
    }
    seen
}
