//! This module beside `message-v3`: what their codecs say of the same octets, and swaps from one to the
//! other and back while messages flow.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]
#![allow(dead_code, reason = "the files of other tests are used in parts")]

#[path = "../../../agent/wire/tests/wire/cases.rs"]
mod cases;
#[path = "../../../agent/wire/tests/wire/owned.rs"]
mod owned;
#[path = "../../../agent/wire/tests/wire/strategies.rs"]
mod strategies;
#[path = "../../security-usm/tests/world/mod.rs"]
mod world;

use message_v3::Wire;
use message_v3_model::Codec;
use message_v3_model::codec::{MAX_GLOBAL_DATA, ToWrite};
use message_v3_rasn::Rasn;
use proptest::prelude::*;
use roles::message::{DataElements, MessageHeader, MessageProcessing, PduClass};
use roles::varbind::SecurityLevel;
use s_sdk::Buf;
use s_sdk::abi::ModuleDescriptor;
use s_wire::{Flags, Header, Part, PduKind, ScopedPduData, Value};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use world::{ADDRESS, Ask, Manager, OTHER, OWN, UDP, USERS, World, pdu};

/// What a codec says of octets as a message; then, of whatever is in it or the octets themselves, as a
/// scopedPDU and as a PDU.
fn say_the_same(octets: &[u8]) {
    let (ours, theirs) = (Wire::message(octets), Rasn::message(octets));
    assert_eq!(ours, theirs, "a message: {octets:02x?}");
    let inside = match ours {
        Ok(message) => match message.data {
            ScopedPduData::Plain(part) | ScopedPduData::Encrypted(part) => part,
        },
        Err(_) => Part::from(octets),
    };
    for was_encrypted in [false, true] {
        let ours = Wire::scoped_pdu(inside.octets, was_encrypted);
        let theirs = Rasn::scoped_pdu(inside.octets, was_encrypted);
        assert_eq!(ours.is_some(), theirs.is_some(), "a scopedPDU: {:02x?}", inside.octets);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        assert_eq!(ours.context_engine_id, theirs.context_engine_id.as_ref());
        assert_eq!(ours.context_name, theirs.context_name.as_ref());
        assert_eq!(ours.pdu, theirs.pdu.as_ref());
        let (ours, theirs) = (Wire::request_id(ours.pdu), Rasn::request_id(ours.pdu));
        assert_eq!(ours, theirs, "a request-id: {:02x?}", inside.octets);
    }
}

#[test]
fn both_codecs_say_the_same_of_the_messages_that_codecs_get_wrong() {
    let rows = cases::rows();
    assert!(rows.iter().any(|(_, octets, _)| Rasn::message(octets).is_ok()));
    for (_, octets, _) in rows {
        say_the_same(&octets);
    }
}

#[test]
fn a_scoped_pdu_of_which_no_element_is_made_is_refused_by_both() {
    for tag in 0..=u8::MAX {
        let scoped = [0x30, 9, 4, 0, 4, 0, tag, 3, 2, 1, 7];
        for was_encrypted in [false, true] {
            let ours = Wire::scoped_pdu(&scoped, was_encrypted).is_some();
            assert_eq!(ours, ![0, 0x20].contains(&tag) && tag & 0x1f != 0x1f, "{tag:#x}");
        }
        say_the_same(&scoped);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn both_codecs_say_the_same_of_damaged_messages(
        message in strategies::message(),
        damages in proptest::collection::vec(strategies::damage(), 0..3),
    ) {
        let mut octets = message.encode();
        damages.iter().for_each(|damage| damage.apply(&mut octets));
        say_the_same(&octets);
    }
}

proptest! {
    #[test]
    fn both_codecs_write_the_same(
        numbers in [0..=i32::MAX.cast_unsigned(), 484..=i32::MAX.cast_unsigned()],
        flags: u8,
        context_engine_id: Vec<u8>,
        context_name: Vec<u8>,
        request_id: i32,
    ) {
        let [msg_id, max_size] = numbers;
        let header = Header { msg_id, max_size, flags: Flags(flags), security_model: 3 };
        let mut rooms = [[0; MAX_GLOBAL_DATA]; 2];
        let [ours, theirs] = &mut rooms;
        prop_assert_eq!(Wire::global_data(header, ours), Rasn::global_data(header, theirs));

        let report = pdu(PduKind::Report, 5, &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0], Value::Counter32(7));
        let (mut ours, mut theirs) = (Buf::new(), Buf::new());
        Wire::append_report(&report, request_id, &mut ours).unwrap();
        Rasn::append_report(&report, request_id, &mut theirs).unwrap();
        prop_assert_eq!(&ours[..], &theirs[..]);
        let response = pdu(PduKind::Response, 5, &[1, 3], Value::Null);
        prop_assert_eq!(
            Wire::append_report(&response, request_id, &mut Buf::new()),
            Rasn::append_report(&response, request_id, &mut Buf::new())
        );

        let scoped = ToWrite {
            context_engine_id: &context_engine_id,
            context_name: &context_name,
            pdu: &report,
        };
        let (mut ours, mut theirs) = (Buf::new(), Buf::new());
        Wire::append_scoped_pdu(scoped, &mut ours).unwrap();
        Rasn::append_scoped_pdu(scoped, &mut theirs).unwrap();
        prop_assert_eq!(&ours[..], &theirs[..]);
    }
}

const BOTH: [(&str, &ModuleDescriptor); 2] =
    [("0.9.0", &message_v3_rasn::S_MODULE), ("1.0.0", &message_v3::S_MODULE)];

/// The version that serves.
fn serving(world: &World) -> &'static str {
    world.runtime.component("message.v3").unwrap().current().version()
}

#[test]
fn one_replaces_the_other_and_back_while_messages_flow() {
    let world = World::new();
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let requests: Vec<_> = {
        let mut worker = world.runtime.worker();
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        USERS.map(|who| (Ask::of(who), manager.ask(&Ask::of(who)))).into()
    };
    let ask_without_pause = || {
        let mut worker = world.runtime.worker();
        let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
        while !stop.load(Ordering::Relaxed) {
            for (ask, request) in &requests {
                let act = worker.activity();
                let (incoming, elements) = world.take(&act, request).unwrap();
                let answer = world.answer(&act, &incoming, &elements, response.clone()).unwrap();
                if answered.fetch_add(1, Ordering::Relaxed) % 64 == 0 {
                    let manager = Manager { runtime: world.runtime, act: &act };
                    assert_eq!(manager.hear(ask, &answer).pdu, response);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let callers = [scope.spawn(ask_without_pause), scope.spawn(ask_without_pause)];
        for (version, module) in BOTH.iter().cycle().take(20) {
            let before = answered.load(Ordering::Relaxed);
            world.swap("message.v3", module);
            assert_eq!(serving(&world), *version);
            // Each version answers before the next one comes.
            while answered.load(Ordering::Relaxed) < before + 20
                && !callers.iter().any(|caller| caller.is_finished())
            {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.into_inner() >= 400);
}

/// What one version sent, the other one's sender gets the answer to; and what one learned, the other knows.
#[test]
fn what_was_asked_before_a_swap_is_answered_after_it() {
    for [first, second] in [[BOTH[0], BOTH[1]], [BOTH[1], BOTH[0]]] {
        let world = World::new();
        world.swap("message.v3", first.1);
        let mut worker = world.runtime.worker();
        let discovery = DataElements {
            context_engine_id: OWN.to_vec().into(),
            pdu: pdu(PduKind::Get, 1, &[1, 3], Value::Null).into(),
            ..DataElements::default()
        };
        let header = |level| MessageHeader {
            class: PduClass::Confirmed,
            send_pdu_handle: 42,
            ..world::header(level)
        };
        let mut sent = Buf::new();
        let level = SecurityLevel::NoAuthNoPriv;
        world
            .message
            .prepare_outgoing_message(
                &worker.activity(),
                UDP,
                ADDRESS,
                header(level),
                &discovery,
                &mut sent,
            )
            .unwrap();
        world.swap("message.v3", second.1);
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        let msg_id = s_wire::V3Message::decode(&sent).unwrap().header.msg_id;
        let report = Ask {
            msg_id,
            flags: 0,
            engine_id: OTHER.to_vec(),
            user: "",
            kind: PduKind::Report,
            ..Ask::of(USERS[5])
        };
        let (incoming, _) = world.take(&act, &manager.ask(&report)).unwrap();
        assert_eq!(incoming.header.send_pdu_handle, 42, "asked by {}", first.0);
        drop(act);
        // The engine that answered there is known from now on, to the first version again too.
        world.swap("message.v3", first.1);
        let inform = DataElements {
            security_name: b"frank".to_vec().into(),
            context_engine_id: OTHER.to_vec().into(),
            pdu: pdu(PduKind::Inform, 2, &[1, 3], Value::Null).into(),
            ..DataElements::default()
        };
        let act = worker.activity();
        sent.clear();
        world
            .message
            .prepare_outgoing_message(&act, UDP, ADDRESS, header(level), &inform, &mut sent)
            .unwrap();
        let message = s_wire::V3Message::decode(&sent).unwrap();
        let usm = s_wire::UsmParameters::decode(message.security_parameters).unwrap();
        assert_eq!(usm.engine_id, OTHER);
    }
}
