//! Both modules behind proxies, with the component that they call: the contract suite, and what each
//! version makes of the other's messages.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::{host, serve};
use proptest::prelude::*;
use roles::community::MAX_COMMUNITY;
use roles::contract::message::{Peer, suite};
use roles::engine::Engine;
use roles::error::Counter;
use roles::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, MessageProcessing,
    MessageProcessingProxy, PduClass, StateReference,
};
use roles::privacy::EngineTime;
use roles::settings::{Community, CommunitySettings, Settings, SettingsProxy, Source, write};
use roles::varbind::{self, SecurityLevel, VarBinds};
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, s_module};
use s_wire::{CommunityMessage, Encode, Part, Pdu, PduKind, PduVersion, Reader, VarBindList};

const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const HERE: &[u8] = &[10, 0, 0, 1, 0, 161];
const THERE: &[u8] = &[192, 0, 2, 1, 0, 161];
const MAX_MESSAGE_SIZE: u32 = 1472;
const REQUEST_ID: i32 = 0x1234_5678;

/// An engine that knows how large its messages are, and no more.
struct SizedEngine;

#[s_module(component = "engine", version = "1.0.0")]
impl Engine for SizedEngine {
    fn engine_id(&self, _: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(b"\x80\0\0\0\x05engine")?)
    }
    fn clock(&self, _: &Activity) -> Result<EngineTime, CallError> {
        Ok(EngineTime { boots: 1, time_seconds: 1 })
    }
    fn max_message_size(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(MAX_MESSAGE_SIZE)
    }
    fn up_time(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(1)
    }
    fn counters(&self, _: &Activity, _: &mut List<u32>) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_entries(
        &self,
        _: &Activity,
        _: &mut VarBinds,
        _: &mut List<u32>,
    ) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_last_change(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(0)
    }
}

impl Module for SizedEngine {
    fn init(_: Host) -> Result<Self, Refusal> {
        Ok(SizedEngine)
    }
}

/// One of the two modules.
#[derive(Clone, Copy)]
struct Served {
    runtime: &'static Runtime,
    message: MessageProcessingProxy,
    version: PduVersion,
}

fn both() -> [Served; 2] {
    let (runtime, control) = host();
    serve(&control, "engine", &S_MODULE);
    serve(&control, "security.community", &security_community::S_MODULE);
    serve(&control, "message.v1", &message_v1::S_MODULE);
    serve(&control, "message.v2c", &message_v2c::S_MODULE);
    let community = |index: &str, community: &[u8], sources| Community {
        index: index.to_owned(),
        community: community.to_vec(),
        security_name: index.to_owned(),
        context_name: b"bridge".to_vec(),
        sources,
    };
    let settings = CommunitySettings {
        communities: vec![
            community("reader", b"public", vec![]),
            community(
                "neighbour",
                b"\xff\0 secret",
                vec![Source { address: vec![10, 0, 0, 0], prefix: 8 }],
            ),
            community("short", &[b's'; 32], vec![]),
            community("longer", &[b'l'; 33], vec![]),
            community("longest", &[b'L'; MAX_COMMUNITY], vec![]),
        ],
    };
    let table: SettingsProxy = runtime.proxy("security.community").unwrap();
    let mut worker = runtime.worker();
    assert_eq!(table.apply(&worker.activity(), &write(&settings), &mut Buf::new()), Ok(0));
    let served = |name, version| Served { runtime, message: runtime.proxy(name).unwrap(), version };
    [served("message.v1", PduVersion::V1), served("message.v2c", PduVersion::V2)]
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut room = vec![0; value.encoded_len()];
    let mut writer = s_wire::Writer::new(&mut room);
    value.encode(&mut writer).unwrap();
    writer.finish().to_vec()
}

fn pdu(kind: PduKind, request_id: i32) -> Vec<u8> {
    encoded(&Pdu {
        kind,
        request_id,
        error_status: 0,
        error_index: 0,
        bindings: VarBindList::EMPTY,
    })
}

fn enclosed(version: PduVersion, community: &[u8], pdu: &[u8]) -> Vec<u8> {
    encoded(&CommunityMessage { version, community: Part::from(community), pdu: Part::from(pdu) })
}

fn elements(name: &str, pdu: &[u8]) -> DataElements {
    DataElements {
        security_name: name.as_bytes().to_vec().into(),
        context_engine_id: Buf::new(),
        context_name: b"bridge".to_vec().into(),
        pdu: pdu.to_vec().into(),
    }
}

impl Served {
    fn header(&self, class: PduClass, send_pdu_handle: u32) -> MessageHeader {
        let (model, pdu_version) = match self.version {
            PduVersion::V1 => (0, varbind::PduVersion::V1),
            PduVersion::V2 => (1, varbind::PduVersion::V2),
        };
        MessageHeader {
            message_model: model,
            security_model: model + 1,
            security_level: SecurityLevel::NoAuthNoPriv,
            pdu_version,
            class,
            send_pdu_handle,
        }
    }

    fn take(
        &self,
        act: &Activity,
        from: &[u8],
        message: &[u8],
    ) -> Result<(Incoming, DataElements), MessageError> {
        let mut elements = DataElements::default();
        let incoming =
            self.message.prepare_data_elements(act, UDP, from, message, &mut elements)?;
        Ok((incoming, elements))
    }

    fn refusal(&self, from: &[u8], message: &[u8]) -> MessageError {
        let mut worker = self.runtime.worker();
        self.take(&worker.activity(), from, message).map(|_| ()).unwrap_err()
    }

    fn respond(
        &self,
        act: &Activity,
        incoming: Incoming,
        pdu: &[u8],
    ) -> Result<Vec<u8>, MessageError> {
        let header = MessageHeader { class: PduClass::Response, ..incoming.header };
        let mut message = Buf::new();
        let elements = elements("anybody", pdu);
        let state = incoming.state;
        self.message.prepare_response_message(act, header, &elements, state, &mut message)?;
        Ok(message.to_vec())
    }

    fn send(&self, header: MessageHeader, pdu: &[u8]) -> Result<Vec<u8>, MessageError> {
        let (mut worker, mut message) = (self.runtime.worker(), Buf::new());
        let (act, elements) = (worker.activity(), elements("reader", pdu));
        self.message.prepare_outgoing_message(&act, UDP, THERE, header, &elements, &mut message)?;
        Ok(message.to_vec())
    }
}

#[test]
fn both_modules_keep_their_contract() {
    for served in both() {
        let mut worker = served.runtime.worker();
        let get = pdu(PduKind::Get, REQUEST_ID);
        let request = enclosed(served.version, b"public", &get);
        let ended = served.take(&worker.activity(), HERE, &request).unwrap().0.state;
        let (response, sent) = (pdu(PduKind::Response, REQUEST_ID), elements("reader", &get));
        let expected = elements("reader", &get);
        let peer = Peer {
            domain: UDP,
            address: HERE,
            request: &request,
            elements: &expected,
            response: &response,
            outgoing: Some((served.header(PduClass::Confirmed, 0x1234_5678), &sent)),
            ended,
        };
        suite(&served.message, &peer, &mut |check| check(&worker.activity())).unwrap();
    }
}

#[test]
fn the_answer_goes_out_under_the_octets_of_the_requests_community() {
    for served in both() {
        let mut worker = served.runtime.worker();
        let communities =
            [&b"public"[..], b"\xff\0 secret", &[b's'; 32], &[b'l'; 33], &[b'L'; MAX_COMMUNITY]];
        for community in communities {
            let act = worker.activity();
            let request = enclosed(served.version, community, &pdu(PduKind::Get, REQUEST_ID));
            let (incoming, _) = served.take(&act, HERE, &request).unwrap();
            let response = pdu(PduKind::Response, REQUEST_ID);
            let answer = served.respond(&act, incoming, &response).unwrap();
            assert_eq!(answer, enclosed(served.version, community, &response));
        }
    }
}

#[test]
fn a_response_fits_to_the_octet() {
    for served in both() {
        let mut worker = served.runtime.worker();
        for community in [&b"public"[..], &[b'L'; MAX_COMMUNITY]] {
            let act = worker.activity();
            let request = enclosed(served.version, community, &pdu(PduKind::Get, 1));
            let (incoming, _) = served.take(&act, HERE, &request).unwrap();
            // A PDU of which only the beginning is looked at, filled up to its size.
            let sized = |len: usize| {
                let contents = u16::try_from(len - 4).unwrap().to_be_bytes();
                let mut pdu = [&[0xa2, 0x82], &contents[..], &[2, 1, 1]].concat();
                pdu.resize(len, 0);
                pdu
            };
            let limit = incoming.max_response_size as usize;
            let answer = served.respond(&act, incoming, &sized(limit)).unwrap();
            assert_eq!(answer.len(), MAX_MESSAGE_SIZE as usize);
            let refused = served.respond(&act, incoming, &sized(limit + 1)).unwrap_err();
            let too_big = MessageError::detailed(MessageErrorKind::TooBig, MAX_MESSAGE_SIZE + 1);
            assert_eq!(refused, too_big);
        }
    }
}

#[test]
fn every_pdu_is_of_its_version_and_class() {
    use PduClass::{Confirmed, Response, Unconfirmed};
    let [v1, v2c] = both();
    for (kind, in_v1, in_v2c) in [
        (PduKind::Get, Some(Confirmed), Some(Confirmed)),
        (PduKind::GetNext, Some(Confirmed), Some(Confirmed)),
        (PduKind::Set, Some(Confirmed), Some(Confirmed)),
        (PduKind::Response, Some(Response), Some(Response)),
        (PduKind::TrapV1, Some(Unconfirmed), None),
        (PduKind::GetBulk, None, Some(Confirmed)),
        (PduKind::Inform, None, Some(Confirmed)),
        (PduKind::TrapV2, None, Some(Unconfirmed)),
        (PduKind::Report, None, Some(Response)),
    ] {
        for (served, class) in [(v1, in_v1), (v2c, in_v2c)] {
            let message = enclosed(served.version, b"public", &pdu(kind, REQUEST_ID));
            let Some(class) = class else {
                let refusal = served.refusal(HERE, &message);
                assert_eq!(refusal, MessageErrorKind::ParseError.into(), "{kind:?}");
                assert_eq!(refusal.counter(), Some(Counter::AsnParseErrs));
                continue;
            };
            let mut worker = served.runtime.worker();
            let (incoming, _) = served.take(&worker.activity(), HERE, &message).unwrap();
            let handle = if class == Response { 0x1234_5678 } else { 0 };
            assert_eq!(incoming.header, served.header(class, handle), "{kind:?}");
            assert_eq!(incoming.state.is_some(), class == Confirmed, "{kind:?}");
        }
    }
}

#[test]
fn each_refuses_the_other_versions() {
    let [v1, v2c] = both();
    let get = pdu(PduKind::Get, REQUEST_ID);
    let numbered = |version: u8| {
        let mut numbered = enclosed(PduVersion::V1, b"public", &get);
        numbered[4] = version;
        numbered
    };
    for (served, versions) in [(v1, [1, 2, 3, 0x7f]), (v2c, [0, 2, 3, 0x80])] {
        for version in versions {
            let refusal = served.refusal(HERE, &numbered(version));
            assert_eq!(refusal, MessageErrorKind::BadVersion.into(), "{version}");
            assert_eq!(refusal.counter(), Some(Counter::BadVersions));
        }
    }
}

#[test]
fn a_community_that_is_not_admitted_moves_its_counter_and_has_no_reference() {
    for served in both() {
        let get = pdu(PduKind::Get, REQUEST_ID);
        for (community, from) in [(&b"Public"[..], HERE), (b"\xff\0 secret", THERE), (b"", HERE)] {
            // Whatever the PDU is, the community comes first.
            for pdu in [&get[..], b"\x30\x00", b"\xa9\x01\x00"] {
                let refusal = served.refusal(from, &enclosed(served.version, community, pdu));
                assert_eq!(refusal.kind, MessageErrorKind::Security);
                assert_eq!(refusal.counter(), Some(Counter::BadCommunityNames));
                assert!(!refusal.state.is_some());
            }
        }
    }
}

#[test]
fn a_response_answers_its_request_and_no_other() {
    let [v1, v2c] = both();
    for (served, other) in [(v1, v2c), (v2c, v1)] {
        let mut worker = served.runtime.worker();
        let act = worker.activity();
        let request = enclosed(served.version, b"public", &pdu(PduKind::Get, REQUEST_ID));
        let (incoming, _) = served.take(&act, HERE, &request).unwrap();
        let response = pdu(PduKind::Response, REQUEST_ID);
        let invalid = Err(MessageErrorKind::InvalidMessage.into());
        for pdu in [&pdu(PduKind::Response, 1)[..], &pdu(PduKind::Get, REQUEST_ID), b"", b"\xa2\0"]
        {
            assert_eq!(served.respond(&act, incoming, pdu), invalid);
        }
        for header in [
            MessageHeader { security_model: 3, ..incoming.header },
            MessageHeader { message_model: 3, ..incoming.header },
            MessageHeader { security_level: SecurityLevel::AuthNoPriv, ..incoming.header },
        ] {
            assert_eq!(served.respond(&act, Incoming { header, ..incoming }, &response), invalid);
        }
        // The other module is asked under this one's reference.
        let header = other.header(PduClass::Response, 0);
        let stale = Err(MessageErrorKind::StaleReference.into());
        assert_eq!(other.respond(&act, Incoming { header, ..incoming }, &response), stale);
        assert!(served.respond(&act, incoming, &response).is_ok());
    }
}

#[test]
fn what_is_sent_is_awaited_under_its_request_id() {
    for served in both() {
        let get = pdu(PduKind::Get, REQUEST_ID);
        let invalid = Err(MessageErrorKind::InvalidMessage.into());
        let confirmed = |handle| served.header(PduClass::Confirmed, handle);
        let sent = served.send(confirmed(0x1234_5678), &get);
        assert_eq!(sent, Ok(enclosed(served.version, b"public", &get)));
        assert_eq!(served.send(confirmed(1), &get), invalid);
        assert_eq!(served.send(confirmed(0), &pdu(PduKind::Get, 0)), invalid);
        assert_eq!(served.send(served.header(PduClass::Unconfirmed, 0), &get), invalid);
        let response = pdu(PduKind::Response, REQUEST_ID);
        assert_eq!(served.send(served.header(PduClass::Response, 0), &response), invalid);

        // A response under the number that nothing is awaited under.
        let nameless = enclosed(served.version, b"public", &pdu(PduKind::Response, 0));
        assert_eq!(served.refusal(HERE, &nameless), MessageErrorKind::UnknownResponse.into());

        let mut worker = served.runtime.worker();
        let stranger = elements("stranger", &get);
        let refused = served.message.prepare_outgoing_message(
            &worker.activity(),
            UDP,
            THERE,
            confirmed(0x1234_5678),
            &stranger,
            &mut Buf::new(),
        );
        assert_eq!(refused.map_err(|error| error.kind), Err(MessageErrorKind::Security));

        let large = [&[0xa0, 0x82, 0x06, 0x00, 2, 1, 1][..], &[0; 0x5fd]].concat();
        let refused = served.send(confirmed(1), &large).map_err(|error| error.kind);
        assert_eq!(refused, Err(MessageErrorKind::TooBig));
    }
}

#[test]
fn a_request_and_its_answer_allocate_nothing() {
    for served in both() {
        let request = enclosed(served.version, &[b'l'; 33], &pdu(PduKind::Get, REQUEST_ID));
        let response = elements("", &pdu(PduKind::Response, REQUEST_ID));
        let (mut taken, mut out) = (DataElements::default(), Buf::new());
        let mut worker = served.runtime.worker();
        let mut turn = || {
            taken.clear();
            out.clear();
            let act = worker.activity();
            let proxy = &served.message;
            let incoming =
                proxy.prepare_data_elements(&act, UDP, HERE, &request, &mut taken).unwrap();
            let header = MessageHeader { class: PduClass::Response, ..incoming.header };
            proxy
                .prepare_response_message(&act, header, &response, incoming.state, &mut out)
                .unwrap();
        };
        turn();
        assert_eq!(allocation_counter::measure(turn).count_total, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_octets_are_a_message_or_refused(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 40),
    ) {
        for served in both() {
            let mut worker = served.runtime.worker();
            let whole = enclosed(served.version, b"public", &pdu(PduKind::Get, REQUEST_ID));
            let altered = flips.iter().map(|(at, octet)| {
                let mut altered = whole.clone();
                let at = at.index(altered.len());
                altered[at] = *octet;
                altered
            });
            for octets in messages.iter().cloned().chain(altered) {
                let act = worker.activity();
                if let Ok((incoming, taken)) = served.take(&act, HERE, &octets) {
                    // What is accepted decodes, and its PDU is the message's.
                    let decoded = CommunityMessage::decode(&octets).unwrap();
                    prop_assert_eq!(&taken.pdu[..], decoded.pdu.octets);
                    let peeked = s_wire::pdu::peek(Reader::new(&taken.pdu), served.version);
                    prop_assert!(peeked.is_ok());
                    prop_assert!(incoming.state != StateReference::none() || incoming.header.class != PduClass::Confirmed);
                }
            }
        }
    }
}

/// A module, but for one thing.
struct Wrong {
    served: Served,
    sentence: u32,
}

impl MessageProcessing for Wrong {
    fn prepare_data_elements(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError> {
        // What stands behind the message is overlooked.
        let len = usize::from(message.get(1).copied().unwrap_or(0)) + 2;
        let message = match self.sentence {
            1 => message.get(..len).unwrap_or(message),
            _ => message,
        };
        let (domain, address, proxy) = (transport_domain, transport_address, self.served.message);
        let incoming = proxy.prepare_data_elements(act, domain, address, message, elements)?;
        Ok(match self.sentence {
            2 => Incoming { state: StateReference::none(), ..incoming },
            _ => incoming,
        })
    }

    fn prepare_response_message(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        match self.served.message.prepare_response_message(act, header, elements, state, message) {
            Err(error) if self.sentence == 4 && error.kind == MessageErrorKind::StaleReference => {
                Err(MessageErrorKind::InvalidMessage.into())
            }
            Err(error) if self.sentence == 5 && error.kind == MessageErrorKind::TooBig => Ok(()),
            answer => answer,
        }
    }

    fn prepare_outgoing_message(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        header: MessageHeader,
        elements: &DataElements,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let (domain, address, proxy) = (transport_domain, transport_address, self.served.message);
        proxy.prepare_outgoing_message(act, domain, address, header, elements, message)?;
        if self.sentence == 6 {
            // Under a community that stands for somebody else.
            let other = enclosed(self.served.version, &[b's'; 32], &elements.pdu);
            message.clear();
            message.append(&other)?;
        }
        Ok(())
    }
}

#[test]
fn the_suite_names_the_sentence_that_is_broken() {
    let [_, served] = both();
    for sentence in [1, 2, 4, 5, 6] {
        let mut worker = served.runtime.worker();
        let get = pdu(PduKind::Get, REQUEST_ID);
        let expected = elements("reader", &get);
        let peer = Peer {
            domain: UDP,
            address: HERE,
            request: &enclosed(served.version, b"public", &get),
            elements: &expected,
            response: &pdu(PduKind::Response, REQUEST_ID),
            outgoing: Some((served.header(PduClass::Confirmed, 0x1234_5678), &expected)),
            ended: StateReference::none(),
        };
        let wrong = Wrong { served, sentence };
        let broken = suite(&wrong, &peer, &mut |step| step(&worker.activity())).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{broken}");
    }
}
