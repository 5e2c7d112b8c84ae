//! The contract suite of [`crate::auth`]: what every authentication module passes.
//!
//! It asks the module what it can do and checks each protocol against the sentences. What the right codes
//! and keys are, the module's own tests say with the vectors of its RFCs.

use super::Broken;
use crate::auth::{AuthError, AuthErrorKind, AuthParameters, AuthProtocol, MAX_PREPARED_KEY};
use crate::varbind::Span;
use s_sdk::{Activity, Buf, List};

const ENGINE: &[u8] = &[0x80, 0, 0x1f, 0x88, 4, b's', b'u', b'i', b't', b'e'];

/// More protocols than any module has: a module that names so many never stops.
const MANY: u32 = 1000;

/// Checks a module, or whatever a proxy stands for, against the contract.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(auth: &dyn AuthProtocol, act: &Activity) -> Result<(), Broken> {
    let protocols = protocols(auth, act)?;
    refuses_unknown_protocols(auth, act)?;
    for (name, parameters) in &protocols {
        Checked { auth, act, name, parameters: *parameters }.all()?;
    }
    prepared_for_one_protocol_only(auth, act, &protocols)
}

/// The protocols that a module names.
///
/// # Errors
/// Sentence 1 is broken.
pub fn protocols(
    auth: &dyn AuthProtocol,
    act: &Activity,
) -> Result<Vec<(Vec<u32>, AuthParameters)>, Broken> {
    let mut found: Vec<(Vec<u32>, AuthParameters)> = Vec::new();
    for position in 0..MANY {
        let mut name = List::new();
        match auth.protocol(act, position, &mut name) {
            Ok(parameters) => {
                check(
                    1,
                    !name.is_empty() && found.iter().all(|(other, _)| **other != *name),
                    || {
                        format!(
                            "protocol {position} is named {:?}, which is empty or taken",
                            &*name
                        )
                    },
                )?;
                check(
                    1,
                    parameters.mac_length > 0 && parameters.mac_length <= parameters.key_length,
                    || format!("{parameters:?}: the code must be cut from the hash"),
                )?;
                found.push((name.to_vec(), parameters));
            }
            Err(AuthError { kind: AuthErrorKind::UnknownProtocol, .. }) => {
                check(1, !found.is_empty(), || "the module names no protocol".to_owned())?;
                return Ok(found);
            }
            Err(error) => return Err(broken(1, format!("protocol {position} answers `{error}`"))),
        }
    }
    Err(broken(1, format!("there is no end after {MANY} protocols")))
}

fn refuses_unknown_protocols(auth: &dyn AuthProtocol, act: &Activity) -> Result<(), Broken> {
    let (unknown, mut out) = (&[1, 3, 6, 1, 6, 3, 10, 1, 1, u32::MAX], Buf::new());
    for (what, answer) in [
        ("password_to_key", auth.password_to_key(act, unknown, b"password", &mut out)),
        ("localize_key", auth.localize_key(act, unknown, &[0; 20], ENGINE, &mut out)),
        ("digest", auth.digest(act, unknown, b"abc", &mut out)),
        ("prepare_key", auth.prepare_key(act, unknown, &[0; 20], &mut out)),
    ] {
        refused(2, AuthErrorKind::UnknownProtocol, what, answer)?;
    }
    Ok(())
}

/// One protocol under examination.
struct Checked<'a> {
    auth: &'a dyn AuthProtocol,
    act: &'a Activity,
    name: &'a [u32],
    parameters: AuthParameters,
}

impl Checked<'_> {
    fn all(&self) -> Result<(), Broken> {
        let key = self.keys()?;
        let prepared = self.prepares(&key)?;
        self.signs(&prepared)?;
        self.refuses(&prepared)
    }

    fn key_length(&self) -> usize {
        self.parameters.key_length as usize
    }

    fn localized(&self, key: &[u8], engine_id: &[u8]) -> Result<Vec<u8>, Broken> {
        made(4, self.key_length(), |out| {
            self.auth.localize_key(self.act, self.name, key, engine_id, out)
        })
    }

    /// Sentences 3 to 5; answers a localized key.
    fn keys(&self) -> Result<Vec<u8>, Broken> {
        let Checked { auth, act, name, .. } = self;
        let password = |password: &[u8]| {
            made(3, self.key_length(), |out| auth.password_to_key(act, name, password, out))
        };
        let digest =
            |octets: &[u8]| made(5, self.key_length(), |out| auth.digest(act, name, octets, out));

        refused(
            3,
            AuthErrorKind::EmptyPassword,
            "an empty password",
            auth.password_to_key(act, name, &[], &mut Buf::new()),
        )?;
        let key = password(b"maplesyrup")?;
        let repeated: Vec<u8> = b"maplesyrup".iter().copied().cycle().take(1 << 20).collect();
        check(3, key == digest(&repeated)?, || {
            "the key is not the hash of the repeated password".to_owned()
        })?;
        check(3, key == password(b"maplesyrupmaplesyrup")?, || {
            "a password and the password twice are the same megabyte, and give two keys".to_owned()
        })?;
        // A password as long as the stretch, and a longer one of which only the stretch counts.
        let long: Vec<u8> =
            (0..(1u32 << 20) + 7).map(|i| i.to_be_bytes()[3] ^ i.to_be_bytes()[2]).collect();
        check(3, password(&long)? == digest(&long[..1 << 20])?, || {
            "a password longer than the megabyte counts beyond it".to_owned()
        })?;

        let localized = self.localized(&key, ENGINE)?;
        let expected = digest(&[&key, ENGINE, &key].concat())?;
        check(4, localized == expected, || {
            "localizing is not hashing key, engineID, key".to_owned()
        })?;
        check(4, self.localized(&key, &ENGINE[1..])? != localized, || {
            "the engineID does not count".to_owned()
        })?;
        for wrong in [&key[1..], &[&key[..], &[0]].concat(), &[]] {
            let what = format!("a key of {} octets", wrong.len());
            let mut out = Buf::new();
            refused(
                4,
                AuthErrorKind::WrongKeyLength,
                &what,
                auth.localize_key(act, name, wrong, ENGINE, &mut out),
            )?;
            refused(
                4,
                AuthErrorKind::WrongKeyLength,
                &what,
                auth.prepare_key(act, name, wrong, &mut out),
            )?;
        }
        Ok(localized)
    }

    /// Sentence 6, and the first rule of all roles.
    fn prepares(&self, key: &[u8]) -> Result<Vec<u8>, Broken> {
        let prepare = |out: &mut Buf| self.auth.prepare_key(self.act, self.name, key, out);
        let mut out = Buf::from(b"before".to_vec());
        prepare(&mut out)
            .map_err(|error| broken(6, format!("preparing a key answers `{error}`")))?;
        let Some(prepared) = out.strip_prefix(b"before") else {
            return Err(broken(6, "an output was overwritten, not appended to".to_owned()));
        };
        check(6, prepared.len() <= MAX_PREPARED_KEY, || {
            format!("{} octets of prepared key", prepared.len())
        })?;
        let again = made(6, prepared.len(), prepare)?;
        check(6, again == prepared, || "the same key is prepared in two ways".to_owned())?;
        Ok(again)
    }

    fn signed(&self, prepared: &[u8], message: &[u8], field: Span) -> Result<Vec<u8>, Broken> {
        made(8, self.parameters.mac_length as usize, |out| {
            self.auth.sign(self.act, prepared, message, field, out)
        })
    }

    /// Sentences 8 and 9, for messages of many lengths and fields in many places.
    fn signs(&self, prepared: &[u8]) -> Result<(), Broken> {
        let mac_length = self.parameters.mac_length;
        for len in [mac_length, mac_length + 1, 64, 127, 128, 129, 484, 1472] {
            for at in [0, (len - mac_length.min(len)) / 2, len - mac_length.min(len)] {
                if len >= mac_length {
                    self.signs_one(prepared, len, Span::new(at, mac_length))?;
                }
            }
        }
        Ok(())
    }

    fn signs_one(&self, prepared: &[u8], len: u32, field: Span) -> Result<(), Broken> {
        let Checked { auth, act, .. } = self;
        let mut message: Vec<u8> = (0..len).map(|i| i.wrapping_mul(151).to_be_bytes()[3]).collect();
        let mac = self.signed(prepared, &message, field)?;
        message[field.positions()].fill(0);
        check(8, self.signed(prepared, &message, field)? == mac, || {
            "what is in the field counts".to_owned()
        })?;
        message[field.positions()].copy_from_slice(&mac);
        check(8, self.signed(prepared, &message, field)? == mac, || {
            "what is in the field counts".to_owned()
        })?;
        let accepted = auth.verify(act, prepared, &message, field);
        check(9, accepted.is_ok(), || {
            format!("{len} octets with their code at {} are refused: {accepted:?}", field.at)
        })?;
        // One flipped bit in the first, a middle and the last octet of the code and of the message.
        let code = [field.at, field.at + field.len / 2, field.at + field.len - 1];
        for at in code.into_iter().chain([0, len / 2, len - 1]) {
            for bit in [0x01, 0x80] {
                message[at as usize] ^= bit;
                refused(
                    9,
                    AuthErrorKind::WrongDigest,
                    "an altered message",
                    auth.verify(act, prepared, &message, field),
                )?;
                message[at as usize] ^= bit;
            }
        }
        Ok(())
    }

    /// Sentences 7 and 10, and the third rule of all roles.
    fn refuses(&self, prepared: &[u8]) -> Result<(), Broken> {
        let Checked { auth, act, .. } = self;
        let (message, mac_length) = ([7; 200], self.parameters.mac_length);
        let field = Span::new(50, mac_length);
        for (what, wrong) in [
            ("no octets", &[][..]),
            ("a prepared key cut short", &prepared[..prepared.len() - 1]),
            ("a prepared key with an octet behind", &[prepared, &[0]].concat()),
            ("octets that nobody prepared", &[0xa5; MAX_PREPARED_KEY]),
        ] {
            refused(
                7,
                AuthErrorKind::UnknownPreparedKey,
                what,
                auth.sign(act, wrong, &message, field, &mut Buf::new()),
            )?;
            refused(
                7,
                AuthErrorKind::UnknownPreparedKey,
                what,
                auth.verify(act, wrong, &message, field),
            )?;
        }
        for field in [
            Span::new(50, mac_length - 1),
            Span::new(50, mac_length + 1),
            Span::new(50, 0),
            Span::new(201 - mac_length, mac_length),
            Span::new(u32::MAX, mac_length),
            Span::new(0, u32::MAX),
        ] {
            let what = format!("a field {field:?} in 200 octets");
            refused(
                10,
                AuthErrorKind::WrongField,
                &what,
                auth.sign(act, prepared, &message, field, &mut Buf::new()),
            )?;
            refused(
                10,
                AuthErrorKind::WrongField,
                &what,
                auth.verify(act, prepared, &message, field),
            )?;
        }
        let mut small = Buf::bounded(mac_length as usize - 1);
        let room = small.room();
        // An allocator may round up; a list that then has room is no test of one that has none.
        if room < mac_length as usize {
            refused(
                8,
                AuthErrorKind::Call,
                "a full output",
                auth.sign(act, prepared, &message, field, &mut small),
            )?;
        }
        Ok(())
    }
}

/// Sentence 7: what was prepared for one protocol is no key of another.
fn prepared_for_one_protocol_only(
    auth: &dyn AuthProtocol,
    act: &Activity,
    protocols: &[(Vec<u32>, AuthParameters)],
) -> Result<(), Broken> {
    let message = [1; 300];
    let mut macs: Vec<Vec<u8>> = Vec::new();
    for (name, parameters) in protocols {
        let key = vec![3; parameters.key_length as usize];
        let mut prepared = Buf::new();
        let ready = auth.prepare_key(act, name, &key, &mut prepared);
        ready.map_err(|error| broken(7, format!("preparing a key answers `{error}`")))?;
        let field = Span::new(0, parameters.mac_length);
        let mac = made(7, parameters.mac_length as usize, |out| {
            auth.sign(act, &prepared, &message, field, out)
        })?;
        check(
            7,
            macs.iter().all(|other| !other.starts_with(&mac) && !mac.starts_with(other)),
            || "two protocols sign alike: a prepared key forgets its protocol".to_owned(),
        )?;
        macs.push(mac);
    }
    Ok(())
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "auth", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused(
    sentence: u32,
    kind: AuthErrorKind,
    what: &str,
    answer: Result<(), AuthError>,
) -> Result<(), Broken> {
    check(sentence, answer.is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}

/// What a method appends, if it is so many octets.
fn made(
    sentence: u32,
    len: usize,
    method: impl FnOnce(&mut Buf) -> Result<(), AuthError>,
) -> Result<Vec<u8>, Broken> {
    let mut out = Buf::new();
    method(&mut out)
        .map_err(|error| broken(sentence, format!("an ordinary call answers `{error}`")))?;
    check(sentence, out.len() == len, || format!("{} octets instead of {len}", out.len()))?;
    Ok(out.to_vec())
}
