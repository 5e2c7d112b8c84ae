//! The tests of a module with one HMAC protocol: what differs is a table.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::{host, serve};
use proptest::prelude::*;
use roles::auth::{AuthError, AuthErrorKind, AuthParameters, AuthProtocol, AuthProtocolProxy};
use roles::contract::auth::{protocols, suite};
use roles::varbind::Span;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::{Activity, Buf};

/// A module, and what RFC 3414 says of it.
pub(crate) struct Case {
    pub(crate) component: &'static str,
    pub(crate) module: &'static ModuleDescriptor,
    pub(crate) direct: &'static (dyn AuthProtocol + Sync),
    pub(crate) name: &'static [u32],
    pub(crate) parameters: AuthParameters,
    /// §A.3: the key of "maplesyrup", and as it is at the engine 00 00 00 00 00 00 00 00 00 00 00 02.
    pub(crate) key: &'static str,
    pub(crate) localized: &'static str,
    /// §A.5: the same of "newsyrup" at that engine, and how the change is written down with a random part
    /// of zeros.
    pub(crate) new_localized: &'static str,
    pub(crate) change: &'static str,
    /// What another implementation of HMAC answers.
    pub(crate) judge: fn(&[u8], &[u8]) -> Vec<u8>,
}

const ENGINE: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

impl Case {
    /// Runs a test on the module itself and through a proxy.
    pub(crate) fn both_ways(&self, test: impl Fn(&dyn AuthProtocol, &Activity)) {
        let (runtime, control) = host();
        serve(&control, self.component, self.module);
        let mut worker = runtime.worker();
        test(self.direct, &worker.activity());
        test(&runtime.proxy::<AuthProtocolProxy>(self.component).unwrap(), &worker.activity());
    }

    pub(crate) fn holds_the_contract(&self) {
        self.both_ways(|auth, act| suite(auth, act).unwrap());
    }

    pub(crate) fn names_its_protocol(&self) {
        let expected = [(self.name.to_vec(), self.parameters)];
        self.both_ways(|auth, act| assert_eq!(protocols(auth, act).unwrap(), expected));
    }

    pub(crate) fn derives_the_keys_of_the_rfc(&self) {
        self.both_ways(|auth, act| {
            let key = made(|out| auth.password_to_key(act, self.name, b"maplesyrup", out));
            assert_eq!(hex(&key), self.key);
            assert_eq!(hex(&self.localized(auth, act, &key)), self.localized);
        });
    }

    pub(crate) fn changes_the_keys_of_the_rfc(&self) {
        self.both_ways(|auth, act| {
            let localized = |password: &[u8]| {
                let key = made(|out| auth.password_to_key(act, self.name, password, out));
                self.localized(auth, act, &key)
            };
            let (old, new) = (localized(b"maplesyrup"), localized(b"newsyrup"));
            assert_eq!(hex(&new), self.new_localized);
            let with_random = [&old[..], &vec![0; old.len()]].concat();
            let hash = made(|out| auth.digest(act, self.name, &with_random, out));
            let delta: Vec<u8> = hash.iter().zip(&new).map(|(hash, new)| hash ^ new).collect();
            assert_eq!(hex(&delta), self.change);
        });
    }

    pub(crate) fn signs_like_the_judge(&self) {
        let AuthParameters { key_length, mac_length } = self.parameters;
        self.both_ways(|auth, act| {
            let config = proptest::test_runner::Config::with_cases(64);
            let mut runner = proptest::test_runner::TestRunner::new(config);
            let key = prop::collection::vec(any::<u8>(), key_length as usize);
            let message = prop::collection::vec(any::<u8>(), mac_length as usize..700);
            let test = |(key, message, at): (Vec<u8>, Vec<u8>, prop::sample::Index)| {
                let at = u32::try_from(at.index(message.len() - mac_length as usize + 1)).unwrap();
                let field = Span::new(at, mac_length);
                let prepared = made(|out| auth.prepare_key(act, self.name, &key, out));
                let mut zeroed = message.clone();
                zeroed[field.positions()].fill(0);
                let expected = (self.judge)(&key, &zeroed);
                let code = made(|out| auth.sign(act, &prepared, &message, field, out));
                prop_assert_eq!(&code[..], &expected[..mac_length as usize]);
                zeroed[field.positions()].copy_from_slice(&code);
                prop_assert_eq!(auth.verify(act, &prepared, &zeroed, field), Ok(()));
                Ok(())
            };
            runner.run(&(key, message, any::<prop::sample::Index>()), test).unwrap();
        });
    }

    /// A key that SHA-2 prepared, or this module for another protocol, is refused.
    pub(crate) fn refuses_the_keys_of_others(&self) {
        self.both_ways(|auth, act| {
            let key = vec![7; self.parameters.key_length as usize];
            let own = made(|out| auth.prepare_key(act, self.name, &key, out));
            let digits = own.iter().position(u8::is_ascii_digit).unwrap();
            let mut other = own.clone();
            other[digits] ^= 1;
            let field = Span::new(0, self.parameters.mac_length);
            let refused = auth.sign(act, &other, &[0; 100], field, &mut Buf::new());
            assert_eq!(refused, Err(AuthErrorKind::UnknownPreparedKey.into()));
            auth.sign(act, &own, &[0; 100], field, &mut Buf::new()).unwrap();
        });
    }

    fn localized(&self, auth: &dyn AuthProtocol, act: &Activity, key: &[u8]) -> Vec<u8> {
        made(|out| auth.localize_key(act, self.name, key, ENGINE, out))
    }
}

fn made(method: impl FnOnce(&mut Buf) -> Result<(), AuthError>) -> Vec<u8> {
    let mut out = Buf::new();
    method(&mut out).unwrap();
    out.to_vec()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
