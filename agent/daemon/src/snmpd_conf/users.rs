//! Users: `createUser` in all its forms, and the `usmUser` lines of net-snmp's persistent file.
//!
//! It derives no key: the security module does. Invariant: no message names what a line has behind the
//! user's name, because those are secrets.

use super::verdict::{Told, Verdict, refused};
use super::words::{Words, hex};
use roles::settings::{KeyForm, User};

/// An authentication protocol as net-snmp spells it.
pub(super) struct Auth {
    name: &'static str,
    pub(super) oid: &'static [u32],
    /// How long its keys are.
    pub(super) key_len: usize,
}

/// A privacy protocol as net-snmp spells it.
pub(super) struct Priv {
    name: &'static str,
    pub(super) oid: &'static [u32],
    /// How many octets of a localized key it takes.
    pub(super) key_len: usize,
}

const AUTH: [Auth; 6] = [
    Auth { name: "MD5", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2], key_len: 16 },
    Auth { name: "SHA", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3], key_len: 20 },
    Auth { name: "SHA224", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 4], key_len: 28 },
    Auth { name: "SHA256", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5], key_len: 32 },
    Auth { name: "SHA384", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 6], key_len: 48 },
    Auth { name: "SHA512", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 7], key_len: 64 },
];

const PRIV: [Priv; 6] = [
    Priv { name: "DES", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2], key_len: 16 },
    Priv { name: "AES", oid: &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4], key_len: 16 },
    Priv { name: "AES192", oid: &[1, 3, 6, 1, 4, 1, 14832, 1, 3], key_len: 24 },
    Priv { name: "AES256", oid: &[1, 3, 6, 1, 4, 1, 14832, 1, 4], key_len: 32 },
    Priv { name: "AES192C", oid: &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1], key_len: 24 },
    Priv { name: "AES256C", oid: &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2], key_len: 32 },
];

/// usmNoAuthProtocol and usmNoPrivProtocol.
const NO_AUTH: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 1];
const NO_PRIV: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 1];

/// RFC 3414 §11.2.
const SHORTEST_PASSWORD: usize = 8;

/// Finds an authentication protocol by name.
pub(super) fn auth_named(name: &str) -> Result<&'static Auth, Verdict> {
    let name = plain(name);
    let name = if name == "SHA1" { "SHA" } else { &name };
    AUTH.iter().find(|auth| auth.name == name).map_or_else(
        || refused("the authentication protocol is none of MD5, SHA, SHA-224, SHA-256, SHA-384, SHA-512: write \
            one of them in full"),
        Ok,
    )
}

/// Finds a privacy protocol by name.
pub(super) fn priv_named(name: &str) -> Result<&'static Priv, Verdict> {
    let name = plain(name);
    let name = if name == "AES128" { "AES" } else { &name };
    PRIV.iter().find(|private| private.name == name).map_or_else(
        || refused("the privacy protocol is none of DES, AES, AES-192, AES-256, AES-192-C, AES-256-C: write one \
            of them in full"),
        Ok,
    )
}

fn plain(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "")
}

/// How a line gives a secret.
struct Secret {
    form: KeyForm,
    octets: Vec<u8>,
}

impl Secret {
    /// A passphrase, or `-m` or `-l` and a key.
    fn read(words: &mut Words<'_>, first: String) -> Result<Self, Verdict> {
        let form = match &first[..] {
            "-m" => KeyForm::Master,
            "-l" => KeyForm::Localized,
            phrase if phrase.len() < SHORTEST_PASSWORD => {
                return refused(
                    "a passphrase has fewer than 8 octets (RFC 3414 §11.2), and snmpd makes no such user \
                        either: choose a longer one",
                );
            }
            _ => return Ok(Secret { form: KeyForm::Password, octets: first.into_bytes() }),
        };
        let octets = hex(&words.word().unwrap_or_default());
        match octets {
            Some(octets) => Ok(Secret { form, octets }),
            None => refused(
                "the key behind `-m` or `-l` is not in hex digits, as in 0x0102: write the whole key",
            ),
        }
    }
}

/// `createUser [-e ENGINEID] NAME [AUTH (PASSPHRASE | -m KEY | -l KEY) [PRIV [PASSPHRASE | -m KEY | -l KEY]]]`
pub(super) fn create_user(words: &mut Words<'_>) -> Result<(User, String), Verdict> {
    let mut name = words.word().unwrap_or_default();
    if name == "-M" {
        // It keeps the master key; the security module always does where there is one.
        name = words.word().unwrap_or_default();
    }
    let mut engine_id = Vec::new();
    if name == "-e" {
        engine_id = hex(&words.word().unwrap_or_default())
            .filter(|id| (5..=32).contains(&id.len()))
            .map_or_else(
                || refused("behind `-e` there is no engine ID: write 5 to 32 octets in hex digits"),
                Ok,
            )?;
        name = words.word().unwrap_or_default();
    }
    if name.is_empty() || name.len() > 32 {
        return refused("a user's name has 1 to 32 octets: choose another");
    }
    let mut user = nobody(name, engine_id);
    let Some(auth) = words.word() else { return Ok((user, String::new())) };
    let auth = auth_named(&auth)?;
    let Some(secret) = words.word() else {
        return refused("the authentication passphrase is missing: give it");
    };
    let secret = Secret::read(words, secret)?;
    key_len(&secret, auth.key_len, "authentication")?;
    user.auth_protocol = auth.oid.to_vec();
    user.auth_form = secret.form;
    user.auth_secret = secret.octets;
    let mut weak = Vec::new();
    if auth.name == "MD5" {
        weak.push("MD5");
    }
    if let Some(private) = words.word() {
        let private = priv_named(&private)?;
        let secret = match words.word() {
            Some(first) => Secret::read(words, first)?,
            // snmpd takes the localized authentication key as it is, so it must be long enough.
            None if auth.key_len < private.key_len => {
                return refused(
                    "the authentication key is too short to serve for this cipher too, and snmpd makes no such user \
                     either: give a privacy passphrase",
                );
            }
            None => Secret { form: user.auth_form, octets: user.auth_secret.clone() },
        };
        if secret.form == KeyForm::Master {
            key_len(&secret, auth.key_len, "privacy")?;
        }
        user.priv_protocol = private.oid.to_vec();
        user.priv_form = secret.form;
        user.priv_secret = secret.octets;
        if user.priv_form == KeyForm::Localized {
            // Off snmpd: it makes a longer key of one that is too short.
            if user.priv_secret.len() < private.key_len {
                return refused(format!(
                    "the localized privacy key has fewer octets than the {} that the cipher takes: write the \
                        whole key",
                    private.key_len
                ));
            }
            user.priv_secret.truncate(private.key_len);
        }
        if private.name == "DES" {
            weak.push("DES");
        }
    }
    let note = match &weak[..] {
        [] => String::new(),
        weak => format!("{} is not secure any more; prefer SHA-256 and AES", weak.join(" and ")),
    };
    Ok((user, note))
}

fn key_len(secret: &Secret, wanted: usize, what: &str) -> Result<(), Verdict> {
    if secret.form == KeyForm::Password || secret.octets.len() == wanted {
        return Ok(());
    }
    refused(format!(
        "the {what} key has {} octets and not the {wanted} of the authentication protocol: write the whole key",
        secret.octets.len()
    ))
}

/// A user without keys.
pub(super) fn nobody(name: String, engine_id: Vec<u8>) -> User {
    User {
        name,
        engine_id,
        auth_protocol: Vec::new(),
        auth_form: KeyForm::None,
        auth_secret: Vec::new(),
        priv_protocol: Vec::new(),
        priv_form: KeyForm::None,
        priv_secret: Vec::new(),
    }
}

/// `usmUser STATUS STORAGE ENGINEID NAME SECNAME CLONEFROM AUTH KEY PRIV KEY PUBLIC`
///
/// None for a row that is not in use.
pub(super) fn usm_user(words: &mut Words<'_>) -> Result<Option<User>, Verdict> {
    let fields: Vec<String> = std::iter::from_fn(|| words.word()).collect();
    let [status, _storage, engine, name, _, _, auth, auth_key, private, priv_key, ..] = &fields[..]
    else {
        return refused("the line is not whole: take it from the file that snmpd wrote");
    };
    if status != "1" {
        return Ok(None);
    }
    let broken = || {
        Verdict::Refused(
            "the line holds what snmpd does not write: take it from the file that snmpd wrote"
                .into(),
        )
    };
    let octets = |text: &str| if text.is_empty() { Some(Vec::new()) } else { hex(text) };
    let oid = |text: &str| super::names::oid(text).map_err(|_| broken());
    let name = match name.strip_prefix("0x") {
        // What is no plain text is written in hex digits.
        Some(_) => String::from_utf8(hex(name).ok_or_else(broken)?).map_err(|_| broken())?,
        None => name.clone(),
    };
    let mut user = nobody(name, octets(engine).ok_or_else(broken)?);
    let (auth, private) = (oid(auth)?, oid(private)?);
    if auth != NO_AUTH {
        let known = AUTH.iter().find(|known| known.oid == auth).ok_or_else(broken)?;
        user.auth_secret =
            octets(auth_key).filter(|key| key.len() == known.key_len).ok_or_else(broken)?;
        user.auth_protocol = auth;
        user.auth_form = KeyForm::Localized;
    }
    if private != NO_PRIV {
        let known = PRIV.iter().find(|known| known.oid == private).ok_or_else(broken)?;
        user.priv_secret =
            octets(priv_key).filter(|key| key.len() >= known.key_len).ok_or_else(broken)?;
        user.priv_secret.truncate(known.key_len);
        user.priv_protocol = private;
        user.priv_form = KeyForm::Localized;
    }
    if user.name.is_empty() || user.name.len() > 32 || !(5..=32).contains(&user.engine_id.len()) {
        return Err(broken());
    }
    Ok(Some(user))
}

/// Adds a user; of two with one name at one engine the later one counts, as in snmpd.
pub(super) fn add(users: &mut Vec<User>, user: User) -> Told {
    let before = users.len();
    users.retain(|known| known.name != user.name || known.engine_id != user.engine_id);
    let replaced = users.len() < before;
    users.push(user);
    Ok(if replaced {
        "it replaces an earlier line for the same user, as in snmpd".into()
    } else {
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(line: &str) -> Result<(User, String), String> {
        create_user(&mut Words::of(line)).map_err(|verdict| verdict.reason().to_owned())
    }

    #[test]
    fn every_form_of_create_user_is_what_snmpd_makes_of_it() {
        let key = "0x0102030405060708090a0b0c0d0e0f10";
        let sha = "0x0102030405060708090a0b0c0d0e0f1011121314";
        for (line, form, auth, private, priv_len) in [
            ("alice".to_owned(), KeyForm::None, 0, 0, 0),
            ("alice MD5 passphrase".into(), KeyForm::Password, 2, 0, 0),
            ("alice sha1 'pass phrase' aes128".into(), KeyForm::Password, 3, 4, 11),
            ("alice SHA-256 passphrase AES-256-C passphrase2".into(), KeyForm::Password, 5, 2, 11),
            ("-M alice SHA512 passphrase DES".into(), KeyForm::Password, 7, 2, 10),
            (format!("alice SHA -l {sha} AES -l {sha}"), KeyForm::Localized, 3, 4, 16),
            (format!("alice SHA -l {sha} AES"), KeyForm::Localized, 3, 4, 16),
            (format!("alice MD5 -m {key} AES -m {key}"), KeyForm::Master, 2, 4, 16),
            (format!("-e {key} alice MD5 -m {key}"), KeyForm::Master, 2, 0, 0),
        ] {
            let (user, _) = created(&line).unwrap();
            assert_eq!(user.name, "alice");
            assert_eq!(user.engine_id.len(), if line.starts_with("-e") { 16 } else { 0 });
            assert_eq!(user.auth_form, form, "{line}");
            assert_eq!(user.auth_protocol.last().copied().unwrap_or(0), auth, "{line}");
            assert_eq!(user.priv_protocol.last().copied().unwrap_or(0), private, "{line}");
            assert!(priv_len == 0 || user.priv_secret.len() >= priv_len - 1, "{line}");
            if form == KeyForm::Localized {
                assert_eq!(user.priv_secret.len(), priv_len, "{line}");
            }
        }
        let (_, note) = created("alice MD5 passphrase DES").unwrap();
        assert!(note.contains("MD5 and DES"), "{note}");
    }

    #[test]
    fn what_snmpd_makes_no_user_of_is_refused_and_no_secret_told() {
        for (line, why) in [
            ("", "1 to 32 octets"),
            ("alice SHA", "is missing"),
            ("alice SHA secret1", "fewer than 8"),
            ("alice SHA secret-secret AES secret1", "fewer than 8"),
            ("alice SHA secret-secret AES-256", "too short"),
            ("alice SHA3 secret-secret", "in full"),
            ("alice SHA secret-secret 3DES secret-secret", "in full"),
            ("alice SHA -l 0x00", "not the 20"),
            ("alice SHA -m secret", "hex digits"),
            ("-e 0x00 alice", "no engine ID"),
        ] {
            let why_not = created(line).map(|_| ()).unwrap_err();
            assert!(why_not.contains(why), "{line}: {why_not}");
            assert!(!why_not.contains("secret"), "{why_not}");
        }
    }

    #[test]
    fn a_persistent_user_has_the_keys_that_snmpd_wrote() {
        let line = "1 3 0x80001f8880372347682ec1016b00000000 \"alice\" \"alice\" NULL \
                    .1.3.6.1.6.3.10.1.1.3 0x312e837b4f0937663f4d0bfad4434eb338e9d7f4 \
                    .1.3.6.1.6.3.10.1.2.4 0x312e837b4f0937663f4d0bfad4434eb3 \"\"";
        let user = usm_user(&mut Words::of(line)).unwrap().unwrap();
        assert_eq!((&user.name[..], user.engine_id.len()), ("alice", 17));
        assert_eq!((user.auth_form, user.auth_secret.len()), (KeyForm::Localized, 20));
        assert_eq!((user.priv_form, user.priv_secret.len()), (KeyForm::Localized, 16));
        let hexed = line.replace("\"alice\" \"alice\"", "0x616c0a 0x616c0a");
        assert_eq!(usm_user(&mut Words::of(&hexed)).unwrap().unwrap().name, "al\n");
        assert!(usm_user(&mut Words::of(&line.replacen('1', "2", 1))).unwrap().is_none());
        for broken in
            ["1 3 0x80", &line.replace("0x312e837b4f0937663f4d0bfad4434eb338e9d7f4", "0x31")]
        {
            assert!(usm_user(&mut Words::of(broken)).is_err());
        }
    }
}
