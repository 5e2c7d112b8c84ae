//! Every reason to refuse a message, with its reference and its Report, and every octet altered.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::error::Counter;
use roles::message::{MessageError, MessageErrorKind};
use roles::privacy::EngineTime;
use roles::security::SecurityErrorKind;
use roles::varbind::SecurityLevel;
use s_sdk::Activity;
use s_wire::{Flags, PduKind, Value};
use world::{Ask, CLOCK, Manager, OTHER, OWN, OWN_MAX_SIZE, USERS, World, pdu};

fn refused(world: &World, act: &Activity, message: &[u8]) -> MessageError {
    world.take(act, message).map(|_| ()).unwrap_err()
}

fn at(boots: u32, time_seconds: u32) -> EngineTime {
    EngineTime { boots, time_seconds }
}

#[test]
fn every_reason_of_the_security_model_has_its_counter_and_its_report() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let alice = || Ask::of(USERS[0]);
    let erin = || Ask::of(USERS[4]);
    let wrong_password = |message: &mut Vec<u8>| *message.last_mut().unwrap() ^= 1;
    type Alter = Box<dyn Fn(&mut Vec<u8>)>;
    let nothing = || -> Alter { Box::new(|_| ()) };
    let cases: Vec<(Ask, Alter, SecurityErrorKind, Counter)> = vec![
        (
            Ask { engine_id: OTHER.to_vec(), ..erin() },
            nothing(),
            SecurityErrorKind::UnknownEngineId,
            Counter::UnknownEngineIds,
        ),
        (
            Ask { engine_id: vec![1, 2, 3], ..alice() },
            nothing(),
            SecurityErrorKind::UnknownEngineId,
            Counter::UnknownEngineIds,
        ),
        (
            Ask { user: "mallory", ..alice() },
            nothing(),
            SecurityErrorKind::UnknownUserName,
            Counter::UnknownUserNames,
        ),
        (
            Ask { user: "", ..alice() }.at_level(0),
            nothing(),
            SecurityErrorKind::UnknownUserName,
            Counter::UnknownUserNames,
        ),
        (
            Ask { user: "erin", ..alice() },
            nothing(),
            SecurityErrorKind::UnsupportedSecurityLevel,
            Counter::UnsupportedSecLevels,
        ),
        (
            Ask { user: "frank", ..erin() },
            nothing(),
            SecurityErrorKind::UnsupportedSecurityLevel,
            Counter::UnsupportedSecLevels,
        ),
        (erin(), Box::new(wrong_password), SecurityErrorKind::WrongDigest, Counter::WrongDigests),
        // RFC 3414 §6.3.2 step 1: a field of another length is a wrong digest.
        (
            Ask { user: "alice", ..erin() },
            nothing(),
            SecurityErrorKind::WrongDigest,
            Counter::WrongDigests,
        ),
        (
            Ask { clock: at(CLOCK.boots, CLOCK.time_seconds + 151), ..erin() },
            nothing(),
            SecurityErrorKind::NotInTimeWindow,
            Counter::NotInTimeWindows,
        ),
    ];
    for (ask, alter, kind, counter) in cases {
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        let mut message = manager.ask(&ask);
        alter(&mut message);
        let error = refused(&world, &act, &message);
        assert_eq!(
            (error.security_kind(), error.counter()),
            (Some(kind), Some(counter)),
            "{ask:?}"
        );
        let heard = manager.hear(&ask, &world.report(&act, &error).unwrap());
        let level = if kind == SecurityErrorKind::NotInTimeWindow { 1 } else { 0 };
        assert_eq!(heard.header.flags, Flags(level), "never reportable itself");
        assert_eq!(heard.header.msg_id, ask.msg_id);
        assert_eq!((&heard.engine_id[..], &heard.context_engine_id[..]), (OWN, OWN));
        assert_eq!((heard.clock, &heard.user[..]), (CLOCK, ask.user.as_bytes()));
        assert!(heard.context_name.is_empty());
        let report = heard.pdu();
        let is_private = ask.flags & Flags::PRIVATE != 0;
        assert_eq!(report.request_id, if is_private { 0 } else { 77 }, "{ask:?}");
        let binding = report.bindings.iter().next().unwrap();
        let mut arcs = [0; 128];
        assert_eq!(binding.name.decode(&mut arcs), counter.instance());
        assert_eq!(binding.value, Value::Counter32(1));
        // A Report and nothing else, and not at a higher level than its reason allows.
        let elements = roles::message::DataElements {
            pdu: pdu(PduKind::Response, 77, &[1, 3], Value::Null).into(),
            ..Default::default()
        };
        let mut out = s_sdk::Buf::new();
        use roles::message::MessageProcessing;
        let header = world::header(kind.report_level());
        let answer =
            world.message.prepare_response_message(&act, header, &elements, error.state, &mut out);
        assert_eq!(answer.unwrap_err().kind, MessageErrorKind::InvalidMessage);
    }
}

#[test]
fn a_message_that_says_it_takes_no_report_gets_none_where_its_class_is_not_known() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    // Encrypted: the flag decides (RFC 3412 §7.1 step 3 b).
    for (flag, reportable) in [(0, false), (Flags::REPORTABLE, true)] {
        let mut ask = Ask { clock: at(1, 1), ..Ask::of(USERS[0]) };
        ask.flags = 3 | flag;
        let error = refused(&world, &act, &manager.ask(&ask));
        assert_eq!(error.security_kind(), Some(SecurityErrorKind::NotInTimeWindow));
        assert_eq!(error.state.is_some(), reportable);
    }
    // In plain: the class decides.
    for (kind, reportable) in [
        (PduKind::Get, true),
        (PduKind::Inform, true),
        (PduKind::TrapV2, false),
        (PduKind::Response, false),
        (PduKind::Report, false),
    ] {
        let act = worker_activity(&world, |act| {
            let manager = Manager { runtime: world.runtime, act };
            let mut ask = Ask { user: "mallory", kind, ..Ask::of(USERS[5]) };
            ask.flags = if reportable { 0 } else { Flags::REPORTABLE };
            refused(&world, act, &manager.ask(&ask)).state.is_some()
        });
        assert_eq!(act, reportable, "{kind:?}");
    }
}

fn worker_activity<R>(world: &World, work: impl FnOnce(&Activity) -> R) -> R {
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    work(&act)
}

#[test]
fn what_the_message_processing_model_refuses_moves_its_own_counters_and_is_not_reported() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    let good = manager.ask(&Ask::of(USERS[5]));
    let decoded = s_wire::V3Message::decode(&good).unwrap();
    let with = |flags: u8, security_model: u32| {
        let header = s_wire::Header { flags: Flags(flags), security_model, ..decoded.header };
        world::octets(&s_wire::V3Message {
            header,
            security_parameters: decoded.security_parameters,
            data: decoded.data,
        })
    };
    let mut trailing = good.clone();
    trailing.push(0);
    let mut version = good.clone();
    version[4] = 1;
    let community = [0x30, 0x0b, 2, 1, 1, 4, 1, b'p', 0xa0, 0x03, 2, 1, 0];
    for (message, kind, counter) in [
        (trailing, MessageErrorKind::ParseError, Some(Counter::AsnParseErrs)),
        (
            good[..good.len() - 1].to_vec(),
            MessageErrorKind::ParseError,
            Some(Counter::AsnParseErrs),
        ),
        (vec![], MessageErrorKind::ParseError, Some(Counter::AsnParseErrs)),
        (version, MessageErrorKind::BadVersion, Some(Counter::BadVersions)),
        (community.to_vec(), MessageErrorKind::BadVersion, Some(Counter::BadVersions)),
        (with(4, 2), MessageErrorKind::UnknownSecurityModel, Some(Counter::UnknownSecurityModels)),
        (with(4, 99), MessageErrorKind::UnknownSecurityModel, Some(Counter::UnknownSecurityModels)),
        // Privacy without authentication, and data that is not as flagged.
        (with(4 | 2, 3), MessageErrorKind::InvalidMessage, Some(Counter::InvalidMsgs)),
        (with(4 | 3, 3), MessageErrorKind::InvalidMessage, Some(Counter::InvalidMsgs)),
    ] {
        let error = refused(&world, &act, &message);
        assert_eq!((error.kind, error.counter()), (kind, counter), "{message:02x?}");
        assert!(!error.state.is_some());
    }
    // Parameters that are none: the security model's reason, and nothing to report with.
    let message = world::octets(&s_wire::V3Message {
        header: decoded.header,
        security_parameters: s_wire::Part::from(&b"\x30\x00"[..]),
        data: decoded.data,
    });
    let error = refused(&world, &act, &message);
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::ParseError));
    assert_eq!(error.counter(), Some(Counter::AsnParseErrs));
    // A response to nothing that was sent.
    for kind in [PduKind::Response, PduKind::Report] {
        let ask = Ask { kind, flags: 1, ..Ask::of(USERS[4]) };
        let error = refused(&world, &act, &manager.ask(&ask));
        assert_eq!(error.kind, MessageErrorKind::UnknownResponse);
    }
}

#[test]
fn every_altered_octet_of_an_authenticated_message_is_refused() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in [USERS[0], USERS[1], USERS[2], USERS[4]] {
        let request = {
            let act = worker.activity();
            let manager = Manager { runtime: world.runtime, act: &act };
            manager.ask(&Ask::of(who))
        };
        let mut downgraded = 0;
        for place in 0..request.len() {
            for bit in 0..8 {
                let act = worker.activity();
                let mut altered = request.clone();
                altered[place] ^= 1 << bit;
                // Without the flag it is an unauthenticated message, and passes for no more than that.
                if let Ok((incoming, _)) = world.take(&act, &altered) {
                    assert_eq!(incoming.header.security_level, SecurityLevel::NoAuthNoPriv);
                    assert_eq!((altered[place] ^ request[place], who.2), (1, &[][..]));
                    downgraded += 1;
                }
            }
        }
        assert_eq!(downgraded, usize::from(who.2.is_empty()));
        let act = worker.activity();
        assert!(world.take(&act, &request).is_ok());
    }
}

#[test]
fn the_time_window_is_150_seconds_and_none_after_the_last_boot() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for (own, message, timely) in [
        (at(7, 1000), at(7, 850), true),
        (at(7, 1000), at(7, 849), false),
        (at(7, 1000), at(7, 1150), true),
        (at(7, 1000), at(7, 1151), false),
        (at(7, 1000), at(6, 1000), false),
        (at(7, 1000), at(8, 1000), false),
        (at(1, 0), at(1, 0), true),
        (at(2_147_483_646, 2_147_483_647), at(2_147_483_646, 2_147_483_647), true),
        (at(2_147_483_647, 0), at(2_147_483_647, 0), false),
        (at(2_147_483_647, 1000), at(2_147_483_647, 1000), false),
    ] {
        let act = worker.activity();
        world.tune(&act, own.boots, own.time_seconds, OWN_MAX_SIZE);
        let manager = Manager { runtime: world.runtime, act: &act };
        for who in [USERS[0], USERS[4]] {
            let ask = Ask { clock: message, ..Ask::of(who) };
            match world.take(&act, &manager.ask(&ask)) {
                Ok(_) => assert!(timely, "{own:?} {message:?}"),
                Err(error) => {
                    assert!(!timely, "{own:?} {message:?}: {error}");
                    let heard = manager.hear(&ask, &world.report(&act, &error).unwrap());
                    assert_eq!(heard.clock, own);
                }
            }
        }
        // Without authentication there is no window (RFC 3414 §3.2 step 7).
        let ask = Ask { clock: message, ..Ask::of(USERS[5]) };
        assert!(world.take(&act, &manager.ask(&ask)).is_ok());
    }
}

#[test]
fn a_message_of_a_right_code_that_cannot_be_decrypted_is_refused_after_its_time() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: world.runtime, act: &act };
    // Encrypted with AES: its salt and length are right for DES, or are not.
    let bob = Ask { protocols: (world::MD5, world::AES_128), ..Ask::of(USERS[1]) };
    let error = refused(&world, &act, &manager.ask(&bob));
    // 60 octets are no whole blocks of DES.
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::DecryptionError));
    assert_eq!(error.counter(), Some(Counter::DecryptionErrors));
    let heard = manager.hear(&bob, &world.report(&act, &error).unwrap());
    assert_eq!(heard.header.flags, Flags(0));
    // The time is looked at first.
    let late = Ask { clock: at(7, 1), ..bob };
    let error = refused(&world, &act, &manager.ask(&late));
    assert_eq!(error.security_kind(), Some(SecurityErrorKind::NotInTimeWindow));
    // AES decrypts anything: what comes out is no scopedPDU (RFC 3412 §7.2 step 7).
    let alice = Ask { protocols: (world::SHA_256, world::DES), ..Ask::of(USERS[0]) };
    let error = refused(&world, &act, &manager.ask(&alice));
    assert_eq!(error.kind, MessageErrorKind::NotDecrypted);
    assert_eq!(error.counter(), Some(Counter::AsnParseErrs));
}
