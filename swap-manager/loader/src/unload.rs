//! Unloading on evidence: out of memory when nothing can come back to it, else pinned and why.
//!
//! A library that is not proven free stays mapped with its descriptor open, and is looked at again by
//! [`Loader::sweep`]. Invariant: every module loaded is mapped, waiting here, or proven to be gone.

use crate::descriptor::{LoadedModule, check};
use crate::ledger::Tally;
use crate::library::{Library, LoadError};
use crate::sealed::Sealed;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many modules may stay pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Beyond this many, no further module is admitted.
    pub pinned_max: usize,
}

impl Default for Budget {
    /// Each pinned module keeps its file and its pages, some 300 KiB: 32 of them are 10 MiB.
    fn default() -> Self {
        Budget { pinned_max: 32 }
    }
}

/// Too many modules are pinned already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{pinned} modules are pinned and the budget is {budget}; fix what pins them ({first}), or restart in a quiet hour"
)]
pub struct BudgetExhausted {
    /// How many are pinned.
    pub pinned: usize,
    /// How many may be.
    pub budget: usize,
    /// The first of them.
    pub first: String,
}

/// What became of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unload {
    /// Nothing of it is mapped any more.
    Unloaded,
    /// It stays in memory.
    Pinned(PinReason),
}

impl fmt::Display for Unload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unload::Unloaded => f.write_str("unloaded"),
            Unload::Pinned(reason) => write!(f, "pinned: {reason}"),
        }
    }
}

/// Why a module stays in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinReason {
    /// Somebody still holds it; it is looked at when the last one lets go.
    Held {
        /// Instances that live.
        instances: usize,
    },
    /// Nobody asked for its unloading; it was just let go of.
    NotTried,
    /// Threads that it started still run.
    Threads(usize),
    /// Living threads will run destructors of its thread-local data.
    Destructors(usize),
    /// Ending threads run its destructors at this moment.
    RunningDestructors(usize),
    /// Its signal handlers are installed.
    SignalHandlers(usize),
    /// The ledger was full when something was registered, so nothing can be proven.
    Lost(usize),
    /// The ledger does not stand before the C library in this executable.
    NoLedger,
    /// The dynamic linker keeps it mapped for a reason of its own.
    StillMapped,
    /// What is mapped cannot be seen.
    Unseen(String),
    /// It is part of the host's executable.
    Linked,
}

impl PinReason {
    /// What of a module's tally would keep it in memory. Keys do not: they are deleted.
    pub fn from_tally(tally: &Tally) -> Option<Self> {
        match *tally {
            Tally { threads: n @ 1.., .. } => Some(PinReason::Threads(n)),
            Tally { destructors: n @ 1.., .. } => Some(PinReason::Destructors(n)),
            Tally { signal_handlers: n @ 1.., .. } => Some(PinReason::SignalHandlers(n)),
            _ => None,
        }
    }
}

impl fmt::Display for PinReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |n: &usize, one: &str, many: &str| {
            if *n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
        };
        match self {
            PinReason::Held { instances: 0 } => f.write_str("somebody still holds it"),
            PinReason::Held { instances } => {
                write!(f, "{} still live", of(instances, "instance", "instances"))
            }
            PinReason::NotTried => f.write_str("let go of, not looked at yet"),
            PinReason::Threads(1) => f.write_str("a thread that it started still runs"),
            PinReason::Threads(n) => write!(f, "{n} threads that it started still run"),
            PinReason::Destructors(n) => {
                write!(f, "{} of a live thread", of(n, "TLS destructor", "TLS destructors"))
            }
            PinReason::RunningDestructors(n) => {
                write!(
                    f,
                    "{} of an ending thread just now",
                    of(n, "TLS destructor runs", "TLS destructors run")
                )
            }
            PinReason::SignalHandlers(n) => {
                write!(f, "{} installed", of(n, "signal handler", "signal handlers"))
            }
            PinReason::Lost(n) => {
                write!(
                    f,
                    "the ledger was full and missed {}",
                    of(n, "registration", "registrations")
                )
            }
            PinReason::NoLedger => {
                f.write_str("this executable has no ledger, so nothing can be proven")
            }
            PinReason::StillMapped => f.write_str("the dynamic linker keeps it mapped"),
            PinReason::Unseen(error) => write!(f, "cannot see what is mapped ({error})"),
            PinReason::Linked => f.write_str("part of the host's executable"),
        }
    }
}

/// A module that waits to be unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The module's name.
    pub name: String,
    /// Its component.
    pub component: String,
    /// Its version.
    pub version: semver::Version,
    /// Why it waits.
    pub reason: PinReason,
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {} is pinned: {}", self.name, self.version, self.component, self.reason)
    }
}

/// A library without owner, and what is known of it.
pub(crate) struct Waiting {
    pub(crate) pinned: Pinned,
    pub(crate) library: Library,
}

/// The libraries that wait; shared with every loaded module, so that none gets lost.
#[derive(Default)]
pub(crate) struct WaitingRoom(Mutex<Vec<Waiting>>);

impl WaitingRoom {
    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, waiting: Waiting) {
        self.lock().push(waiting);
    }

    fn try_or_add(&self, mut waiting: Waiting) -> Unload {
        match waiting.library.close() {
            Ok(()) => Unload::Unloaded,
            Err(reason) => {
                waiting.pinned.reason = reason.clone();
                self.add(waiting);
                Unload::Pinned(reason)
            }
        }
    }
}

/// Loads modules, and unloads them when that is proven safe.
#[derive(Clone, Default)]
pub struct Loader {
    budget: Budget,
    room: Arc<WaitingRoom>,
}

impl Loader {
    /// A loader with a budget for modules that stay pinned.
    pub fn new(budget: Budget) -> Self {
        Loader { budget, room: Arc::default() }
    }

    /// Loads a module: maps it, runs its static constructors, checks its descriptor.
    pub fn load(&self, sealed: Sealed) -> Result<Arc<LoadedModule>, LoadError> {
        let name = sealed.name().to_owned();
        let library = Library::open(sealed)?;
        match library.export().and_then(|export| Ok(check(export, Some(&library))?)) {
            Ok((descriptor, version)) => Ok(Arc::new(LoadedModule::loaded(
                descriptor,
                version,
                library,
                Arc::clone(&self.room),
            ))),
            Err(error) => {
                let component = String::new();
                let version = semver::Version::new(0, 0, 0);
                let pinned = Pinned { name, component, version, reason: PinReason::NotTried };
                self.room.try_or_add(Waiting { pinned, library });
                Err(error)
            }
        }
    }

    /// Unloads a module if nothing speaks against it; otherwise it is tried again by [`Loader::sweep`].
    pub fn unload(&self, module: Arc<LoadedModule>) -> Unload {
        let instances = module.instances();
        match Arc::into_inner(module) {
            // The last holder's drop puts it into the waiting room.
            None => Unload::Pinned(PinReason::Held { instances }),
            Some(module) => match module.into_waiting() {
                Some(waiting) => self.room.try_or_add(waiting),
                None => Unload::Pinned(PinReason::Linked),
            },
        }
    }

    /// Tries all waiting modules again; answers those that are gone now.
    pub fn sweep(&self) -> Vec<Pinned> {
        let mut gone = Vec::new();
        self.room.lock().retain_mut(|waiting| match waiting.library.close() {
            Ok(()) => {
                gone.push(waiting.pinned.clone());
                false
            }
            Err(reason) => {
                waiting.pinned.reason = reason;
                true
            }
        });
        gone
    }

    /// The modules that wait, with their reasons as of the last look.
    pub fn pinned(&self) -> Vec<Pinned> {
        self.room.lock().iter().map(|waiting| waiting.pinned.clone()).collect()
    }

    /// Whether a further module may be loaded: asked before a swap, so that it fails while nothing has changed.
    pub fn admit(&self) -> Result<(), BudgetExhausted> {
        self.sweep();
        let pinned = self.pinned();
        match pinned.first() {
            Some(first) if pinned.len() >= self.budget.pinned_max => Err(BudgetExhausted {
                pinned: pinned.len(),
                budget: self.budget.pinned_max,
                first: first.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// The budget.
    pub const fn budget(&self) -> Budget {
        self.budget
    }
}
