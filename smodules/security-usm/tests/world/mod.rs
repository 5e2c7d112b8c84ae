//! An agent made of linked modules, and a manager that speaks to it octet by octet.
//!
//! The manager is written by hand on the codec: nothing of `security-usm` or `message-v3` is in it.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]

use roles::auth::{AuthProtocol, AuthProtocolProxy};
use roles::engine::Engine;
use roles::message::{
    DataElements, Incoming, MessageError, MessageHeader, MessageProcessing, MessageProcessingProxy,
};
use roles::privacy::{EngineTime, PrivProtocol, PrivProtocolProxy};
use roles::settings::{KeyForm, Settings, SettingsProxy, User, UsmSettings};
use roles::varbind::{PduVersion, SecurityLevel, Span, VarBinds, message_model, security_model};
use s_proxy::gate::Fence;
use s_proxy::{Code, Runtime, Surroundings, SwapControl};
use s_sdk::abi::ModuleDescriptor;
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, behavior, s_module};
use s_wire::ber::{Encode, Part};
use s_wire::{
    AnyPdu, Arcs, Flags, Header, Pdu, PduKind, ScopedPdu, ScopedPduData, UsmParameters, V3Message,
    Value, VarBind,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) const OWN: &[u8] = b"\x80\x00\x1f\x88\x04agent";
pub(crate) const OTHER: &[u8] = b"\x80\x00\x1f\x88\x04other";
pub(crate) const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
pub(crate) const ADDRESS: &[u8] = &[127, 0, 0, 1, 0xc0, 0x00];
pub(crate) const CLOCK: EngineTime = EngineTime { boots: 7, time_seconds: 1000 };
pub(crate) const OWN_MAX_SIZE: u32 = 65507;

pub(crate) const MD5: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2];
pub(crate) const SHA_1: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3];
pub(crate) const SHA_256: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5];
pub(crate) const SHA_512: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 7];
pub(crate) const DES: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2];
pub(crate) const AES_128: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4];
pub(crate) const AES_256: &[u32] = &[1, 3, 6, 1, 4, 1, 14832, 1, 4];
pub(crate) const AES_256_C: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2];

pub(crate) const AUTH_PASSWORD: &[u8] = b"authentication";
pub(crate) const PRIV_PASSWORD: &[u8] = b"confidential";

/// Every user, with protocols.
pub(crate) const USERS: [(&str, &[u32], &[u32]); 6] = [
    ("alice", SHA_256, AES_128),
    ("bob", MD5, DES),
    ("carol", SHA_1, AES_256),
    ("dave", SHA_1, AES_256_C),
    ("erin", SHA_512, &[]),
    ("frank", &[], &[]),
];

struct Nothing;

impl Surroundings for Nothing {}

/// Sets the engine's clock.
#[behavior(name = "tune")]
pub(crate) trait Tune {
    /// Sets boots, time and the largest message.
    fn tune(&self, act: &Activity, boots: u32, time: u32, max: u32) -> Result<(), CallError>;
}

/// An engine whose clock stands still.
pub(crate) struct TestEngine([AtomicU32; 3]);

#[s_module(component = "engine", version = "1.0.0", also(Tune))]
impl Engine for TestEngine {
    fn engine_id(&self, _act: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(OWN)?)
    }
    fn clock(&self, _act: &Activity) -> Result<EngineTime, CallError> {
        let [boots, time, _] = &self.0;
        Ok(EngineTime {
            boots: boots.load(Ordering::Relaxed),
            time_seconds: time.load(Ordering::Relaxed),
        })
    }
    fn max_message_size(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(self.0[2].load(Ordering::Relaxed))
    }
    fn up_time(&self, _act: &Activity) -> Result<u32, CallError> {
        Ok(0)
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

impl Tune for TestEngine {
    fn tune(&self, _act: &Activity, boots: u32, time: u32, max: u32) -> Result<(), CallError> {
        for (place, value) in self.0.iter().zip([boots, time, max]) {
            place.store(value, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Module for TestEngine {
    fn init(_host: Host) -> Result<Self, Refusal> {
        let EngineTime { boots, time_seconds } = CLOCK;
        Ok(TestEngine([boots, time_seconds, OWN_MAX_SIZE].map(AtomicU32::new)))
    }
}

pub(crate) struct World {
    pub(crate) runtime: &'static Runtime,
    pub(crate) control: SwapControl,
    pub(crate) message: MessageProcessingProxy,
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl World {
    /// An agent without users.
    pub(crate) fn empty() -> World {
        World::with(&[
            ("engine", &S_MODULE),
            ("auth.md5", &auth_hmac_md5::S_MODULE),
            ("auth.sha1", &auth_hmac_sha1::S_MODULE),
            ("auth.sha2", &auth_hmac_sha2::S_MODULE),
            ("priv.des", &priv_des::S_MODULE),
            ("priv.aes", &priv_aes::S_MODULE),
        ])
    }

    /// An agent of these modules, message processing and USM.
    pub(crate) fn with(modules: &[(&str, &'static ModuleDescriptor)]) -> World {
        let (runtime, control) = Runtime::start(Arc::new(Nothing), Fence::Everywhere);
        let own: [(&str, &'static ModuleDescriptor); 2] =
            [("security.usm", &security_usm::S_MODULE), ("message.v3", &message_v3::S_MODULE)];
        for (name, module) in modules.iter().chain(&own) {
            serve(&control, name, module);
        }
        World { runtime, control, message: runtime.proxy("message.v3").unwrap() }
    }

    /// An agent with all users.
    pub(crate) fn new() -> World {
        let world = World::empty();
        assert_eq!(world.apply(&USERS.map(user)), "");
        world
    }

    /// Applies users; answers the problems.
    pub(crate) fn apply(&self, users: &[User]) -> String {
        let settings: SettingsProxy = self.runtime.proxy("security.usm").unwrap();
        let mut worker = self.runtime.worker();
        let document = roles::settings::write(&UsmSettings { users: users.to_vec() });
        let mut problems = Buf::new();
        let count = settings.apply(&worker.activity(), &document, &mut problems).unwrap();
        let problems = String::from_utf8(problems.to_vec()).unwrap();
        assert_eq!(problems.lines().count(), count as usize);
        problems
    }

    pub(crate) fn tune(&self, act: &Activity, boots: u32, time: u32, max: u32) {
        let engine: TuneProxy = self.runtime.proxy("engine").unwrap();
        engine.tune(act, boots, time, max).unwrap();
    }

    /// Swaps a component for a new instance of a module that takes its state over.
    pub(crate) fn swap(&self, name: &str, module: &'static ModuleDescriptor) {
        self.swap_as(name, module, 1);
    }

    /// The same, with the state in this version.
    pub(crate) fn swap_as(&self, name: &str, module: &'static ModuleDescriptor, version: u32) {
        let component = self.runtime.component(name).unwrap();
        let next = self.control.create(component, Code::linked(module)).unwrap();
        let before = component.current().body().cloned().unwrap();
        let group = self.control.bind(&[(component, Some(next.clone()))]);
        let (closed, drain) = self.control.close(&group, soon(), Duration::ZERO).unwrap();
        drain.wait(soon(), || true).unwrap();
        let state = before.instance().export_state(version).unwrap();
        next.instance().import_state(version, &state).unwrap();
        let flipped = closed.flip(group, true);
        closed.open();
        self.control.pass(flipped.epoch, soon()).unwrap();
    }

    /// What the agent makes of a message.
    pub(crate) fn take(
        &self,
        act: &Activity,
        octets: &[u8],
    ) -> Result<(Incoming, DataElements), MessageError> {
        let mut elements = DataElements::default();
        let taken = self.message.prepare_data_elements(act, UDP, ADDRESS, octets, &mut elements);
        taken.map(|incoming| (incoming, elements))
    }

    /// The agent's answer with a PDU to an accepted message.
    pub(crate) fn answer(
        &self,
        act: &Activity,
        incoming: &Incoming,
        elements: &DataElements,
        pdu: Vec<u8>,
    ) -> Result<Vec<u8>, MessageError> {
        let response = DataElements {
            security_name: elements.security_name.to_vec().into(),
            context_engine_id: elements.context_engine_id.to_vec().into(),
            context_name: elements.context_name.to_vec().into(),
            pdu: pdu.into(),
        };
        let mut message = Buf::new();
        let header = incoming.header;
        self.message
            .prepare_response_message(act, header, &response, incoming.state, &mut message)
            .map(|()| message.to_vec())
    }

    /// The agent's Report of a refusal, at the level that its reason says.
    pub(crate) fn report(
        &self,
        act: &Activity,
        error: &MessageError,
    ) -> Result<Vec<u8>, MessageError> {
        let kind = error.security_kind().unwrap();
        let counter = error.counter().unwrap();
        let report = DataElements {
            pdu: pdu(PduKind::Report, 99, counter.instance(), Value::Counter32(1)).into(),
            ..DataElements::default()
        };
        let mut message = Buf::new();
        self.message
            .prepare_response_message(
                act,
                header(kind.report_level()),
                &report,
                error.state,
                &mut message,
            )
            .map(|()| message.to_vec())
    }
}

pub(crate) fn serve(control: &SwapControl, name: &str, module: &'static ModuleDescriptor) {
    let runtime = control.runtime();
    let component = runtime.component(name).unwrap_or_else(|| runtime.add_component(name).unwrap());
    let body = control.create(component, Code::linked(module)).unwrap();
    body.instance().restart().unwrap();
    let group = control.bind(&[(component, Some(body))]);
    control.take(soon()).unwrap().flip_open(group);
}

pub(crate) fn header(level: SecurityLevel) -> MessageHeader {
    MessageHeader {
        message_model: message_model::SNMPV3,
        security_model: security_model::USM,
        security_level: level,
        pdu_version: PduVersion::V2,
        class: roles::message::PduClass::Response,
        send_pdu_handle: 0,
    }
}

pub(crate) fn user((name, auth, privacy): (&str, &[u32], &[u32])) -> User {
    let form = |protocol: &[u32]| {
        if protocol.is_empty() { KeyForm::None } else { KeyForm::Password }
    };
    let secret = |protocol: &[u32], password: &[u8]| {
        if protocol.is_empty() { vec![] } else { password.to_vec() }
    };
    User {
        name: name.into(),
        engine_id: vec![],
        auth_protocol: auth.to_vec(),
        auth_form: form(auth),
        auth_secret: secret(auth, AUTH_PASSWORD),
        priv_protocol: privacy.to_vec(),
        priv_form: form(privacy),
        priv_secret: secret(privacy, PRIV_PASSWORD),
    }
}

/// A PDU with one binding.
pub(crate) fn pdu(
    kind: PduKind,
    request_id: i32,
    name: &[u32],
    value: Value<'_, Arcs<'_>>,
) -> Vec<u8> {
    let bindings = [VarBind { name: Arcs::new(name).unwrap(), value }];
    let pdu = Pdu { kind, request_id, error_status: 0, error_index: 0, bindings: &bindings[..] };
    octets(&pdu)
}

pub(crate) fn octets(what: &impl Encode) -> Vec<u8> {
    let mut buffer = vec![0; what.encoded_len()];
    what.encode_into(&mut buffer).unwrap().to_vec()
}

/// What the manager sends.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) msg_id: u32,
    pub(crate) max_size: u32,
    pub(crate) flags: u8,
    pub(crate) engine_id: Vec<u8>,
    pub(crate) clock: EngineTime,
    pub(crate) user: &'static str,
    pub(crate) protocols: (&'static [u32], &'static [u32]),
    pub(crate) kind: PduKind,
    pub(crate) context: &'static [u8],
}

impl Ask {
    /// A GET as a user at the highest level that he has.
    pub(crate) fn of((user, auth, privacy): (&'static str, &'static [u32], &'static [u32])) -> Ask {
        let level = if auth.is_empty() {
            0
        } else if privacy.is_empty() {
            1
        } else {
            3
        };
        Ask {
            msg_id: 0x0102_0304,
            max_size: 1472,
            flags: level | Flags::REPORTABLE,
            engine_id: OWN.to_vec(),
            clock: CLOCK,
            user,
            protocols: (auth, privacy),
            kind: PduKind::Get,
            context: b"ctx",
        }
    }

    pub(crate) fn at_level(mut self, level: u8) -> Ask {
        self.flags = self.flags & !3 | level;
        self
    }
}

/// The manager: what it knows of protocols it gets from the same modules, whose own tests judge them.
pub(crate) struct Manager<'a> {
    pub(crate) runtime: &'static Runtime,
    pub(crate) act: &'a Activity,
}

pub(crate) struct Heard {
    pub(crate) header: Header,
    pub(crate) engine_id: Vec<u8>,
    pub(crate) clock: EngineTime,
    pub(crate) user: Vec<u8>,
    pub(crate) salt: Vec<u8>,
    pub(crate) context_engine_id: Vec<u8>,
    pub(crate) context_name: Vec<u8>,
    pub(crate) pdu: Vec<u8>,
}

impl Heard {
    pub(crate) fn pdu(&self) -> Pdu<s_wire::VarBindList<'_>> {
        let part = Part::from(&self.pdu[..]);
        match AnyPdu::decode(part.reader(), s_wire::PduVersion::V2).unwrap() {
            AnyPdu::Pdu(pdu) => pdu,
            AnyPdu::TrapV1(_) => panic!("no trap"),
        }
    }
}

impl Manager<'_> {
    fn auth(&self, protocol: &[u32]) -> (AuthProtocolProxy, u32) {
        for component in ["auth.md5", "auth.sha1", "auth.sha2"] {
            let proxy: AuthProtocolProxy = self.runtime.proxy(component).unwrap();
            for position in 0.. {
                let mut name = List::new();
                let Ok(numbers) = proxy.protocol(self.act, position, &mut name) else { break };
                if name[..] == *protocol {
                    return (proxy, numbers.mac_length);
                }
            }
        }
        panic!("no such protocol")
    }

    fn privacy(protocol: &[u32]) -> &'static str {
        if protocol == DES { "priv.des" } else { "priv.aes" }
    }

    pub(crate) fn key(&self, auth: &[u32], password: &[u8], engine_id: &[u8]) -> Vec<u8> {
        let (proxy, _) = self.auth(auth);
        let (mut key, mut localized) = (Buf::new(), Buf::new());
        proxy.password_to_key(self.act, auth, password, &mut key).unwrap();
        proxy.localize_key(self.act, auth, &key, engine_id, &mut localized).unwrap();
        localized.to_vec()
    }

    pub(crate) fn priv_key(&self, (auth, privacy): (&[u32], &[u32]), engine_id: &[u8]) -> Vec<u8> {
        let mut key = self.key(auth, PRIV_PASSWORD, engine_id);
        let length = if privacy == AES_256 || privacy == AES_256_C { 32 } else { 16 };
        if key.len() < length && privacy == AES_256 {
            let mut more = Buf::new();
            self.auth(auth).0.digest(self.act, auth, &key, &mut more).unwrap();
            key.extend_from_slice(&more);
        }
        if key.len() < length && privacy == AES_256_C {
            key.extend(self.key(auth, &key, engine_id));
        }
        key.truncate(length);
        key
    }

    fn prepared(&self, auth: &[u32], engine_id: &[u8]) -> (AuthProtocolProxy, u32, Buf) {
        let (proxy, mac_length) = self.auth(auth);
        let mut prepared = Buf::new();
        let key = self.key(auth, AUTH_PASSWORD, engine_id);
        proxy.prepare_key(self.act, auth, &key, &mut prepared).unwrap();
        (proxy, mac_length, prepared)
    }

    /// A message with one binding in it.
    pub(crate) fn ask(&self, ask: &Ask) -> Vec<u8> {
        let request = pdu(ask.kind, 77, &[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::Null);
        self.ask_with(ask, &request)
    }

    pub(crate) fn ask_with(&self, ask: &Ask, request: &[u8]) -> Vec<u8> {
        let scoped = octets(&ScopedPdu {
            context_engine_id: &ask.engine_id,
            context_name: ask.context,
            pdu: Part::from(request),
        });
        let flags = Flags(ask.flags);
        let (auth, privacy) = ask.protocols;
        let (mut cipher, mut salt) = (Buf::new(), Buf::new());
        if flags.is_private() {
            let proxy: PrivProtocolProxy = self.runtime.proxy(Manager::privacy(privacy)).unwrap();
            let key = self.priv_key(ask.protocols, &ask.engine_id);
            proxy
                .encrypt(self.act, privacy, &key, ask.clock, &scoped, &mut cipher, &mut salt)
                .unwrap();
        }
        let signer = flags.is_authenticated().then(|| self.prepared(auth, &ask.engine_id));
        let zeros = vec![0; signer.as_ref().map_or(0, |signer| signer.1 as usize)];
        let message = V3Message {
            header: Header { msg_id: ask.msg_id, max_size: ask.max_size, flags, security_model: 3 },
            security_parameters: UsmParameters {
                engine_id: &ask.engine_id,
                engine_boots: ask.clock.boots,
                engine_time: ask.clock.time_seconds,
                user_name: ask.user.as_bytes(),
                authentication: Part::from(&zeros[..]),
                privacy: &salt,
            },
            data: match flags.is_private() {
                true => ScopedPduData::Encrypted(Part::from(&cipher[..])),
                false => ScopedPduData::Plain(Part::from(&scoped[..])),
            },
        };
        let mut written = octets(&message);
        if let Some((proxy, mac_length, prepared)) = signer {
            let range = message.authentication_range(written.len());
            let field = Span::new(u32::try_from(range.start).unwrap(), mac_length);
            let mut mac = Buf::new();
            proxy.sign(self.act, &prepared, &written, field, &mut mac).unwrap();
            written[range].copy_from_slice(&mac);
        }
        written
    }

    /// Proves and decrypts what the agent sent, as the user who asked.
    pub(crate) fn hear(&self, ask: &Ask, message: &[u8]) -> Heard {
        let decoded = V3Message::decode(message).unwrap();
        decoded.check().unwrap();
        let usm = UsmParameters::decode(decoded.security_parameters).unwrap();
        let clock = EngineTime { boots: usm.engine_boots, time_seconds: usm.engine_time };
        let flags = decoded.header.flags;
        let (auth, privacy) = ask.protocols;
        if flags.is_authenticated() {
            let (proxy, mac_length, prepared) = self.prepared(auth, usm.engine_id);
            let at = u32::try_from(usm.authentication.at).unwrap();
            assert_eq!(usm.authentication.octets.len(), mac_length as usize);
            proxy.verify(self.act, &prepared, message, Span::new(at, mac_length)).unwrap();
        } else {
            assert!(usm.authentication.octets.is_empty() && usm.privacy.is_empty());
        }
        let mut plain = Buf::new();
        match decoded.data {
            ScopedPduData::Plain(scoped) => plain.append(scoped.octets).unwrap(),
            ScopedPduData::Encrypted(cipher) => {
                let proxy: PrivProtocolProxy =
                    self.runtime.proxy(Manager::privacy(privacy)).unwrap();
                let key = self.priv_key(ask.protocols, usm.engine_id);
                let (salt, cipher) = (usm.privacy, cipher.octets);
                proxy.decrypt(self.act, privacy, &key, clock, salt, cipher, &mut plain).unwrap();
            }
        }
        let scoped = ScopedPdu::decode_decrypted(Part::from(&plain[..]).reader()).unwrap();
        Heard {
            header: decoded.header,
            engine_id: usm.engine_id.to_vec(),
            clock,
            user: usm.user_name.to_vec(),
            salt: usm.privacy.to_vec(),
            context_engine_id: scoped.context_engine_id.to_vec(),
            context_name: scoped.context_name.to_vec(),
            pdu: scoped.pdu.octets.to_vec(),
        }
    }
}
