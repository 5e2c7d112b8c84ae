//! The whole engine: a datagram in, at most one answer out.
//!
//! Promises checked: an answer is a message of the version that was asked in, a Response or a Report and
//! never anything that is answered itself; it is no larger than an unproven sender is given; and what is
//! refused moves at most one counter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roles::error::Counter;
use s_conversations::Agent;
use s_conversations::agent::Thread;
use s_engine::Limits;
use s_proxy::gate::Fence;
use s_wire::{Message, PduKind, PduVersion, ScopedPdu, ScopedPduData, Version, pdu};
use std::cell::RefCell;

/// From outside, so that limits apply; so many sources that none is ever too fast.
fn source(number: u32) -> [u8; 6] {
    let [a, b, c, d] = (0x0b00_0000 | number & 0x00ff_ffff).to_be_bytes();
    [a, b, c, d, 1, 2]
}

thread_local! {
    static AGENT: RefCell<(Agent, Thread, u32)> = RefCell::new({
        // SETs go all the way and are taken back, so that an input does not depend on those before it.
        let agent = Agent::with(Limits::default(), Fence::Everywhere, false);
        // It would sleep as long as an input says.
        agent.swap("mib.slow", None);
        agent.look();
        let thread = agent.thread();
        (agent, thread, 0)
    });
}

fuzz_target!(|octets: &[u8]| {
    AGENT.with_borrow_mut(|(agent, thread, number)| {
        *number += 1;
        let counters = agent.engine.facts().counters();
        let before = counters.all();
        let answer = thread.ask(&source(*number), octets).map(<[u8]>::to_vec);
        let moved: u32 = Counter::ALL
            .iter()
            .zip(before.iter().zip(counters.all()))
            .filter(|(counter, _)| **counter != Counter::InPackets)
            .map(|(_, (before, after))| after.wrapping_sub(*before))
            .sum();
        assert!(moved <= 1, "{moved} counters moved");
        let Some(answer) = answer else { return };
        let message = Message::decode(&answer).expect("an answer is a message");
        let is_proven =
            matches!(message, Message::V3(message) if message.header.flags.is_authenticated());
        assert!(is_proven || answer.len() <= octets.len().max(1472), "{} octets", answer.len());
        assert_eq!(Version::peek(&answer).ok(), Version::peek(octets).ok());
        let kind = match message {
            Message::Community(message) => pdu::peek(message.pdu.reader(), message.version),
            Message::V3(message) => match message.data {
                ScopedPduData::Plain(scoped) => {
                    let scoped = ScopedPdu::decode(scoped.reader()).expect("a scopedPDU");
                    pdu::peek(scoped.pdu.reader(), PduVersion::V2)
                }
                ScopedPduData::Encrypted(_) => return,
            },
        };
        let (kind, _) = kind.expect("an answer has a PDU");
        assert!(matches!(kind, PduKind::Response | PduKind::Report));
    });
});
