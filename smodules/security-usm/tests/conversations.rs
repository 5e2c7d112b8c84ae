//! Whole conversations of a manager with an agent: discovery, synchronisation, every level and protocol.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::error::Counter;
use roles::message::{MessageErrorKind, PduClass};
use roles::privacy::EngineTime;
use roles::security::SecurityErrorKind;
use roles::varbind::SecurityLevel;
use s_wire::{Flags, PduKind, Value};
use world::{Ask, CLOCK, Manager, OWN, OWN_MAX_SIZE, USERS, World, pdu};

fn response() -> Vec<u8> {
    pdu(PduKind::Response, 77, &[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::Octets(b"an agent"))
}

#[test]
fn every_user_is_answered_at_every_level_that_he_has() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in USERS {
        let highest = Ask::of(who).flags & 3;
        for level in [0, 1, 3].into_iter().filter(|level| *level <= highest) {
            let act = worker.activity();
            let manager = Manager { runtime: world.runtime, act: &act };
            let ask = Ask::of(who).at_level(level);
            let request = manager.ask(&ask);
            let (incoming, elements) = world.take(&act, &request).unwrap();
            assert_eq!(incoming.header.security_level as u8, [1, 2, 0, 3][level as usize]);
            assert_eq!(incoming.header.class, PduClass::Confirmed);
            assert_eq!(&elements.security_name[..], who.0.as_bytes());
            assert_eq!(
                (&elements.context_engine_id[..], &elements.context_name[..]),
                (OWN, &b"ctx"[..])
            );
            assert_eq!(elements.pdu[0], PduKind::Get.tag());
            let answer = world.answer(&act, &incoming, &elements, response()).unwrap();
            let heard = manager.hear(&ask, &answer);
            assert_eq!(heard.header.msg_id, ask.msg_id);
            // A response asks for no Report, and is at the level of its request.
            assert_eq!(heard.header.flags, Flags(level));
            assert_eq!(heard.header.max_size, OWN_MAX_SIZE);
            assert_eq!((&heard.engine_id[..], heard.clock), (OWN, CLOCK));
            assert_eq!(heard.user, who.0.as_bytes());
            assert_eq!((&heard.context_engine_id[..], &heard.context_name[..]), (OWN, &b"ctx"[..]));
            assert_eq!(heard.pdu, response());
            // Never the salt of the request.
            if level == 3 {
                let parameters = s_wire::V3Message::decode(&request).unwrap().security_parameters;
                let asked = s_wire::UsmParameters::decode(parameters).unwrap();
                assert!(!heard.salt.is_empty() && heard.salt != asked.privacy);
            }
        }
    }
}

#[test]
fn a_manager_that_knows_nothing_discovers_engine_and_clock_and_asks() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    // RFC 3414 §4: who are you?
    let nothing = EngineTime { boots: 0, time_seconds: 0 };
    let discovery = Ask { engine_id: vec![], clock: nothing, user: "", ..Ask::of(USERS[5]) };
    let error = world.take(&act, &manager.ask(&discovery)).map(|_| ()).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::UnknownEngineId));
    assert_eq!(error.counter(), Some(Counter::UnknownEngineIds));
    let heard = manager.hear(&discovery, &world.report(&act, &error).unwrap());
    assert_eq!((heard.header.msg_id, heard.header.flags), (discovery.msg_id, Flags(0)));
    assert_eq!((&heard.engine_id[..], &heard.user[..]), (OWN, &b""[..]));
    assert_eq!((&heard.context_engine_id[..], &heard.context_name[..]), (OWN, &b""[..]));
    let report = heard.pdu();
    assert_eq!((report.kind, report.request_id), (PduKind::Report, 77));
    // What time is it?
    let sync = Ask { engine_id: heard.engine_id.clone(), clock: nothing, ..Ask::of(USERS[0]) };
    let error = world.take(&act, &manager.ask(&sync)).map(|_| ()).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::NotInTimeWindow));
    let heard = manager.hear(&sync, &world.report(&act, &error).unwrap());
    assert_eq!((heard.header.flags, heard.clock), (Flags(Flags::AUTHENTICATED), CLOCK));
    // The refused PDU was encrypted, so its request-id is not known (RFC 3412 §7.1 step 3 c).
    assert_eq!(heard.pdu().request_id, 0);
    // Now then.
    let ask = Ask { clock: heard.clock, ..Ask::of(USERS[0]) };
    let (incoming, elements) = world.take(&act, &manager.ask(&ask)).unwrap();
    let answer = world.answer(&act, &incoming, &elements, response()).unwrap();
    assert_eq!(manager.hear(&ask, &answer).pdu, response());
}

#[test]
fn what_fits_in_a_response_is_known_to_the_octet() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in USERS {
        for (max_size, own_max_size, msg_id) in [
            (484, 65507, 1),
            (1472, 65507, i32::MAX as u32),
            (65507, 1500, 200),
            (20_000, 20_001, 70_000),
        ] {
            let act = worker.activity();
            let EngineTime { boots, time_seconds } = CLOCK;
            world.tune(&act, boots, time_seconds, own_max_size);
            let manager = Manager { runtime: world.runtime, act: &act };
            let ask = Ask { max_size, msg_id, ..Ask::of(who) };
            let (incoming, elements) = world.take(&act, &manager.ask(&ask)).unwrap();
            // Response PDUs around the largest scopedPDU.
            let sizes = |value: usize| {
                let octets = vec![7; value];
                let pdu = pdu(PduKind::Response, 77, &[1, 3, 6, 1], Value::Octets(&octets));
                let scoped = s_wire::ScopedPdu {
                    context_engine_id: &elements.context_engine_id,
                    context_name: &elements.context_name,
                    pdu: s_wire::Part::from(&pdu[..]),
                };
                (world::octets(&scoped).len(), pdu)
            };
            let limit = max_size.min(own_max_size) as usize;
            let largest = incoming.max_response_size as usize;
            let mut fitted = 0;
            for value in largest - 120..largest + 20 {
                let (scoped, pdu) = sizes(value);
                match world.answer(&act, &incoming, &elements, pdu) {
                    Ok(message) => {
                        assert!(scoped <= largest && message.len() <= limit, "{who:?}");
                        fitted = fitted.max(message.len());
                        if message.len() + 2 > limit {
                            manager.hear(&ask, &message);
                        }
                    }
                    Err(error) => {
                        assert_eq!(error.kind, MessageErrorKind::TooBig);
                        assert!(scoped > largest && error.detail as usize > limit, "{who:?}");
                    }
                }
            }
            // A block cipher leaves up to a block unused, a length field an octet or two.
            assert!(fitted + 9 > limit, "{who:?}: {fitted} of {limit}");
        }
    }
}

#[test]
fn a_change_of_keys_between_request_and_response_changes_the_next_response() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let ask = Ask::of(USERS[0]);
    let (request, answer) = {
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        let request = manager.ask(&ask);
        let (incoming, elements) = world.take(&act, &request).unwrap();
        let mut changed = USERS.map(world::user);
        changed[0].auth_secret = b"another password".to_vec();
        changed[0].priv_secret = b"yet another one".to_vec();
        assert_eq!(world.apply(&changed), "");
        let answer = world.answer(&act, &incoming, &elements, response()).unwrap();
        assert_eq!(manager.hear(&ask, &answer).pdu, response());
        // Nor does it matter that he is gone altogether.
        assert_eq!(world.apply(&[]), "");
        let answer = world.answer(&act, &incoming, &elements, response()).unwrap();
        assert_eq!(manager.hear(&ask, &answer).pdu, response());
        assert_eq!(world.apply(&changed), "");
        (request, answer)
    };
    let act = worker.activity();
    let error = world.take(&act, &request).map(|_| ()).unwrap_err();
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::WrongDigest));
    assert!(!answer.is_empty());
}

#[test]
fn a_reference_is_good_for_its_own_activity_and_level() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let (stale, elements, request) = {
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        let request = manager.ask(&Ask::of(USERS[4]));
        let (incoming, elements) = world.take(&act, &request).unwrap();
        // The level that it is given, never another: this user has no privacy.
        let mut private = incoming;
        private.header.security_level = SecurityLevel::AuthPriv;
        let error = world.answer(&act, &private, &elements, response()).unwrap_err();
        assert_eq!(error.security_kind(), Some(SecurityErrorKind::UnsupportedSecurityLevel));
        (incoming, elements, request)
    };
    let act = worker.activity();
    let error = world.answer(&act, &stale, &elements, response()).unwrap_err();
    assert_eq!(error.kind, MessageErrorKind::StaleReference);
    let (again, _) = world.take(&act, &request).unwrap();
    assert!(world.answer(&act, &again, &elements, response()).is_ok());
}
