//! The agent, its users, communities, views and clock.

use crate::compose::{AUTH_PASSPHRASE, ENGINE_ID, PRIV_PASSPHRASE};
use crate::sample::{self, BASE};
use roles::settings::{
    AccessEntry, Community, CommunitySettings, GroupMember, KeyForm, Settings as _, SettingsProxy,
    SystemSettings, User, UsmSettings, VacmSettings, ViewFamily, write,
};
use s_engine::{Engine, Facts, Identity, Limits, Peer, Scratch};
use s_proxy::gate::Fence;
use s_proxy::{Code, Component, Runtime, Surroundings, SwapControl, Worker};
use s_sdk::Buf;
use s_sdk::abi::ModuleDescriptor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// snmpUDPDomain.
pub const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];

/// snmpEngineBoots.
pub const BOOTS: u32 = 3;

const MODULES: [(&str, &ModuleDescriptor); 17] = [
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
    ("mib.sample", &sample::outer::S_MODULE),
    ("mib.nested", &sample::inner::S_MODULE),
    ("mib.slow", &sample::slow::S_MODULE),
];

struct Nothing;

impl Surroundings for Nothing {}

/// An agent.
pub struct Agent {
    /// Its engine.
    pub engine: Arc<Engine>,
    /// Its components.
    pub runtime: &'static Runtime,
    control: SwapControl,
    nanos: Arc<AtomicU64>,
}

impl Default for Agent {
    fn default() -> Self {
        Agent::with(Limits::default(), Fence::Everywhere, true)
    }
}

impl Agent {
    /// An agent with limits of its own; one whose SETs are never durable takes them all back.
    pub fn with(limits: Limits, fence: Fence, is_durable: bool) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&nanos);
        let facts = Facts::new(Identity {
            engine_id: ENGINE_ID.to_vec(),
            boots: BOOTS,
            max_message_size: 65_507,
            clock: Box::new(move || Duration::from_nanos(clock.load(Ordering::Relaxed))),
        });
        let (runtime, control) = Runtime::start(Arc::new(Nothing), fence);
        for (name, module) in &MODULES {
            facts.while_starting(|| serve(&control, name, Some(module)));
        }
        let engine = Engine::new(runtime, facts, limits, Box::new(move |_| is_durable)).unwrap();
        let agent = Agent { engine: Arc::new(engine), runtime, control, nanos };
        agent.configure("security.usm", &write(&users()));
        agent.configure("security.community", &write(&communities()));
        agent.configure("access.vacm", &write(&access()));
        agent.configure("mib.system", &write(&system()));
        agent.look();
        agent
    }

    /// Has a module take a document over.
    ///
    /// # Panics
    /// Something is wrong with it.
    pub fn configure(&self, component: &str, document: &[u8]) {
        let proxy: SettingsProxy = self.runtime.proxy(component).unwrap();
        let mut worker = self.runtime.worker();
        let mut problems = Buf::new();
        let count = worker.serve(|act| proxy.apply(act, document, &mut problems)).unwrap();
        assert_eq!(count, 0, "{component}: {}", String::from_utf8_lossy(&problems));
    }

    /// Takes every user's passphrase back, as a SET might.
    pub fn lock_users_out(&self) {
        self.configure("security.usm", &write(&UsmSettings { users: vec![] }));
    }

    /// Puts another module in a component, or none, without any look at what it answers for.
    pub fn swap(&self, component: &str, module: Option<&'static ModuleDescriptor>) {
        serve(&self.control, component, module);
    }

    /// Asks all modules what they answer for.
    ///
    /// # Panics
    /// Something is wrong with what they say.
    pub fn look(&self) {
        let problems = self.runtime.worker().serve(|act| self.engine.look(self.runtime, act));
        assert_eq!(problems, Vec::<String>::new());
    }

    /// Sets the time since the start.
    pub fn set_time(&self, time: Duration) {
        self.nanos.store(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
    }

    /// What a thread of this agent has.
    pub fn thread(&self) -> Thread {
        Thread {
            engine: Arc::clone(&self.engine),
            worker: self.runtime.worker(),
            scratch: Scratch::new(),
        }
    }

    /// The answer to one datagram.
    pub fn ask(&self, from: &[u8], datagram: &[u8]) -> Option<Vec<u8>> {
        self.thread().ask(from, datagram).map(<[u8]>::to_vec)
    }
}

/// One thread that answers.
pub struct Thread {
    engine: Arc<Engine>,
    worker: Worker,
    /// Its memory.
    pub scratch: Scratch,
}

impl Thread {
    /// The answer to one datagram that came over UDP.
    pub fn ask(&mut self, from: &[u8], datagram: &[u8]) -> Option<&[u8]> {
        let Thread { engine, worker, scratch } = self;
        let peer = Peer { domain: UDP, address: from };
        scratch.begin();
        let answered = worker.serve(|act| engine.answer(act, peer, datagram, scratch));
        engine.conclude(scratch);
        answered.then(|| self.scratch.answer())
    }

    /// The answer to the last datagram when its request is begun anew, as it is after a module failed in it.
    pub fn ask_anew(&mut self, from: &[u8], datagram: &[u8]) -> Option<&[u8]> {
        let Thread { engine, worker, scratch } = self;
        let peer = Peer { domain: UDP, address: from };
        let answered = worker.serve(|act| engine.answer(act, peer, datagram, scratch));
        engine.conclude(scratch);
        answered.then(|| self.scratch.answer())
    }
}

fn serve(
    control: &SwapControl,
    name: &str,
    module: Option<&'static ModuleDescriptor>,
) -> &'static Component {
    let runtime = control.runtime();
    let component = runtime.component(name).unwrap_or_else(|| runtime.add_component(name).unwrap());
    let body = module.map(|module| control.create(component, Code::linked(module)).unwrap());
    let soon = Instant::now() + Duration::from_secs(10);
    let group = control.bind(&[(component, body)]);
    control.take(soon).unwrap().flip_open(group);
    component
}

fn users() -> UsmSettings {
    let sha1 = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3][..];
    let sha256 = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5][..];
    let aes = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4][..];
    let user = |name: &str, auth: &[u32], private: &[u32]| {
        let form = |protocol: &[u32]| {
            if protocol.is_empty() { KeyForm::None } else { KeyForm::Password }
        };
        let secret = |protocol: &[u32], secret: &str| {
            if protocol.is_empty() { vec![] } else { secret.as_bytes().to_vec() }
        };
        User {
            name: name.into(),
            engine_id: vec![],
            auth_protocol: auth.to_vec(),
            auth_form: form(auth),
            auth_secret: secret(auth, AUTH_PASSPHRASE),
            priv_protocol: private.to_vec(),
            priv_form: form(private),
            priv_secret: secret(private, PRIV_PASSPHRASE),
        }
    };
    UsmSettings {
        users: vec![
            user("none", &[], &[]),
            user("sha1", sha1, &[]),
            user("sha256", sha256, aes),
            user("nobody", &[], &[]),
        ],
    }
}

fn communities() -> CommunitySettings {
    let community = |name: &str| Community {
        index: name.into(),
        community: name.into(),
        security_name: name.into(),
        context_name: vec![],
        sources: vec![],
    };
    CommunitySettings {
        communities: ["public", "private", "narrow", "rows"].map(community).to_vec(),
    }
}

fn access() -> VacmSettings {
    let member = |model, name: &str, group: &str| GroupMember {
        security_model: model,
        security_name: name.into(),
        group: group.into(),
    };
    let entry = |group: &str, read: &str, writes: &str| AccessEntry {
        group: group.into(),
        context: vec![],
        exact: true,
        security_model: 0,
        security_level: 1,
        read_view: read.into(),
        write_view: writes.into(),
        notify_view: vec![],
    };
    let family = |view: &str, subtree: Vec<u32>, mask: &[u8], included| ViewFamily {
        view: view.into(),
        subtree,
        mask: mask.to_vec(),
        included,
    };
    let of_base = |more: &[u32]| [BASE, more].concat();
    let mut members =
        vec![member(3, "none", "all"), member(3, "sha1", "all"), member(3, "sha256", "all")];
    for model in [1, 2] {
        members.push(member(model, "public", "readers"));
        members.push(member(model, "private", "all"));
        members.push(member(model, "narrow", "narrow"));
        members.push(member(model, "rows", "rows"));
    }
    VacmSettings {
        contexts: vec![b"other".to_vec()],
        members,
        access: vec![
            entry("all", "all", "all"),
            entry("readers", "all", ""),
            entry("narrow", "narrow", ""),
            entry("rows", "rows", ""),
        ],
        views: vec![
            family("all", vec![1], &[], true),
            // Everything but the large table, and one cell in it.
            family("narrow", vec![1], &[], true),
            family("narrow", of_base(&[3]), &[], false),
            family("narrow", of_base(&[3, 1, 2, 7]), &[], true),
            // One row of the large table: the column may be anything.
            family("rows", of_base(&[3, 1, 0, 5]), &[0xff, 0xef], true),
        ],
    }
}

fn system() -> SystemSettings {
    SystemSettings {
        descr: "an agent without sockets".into(),
        object_id: [BASE, &[9]].concat(),
        contact: "nobody@example.org".into(),
        name: "agent.example.org".into(),
        location: "memory".into(),
        services: 72,
    }
}
