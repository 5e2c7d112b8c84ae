//! Messages by chance: every type, every PDU, numbers of every length, and ways to damage them.

use crate::owned::{Data, Datum, OwnedBinding, OwnedMessage, OwnedPdu, Security};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use s_wire::{Flags, Header, PduKind, PduVersion, Reader};

/// Numbers of every length of encoding.
pub(crate) fn number() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..32u32).prop_map(|(number, shift)| number >> shift)
}

pub(crate) fn integer() -> impl Strategy<Value = i32> {
    (any::<i32>(), 0..32u32).prop_map(|(integer, shift)| integer >> shift)
}

/// Numbers that RFC 3412 and RFC 3414 bound by 2^31-1.
fn natural() -> impl Strategy<Value = u32> {
    number().prop_map(|number| number >> 1)
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 100..300)]
}

pub(crate) fn arcs() -> impl Strategy<Value = Vec<u32>> {
    let first = prop_oneof![4 => Just((1, 3)), 1 => (0..2u32, 0..40u32), 1 => (Just(2), number())];
    let others = prop_oneof![6 => vec(number(), 0..14), 1 => vec(number(), 100..127)];
    (first, others)
        .prop_map(|((first, second), others)| [first, second].into_iter().chain(others).collect())
}

/// Values of SNMPv1, and those that came later.
fn datum(version: PduVersion) -> BoxedStrategy<Datum> {
    let both = prop_oneof![
        integer().prop_map(Datum::Integer),
        octets().prop_map(Datum::Octets),
        Just(Datum::Null),
        arcs().prop_map(Datum::Oid),
        any::<[u8; 4]>().prop_map(Datum::IpAddress),
        number().prop_map(Datum::Counter32),
        number().prop_map(Datum::Gauge32),
        number().prop_map(Datum::TimeTicks),
        octets().prop_map(Datum::Opaque),
    ];
    let later = prop_oneof![
        octets().prop_map(Datum::NsapAddress),
        (any::<u64>(), 0..64u32).prop_map(|(number, shift)| Datum::Counter64(number >> shift)),
        number().prop_map(Datum::UInteger32),
        Just(Datum::NoSuchObject),
        Just(Datum::NoSuchInstance),
        Just(Datum::EndOfMibView),
    ];
    match version {
        PduVersion::V1 => both.boxed(),
        PduVersion::V2 => prop_oneof![both, later].boxed(),
    }
}

fn binding(version: PduVersion) -> impl Strategy<Value = OwnedBinding> {
    (arcs(), datum(version)).prop_map(|(name, value)| OwnedBinding { name, value })
}

pub(crate) fn bindings(version: PduVersion) -> impl Strategy<Value = Vec<OwnedBinding>> {
    prop_oneof![6 => vec(binding(version), 0..4), 1 => vec(binding(version), 4..40)]
}

fn pdu(version: PduVersion) -> BoxedStrategy<OwnedPdu> {
    let kinds: Vec<PduKind> = PduKind::ALL
        .into_iter()
        .filter(|kind| PduKind::of(kind.tag(), version).is_some() && *kind != PduKind::TrapV1)
        .collect();
    let numbers = || prop_oneof![3 => 0..20i32, 1 => integer()];
    let common =
        (proptest::sample::select(kinds), integer(), numbers(), numbers(), bindings(version))
            .prop_map(|(kind, request_id, error_status, error_index, bindings)| OwnedPdu::Pdu {
                kind,
                request_id,
                error_status,
                error_index,
                bindings,
            });
    if version == PduVersion::V2 {
        return common.boxed();
    }
    let trap = (arcs(), any::<[u8; 4]>(), numbers(), numbers(), number(), bindings(version))
        .prop_map(
            |(enterprise, agent_address, generic_trap, specific_trap, time_stamp, bindings)| {
                OwnedPdu::TrapV1 {
                    enterprise,
                    agent_address,
                    generic_trap,
                    specific_trap,
                    time_stamp,
                    bindings,
                }
            },
        );
    prop_oneof![2 => common, 1 => trap].boxed()
}

fn community_message(version: PduVersion) -> impl Strategy<Value = OwnedMessage> {
    let community = prop_oneof![3 => Just(b"public".to_vec()), 1 => octets()];
    (community, pdu(version)).prop_map(move |(community, pdu)| OwnedMessage::Community {
        version,
        community,
        pdu,
    })
}

fn header(security_model: u32) -> impl Strategy<Value = Header> {
    (natural(), natural(), any::<u8>()).prop_map(move |(msg_id, max_size, flags)| Header {
        msg_id,
        max_size: max_size.max(484),
        flags: Flags(flags),
        security_model,
    })
}

fn usm() -> impl Strategy<Value = Security> {
    let user_name =
        prop_oneof![2 => "[a-z]{0,32}".prop_map(Vec::from), 1 => vec(any::<u8>(), 0..33)];
    (vec(any::<u8>(), 0..33), natural(), natural(), user_name, octets(), octets()).prop_map(
        |(engine_id, engine_boots, engine_time, user_name, authentication, privacy)| {
            Security::Usm {
                engine_id,
                engine_boots,
                engine_time,
                user_name,
                authentication,
                privacy,
            }
        },
    )
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        octets().prop_map(Data::Encrypted),
        (octets(), octets(), pdu(PduVersion::V2)).prop_map(
            |(context_engine_id, context_name, pdu)| Data::Plain {
                context_engine_id,
                context_name,
                pdu
            }
        ),
    ]
}

fn v3_message() -> impl Strategy<Value = OwnedMessage> {
    let secured = prop_oneof![
        4 => (header(3), usm()),
        1 => (natural().prop_filter("not USM", |model| *model > 3).prop_flat_map(header),
              octets().prop_map(Security::Other)),
    ];
    (secured, data()).prop_map(|((header, security), data)| OwnedMessage::V3 {
        header,
        security,
        data,
    })
}

/// Flags that say what the data is, so that other codecs, which go by the flags, read it.
fn flagged(message: OwnedMessage) -> OwnedMessage {
    match message {
        OwnedMessage::V3 { mut header, security, data } => {
            let private = Flags::PRIVATE | Flags::AUTHENTICATED;
            header.flags.0 &= !private;
            header.flags.0 |= if matches!(data, Data::Encrypted(_)) { private } else { 0 };
            OwnedMessage::V3 { header, security, data }
        }
        other => other,
    }
}

pub(crate) fn message() -> impl Strategy<Value = OwnedMessage> {
    prop_oneof![
        community_message(PduVersion::V1),
        community_message(PduVersion::V2),
        v3_message(),
        v3_message().prop_map(flagged),
    ]
}

/// Something that goes wrong with the octets of a message.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// An octet becomes another.
    Replace(Index, u8),
    /// A bit turns over.
    Flip(Index, u8),
    /// An octet is put in.
    Insert(Index, u8),
    /// An octet is lost.
    Remove(Index),
    /// The end is lost.
    Cut(Index),
    /// A stretch of octets stands somewhere else too.
    Copy(Index, Index, usize),
    /// Something happens to a whole element, and the lengths around it are made to fit.
    Element(Index, Change),
}

/// What happens to an element.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It becomes one of another type.
    Tag(u8),
    /// It gets other contents.
    Contents(Vec<u8>),
    /// Its contents get more octets in front of them, as a number may that repeats its sign.
    Front(usize),
    /// Its length takes four octets more.
    LongLength,
    /// Its length is the indefinite one.
    Indefinite,
    /// It becomes constructed around itself.
    Constructed,
    /// It stands there as often as this: not at all, or twice.
    Times(usize),
}

/// Octets that mean something in BER.
fn telling() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        proptest::sample::select(vec![
            0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x24, 0x30, 0x40, 0x41, 0x44, 0x45, 0x46, 0x47,
            0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xa2, 0xa4, 0xa5, 0xa8, 0xff,
        ]),
    ]
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => (any::<Index>(), telling()).prop_map(|(at, octet)| Damage::Replace(at, octet)),
        2 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        1 => (any::<Index>(), telling()).prop_map(|(at, octet)| Damage::Insert(at, octet)),
        1 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<Index>(), 1..12usize).prop_map(|(a, b, len)| Damage::Copy(a, b, len)),
        14 => (any::<Index>(), change()).prop_map(|(at, change)| Damage::Element(at, change)),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        telling().prop_map(Change::Tag),
        vec(telling(), 0..12).prop_map(Change::Contents),
        (1..9usize).prop_map(Change::Front),
        Just(Change::LongLength),
        Just(Change::Indefinite),
        Just(Change::Constructed),
        Just(Change::Times(0)),
        Just(Change::Times(2)),
    ]
}

impl Damage {
    pub(crate) fn apply(&self, octets: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let len = octets.len();
        match self {
            Damage::Replace(at, octet) => octets[at.index(len)] = *octet,
            Damage::Flip(at, bit) => octets[at.index(len)] ^= bit,
            Damage::Insert(at, octet) => octets.insert(at.index(len + 1), *octet),
            Damage::Remove(at) => drop(octets.remove(at.index(len))),
            Damage::Cut(at) => octets.truncate(at.index(len)),
            Damage::Copy(from, to, count) => {
                let from = from.index(len);
                let stretch = octets[from..len.min(from + count)].to_vec();
                let to = to.index(len);
                octets.splice(to..to, stretch);
            }
            Damage::Element(at, change) => {
                let Some(mut elements) = Element::all(octets) else { return };
                let mut nth = at.index(elements.iter().map(Element::count).sum());
                elements.iter_mut().any(|element| element.change(&mut nth, change));
                octets.clear();
                elements.iter().for_each(|element| element.write(octets));
            }
        }
    }
}

/// An element as a tree, which need not be one that anybody should accept.
struct Element {
    tag: u8,
    contents: Vec<u8>,
    inner: Vec<Element>,
    form: Form,
    times: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Short,
    Long,
    Indefinite,
}

impl Element {
    /// The elements of octets, if they are some to the last octet.
    fn all(octets: &[u8]) -> Option<Vec<Element>> {
        let (mut reader, mut all) = (Reader::new(octets), Vec::new());
        while !reader.is_empty() {
            let (tag, contents) = reader.any().ok()?;
            let inner = if tag & 0x20 == 0 { None } else { Element::all(contents.octets) };
            all.push(Element {
                tag,
                contents: if inner.is_some() { Vec::new() } else { contents.octets.to_vec() },
                inner: inner.unwrap_or_default(),
                form: Form::Short,
                times: 1,
            });
        }
        Some(all)
    }

    fn count(&self) -> usize {
        1 + self.inner.iter().map(Element::count).sum::<usize>()
    }

    /// Changes the n-th element from here, and says whether it was there.
    fn change(&mut self, nth: &mut usize, change: &Change) -> bool {
        if *nth > 0 {
            *nth -= 1;
            return self.inner.iter_mut().any(|inner| inner.change(nth, change));
        }
        match change {
            Change::Tag(tag) => self.tag = *tag,
            Change::Contents(contents) => {
                self.inner.clear();
                self.contents.clone_from(contents);
            }
            Change::Front(count) => {
                let is_negative = self.contents.first().is_some_and(|octet| *octet >= 0x80);
                let sign = if is_negative { 0xff } else { 0 };
                self.contents.splice(0..0, std::iter::repeat_n(sign, *count));
            }
            Change::LongLength => self.form = Form::Long,
            Change::Indefinite => self.form = Form::Indefinite,
            Change::Constructed => {
                let mut element = Vec::new();
                self.write(&mut element);
                (self.contents, self.inner) = (element, Vec::new());
                self.tag |= 0x20;
            }
            Change::Times(times) => self.times = *times,
        }
        true
    }

    fn write(&self, octets: &mut Vec<u8>) {
        let mut contents = self.contents.clone();
        self.inner.iter().for_each(|inner| inner.write(&mut contents));
        for _ in 0..self.times {
            octets.push(self.tag);
            let len = u32::try_from(contents.len()).unwrap().to_be_bytes();
            match (self.form, len) {
                (Form::Indefinite, _) => octets.push(0x80),
                (Form::Short, [0, 0, 0, len @ 0..0x80]) => octets.push(len),
                (Form::Short, [0, 0, 0, len]) => octets.extend([0x81, len]),
                (Form::Short, [0, 0, high, low]) => octets.extend([0x82, high, low]),
                (Form::Short | Form::Long, _) => {
                    octets.push(0x84);
                    octets.extend(len);
                }
            }
            octets.extend(&contents);
            if self.form == Form::Indefinite {
                octets.extend([0, 0]);
            }
        }
    }
}
