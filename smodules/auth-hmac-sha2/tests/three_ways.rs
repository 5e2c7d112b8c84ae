//! The module called directly, through a proxy, and by name: one contract suite and one set of vectors.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use auth_hmac_sha2::HmacSha2;
use hosted::{host, serve};
use proptest::prelude::*;
use roles::auth::{AuthError, AuthErrorKind, AuthParameters, AuthProtocol, AuthProtocolProxy};
use roles::contract::auth::{protocols, suite};
use roles::varbind::Span;
use s_proxy::Component;
use s_sdk::component::InvokeError;
use s_sdk::dynamic::Dynamic;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, List, Value};

const COMPONENT: &str = "auth.sha2";
const NAMES: [&[u32]; 4] = [
    &[1, 3, 6, 1, 6, 3, 10, 1, 1, 4],
    &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5],
    &[1, 3, 6, 1, 6, 3, 10, 1, 1, 6],
    &[1, 3, 6, 1, 6, 3, 10, 1, 1, 7],
];

/// The behavior by name: every call goes through values, as a caller without the trait makes it.
struct ByName(&'static Component);

impl ByName {
    fn invoke(&self, act: &Activity, method: &str, args: &[Value]) -> Result<Value, AuthError> {
        self.0.invoke(act, method, args).map_err(|error| match error {
            InvokeError::Call(error) => error.into(),
            InvokeError::Method(error) => AuthError::from_value(&error).unwrap(),
        })
    }

    fn output(
        &self,
        act: &Activity,
        method: &str,
        args: &[Value],
        name: &str,
        out: &mut Buf,
    ) -> Result<(), AuthError> {
        let answer = self.invoke(act, method, args)?;
        assert_eq!(answer.get("return"), Some(&Value::Null));
        Ok(out.append(answer.get(name).unwrap().as_bytes().unwrap())?)
    }
}

fn oid(arcs: &[u32]) -> Value {
    Value::Oid(arcs.to_vec().into())
}

impl AuthProtocol for ByName {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        let answer = self.invoke(act, "protocol", &[position.into()])?;
        name.append(answer.get("name").unwrap().as_oid().unwrap())?;
        Ok(AuthParameters::from_value(answer.get("return").unwrap()).unwrap())
    }
    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        self.output(act, "password_to_key", &[oid(protocol), password.into()], "key", key)
    }
    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        self.output(
            act,
            "localize_key",
            &[oid(protocol), key.into(), engine_id.into()],
            "localized",
            localized,
        )
    }
    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        self.output(act, "digest", &[oid(protocol), octets.into()], "hash", hash)
    }
    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        self.output(act, "prepare_key", &[oid(protocol), localized.into()], "prepared", prepared)
    }
    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        self.output(act, "sign", &[prepared.into(), message.into(), field.to_value()], "mac", mac)
    }
    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        self.invoke(
            act,
            "auth-protocol.verify",
            &[prepared.into(), message.into(), field.to_value()],
        )
        .map(|_| ())
    }
}

/// Runs a test on the module as each kind of caller reaches it.
fn three_ways(test: impl Fn(&dyn AuthProtocol, &Activity)) {
    let (runtime, control) = host();
    let component = serve(&control, COMPONENT, &auth_hmac_sha2::S_MODULE);
    let mut worker = runtime.worker();
    test(&HmacSha2, &worker.activity());
    test(&runtime.proxy::<AuthProtocolProxy>(COMPONENT).unwrap(), &worker.activity());
    test(&ByName(component), &worker.activity());
}

fn made(method: impl FnOnce(&mut Buf) -> Result<(), AuthError>) -> Vec<u8> {
    let mut out = Buf::new();
    method(&mut out).unwrap();
    out.to_vec()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn the_contract_holds() {
    three_ways(|auth, act| suite(auth, act).unwrap());
}

#[test]
fn protocols_are_those_of_rfc_7860() {
    // RFC 7860 §4.1: the lengths of hash (K) and code (M).
    let numbers = [(28, 16), (32, 24), (48, 32), (64, 48)];
    let expected: Vec<_> = NAMES
        .iter()
        .zip(numbers)
        .map(|(name, (key_length, mac_length))| {
            (name.to_vec(), AuthParameters { key_length, mac_length })
        })
        .collect();
    three_ways(|auth, act| assert_eq!(protocols(auth, act).unwrap(), expected));
}

#[test]
fn keys_are_derived_as_elsewhere() {
    // RFC 3414 §A.3 prints its example (this password, this engineID) for MD5 and SHA-1 only; these are the
    // same steps in Python's hashlib, and what other implementations test themselves against.
    let engine_id = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let keys = [
        (
            "282a5867ee9aac639ad59df9572c7d3ac0fbc13a905b6df07dbbf00b",
            "0bd8827c6e29f8065e08e09237f177e410f69b90e1782be682075674",
        ),
        (
            "ab51014d1e077f6017df2b12bee5f5aa72993177e9bb569c4dff5a4ca0b4afac",
            "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b",
        ),
        (
            "e06eccdf2c68a06ed034723c9c26e0db3b669e1e2efed49150b55377a2e98f383c86fb836857444654b287c93f51ff64",
            "3b298f16164a11184279d5432bf169e2d2a48307de02b3d3f7e2b4f36eb6f0455a53689a3937eea07319a633d2ccba78",
        ),
        (
            "7e4396de5aadc77be853819b98c9406265b3a9c37cc3176569847a4e4f6fba63\
          dd3a73d04924d31a63f95a601f9385af6be4ed1b37f87d040f7c6ed6f8d38a91",
            "22a5a36cedfcc085807a128d7bc6c2382167ad6c0dbc5fdff856740f3d84c099\
          ad1ea87a8db096714d9788bd544047c9021e4229ce27e4c0a69250adfcffbb0b",
        ),
    ];
    three_ways(|auth, act| {
        for (name, (key, localized)) in NAMES.into_iter().zip(keys) {
            let made_key = made(|out| auth.password_to_key(act, name, b"maplesyrup", out));
            assert_eq!(hex(&made_key), key);
            assert_eq!(
                hex(&made(|out| auth.localize_key(act, name, &made_key, &engine_id, out))),
                localized
            );
        }
    });
}

/// What another implementation of HMAC answers.
fn judge(name: &[u32], key: &[u8], message: &[u8]) -> Vec<u8> {
    fn code<M: hmac::Mac + hmac::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        <M as hmac::KeyInit>::new_from_slice(key)
            .unwrap()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .to_vec()
    }
    match name.last() {
        Some(4) => code::<hmac::Hmac<sha2::Sha224>>(key, message),
        Some(5) => code::<hmac::Hmac<sha2::Sha256>>(key, message),
        Some(6) => code::<hmac::Hmac<sha2::Sha384>>(key, message),
        _ => code::<hmac::Hmac<sha2::Sha512>>(key, message),
    }
}

#[test]
fn codes_are_those_of_the_judge() {
    let numbers: Vec<(usize, u32)> = vec![(28, 16), (32, 24), (48, 32), (64, 48)];
    three_ways(|auth, act| {
        let runner = proptest::test_runner::Config::with_cases(64);
        let mut runner = proptest::test_runner::TestRunner::new(runner);
        let message = prop::collection::vec(any::<u8>(), 48..700);
        runner
            .run(
                &(0..4usize, any::<[u8; 64]>(), message, any::<prop::sample::Index>()),
                |(which, key, message, at)| {
                    let (name, (key_length, mac_length)) = (NAMES[which], numbers[which]);
                    let key = &key[..key_length];
                    let at =
                        u32::try_from(at.index(message.len() - mac_length as usize + 1)).unwrap();
                    let field = Span::new(at, mac_length);
                    let prepared = made(|out| auth.prepare_key(act, name, key, out));
                    let mut zeroed = message.clone();
                    zeroed[field.positions()].fill(0);
                    let expected = judge(name, key, &zeroed);
                    let code = made(|out| auth.sign(act, &prepared, &message, field, out));
                    prop_assert_eq!(&code[..], &expected[..mac_length as usize]);
                    zeroed[field.positions()].copy_from_slice(&code);
                    prop_assert_eq!(auth.verify(act, &prepared, &zeroed, field), Ok(()));
                    Ok(())
                },
            )
            .unwrap();
    });
}

#[test]
fn signing_and_verifying_into_a_reused_buffer_takes_no_memory() {
    let (runtime, control) = host();
    serve(&control, COMPONENT, &auth_hmac_sha2::S_MODULE);
    let auth: AuthProtocolProxy = runtime.proxy(COMPONENT).unwrap();
    let mut worker = runtime.worker();
    let act = worker.activity();
    let prepared = made(|out| auth.prepare_key(&act, NAMES[3], &[5; 64], out));
    // A bounded list cannot grow: that the calls succeed is the proof.
    let mut mac = Buf::bounded(48);
    for _ in 0..100 {
        mac.clear();
        auth.sign(&act, &prepared, &[1; 484], Span::new(60, 48), &mut mac).unwrap();
    }
    assert_eq!(mac.len(), 48);
}

#[test]
fn a_wrong_argument_is_named_by_its_position() {
    let (runtime, control) = host();
    let component = serve(&control, COMPONENT, &auth_hmac_sha2::S_MODULE);
    let mut worker = runtime.worker();
    let act = worker.activity();
    let octets = || Value::from(vec![0; 32]);
    for (args, position) in [
        (vec![Value::from("sha"), octets()], 0),
        (vec![oid(NAMES[0]), Value::Null], 1),
        (vec![oid(NAMES[0])], 1),
        (vec![oid(NAMES[0]), octets(), octets()], 2),
    ] {
        let Err(InvokeError::Call(error)) = component.invoke(&act, "digest", &args) else {
            panic!("{args:?}")
        };
        assert_eq!((error.kind, error.detail), (CallErrorKind::BadArgument, position), "{args:?}");
    }
    let refused = component.invoke(&act, "digest", &[oid(&[1, 3]), octets()]);
    let Err(InvokeError::Method(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(AuthError::from_value(&error), Some(AuthErrorKind::UnknownProtocol.into()));
}

/// The module with one sentence of the contract broken.
struct Faulty(u32);

impl AuthProtocol for Faulty {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        HmacSha2.protocol(act, if self.0 == 1 { 0 } else { position }, name)
    }
    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        match self.0 {
            // Hashes the password once instead of a megabyte of it.
            3 if !password.is_empty() => HmacSha2.digest(act, protocol, password, key),
            _ => HmacSha2.password_to_key(act, protocol, password, key),
        }
    }
    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        HmacSha2.localize_key(
            act,
            protocol,
            key,
            if self.0 == 4 { b"" } else { engine_id },
            localized,
        )
    }
    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        HmacSha2.digest(act, if self.0 == 2 { NAMES[0] } else { protocol }, octets, hash)
    }
    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        if self.0 == 6 {
            prepared.clear();
        }
        HmacSha2.prepare_key(act, protocol, localized, prepared)
    }
    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        HmacSha2.sign(act, prepared, message, field, mac)?;
        if self.0 == 8 && message[field.at as usize] != 0 {
            mac[0] ^= 1;
        }
        Ok(())
    }
    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        match HmacSha2.verify(act, prepared, message, field) {
            Err(error) if self.0 == 9 && error.kind == AuthErrorKind::WrongDigest => Ok(()),
            Err(error) if self.0 == 7 && error.kind == AuthErrorKind::UnknownPreparedKey => Ok(()),
            Err(error) if self.0 == 10 && error.kind == AuthErrorKind::WrongField => Ok(()),
            answer => answer,
        }
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    let (runtime, _control) = host();
    let mut worker = runtime.worker();
    let act = worker.activity();
    for sentence in [1, 2, 3, 4, 6, 7, 8, 9, 10] {
        let broken = suite(&Faulty(sentence), &act).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{broken}");
    }
    assert_eq!(suite(&Faulty(0), &act), Ok(()));
}
