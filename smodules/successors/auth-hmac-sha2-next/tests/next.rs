//! The protocol more: its contract, its codes, and a user of it in an agent that was built without.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../security-usm/tests/world/mod.rs"]
mod world;

use auth_hmac_sha2_next::{HmacSha2Next, SAGENT_AUTH_PROTOCOLS};
use hmac::{KeyInit, Mac};
use roles::auth::{AuthParameters, AuthProtocol, AuthProtocolProxy};
use roles::contract::auth::{protocols, suite};
use roles::security::SecurityErrorKind;
use roles::varbind::Span;
use s_sdk::{Activity, Buf};
use s_wire::{PduKind, Value};
use world::{AES_128, Ask, Manager, SHA_256, USERS, World, pdu, serve, user};

const SHA_512_256: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 4, 1, 1];
const NEW: (&str, &[u32], &[u32]) = ("grace", SHA_512_256, AES_128);

fn proxy(world: &World) -> AuthProtocolProxy {
    world.runtime.proxy("auth.sha2").unwrap()
}

fn made(method: impl FnOnce(&mut Buf) -> Result<(), roles::auth::AuthError>) -> Vec<u8> {
    let mut out = Buf::new();
    method(&mut out).unwrap();
    out.to_vec()
}

#[test]
fn the_contract_holds_and_a_protocol_stands_behind_those_of_the_predecessor() {
    let world = World::empty();
    serve(&world.control, "auth.sha2", &auth_hmac_sha2_next::S_MODULE);
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    suite(&proxy(&world), &act).unwrap();
    assert!(SHA_512_256.starts_with(SAGENT_AUTH_PROTOCOLS));
    let mut expected = protocols(&auth_hmac_sha2::HmacSha2, &act).unwrap();
    expected.push((SHA_512_256.to_vec(), AuthParameters { key_length: 32, mac_length: 32 }));
    assert_eq!(protocols(&HmacSha2Next, &act).unwrap(), expected);
}

#[test]
fn its_codes_are_those_of_the_judge() {
    let world = World::empty();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let (auth, key, field) = (HmacSha2Next, [0x0b; 32], Span::new(32, 32));
    let prepared = made(|out| auth.prepare_key(&act, SHA_512_256, &key, out));
    for length in [64, 128, 129, 484] {
        let message = vec![3; length];
        let mut zeroed = message.clone();
        zeroed[field.positions()].fill(0);
        let judge = hmac::Hmac::<sha2::Sha512_256>::new_from_slice(&key).unwrap();
        let judged = judge.chain_update(&zeroed).finalize().into_bytes();
        let code = made(|out| auth.sign(&act, &prepared, &message, field, out));
        assert_eq!(code, judged.to_vec());
    }
}

#[test]
fn what_the_predecessor_prepared_is_taken_over() {
    let world = World::empty();
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let sign = |prepared: &[u8], auth: &dyn AuthProtocol, act: &Activity| {
        made(|out| auth.sign(act, prepared, &[1; 100], Span::new(0, 24), out))
    };
    let old = auth_hmac_sha2::HmacSha2;
    let prepared = made(|out| old.prepare_key(&act, SHA_256, &[9; 32], out));
    assert_eq!(sign(&prepared, &HmacSha2Next, &act), sign(&prepared, &old, &act));
}

/// What becomes of a whole exchange, and of its answer.
fn exchange(world: &World, request: &[u8]) -> Result<(), SecurityErrorKind> {
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    match world.take(&act, request) {
        Err(error) => Err(error.security_kind().unwrap()),
        Ok((incoming, elements)) => {
            let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
            let answer = world.answer(&act, &incoming, &elements, response.clone()).unwrap();
            let manager = Manager { runtime: world.runtime, act: &act };
            assert_eq!(manager.hear(&Ask::of(NEW), &answer).pdu, response);
            Ok(())
        }
    }
}

#[test]
fn a_user_of_the_new_protocol_is_served_as_soon_as_the_module_is_there() {
    // The manager has the new module from the beginning; the agent does not.
    let manager = World::empty();
    serve(&manager.control, "auth.sha2", &auth_hmac_sha2_next::S_MODULE);
    let request = {
        let mut worker = manager.runtime.worker();
        let act = worker.activity();
        Manager { runtime: manager.runtime, act: &act }.ask(&Ask::of(NEW))
    };
    // The user may come before the module or after it.
    for user_first in [true, false] {
        let agent = World::new();
        let users = [&USERS.map(user)[..], &[user(NEW)]].concat();
        if user_first {
            assert_eq!(agent.apply(&users), "");
            let refused = exchange(&agent, &request);
            assert_eq!(refused, Err(SecurityErrorKind::UnsupportedSecurityLevel));
        }
        serve(&agent.control, "auth.sha2", &auth_hmac_sha2_next::S_MODULE);
        if !user_first {
            assert_eq!(agent.apply(&users), "");
        }
        assert_eq!(exchange(&agent, &request), Ok(()));
        // Without the algorithm there is no such user to believe; with it there is again.
        serve(&agent.control, "auth.sha2", &auth_hmac_sha2::S_MODULE);
        assert!(exchange(&agent, &request).is_err());
        serve(&agent.control, "auth.sha2", &auth_hmac_sha2_next::S_MODULE);
        assert_eq!(exchange(&agent, &request), Ok(()));
    }
}

#[test]
fn our_mib_text_has_the_name_of_the_protocol() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../agent/mibs");
    let output = std::process::Command::new("snmptranslate")
        .args(["-M", &format!("{folder}:{folder}/base"), "-m", "SAGENT-MIB", "-Pw", "-On"])
        .arg("SAGENT-MIB::sagentHMAC256SHA512t256AuthProtocol")
        .output()
        .expect("snmptranslate, of the package `snmp`");
    assert_eq!(String::from_utf8(output.stderr).as_deref(), Ok(""));
    let dotted = SHA_512_256.iter().map(|arc| format!(".{arc}")).collect::<String>();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), dotted);
}
