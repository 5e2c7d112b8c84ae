//! Linked modules that carry state or keep something, each in a component of its own.
//!
//! Invariant: after [`Hosted::begin_anew`] a module is as it began. Their order is part of the inputs: new ones go
//! to the end.

use roles::settings::{Persistence as _, PersistenceProxy};
use s_engine::{Facts, Identity};
use s_proxy::gate::Fence;
use s_proxy::{Body, Code, Runtime, Surroundings};
use s_sdk::abi::{ModuleDescriptor, Status};
use s_sdk::{Buf, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MODULES: [(&str, &ModuleDescriptor); 16] = [
    ("engine", &s_engine::facts::S_MODULE),
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
    ("notify", &notify::S_MODULE),
    ("mib.if", &mib_if::S_MODULE),
    ("mib.host", &mib_host::S_MODULE),
    ("mib.ucd", &mib_ucd::S_MODULE),
];

/// What modules ask of their host here comes to nothing.
struct Nothing;

impl Surroundings for Nothing {
    fn set_timer(&self, _: &str, _: u64, _: u64, _: u64) -> Status {
        Status::OK
    }
}

pub struct Hosted {
    pub name: &'static str,
    runtime: &'static Runtime,
    body: Arc<Body>,
    persistence: PersistenceProxy,
    /// Its state as it began.
    first: Vec<u8>,
}

/// All modules that carry state.
pub fn hosted() -> Vec<Hosted> {
    let facts = Facts::new(Identity {
        engine_id: b"\x80\x00\x1f\x88\x04fuzz".to_vec(),
        boots: 3,
        max_message_size: 65_507,
        clock: Box::new(|| Duration::from_secs(77)),
    });
    let (runtime, control) = Runtime::start(Arc::new(Nothing), Fence::Everywhere);
    let mut hosted = Vec::new();
    for (name, module) in MODULES {
        let component = runtime.add_component(name).expect("a new name");
        let body = facts
            .while_starting(|| control.create(component, Code::linked(module)))
            .expect("a module that starts");
        let group = control.bind(&[(component, Some(body.clone()))]);
        let soon = Instant::now() + Duration::from_secs(10);
        control.take(soon).expect("nobody else swaps").flip_open(group);
        body.serve();
        let persistence = runtime.proxy(name).expect("a component");
        let mut module = Hosted { name, runtime, body, persistence, first: Vec::new() };
        if s_sdk::hosting::schema_of(module.body.code().descriptor()).is_ok_and(|s| !s.is_empty()) {
            module.first = module.exported();
            hosted.push(module);
        }
    }
    hosted
}

impl Hosted {
    /// What it would keep over a restart; none if that is nothing.
    pub fn saved(&self) -> Option<Vec<u8>> {
        let mut kept = Buf::new();
        let saved = self.runtime.worker().serve(|act| self.persistence.save(act, &mut kept));
        saved.ok().map(|()| kept.to_vec())
    }

    pub fn restore(&self, kept: &[u8]) -> bool {
        let told = self.runtime.worker().serve(|act| self.persistence.restore(act, kept));
        told.expect("a module answers")
    }

    /// Its state, in the version that it has.
    pub fn exported(&self) -> Vec<u8> {
        // Versions are few; the highest that it can export is its own.
        let newest =
            (1..=9).rev().find_map(|version| self.body.instance().export_state(version).ok());
        newest.expect("a module that carries state").to_vec()
    }

    pub fn import(&self, state: &[u8]) -> Result<(), String> {
        // The version is the second of the three elements of a state.
        let version = match Value::decode(state) {
            Ok(Value::List(parts)) => match parts.get(1) {
                Some(Value::U64(version)) => u32::try_from(*version).unwrap_or(1),
                _ => 1,
            },
            _ => 1,
        };
        self.body.instance().import_state(version, state).map_err(|why| why.to_string())
    }

    pub fn begin_anew(&self) {
        self.import(&self.first).expect("what it exported");
    }
}
