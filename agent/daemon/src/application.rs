//! The S-application: which components there are, what fills them at first, and how they are configured.

use crate::config::Configuration;
use crate::identity;
use crate::keeper::Keeper;
use crate::store::Store;
use roles::settings::{Settings as _, SettingsProxy, write};
use s_control::{Config, Started, SwapManager};
use s_engine::{Engine, Facts, Identity, Limits};
use s_package::key::SecretKey;
use s_package::text::Name;
use s_package::trust::{RootKey, Roots, SCHEMA, TrustDocument, TrustStore};
use s_proxy::Runtime;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::{Buf, Level};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// The largest datagram that UDP carries over IPv4.
pub(crate) const LARGEST: u32 = 65_507;

/// Every component, and the module that fills it until a package does. In the order of their need: what
/// others call comes first.
static FACTORY: [(&str, &ModuleDescriptor); 17] = [
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
    ("mib.ip-tcp-udp", &mib_ip_tcp_udp::S_MODULE),
];

/// A running agent, but for its sockets.
pub(crate) struct Application {
    pub(crate) manager: SwapManager,
    pub(crate) runtime: &'static Runtime,
    pub(crate) engine: Arc<Engine>,
    pub(crate) keeper: Arc<Keeper>,
}

/// Loads the components, gives them what they kept and what is configured.
///
/// # Errors
/// What kept it from starting.
pub(crate) fn start(
    configuration: &Configuration,
    store: &Store,
    log: s_control::LogSink,
) -> Result<Application, Box<dyn Error>> {
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
    let mut config = Config::new(store.path().join("swap"), nobody()?);
    config.log = Arc::clone(&log);
    let (manager, runtime) = SwapManager::open(config)?;
    for (name, module) in &FACTORY {
        manager.component(name, Some(module))?;
    }
    let started = facts.while_starting(|| manager.start())?;
    if let Started::Recorded { txn, .. } = started {
        log(Level::Info, "sagentd", "", &format!("the set of swap {txn} serves"));
    }

    let mut worker = runtime.worker();
    let (keeper, warnings) = worker.serve(|act| Keeper::restore(store, runtime, act));
    let keeper = Arc::new(keeper);
    warnings.iter().for_each(|warning| warn(warning));
    let limits = Limits { max_repetitions: configuration.max_repetitions.unwrap_or(0) };
    let durable = {
        let (keeper, log) = (Arc::clone(&keeper), Arc::clone(&log));
        move |act: &s_sdk::Activity| match keeper.keep(act) {
            Ok(()) => true,
            Err(why) => {
                log(Level::Error, "sagentd", "", &why);
                false
            }
        }
    };
    let engine = Arc::new(Engine::new(runtime, facts, limits, Box::new(durable))?);
    let application = Application { manager, runtime, engine, keeper };
    application.configure(configuration)?;
    let problems = worker.serve(|act| application.engine.look(runtime, act));
    problems.iter().for_each(|problem| warn(problem));
    worker.serve(|act| application.keeper.keep(act))?;
    application.manager.healthy()?;
    Ok(application)
}

impl Application {
    /// Checks the whole configuration with every module, then has all of them take it over.
    ///
    /// # Errors
    /// What is wrong; then nothing has changed.
    pub(crate) fn configure(&self, configuration: &Configuration) -> Result<(), String> {
        let documents = [
            ("security.usm", write(&configuration.usm)),
            ("security.community", write(&configuration.communities)),
            ("access.vacm", write(&configuration.vacm)),
            ("mib.system", write(&configuration.system)),
        ];
        let mut problems = Vec::new();
        let mut worker = self.runtime.worker();
        for apply in [false, true] {
            for (component, document) in &documents {
                let proxy: SettingsProxy =
                    self.runtime.proxy(component).map_err(|error| error.to_string())?;
                let mut wrong = Buf::new();
                let told = worker.serve(|act| match apply {
                    false => proxy.check(act, document, &mut wrong),
                    true => proxy.apply(act, document, &mut wrong),
                });
                match told {
                    Ok(0) => {}
                    Ok(_) => problems.extend(
                        String::from_utf8_lossy(&wrong)
                            .lines()
                            .map(|l| format!("{component}: {l}")),
                    ),
                    Err(error) => problems.push(format!("{component}: {error}")),
                }
            }
            if !problems.is_empty() {
                return Err(problems.join("\n"));
            }
        }
        Ok(())
    }
}

/// A trust store that trusts nobody: its one root key was thrown away. Who wants to push packages installs
/// another.
fn nobody() -> Result<TrustStore, Box<dyn Error>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)?;
    let public = SecretKey::from_seed(&seed).public();
    let root = RootKey { id: public.id(), public, name: Name::parse("nobody")?, expires: None };
    Ok(TrustStore::try_from(TrustDocument {
        schema: SCHEMA,
        version: 1,
        roots: Roots { threshold: 1, keys: vec![root] },
        keys: Vec::new(),
        rules: Vec::new(),
    })?)
}
