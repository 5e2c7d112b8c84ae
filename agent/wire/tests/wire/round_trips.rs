//! Everything that can be said comes back as it was said, in exactly as many octets as announced.

use crate::owned::{OwnedBinding, OwnedMessage, OwnedPdu, Security, octets};
use crate::strategies::{arcs, bindings, damage, message, number};
use proptest::collection::vec;
use proptest::prelude::*;
use s_wire::ber::{self, Full};
use s_wire::{
    Bindings, Budget, CommunityMessage, Encode, Flags, Header, Oid, Part, Pdu, PduKind, PduVersion,
    Reader, ScopedPdu, ScopedPduData, UsmParameters, V3Message, Value, VarBind, VarBindList,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn messages_come_back(message in message()) {
        let octets = message.encode();
        prop_assert_eq!(OwnedMessage::decode(&octets), Ok(message));
    }

    #[test]
    fn what_decodes_encodes_and_decodes_to_the_same(
        message in message(),
        damages in vec(damage(), 1..4),
    ) {
        let mut octets = message.encode();
        damages.iter().for_each(|damage| damage.apply(&mut octets));
        if let Ok(decoded) = OwnedMessage::decode(&octets) {
            let again = decoded.encode();
            prop_assert!(again.len() <= octets.len(), "what is written is in the shortest form");
            prop_assert_eq!(OwnedMessage::decode(&again), Ok(decoded));
        }
    }

    #[test]
    fn a_message_without_its_end_is_refused(message in message(), cut in any::<prop::sample::Index>()) {
        let octets = message.encode();
        prop_assert!(OwnedMessage::decode(&octets[..cut.index(octets.len())]).is_err());
    }

    #[test]
    fn an_error_is_inside_of_the_message(message in message(), damages in vec(damage(), 1..4)) {
        let mut octets = message.encode();
        damages.iter().for_each(|damage| damage.apply(&mut octets));
        if let Err(error) = OwnedMessage::decode(&octets) {
            prop_assert!(error.at <= octets.len());
        }
    }

    #[test]
    fn a_received_list_is_repeated_octet_by_octet(bindings in bindings(PduVersion::V2)) {
        let list = octets(&Bindings(bindings.iter().map(OwnedBinding::borrowed)));
        let read = VarBindList::read(&mut Reader::new(&list), PduVersion::V2).unwrap();
        prop_assert_eq!(read.len(), bindings.len());
        prop_assert_eq!(octets(&read), list);
    }

    #[test]
    fn a_budget_is_the_size_of_what_is_written(
        bindings in bindings(PduVersion::V2),
        context_engine_id in vec(any::<u8>(), 0..33),
        community in vec(any::<u8>(), 0..200),
        request_id: i32,
        limit in 0usize..3_000,
    ) {
        let frame = Pdu {
            kind: PduKind::Response,
            request_id,
            error_status: 0,
            error_index: 0,
            bindings: VarBindList::EMPTY,
        };
        let scope = |pdu| ScopedPdu { context_engine_id: &context_engine_id, context_name: b"", pdu };
        let wrap = |pdu| CommunityMessage {
            version: PduVersion::V2,
            community: community.as_slice().into(),
            pdu,
        };
        let frames = [frame.frame_len(), scope(()).frame_len(), wrap(()).frame_len()];
        let mut budget = Budget::new(limit, frames);
        let mut admitted = 0;
        while let Some(binding) = bindings.get(admitted) {
            if !budget.admit(binding.borrowed().encoded_len()) {
                break;
            }
            admitted += 1;
        }
        // No such message exists, but these are three levels with lengths of their own.
        let size = |count: usize| {
            let list = Bindings(bindings[..count].iter().map(OwnedBinding::borrowed));
            let pdu = frame.with_bindings(list);
            let scoped = ScopedPdu {
                context_engine_id: &context_engine_id,
                context_name: b"",
                pdu,
            };
            octets(&CommunityMessage {
                version: PduVersion::V2,
                community: community.as_slice().into(),
                pdu: scoped,
            })
            .len()
        };
        prop_assert_eq!(budget.len(), size(admitted));
        prop_assert_eq!(budget.fits(), size(admitted) <= limit);
        prop_assert!(admitted == bindings.len() || size(admitted + 1) > limit);
        if let Some(last) = admitted.checked_sub(1) {
            budget.take_back(bindings[last].borrowed().encoded_len());
            prop_assert_eq!(budget.len(), size(last));
        }
    }

    #[test]
    fn the_largest_pdu_that_a_limit_allows_fits_and_no_larger_one(
        community in vec(any::<u8>(), 0..300),
        limit in 484usize..2_000,
    ) {
        let message = |pdu: &[u8]| {
            CommunityMessage {
                version: PduVersion::V2,
                community: community.as_slice().into(),
                pdu: Part::from(pdu),
            }
            .encoded_len()
        };
        let frame = ber::element_len(community.len()) + ber::integer_len(1);
        let largest = ber::largest_contents(limit).unwrap() - frame;
        prop_assert!(message(&vec![0; largest]) <= limit);
        prop_assert!(message(&vec![0; largest + 1]) > limit);
    }

    #[test]
    fn the_authentication_code_stands_where_it_is_said(
        message in message(),
        code in vec(1u8.., 1..48),
        privacy in vec(any::<u8>(), 0..200),
        name in "[a-z]{0,32}",
        numbers in (number(), number()),
    ) {
        let data = message.encode();
        let message = V3Message {
            header: Header {
                msg_id: 7,
                max_size: 1472,
                flags: Flags(Flags::AUTHENTICATED | Flags::PRIVATE),
                security_model: 3,
            },
            security_parameters: UsmParameters {
                engine_id: &[0x80, 0, 0x1f, 0x88, 4],
                engine_boots: numbers.0 >> 1,
                engine_time: numbers.1 >> 1,
                user_name: name.as_bytes(),
                authentication: Part::from(code.as_slice()),
                privacy: &privacy,
            },
            data: ScopedPduData::<Part<'_>>::Encrypted(data.as_slice().into()),
        };
        let octets = octets(&message);
        let range = message.authentication_range(octets.len());
        prop_assert_eq!(&octets[range.clone()], &code);
        let read = V3Message::decode(&octets).unwrap();
        let usm = UsmParameters::decode(read.security_parameters).unwrap();
        prop_assert_eq!(usm.authentication.range(), range);
    }

    #[test]
    fn a_buffer_too_small_is_said_and_never_overrun(message in message(), short in 1usize..50) {
        if let OwnedMessage::Community { version, community, pdu } = &message {
            let message = CommunityMessage {
                version: *version,
                community: community.as_slice().into(),
                pdu,
            };
            let size = message.encoded_len().saturating_sub(short);
            let mut buffer = vec![0; size];
            prop_assert_eq!(message.encode_into(&mut buffer), Err(Full));
        }
    }

    #[test]
    fn names_as_octets_and_names_as_arcs_are_written_alike(arcs in arcs(), request_id: i32) {
        let from_arcs = OwnedPdu::Pdu {
            kind: PduKind::Get,
            request_id,
            error_status: 0,
            error_index: 0,
            bindings: vec![OwnedBinding { name: arcs.clone(), value: crate::owned::Datum::Oid(arcs) }],
        };
        let written = octets(&from_arcs);
        let s_wire::AnyPdu::Pdu(read) =
            s_wire::AnyPdu::decode(Reader::new(&written), PduVersion::V2).unwrap()
        else {
            panic!("a Get was written");
        };
        let binds: Vec<VarBind<'_>> = read.bindings.iter().collect();
        prop_assert_eq!(binds.len(), 1);
        prop_assert_eq!(binds[0].value, Value::Oid(binds[0].name));
        let again = octets(&read.with_bindings(binds.as_slice()));
        prop_assert_eq!(again, written);
    }
}

#[test]
fn padding_behind_a_decrypted_scoped_pdu_is_shorter_than_a_block() {
    let pdu = Pdu {
        kind: PduKind::Get,
        request_id: 1,
        error_status: 0,
        error_index: 0,
        bindings: VarBindList::EMPTY,
    };
    let scoped = ScopedPdu { context_engine_id: b"engine", context_name: b"", pdu };
    let mut plain = octets(&scoped);
    let len = plain.len();
    for padding in 0..20 {
        let read = ScopedPdu::decode_decrypted(Reader::new(&plain));
        assert_eq!(read.is_ok(), padding < 16, "{padding} octets of padding");
        assert_eq!(ScopedPdu::decode(Reader::new(&plain)).is_ok(), padding == 0);
        plain.push(0xa5);
    }
    assert_eq!(plain.len(), len + 20);
}

#[test]
fn security_parameters_of_another_model_are_left_alone() {
    let security = Security::Other(vec![1, 2, 3]);
    assert_eq!(security.octets(), [1, 2, 3]);
    assert!(Oid::new(&[]).is_err());
}
