//! RFC 3413 §3.3, step by step: who is told, of what, in which messages, and what becomes of answers.

use crate::world::{Sent, THERE, World, alice, communities, octets, target};
use roles::message::{DataElements, MessageHeader, MessageProcessing as _, PduClass};
use roles::notify::{MAX_BINDINGS, Notifier as _, Statistics, UDP_DOMAIN, standard};
use roles::settings::{CommunitySettings, KeyForm, NotifyFilter, NotifyTarget, User, UsmSettings};
use roles::varbind::{PduVersion, Span, VarBinds, VarValue};
use s_sdk::Buf;
use s_wire::{AnyPdu, CommunityMessage, Pdu, PduKind, PduVersion as WireVersion, Reader, Version};

/// ifIndex.2 of linkDown.
const IF_INDEX: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 2];

fn bindings(list: &[(&[u32], VarValue<'_>)]) -> VarBinds {
    let mut binds = VarBinds::new();
    list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
    binds
}

pub(crate) fn tell(
    world: &World,
    notification: &[u32],
    list: &[(&[u32], VarValue<'_>)],
) -> Vec<Sent> {
    world.act(|act| world.notifier().notify(act, notification, b"", &bindings(list))).unwrap();
    world.deliver()
}

fn link_down(world: &World) -> Vec<Sent> {
    tell(world, standard::LINK_DOWN, &[(IF_INDEX, VarValue::Integer(2))])
}

/// The community and the PDU of a message of version 1 or 2c.
pub(crate) fn taken_apart(sent: &Sent) -> (Vec<u8>, AnyPdu<'_>) {
    assert_eq!((&sent.domain[..], &sent.address[..]), (UDP_DOMAIN, THERE));
    let message = CommunityMessage::decode(&sent.message).unwrap();
    let pdu = AnyPdu::decode(message.pdu.reader(), message.version).unwrap();
    (message.community.octets.to_vec(), pdu)
}

/// The acknowledgement of an inform of version 2c.
pub(crate) fn acknowledged(sent: &Sent) -> Vec<u8> {
    let (community, pdu) = taken_apart(sent);
    let AnyPdu::Pdu(pdu) = pdu else { panic!("{pdu:?}") };
    assert_eq!(pdu.kind, PduKind::Inform);
    let response = octets(&Pdu { kind: PduKind::Response, ..pdu });
    let contents =
        [&[2, 1, 1, 4, u8::try_from(community.len()).unwrap()][..], &community, &response].concat();
    [&[0x30, u8::try_from(contents.len()).unwrap()], &contents[..]].concat()
}

#[test]
fn nobody_is_told_where_nobody_asked() {
    let world = World::new();
    assert_eq!(link_down(&world), []);
    assert_eq!(world.statistics(), Statistics { accepted: 1, ..Statistics::default() });
}

#[test]
fn every_target_is_told_once_in_its_own_version() {
    let world = World::new();
    world.targets(&[target("one", 0, false), target("two", 1, false)]);
    let sent = link_down(&world);
    let [first, second] = &sent[..] else { panic!("{sent:?}") };
    let (community, AnyPdu::TrapV1(trap)) = taken_apart(first) else { panic!("no trap") };
    assert_eq!((&community[..], trap.agent_address), (&b"tell"[..], [192, 0, 2, 1]));
    assert_eq!((trap.generic_trap, trap.specific_trap, trap.time_stamp), (2, 0, 4711));
    assert_eq!(trap.bindings.len(), 1);
    let (community, AnyPdu::Pdu(pdu)) = taken_apart(second) else { panic!("no PDU") };
    assert_eq!((&community[..], pdu.kind, pdu.error_status), (&b"tell"[..], PduKind::TrapV2, 0));
    let mut values = pdu.bindings.into_iter().map(|bind| bind.value);
    assert_eq!(values.next(), Some(s_wire::Value::TimeTicks(4711)));
    let Some(s_wire::Value::Oid(name)) = values.next() else { panic!("no snmpTrapOID") };
    assert_eq!(name.decode(&mut [0; 128]), standard::LINK_DOWN);
    assert_eq!(values.next(), Some(s_wire::Value::Integer(2)));
    assert_eq!(world.statistics().sent, 2);
}

#[test]
fn step_1_a_filter_keeps_a_target_from_being_told() {
    let world = World::new();
    let filter = |subtree: &[u32], included| NotifyFilter {
        subtree: subtree.to_vec(),
        mask: vec![],
        included,
    };
    let filters = vec![filter(&[1], true), filter(IF_INDEX, false)];
    world.targets(&[NotifyTarget { filters, ..target("one", 1, false) }, target("two", 1, false)]);
    assert_eq!(link_down(&world).len(), 1);
    let statistics = world.statistics();
    assert_eq!((statistics.sent, statistics.withheld), (1, 1));
}

#[test]
fn steps_2_and_3_a_view_keeps_a_target_from_being_told() {
    let world = World::new();
    world.targets(&[target("one", 1, false)]);
    let hidden: &[u32] = &[1, 3, 6, 1, 4, 1, 666, 1, 0];
    assert_eq!(tell(&world, standard::LINK_DOWN, &[(hidden, VarValue::Integer(1))]), []);
    assert_eq!(tell(&world, &[1, 3, 6, 1, 4, 1, 666, 0, 1], &[]), []);
    // Nor is somebody told whom access control does not know.
    let nobody = NotifyTarget { security_name: "nobody".into(), ..target("two", 1, false) };
    world.targets(&[nobody]);
    assert_eq!(link_down(&world), []);
    let statistics = world.statistics();
    assert_eq!((statistics.sent, statistics.withheld, statistics.failed), (0, 3, 0));
}

#[test]
fn what_version_1_cannot_carry_is_told_to_others_only_and_the_log_has_the_reason_once() {
    let world = World::new();
    world.targets(&[target("one", 0, false), target("two", 1, false)]);
    for _ in 0..2 {
        assert_eq!(
            tell(&world, &[1, 3, 6, 1, 4, 1, 9, 0, 1], &[(IF_INDEX, VarValue::Counter64(1))]).len(),
            1
        );
    }
    assert_eq!((world.statistics().failed, world.statistics().sent), (2, 2));
    let log = world.log();
    assert_eq!(
        log.iter().filter(|line| line.contains("`one`") && line.contains("Counter64")).count(),
        1,
        "{log:?}"
    );
}

#[test]
fn what_finds_no_room_is_refused_and_counted() {
    let world = World::new();
    world.targets(&[target("one", 1, false)]);
    world.room_for(2);
    let tell = || {
        let binds = VarBinds::new();
        world.act(|act| world.notifier().notify(act, standard::COLD_START, b"", &binds))
    };
    assert_eq!((tell(), tell()), (Ok(()), Ok(())));
    let full = s_sdk::error::CallErrorKind::Full;
    assert_eq!(tell().map_err(|error| error.kind), Err(full));
    assert_eq!(world.deliver().len(), 2);
    // Nor is one taken over that is larger than its room.
    let mut many = VarBinds::new();
    (0..=MAX_BINDINGS).for_each(|_| many.push(&[1, 3], VarValue::Integer(1)).unwrap());
    let huge = bindings(&[(&[1, 3], VarValue::Octets(&[0; 65_535]))]);
    for binds in [many, huge] {
        let told = world.act(|act| world.notifier().notify(act, &[1, 3], b"", &binds));
        assert_eq!(told.map_err(|error| error.kind), Err(full));
    }
    let statistics = world.statistics();
    assert_eq!((statistics.accepted, statistics.dropped, statistics.sent), (2, 3, 2));
}

#[test]
fn step_6_an_inform_is_repeated_until_it_is_acknowledged() {
    let world = World::new();
    world.targets(&[NotifyTarget { retries: 2, ..target("one", 1, true) }]);
    let first = link_down(&world);
    assert!(world.timer().is_some(), "it asks to be woken");
    let again = world.time_passes();
    assert_eq!(first, again, "the same inform, with the same request-id");
    assert_eq!(world.statistics().waiting, 1);
    let answer = acknowledged(&first[0]);
    assert!(!world.hear(&[192, 0, 2, 8, 0, 162], &answer), "an answer from elsewhere");
    assert!(world.hear(THERE, &answer));
    assert!(!world.hear(THERE, &answer), "a second one answers nothing");
    assert_eq!(world.time_passes(), []);
    let statistics = world.statistics();
    assert_eq!((statistics.acknowledged, statistics.given_up, statistics.waiting), (1, 0, 0));
}

#[test]
fn step_6_an_inform_is_given_up_when_its_repetitions_are_used_up() {
    let world = World::new();
    world.targets(&[NotifyTarget { retries: 2, ..target("one", 1, true) }]);
    assert_eq!(link_down(&world).len(), 1);
    assert_eq!([world.time_passes().len(), world.time_passes().len()], [1, 1]);
    assert_eq!((world.time_passes(), world.statistics().given_up), (vec![], 1));
    assert!(world.log().iter().any(|line| line.contains("`one` did not acknowledge")));
    assert_eq!((world.time_passes(), world.statistics().sent), (vec![], 3));
}

/// What a receiver, which is an engine like ours, does with a datagram: its answer.
fn received(receiver: &World, message: &[u8]) -> (Option<PduKind>, Option<Vec<u8>>) {
    let model = receiver.model(Version::V3);
    receiver.act(|act| {
        let mut elements = DataElements::default();
        let from: &[u8] = &[192, 0, 2, 1, 0xc0, 0];
        let mut answer = Buf::new();
        match model.prepare_data_elements(act, UDP_DOMAIN, from, message, &mut elements) {
            Ok(incoming) => {
                let decoded = AnyPdu::decode(Reader::new(&elements.pdu), WireVersion::V2).unwrap();
                let AnyPdu::Pdu(pdu) = decoded else { panic!("{decoded:?}") };
                let kind = Some(pdu.kind);
                if pdu.kind != PduKind::Inform {
                    return (kind, None);
                }
                let response = octets(&Pdu { kind: PduKind::Response, ..pdu });
                elements.pdu = response.into();
                let header = MessageHeader { class: PduClass::Response, ..incoming.header };
                model
                    .prepare_response_message(act, header, &elements, incoming.state, &mut answer)
                    .unwrap();
                (kind, Some(answer.to_vec()))
            }
            Err(error) => {
                let reason = error.security_kind().unwrap();
                let counter = reason.counter().unwrap();
                let name = s_wire::Arcs::new(counter.instance()).unwrap();
                let bindings = [s_wire::VarBind { name, value: s_wire::Value::Counter32(1) }];
                let report = octets(&Pdu {
                    kind: PduKind::Report,
                    request_id: 0,
                    error_status: 0,
                    error_index: 0,
                    bindings: &bindings[..],
                });
                let header = MessageHeader {
                    message_model: 3,
                    security_model: 3,
                    security_level: reason.report_level(),
                    pdu_version: PduVersion::V2,
                    class: PduClass::Response,
                    send_pdu_handle: 0,
                };
                let report = DataElements { pdu: report.into(), ..DataElements::default() };
                model
                    .prepare_response_message(act, header, &report, error.state, &mut answer)
                    .unwrap();
                (None, Some(answer.to_vec()))
            }
        }
    })
}

/// An engine that receives, with a name of its own.
fn receiver() -> World {
    World::of(b"\x80\x00\x1f\x88\x04there", 9)
}

#[test]
fn a_trap_of_version_3_needs_no_word_from_its_receiver() {
    let (world, receiver) = (World::new(), World::new());
    world.targets(&[target("one", 3, false)]);
    let sent = link_down(&world);
    assert_eq!(sent.len(), 1);
    // The sender is authoritative, so its receiver has to know its users: here they have the same engine ID.
    assert_eq!(received(&receiver, &sent[0].message), (Some(PduKind::TrapV2), None));
}

#[test]
fn an_inform_of_version_3_finds_out_who_its_receiver_is_and_what_time_it_is_there() {
    let (world, receiver) = (World::new(), receiver());
    world.targets(&[target("one", 3, true)]);
    // Who are you? (RFC 3414 §4)
    let mut sent = link_down(&world);
    let mut kinds = Vec::new();
    for _ in 0..4 {
        let [message] = &sent[..] else { break };
        let (kind, answer) = received(&receiver, &message.message);
        kinds.push(kind);
        assert!(world.hear(THERE, &answer.unwrap()), "{kinds:?}");
        sent = world.wire();
    }
    // A discovery, an inform with the wrong time, and one that is acknowledged.
    assert_eq!(kinds, [None, None, Some(PduKind::Inform)]);
    assert_eq!(sent, []);
    let statistics = world.statistics();
    assert_eq!((statistics.acknowledged, statistics.waiting, statistics.sent), (1, 0, 3));
    // From now on one message is enough.
    let sent = link_down(&world);
    assert_eq!(received(&receiver, &sent[0].message).0, Some(PduKind::Inform));
}

#[test]
fn reports_that_correct_nothing_do_not_go_on_for_ever() {
    let (world, receiver) = (World::new(), receiver());
    // The receiver does not know alice.
    receiver.configure("security.usm", &roles::settings::write(&UsmSettings::default()));
    world.targets(&[NotifyTarget { retries: 0, ..target("one", 3, true) }]);
    let mut sent = link_down(&world);
    let mut messages = 0;
    while let [message] = &sent[..] {
        messages += 1;
        let (_, answer) = received(&receiver, &message.message);
        world.hear(THERE, &answer.unwrap());
        sent = world.wire();
    }
    assert_eq!(messages, 2, "a discovery and one try");
    // Anybody could have sent that Report: the inform waits for its time to be over.
    assert_eq!((world.statistics().given_up, world.statistics().waiting), (0, 1));
    assert_eq!(world.time_passes(), []);
    let log = world.log();
    assert!(log.iter().any(|line| line.contains("usmStatsUnknownUserNames")), "{log:?}");
    assert_eq!((world.statistics().given_up, world.statistics().waiting), (1, 0));
    assert_eq!(world.time_passes(), []);
}

/// Carries messages between the two until nobody answers; how many there were.
fn converse(world: &World, receiver: &World, mut sent: Vec<Sent>) -> usize {
    let mut messages = 0;
    while let [message] = &sent[..] {
        messages += 1;
        let (_, answer) = received(receiver, &message.message);
        assert!(world.hear(THERE, &answer.unwrap()), "message {messages}");
        sent = world.wire();
    }
    messages
}

#[test]
fn a_forged_report_does_not_keep_the_receiver_from_being_told() {
    let (world, receiver, forger) =
        (World::new(), receiver(), World::of(b"\x80\x00\x1f\x88\x04no", 1));
    forger.configure("security.usm", &roles::settings::write(&UsmSettings::default()));
    world.targets(&[target("one", 3, true)]);
    // The discovery is answered by who should, and the inform by who should not.
    let discovery = link_down(&world);
    assert!(world.hear(THERE, &received(&receiver, &discovery[0].message).1.unwrap()));
    let inform = world.wire();
    let forged = received(&forger, &inform[0].message).1.unwrap();
    assert!(world.hear(THERE, &forged));
    let again = [world.wire(), world.time_passes()].concat();
    let last = again.last().cloned().into_iter().collect();
    converse(&world, &receiver, last);
    let statistics = world.statistics();
    assert_eq!((statistics.acknowledged, statistics.given_up, statistics.waiting), (1, 0, 0));
}

#[test]
fn who_answers_a_discovery_falsely_is_forgotten_when_nobody_is_known_there() {
    let (world, receiver, forger) =
        (World::new(), receiver(), World::of(b"\x80\x00\x1f\x88\x04no", 1));
    // A user whose keys are good for the receiver only.
    let localized = |engine_id: &[u8]| User {
        engine_id: engine_id.to_vec(),
        auth_form: KeyForm::Localized,
        auth_secret: vec![1; 32],
        priv_form: KeyForm::Localized,
        priv_secret: vec![2; 16],
        ..alice()
    };
    let known = |user| roles::settings::write(&UsmSettings { users: vec![user] });
    world.configure("security.usm", &known(localized(b"\x80\x00\x1f\x88\x04there")));
    receiver.configure("security.usm", &known(localized(b"")));
    world.targets(&[target("one", 3, true)]);
    let discovery = link_down(&world);
    let forged = received(&forger, &discovery[0].message).1.unwrap();
    assert!(world.hear(THERE, &forged));
    assert_eq!((world.wire(), world.statistics().waiting), (vec![], 1), "nobody to send as");
    // The next try asks again.
    let again = world.time_passes();
    assert_eq!(converse(&world, &receiver, again), 3);
    let statistics = world.statistics();
    assert_eq!((statistics.acknowledged, statistics.given_up, statistics.waiting), (1, 0, 0));
}

#[test]
fn an_inform_outlasts_that_there_is_nobody_to_send_it_as() {
    let world = World::new();
    world.targets(&[NotifyTarget { retries: 2, ..target("one", 1, true) }]);
    let first = link_down(&world);
    let nobody = CommunitySettings { communities: vec![] };
    world.configure("security.community", &roles::settings::write(&nobody));
    assert_eq!((world.time_passes(), world.statistics().waiting), (vec![], 1));
    world.configure("security.community", &roles::settings::write(&communities()));
    assert_eq!(world.time_passes(), first);
    assert!(world.hear(THERE, &acknowledged(&first[0])));
    assert_eq!((world.statistics().acknowledged, world.statistics().given_up), (1, 0));
}

#[test]
fn an_inform_that_turns_out_too_large_is_given_up_and_counted() {
    let (world, receiver) = (World::new(), receiver());
    world.targets(&[NotifyTarget { retries: 9, ..target("one", 3, true) }]);
    let large = [0; 65_400];
    let discovery = tell(&world, standard::LINK_DOWN, &[(IF_INDEX, VarValue::Octets(&large))]);
    assert_eq!(converse(&world, &receiver, discovery), 1);
    let statistics = world.statistics();
    assert_eq!((statistics.given_up, statistics.waiting, statistics.failed), (1, 0, 1));
}

#[test]
fn an_inform_is_acknowledged_whatever_its_target_calls_the_transport() {
    let world = World::new();
    let domain = roles::notify::UDP_IPV4_DOMAIN.to_vec();
    world.targets(&[NotifyTarget { domain, ..target("one", 1, true) }]);
    let sent = link_down(&world);
    assert!(world.hear(THERE, &acknowledged(&sent[0])));
    // Its engine is found out under the same name (RFC 3419).
    let receiver = receiver();
    let domain = roles::notify::UDP_IPV4_DOMAIN.to_vec();
    world.targets(&[NotifyTarget { domain, ..target("one", 3, true) }]);
    let sent = link_down(&world);
    let (_, answer) = received(&receiver, &sent[0].message);
    assert!(world.hear(THERE, &answer.unwrap()));
}

#[test]
fn many_targets_are_told_in_several_activities_each_of_them_once() {
    let world = World::new();
    let targets: Vec<_> = (10..50).map(|n| target(&format!("t{n}"), 1, n % 2 == 0)).collect();
    world.targets(&targets);
    let binds = VarBinds::new();
    let post = || {
        world.act(|act| world.notifier().notify(act, standard::COLD_START, b"", &binds)).unwrap();
    };
    post();
    assert_eq!([(); 4].map(|()| world.deliver_one().len()), [16, 16, 8, 0]);
    assert_eq!((world.statistics().accepted, world.statistics().sent), (1, 40));
    // So with what is repeated.
    assert_eq!([world.time_passes().len(), world.time_passes().len()], [16, 4]);
    // Where the rest finds no room to wait, it does not wait.
    post();
    world.room_for(0);
    assert_eq!(world.deliver_one().len(), 40);
}

#[test]
fn failed_authentication_is_told_only_where_that_is_enabled() {
    use roles::mib::{MibAccess as _, MibAccessProxy};
    let world = World::new();
    world.targets(&[target("one", 1, false)]);
    assert_eq!(tell(&world, standard::AUTHENTICATION_FAILURE, &[]), []);
    let snmp: MibAccessProxy = world.runtime.proxy("mib.snmp").unwrap();
    let enable = bindings(&[(&[1, 3, 6, 1, 2, 1, 11, 30, 0], VarValue::Integer(1))]);
    world.act(|act| {
        let set = snmp.set_check(act, 3, b"tester", b"", &enable, Span::new(0, 1)).unwrap();
        snmp.set_apply(act, set, &enable, Span::new(0, 1)).unwrap();
        snmp.set_cleanup(act, set).unwrap();
    });
    assert_eq!(tell(&world, standard::AUTHENTICATION_FAILURE, &[]).len(), 1);
}

#[test]
fn a_message_that_is_no_notification_is_told_of_and_skipped() {
    let world = World::new();
    world.targets(&[target("one", 1, false)]);
    let component = world.runtime.component("notify").unwrap();
    let nothing = s_sdk::Value::Null.encode();
    world.act(|act| component.on_message(act, "other", &nothing)).unwrap();
    assert!(world.log().iter().any(|line| line.contains("`other` is no notification")));
    assert_eq!(link_down(&world).len(), 1);
}
