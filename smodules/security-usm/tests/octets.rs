//! Octets that another program made, from the RFCs alone: BER by hand, hashlib's HMAC-SHA-256, OpenSSL's AES.
//!
//! The user is alice with SHA-256 and AES-128, the engine the one of `world`, at 7 boots and 1000 seconds.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use s_wire::{PduKind, Value};
use world::{World, pdu};

/// A GET of sysDescr.0 by alice, authNoPriv.
const GET: &str = "307a0201033010020401234567020205c004010502010304383036040a80001f88046167656e740201070202\
    03e80405616c6963650418c41c31ca43de0d65a568ca18f5a5b1c0eaaa650c0f25d40204003029040a80001f\
    88046167656e740400a01902014d020100020100300e300c06082b060102010101000500";

/// What the agent has to answer.
const RESPONSE: &str = "3081830201033011020401234567020300ffe304010102010304383036040a80001f88046167656e74020107\
    020203e80405616c69636504185552f180a91eb6fb201ce2e40e72f22fa0041b114a7f0a4d04003031040a80\
    001f88046167656e740400a22102014d0201000201003016301406082b060102010101000408616e20616765\
    6e74";

/// The same GET, authPriv, with the salt 0011223344556677.
const PRIVATE_GET: &str = "3081840201033010020401234567020205c00401070201030440303e040a80001f88046167656e7402010702\
    0203e80405616c69636504187e3ad691dea5fead96e6eca4c5645c5bf4a166f7237b291b0408001122334455\
    6677042b9f30c7b4138da6abc98f6a4077b72c1ef80c31107898d24077eea31cb96d7edd3a184ef096f15969\
    3340fa";

/// The same by a manager that does not know the clock yet.
const LATE_GET: &str = "3081830201033010020401234567020205c0040107020103043f303d040a80001f88046167656e7402010002\
    01000405616c69636504183f2d9a1c62601945d30d44c45175ff17fc45b4cf38890de7040800112233445566\
    77042bc2a836ec7e20322576361b5e4e2ed6775afe646bca8a1329b115f40b976ec5285a8bbe11af978cbf4e\
    2e98";

/// What tells it the clock: usmStatsNotInTimeWindows.
const CLOCK_REPORT: &str = "307e0201033011020401234567020300ffe304010102010304383036040a80001f88046167656e7402010702\
    0203e80405616c69636504189028f987f28f896ca20b72f4ed4261aaaaa50c28c9636c8c0400302c040a8000\
    1f88046167656e740400a81c0201000201000201003011300f060a2b060106030f01010200410101";

/// A discovery.
const DISCOVERY: &str = "303b0201033011020401234567020300ffe30401040201030410300e04000201000201000400040004003011\
    04000400a00b02014d0201000201003000";

/// What answers it: usmStatsUnknownEngineIDs.
const DISCOVERY_REPORT: &str = "30610201033011020401234567020300ffe3040100020103041b3019040a80001f88046167656e7402010702\
    0203e8040004000400302c040a80001f88046167656e740400a81c02014d0201000201003011300f060a2b06\
    0106030f01010400410101";

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn a_get_is_answered_with_exactly_these_octets() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let (incoming, elements) = world.take(&act, &octets(GET)).unwrap();
    let response =
        pdu(PduKind::Response, 77, &[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::Octets(b"an agent"));
    let answer = world.answer(&act, &incoming, &elements, response).unwrap();
    assert_eq!(answer, octets(RESPONSE));
}

#[test]
fn an_encrypted_get_is_the_same_get() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let (_, plain) = world.take(&act, &octets(GET)).unwrap();
    let (_, private) = world.take(&act, &octets(PRIVATE_GET)).unwrap();
    assert_eq!(private.pdu[..], plain.pdu[..]);
    assert_eq!(private.context_engine_id[..], plain.context_engine_id[..]);
}

#[test]
fn discovery_and_synchronisation_are_answered_with_exactly_these_octets() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    for (request, report) in [(DISCOVERY, DISCOVERY_REPORT), (LATE_GET, CLOCK_REPORT)] {
        let act = worker.activity();
        let error = world.take(&act, &octets(request)).map(|_| ()).unwrap_err();
        assert_eq!(world.report(&act, &error).unwrap(), octets(report));
    }
}
