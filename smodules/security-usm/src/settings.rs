//! Where users come from: documents, and what was kept over a restart (roles::settings).
//!
//! It never writes anything anywhere. Invariant: a document with a problem changes nothing.

use crate::keys::Protocols;
use crate::users::{Secret, UserRow, Users};
use crate::{MAX_NAME, Usm};
use mib_kit::StorageType;
use roles::settings::{KeyForm, Persistence, Settings, User, UsmSettings};
use s_sdk::value::Field;
use s_sdk::{Activity, Buf, CallError};
use std::fmt::Write;
use zeroize::Zeroizing;

/// RFC 3414 §11.2: a password has at least so many octets.
const MIN_PASSWORD: usize = 8;

/// What is kept over restarts.
#[derive(Field)]
pub struct Kept {
    /// The users that did not come with a document.
    pub users: Vec<UserRow>,
}

impl Settings for Usm {
    fn check(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError> {
        let (_, found) = self.read(act, document)?;
        found.answer(problems)
    }

    fn apply(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError> {
        let (rows, found) = self.read(act, document)?;
        if found.lines.is_empty() {
            self.change_users(act, |users| users.configure(rows))?;
        }
        found.answer(problems)
    }
}

impl Persistence for Usm {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.revision.of(&self.users, document))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        Ok(kept.append(&document(&self.users.state()))?)
    }

    fn restore(&self, act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let Ok(Kept { users: rows }) = roles::settings::read(kept) else { return Ok(false) };
        self.change_users(act, |users: &mut Users| users.restore(rows))
    }
}

/// What outlasts the process, in memory that is wiped: it has keys in it.
fn document(users: &Users) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(roles::settings::write(&Kept { users: users.to_keep() }))
}

/// What is wrong with a document.
#[derive(Default)]
struct Problems {
    lines: String,
    count: u32,
}

impl Problems {
    fn add(&mut self, line: std::fmt::Arguments<'_>) {
        self.count += 1;
        // Writing to a text cannot fail.
        let _ = writeln!(self.lines, "{line}");
    }

    fn answer(&self, problems: &mut Buf) -> Result<u32, CallError> {
        problems.append(self.lines.as_bytes())?;
        Ok(self.count)
    }
}

impl Usm {
    /// The rows of a document, and what is wrong with it.
    fn read(&self, act: &Activity, document: &[u8]) -> Result<(Vec<UserRow>, Problems), CallError> {
        let mut problems = Problems::default();
        let settings: UsmSettings = match roles::settings::read(document) {
            Ok(settings) => settings,
            Err(error) => {
                problems.add(format_args!(
                    "the document holds no users of USM ({error}): write it as UsmSettings"
                ));
                return Ok((Vec::new(), problems));
            }
        };
        let own_engine_id = self.own_engine_id(act)?;
        let protocols = Protocols::new(&self.host, act);
        let mut users = Users::default();
        for user in &settings.users {
            check_user(user, &protocols, &mut problems);
            let row = row_of(user, own_engine_id);
            if users.get(&row.engine_id, &row.name).is_some() {
                problems.add(format_args!(
                    "user `{}` is there twice for one engine: take one of them away",
                    user.name
                ));
            }
            users.put(row);
        }
        Ok((users.rows().cloned().collect(), problems))
    }
}

fn row_of(user: &User, own_engine_id: &[u8]) -> UserRow {
    let engine_id = if user.engine_id.is_empty() { own_engine_id } else { &user.engine_id };
    // RFC 3414 §5, usmUserStorageType: where there are keys, it must be possible to change them.
    let has_keys = !user.auth_protocol.is_empty();
    UserRow {
        storage: if has_keys { StorageType::Permanent } else { StorageType::ReadOnly },
        auth_protocol: user.auth_protocol.clone(),
        auth: Secret { form: user.auth_form, octets: user.auth_secret.clone() },
        priv_protocol: user.priv_protocol.clone(),
        privacy: Secret { form: user.priv_form, octets: user.priv_secret.clone() },
        is_configured: true,
        is_cloned: true,
        has_own_auth: true,
        has_own_priv: true,
        ..UserRow::new(engine_id, user.name.as_bytes())
    }
}

fn check_user(user: &User, protocols: &Protocols<'_>, problems: &mut Problems) {
    let name = &user.name;
    if name.is_empty() || name.len() > MAX_NAME {
        problems.add(format_args!(
            "user `{name}`: a name has 1 to {MAX_NAME} octets (RFC 3414 §5): choose another"
        ));
    }
    if !user.engine_id.is_empty() && !(5..=32).contains(&user.engine_id.len()) {
        problems.add(format_args!(
            "user `{name}`: an engineID has 5 to 32 octets: correct it, or leave it away for this engine"
        ));
    }
    if user.auth_protocol.is_empty() && !user.priv_protocol.is_empty() {
        problems.add(format_args!(
            "user `{name}` has privacy without authentication (RFC 3414 §5): add an authentication protocol"
        ));
    }
    let auth = protocols.auth(&user.auth_protocol);
    let auth_length = auth.map(|found| found.numbers.key_length as usize);
    for (what, protocol, form, secret, master_length, localized_length) in [
        (
            "authentication",
            &user.auth_protocol,
            user.auth_form,
            &user.auth_secret,
            auth_length,
            auth_length,
        ),
        ("privacy", &user.priv_protocol, user.priv_form, &user.priv_secret, auth_length, None),
    ] {
        let has_protocol = !protocol.is_empty();
        if has_protocol != (form != KeyForm::None) {
            problems.add(format_args!(
                "user `{name}`: {what} needs a protocol and a secret, or neither: give both"
            ));
        }
        match form {
            KeyForm::None => {}
            KeyForm::Password if secret.len() < MIN_PASSWORD => problems.add(format_args!(
                "user `{name}`: the {what} password is shorter than {MIN_PASSWORD} octets (RFC 3414 §11.2): \
                 choose a longer one"
            )),
            KeyForm::Password => {}
            KeyForm::Master | KeyForm::Localized => {
                let wanted =
                    if form == KeyForm::Master { master_length } else { localized_length };
                let is_right = match wanted {
                    Some(length) => secret.len() == length,
                    None => (1..=crate::MAX_KEY).contains(&secret.len()),
                };
                if !is_right {
                    problems.add(format_args!(
                        "user `{name}`: the {what} key has {} octets, which is not what its protocol takes: \
                         give the whole key",
                        secret.len()
                    ));
                }
            }
        }
    }
}
