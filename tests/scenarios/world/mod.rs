//! An S-application for scenarios: the real swap manager on a directory of its own, its factory modules,
//! and callers that keep calling.
//!
//! Nothing in here stands in for a part of the runtime. Invariant: a [`Callers`] counts each call that it
//! made, so that a lost, failed or mixed answer cannot go unseen.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each scenario uses its part")]

pub mod packages;

#[path = "../../fixtures/counter_v1.rs"]
pub mod counter_v1;
#[path = "../../fixtures/echo_v1.rs"]
pub mod echo_v1;

use s_control::{Config, Item, Preflight, Request, SwapError, SwapManager};
use s_preflight::Rehearsal;
use s_proxy::Runtime;
use s_sdk::Level;
use s_sdk::abi::ModuleDescriptor;
use s_tests::roles::{Counter, CounterProxy, Echo, EchoProxy, Tagged};
use s_transaction::{Deadlines, Outcome, Verdict};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The rehearsal that scenarios use.
pub fn rehearsal() -> Rehearsal {
    Rehearsal { executable: env!("CARGO_BIN_EXE_rehearsal-host").into(), ..Rehearsal::default() }
}

/// What an S-application of a scenario is made of.
pub struct World {
    pub manager: SwapManager,
    pub runtime: &'static Runtime,
    pub log: Arc<Mutex<Vec<String>>>,
    /// Removed with the world.
    _directory: Option<tempfile::TempDir>,
}

impl World {
    /// A counter and an echo, both from the factory, with rehearsals.
    pub fn new() -> Self {
        Self::with(
            &[("counter", Some(&counter_v1::S_MODULE)), ("echo", Some(&echo_v1::S_MODULE))],
            |_| {},
        )
    }

    /// The same without rehearsals: what the live phases meet when a module pretends in its rehearsal.
    pub fn without_preflight() -> Self {
        let components =
            [("counter", Some(&counter_v1::S_MODULE)), ("echo", Some(&echo_v1::S_MODULE))];
        Self::with(&components, |config| config.preflight = Preflight::Off)
    }

    /// These components, and changes to the configuration.
    pub fn with(
        components: &[(&str, Option<&'static ModuleDescriptor>)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut world = Self::at(directory.path(), components, change);
        world._directory = Some(directory);
        world
    }

    /// The same on a directory that stays.
    pub fn at(
        directory: &Path,
        components: &[(&str, Option<&'static ModuleDescriptor>)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        let mut config = Config::new(directory, packages::trust());
        config.preflight = Preflight::On(rehearsal());
        config.log =
            Arc::new(move |level: Level, component: &str, version: &str, message: &str| {
                sink.lock().unwrap().push(format!("{level:?} {component} {version}: {message}"));
            });
        change(&mut config);
        let (manager, runtime) = SwapManager::open(config).unwrap();
        for (name, factory) in components {
            manager.component(name, *factory).unwrap();
        }
        manager.start().unwrap();
        World { manager, runtime, log, _directory: None }
    }

    /// Swaps one fixture in.
    pub fn swap(&self, fixture: &str) -> Outcome {
        self.swap_bytes(packages::package(fixture)).unwrap()
    }

    /// Swaps a package in.
    pub fn swap_bytes(&self, package: Vec<u8>) -> Result<Outcome, SwapError> {
        self.manager.swap(Request::package(package))
    }

    /// Swaps one fixture in as soon as no other swap runs.
    pub fn swap_in_turn(&self, fixture: &str) -> Outcome {
        loop {
            match self.swap_bytes(packages::package(fixture)) {
                Err(SwapError::Busy { .. }) => std::thread::sleep(Duration::from_millis(1)),
                other => return other.unwrap(),
            }
        }
    }

    /// Swaps one fixture in, and it must succeed.
    pub fn must_swap(&self, fixture: &str) -> Outcome {
        let outcome = self.swap(fixture);
        assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", self.told());
        outcome
    }

    /// The version behind a component.
    pub fn version(&self, component: &str) -> String {
        self.runtime.component(component).unwrap().current().version().to_owned()
    }

    /// One call of the counter, in an activity of its own.
    pub fn total(&self) -> Tagged {
        let counter: CounterProxy = self.runtime.proxy("counter").unwrap();
        self.runtime.worker().serve(|act| counter.total(act)).unwrap()
    }

    /// Adds to the counter.
    pub fn add(&self, amount: u64) -> Tagged {
        let counter: CounterProxy = self.runtime.proxy("counter").unwrap();
        self.runtime.worker().serve(|act| counter.add(act, amount)).unwrap()
    }

    /// What was logged, for the message of a failed test.
    pub fn told(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// What became of the last module that was let go of.
    pub fn last_fate(&self) -> String {
        self.manager.status().let_go.last().map(|gone| gone.fate.clone()).unwrap_or_default()
    }
}

/// A package as an item.
pub fn item(fixture: &str) -> Item {
    Item::Package(packages::package(fixture).into())
}

/// Deadlines that a test can wait for, where a module is late.
pub fn short() -> Deadlines {
    Deadlines {
        prepare: Duration::from_secs(2),
        quiesce: Duration::from_secs(2),
        map_state: Duration::from_secs(2),
        release: Duration::from_millis(500),
        abort: Duration::from_millis(500),
        ..Deadlines::default()
    }
}

/// Waits until something is so; a generous bound keeps a broken test from hanging.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many swaps the long scenarios make: all of them where time is not short (`cargo xtask test --full`).
pub fn many(short: u32) -> u32 {
    let full = std::env::var_os("S_TESTS_FULL").is_some_and(|value| value == "1")
        || !cfg!(debug_assertions);
    if full { 10_000 } else { short }
}

/// What a caller saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Activities that were answered in full.
    pub answered: u64,
    /// What they added to the counter.
    pub added: u64,
    /// Activities in which a call failed, with the first error.
    pub failed: Vec<String>,
    /// Activities that saw more than one version of a component, or a torn answer, or a total that went back.
    pub mixed: Vec<String>,
    /// How often the version was another than in the activity before.
    pub changes: u64,
}

/// Threads that keep calling a world's counter and echo.
pub struct Callers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Callers {
    /// Starts so many; each has been answered once when this comes back.
    pub fn start(world: &World, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = world.runtime;
        let (begun, beginning) = std::sync::mpsc::channel();
        let threads = (0..count)
            .map(|number| {
                let (stop, begun) = (Arc::clone(&stop), begun.clone());
                std::thread::spawn(move || call_until(runtime, number, &stop, &begun))
            })
            .collect();
        (0..count).for_each(|_| beginning.recv().unwrap());
        Callers { stop, threads }
    }

    /// Stops them, and demands that all went well.
    pub fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Release);
        let mut all = Seen::default();
        for thread in self.threads {
            let seen = thread.join().unwrap();
            assert!(seen.answered > 0, "a caller was never answered");
            all.answered += seen.answered;
            all.added += seen.added;
            all.changes += seen.changes;
            all.failed.extend(seen.failed);
            all.mixed.extend(seen.mixed);
        }
        assert!(all.failed.is_empty(), "failed calls: {:?}", all.failed);
        assert!(all.mixed.is_empty(), "mixed calls: {:?}", all.mixed);
        all
    }
}

fn call_until(
    runtime: &'static Runtime,
    number: usize,
    stop: &AtomicBool,
    begun: &Sender<()>,
) -> Seen {
    let counter: CounterProxy = runtime.proxy("counter").unwrap();
    let echo: EchoProxy = runtime.proxy("echo").unwrap();
    let mut worker = runtime.worker();
    let mut seen = Seen::default();
    let (mut last_version, mut last_total) = (0, 0);
    let mut into = s_sdk::Buf::with_capacity(64);
    let mut round = number as u64 % 2;
    while !stop.load(Ordering::Acquire) {
        round = round.wrapping_add(2);
        let octets = round.to_be_bytes();
        into.clear();
        let answers = worker.serve(|act| {
            let total = counter.total(act)?;
            let first = echo.echo(act, &octets, &mut into)?;
            let added = counter.add(act, 1)?;
            let second = echo.echo(act, &octets, &mut into)?;
            Ok::<_, s_sdk::CallError>((total, added, first, second))
        });
        if round < 4 {
            // Whoever waits for it may have given up; that is its own failure.
            let _ = begun.send(());
        }
        let (total, added, first, second) = match answers {
            Ok(answers) => answers,
            Err(error) => {
                seen.failed.push(error.to_string());
                continue;
            }
        };
        seen.answered += 1;
        seen.added += 1;
        let whole = total.seal == Tagged::SEAL && added.seal == Tagged::SEAL;
        let echoed = into.len() == 16 && into[..8] == octets && into[8..] == octets;
        let forward = last_total <= total.total && total.total < added.total;
        if !whole || !echoed || !forward || total.version != added.version || first != second {
            seen.mixed.push(format!("{total:?} {added:?} {first} {second} after {last_total}"));
        }
        last_total = added.total;
        if last_version != added.version {
            seen.changes += 1;
            last_version = added.version;
        }
    }
    seen
}
