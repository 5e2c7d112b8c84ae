//! The one encoding of values, held against a judge that reads any CBOR.

use proptest::prelude::*;
use s_sdk::value::{DecodeFact, Field, FieldFact, Kind, MAX_DEPTH, Oid, Reader, Value, Writer};
use std::collections::BTreeMap;

fn any_value() -> impl Strategy<Value = Value> {
    let arcs = || {
        let plain = prop::collection::vec(any::<u32>(), 0..6);
        let absolute = (0u32..4, 0u32..60, prop::collection::vec(any::<u32>(), 0..6))
            .prop_map(|(first, second, rest)| [vec![first, second], rest].concat());
        prop_oneof![plain, absolute]
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300i64..300).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        arcs().prop_map(|arcs| Value::Oid(arcs.into())),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".{0,30}", inner, 0..8).prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_comes_back_and_has_one_encoding(value in any_value()) {
        let octets = value.encode();
        let back = Value::decode(&octets).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(back.encode(), octets);
    }

    #[test]
    fn two_values_are_equal_exactly_when_their_encodings_are(a in any_value(), b in any_value()) {
        prop_assert_eq!(a == b, a.encode() == b.encode());
    }

    #[test]
    fn no_prefix_of_an_encoding_is_one(value in any_value()) {
        let octets = value.encode();
        for end in 0..octets.len() {
            prop_assert!(Value::decode(&octets[..end]).is_err(), "{end} of {}", octets.len());
        }
    }

    #[test]
    fn the_judge_reads_every_encoding_to_its_end(value in any_value()) {
        let octets = value.encode();
        let mut judge = minicbor::Decoder::new(&octets);
        judge.skip().unwrap();
        prop_assert_eq!(judge.position(), octets.len());
    }

    #[test]
    fn noise_is_refused_or_is_the_encoding_of_what_it_decodes_to(noise in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = Value::decode(&noise) {
            prop_assert_eq!(value.encode(), noise);
        }
    }

    #[test]
    fn a_damaged_encoding_is_refused_or_is_another_encoding(
        value in any_value(), at in any::<prop::sample::Index>(), octet in any::<u8>(),
    ) {
        let mut octets = value.encode();
        let at = at.index(octets.len());
        octets[at] = octet;
        if let Ok(value) = Value::decode(&octets) {
            prop_assert_eq!(value.encode(), octets);
        }
    }

    #[test]
    fn fields_go_straight_to_the_encoding_of_their_value(
        rows in prop::collection::btree_map(any::<u64>(), ".{0,9}", 0..9),
        names in prop::collection::btree_map(".{0,30}", any::<i16>(), 0..9),
        octets in prop::collection::vec(any::<u8>(), 0..99),
        pairs in prop::collection::vec((any::<u8>(), prop::option::of(any::<f64>())), 0..9),
        arcs in prop::collection::vec(any::<u32>(), 0..9),
        fixed in any::<[u8; 16]>(),
        value in any_value(),
    ) {
        fn both_ways<T: Field + PartialEq>(field: &T) {
            let mut octets = Vec::new();
            field.encode(&mut Writer::new(&mut octets));
            assert_eq!(octets, field.to_value().encode());
            let mut input = Reader::new(&octets);
            assert!(T::decode(&mut input).unwrap() == *field);
            input.finish().unwrap();
            assert!(T::from_value(field.to_value()).unwrap() == *field);
        }
        both_ways(&rows);
        both_ways(&names);
        both_ways(&octets);
        both_ways(&pairs);
        both_ways(&Oid(arcs));
        both_ways(&fixed);
        both_ways(&value);
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex digits"))
        .collect()
}

fn map(members: &[(&str, u64)]) -> Value {
    Value::Map(members.iter().map(|(key, value)| ((*key).to_owned(), Value::U64(*value))).collect())
}

#[test]
fn encodings_that_the_standards_print() {
    // RFC 8949 appendix A, and RFC 9090 §2.1 for the identifier 2.16.840.1.101.3.4.2.1.
    let cases = [
        (Value::U64(0), "00"),
        (Value::U64(23), "17"),
        (Value::U64(24), "1818"),
        (Value::U64(1_000_000), "1a000f4240"),
        (Value::U64(u64::MAX), "1bffffffffffffffff"),
        (Value::from(-1), "20"),
        (Value::from(-100), "3863"),
        (Value::from(-1000), "3903e7"),
        (Value::from(i64::MIN), "3b7fffffffffffffff"),
        (Value::F64(1.1), "fb3ff199999999999a"),
        (Value::F64(f64::NAN), "fb7ff8000000000000"),
        (Value::Bool(false), "f4"),
        (Value::Null, "f6"),
        (Value::from(vec![1, 2, 3, 4]), "4401020304"),
        (Value::from("\u{6c34}"), "63e6b0b4"),
        (Value::from(vec![Value::U64(1), Value::from(vec![Value::U64(2)])]), "82018102"),
        (map(&[("a", 1), ("b", 2)]), "a2616101616202"),
        (Value::Oid(vec![2, 16, 840, 1, 101, 3, 4, 2, 1].into()), "d86f49608648016503040201"),
    ];
    for (value, octets) in cases {
        assert_eq!(value.encode(), hex(octets), "{value}");
        assert_eq!(Value::decode(&hex(octets)), Ok(value));
    }
}

#[test]
fn keys_are_in_the_order_of_their_encodings() {
    let value = map(&[("aa", 1), ("b", 2), ("", 3)]);
    assert_eq!(value.encode(), hex("a3600361620262616101"));
}

#[test]
fn what_is_not_the_one_encoding_is_refused_and_named() {
    let deep = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
    assert!(Value::decode(&deep(MAX_DEPTH)).is_ok());
    let cases = [
        (hex(""), DecodeFact::Truncated),
        (hex("1817"), DecodeFact::NotShortest),
        (hex("190018"), DecodeFact::NotShortest),
        (hex("5800"), DecodeFact::NotShortest),
        (hex("0000"), DecodeFact::Trailing),
        (hex("9f00ff"), DecodeFact::Indefinite),
        (hex("5f4101ff"), DecodeFact::Indefinite),
        (hex("1c"), DecodeFact::Indefinite),
        (hex("f93c00"), DecodeFact::Unsupported),
        (hex("fa3f800000"), DecodeFact::Unsupported),
        (hex("f7"), DecodeFact::Unsupported),
        (hex("c000"), DecodeFact::Unsupported),
        (hex("61ff"), DecodeFact::NotUtf8),
        (hex("a10000"), DecodeFact::KeyNotText),
        (hex("a2616100616100"), DecodeFact::DuplicateKey),
        (hex("a2616200616100"), DecodeFact::KeyOrder),
        (hex("a262616100616200"), DecodeFact::KeyOrder),
        (deep(MAX_DEPTH + 1), DecodeFact::TooDeep),
        (hex("3b8000000000000000"), DecodeFact::OutOfRange),
        (hex("fb7ff8000000000001"), DecodeFact::OtherNan),
        (hex("fbfff8000000000000"), DecodeFact::OtherNan),
        // Arcs: none, unfinished, padded, too large; a relative form where the absolute one exists.
        (hex("d86f40"), DecodeFact::BadOid),
        (hex("d86f4180"), DecodeFact::BadOid),
        (hex("d86f428001"), DecodeFact::BadOid),
        (hex("d86f459080808050"), DecodeFact::BadOid),
        (hex("d86f462a8180808080"), DecodeFact::BadOid),
        (hex("d86f00"), DecodeFact::BadOid),
        (hex("d86e420103"), DecodeFact::BadOid),
        // Lengths beyond the input, up to all of memory.
        (hex("42"), DecodeFact::Truncated),
        (hex("9bffffffffffffffff"), DecodeFact::Truncated),
        (hex("bb7fffffffffffffff"), DecodeFact::Truncated),
        (hex("5bffffffffffffffff"), DecodeFact::Truncated),
        (hex("a100"), DecodeFact::Truncated),
    ];
    for (octets, fact) in cases {
        assert_eq!(Value::decode(&octets).map_err(|error| error.fact), Err(fact), "{octets:02x?}");
    }
}

#[test]
fn every_list_of_arcs_has_an_encoding() {
    let lists: [&[u32]; 9] = [
        &[],
        &[1],
        &[0, 39],
        &[0, 40],
        &[1, 39, u32::MAX],
        &[1, 40],
        &[2, u32::MAX],
        &[3, 0],
        &[u32::MAX; 128],
    ];
    for arcs in lists {
        let value = Value::Oid(arcs.to_vec().into());
        assert_eq!(Value::decode(&value.encode()), Ok(value));
    }
}

#[test]
fn a_value_reads_like_a_literal() {
    let value = Value::from(BTreeMap::from([
        ("at".to_owned(), Value::Oid(vec![1, 3, 6].into())),
        ("raw".to_owned(), Value::from(vec![0, 255])),
        (
            "row".to_owned(),
            Value::from(vec![Value::from(-1), Value::F64(1.0), Value::from("x\"y"), Value::Null]),
        ),
    ]));
    assert_eq!(
        value.to_string(),
        r#"{"at": .1.3.6, "raw": h'00ff', "row": [-1, 1.0, "x\"y", null]}"#
    );
}

#[test]
fn integers_are_one_number_whatever_holds_them() {
    assert_eq!(Value::I64(5), Value::U64(5));
    assert_eq!(Value::from(5i8).encode(), Value::from(5u64).encode());
    assert_eq!(Value::I64(5).as_u64(), Some(5));
    assert_eq!(Value::U64(u64::MAX).as_i64(), None);
    assert_ne!(Value::I64(-1), Value::U64(u64::MAX));
    assert_eq!(Value::F64(f64::NAN), Value::F64(-f64::NAN));
    assert_ne!(Value::F64(0.0), Value::F64(-0.0));
}

#[derive(Debug, PartialEq, s_sdk::value::Field)]
struct Row {
    name: String,
    mode: Mode,
    r#type: Option<u32>,
}

#[derive(Debug, PartialEq, s_sdk::value::Field)]
enum Mode {
    Idle,
    Busy,
}

#[test]
fn kinds_say_what_a_type_looks_like() {
    assert_eq!(Vec::<u8>::KIND.to_string(), "bytes");
    assert_eq!(<[u8; 16]>::KIND.to_string(), "bytes[16]");
    assert_eq!(<[u32; 4]>::KIND.to_string(), "list<u32>[4]");
    assert_eq!(BTreeMap::<String, Vec<Vec<u8>>>::KIND.to_string(), "map<text, list<bytes>>");
    assert_eq!(Vec::<(u8, Value)>::KIND.to_string(), "list<(u8, any)>");
    assert_eq!(Row::KIND.to_string(), "{mode: enum<Idle|Busy>, name: text, type: option<u32>}");
    assert_eq!(Value::List(vec![].into()).kind(), Kind::List(&Kind::Any));
}

#[test]
fn an_error_says_where_and_what() {
    let rows = |last: Value| {
        let row = |mode: Value| {
            Value::Map(
                [("name", Value::from("x")), ("mode", mode), ("type", Value::Null)]
                    .map(|(key, value)| (key.to_owned(), value))
                    .into_iter()
                    .collect(),
            )
        };
        Value::from(vec![row(Value::from("Busy")), row(last)])
    };
    assert_eq!(Vec::<Row>::from_value(rows(Value::from("Idle"))).unwrap()[1].mode, Mode::Idle);
    for (last, message) in [
        (Value::from("Lost"), "`[1].mode`: Lost does not fit in enum<Idle|Busy>"),
        (Value::U64(1), "`[1].mode`: expected enum<Idle|Busy>, found u64"),
    ] {
        let value = rows(last);
        assert_eq!(
            Vec::<Row>::decode(&mut Reader::new(&value.encode())).unwrap_err().to_string(),
            message
        );
        assert_eq!(Vec::<Row>::from_value(value).unwrap_err().to_string(), message);
    }
    assert_eq!(
        u8::decode(&mut Reader::new(&Value::U64(256).encode())).unwrap_err().to_string(),
        "256 does not fit in u8"
    );
    assert_eq!(
        <[u8; 2]>::from_value(Value::from(vec![1])).unwrap_err().to_string(),
        "bytes[1] does not fit in bytes[2]"
    );
    let twice = Value::from(vec![Value::from(vec![Value::U64(3), Value::U64(0)]); 2]);
    assert!(matches!(
        BTreeMap::<u64, u64>::decode(&mut Reader::new(&twice.encode())).unwrap_err().fact(),
        FieldFact::OutOfRange { .. }
    ));
}

#[test]
fn what_is_shared_is_carried_as_what_it_is() {
    let shared = std::sync::Arc::new(vec![1u8, 2]);
    let mut encoded = Vec::new();
    shared.encode(&mut Writer::new(&mut encoded));
    assert_eq!(encoded, shared.to_value().encode());
    assert_eq!(shared.to_value(), Value::from(vec![1u8, 2]));
    assert_eq!(<std::sync::Arc<Vec<u8>>>::from_value(shared.to_value()), Ok(shared));
    assert_eq!(<std::sync::Arc<Option<u8>> as Field>::KIND, <Option<u8> as Field>::KIND);
}
