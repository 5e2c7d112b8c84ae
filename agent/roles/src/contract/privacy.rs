//! The contract suite of [`crate::privacy`]: what every privacy module passes.
//!
//! It asks the module what it can do and checks each protocol against the sentences. What the right
//! ciphertexts are, the module's own tests say with the vectors of its RFCs; and that no salt comes twice
//! across a swap, which one instance cannot show.

use super::Broken;
use crate::privacy::{EngineTime, PrivProtocol, PrivacyError, PrivacyErrorKind, PrivacyParameters};
use s_sdk::{Activity, Buf, List};
use std::collections::BTreeSet;

const CLOCK: EngineTime = EngineTime { boots: 7, time_seconds: 86_400 };

/// More protocols than any module has: a module that names so many never stops.
const MANY: u32 = 1000;

/// So many salts of each protocol are compared with one another.
const SALTS: u32 = 1000;

/// Checks a module, or whatever a proxy stands for, against the contract.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(privacy: &dyn PrivProtocol, act: &Activity) -> Result<(), Broken> {
    let protocols = protocols(privacy, act)?;
    refuses_unknown_protocols(privacy, act)?;
    for (name, parameters) in &protocols {
        Checked { privacy, act, name, parameters: *parameters }.all()?;
    }
    Ok(())
}

/// The protocols that a module names.
///
/// # Errors
/// Sentence 1 is broken.
pub fn protocols(
    privacy: &dyn PrivProtocol,
    act: &Activity,
) -> Result<Vec<(Vec<u32>, PrivacyParameters)>, Broken> {
    let mut found: Vec<(Vec<u32>, PrivacyParameters)> = Vec::new();
    for position in 0..MANY {
        let mut name = List::new();
        match privacy.protocol(act, position, &mut name) {
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
                let PrivacyParameters { key_length, salt_length, block_length, .. } = parameters;
                check(1, key_length > 0 && salt_length > 0 && block_length > 0, || {
                    format!("{parameters:?}: there is no key, salt or block of no octets")
                })?;
                found.push((name.to_vec(), parameters));
            }
            Err(PrivacyError { kind: PrivacyErrorKind::UnknownProtocol, .. }) => {
                check(1, !found.is_empty(), || "the module names no protocol".to_owned())?;
                return Ok(found);
            }
            Err(error) => return Err(broken(1, format!("protocol {position} answers `{error}`"))),
        }
    }
    Err(broken(1, format!("there is no end after {MANY} protocols")))
}

fn refuses_unknown_protocols(privacy: &dyn PrivProtocol, act: &Activity) -> Result<(), Broken> {
    let (unknown, octets) = (&[1, 3, 6, 1, 6, 3, 10, 1, 2, u32::MAX], [0; 32]);
    let (mut out, mut salt) = (Buf::new(), Buf::new());
    for length in [8, 16, 24, 32] {
        let key = &octets[..length];
        let encrypted = privacy.encrypt(act, unknown, key, CLOCK, &octets, &mut out, &mut salt);
        refused(2, PrivacyErrorKind::UnknownProtocol, "encrypt", encrypted)?;
        let decrypted = privacy.decrypt(act, unknown, key, CLOCK, &octets[..8], &octets, &mut out);
        refused(2, PrivacyErrorKind::UnknownProtocol, "decrypt", decrypted)?;
    }
    Ok(())
}

/// One protocol under examination.
struct Checked<'a> {
    privacy: &'a dyn PrivProtocol,
    act: &'a Activity,
    name: &'a [u32],
    parameters: PrivacyParameters,
}

impl Checked<'_> {
    fn all(&self) -> Result<(), Broken> {
        self.takes_keys_of_one_length()?;
        for len in (0..=70).chain([127, 128, 129, 484, 1472]) {
            self.goes_there_and_back(len)?;
        }
        self.appends()?;
        self.depends_on_key_and_salt()?;
        self.never_repeats_a_salt()?;
        self.refuses_what_cannot_be_right()?;
        self.does_not_shorten()
    }

    fn key(&self) -> Vec<u8> {
        octets(self.parameters.key_length, 59)
    }

    fn encrypted(&self, sentence: u32, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Broken> {
        let (mut cipher, mut salt) = (Buf::new(), Buf::new());
        let Checked { privacy, act, name, .. } = self;
        privacy
            .encrypt(act, name, &self.key(), CLOCK, plain, &mut cipher, &mut salt)
            .map_err(|error| broken(sentence, format!("an ordinary call answers `{error}`")))?;
        Ok((cipher.to_vec(), salt.to_vec()))
    }

    fn decrypted(&self, key: &[u8], salt: &[u8], cipher: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut plain = Buf::new();
        let Checked { privacy, act, name, .. } = self;
        privacy
            .decrypt(act, name, key, CLOCK, salt, cipher, &mut plain)
            .map_err(|error| broken(5, format!("an ordinary call answers `{error}`")))?;
        Ok(plain.to_vec())
    }

    /// Sentence 3.
    fn takes_keys_of_one_length(&self) -> Result<(), Broken> {
        let Checked { privacy, act, name, parameters } = self;
        let key = self.key();
        let block = vec![0; parameters.block_length as usize];
        let salt = vec![0; parameters.salt_length as usize];
        for wrong in [&key[1..], &[&key[..], &[0]].concat(), &[&key[..], &key].concat(), &[]] {
            let what = format!("a key of {} octets", wrong.len());
            let (mut out, mut out_salt) = (Buf::new(), Buf::new());
            let encrypted =
                privacy.encrypt(act, name, wrong, CLOCK, &block, &mut out, &mut out_salt);
            refused(3, PrivacyErrorKind::WrongKeyLength, &what, encrypted)?;
            let decrypted = privacy.decrypt(act, name, wrong, CLOCK, &salt, &block, &mut out);
            refused(3, PrivacyErrorKind::WrongKeyLength, &what, decrypted)?;
        }
        Ok(())
    }

    /// Sentences 4 and 5 for a text of one length.
    fn goes_there_and_back(&self, len: u32) -> Result<(), Broken> {
        let PrivacyParameters { salt_length, block_length, .. } = self.parameters;
        let message = octets(len, 151);
        let (cipher, salt) = self.encrypted(4, &message)?;
        check(4, salt.len() == salt_length as usize, || format!("a salt of {}", salt.len()))?;
        let whole = message.len().next_multiple_of(block_length as usize);
        check(4, cipher.len() == whole, || {
            format!("{len} octets become {} and not {whole}", cipher.len())
        })?;
        // A few octets may come out as they went in by chance, eight may not.
        check(4, len < 8 || !cipher.starts_with(&message), || "nothing is hidden".to_owned())?;
        let plain = self.decrypted(&self.key(), &salt, &cipher)?;
        check(5, plain.len() == whole && plain.starts_with(&message), || {
            format!("{len} octets do not come back")
        })?;
        check(5, self.decrypted(&self.key(), &salt, &cipher)? == plain, || {
            "the second time something else comes back".to_owned()
        })
    }

    /// The first rule of all roles, under the sentences of the two methods.
    fn appends(&self) -> Result<(), Broken> {
        let Checked { privacy, act, name, .. } = self;
        let before = || Buf::from(b"before".to_vec());
        let (mut cipher, mut salt, mut plain) = (before(), before(), before());
        let message = octets(100, 3);
        privacy
            .encrypt(act, name, &self.key(), CLOCK, &message, &mut cipher, &mut salt)
            .map_err(|error| broken(4, format!("an ordinary call answers `{error}`")))?;
        let (Some(cipher), Some(salt)) =
            (cipher.strip_prefix(b"before"), salt.strip_prefix(b"before"))
        else {
            return Err(broken(4, "an output was overwritten, not appended to".to_owned()));
        };
        privacy
            .decrypt(act, name, &self.key(), CLOCK, salt, cipher, &mut plain)
            .map_err(|error| broken(5, format!("an ordinary call answers `{error}`")))?;
        check(5, plain.starts_with(&[b"before", &message[..]].concat()), || {
            "an output was overwritten, not appended to".to_owned()
        })
    }

    /// Sentence 5 from its other side: with another key or another salt the text does not come back.
    fn depends_on_key_and_salt(&self) -> Result<(), Broken> {
        let message = octets(64, 7);
        let (cipher, mut salt) = self.encrypted(4, &message)?;
        let (again, _) = self.encrypted(4, &message)?;
        check(6, cipher != again, || "one text is encrypted twice in the same way".to_owned())?;
        let mut key = self.key();
        key.iter_mut().for_each(|octet| *octet ^= 0x0e);
        check(5, self.decrypted(&key, &salt, &cipher)? != message, || {
            "the key does not count".to_owned()
        })?;
        salt.iter_mut().for_each(|octet| *octet ^= 0x80);
        check(5, self.decrypted(&self.key(), &salt, &cipher)? != message, || {
            "the salt does not count".to_owned()
        })
    }

    /// Sentence 6, as far as one instance shows it.
    fn never_repeats_a_salt(&self) -> Result<(), Broken> {
        let mut seen = BTreeSet::new();
        for _ in 0..SALTS {
            let (_, salt) = self.encrypted(6, b"text")?;
            check(6, seen.insert(salt), || {
                format!("after {} calls a salt comes again", seen.len())
            })?;
        }
        Ok(())
    }

    /// Sentence 7.
    fn refuses_what_cannot_be_right(&self) -> Result<(), Broken> {
        let Checked { privacy, act, name, parameters } = self;
        let (key, mut out) = (self.key(), Buf::new());
        let (cipher, salt) = self.encrypted(4, &octets(64, 5))?;
        for wrong in [&salt[1..], &[&salt[..], &[0]].concat(), &[]] {
            let what = format!("a salt of {} octets", wrong.len());
            let answer = privacy.decrypt(act, name, &key, CLOCK, wrong, &cipher, &mut out);
            refused(7, PrivacyErrorKind::DecryptionError, &what, answer)?;
        }
        for len in 1..cipher.len() {
            if !len.is_multiple_of(parameters.block_length as usize) {
                let what = format!("a ciphertext of {len} octets");
                let answer =
                    privacy.decrypt(act, name, &key, CLOCK, &salt, &cipher[..len], &mut out);
                refused(7, PrivacyErrorKind::DecryptionError, &what, answer)?;
            }
        }
        Ok(())
    }

    /// The third rule of all roles: what does not fit is an error.
    fn does_not_shorten(&self) -> Result<(), Broken> {
        let Checked { privacy, act, name, parameters } = self;
        let (key, message) = (self.key(), octets(64, 11));
        let (cipher, salt) = self.encrypted(4, &message)?;
        let mut small = Buf::bounded(cipher.len() - 1);
        // An allocator may round up; a list that then has room is no test of one that has none.
        if small.room() < cipher.len() {
            let answer =
                privacy.encrypt(act, name, &key, CLOCK, &message, &mut small, &mut Buf::new());
            refused(4, PrivacyErrorKind::Call, "a full ciphertext", answer)?;
            small.clear();
            let answer = privacy.decrypt(act, name, &key, CLOCK, &salt, &cipher, &mut small);
            refused(5, PrivacyErrorKind::Call, "a full plaintext", answer)?;
        }
        let mut small = Buf::bounded(parameters.salt_length as usize - 1);
        if small.room() < parameters.salt_length as usize {
            let answer =
                privacy.encrypt(act, name, &key, CLOCK, &message, &mut Buf::new(), &mut small);
            refused(4, PrivacyErrorKind::Call, "a full salt", answer)?;
        }
        Ok(())
    }
}

/// So many octets that look like nothing in particular.
fn octets(len: u32, step: u32) -> Vec<u8> {
    (1..=len).map(|i| i.wrapping_mul(step).to_be_bytes()[3]).collect()
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "privacy", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused(
    sentence: u32,
    kind: PrivacyErrorKind,
    what: &str,
    answer: Result<(), PrivacyError>,
) -> Result<(), Broken> {
    check(sentence, answer.is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}
