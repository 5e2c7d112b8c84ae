//! Messages that begin a conversation: traps, informs and the discovery before them (RFC 3414 §3.1).

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::message::{DataElements, MessageError, MessageProcessing, PduClass};
use roles::mib::MibAccessProxy;
use roles::security::SecurityErrorKind;
use roles::varbind::SecurityLevel;
use s_sdk::{Activity, Buf};
use s_wire::{Flags, Header, PduKind, ScopedPduData, UsmParameters, V3Message, Value};
use security_usm::outgoing::MOST_DERIVED;
use world::{ADDRESS, OWN, UDP, USERS, World, header, octets, pdu, user};

/// A message to an address that tells of something, as alice; without a name a discovery.
fn begin(
    world: &World,
    act: &Activity,
    class: PduClass,
    address: &[u8],
    name: &[u8],
) -> Result<Vec<u8>, MessageError> {
    let level = if name.is_empty() { SecurityLevel::NoAuthNoPriv } else { SecurityLevel::AuthPriv };
    let mut header = header(level);
    (header.class, header.send_pdu_handle) = (class, 1);
    let elements = DataElements {
        security_name: name.to_vec().into(),
        context_engine_id: OWN.to_vec().into(),
        context_name: Buf::new(),
        pdu: pdu(PduKind::Inform, 1, &[1, 3, 6, 1], Value::Integer(1)).into(),
    };
    let mut message = Buf::new();
    let made =
        world.message.prepare_outgoing_message(act, UDP, address, header, &elements, &mut message);
    made.map(|()| message.to_vec())
}

#[test]
fn a_sender_waits_for_the_module_of_his_protocol_and_no_longer() {
    let world = World::with(&[("engine", &world::S_MODULE), ("priv.des", &priv_des::S_MODULE)]);
    assert_eq!(world.apply(&USERS.map(user)), "");
    let mut worker = world.runtime.worker();
    let mut trap = || {
        let act = worker.activity();
        let made = begin(&world, &act, PduClass::Unconfirmed, ADDRESS, b"alice");
        made.map(|_| ()).map_err(|error| error.security_kind().unwrap())
    };
    let unsupported = Err(SecurityErrorKind::UnsupportedSecurityLevel);
    assert_eq!(trap(), unsupported);
    world::serve(&world.control, "auth.sha2", &auth_hmac_sha2::S_MODULE);
    assert_eq!(trap(), unsupported, "his privacy protocol is still missing");
    world::serve(&world.control, "priv.aes", &priv_aes::S_MODULE);
    assert_eq!(trap(), Ok(()));
}

/// The Report with which an engine answers a discovery.
fn introduction(discovery: &[u8], engine_id: &[u8]) -> Vec<u8> {
    let asked = V3Message::decode(discovery).unwrap().header;
    let unknown = [1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
    let report = pdu(PduKind::Report, 1, &unknown, Value::Counter32(1));
    let scoped = octets(&s_wire::ScopedPdu {
        context_engine_id: engine_id,
        context_name: b"",
        pdu: s_wire::Part::from(&report[..]),
    });
    octets(&V3Message {
        header: Header { flags: Flags(0), ..asked },
        security_parameters: UsmParameters {
            engine_id,
            engine_boots: 1,
            engine_time: 1,
            user_name: b"",
            authentication: s_wire::Part::from(&[][..]),
            privacy: &[],
        },
        data: ScopedPduData::Plain(s_wire::Part::from(&scoped[..])),
    })
}

/// How many users there are: usmUserStatus has one instance for each.
fn users(world: &World, act: &Activity) -> usize {
    let mib: MibAccessProxy = world.runtime.proxy("security.usm").unwrap();
    let status = [1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1, 13];
    roles::contract::mib::walk(&mib, act, &status).unwrap().len()
}

#[test]
fn whoever_answers_discoveries_under_ever_new_names_makes_the_table_no_longer() {
    let world = World::new();
    let mut worker = world.runtime.worker();
    let before = users(&world, &worker.activity());
    let mut meet = |number: u16| {
        let act = worker.activity();
        let engine_id = [OWN, &number.to_be_bytes()].concat();
        let address = [&number.to_be_bytes()[..], &[0, 1, 0, 162]].concat();
        let class = PduClass::Confirmed;
        let discovery = begin(&world, &act, class, &address, b"").unwrap();
        let answer = introduction(&discovery, &engine_id);
        let mut elements = DataElements::default();
        world.message.prepare_data_elements(&act, UDP, &address, &answer, &mut elements).unwrap();
        begin(&world, &act, class, &address, b"alice").unwrap();
        users(&world, &act)
    };
    let most = u16::try_from(MOST_DERIVED).unwrap();
    for number in 0..most {
        let _ = meet(number);
    }
    assert_eq!(meet(most), before + MOST_DERIVED);
    // Who made room is told again as if nothing had been.
    assert_eq!(meet(0), before + MOST_DERIVED);
}
