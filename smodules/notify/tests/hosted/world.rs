//! Engines made of linked modules. What leaves one is laid down here, and a test carries it to another.

use roles::engine::Engine;
use roles::message::{DataElements, MessageProcessing, MessageProcessingProxy, PduClass};
use roles::notify::{NotifierProxy, Statistics, Transport, UDP_DOMAIN};
use roles::privacy::EngineTime;
use roles::settings::{
    AccessEntry, Community, CommunitySettings, GroupMember, KeyForm, NotifySettings, NotifyTarget,
    Settings, SettingsProxy, User, UsmSettings, VacmSettings, ViewFamily,
};
use roles::varbind::{SecurityLevel, VarBinds};
use s_proxy::gate::Fence;
use s_proxy::{Code, Runtime, Surroundings, SwapControl};
use s_sdk::abi::{ModuleDescriptor, Status};
use s_sdk::value::Field;
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, Value, behavior, s_module};
use s_wire::ber::Encode;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const SHA_256: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5];
pub(crate) const AES_128: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4];

/// Where targets are, and from where they answer.
pub(crate) const THERE: &[u8] = &[192, 0, 2, 7, 0, 162];

/// A message that left, or waits in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct Sent {
    pub(crate) domain: Vec<u32>,
    pub(crate) address: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

/// What a host lends.
#[derive(Default)]
pub(crate) struct Around {
    mail: Mutex<VecDeque<(String, Vec<u8>)>>,
    room: Mutex<Option<usize>>,
    wire: Mutex<VecDeque<Sent>>,
    timer: Mutex<Option<Duration>>,
    log: Mutex<Vec<String>>,
}

struct Lent(Arc<Around>);

impl Surroundings for Lent {
    fn log(&self, _: s_sdk::Level, _: &str, _: &str, message: &str) {
        self.0.log.lock().unwrap().push(message.to_owned());
    }
    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        if component == "wire" {
            let sent = Sent::from_value(Value::decode(payload).unwrap()).unwrap();
            self.0.wire.lock().unwrap().push_back(sent);
            return Status::OK;
        }
        assert_eq!(component, "notify");
        let mut mail = self.0.mail.lock().unwrap();
        if mail.len() >= self.0.room.lock().unwrap().unwrap_or(usize::MAX) {
            return Status::FULL;
        }
        mail.push_back((kind.to_owned(), payload.to_vec()));
        Status::OK
    }
    fn set_timer(&self, _: &str, _: u64, after: u64, _: u64) -> Status {
        *self.0.timer.lock().unwrap() = Some(Duration::from_nanos(after));
        Status::OK
    }
}

/// Says who an engine is.
#[behavior(name = "identify")]
trait Identify {
    /// From now on.
    fn identify(&self, act: &Activity, engine_id: &[u8], boots: u32) -> Result<(), CallError>;
}

/// An engine that puts on the wire what is sent.
pub(crate) struct TestEngine {
    host: Host,
    identity: Mutex<(Vec<u8>, u32)>,
}

#[s_module(component = "engine", version = "1.0.0", also(Transport, Identify))]
impl Engine for TestEngine {
    fn engine_id(&self, _act: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(&self.identity.lock().unwrap().0)?)
    }
    fn clock(&self, _act: &Activity) -> Result<EngineTime, CallError> {
        Ok(EngineTime { boots: self.identity.lock().unwrap().1, time_seconds: 1000 })
    }
    fn max_message_size(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(65507)
    }
    fn up_time(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(4711)
    }
    fn counters(&self, _act: &Activity, _values: &mut List<u32>) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_entries(
        &self,
        _act: &Activity,
        _entries: &mut VarBinds,
        _up_times: &mut List<u32>,
    ) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_last_change(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(0)
    }
}

impl Transport for TestEngine {
    fn send(
        &self,
        _act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
    ) -> Result<bool, CallError> {
        let (domain, address) = (transport_domain.to_vec(), transport_address.to_vec());
        let sent = Sent { domain, address, message: message.to_vec() };
        self.host.send("wire", "message", &sent.to_value())?;
        Ok(true)
    }
    fn source_of(
        &self,
        _act: &Activity,
        _transport_domain: &[u32],
        _transport_address: &[u8],
        source: &mut Buf,
    ) -> Result<(), CallError> {
        Ok(source.append(&[192, 0, 2, 1])?)
    }
}

impl Identify for TestEngine {
    fn identify(&self, _act: &Activity, engine_id: &[u8], boots: u32) -> Result<(), CallError> {
        *self.identity.lock().unwrap() = (engine_id.to_vec(), boots);
        Ok(())
    }
}

impl Module for TestEngine {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(TestEngine { host, identity: Mutex::default() })
    }
}

/// One engine.
pub(crate) struct World {
    pub(crate) runtime: &'static Runtime,
    pub(crate) control: SwapControl,
    around: Arc<Around>,
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl World {
    pub(crate) fn new() -> World {
        World::of(b"\x80\x00\x1f\x88\x04own", 3)
    }

    /// An engine with this ID, which has started so often.
    pub(crate) fn of(engine_id: &[u8], boots: u32) -> World {
        let around = Arc::new(Around::default());
        let (runtime, control) =
            Runtime::start(Arc::new(Lent(Arc::clone(&around))), Fence::Everywhere);
        let world = World { runtime, control, around };
        let modules: [(&str, &'static ModuleDescriptor); 11] = [
            ("engine", &S_MODULE),
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
        for (name, _) in modules {
            runtime.add_component(name).unwrap();
        }
        // The models of message processing look for those that are left out here.
        for name in ["auth.md5", "auth.sha1", "priv.des"] {
            runtime.add_component(name).unwrap();
        }
        for (name, module) in modules {
            let component = runtime.component(name).unwrap();
            let body = world.control.create(component, Code::linked(module)).unwrap();
            body.instance().restart().unwrap();
            let group = world.control.bind(&[(component, Some(body.clone()))]);
            world.control.take(soon()).unwrap().flip_open(group);
            body.serve();
        }
        // Before anybody asks: modules ask once.
        let engine: IdentifyProxy = runtime.proxy("engine").unwrap();
        world.act(|act| engine.identify(act, engine_id, boots)).unwrap();
        world.configure("access.vacm", &roles::settings::write(&vacm()));
        world.configure("security.community", &roles::settings::write(&communities()));
        world.configure(
            "security.usm",
            &roles::settings::write(&UsmSettings { users: vec![alice()] }),
        );
        world
    }

    pub(crate) fn configure(&self, component: &str, document: &[u8]) {
        let settings: SettingsProxy = self.runtime.proxy(component).unwrap();
        let mut problems = Buf::new();
        let count = self.act(|act| settings.apply(act, document, &mut problems)).unwrap();
        assert_eq!(count, 0, "{component}: {}", String::from_utf8_lossy(&problems));
    }

    pub(crate) fn targets(&self, targets: &[NotifyTarget]) {
        let settings = NotifySettings { targets: targets.to_vec() };
        self.configure("notify", &roles::settings::write(&settings));
    }

    pub(crate) fn act<T>(&self, work: impl FnOnce(&Activity) -> T) -> T {
        let mut worker = self.runtime.worker();
        let act = worker.activity();
        work(&act)
    }

    pub(crate) fn notifier(&self) -> NotifierProxy {
        self.runtime.proxy("notify").unwrap()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        use roles::notify::Notifier as _;
        self.act(|act| self.notifier().statistics(act)).unwrap()
    }

    /// So many notifications can wait from now on.
    pub(crate) fn room_for(&self, room: usize) {
        *self.around.room.lock().unwrap() = Some(room);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.around.log.lock().unwrap())
    }

    pub(crate) fn timer(&self) -> Option<Duration> {
        self.around.timer.lock().unwrap().take()
    }

    /// Does what the task would do: hands the module what waits in its mailbox, and answers what it sent.
    pub(crate) fn deliver(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.around.mail.lock().unwrap().is_empty() {
            sent.extend(self.deliver_one());
        }
        sent
    }

    /// Fires the module's timer when an inform that was sent by now waits no longer, and answers what it sent.
    pub(crate) fn time_passes(&self) -> Vec<Sent> {
        // The targets of these tests give no time at all, so it is as short as it can be.
        std::thread::sleep(Duration::from_millis(100));
        let component = self.runtime.component("notify").unwrap();
        self.act(|act| component.on_timer(act, 1)).unwrap();
        self.wire()
    }

    pub(crate) fn wire(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.around.wire.lock().unwrap()).into()
    }

    /// As [`World::deliver`], but for one message only.
    pub(crate) fn deliver_one(&self) -> Vec<Sent> {
        let component = self.runtime.component("notify").unwrap();
        let next = self.around.mail.lock().unwrap().pop_front();
        if let Some((kind, payload)) = next {
            self.act(|act| component.on_message(act, &kind, &payload)).unwrap();
        }
        self.wire()
    }

    /// What the engine does with a datagram that answers a notification.
    pub(crate) fn hear(&self, from: &[u8], message: &[u8]) -> bool {
        use roles::notify::Notifier as _;
        let version = s_wire::Version::peek(message).unwrap();
        self.act(|act| {
            let mut elements = DataElements::default();
            let model = self.model(version);
            let taken = model.prepare_data_elements(act, UDP_DOMAIN, from, message, &mut elements);
            let Ok(incoming) = taken else { return false };
            incoming.header.class == PduClass::Response
                && self
                    .notifier()
                    .answered(act, incoming.header, UDP_DOMAIN, from, &elements.pdu)
                    .unwrap()
        })
    }

    pub(crate) fn model(&self, version: s_wire::Version) -> MessageProcessingProxy {
        let name = match version {
            s_wire::Version::V1 => "message.v1",
            s_wire::Version::V2c => "message.v2c",
            s_wire::Version::V3 => "message.v3",
        };
        self.runtime.proxy(name).unwrap()
    }
}

/// A target without filters, told as a principal of [`vacm`].
pub(crate) fn target(name: &str, message_model: u32, inform: bool) -> NotifyTarget {
    let is_v3 = message_model == 3;
    NotifyTarget {
        name: name.to_owned(),
        domain: UDP_DOMAIN.to_vec(),
        address: THERE.to_vec(),
        message_model,
        security_model: if is_v3 { 3 } else { message_model + 1 },
        security_name: if is_v3 { "alice" } else { "told" }.to_owned(),
        security_level: if is_v3 { SecurityLevel::AuthPriv as u32 } else { 1 },
        inform,
        tag: String::new(),
        timeout: 0,
        retries: 1,
        filters: vec![],
    }
}

pub(crate) fn alice() -> User {
    User {
        name: "alice".into(),
        engine_id: vec![],
        auth_protocol: SHA_256.to_vec(),
        auth_form: KeyForm::Password,
        auth_secret: b"authentication".to_vec(),
        priv_protocol: AES_128.to_vec(),
        priv_form: KeyForm::Password,
        priv_secret: b"confidential".to_vec(),
    }
}

pub(crate) fn communities() -> CommunitySettings {
    let community = Community {
        index: "told".into(),
        community: b"tell".to_vec(),
        security_name: "told".into(),
        context_name: vec![],
        sources: vec![],
    };
    CommunitySettings { communities: vec![community] }
}

/// Everybody may be told of everything but 1.3.6.1.4.1.666.
fn vacm() -> VacmSettings {
    let group = b"told".to_vec();
    let member = |security_model, security_name: &[u8]| GroupMember {
        security_model,
        security_name: security_name.to_vec(),
        group: group.clone(),
    };
    let family = |subtree: &[u32], included| ViewFamily {
        view: b"most".to_vec(),
        subtree: subtree.to_vec(),
        mask: vec![],
        included,
    };
    VacmSettings {
        contexts: vec![],
        members: vec![member(1, b"told"), member(2, b"told"), member(3, b"alice")],
        access: vec![AccessEntry {
            group: group.clone(),
            context: vec![],
            exact: true,
            security_model: 0,
            security_level: 1,
            read_view: vec![],
            write_view: vec![],
            notify_view: b"most".to_vec(),
        }],
        views: vec![family(&[1], true), family(&[1, 3, 6, 1, 4, 1, 666], false)],
    }
}

pub(crate) fn octets(what: &impl Encode) -> Vec<u8> {
    let mut buffer = vec![0; what.encoded_len()];
    what.encode_into(&mut buffer).unwrap().to_vec()
}
