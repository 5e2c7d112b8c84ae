//! The S-application: which components there are, what fills them at first, and how they are configured.

use crate::config::Configuration;
use crate::first_user::{self, Unseen};
use crate::identity;
use crate::keeper::Keeper;
use crate::latency::Latency;
use crate::oids;
use crate::store::Store;
use roles::settings::{Settings as _, SettingsProxy, SnmpSettings, write};
use s_control::{Config, StartError, Started, SwapManager};
use s_engine::{Engine, Facts, Identity};
use s_package::text::Pattern;
use s_package::trust::TrustStore;
use s_proxy::gate::Fence;
use s_proxy::{Code, Runtime, Surroundings};
use s_repository::RepositoryFault;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::error::CallErrorKind;
use s_sdk::{Buf, Level};
use s_transaction::journal::{JournalFault, ScanFault};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The largest datagram that UDP carries over IPv4.
pub(crate) const LARGEST: u32 = 65_507;

/// Every component, and the module that fills it until a package does. In the order of their need: what
/// others call comes first.
static FACTORY: [(&str, &ModuleDescriptor); 23] = [
    ("engine", &s_engine::facts::S_MODULE),
    ("auth.md5", &auth_hmac_md5::S_MODULE),
    ("auth.sha1", &auth_hmac_sha1::S_MODULE),
    ("auth.sha2", &auth_hmac_sha2::S_MODULE),
    ("priv.des", &priv_des::S_MODULE),
    ("priv.aes", &priv_aes::S_MODULE),
    ("security.usm", &security_usm::S_MODULE),
    ("security.community", &security_community::S_MODULE),
    ("message.v1", &message_v1::S_MODULE),
    ("message.v2c", &message_v2c::S_MODULE),
    ("message.v3", &message_v3::S_MODULE),
    ("access.vacm", &access_vacm::S_MODULE),
    ("mib.system", &mib_system::S_MODULE),
    ("mib.snmp", &mib_snmp::S_MODULE),
    ("mib.if", &mib_if::S_MODULE),
    ("mib.host", &mib_host::S_MODULE),
    ("mib.ucd", &mib_ucd::S_MODULE),
    ("mib.entity", &mib_entity::S_MODULE),
    ("mib.swap", &mib_swap::S_MODULE),
    ("mib.ip", &mib_ip::S_MODULE),
    ("mib.tcp", &mib_tcp::S_MODULE),
    ("mib.udp", &mib_udp::S_MODULE),
    ("notify", &::notify::S_MODULE),
];

/// What packages may bring along: variables. Whoever else is new is asked by nobody.
const ADDITIONS: &str = "mib.*";

/// A running agent, but for its sockets.
pub(crate) struct Application {
    pub(crate) manager: SwapManager,
    pub(crate) runtime: &'static Runtime,
    pub(crate) engine: Arc<Engine>,
    pub(crate) latency: Arc<Latency>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) log: s_control::LogSink,
    /// What the start has found.
    pub(crate) started: Started,
    store: Store,
    /// What the modules have taken over: for the way back.
    documents: Mutex<Vec<Document>>,
}

/// Settings of a module, as it takes them.
type Document = (&'static str, Vec<u8>);

/// Loads the components, gives them what they kept and what is configured.
///
/// # Errors
/// What kept it from starting.
pub(crate) fn start(
    configuration: &mut Configuration,
    trust: TrustStore,
    store: &Store,
    log: s_control::LogSink,
) -> Result<(Application, Option<Unseen>), Box<dyn Error>> {
    let warn = |what: &str| log(Level::Warning, "sagentd", "", what);
    let (identity, warnings) = identity::begin(store, configuration.engine_id.as_deref())?;
    warnings.iter().for_each(|warning| warn(warning));
    let began = Instant::now();
    let facts = Facts::new(Identity {
        engine_id: identity.engine_id,
        boots: identity.boots,
        max_message_size: configuration.max_message_size.unwrap_or(LARGEST),
        clock: Box::new(move || began.elapsed()),
    });
    let (manager, runtime) = manager(trust, store, &log)?;
    for (name, module) in &FACTORY {
        manager.component(name, Some(module))?;
    }
    let started = facts.while_starting(|| manager.start())?;
    if let Started::Recorded { txn, .. } = &started {
        log(Level::Info, "sagentd", "", &format!("the set of swap {txn} serves"));
    }

    let mut worker = runtime.worker();
    let (keeper, warnings) = worker.serve(|act| Keeper::restore(store, runtime, act))?;
    let keeper = Arc::new(keeper);
    warnings.iter().for_each(|warning| warn(warning));
    let durable = {
        let (keeper, log) = (Arc::clone(&keeper), Arc::clone(&log));
        move |act: &s_sdk::Activity| match keeper.keep(act) {
            Ok(warnings) => {
                warnings.iter().for_each(|what| log(Level::Warning, "sagentd", "", what));
                true
            }
            Err(why) => {
                log(Level::Error, "sagentd", "", &why);
                false
            }
        }
    };
    let engine = Arc::new(Engine::new(runtime, facts, configuration.limits(), Box::new(durable))?);
    let (store, documents) = (store.clone(), Mutex::default());
    let application = Application {
        manager,
        runtime,
        engine,
        latency: Arc::default(),
        keeper,
        log: Arc::clone(&log),
        started,
        store,
        documents,
    };
    let (unseen, warning) = application.let_somebody_in(configuration)?;
    warning.iter().for_each(|warning| warn(warning));
    application.configure(configuration)?;
    let problems = worker.serve(|act| application.engine.look(runtime, act));
    problems.iter().for_each(|problem| warn(problem));
    worker.serve(|act| application.keeper.keep(act))?;
    Ok((application, unseen))
}

/// Opens the swap manager. A journal that is damaged at its beginning tells nothing more: it is kept aside,
/// and the agent starts with its factory set.
///
/// # Errors
/// What kept it from opening, and the remedy.
fn manager(
    trust: TrustStore,
    store: &Store,
    log: &s_control::LogSink,
) -> Result<(SwapManager, &'static Runtime), Box<dyn Error>> {
    let directory = store.path().join("swap");
    let open = || {
        let mut config = Config::new(&directory, trust.clone());
        config.additions = vec![Pattern::parse(ADDITIONS)?];
        config.questions = vec![oids::QUESTION.to_owned()];
        config.log = Arc::clone(log);
        Ok::<_, Box<dyn Error>>(SwapManager::open(config))
    };
    let fault = match open()? {
        Ok(opened) => return Ok(opened),
        Err(fault) => fault,
    };
    let StartError::Repository(RepositoryFault::Journal(JournalFault::Scan(
        ScanFault::NotAJournal,
    ))) = fault
    else {
        return Err(fault.into());
    };
    let aside = Store::open(&directory)?.keep_aside("journal", "damaged", false)?;
    let aside: Vec<_> = aside.iter().map(|path| path.display().to_string()).collect();
    let what = format!(
        "{}/journal is damaged at its beginning and is now {}; the factory set serves, and which \
         epochs were recorded is forgotten: push the packages again",
        directory.display(),
        aside.join(", ")
    );
    log(Level::Warning, "sagentd", "", &what);
    Ok(open()??)
}

/// Has every module that an agent starts with check its part of a configuration; nothing is written, and
/// nobody is answered.
///
/// # Errors
/// What is wrong.
pub(crate) fn check(configuration: &Configuration) -> Result<(), Box<dyn Error>> {
    struct Nobody;
    impl Surroundings for Nobody {}
    let facts = Facts::new(Identity {
        // Which one it is decides nothing that is checked.
        engine_id: configuration.engine_id.clone().unwrap_or_else(|| b"\x80check".to_vec()),
        boots: 1,
        max_message_size: configuration.max_message_size.unwrap_or(LARGEST),
        clock: Box::new(|| Duration::ZERO),
    });
    let (runtime, control) = Runtime::start(Arc::new(Nobody), Fence::Everywhere);
    facts.while_starting(|| {
        FACTORY.iter().try_for_each(|(name, module)| {
            let component = runtime.add_component(name).map_err(|error| error.to_string())?;
            let body = control.create(component, Code::linked(module));
            let body = body.map_err(|error| format!("{name}: {error}"))?;
            let group = control.bind(&[(component, Some(body))]);
            let soon = Instant::now() + Duration::from_secs(10);
            let taken = control.take(soon).ok_or_else(|| format!("{name} cannot be filled"))?;
            taken.flip_open(group);
            Ok::<_, String>(())
        })
    })?;
    let tell = |document| tell(runtime, document, false).err();
    let problems = documents(configuration);
    let problems: Vec<_> =
        problems.iter().filter_map(tell).map(|one| configuration.places.of(&one)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

impl Application {
    /// Where state is kept.
    pub(crate) fn state(&self) -> &Path {
        self.store.path()
    }

    /// Records that what was started carries the agent.
    pub(crate) fn is_healthy(&self) {
        if let Err(error) = self.manager.healthy() {
            let why = s_control::chain(&error);
            let what = format!("that this start went well cannot be recorded: {why}");
            (self.log)(Level::Warning, "sagentd", "", &what);
        }
    }

    /// Gives a module that has come into a component that had none what is configured, and what was kept of
    /// its predecessors: it was handed no state.
    pub(crate) fn welcome(&self, component: &str) {
        let documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let own = documents.iter().filter(|(name, _)| *name == component);
        let told = own.filter_map(|document| tell(self.runtime, document, true).err());
        let kept = self.runtime.worker().serve(|act| self.keeper.keep(act));
        let kept = kept.unwrap_or_else(|why| vec![why]);
        for problem in told.chain(kept) {
            (self.log)(Level::Warning, "sagentd", "", &problem);
        }
    }

    /// Gives an agent that nobody has configured a user.
    ///
    /// # Errors
    /// There can be none.
    pub(crate) fn let_somebody_in(
        &self,
        configuration: &mut Configuration,
    ) -> Result<(Option<Unseen>, Option<String>), String> {
        let engine_id = self.engine.facts().engine_id();
        self.runtime
            .worker()
            .serve(|act| first_user::add(&self.store, engine_id, self.runtime, act, configuration))
    }

    /// Has every module check its part of a configuration, then all of them take it over. Where one does
    /// not after all, those before it take back what they had.
    ///
    /// # Errors
    /// What is wrong; then nothing has changed, or it says what did.
    pub(crate) fn configure(&self, configuration: &Configuration) -> Result<(), String> {
        let new = documents(configuration);
        let mut before = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let tell_one = |one| tell(self.runtime, one, false).err();
        let problems: Vec<_> =
            new.iter().filter_map(tell_one).map(|one| configuration.places.of(&one)).collect();
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        for (at, document) in new.iter().enumerate() {
            let Err(mut problem) = tell(self.runtime, document, true) else { continue };
            for old in before.iter().take(at + 1) {
                if let Err(why) = tell(self.runtime, old, true) {
                    problem += &format!("\nwhat it had before is refused as well: {why}");
                }
            }
            return Err(problem);
        }
        *before = new;
        Ok(())
    }
}

/// Has a module check a document, or take it over.
fn tell(
    runtime: &'static Runtime,
    (component, document): &Document,
    apply: bool,
) -> Result<(), String> {
    let proxy: SettingsProxy = runtime.proxy(component).map_err(|error| error.to_string())?;
    let mut wrong = Buf::new();
    let told = runtime.worker().serve(|act| match apply {
        false => proxy.check(act, document, &mut wrong),
        true => proxy.apply(act, document, &mut wrong),
    });
    match told {
        Ok(0) => Ok(()),
        Ok(_) => {
            let wrong = String::from_utf8_lossy(&wrong);
            let lines = wrong.lines().map(|line| format!("{component}: {line}"));
            Err(lines.collect::<Vec<_>>().join("\n"))
        }
        // A module that takes no settings does as it is told where nothing is set for it.
        Err(error) if error.kind == CallErrorKind::NotUnderstood && is_nothing(document) => Ok(()),
        Err(error) => Err(format!("{component}: {error}")),
    }
}

/// Whether a document sets nothing: `mib.snmp` was not always asked.
fn is_nothing(document: &[u8]) -> bool {
    document == write(&SnmpSettings::default())
}

/// A configuration, by the module that takes each part of it.
fn documents(configuration: &Configuration) -> Vec<Document> {
    vec![
        ("security.usm", write(&configuration.usm)),
        ("security.community", write(&configuration.communities)),
        ("access.vacm", write(&configuration.vacm)),
        ("mib.system", write(&configuration.system)),
        ("mib.snmp", write(&configuration.snmp)),
        ("mib.ucd", write(&configuration.ucd)),
        ("notify", write(&configuration.notify)),
    ]
}
