//! Nothing on the way of a request allocates: from the octets that came to the octets that go.
//!
//! The crate has no allocator to call (`no_std`, without `alloc`); this counts what its callers see.

use crate::owned::{OwnedMessage, octets};
use allocation_counter::measure;
use s_wire::oid::MAX_ARCS;
use s_wire::{
    AnyPdu, Arcs, Bindings, Budget, CommunityMessage, Encode, Part, Pdu, PduKind, PduVersion,
    ScopedPdu, ScopedPduData, UsmParameters, V3Message, Value, VarBind, VarBindList,
};

const NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 4_294_967_295];

/// The answer to a request, written into the end of a buffer.
fn answer<'b>(request: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let message = CommunityMessage::decode(request).unwrap();
    let AnyPdu::Pdu(pdu) = message.decode_pdu().unwrap() else { panic!("no trap") };
    let mut arcs = [0; MAX_ARCS];
    let mut budget = Budget::new(1472, [pdu.frame_len(), message.frame_len()]);
    for bind in pdu.bindings {
        assert!(bind.name.decode(&mut arcs).len() > 2);
        let answered = VarBind { name: bind.name, value: Value::Counter32(7) };
        assert!(budget.admit(answered.encoded_len()));
    }
    let name = Arcs::new(NAME).unwrap();
    let answers = std::iter::repeat_n(VarBind { name, value: Value::Counter64(u64::MAX) }, 10);
    let response = Pdu { kind: PduKind::Response, ..pdu }.with_bindings(Bindings(answers));
    let message =
        CommunityMessage { version: message.version, community: message.community, pdu: response };
    message.encode_into(buffer).unwrap()
}

/// The same in SNMPv3, whose scopedPDU is in plain.
fn answer_v3<'b>(request: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let message = V3Message::decode(request).unwrap();
    message.check().unwrap();
    let usm = UsmParameters::decode(message.security_parameters).unwrap();
    let ScopedPduData::Plain(scoped) = message.data else { panic!("in plain") };
    let scoped = ScopedPdu::decode(scoped.reader()).unwrap();
    let AnyPdu::Pdu(pdu) = scoped.decode_pdu().unwrap() else { panic!("no trap") };
    let response = V3Message {
        header: message.header,
        security_parameters: usm,
        data: ScopedPduData::Plain(ScopedPdu {
            context_engine_id: scoped.context_engine_id,
            context_name: scoped.context_name,
            pdu: Pdu { kind: PduKind::Response, ..pdu },
        }),
    };
    let len = response.encode_into(buffer).unwrap().len();
    assert_eq!(response.authentication_range(len).len(), usm.authentication.octets.len());
    let at = buffer.len() - len;
    &buffer[at..]
}

#[test]
fn a_request_is_read_and_answered_without_an_allocation() {
    let name = Arcs::new(NAME).unwrap();
    let get = Pdu {
        kind: PduKind::Get,
        request_id: 70_000,
        error_status: 0,
        error_index: 0,
        bindings: Bindings(std::iter::repeat_n(VarBind { name, value: Value::Null }, 10)),
    };
    let community = Part::from(&b"public"[..]);
    let v2c = octets(&CommunityMessage { version: PduVersion::V2, community, pdu: get.clone() });
    let v3 = octets(&V3Message {
        header: s_wire::Header {
            msg_id: 1,
            max_size: 1472,
            flags: s_wire::Flags(s_wire::Flags::AUTHENTICATED),
            security_model: 3,
        },
        security_parameters: UsmParameters {
            engine_id: b"engine",
            engine_boots: 1,
            engine_time: 1,
            user_name: b"user",
            authentication: Part::from(&[0; 24][..]),
            privacy: &[],
        },
        data: ScopedPduData::Plain(ScopedPdu {
            context_engine_id: b"engine",
            context_name: b"",
            pdu: get,
        }),
    });
    let mut buffer = [0; 1472];
    let mut broken = v2c.clone();
    broken.truncate(40);

    let counted = measure(|| {
        assert!(!answer(&v2c, &mut buffer).is_empty());
        assert!(!answer_v3(&v3, &mut buffer).is_empty());
        assert!(CommunityMessage::decode(&broken).is_err());
        assert_eq!(VarBindList::EMPTY.iter().count(), 0);
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    // The counter counts: a message that owns what it holds allocates.
    assert!(measure(|| drop(OwnedMessage::decode(&v2c))).count_total > 0);
}
