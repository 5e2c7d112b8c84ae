//! The whole engine: a datagram in, at most one answer out.
//!
//! Promises checked: an answer is a message of the version that was asked in, a Response or a Report and
//! never anything that is answered itself; it is no larger than an unproven sender is given; and what is
//! refused moves at most one counter. SNMPv3 is asked of two engines, one for each codec that its messages may be
//! read with, and both answer or neither does.
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

/// An engine, the thread that asks it, and how often it was asked.
struct Asked {
    agent: Agent,
    thread: Thread,
    number: u32,
}

impl Asked {
    fn new() -> Self {
        // SETs go all the way and are taken back, so that an input does not depend on those before it.
        let agent = Agent::with(Limits::default(), Fence::Everywhere, false);
        // It would sleep as long as an input says.
        agent.swap("mib.slow", None);
        agent.look();
        let thread = agent.thread();
        Asked { agent, thread, number: 0 }
    }

    /// The answer, and how many counters moved.
    fn ask(&mut self, octets: &[u8]) -> (Option<Vec<u8>>, u32) {
        self.number += 1;
        let counters = self.agent.engine.facts().counters();
        let before = counters.all();
        let answer = self.thread.ask(&source(self.number), octets).map(<[u8]>::to_vec);
        let moved = Counter::ALL
            .iter()
            .zip(before.iter().zip(counters.all()))
            .filter(|(counter, _)| **counter != Counter::InPackets)
            .map(|(_, (before, after))| after.wrapping_sub(*before))
            .sum();
        (answer, moved)
    }
}

thread_local! {
    static FAST: RefCell<Asked> = RefCell::new(Asked::new());
    static GENERAL: RefCell<Asked> = RefCell::new({
        let asked = Asked::new();
        asked.agent.swap("message.v3", Some(&message_v3_rasn::S_MODULE));
        asked.agent.look();
        asked
    });
}

fuzz_target!(|octets: &[u8]| {
    let (answer, moved) = FAST.with_borrow_mut(|asked| asked.ask(octets));
    judge(octets, answer.as_deref(), moved);
    if Version::peek(octets) == Ok(Version::V3) {
        let (other, moved) = GENERAL.with_borrow_mut(|asked| asked.ask(octets));
        judge(octets, other.as_deref(), moved);
        assert_eq!(answer.is_some(), other.is_some(), "the codecs differ");
    }
});

fn judge(octets: &[u8], answer: Option<&[u8]>, moved: u32) {
    assert!(moved <= 1, "{moved} counters moved");
    let Some(answer) = answer else { return };
    let message = Message::decode(answer).expect("an answer is a message");
    let is_proven =
        matches!(message, Message::V3(message) if message.header.flags.is_authenticated());
    assert!(is_proven || answer.len() <= octets.len().max(1472), "{} octets", answer.len());
    assert_eq!(Version::peek(answer).ok(), Version::peek(octets).ok());
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
}
