//! How long reading and writing a message takes, beside `rasn-snmp` in the same run:
//! `cargo run --release -p s-wire --example speed`. An argument runs one case only, a thousand times, for a
//! tool that counts instructions.
//!
//! Reading means everything: envelope, PDU, every name and value, gone through once. Each figure is the
//! smallest mean of many short runs, because whatever else the machine does only makes it larger.

use s_wire::{
    AnyPdu, Arcs, Bindings, CommunityMessage, Encode, Flags, Header, Part, Pdu, PduKind,
    PduVersion, ScopedPdu, ScopedPduData, UsmParameters, V3Message, Value, VarBind,
};
use std::hint::black_box;
use std::time::Instant;

const NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 3];
const ENGINE: &[u8] = &[0x80, 0, 0x1f, 0x88, 0x80, 1, 2, 3, 4, 5, 6, 7];

fn request(count: usize, kind: PduKind, value: Value<'_, Arcs<'_>>) -> Vec<u8> {
    let mut buffer = vec![0; 2048];
    community_message(count, kind, value).encode_into(&mut buffer).expect("room").to_vec()
}

fn community_message<'a>(
    count: usize,
    kind: PduKind,
    value: Value<'a, Arcs<'a>>,
) -> CommunityMessage<'a, impl Encode> {
    let name = Arcs::new(NAME).expect("a name");
    CommunityMessage {
        version: PduVersion::V2,
        community: Part::from(&b"public"[..]),
        pdu: Pdu {
            kind,
            request_id: 1_414_684_022,
            error_status: 0,
            error_index: 0,
            bindings: Bindings(std::iter::repeat_n(VarBind { name, value }, count)),
        },
    }
}

fn v3_message<P>(
    pdu: P,
) -> V3Message<UsmParameters<'static>, ScopedPduData<'static, ScopedPdu<'static, P>>> {
    V3Message {
        header: Header {
            msg_id: 1_414_684_022,
            max_size: 65_507,
            flags: Flags(Flags::AUTHENTICATED | Flags::REPORTABLE),
            security_model: 3,
        },
        security_parameters: UsmParameters {
            engine_id: ENGINE,
            engine_boots: 12,
            engine_time: 345_678,
            user_name: b"operator",
            authentication: Part::from(&[0; 24][..]),
            privacy: &[],
        },
        data: ScopedPduData::Plain(ScopedPdu { context_engine_id: ENGINE, context_name: b"", pdu }),
    }
}

fn get() -> Pdu<impl Encode> {
    let name = Arcs::new(NAME).expect("a name");
    Pdu {
        kind: PduKind::Get,
        request_id: 1_414_684_022,
        error_status: 0,
        error_index: 0,
        bindings: Bindings(std::iter::once(VarBind { name, value: Value::Null })),
    }
}

fn through(pdu: AnyPdu<'_>) -> usize {
    pdu.bindings()
        .iter()
        .map(|bind| bind.name.contents().len() + usize::from(bind.value == Value::Null))
        .sum()
}

fn read(message: &[u8]) -> usize {
    let message = CommunityMessage::decode(message).expect("a message");
    through(message.decode_pdu().expect("a PDU"))
}

fn read_v3(message: &[u8]) -> usize {
    let message = V3Message::decode(message).expect("a message");
    message.check().expect("flags like data");
    let usm = UsmParameters::decode(message.security_parameters).expect("parameters");
    let ScopedPduData::Plain(scoped) = message.data else { return 0 };
    let scoped = ScopedPdu::decode(scoped.reader()).expect("a scopedPDU");
    usm.authentication.at + through(scoped.decode_pdu().expect("a PDU"))
}

type Case = (&'static str, Box<dyn FnMut() -> usize>, Box<dyn FnMut() -> usize>);

fn cases() -> Vec<Case> {
    use rasn_snmp::{v2, v2c, v3};
    let mut cases: Vec<Case> = Vec::new();
    for (read_name, write_name, count) in [
        ("read v2c GET x1", "write v2c Response x1", 1),
        ("read v2c GET x10", "write v2c Response x10", 10),
    ] {
        let message = request(count, PduKind::Get, Value::Null);
        let theirs = message.clone();
        cases.push((
            read_name,
            Box::new(move || read(black_box(&message))),
            Box::new(move || {
                let message: v2c::Message<v2::Pdus> =
                    rasn::ber::decode(black_box(&theirs)).expect("a message");
                let v2::Pdus::GetRequest(get) = message.data else { return 0 };
                get.0.variable_bindings.len()
            }),
        ));
        let message = request(count, PduKind::Response, Value::Counter32(123_456_789));
        let theirs: v2c::Message<v2::Pdus> = rasn::ber::decode(&message).expect("a message");
        let mut buffer = vec![0; 2048];
        cases.push((
            write_name,
            Box::new(move || {
                community_message(
                    black_box(count),
                    PduKind::Response,
                    Value::Counter32(123_456_789),
                )
                .encode_into(&mut buffer)
                .expect("room")
                .len()
            }),
            Box::new(move || rasn::ber::encode(black_box(&theirs)).expect("a message").len()),
        ));
    }
    let mut buffer = vec![0; 2048];
    let message = v3_message(get()).encode_into(&mut buffer).expect("room").to_vec();
    let theirs = message.clone();
    cases.push((
        "read v3, USM, scopedPDU x1",
        Box::new(move || read_v3(black_box(&message))),
        Box::new(move || {
            let message: v3::Message = rasn::ber::decode(black_box(&theirs)).expect("a message");
            let usm: v3::USMSecurityParameters =
                rasn::ber::decode(&message.security_parameters).expect("parameters");
            usm.user_name.len()
        }),
    ));
    let message: v3::Message =
        rasn::ber::decode(v3_message(get()).encode_into(&mut buffer).expect("room"))
            .expect("a message");
    let usm: v3::USMSecurityParameters =
        rasn::ber::decode(&message.security_parameters).expect("parameters");
    cases.push((
        "write v3, USM, scopedPDU x1",
        Box::new(move || {
            black_box(v3_message(get())).encode_into(&mut buffer).expect("room").len()
        }),
        Box::new(move || {
            let mut message = message.clone();
            message.security_parameters =
                rasn::ber::encode(black_box(&usm)).expect("parameters").into();
            rasn::ber::encode(&message).expect("a message").len()
        }),
    ));
    cases
}

/// Nanoseconds a call, the smallest mean of many runs.
fn nanoseconds(call: &mut dyn FnMut() -> usize) -> f64 {
    const CALLS: u32 = 2_000;
    let run = |call: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..200).map(|_| run(call)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let chosen = std::env::args().nth(1);
    if chosen.is_none() {
        println!("{:28} {:>9} {:>11} {:>6}", "nanoseconds", "ours", "rasn-snmp", "ratio");
    }
    for (name, mut ours, mut theirs) in cases() {
        match chosen.as_deref() {
            None => {
                let (ours, theirs) = (nanoseconds(&mut *ours), nanoseconds(&mut *theirs));
                println!("{name:28} {ours:9.1} {theirs:11.1} {:6.1}", theirs / ours);
            }
            Some(chosen) if chosen == name => {
                for _ in 0..1_000 {
                    black_box(ours());
                }
            }
            Some(_) => {}
        }
    }
}
