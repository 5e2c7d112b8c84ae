//! A request and its response allocate nothing once buffers have their size, at every level.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use allocation_counter::measure;
use roles::message::{DataElements, MessageProcessing};
use s_sdk::Buf;
use s_wire::{PduKind, Value};
use world::{ADDRESS, Ask, Manager, UDP, USERS, World, pdu};

#[test]
fn a_request_is_admitted_and_answered_without_an_allocation() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for who in USERS {
        let request = {
            let act = worker.activity();
            Manager { runtime: world.runtime, act: &act }.ask(&Ask::of(who))
        };
        let mut elements = DataElements::default();
        let mut message = Buf::new();
        let response = pdu(PduKind::Response, 77, &[1, 3], Value::Octets(&[7; 300]));
        let mut exchange = || {
            let act = worker.activity();
            elements.clear();
            message.clear();
            let incoming = world
                .message
                .prepare_data_elements(&act, UDP, ADDRESS, &request, &mut elements)
                .unwrap();
            elements.pdu.clear();
            elements.pdu.append(&response).unwrap();
            world
                .message
                .prepare_response_message(
                    &act,
                    incoming.header,
                    &elements,
                    incoming.state,
                    &mut message,
                )
                .unwrap();
        };
        (0..3).for_each(|_| exchange());
        let counted = measure(|| (0..10).for_each(|_| exchange()));
        assert_eq!(counted.count_total, 0, "{who:?}");
    }
}
