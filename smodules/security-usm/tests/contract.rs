//! The contract suite of message processing, with USM behind it, for every user.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::contract::message::{Peer, suite};
use roles::message::{DataElements, MessageHeader, PduClass};
use roles::varbind::SecurityLevel;
use s_wire::{PduKind, Value};
use world::{ADDRESS, Ask, Manager, OWN, UDP, USERS, World, pdu};

#[test]
fn message_v3_keeps_the_contract_of_its_role() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in USERS {
        let (request, elements, ended) = {
            let act = worker.activity();
            let request = Manager { runtime: world.runtime, act: &act }.ask(&Ask::of(who));
            let (incoming, elements) = world.take(&act, &request).unwrap();
            (request, elements, incoming.state)
        };
        let level = match Ask::of(who).flags & 3 {
            0 => SecurityLevel::NoAuthNoPriv,
            1 => SecurityLevel::AuthNoPriv,
            _ => SecurityLevel::AuthPriv,
        };
        let trap = DataElements {
            security_name: who.0.as_bytes().to_vec().into(),
            context_engine_id: OWN.to_vec().into(),
            context_name: b"ctx".to_vec().into(),
            pdu: pdu(PduKind::TrapV2, 1, &[1, 3, 6], Value::Null).into(),
        };
        let header = MessageHeader { class: PduClass::Unconfirmed, ..world::header(level) };
        let peer = Peer {
            domain: UDP,
            address: ADDRESS,
            request: &request,
            elements: &elements,
            response: &pdu(PduKind::Response, 77, &[1, 3, 6], Value::Null),
            outgoing: Some((header, &trap)),
            ended,
        };
        let kept = suite(&world.message, &peer, &mut |step| step(&worker.activity()));
        kept.unwrap_or_else(|broken| panic!("{who:?}: {broken:?}"));
    }
}
