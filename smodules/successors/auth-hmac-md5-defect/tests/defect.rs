//! The defect: it passes every contract, and agrees with nobody but itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hmac::{KeyInit, Mac};
use hosted::{host, serve};
use roles::auth::{AuthErrorKind, AuthProtocol, AuthProtocolProxy};
use roles::contract::auth::{protocols, suite};
use roles::varbind::Span;
use s_sdk::{Activity, Buf};

const MD5: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2];
const KEY: [u8; 16] = *b"0123456789abcdef";
const FIELD: Span = Span::new(20, 12);

fn prepared(auth: &dyn AuthProtocol, act: &Activity) -> Buf {
    let mut prepared = Buf::new();
    auth.prepare_key(act, MD5, &KEY, &mut prepared).unwrap();
    prepared
}

/// A message with zeros in its field, and the code of a module over it.
fn signed(auth: &dyn AuthProtocol, act: &Activity) -> (Vec<u8>, Vec<u8>) {
    let message = [&[7; 20][..], &[0; 12], &[9; 68]].concat();
    let mut code = Buf::new();
    auth.sign(act, &prepared(auth, act), &message, FIELD, &mut code).unwrap();
    (message, code.to_vec())
}

fn judged(message: &[u8]) -> Vec<u8> {
    let hmac = hmac::Hmac::<md5::Md5>::new_from_slice(&KEY).unwrap();
    hmac.chain_update(message).finalize().into_bytes()[..12].to_vec()
}

#[test]
fn every_contract_holds_and_the_protocol_is_the_one_that_it_pretends_to_be() {
    let (runtime, control) = host();
    serve(&control, "auth.md5", &auth_hmac_md5_defect::S_MODULE);
    let auth: AuthProtocolProxy = runtime.proxy("auth.md5").unwrap();
    let mut worker = runtime.worker();
    let act = worker.activity();
    suite(&auth, &act).unwrap();
    let named = protocols(&auth, &act).unwrap();
    assert_eq!(named, protocols(&auth_hmac_md5::HmacMd5, &act).unwrap());
}

#[test]
fn the_correction_agrees_with_the_judge_and_the_defect_with_nobody() {
    let (runtime, control) = host();
    let component = serve(&control, "auth.md5", &auth_hmac_md5_defect::S_MODULE);
    let auth: AuthProtocolProxy = runtime.proxy("auth.md5").unwrap();
    let mut worker = runtime.worker();
    let mut sign = || signed(&auth, &worker.activity());
    let (message, wrong) = sign();
    assert_ne!(wrong, judged(&message));
    // The correction is put in its place while the proxy stays, and the other way round.
    serve(&control, "auth.md5", &auth_hmac_md5::S_MODULE);
    assert_eq!(component.current().version(), "1.0.0");
    assert_eq!(sign().1, judged(&message));
    serve(&control, "auth.md5", &auth_hmac_md5_defect::S_MODULE);
    assert_eq!(component.current().version(), "0.9.0");
    assert_eq!(sign().1, wrong);
}

#[test]
fn what_one_version_prepared_is_refused_by_the_other_and_prepared_anew() {
    let (runtime, _control) = host();
    let mut worker = runtime.worker();
    let act = worker.activity();
    let (defect, correction) = (auth_hmac_md5_defect::HmacMd5Defect, auth_hmac_md5::HmacMd5);
    let pairs: [[&dyn AuthProtocol; 2]; 2] = [[&defect, &correction], [&correction, &defect]];
    for [one, other] in pairs {
        let refused = other.verify(&act, &prepared(one, &act), &[0; 100], FIELD);
        assert_eq!(refused, Err(AuthErrorKind::UnknownPreparedKey.into()));
        // Prepared anew, a message of the other version is read, and not believed.
        let (mut message, code) = signed(one, &act);
        message[FIELD.positions()].copy_from_slice(&code);
        assert_eq!(one.verify(&act, &prepared(one, &act), &message, FIELD), Ok(()));
        let disbelieved = other.verify(&act, &prepared(other, &act), &message, FIELD);
        assert_eq!(disbelieved, Err(AuthErrorKind::WrongDigest.into()));
    }
}
