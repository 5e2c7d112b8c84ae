//! A message made: an answer, or one that begins a conversation (RFC 3414 §3.1).
//!
//! It never takes another clock into the cipher than it writes into the message, and never a salt that it
//! did not get from the privacy module for this very message.

use crate::keys::{AuthKey, PrivKey, Protocols};
use crate::size::{self, Frame};
use crate::users::{StorageType, UserRow, Users};
use crate::window::RemoteEngine;
use crate::{Asked, Place, Usm};
use roles::auth::{AuthErrorKind, AuthProtocol};
use roles::engine::Engine;
use roles::privacy::{EngineTime, PrivProtocol, PrivacyErrorKind};
use roles::security::{
    SecurityData, SecurityError, SecurityErrorKind, SecurityHeader, SecurityStateReference,
};
use roles::varbind::{SecurityLevel, Span};
use s_sdk::{Activity, Buf};
use s_wire::ber::{self, Encode, Writer, tag};

/// So many rows are derived for other engines. Anybody who answers a discovery has one made.
pub const MOST_DERIVED: usize = 256;

/// Who sends, as whom, and with what.
struct Sender<'a> {
    engine_id: &'a [u8],
    clock: EngineTime,
    name: &'a [u8],
    auth: Option<&'a AuthKey>,
    privacy: Option<&'a PrivKey>,
}

impl Usm {
    #[expect(clippy::too_many_arguments, reason = "the abstract service interface has these")]
    pub(crate) fn answer(
        &self,
        act: &Activity,
        header: &SecurityHeader,
        global_data: &[u8],
        scoped_pdu: &[u8],
        state: SecurityStateReference,
        place: &mut Place,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        // Step 1 a.
        let asked = act.recall(state.of::<Asked>());
        let asked = asked.map_err(|_| SecurityErrorKind::StaleReference)?;
        let mut out = Out {
            act,
            header,
            global_data,
            scoped_pdu,
            message,
            salt: std::mem::take(&mut place.salt),
            mac: std::mem::take(&mut place.mac),
        };
        let engine_id = self.own_engine_id(act)?;
        let (of_then, user);
        // The user as he is now, if he still has the keys with which he asked.
        let users = self.look(act, place)?;
        let now = users.users.get(asked.user as usize);
        let now = now.filter(|user| *user.engine_id == *engine_id && asked.is_of(user));
        let (auth, privacy) = match now {
            Some(found) => {
                user = found;
                (
                    user.auth.ready().filter(|_| asked.auth_key_len != 0),
                    user.privacy.ready().filter(|_| asked.priv_key_len != 0),
                )
            }
            None => {
                of_then = Protocols::new(&self.host, act).kept(&asked);
                (of_then.0.as_ref(), of_then.1.as_ref())
            }
        };
        // The authoritative engine tells its clock at every level: managers take it from the Report that
        // answers their discovery, and need not ask again (RFC 3414 §4).
        let sender = Sender { engine_id, clock: asked.clock, name: asked.name(), auth, privacy };
        let written = out.write(sender);
        (place.salt, place.mac) = (out.salt, out.mac);
        written
    }

    pub(crate) fn begin(
        &self,
        act: &Activity,
        header: &SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        place: &mut Place,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let level = header.security_level;
        let own_engine_id = self.own_engine_id(act)?;
        let (engine_id, name) = (&data.engine_id[..], &data.security_name[..]);
        let mut out = Out {
            act,
            header,
            global_data,
            scoped_pdu: &data.scoped_pdu,
            message,
            salt: Buf::new(),
            mac: Buf::new(),
        };
        let no_clock = EngineTime { boots: 0, time_seconds: 0 };
        if engine_id.is_empty() {
            // RFC 3414 §4: a discovery names neither engine nor user and proves nothing.
            if level != SecurityLevel::NoAuthNoPriv {
                return Err(SecurityErrorKind::UnknownEngineId.into());
            }
            let sender =
                Sender { engine_id, clock: no_clock, name: &[], auth: None, privacy: None };
            return out.write(sender);
        }
        // Step 1 b.
        let unknown = SecurityErrorKind::UnknownUserName;
        if level != SecurityLevel::NoAuthNoPriv {
            // This engine's user first: the keys for other engines are derived from his.
            self.catch_up(act, own_engine_id, name, place)?;
            self.catch_up(act, engine_id, name, place)?;
        }
        if self.look(act, place)?.find(engine_id, name).is_none() {
            self.localize_for(act, engine_id, name)?;
        }
        let (_, user) = self.look(act, place)?.find(engine_id, name).ok_or(unknown)?;
        // Step 6: an unauthenticated message says no clock, unless it is our own.
        let clock = if engine_id == own_engine_id {
            self.engine.clock(act)?
        } else if level == SecurityLevel::NoAuthNoPriv {
            no_clock
        } else {
            self.engines().clock(engine_id, self.host.now())
        };
        let (auth, privacy) = (user.auth.ready(), user.privacy.ready());
        out.write(Sender { engine_id, clock, name, auth, privacy })
    }

    /// Makes a user's keys where they waited for a module that has come since.
    fn catch_up(
        &self,
        act: &Activity,
        engine_id: &[u8],
        name: &[u8],
        place: &mut Place,
    ) -> Result<(), SecurityError> {
        let waits = self.look(act, place)?.find(engine_id, name).is_some_and(|(_, user)| {
            (user.auth.is_waiting() || user.privacy.is_waiting()) && self.has_come(act, user)
        });
        if waits {
            self.renew(act)?;
        }
        Ok(())
    }

    /// Adds a user of this engine to another one, whose key can be derived from the same password.
    #[cold]
    fn localize_for(
        &self,
        act: &Activity,
        engine_id: &[u8],
        name: &[u8],
    ) -> Result<(), SecurityError> {
        let own_engine_id = self.own_engine_id(act)?;
        let there = {
            let users = self.users.state();
            users.get(own_engine_id, name).and_then(|row| row.at_engine(engine_id))
        };
        if let Some(row) = there {
            let heard = self.engines().rows().to_vec();
            self.change_users(act, |users| {
                make_room(users, own_engine_id, &heard);
                users.put(row);
            })?;
        }
        Ok(())
    }
}

/// Takes out a row that was derived for another engine where there are too many of them: of an engine that
/// never proved itself, or has not for longest. Nothing is lost by that, because whoever is told something
/// there again has it derived again.
fn make_room(users: &mut Users, own_engine_id: &[u8], heard: &[RemoteEngine]) {
    let derived = |row: &&UserRow| {
        row.storage == StorageType::Volatile
            && users.get(own_engine_id, &row.name).is_some_and(|own| {
                let again = own.at_engine(&row.engine_id);
                let (auth, privacy) = (row.auth.clone(), row.privacy.clone());
                again.is_some_and(|again| **row == UserRow { auth, privacy, ..again })
            })
    };
    let derived: Vec<&UserRow> = users.rows().filter(derived).collect();
    let proven_at = |row: &&UserRow| {
        let engine = heard.iter().find(|engine| engine.engine_id == row.engine_id);
        engine.map(|engine| engine.at_nanoseconds)
    };
    if derived.len() >= MOST_DERIVED
        && let Some(least) = derived.into_iter().min_by_key(proven_at).map(UserRow::index)
    {
        users.rows.remove(&least);
    }
}

/// A message that is being written.
struct Out<'a> {
    act: &'a Activity,
    header: &'a SecurityHeader,
    global_data: &'a [u8],
    scoped_pdu: &'a [u8],
    message: &'a mut Buf,
    salt: Buf,
    mac: Buf,
}

impl Out<'_> {
    fn write(&mut self, sender: Sender<'_>) -> Result<(), SecurityError> {
        // Steps 2 and 3: exactly the level that was asked for.
        let Sender { engine_id, clock, name, auth, privacy } = sender;
        let unsupported = SecurityErrorKind::UnsupportedSecurityLevel;
        let (auth, privacy) = match self.header.security_level {
            SecurityLevel::NoAuthNoPriv => (None, None),
            SecurityLevel::AuthNoPriv => (Some(auth.ok_or(unsupported)?), None),
            SecurityLevel::AuthPriv => {
                (Some(auth.ok_or(unsupported)?), Some(privacy.ok_or(unsupported)?))
            }
        };
        let mac_length = auth.map_or(0, |key| key.found.numbers.mac_length);
        let salt_length = privacy.map_or(0, |key| key.found.numbers.salt_length);
        let parameters = size::parameters(engine_id, clock, name, mac_length, salt_length);
        let parameters = parameters.ok_or(unsupported)?;
        let block = privacy.map(|key| key.found.numbers.block_length as usize);
        let frame = Frame { global_data: self.global_data.len(), parameters, block };
        let lengths = frame.lengths(self.scoped_pdu.len());
        if lengths.message > self.header.max_message_size as usize {
            let size = u32::try_from(lengths.message).unwrap_or(u32::MAX);
            return Err(SecurityError::detailed(SecurityErrorKind::TooBig, size));
        }
        // All that stands before the scopedPDU or its cipher, with zeros for salt and code.
        let start = self.message.len();
        self.message.reserve(lengths.message)?;
        let mut missing = lengths.prefix;
        while missing > 0 {
            let some = missing.min(size::ZEROS.len());
            self.message.append(&size::ZEROS[..some])?;
            missing -= some;
        }
        let behind_parameters = match block {
            Some(_) => ber::element_len(lengths.cipher) - lengths.cipher,
            None => 0,
        };
        let write_prefix = |prefix: &mut [u8]| {
            let mut writer = Writer::new(prefix);
            if block.is_some() {
                writer.header(tag::OCTET_STRING, lengths.cipher)?;
            }
            writer.nested(tag::OCTET_STRING, |writer| parameters.encode(writer))?;
            writer.octets(self.global_data)?;
            writer.header(tag::SEQUENCE, lengths.contents)
        };
        let written: Result<(), ber::Full> = write_prefix(&mut self.message[start..]);
        written.map_err(|ber::Full| s_sdk::Full)?;
        let end = start + lengths.prefix - behind_parameters;
        let salt_at = end - salt_length as usize;
        // Step 4.
        match privacy {
            Some(key) => self.encrypt(key, clock, start + lengths.message, salt_at)?,
            None => self.message.append(self.scoped_pdu)?,
        }
        // Step 8.
        if let Some(key) = auth {
            let at = end - ber::element_len(salt_length as usize) - mac_length as usize;
            self.sign(key, start, at)?;
        }
        Ok(())
    }

    fn encrypt(
        &mut self,
        key: &PrivKey,
        clock: EngineTime,
        end: usize,
        salt_at: usize,
    ) -> Result<(), SecurityError> {
        let PrivKey { protocol, found, key } = key;
        self.salt.clear();
        let (plain, cipher, salt) = (self.scoped_pdu, &mut *self.message, &mut self.salt);
        let encrypted = found.proxy.encrypt(self.act, protocol, key, clock, plain, cipher, salt);
        encrypted.map_err(|error| match error.kind {
            PrivacyErrorKind::Call => {
                SecurityError::detailed(SecurityErrorKind::Call, error.detail)
            }
            _ => SecurityErrorKind::EncryptionError.into(),
        })?;
        let room = self.message.get_mut(salt_at..salt_at + found.numbers.salt_length as usize);
        match room {
            Some(room) if room.len() == self.salt.len() => room.copy_from_slice(&self.salt),
            _ => return Err(SecurityErrorKind::EncryptionError.into()),
        }
        // A cipher of another length than its module announced would be framed wrongly.
        if self.message.len() == end {
            Ok(())
        } else {
            Err(SecurityErrorKind::EncryptionError.into())
        }
    }

    fn sign(&mut self, key: &AuthKey, start: usize, at: usize) -> Result<(), SecurityError> {
        let unsupported = SecurityErrorKind::UnsupportedSecurityLevel;
        let field = u32::try_from(at - start).map_err(|_| unsupported)?;
        let field = Span::new(field, key.found.numbers.mac_length);
        let proxy = &key.found.proxy;
        self.mac.clear();
        let message = &self.message[start..];
        let mut signed = proxy.sign(self.act, &key.prepared, message, field, &mut self.mac);
        if signed.is_err_and(|error| error.kind == AuthErrorKind::UnknownPreparedKey) {
            // Another version serves than the one that prepared the key. Whoever verifies next renews it.
            self.mac.clear();
            signed = key.prepare(self.act).and_then(|prepared| {
                proxy.sign(self.act, &prepared, message, field, &mut self.mac)
            });
        }
        signed.map_err(|error| match error.kind {
            AuthErrorKind::Call => SecurityError::detailed(SecurityErrorKind::Call, error.detail),
            _ => unsupported.into(),
        })?;
        match self.message.get_mut(at..at + field.len as usize) {
            Some(room) if room.len() == self.mac.len() => {
                room.copy_from_slice(&self.mac);
                Ok(())
            }
            _ => Err(unsupported.into()),
        }
    }
}
