//! The handle on everything: starting, swapping, telling.

use crate::chain;
use crate::execution::Execution;
use crate::member::{Member, Source, dependents_content, prove};
use crate::request::{Item, Request, RequestFault, Versions, claims};
use crate::status::{ComponentStatus, LetGo, Past, RunningSwap, Status};
use crate::surroundings::{Around, Counters, LogSink};
use crate::timing::{self, Running};
use s_events::Events;
use s_loader::{Budget, LoadedModule, Loader, Origin};
use s_package::admit::{Admitted, UsedOverride};
use s_package::archive::Limits;
use s_package::text::{Name, Pattern, Triple};
use s_package::timestamp::Timestamp;
use s_package::trust::TrustStore;
use s_preflight::{Description, Rehearsal, Replay};
use s_proxy::gate::Fence;
use s_proxy::{Body, Code, Component, ExceptionPolicy, Runtime, RuntimeError, SwapControl};
use s_repository::{Repository, RepositoryFault, Settings};
use s_sdk::Level;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::value::Value;
use s_state::resident::ResidentTables;
use s_tasks::{TaskError, Tasks};
use s_transaction::journal::{Digest, Set};
use s_transaction::{
    Control, History, Member as Planned, Outcome, Phase, PhaseEvent, Plan, Refusal, Trouble,
};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How an application's swap manager is set up.
pub struct Config {
    /// Where packages and the journal are kept.
    pub directory: PathBuf,
    /// Who may sign what.
    pub trust: TrustStore,
    /// Whether successors are rehearsed.
    pub preflight: Preflight,
    /// How many modules may stay pinned.
    pub budget: Budget,
    /// How packages and sets are kept.
    pub settings: Settings,
    /// What a package may weigh.
    pub limits: Limits,
    /// Where log lines go.
    pub log: LogSink,
    /// How many outcomes the history keeps.
    pub history: usize,
    /// Which components packages may add to those that the application has of itself.
    pub additions: Vec<Pattern>,
    /// Methods without arguments, as `behavior.method`: who comes is asked them in its rehearsal and who goes while
    /// it serves, so that the application can tell what a swap means in its own terms.
    pub questions: Vec<String>,
}

impl Config {
    /// The usual settings: rehearsals by this executable, log lines to standard error.
    pub fn new(directory: impl Into<PathBuf>, trust: TrustStore) -> Self {
        Config {
            directory: directory.into(),
            trust,
            preflight: Preflight::On(Rehearsal::default()),
            budget: Budget::default(),
            settings: Settings::default(),
            limits: Limits::DEFAULT,
            log: Arc::new(|level, component, version, message| {
                eprintln!("{level:?} {component} {version}: {message}");
            }),
            history: 256,
            additions: Vec::new(),
            questions: Vec::new(),
        }
    }
}

/// Whether successors are rehearsed before they may come near a request.
pub enum Preflight {
    /// Each package, in a confined child.
    On(Rehearsal),
    /// Not at all: for measurements, and for hosts that cannot start children.
    Off,
}

/// Why a swap did not begin.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// The request is no plan.
    #[error(transparent)]
    Request(#[from] RequestFault),
    /// Another swap runs.
    #[error(
        "swap {txn} of {components} is running (phase {phase}); there is one swap at a time: \
         wait for its end, confirm it, or abort it"
    )]
    Busy {
        /// The swap that runs.
        txn: u64,
        /// What it changes.
        components: String,
        /// Where it is.
        phase: String,
    },
    /// No swap with this number runs.
    #[error("no swap {txn} is running; see the history for swaps that ended")]
    NoSuchSwap {
        /// The number asked for.
        txn: u64,
    },
    /// The wish does not fit the phase.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why an application could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryFault),
    /// The trust store that an update led to.
    #[error("the trust store that is kept: {0}")]
    Trust(s_package::trust::TrustFault),
    /// A component.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// This host's own target triple is not one.
    #[error("the target of this host, {0}, is no target triple")]
    Target(String),
    /// The timing service has no thread.
    #[error("no thread for the timing service: {0}")]
    Thread(std::io::Error),
    /// No recorded set can be loaded, and neither can the factory set.
    #[error("no set can be loaded: {}", .0.join("; "))]
    NoSet(Vec<String>),
}

/// Why a trust update was not taken over. The store in force stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It is not the next version, or not signed by enough roots.
    #[error(transparent)]
    Refused(#[from] s_package::trust::UpdateRefusal),
    /// It could not be kept.
    #[error(transparent)]
    Repository(#[from] RepositoryFault),
}

/// What a start loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// The modules that are part of the host.
    FactorySet {
        /// What went wrong with recorded sets; empty at the first start.
        failed: Vec<String>,
    },
    /// A recorded set, and why it was the one.
    Recorded {
        /// The transaction that decided it.
        txn: u64,
        /// Why this set was tried.
        why: s_transaction::journal::Why,
        /// What went wrong with better ones.
        failed: Vec<String>,
    },
}

pub(crate) struct Inner {
    pub(crate) runtime: &'static Runtime,
    pub(crate) control: SwapControl,
    pub(crate) loader: Loader,
    pub(crate) trust: Mutex<TrustStore>,
    pub(crate) target: Triple,
    pub(crate) limits: Limits,
    additions: Vec<Pattern>,
    pub(crate) questions: Vec<String>,
    pub(crate) preflight: Preflight,
    pub(crate) tables: Arc<ResidentTables>,
    events: Events,
    tasks: Arc<Tasks>,
    counters: Counters,
    log: LogSink,
    pub(crate) repository: Mutex<Repository>,
    running: Running,
    history: Mutex<History<Past>>,
    pub(crate) factory: Mutex<BTreeMap<String, &'static ModuleDescriptor>>,
    /// The loaded module behind each component, beside the instance that the component binds.
    modules: Mutex<BTreeMap<String, Arc<LoadedModule>>>,
    replays: Mutex<BTreeMap<String, Vec<Replay>>>,
    let_go: Mutex<VecDeque<LetGo>>,
    /// The set that serves, as the journal names it.
    pub(crate) serving: Mutex<Set>,
    started: Instant,
}

/// What operators are told of a swap that runs.
fn told(swap: &Arc<Execution>) -> RunningSwap {
    RunningSwap {
        txn: swap.txn,
        phase: swap.phase().map(|phase| phase.name()),
        components: swap.components.clone(),
        operator: swap.operator.clone(),
    }
}

/// How many fates of modules are remembered for the status.
const FATES: usize = 64;

/// No lock of this crate guards something that a panicking holder could have left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.started)
    }

    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.started
            .checked_add(at)
            .unwrap_or_else(|| self.started + Duration::from_secs(u32::MAX.into()))
    }

    pub(crate) fn today(&self) -> Timestamp {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // A clock beyond what timestamps express is treated as the last moment: everything has expired.
        Timestamp::from_unix_seconds(seconds).unwrap_or(Timestamp::MAX)
    }

    /// The lowest epochs allowed: those recorded, and those of the set that serves. The record that it stays may
    /// have failed, and comes before the next swap's own.
    pub(crate) fn epochs(&self) -> BTreeMap<Name, u64> {
        let mut lowest = lock(&self.repository).recovered().epochs.clone();
        self.set().raise(&mut lowest);
        let named = |(name, epoch): (String, _)| Some((Name::parse(&name).ok()?, epoch));
        lowest.into_iter().filter_map(named).collect()
    }

    /// The set that serves now.
    pub(crate) fn set(&self) -> Set {
        lock(&self.serving).clone()
    }

    pub(crate) fn journal(
        &self,
        act: impl FnOnce(&mut Repository) -> Result<(), RepositoryFault>,
    ) -> Result<(), String> {
        act(&mut lock(&self.repository)).map_err(|error| chain(&error))
    }

    pub(crate) fn keep_package(&self, admitted: &Admitted) -> Result<(), String> {
        let digest = Digest(admitted.digest().0);
        self.journal(|repository| repository.put_named(digest, admitted.package()))
    }

    pub(crate) fn code(&self, module: &Arc<LoadedModule>) -> Code {
        Code::new(module.descriptor(), Arc::new(module.instance()))
    }

    /// Makes sure that an active module's component has its task, before the module is created: it may
    /// subscribe or set a timer at once.
    pub(crate) fn give_task(
        &self,
        component: &'static Component,
        module: &LoadedModule,
    ) -> Result<(), String> {
        if !module.is_active() {
            return Ok(());
        }
        match self.tasks.start(component, s_tasks::Options::default()) {
            Ok(_) | Err(TaskError::Taken { .. }) => Ok(()),
            Err(error) => Err(chain(&error)),
        }
    }

    /// Ends the task of a component that binds no active module: its timers and subscriptions were those of
    /// one that has gone, and whoever sends is to be told.
    fn stop_passive(&self, component: &str) {
        let is_active =
            |body: &Arc<Body>| body.code().descriptor().flags & s_sdk::abi::flags::ACTIVE != 0;
        let is_passive = |c: &'static Component| !c.current().body().is_some_and(is_active);
        if !self.runtime.component(component).is_some_and(is_passive) {
            return;
        }
        match self.tasks.stop(component, Duration::from_secs(1)) {
            Ok(rest) if rest.is_empty() => {}
            Ok(rest) => self.warn(
                component,
                &format!("{} messages were left in the mailbox of a removed module", rest.len()),
            ),
            Err(TaskError::NoTask { .. }) => {}
            Err(error) => self.warn(component, &chain(&error)),
        }
    }

    pub(crate) fn replays(&self, component: &str) -> Vec<Replay> {
        lock(&self.replays).get(component).cloned().unwrap_or_default()
    }

    pub(crate) fn warn(&self, component: &str, message: &str) {
        self.log(Level::Warning, component, message);
    }

    pub(crate) fn log(&self, level: Level, component: &str, message: &str) {
        (self.log)(level, component, "", message);
    }

    pub(crate) fn announce_override(&self, component: &str, used: UsedOverride) {
        self.warn(
            component,
            &format!(
                "the operator's override admitted epoch {} below the recorded {}",
                used.admitted_epoch, used.recorded_epoch
            ),
        );
        let payload = Value::from(BTreeMap::from([
            ("component".to_owned(), Value::from(component)),
            ("recorded_epoch".to_owned(), Value::U64(used.recorded_epoch)),
            ("admitted_epoch".to_owned(), Value::U64(used.admitted_epoch)),
        ]));
        self.publish("swap.override", &payload);
    }

    fn publish(&self, tag: &str, payload: &Value) {
        // Our own tags and payloads are small and well-formed; if not, an operator should hear of it.
        if let Err(error) = self.events.publish(tag, "swap-manager", &payload.encode()) {
            self.warn("swap-manager", &format!("event {tag} was not published: {error}"));
        }
    }

    /// Unloads a module that is out of service, or says why it stays.
    pub(crate) fn let_go(&self, module: Arc<LoadedModule>) {
        if module.origin() == Origin::Linked {
            return;
        }
        let (component, version) = (module.component().to_owned(), module.version().to_string());
        let fate = self.loader.unload(module).to_string();
        let mut fates = lock(&self.let_go);
        if fates.len() == FATES {
            fates.pop_front();
        }
        fates.push_back(LetGo { component, version, fate });
    }

    /// The loaded module that serves in a component. While a swap is on trial that is the swap's still.
    fn loaded(&self, component: &'static Component) -> Option<Arc<LoadedModule>> {
        let current = component.current();
        let descriptor = current.body()?.code().descriptor();
        let serves = |module: &Arc<LoadedModule>| std::ptr::eq(descriptor, module.descriptor());
        let name = component.name();
        let kept = lock(&self.modules).get(name).cloned().filter(serves);
        kept.or_else(|| {
            lock(&self.running).iter().find_map(|swap| swap.brings(name).filter(serves))
        })
    }

    /// Another module, or none, is behind a component from now on; the one before is let go of.
    pub(crate) fn replace_module(&self, component: &str, module: Option<Arc<LoadedModule>>) {
        let before = {
            let mut modules = lock(&self.modules);
            match module {
                Some(module) => modules.insert(component.to_owned(), module),
                None => modules.remove(component),
            }
        };
        if let Some(before) = before {
            self.let_go(before);
        }
    }

    pub(crate) fn tell(&self, event: &PhaseEvent) {
        let micros = |d: Duration| Value::U64(u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
        let mut payload = BTreeMap::from([
            ("txn".to_owned(), Value::U64(event.txn)),
            (
                "passed".to_owned(),
                Value::Bool(event.span.result == s_transaction::PhaseResult::Passed),
            ),
            ("took_us".to_owned(), micros(event.span.took)),
        ]);
        if let Some(blackout) = event.blackout {
            payload.insert("blackout_us".to_owned(), micros(blackout));
        }
        self.publish(&event.tag(), &Value::from(payload));
    }

    pub(crate) fn ended(&self, execution: &Arc<Execution>, outcome: &Outcome) {
        let committed = outcome.verdict == s_transaction::Verdict::Committed;
        execution.end_rows(outcome.verdict);
        execution.components.iter().for_each(|component| self.stop_passive(component));
        *lock(&self.serving) = execution.serving_after(outcome);
        // Before another swap may begin: its packages are in no set yet.
        self.sweep();
        // In this order: whoever looks for a swap finds it running, or ended, and never nowhere.
        lock(&self.history).keep(Past {
            outcome: outcome.clone(),
            operator: execution.operator.clone(),
            at: self.today(),
        });
        lock(&self.running).retain(|running| !Arc::ptr_eq(running, execution));
        let level = if committed { Level::Info } else { Level::Warning };
        (self.log)(level, "swap-manager", "", &outcome.to_string());
        let payload = Value::from(BTreeMap::from([
            ("txn".to_owned(), Value::U64(outcome.txn)),
            ("committed".to_owned(), Value::Bool(committed)),
            ("text".to_owned(), Value::from(outcome.to_string())),
        ]));
        self.publish("swap.ended", &payload);
    }

    /// Whether a package may bring this component along.
    pub(crate) fn may_be_added(&self, component: &str) -> bool {
        let is_open = |name: Name| self.additions.iter().any(|pattern| pattern.matches(&name));
        Name::parse(component).is_ok_and(is_open)
    }

    /// Makes a component that a package brings along. The package is proven before: a component stays as long
    /// as the process, and there are not many.
    fn welcome(
        &self,
        component: String,
        source: &Source,
        allow_downgrade: bool,
    ) -> Result<&'static Component, RequestFault> {
        match source {
            Source::Package { bytes, .. } if self.may_be_added(&component) => {
                let added = prove(self, bytes, allow_downgrade).and_then(|_| {
                    self.runtime.add_component(&component).map_err(|error| error.to_string())
                });
                added.map_err(|why| RequestFault::NotAdded { component, why })
            }
            _ => Err(RequestFault::NoSuchComponent { component }),
        }
    }

    /// Lets go of packages that nothing needs any more.
    fn sweep(&self) {
        let set = self.set();
        let swept = self.journal(|repository| {
            let packages = set.modules.values().filter_map(|bound| bound.package);
            let in_use: Vec<Digest> = packages.chain(kept_trust(repository)).collect();
            repository.sweep(&in_use).map(drop)
        });
        if let Err(why) = swept {
            self.warn("swap-manager", &why);
        }
    }
}

/// The trust store that updates have led to, where it is newer than the one given.
fn newer_trust(repository: &Repository, given: TrustStore) -> Result<TrustStore, StartError> {
    let Some(digest) = kept_trust(repository) else { return Ok(given) };
    let kept = repository.get(digest)?;
    let kept = TrustStore::parse(&kept).map_err(StartError::Trust)?;
    Ok(if kept.document().version > given.document().version { kept } else { given })
}

fn kept_trust(repository: &Repository) -> Option<Digest> {
    Digest::parse(repository.recovered().trust.as_ref()?)
}

/// The members of a swap that brings these.
pub(crate) fn members(
    sources: Vec<(&'static Component, Source)>,
    allow_downgrade: bool,
) -> Vec<Member> {
    let member = |(component, source)| Member::new(component, source, allow_downgrade);
    sources.into_iter().map(member).collect()
}

/// What changes for each member.
pub(crate) fn planned(members: &[Member]) -> Result<Vec<Planned>, RequestFault> {
    let planned = |member: &Member| {
        let from = member.predecessor.body().map(|body| body.version().to_owned());
        let component = member.component.name().to_owned();
        let change = match (from, member.source.version()) {
            (None, Some(to)) => s_transaction::Change::Add { to },
            (Some(from), Some(to)) => s_transaction::Change::Replace { from, to },
            (Some(from), None) => s_transaction::Change::Remove { from },
            (None, None) => return Err(RequestFault::NothingToRemove { component }),
        };
        Ok(Planned { component, change, gated: member.is_gated() })
    };
    members.iter().map(planned).collect()
}

/// The swap manager of one S-application.
#[derive(Clone)]
pub struct SwapManager(pub(crate) Arc<Inner>);

/// A swap that was begun.
pub struct Ticket(Arc<Execution>);

impl Ticket {
    /// Its number.
    pub fn txn(&self) -> u64 {
        self.0.txn
    }

    /// What it changes.
    pub fn components(&self) -> &[String] {
        &self.0.components
    }

    /// Waits for its end.
    pub fn wait(&self) -> Outcome {
        self.0.wait()
    }

    /// Its end, if it has come.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome()
    }

    /// The phase it is in.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase()
    }
}

impl SwapManager {
    /// Opens the repository and makes an application without components.
    ///
    /// # Errors
    /// The repository cannot be opened, or the machine has no thread left.
    pub fn open(config: Config) -> Result<(Self, &'static Runtime), StartError> {
        let (repository, cut) = Repository::open(&config.directory, config.settings)?;
        let trust = newer_trust(&repository, config.trust)?;
        let target = s_sdk::abi::TARGET;
        let target = Triple::parse(target).map_err(|_| StartError::Target(target.to_owned()))?;
        let (reports, troubles) = std::sync::mpsc::channel();
        let counters = Counters::default();
        let events = Events::new();
        let tables = Arc::new(ResidentTables::new());
        let around = Arc::new(Around {
            log: Arc::clone(&config.log),
            counters: Arc::clone(&counters),
            events: events.clone(),
            tasks: OnceLock::new(),
            tables: Arc::clone(&tables),
            lent: Mutex::default(),
            reports: Mutex::new(reports),
        });
        let fence = s_loader::membarrier::register().map_or(Fence::Everywhere, Fence::ByWriter);
        let (runtime, control) = Runtime::start(Arc::clone(&around) as _, fence);
        let tasks =
            around.tasks.get_or_init(|| Arc::new(Tasks::new(runtime, events.clone()))).clone();
        let running = Running::default();
        let timing = Arc::clone(&running);
        let service = std::thread::Builder::new().name("swap-timing".into());
        service.spawn(move || timing::run(&timing, &troubles)).map_err(StartError::Thread)?;
        let manager = SwapManager(Arc::new(Inner {
            runtime,
            control,
            loader: Loader::new(config.budget),
            trust: Mutex::new(trust),
            target,
            limits: config.limits,
            additions: config.additions,
            questions: config.questions,
            preflight: config.preflight,
            tables,
            events,
            tasks,
            counters,
            log: config.log,
            repository: Mutex::new(repository),
            running,
            history: Mutex::new(History::new(config.history)),
            factory: Mutex::default(),
            modules: Mutex::default(),
            replays: Mutex::default(),
            let_go: Mutex::default(),
            serving: Mutex::default(),
            started: Instant::now(),
        }));
        if let Some(cut) = cut {
            manager.0.warn("swap-manager", &cut.to_string());
        }
        Ok((manager, runtime))
    }

    /// Adds a component, with the host's own module for it if there is one. Nothing is loaded before
    /// [`SwapManager::start`].
    ///
    /// # Errors
    /// The name is taken, or there are too many.
    pub fn component(
        &self,
        name: &str,
        factory: Option<&'static ModuleDescriptor>,
    ) -> Result<&'static Component, StartError> {
        let component = self.0.runtime.add_component(name)?;
        if let Some(factory) = factory {
            lock(&self.0.factory).insert(name.to_owned(), factory);
        }
        Ok(component)
    }

    /// Records that this start carries the application: it has answered its callers well.
    ///
    /// # Errors
    /// The repository's.
    pub fn healthy(&self) -> Result<(), StartError> {
        Ok(lock(&self.0.repository).healthy()?)
    }

    /// Begins a swap. It goes on by itself; the ticket tells its end.
    ///
    /// # Errors
    /// The request is no plan, or another swap runs.
    pub fn begin(&self, request: Request) -> Result<Ticket, SwapError> {
        let inner = &self.0;
        let sources = self.sources(request.items, request.allow_downgrade)?;
        // One swap at a time: each record names the whole set, so a second one would decide on a set that
        // the first may yet take back. From this look to the entry of this swap nobody else may enter, and
        // what serves now stays what it is.
        let mut running = lock(&inner.running);
        if let Some(other) = running.first() {
            let txn = other.txn;
            let busy = SwapError::Busy {
                txn,
                components: other.components.join(", "),
                phase: other.phase().map_or("ended", |phase| phase.name()).to_owned(),
            };
            drop(running);
            let payload = BTreeMap::from([("txn".to_owned(), Value::U64(txn))]);
            inner.publish("swap.refused", &Value::from(payload));
            return Err(busy);
        }
        let members = members(sources, request.allow_downgrade);
        let planned = planned(&members)?;
        let after = self.versions_after(&members);
        self.nobody_needs_what_goes(&members, &after)?;
        let id = lock(&inner.repository).next_txn();
        let plan =
            Plan { id, members: planned, deadlines: request.deadlines, confirm: request.confirm };
        let execution = Execution::new(Arc::clone(inner), plan, members, after, request.operator)
            .map_err(RequestFault::Plan)?;
        running.push(Arc::clone(&execution));
        drop(running);
        // Not on this thread: a module that hangs must not keep who asked from giving the swap up.
        execution.take_over();
        Ok(Ticket(execution))
    }

    /// The component of each item, and what would come there.
    pub(crate) fn sources(
        &self,
        items: Vec<Item>,
        allow_downgrade: bool,
    ) -> Result<Vec<(&'static Component, Source)>, RequestFault> {
        let inner = &self.0;
        let mut sources = Vec::new();
        for (i, item) in items.into_iter().enumerate() {
            let (name, source) = match item {
                Item::Package(bytes) => {
                    let claims = claims(i, &bytes, &inner.limits)?;
                    (
                        claims.module.component.as_str().to_owned(),
                        Source::Package { bytes, claims: Box::new(claims) },
                    )
                }
                Item::Linked(descriptor) => {
                    (descriptor.component.as_str().to_owned(), Source::Linked(descriptor))
                }
                Item::Remove(name) => (name, Source::Nothing),
            };
            let component = match inner.runtime.component(&name) {
                Some(known) => known,
                None => inner.welcome(name, &source, allow_downgrade)?,
            };
            sources.push((component, source));
        }
        Ok(sources)
    }

    /// Nothing is verified for a component that only loses its module, so whoever needs it is asked here.
    pub(crate) fn nobody_needs_what_goes(
        &self,
        members: &[Member],
        after: &Versions,
    ) -> Result<(), RequestFault> {
        let changing: Vec<String> =
            members.iter().map(|member| member.component.name().to_owned()).collect();
        for member in members.iter().filter(|member| matches!(member.source, Source::Nothing)) {
            dependents_content(&self.0, member.component.name(), after, &changing)
                .map_err(|why| RequestFault::StillNeeded { why })?;
        }
        Ok(())
    }

    pub(crate) fn versions_after(&self, members: &[Member]) -> Versions {
        let mut versions = Versions::new();
        for component in self.0.runtime.components() {
            if let Some(body) = component.current().body()
                && let Ok(version) = semver::Version::parse(body.version())
            {
                versions.insert(component.name().to_owned(), version);
            }
        }
        for member in members {
            match member.source.version().and_then(|version| semver::Version::parse(&version).ok())
            {
                Some(version) => versions.insert(member.component.name().to_owned(), version),
                None => versions.remove(member.component.name()),
            };
        }
        versions
    }

    /// Swaps, and waits for the end of the swap, its confirm window included.
    ///
    /// # Errors
    /// As for [`SwapManager::begin`].
    pub fn swap(&self, request: Request) -> Result<Outcome, SwapError> {
        Ok(self.begin(request)?.wait())
    }

    fn control(&self, txn: u64, control: Control) -> Result<(), SwapError> {
        let found = lock(&self.0.running).iter().find(|running| running.txn == txn).cloned();
        Ok(found.ok_or(SwapError::NoSuchSwap { txn })?.control(control)?)
    }

    /// Keeps the new versions without waiting for the end of the confirm window.
    ///
    /// # Errors
    /// No such swap, or it is not in its confirm window.
    pub fn confirm(&self, txn: u64) -> Result<(), SwapError> {
        self.control(txn, Control::Confirm)
    }

    /// Gives a swap up before anything is decided.
    ///
    /// # Errors
    /// No such swap, or it is decided.
    pub fn abort(&self, txn: u64) -> Result<(), SwapError> {
        self.control(txn, Control::Abort)
    }

    /// Brings the old versions back, within the confirm window.
    ///
    /// # Errors
    /// No such swap, or it is not committed yet.
    pub fn roll_back(&self, txn: u64) -> Result<(), SwapError> {
        self.control(txn, Control::Rollback)
    }

    /// The package of a recorded digest, to swap to again.
    ///
    /// # Errors
    /// It is not kept, or has changed on the disk.
    pub fn kept_package(&self, digest: Digest) -> Result<Vec<u8>, StartError> {
        Ok(lock(&self.0.repository).get(digest)?)
    }

    /// Takes over a signed trust update, durably: the next start finds it, whatever store it is given.
    ///
    /// # Errors
    /// The update is not the next one, or not signed by enough roots; or it cannot be kept.
    pub fn update_trust(&self, update: &[u8]) -> Result<(), TrustError> {
        let mut trust = lock(&self.0.trust);
        let updated = trust.updated(update, self.0.today())?;
        let mut repository = lock(&self.0.repository);
        let kept = repository.put(&updated.to_json())?;
        repository.set_trust_store(&kept.to_string())?;
        drop(repository);
        *trust = updated;
        Ok(())
    }

    /// The trust store that is in force.
    pub fn trust(&self) -> TrustStore {
        lock(&self.0.trust).clone()
    }

    /// Tells of trouble that the host sees and a call does not show: too many errors, answers too late. In
    /// the confirm window of a swap that brought the component's module it brings the predecessor back.
    pub fn report_trouble(&self, component: &str, trouble: &Trouble) {
        let Some(component) = self.0.runtime.component(component) else { return };
        let generation = component.current().number();
        for swap in lock(&self.0.running).clone() {
            swap.trouble(component.name(), generation, trouble);
        }
    }

    /// The swaps that run.
    pub fn running(&self) -> Vec<RunningSwap> {
        lock(&self.0.running).iter().map(told).collect()
    }

    /// The swap whose confirm window is open.
    pub fn on_trial(&self) -> Option<RunningSwap> {
        let running = lock(&self.0.running);
        running.iter().find(|swap| swap.phase() == Some(Phase::Confirm)).map(told)
    }

    /// Calls to repeat in the rehearsals of a component's successors.
    pub fn set_replays(&self, component: &str, replays: Vec<Replay>) {
        lock(&self.0.replays).insert(component.to_owned(), replays);
    }

    /// The runtime.
    pub fn runtime(&self) -> &'static Runtime {
        self.0.runtime
    }

    /// The event manager.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// The tasks of active modules.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.0.tasks
    }

    /// The resident tables.
    pub fn resident_tables(&self) -> &Arc<ResidentTables> {
        &self.0.tables
    }

    /// The outcomes of the last swaps, oldest first.
    pub fn history(&self) -> Vec<Outcome> {
        lock(&self.0.history).iter().map(|past| past.outcome.clone()).collect()
    }

    /// A swap that ended, if it is still remembered.
    pub fn past_swap(&self, txn: u64) -> Option<Past> {
        lock(&self.0.history).iter().rfind(|past| past.outcome.txn == txn).cloned()
    }

    /// The last swaps with who asked for them and when they ended, oldest first.
    pub fn past(&self) -> Vec<Past> {
        lock(&self.0.history).iter().cloned().collect()
    }

    /// The set that serves, as the journal names it.
    pub fn set(&self) -> Set {
        self.0.set()
    }

    /// The counters of all modules, by component and name.
    pub fn counters(&self) -> BTreeMap<(String, String), u64> {
        lock(&self.0.counters).clone()
    }

    /// Everything known about the module that a component binds; none when it binds none.
    pub fn describe(&self, component: &str) -> Option<Description> {
        let module = self.0.loaded(self.0.runtime.component(component)?)?;
        Description::from_descriptor(&module).ok()
    }

    /// The application as it is now.
    pub fn status(&self) -> Status {
        let inner = &self.0;
        inner.loader.sweep();
        let component = |component: &&'static Component| {
            let current = component.current();
            let body = current.body();
            let descriptor = body.map(|body| body.code().descriptor());
            ComponentStatus {
                name: component.name().to_owned(),
                version: body.map(|body| body.version().to_owned()),
                annotation: descriptor.map(|d| d.annotation.as_str().to_owned()),
                module: descriptor.map(|d| d.name.as_str().to_owned()),
                origin: inner.loaded(component).map(|module| module.origin().to_string()),
                generation: current.number(),
                predecessor: component
                    .predecessor()
                    .map(|generation| generation.version().to_owned()),
                policy: match component.policy() {
                    ExceptionPolicy::Fail => "fail",
                    ExceptionPolicy::RetryOnPredecessor => "retry-on-predecessor",
                    ExceptionPolicy::Rollback => "rollback",
                },
                panics: body.map_or(0, |body| body.panics()),
                critical: body.is_some_and(|body| body.is_critical()),
            }
        };
        Status {
            components: inner.runtime.components().iter().map(component).collect(),
            running: self.running(),
            pinned: inner.loader.pinned().iter().map(ToString::to_string).collect(),
            let_go: lock(&inner.let_go).iter().cloned().collect(),
        }
    }
}
