//! An agent that misbehaves when told to, and what is said of it.

use super::*;
use crate::question::{SYS_UP_TIME, Type};
use s_wire::ber::Encode as _;
use s_wire::{AnyPdu, Arcs, CommunityMessage, PduKind, VarBind};
use std::net::Ipv4Addr;

/// What an agent of this test does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer,
    AnswerTwice,
    Swallow,
    GoBack,
    Mix,
}

/// An agent that does to each request what comes next, and then answers until it is asked no more.
fn agent(does: &'static [Does]) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut does = does.iter();
        let (mut octets, mut time) = ([0; 2048], 1000);
        while let Ok((len, peer)) = socket.recv_from(&mut octets) {
            let next = does.next().copied().unwrap_or(Does::Answer);
            time += 1;
            let up_time = if matches!(next, Does::GoBack) { 1 } else { time };
            let versions = if matches!(next, Does::Mix) { [1, 2] } else { [2, 2] };
            let answer = answered(&octets[..len], up_time, versions);
            let times = match next {
                Does::Swallow => 0,
                Does::AnswerTwice => 2,
                _ => 1,
            };
            for _ in 0..times {
                socket.send_to(&answer, peer).unwrap();
            }
        }
    });
    address
}

fn answered(request: &[u8], up_time: u32, versions: [i32; 2]) -> Vec<u8> {
    let message = CommunityMessage::decode(request).unwrap();
    let Ok(AnyPdu::Pdu(asked)) = message.decode_pdu() else { panic!("no PDU") };
    let names: Vec<Vec<u32>> =
        asked.bindings.iter().map(|bind| bind.name.arcs().collect()).collect();
    let bind = |(at, name): (usize, &'_ Vec<u32>)| {
        let value = match at {
            0 => Value::TimeTicks(up_time),
            _ => Value::Integer(versions[at - 1]),
        };
        VarBind { name: Arcs::new(Box::leak(name.clone().into_boxed_slice())).unwrap(), value }
    };
    let bindings: Vec<_> = names.iter().enumerate().map(bind).collect();
    let pdu = Pdu {
        kind: PduKind::Response,
        request_id: asked.request_id,
        error_status: 0,
        error_index: 0,
        bindings: &bindings[..],
    };
    let answer = CommunityMessage { version: message.version, community: message.community, pdu };
    let mut octets = vec![0; answer.encoded_len()];
    answer.encode_into(&mut octets).unwrap();
    octets
}

/// What one who asks one thing after the other meets.
fn met(look: Look, does: &'static [Does]) -> Told {
    let question = Question::Get(vec![
        (SYS_UP_TIME.to_vec(), Type::TimeTicks),
        (vec![1, 3, 9, 1], Type::Integer),
        (vec![1, 3, 9, 2], Type::Integer),
    ]);
    let stream = Stream { question, pace: Pace::Closed(1), look };
    let who = Who::Community("public".to_owned());
    let patience = Duration::from_millis(300);
    let asking = Asking::begin(agent(does), &who, vec![stream], patience).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    let (mut told, _) = asking.finish().unwrap();
    told.remove(0)
}

#[test]
fn what_is_swallowed_is_lost_and_nothing_else() {
    let told = met(Look::Form, &[Does::Answer, Does::Swallow]);
    assert_eq!((told.lost, told.duplicate, told.wrong.len()), (1, 0, 0));
    assert_eq!(told.sent(), told.answered + 1);
    assert!(told.traces[1].took().is_none() && told.traces[2].took().is_some());
    let (from, silence) = told.longest_silence().unwrap();
    assert!(silence >= Duration::from_millis(300) && from <= told.traces[2].left(), "{silence:?}");
}

#[test]
fn a_second_answer_is_a_duplicate() {
    let told = met(Look::Form, &[Does::Answer, Does::AnswerTwice]);
    assert_eq!((told.duplicate, told.lost, told.wrong.len()), (1, 0, 0));
    assert_eq!(told.sent(), told.answered);
}

#[test]
fn a_time_that_goes_back_is_seen_once() {
    let told = met(Look::UpTime, &[Does::Answer, Does::GoBack]);
    assert_eq!((told.went_back, told.lost), (1, 0));
    assert_eq!(told.sent(), told.answered + 1);
}

#[test]
fn two_versions_in_one_answer_are_mixed() {
    let told = met(Look::OneVersion, &[Does::Answer, Does::Mix, Does::Mix]);
    assert_eq!((told.mixed, told.sent()), (2, told.answered + 2));
}
