//! An engine whose originator waits for three informs to be acknowledged: one of SNMPv2c, one of SNMPv3 whose
//! receiver's engine is asked for yet, and one of SNMPv3 whose receiver is known.
//!
//! Modules are linked and real; what leaves is laid down here. Invariant: after [`World::begin_anew`] the same
//! informs wait under the same numbers, whatever was heard before.

use crate::owned::{Data, Datum, OwnedBinding, OwnedMessage, OwnedPdu, Security};
use message_v3_model::MessageState;
use notify::NotifyState;
use roles::error::Counter;
use roles::notify::{Notifier as _, NotifierProxy, Statistics, UDP_DOMAIN, standard};
use roles::settings::{
    AccessEntry, Community, CommunitySettings, GroupMember, KeyForm, NotifySettings, NotifyTarget,
    Settings as _, SettingsProxy, User, UsmSettings, VacmSettings, ViewFamily, write,
};
use roles::varbind::VarBinds;
use s_engine::{Engine, Facts, Identity, Limits, Outlet, Peer, Scratch};
use s_proxy::gate::Fence;
use s_proxy::{Code, Runtime, Surroundings, SwapControl};
use s_sdk::abi::{ModuleDescriptor, Status};
use s_sdk::{Buf, State as _};
use s_wire::{Flags, Header, PduKind, Version};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where a receiver is whose engine is not known, and that of SNMPv2c.
pub const THERE: [u8; 6] = [192, 0, 2, 7, 0, 162];

/// Where a receiver is whose engine is known.
pub const KNOWN: [u8; 6] = [192, 0, 2, 8, 0, 162];

const THEIR_ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04there";

/// usmStatsUnknownEngineIDs.0 and usmStatsNotInTimeWindows.0.
const UNKNOWN_ENGINE: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
const OUT_OF_WINDOW: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];

const MODULES: [(&str, &ModuleDescriptor); 11] = [
    ("engine", &s_engine::facts::S_MODULE),
    ("auth.sha2", &auth_hmac_sha2::S_MODULE),
    ("priv.aes", &priv_aes::S_MODULE),
    ("security.usm", &security_usm::S_MODULE),
    ("security.community", &security_community::S_MODULE),
    ("message.v1", &message_v1::S_MODULE),
    ("message.v2c", &message_v2c::S_MODULE),
    ("message.v3", &message_v3::S_MODULE),
    ("access.vacm", &access_vacm::S_MODULE),
    ("mib.snmp", &mib_snmp::S_MODULE),
    ("notify", &notify::S_MODULE),
];

/// Whose state an answer changes.
const CHANGING: [&str; 3] = ["security.usm", "message.v3", "notify"];

/// What was sent: where to, and the message.
type Sent = (Vec<u8>, Vec<u8>);

#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<Sent>>>);

impl Outlet for Wire {
    fn send(&self, _: &[u32], address: &[u8], message: &[u8]) -> bool {
        self.0.lock().expect("one thread").push((address.to_vec(), message.to_vec()));
        true
    }

    fn source_of(&self, _: &[u32], _: &[u8]) -> Vec<u8> {
        vec![192, 0, 2, 1]
    }
}

/// A mailbox, and timers that never fire.
#[derive(Clone, Default)]
struct Mail(Arc<Mutex<Vec<(String, Vec<u8>)>>>);

impl Surroundings for Mail {
    fn send(&self, _: &str, kind: &str, payload: &[u8]) -> Status {
        self.0.lock().expect("one thread").push((kind.to_owned(), payload.to_vec()));
        Status::OK
    }

    fn set_timer(&self, _: &str, _: u64, _: u64, _: u64) -> Status {
        Status::OK
    }
}

pub struct World {
    runtime: &'static Runtime,
    engine: Engine,
    wire: Wire,
    scratch: RefCell<Scratch>,
    /// Of each module in [`CHANGING`].
    states: Vec<Vec<u8>>,
    /// What was sent before anything was heard.
    pub informs: Vec<Sent>,
}

impl World {
    pub fn new() -> Self {
        let (mail, wire) = (Mail::default(), Wire::default());
        let facts = Facts::new(Identity {
            engine_id: b"\x80\x00\x1f\x88\x04here".to_vec(),
            boots: 3,
            max_message_size: 65_507,
            clock: Box::new(|| Duration::from_secs(77)),
        });
        facts.set_outlet(Box::new(wire.clone()));
        let (runtime, control) = Runtime::start(Arc::new(mail.clone()), Fence::Everywhere);
        for (name, module) in MODULES {
            facts.while_starting(|| serve(&control, name, module));
        }
        let engine = Engine::new(runtime, facts, Limits::default(), Box::new(|_| true))
            .expect("every component is there");
        let scratch = RefCell::new(Scratch::new());
        let mut world = World { runtime, engine, wire, scratch, states: vec![], informs: vec![] };
        world.configure();
        world.number();
        let notifier: NotifierProxy = runtime.proxy("notify").expect("a component");
        let told = runtime
            .worker()
            .serve(|act| notifier.notify(act, standard::COLD_START, b"", &VarBinds::new()));
        told.expect("there is room");
        let component = runtime.component("notify").expect("a component");
        let waiting = std::mem::take(&mut *mail.0.lock().expect("one thread"));
        for (kind, payload) in waiting {
            let told = runtime.worker().serve(|act| component.on_message(act, &kind, &payload));
            told.expect("it is an active module");
        }
        let discoveries = world.left();
        let asked = discoveries.iter().find(|(to, _)| *to == KNOWN).expect("an inform to it");
        world.hear(&KNOWN, &report(&asked.1, &UNKNOWN_ENGINE));
        world.informs = [discoveries, world.left()].concat();
        world.states = CHANGING.iter().map(|name| world.exported(name)).collect();
        world
    }

    /// The same numbers every time.
    fn number(&self) {
        let mut octets = Vec::new();
        let state = MessageState { next_msg_id: 100, ..MessageState::default() };
        state.export(1, &mut octets).expect("its own version");
        self.import("message.v3", &octets);
        let mut state =
            NotifyState::import(1, &self.exported("notify")).expect("what was exported");
        state.next_id = 7;
        octets.clear();
        state.export(1, &mut octets).expect("its own version");
        self.import("notify", &octets);
    }

    fn exported(&self, component: &str) -> Vec<u8> {
        let generation = self.runtime.component(component).expect("a component").current();
        let body = generation.body().expect("a module");
        body.instance().export_state(1).expect("its own version").to_vec()
    }

    fn import(&self, component: &str, state: &[u8]) {
        let generation = self.runtime.component(component).expect("a component").current();
        let body = generation.body().expect("a module");
        body.instance().import_state(1, state).expect("what was exported");
    }

    /// Brings everything to where it was before the first datagram.
    pub fn begin_anew(&self) {
        for (name, state) in CHANGING.iter().zip(&self.states) {
            self.import(name, state);
        }
        drop(self.left());
    }

    pub fn hear(&self, from: &[u8], datagram: &[u8]) {
        let mut scratch = self.scratch.borrow_mut();
        scratch.begin();
        let peer = Peer { domain: UDP_DOMAIN, address: from };
        self.runtime.worker().serve(|act| self.engine.hear(act, peer, datagram, &mut scratch));
    }

    /// What was sent since it was asked last.
    pub fn left(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.wire.0.lock().expect("one thread"))
    }

    pub fn statistics(&self) -> Statistics {
        let notifier: NotifierProxy = self.runtime.proxy("notify").expect("a component");
        self.runtime.worker().serve(|act| notifier.statistics(act)).expect("a number")
    }

    /// All but the one that every datagram moves.
    pub fn counters(&self) -> Vec<u32> {
        let all = Counter::ALL.iter().zip(self.engine.facts().counters().all());
        all.filter(|(counter, _)| **counter != Counter::InPackets)
            .map(|(_, number)| number)
            .collect()
    }

    fn configure(&self) {
        let community = Community {
            index: "told".into(),
            community: b"tell".to_vec(),
            security_name: "told".into(),
            context_name: vec![],
            sources: vec![],
        };
        let nobody = User {
            name: "nobody".into(),
            engine_id: vec![],
            auth_protocol: vec![],
            auth_form: KeyForm::None,
            auth_secret: vec![],
            priv_protocol: vec![],
            priv_form: KeyForm::None,
            priv_secret: vec![],
        };
        let member = |security_model, name: &str| GroupMember {
            security_model,
            security_name: name.into(),
            group: b"told".to_vec(),
        };
        let access = AccessEntry {
            group: b"told".to_vec(),
            context: vec![],
            exact: true,
            security_model: 0,
            security_level: 1,
            read_view: vec![],
            write_view: vec![],
            notify_view: b"all".to_vec(),
        };
        let view =
            ViewFamily { view: b"all".to_vec(), subtree: vec![1], mask: vec![], included: true };
        let target = |name: &str, address: [u8; 6], message_model| NotifyTarget {
            name: name.into(),
            domain: UDP_DOMAIN.to_vec(),
            address: address.to_vec(),
            message_model,
            security_model: if message_model == 3 { 3 } else { message_model + 1 },
            security_name: if message_model == 3 { "nobody" } else { "told" }.into(),
            security_level: 1,
            inform: true,
            tag: String::new(),
            timeout: 1500,
            retries: 3,
            filters: vec![],
        };
        let targets =
            vec![target("v2c", THERE, 1), target("v3", THERE, 3), target("known", KNOWN, 3)];
        let vacm = VacmSettings {
            contexts: vec![],
            members: vec![member(2, "told"), member(3, "nobody")],
            access: vec![access],
            views: vec![view],
        };
        for (component, document) in [
            ("security.usm", write(&UsmSettings { users: vec![nobody] })),
            ("security.community", write(&CommunitySettings { communities: vec![community] })),
            ("access.vacm", write(&vacm)),
            ("notify", write(&NotifySettings { targets })),
        ] {
            let settings: SettingsProxy = self.runtime.proxy(component).expect("a component");
            let mut problems = Buf::new();
            let told =
                self.runtime.worker().serve(|act| settings.apply(act, &document, &mut problems));
            assert_eq!(told, Ok(0), "{component}: {}", String::from_utf8_lossy(&problems));
        }
    }

    /// What may come in answer to the informs, and from where: where seeds come from.
    #[allow(dead_code, reason = "the target has its seeds from files")]
    pub fn answers(&self) -> Vec<(&'static str, [u8; 6], Vec<u8>)> {
        let to = |address: [u8; 6], version| {
            let is_it =
                |(to, message): &&Sent| *to == address && Version::peek(message) == Ok(version);
            &self.informs.iter().rfind(is_it).expect("an inform to it").1[..]
        };
        let community = to(THERE, Version::V2c);
        let (asking, known) = (to(THERE, Version::V3), to(KNOWN, Version::V3));
        vec![
            ("acknowledged", THERE, response(community)),
            ("by-a-stranger", [203, 0, 113, 9, 0, 162], response(community)),
            ("discovered", THERE, report(asking, &UNKNOWN_ENGINE)),
            ("acknowledged-v3", KNOWN, response(known)),
            ("other-engine", KNOWN, report(known, &UNKNOWN_ENGINE)),
            ("out-of-window", KNOWN, report(known, &OUT_OF_WINDOW)),
        ]
    }
}

fn serve(control: &SwapControl, name: &str, module: &'static ModuleDescriptor) {
    let component = control.runtime().add_component(name).expect("a new name");
    let body = control.create(component, Code::linked(module)).expect("a module that starts");
    let group = control.bind(&[(component, Some(body.clone()))]);
    let soon = Instant::now() + Duration::from_secs(10);
    control.take(soon).expect("nobody else swaps").flip_open(group);
    body.serve();
}

/// The Response to an inform.
fn response(inform: &[u8]) -> Vec<u8> {
    let mut message = OwnedMessage::decode(inform).expect("what was sent");
    let pdu = match &mut message {
        OwnedMessage::Community { pdu, .. } => pdu,
        OwnedMessage::V3 { header, data: Data::Plain { pdu, .. }, .. } => {
            header.flags = Flags(0);
            pdu
        }
        OwnedMessage::V3 { .. } => unreachable!("nothing is encrypted"),
    };
    if let OwnedPdu::Pdu { kind, .. } = pdu {
        *kind = PduKind::Response;
    }
    message.encode()
}

/// A Report of a counter, in answer to a message.
fn report(message: &[u8], counter: &[u32]) -> Vec<u8> {
    let Ok(OwnedMessage::V3 { header, data: Data::Plain { pdu, .. }, .. }) =
        OwnedMessage::decode(message)
    else {
        unreachable!("what was sent is of SNMPv3, and nothing is encrypted");
    };
    let request_id = match pdu {
        OwnedPdu::Pdu { request_id, .. } => request_id,
        OwnedPdu::TrapV1 { .. } => 0,
    };
    let binding = OwnedBinding { name: counter.to_vec(), value: Datum::Counter32(1) };
    OwnedMessage::V3 {
        header: Header {
            msg_id: header.msg_id,
            max_size: 1472,
            flags: Flags(0),
            security_model: 3,
        },
        security: Security::Usm {
            engine_id: THEIR_ENGINE.to_vec(),
            engine_boots: 1,
            engine_time: 1,
            user_name: vec![],
            authentication: vec![],
            privacy: vec![],
        },
        data: Data::Plain {
            context_engine_id: THEIR_ENGINE.to_vec(),
            context_name: vec![],
            pdu: OwnedPdu::Pdu {
                kind: PduKind::Report,
                request_id,
                error_status: 0,
                error_index: 0,
                bindings: vec![binding],
            },
        },
    }
    .encode()
}
