//! A security model that calls the authentication module: one module calls another, and what the first
//! call of an activity learned is there for the last.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use hosted::{host, serve};
use roles::auth::{AuthErrorKind, AuthProtocol, AuthProtocolProxy};
use roles::message::StateReference;
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityErrorKind, SecurityHeader,
    SecurityModel, SecurityModelProxy, SecurityStateReference,
};
use roles::varbind::{SecurityLevel, Span, message_model, security_model};
use s_sdk::{Activity, Buf, Host, Module, Plain, Refusal, s_module};

const SHA_256: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5];
const MAC: u32 = 24;
const HEADER: SecurityHeader = SecurityHeader {
    message_model: message_model::SNMPV3,
    security_model: security_model::USM,
    security_level: SecurityLevel::AuthNoPriv,
    max_message_size: 1472,
};

/// Two users with a key each. A message is a code, the number of a user, and what it says.
struct TwoUsers {
    auth: AuthProtocolProxy,
}

/// What a response needs of its request.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Admitted {
    user: u32,
    max_message_size: u32,
}

impl TwoUsers {
    /// A real model prepares a user's key once. Here it is made for every message, through three more calls.
    fn key_of(&self, act: &Activity, user: u8) -> Result<Buf, SecurityError> {
        let wrong = |_| SecurityError::new(SecurityErrorKind::UnknownUserName);
        let (mut key, mut localized, mut prepared) = (Buf::new(), Buf::new(), Buf::new());
        let password = [b"alice's password".as_slice(), b"bob's password".as_slice()];
        let password = password.get(usize::from(user)).ok_or(SecurityErrorKind::UnknownUserName)?;
        self.auth.digest(act, SHA_256, password, &mut key).map_err(wrong)?;
        self.auth.localize_key(act, SHA_256, &key, b"engine", &mut localized).map_err(wrong)?;
        self.auth.prepare_key(act, SHA_256, &localized, &mut prepared).map_err(wrong)?;
        Ok(prepared)
    }

    fn signed(
        &self,
        act: &Activity,
        user: u8,
        says: &[u8],
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let start = message.len();
        message.append(&[0; MAC as usize])?;
        message.push(user)?;
        message.append(says)?;
        let mut mac = Buf::bounded(MAC as usize);
        let key = self.key_of(act, user)?;
        let signed = self.auth.sign(act, &key, &message[start..], Span::new(0, MAC), &mut mac);
        signed.map_err(|_| SecurityErrorKind::UnsupportedSecurityLevel)?;
        message[start..start + MAC as usize].copy_from_slice(&mac);
        Ok(())
    }
}

#[s_module(component = "security.test", version = "1.0.0", depends("auth.sha2" = "^1"))]
impl SecurityModel for TwoUsers {
    fn process_incoming(
        &self,
        act: &Activity,
        header: SecurityHeader,
        parts: MessageParts,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        let parse = SecurityErrorKind::ParseError;
        let &[user] = parts.security_parameters.of(message).ok_or(parse)? else {
            return Err(parse.into());
        };
        let key = self.key_of(act, user)?;
        self.auth.verify(act, &key, message, Span::new(0, MAC)).map_err(|error| {
            match error.kind {
                AuthErrorKind::WrongDigest | AuthErrorKind::WrongField => {
                    SecurityErrorKind::WrongDigest
                }
                _ => SecurityErrorKind::UnsupportedSecurityLevel,
            }
        })?;
        data.security_name.append(if user == 0 { b"alice" } else { b"bob" })?;
        data.scoped_pdu.append(parts.data.of(message).ok_or(parse)?)?;
        let state =
            act.keep(Admitted { user: user.into(), max_message_size: header.max_message_size })?;
        Ok(Accepted { max_response_size: header.max_message_size - MAC - 1, state: state.of() })
    }

    fn generate_request(
        &self,
        act: &Activity,
        _header: SecurityHeader,
        _global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let user = match &data.security_name[..] {
            b"alice" => 0,
            b"bob" => 1,
            _ => return Err(SecurityErrorKind::UnknownUserName.into()),
        };
        self.signed(act, user, &data.scoped_pdu, message)
    }

    fn generate_response(
        &self,
        act: &Activity,
        _header: SecurityHeader,
        _global_data: &[u8],
        data: &SecurityData,
        state: SecurityStateReference,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let admitted =
            act.recall(state.of::<Admitted>()).map_err(|_| SecurityErrorKind::StaleReference)?;
        let size = MAC + 1 + u32::try_from(data.scoped_pdu.len()).unwrap_or(u32::MAX);
        if size > admitted.max_message_size {
            return Err(SecurityError::detailed(SecurityErrorKind::TooBig, size));
        }
        self.signed(act, u8::try_from(admitted.user).unwrap_or(u8::MAX), &data.scoped_pdu, message)
    }
}

impl Module for TwoUsers {
    fn init(host: Host) -> Result<Self, Refusal> {
        let auth =
            host.lookup("auth.sha2").map_err(|error| Refusal(format!("auth.sha2: {error}")))?;
        Ok(TwoUsers { auth })
    }
}

fn parts_of(message: &[u8]) -> MessageParts {
    let rest = u32::try_from(message.len()).unwrap() - MAC - 1;
    MessageParts { security_parameters: Span::new(MAC, 1), data: Span::new(MAC + 1, rest) }
}

fn says(name: &[u8], text: &[u8]) -> SecurityData {
    SecurityData {
        security_name: name.to_vec().into(),
        scoped_pdu: text.to_vec().into(),
        ..Default::default()
    }
}

fn model() -> (&'static s_proxy::Runtime, SecurityModelProxy) {
    let (runtime, control) = host();
    serve(&control, "auth.sha2", &auth_hmac_sha2::S_MODULE);
    serve(&control, "security.test", &S_MODULE);
    (runtime, runtime.proxy("security.test").unwrap())
}

fn accept(
    model: SecurityModelProxy,
    act: &Activity,
    message: &[u8],
) -> Result<(Accepted, SecurityData), SecurityError> {
    let mut data = SecurityData::default();
    let accepted = model.process_incoming(act, HEADER, parts_of(message), message, &mut data)?;
    Ok((accepted, data))
}

fn request(model: SecurityModelProxy, act: &Activity, user: &[u8], text: &[u8]) -> Buf {
    let mut message = Buf::new();
    model.generate_request(act, HEADER, &[], &says(user, text), &mut message).unwrap();
    message
}

#[test]
fn a_response_is_made_with_what_its_request_left() {
    let (runtime, model) = model();
    let mut worker = runtime.worker();
    for user in [b"alice".as_slice(), b"bob"] {
        let act = worker.activity();
        let (accepted, data) = accept(model, &act, &request(model, &act, user, b"get")).unwrap();
        assert_eq!((&data.security_name[..], &data.scoped_pdu[..]), (user, b"get".as_slice()));
        let mut response = Buf::new();
        // The name in the data does not count: the reference says who asked.
        model
            .generate_response(
                &act,
                HEADER,
                &[],
                &says(b"mallory", b"answer"),
                accepted.state,
                &mut response,
            )
            .unwrap();
        let (_, data) = accept(model, &act, &response).unwrap();
        assert_eq!((&data.security_name[..], &data.scoped_pdu[..]), (user, b"answer".as_slice()));
    }
}

#[test]
fn a_reference_ends_with_its_activity() {
    let (runtime, model) = model();
    let mut worker = runtime.worker();
    let stale = {
        let act = worker.activity();
        accept(model, &act, &request(model, &act, b"bob", b"get")).unwrap().0.state
    };
    assert!(stale.is_some());
    let act = worker.activity();
    for reference in [stale, StateReference::none()] {
        let answer = model.generate_response(
            &act,
            HEADER,
            &[],
            &says(b"bob", b"x"),
            reference,
            &mut Buf::new(),
        );
        assert_eq!(answer, Err(SecurityErrorKind::StaleReference.into()));
    }
    // Something else that was kept is not mistaken for it.
    let other = act.keep(7u64).unwrap();
    let answer = model.generate_response(
        &act,
        HEADER,
        &[],
        &says(b"bob", b"x"),
        other.of(),
        &mut Buf::new(),
    );
    assert_eq!(answer, Err(SecurityErrorKind::StaleReference.into()));
}

#[test]
fn an_altered_message_is_a_wrong_digest_by_whichever_module_found_it() {
    let (runtime, model) = model();
    let mut worker = runtime.worker();
    let act = worker.activity();
    let mut message = request(model, &act, b"alice", b"get");
    message[MAC as usize + 1] ^= 1;
    let error = accept(model, &act, &message).map(|_| ()).unwrap_err();
    assert_eq!(error.kind, SecurityErrorKind::WrongDigest);
    assert_eq!(error.kind.counter(), Some(roles::error::Counter::WrongDigests));
}

#[test]
fn a_model_does_not_start_without_what_it_calls() {
    let (runtime, control) = host();
    let component = runtime.add_component("security.test").unwrap();
    let refused = control.create(component, s_proxy::Code::linked(&S_MODULE));
    assert!(refused.is_err_and(|error| error.to_string().contains("auth.sha2")));
}
