//! Users that come, go and are carried; modules that come, go and are replaced; what is kept over restarts.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::auth::{AuthError, AuthErrorKind, AuthParameters, AuthProtocol};
use roles::message::{DataElements, MessageErrorKind, MessageHeader, MessageProcessing, PduClass};
use roles::privacy::EngineTime;
use roles::security::SecurityErrorKind;
use roles::settings::{
    KeyForm, Persistence, PersistenceProxy, Settings, SettingsProxy, UsmSettings,
};
use roles::varbind::{SecurityLevel, Span};
use s_sdk::{Activity, Buf, Host, List, Module, Refusal, s_module};
use s_wire::{Flags, PduKind, Value};
use std::sync::atomic::{AtomicU8, Ordering};
use world::{ADDRESS, Ask, Manager, OTHER, OWN, UDP, USERS, World, pdu, user};

/// The error of a whole exchange, if there is one.
fn exchange(world: &World, ask: &Ask) -> Option<SecurityErrorKind> {
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let request = manager.ask(ask);
    match world.take(&act, &request) {
        Err(error) => Some(error.security_kind().unwrap()),
        Ok((incoming, elements)) => {
            let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
            let answer = world.answer(&act, &incoming, &elements, response.clone()).unwrap();
            assert_eq!(manager.hear(ask, &answer).pdu, response);
            None
        }
    }
}

#[test]
fn users_are_carried_to_a_successor_with_their_keys() {
    let world = World::new();
    for who in USERS {
        assert_eq!(exchange(&world, &Ask::of(who)), None);
    }
    world.swap("security.usm", &security_usm::S_MODULE);
    world.swap("message.v3", &message_v3::S_MODULE);
    for who in USERS {
        assert_eq!(exchange(&world, &Ask::of(who)), None, "{who:?}");
    }
    // Also before any message was met, and twice.
    let world = World::new();
    world.swap("security.usm", &security_usm::S_MODULE);
    world.swap("security.usm", &security_usm::S_MODULE);
    assert_eq!(exchange(&world, &Ask::of(USERS[0])), None);
}

#[test]
fn a_user_waits_for_the_module_of_his_protocol() {
    let world = World::with(&[("engine", &world::S_MODULE), ("priv.des", &priv_des::S_MODULE)]);
    assert_eq!(world.apply(&USERS.map(user)), "");
    let ask = {
        // The manager needs the modules to make its messages: it has an agent of its own.
        let elsewhere = World::new();
        let mut worker = elsewhere.runtime.worker();
        let act = worker.activity();
        Manager { runtime: elsewhere.runtime, act: &act }.ask(&Ask::of(USERS[0]))
    };
    let take = || {
        let mut worker = world.runtime.worker();
        let act = worker.activity();
        world.take(&act, &ask).map(|_| ()).map_err(|error| error.security_kind().unwrap())
    };
    let unsupported = Err(SecurityErrorKind::UnsupportedSecurityLevel);
    assert_eq!(take(), unsupported);
    world::serve(&world.control, "auth.sha2", &auth_hmac_sha2::S_MODULE);
    assert_eq!(take(), unsupported, "his privacy protocol is still missing");
    world::serve(&world.control, "priv.aes", &priv_aes::S_MODULE);
    assert_eq!(take(), Ok(()));
}

/// SHA-256 that marks what it prepares, so that each version refuses what another one prepared.
struct Marked {
    inner: auth_hmac_sha2::HmacSha2,
    mark: u8,
}

static INSTANCES: AtomicU8 = AtomicU8::new(0);

#[s_module(component = "auth.sha2", version = "2.0.0")]
impl AuthProtocol for Marked {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        self.inner.protocol(act, position, name)
    }
    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        self.inner.password_to_key(act, protocol, password, key)
    }
    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        self.inner.localize_key(act, protocol, key, engine_id, localized)
    }
    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        self.inner.digest(act, protocol, octets, hash)
    }
    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        prepared.push(self.mark)?;
        self.inner.prepare_key(act, protocol, localized, prepared)
    }
    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        let own = prepared.strip_prefix(&[self.mark]).ok_or(AuthErrorKind::UnknownPreparedKey)?;
        self.inner.sign(act, own, message, field, mac)
    }
    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        let own = prepared.strip_prefix(&[self.mark]).ok_or(AuthErrorKind::UnknownPreparedKey)?;
        self.inner.verify(act, own, message, field)
    }
}

impl Module for Marked {
    fn init(_host: Host) -> Result<Self, Refusal> {
        let mark = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Ok(Marked { inner: auth_hmac_sha2::HmacSha2, mark })
    }
}

#[test]
fn keys_are_prepared_anew_when_their_module_is_replaced() {
    let world = World::new();
    for module in [&S_MODULE, &S_MODULE, &auth_hmac_sha2::S_MODULE, &S_MODULE] {
        assert_eq!(exchange(&world, &Ask::of(USERS[0])), None);
        assert_eq!(exchange(&world, &Ask::of(USERS[4])), None);
        world::serve(&world.control, "auth.sha2", module);
        assert_eq!(exchange(&world, &Ask::of(USERS[4])), None);
    }
    // Replaced between two requests, and the first that comes is only signed: a trap.
    world::serve(&world.control, "auth.sha2", &S_MODULE);
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let trap = trap_of("erin");
    let header = header(PduClass::Unconfirmed, SecurityLevel::AuthNoPriv, 0);
    let mut message = Buf::new();
    world
        .message
        .prepare_outgoing_message(&act, UDP, ADDRESS, header, &trap, &mut message)
        .unwrap();
    let heard = Manager { runtime: world.runtime, act: &act }.hear(&Ask::of(USERS[4]), &message);
    assert_eq!(heard.header.flags, Flags(1));
}

fn header(class: PduClass, security_level: SecurityLevel, send_pdu_handle: u32) -> MessageHeader {
    MessageHeader { class, send_pdu_handle, ..world::header(security_level) }
}

fn trap_of(name: &str) -> DataElements {
    DataElements {
        security_name: name.as_bytes().to_vec().into(),
        context_engine_id: OWN.to_vec().into(),
        context_name: Buf::new(),
        pdu: pdu(PduKind::TrapV2, 5, &[1, 3, 6, 1], Value::Integer(1)).into(),
    }
}

#[test]
fn a_trap_is_proven_with_our_own_clock_and_the_users_keys() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in USERS {
        let act = worker.activity();
        let (level, flags) = match Ask::of(who).flags & 3 {
            0 => (SecurityLevel::NoAuthNoPriv, 0),
            1 => (SecurityLevel::AuthNoPriv, 1),
            _ => (SecurityLevel::AuthPriv, 3),
        };
        let trap = trap_of(who.0);
        let mut message = Buf::new();
        let header = header(PduClass::Unconfirmed, level, 0);
        world
            .message
            .prepare_outgoing_message(&act, UDP, ADDRESS, header, &trap, &mut message)
            .unwrap();
        let heard = Manager { runtime: world.runtime, act: &act }.hear(&Ask::of(who), &message);
        assert_eq!((heard.header.flags, &heard.engine_id[..]), (Flags(flags), OWN));
        assert_eq!((heard.clock, heard.user), (world::CLOCK, who.0.as_bytes().to_vec()));
        assert_eq!(heard.pdu, trap.pdu[..]);
        // What went out comes in again with its elements (contract of the role, 6).
        let (incoming, elements) = world.take(&act, &message).unwrap();
        assert_eq!(incoming.header.class, PduClass::Unconfirmed);
        assert!(!incoming.state.is_some());
        assert_eq!(elements.pdu[..], trap.pdu[..]);
        assert_eq!(elements.security_name[..], trap.security_name[..]);
    }
    let act = worker.activity();
    let mut message = Buf::new();
    for (name, level, kind) in [
        ("mallory", SecurityLevel::NoAuthNoPriv, SecurityErrorKind::UnknownUserName),
        ("erin", SecurityLevel::AuthPriv, SecurityErrorKind::UnsupportedSecurityLevel),
        ("frank", SecurityLevel::AuthNoPriv, SecurityErrorKind::UnsupportedSecurityLevel),
    ] {
        let header = header(PduClass::Unconfirmed, level, 0);
        let trap = trap_of(name);
        let error = world
            .message
            .prepare_outgoing_message(&act, UDP, ADDRESS, header, &trap, &mut message)
            .unwrap_err();
        assert_eq!(error.security_kind(), Some(kind));
    }
}

/// What a receiver of informs sends back.
fn from_receiver(ask: &Ask, msg_id: u32, kind: PduKind, clock: EngineTime, flags: u8) -> Ask {
    Ask { msg_id, kind, clock, flags, engine_id: OTHER.to_vec(), ..ask.clone() }
}

#[test]
fn an_inform_discovers_its_receiver_and_is_answered() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let ask = Ask::of(USERS[0]);
    let inform = DataElements {
        pdu: pdu(PduKind::Inform, 77, &[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::Null).into(),
        context_engine_id: OTHER.to_vec().into(),
        context_name: b"ctx".to_vec().into(),
        ..trap_of("alice")
    };
    let send = |act: &Activity, elements: &DataElements, level| {
        let mut message = Buf::new();
        let header = header(PduClass::Confirmed, level, 42);
        world
            .message
            .prepare_outgoing_message(act, UDP, ADDRESS, header, elements, &mut message)
            .map(|()| message.to_vec())
    };
    // Nobody knows who is there.
    let act = worker.activity();
    let error = send(&act, &inform, SecurityLevel::AuthPriv).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::UnknownEngineId));
    let who_is_there = DataElements {
        pdu: pdu(PduKind::Get, 1, &[1, 3], Value::Null).into(),
        ..DataElements::default()
    };
    let discovery = send(&act, &who_is_there, SecurityLevel::NoAuthNoPriv).unwrap();
    let manager = Manager { runtime: world.runtime, act: &act };
    let heard = manager.hear(&Ask::of(USERS[5]), &discovery);
    assert_eq!(heard.header.flags, Flags(Flags::REPORTABLE));
    assert!(heard.engine_id.is_empty() && heard.user.is_empty());
    assert_eq!(heard.clock, EngineTime { boots: 0, time_seconds: 0 });
    let there = EngineTime { boots: 3, time_seconds: 500 };
    let report = from_receiver(
        &Ask { user: "", ..ask.clone() },
        heard.header.msg_id,
        PduKind::Report,
        there,
        0,
    );
    let report = manager.ask(&report);
    let (incoming, elements) = world.take(&act, &report).unwrap();
    assert_eq!((incoming.header.class, incoming.header.send_pdu_handle), (PduClass::Response, 42));
    assert_eq!(elements.pdu[0], PduKind::Report.tag());
    // It answers once.
    assert_eq!(world.take(&act, &report).unwrap_err().kind, MessageErrorKind::UnknownResponse);
    drop(act);
    // What time is it there? Not yet known, and the receiver says so.
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let sent = send(&act, &inform, SecurityLevel::AuthPriv).unwrap();
    let heard = manager.hear(&ask, &sent);
    assert_eq!((&heard.engine_id[..], heard.header.flags), (OTHER, Flags(7)));
    assert_eq!(heard.clock, EngineTime { boots: 0, time_seconds: 0 });
    let report = from_receiver(&ask, heard.header.msg_id, PduKind::Report, there, 1);
    assert_eq!(world.take(&act, &manager.ask(&report)).unwrap().0.header.send_pdu_handle, 42);
    // Over a swap of both what was learned is still known.
    drop(act);
    world.swap("security.usm", &security_usm::S_MODULE);
    let act = worker.activity();
    let sent = send(&act, &inform, SecurityLevel::AuthPriv).unwrap();
    drop(act);
    world.swap("message.v3", &message_v3::S_MODULE);
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let heard = manager.hear(&ask, &sent);
    assert_eq!(heard.clock.boots, 3);
    assert!((500..=620).contains(&heard.clock.time_seconds));
    // Whoever is not asked answers in vain: another level, another name, another place.
    let answer = from_receiver(&ask, heard.header.msg_id, PduKind::Response, there, 3);
    for wrong in
        [Ask { flags: 1, ..answer.clone() }, Ask { msg_id: answer.msg_id ^ 1, ..answer.clone() }]
    {
        let error = world.take(&act, &manager.ask(&wrong)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind, MessageErrorKind::UnknownResponse);
    }
    let response = manager.ask(&answer);
    let elsewhere = world.message.prepare_data_elements(
        &act,
        UDP,
        &[10, 0, 0, 1, 0, 162],
        &response,
        &mut DataElements::default(),
    );
    assert_eq!(elsewhere.unwrap_err().kind, MessageErrorKind::UnknownResponse);
    let (incoming, elements) = world.take(&act, &response).unwrap();
    assert_eq!((incoming.header.class, incoming.header.send_pdu_handle), (PduClass::Response, 42));
    assert_eq!(&elements.security_name[..], b"alice");
    // The past is no proof: a response of an earlier boot.
    let sent = send(&act, &inform, SecurityLevel::AuthPriv).unwrap();
    let msg_id = manager.hear(&ask, &sent).header.msg_id;
    let before = EngineTime { boots: 2, time_seconds: 9999 };
    let old = from_receiver(&ask, msg_id, PduKind::Response, before, 3);
    let error = world.take(&act, &manager.ask(&old)).map(|_| ()).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::NotInTimeWindow));
    assert!(!error.state.is_some(), "only the authoritative engine reports it");
    // A request in the name of the other engine is not for us (RFC 3412 §7.2 step 13).
    let foreign = from_receiver(&ask, 9, PduKind::Get, there, 7);
    let error = world.take(&act, &manager.ask(&foreign)).map(|_| ()).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::UnknownEngineId));
}

#[test]
fn keys_given_as_they_are_work_like_passwords() {
    let world = World::empty();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let mut alice = user(USERS[0]);
    alice.auth_form = KeyForm::Localized;
    alice.auth_secret = manager.key(world::SHA_256, world::AUTH_PASSWORD, OWN);
    alice.priv_form = KeyForm::Localized;
    alice.priv_secret = manager.key(world::SHA_256, world::PRIV_PASSWORD, OWN);
    assert_eq!(world.apply(&[alice]), "");
    assert_eq!(exchange(&world, &Ask::of(USERS[0])), None);
}

#[test]
fn a_document_with_a_problem_changes_nothing_and_says_what_to_do() {
    let world = World::new();
    let problem = |change: fn(&mut roles::settings::User)| {
        let mut changed = user(USERS[0]);
        change(&mut changed);
        world.apply(&[changed, user(USERS[1])])
    };
    for (said, expected) in [
        (problem(|user| user.name.clear()), "a name has 1 to 32 octets"),
        (problem(|user| user.name = "a".repeat(33)), "a name has 1 to 32 octets"),
        (problem(|user| user.name = "bob".into()), "is there twice"),
        (problem(|user| user.engine_id = vec![1]), "an engineID has 5 to 32 octets"),
        (problem(|user| user.auth_secret = b"short".to_vec()), "shorter than 8 octets"),
        (problem(|user| user.priv_form = KeyForm::None), "give both"),
        (problem(|user| user.auth_form = KeyForm::Master), "give the whole key"),
        (problem(|user| user.auth_form = KeyForm::Localized), "give the whole key"),
        (
            problem(|user| {
                user.auth_protocol.clear();
                user.auth_form = KeyForm::None;
            }),
            "privacy without authentication",
        ),
    ] {
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        assert!(!said.contains("authentication\u{0}") && !said.contains("confidential"));
    }
    let settings: SettingsProxy = world.runtime.proxy("security.usm").unwrap();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let mut problems = Buf::new();
    assert_eq!(settings.check(&act, b"junk", &mut problems), Ok(1));
    problems.clear();
    // Nothing changed, check changes nothing, and a document replaces the one before.
    let nobody = roles::settings::write(&UsmSettings::default());
    assert_eq!(settings.check(&act, &nobody, &mut problems), Ok(0));
    drop(act);
    for who in USERS {
        assert_eq!(exchange(&world, &Ask::of(who)), None);
    }
    assert_eq!(world.apply(&[user(USERS[1])]), "");
    assert_eq!(exchange(&world, &Ask::of(USERS[0])), Some(SecurityErrorKind::UnknownUserName));
    assert_eq!(exchange(&world, &Ask::of(USERS[1])), None);
}

#[test]
fn what_is_kept_is_what_no_document_brings() {
    let world = World::new();
    let kept: PersistenceProxy = world.runtime.proxy("security.usm").unwrap();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let before = kept.revision(&act).unwrap();
    let mut saved = Buf::new();
    kept.save(&act, &mut saved).unwrap();
    assert!(!saved.windows(5).any(|octets| octets == b"alice"));
    assert_eq!(kept.restore(&act, &saved), Ok(true));
    assert_eq!(kept.restore(&act, b"junk"), Ok(false));
    assert_eq!(kept.revision(&act), Ok(before));
    drop(act);
    assert_eq!(exchange(&world, &Ask::of(USERS[0])), None);
}

#[test]
fn requests_are_answered_while_users_and_modules_change_under_them() {
    let world = World::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let requests: Vec<(Ask, Vec<u8>)> = {
        let mut worker = world.runtime.worker();
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        USERS.iter().map(|who| (Ask::of(*who), manager.ask(&Ask::of(*who)))).collect()
    };
    let answered = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut worker = world.runtime.worker();
                    let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
                    let mut answered = 0;
                    while !stop.load(Ordering::Relaxed) || answered < 100 {
                        for (ask, request) in &requests {
                            let act = worker.activity();
                            let (incoming, elements) = world.take(&act, request).unwrap();
                            let answer =
                                world.answer(&act, &incoming, &elements, response.clone()).unwrap();
                            answered += 1;
                            if answered % 64 == 0 {
                                let manager = Manager { runtime: world.runtime, act: &act };
                                assert_eq!(manager.hear(ask, &answer).pdu, response);
                            }
                        }
                    }
                    answered
                })
            })
            .collect();
        for round in 0..12 {
            assert_eq!(world.apply(&USERS.map(user)), "");
            world::serve(
                &world.control,
                "auth.sha2",
                if round % 2 == 0 { &S_MODULE } else { &auth_hmac_sha2::S_MODULE },
            );
            world.swap("security.usm", &security_usm::S_MODULE);
            world.swap("message.v3", &message_v3::S_MODULE);
        }
        stop.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum::<u64>()
    });
    assert!(answered >= 300);
}
