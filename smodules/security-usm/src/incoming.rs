//! An incoming message, proven (RFC 3414 §3.2).
//!
//! Off-spec: it looks at one tag. A Report that answers our discovery comes, without authentication, from
//! an engine that is not known yet. Step 3 a would have every message create an entry for its engine; here
//! only that one Report is let through, and a request with any foreign engineID gets its Report instead.

use crate::keys::{ActiveUser, AuthKey, PrivKey, Protocols};
use crate::size::{self, Frame};
use crate::window::is_timely;
use crate::{Asked, Place, Usm};
use roles::auth::{AuthErrorKind, AuthProtocol};
use roles::engine::Engine;
use roles::privacy::{EngineTime, PrivProtocol, PrivacyErrorKind};
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityErrorKind, SecurityHeader,
    SecurityStateReference,
};
use roles::varbind::{SecurityLevel, Span};
use s_sdk::Activity;
use s_sdk::error::CallErrorKind;
use s_wire::{Part, PduKind, Reader, ScopedPdu, UsmParameters};

/// snmpEngineID has so many octets (RFC 3411 §5).
const ENGINE_ID: std::ops::RangeInclusive<usize> = 5..=32;

/// A message and what its parameters say.
struct Message<'a> {
    octets: &'a [u8],
    parameters: UsmParameters<'a>,
    data: &'a [u8],
    level: SecurityLevel,
}

impl Message<'_> {
    fn clock(&self) -> EngineTime {
        let UsmParameters { engine_boots, engine_time, .. } = self.parameters;
        EngineTime { boots: engine_boots, time_seconds: engine_time }
    }

    fn is_report(&self) -> bool {
        let scoped = ScopedPdu::decode(Reader::new(self.data));
        scoped.is_ok_and(|scoped| scoped.pdu.octets.first() == Some(&PduKind::Report.tag()))
    }
}

impl Usm {
    pub(crate) fn admit(
        &self,
        act: &Activity,
        header: &SecurityHeader,
        parts: &MessageParts,
        octets: &[u8],
        data: &mut SecurityData,
        place: &mut Place,
    ) -> Result<Accepted, SecurityError> {
        // Steps 1 and 2.
        let parse = SecurityErrorKind::ParseError;
        let parameters = parts.security_parameters.of(octets).ok_or(parse)?;
        let at = parts.security_parameters.positions().start;
        let message = Message {
            octets,
            parameters: UsmParameters::decode(Part { at, octets: parameters })
                .map_err(|_| parse)?,
            data: parts.data.of(octets).ok_or(parse)?,
            level: header.security_level,
        };
        // The keys of a user whose protocol came or went are made anew once.
        let mut is_renewed = false;
        loop {
            let outcome = self.prove(act, header, &message, data, place);
            match outcome {
                Err(Unproven::Renew) if !is_renewed => {
                    self.renew(act)?;
                    is_renewed = true;
                }
                Err(Unproven::Renew) => {
                    return Err(self.refuse(
                        act,
                        SecurityErrorKind::UnsupportedSecurityLevel,
                        &message,
                    ));
                }
                Err(Unproven::Because(kind)) => return Err(self.refuse(act, kind, &message)),
                Err(Unproven::Refused(error)) => return Err(error),
                Ok(accepted) => return Ok(accepted),
            }
        }
    }

    fn prove(
        &self,
        act: &Activity,
        header: &SecurityHeader,
        message: &Message<'_>,
        data: &mut SecurityData,
        place: &mut Place,
    ) -> Result<Accepted, Unproven> {
        let parameters = &message.parameters;
        let own_engine_id = self.own_engine_id(act)?;
        let is_own = parameters.engine_id == own_engine_id;
        let users = self.look(act, place)?;
        // Step 3.
        if !is_own && let Some(accepted) = foreign(message, data, users)? {
            return Ok(accepted);
        }
        // Step 4.
        let found = users.find(parameters.engine_id, parameters.user_name);
        let (at, user) = found.ok_or(SecurityErrorKind::UnknownUserName)?;
        // Step 5.
        let (auth, privacy) = self.keys_for(act, user, message.level)?;
        // Step 6.
        if let Some(key) = auth
            && verify(act, key, message)? == Prepared::ByAnotherVersion
        {
            // For those who come next; this message is proven. Only a user's message leads here.
            self.renew(act)?;
        }
        // Step 7.
        let clock = self.engine.clock(act)?;
        if auth.is_some() {
            if !is_own {
                let now = self.host.now();
                let timely = self.engines().meets(parameters.engine_id, message.clock(), now);
                if !timely {
                    // Step 7 b 2: nobody but the authoritative engine reports it.
                    return Err(Unproven::Refused(SecurityErrorKind::NotInTimeWindow.into()));
                }
            } else if !is_timely(clock, message.clock()) {
                // Its Report is authenticated, so it needs the key.
                let asked = Asked::of_user(at, parameters.user_name, clock, auth, None);
                let mut error = SecurityError::new(SecurityErrorKind::NotInTimeWindow);
                error.state = keep(act, asked);
                return Err(Unproven::Refused(error));
            }
        }
        // Step 8.
        match privacy {
            Some(key) => decrypt(act, key, message, data)?,
            None => data.scoped_pdu.append(message.data)?,
        }
        // Steps 9 to 11.
        data.engine_id.append(parameters.engine_id)?;
        data.security_name.append(&user.name)?;
        let asked = Asked::of_user(at, &user.name, clock, auth, privacy);
        if !is_own {
            // What an authoritative engine sends to us is answered by nobody.
            return Ok(Accepted { max_response_size: 0, state: SecurityStateReference::none() });
        }
        let own_max_size = self.engine.max_message_size(act)?;
        let frame = Frame {
            global_data: size::global_data_of_answer(
                header.message_model,
                message.octets,
                own_max_size,
            ),
            parameters: size::parameters(
                own_engine_id,
                clock,
                &user.name,
                auth.map_or(0, |key| key.found.numbers.mac_length),
                privacy.map_or(0, |key| key.found.numbers.salt_length),
            )
            .ok_or(SecurityErrorKind::UnsupportedSecurityLevel)?,
            block: privacy.map(|key| key.found.numbers.block_length as usize),
        };
        let largest = frame.largest_scoped_pdu(header.max_message_size as usize);
        Ok(Accepted {
            max_response_size: u32::try_from(largest).unwrap_or(u32::MAX),
            state: act.keep(asked)?.of(),
        })
    }

    /// The keys that a level takes.
    fn keys_for<'u>(
        &self,
        act: &Activity,
        user: &'u ActiveUser,
        level: SecurityLevel,
    ) -> Result<(Option<&'u AuthKey>, Option<&'u PrivKey>), Unproven> {
        let unsupported = Unproven::Because(SecurityErrorKind::UnsupportedSecurityLevel);
        if level == SecurityLevel::NoAuthNoPriv {
            return Ok((None, None));
        }
        let wants_privacy = level == SecurityLevel::AuthPriv;
        let (auth, privacy) = (user.auth.ready(), user.privacy.ready());
        match (auth, privacy) {
            (Some(auth), Some(privacy)) if wants_privacy => Ok((Some(auth), Some(privacy))),
            (Some(auth), _) if !wants_privacy => Ok((Some(auth), None)),
            _ if user.auth.is_waiting() || wants_privacy && user.privacy.is_waiting() => {
                Err(if self.has_come(act, user) { Unproven::Renew } else { unsupported })
            }
            _ => Err(unsupported),
        }
    }

    /// Whether the protocols that a user waited for have modules now.
    #[cold]
    pub(crate) fn has_come(&self, act: &Activity, user: &ActiveUser) -> bool {
        let protocols = Protocols::new(&self.host, act);
        let (auth, privacy) = {
            let users = self.users.state();
            let Some(row) = users.get(&user.engine_id, &user.name) else { return false };
            (row.auth_protocol.clone(), row.priv_protocol.clone())
        };
        if user.auth.is_waiting() {
            return protocols.auth(&auth).is_some();
        }
        protocols.privacy(&privacy).is_some()
    }

    /// A refusal that can be reported without authentication.
    #[cold]
    fn refuse(
        &self,
        act: &Activity,
        kind: SecurityErrorKind,
        message: &Message<'_>,
    ) -> SecurityError {
        let mut error = SecurityError::new(kind);
        if let Ok(clock) = self.engine.clock(act) {
            error.state = keep(act, Asked::unproven(message.parameters.user_name, clock));
        }
        error
    }
}

/// Why a message is not proven.
enum Unproven {
    /// Keys are to be made anew first.
    Renew,
    /// Refused, and reportable without authentication.
    Because(SecurityErrorKind),
    /// Refused as it stands.
    Refused(SecurityError),
}

impl From<SecurityErrorKind> for Unproven {
    fn from(kind: SecurityErrorKind) -> Self {
        Unproven::Because(kind)
    }
}

impl From<s_sdk::CallError> for Unproven {
    fn from(error: s_sdk::CallError) -> Self {
        Unproven::Refused(error.into())
    }
}

impl From<s_sdk::Full> for Unproven {
    fn from(full: s_sdk::Full) -> Self {
        Unproven::Refused(full.into())
    }
}

/// An activity without room for it sends no Report; that the message was refused counts all the same.
fn keep(act: &Activity, asked: Asked) -> SecurityStateReference {
    act.keep(asked).map_or(SecurityStateReference::none(), |kept| kept.of())
}

/// A message of another engine (step 3): refused, accepted as it is, or to be proven with a user's key.
#[cold]
fn foreign(
    message: &Message<'_>,
    data: &mut SecurityData,
    users: &crate::keys::Snapshot,
) -> Result<Option<Accepted>, Unproven> {
    let UsmParameters { engine_id, user_name, .. } = message.parameters;
    if !ENGINE_ID.contains(&engine_id.len()) {
        return Err(SecurityErrorKind::UnknownEngineId.into());
    }
    if message.level == SecurityLevel::NoAuthNoPriv && message.is_report() {
        data.engine_id.append(engine_id)?;
        data.security_name.append(user_name)?;
        data.scoped_pdu.append(message.data)?;
        let state = SecurityStateReference::none();
        return Ok(Some(Accepted { max_response_size: 0, state }));
    }
    if users.knows_engine(engine_id) {
        return Ok(None);
    }
    Err(SecurityErrorKind::UnknownEngineId.into())
}

/// Who prepared the key that a message was proven with.
#[derive(PartialEq, Eq)]
enum Prepared {
    ByThisVersion,
    ByAnotherVersion,
}

/// Whether a call failed because the module was taken out of the agent, or its successor lacks the method: the
/// user's protocol is none that this engine supports.
const fn is_gone(detail: u32) -> bool {
    detail == CallErrorKind::Absent as u32 || detail == CallErrorKind::NotUnderstood as u32
}

fn verify(act: &Activity, key: &AuthKey, message: &Message<'_>) -> Result<Prepared, Unproven> {
    let wrong = SecurityErrorKind::WrongDigest;
    let field = message.parameters.authentication;
    let (Ok(at), Ok(len)) = (u32::try_from(field.at), u32::try_from(field.octets.len())) else {
        return Err(wrong.into());
    };
    let verify =
        |prepared: &[u8]| key.found.proxy.verify(act, prepared, message.octets, Span::new(at, len));
    let mut by = Prepared::ByThisVersion;
    let mut verified = verify(&key.prepared);
    if verified.is_err_and(|error| error.kind == AuthErrorKind::UnknownPreparedKey) {
        by = Prepared::ByAnotherVersion;
        verified = key.prepare(act).and_then(|prepared| verify(&prepared));
    }
    verified.map(|()| by).map_err(|error| match error.kind {
        AuthErrorKind::WrongDigest | AuthErrorKind::WrongField => wrong.into(),
        AuthErrorKind::UnknownProtocol => Unproven::Renew,
        AuthErrorKind::Call if is_gone(error.detail) => Unproven::Renew,
        AuthErrorKind::Call => {
            Unproven::Refused(SecurityError::detailed(SecurityErrorKind::Call, error.detail))
        }
        AuthErrorKind::EmptyPassword
        | AuthErrorKind::WrongKeyLength
        | AuthErrorKind::UnknownPreparedKey => SecurityErrorKind::UnsupportedSecurityLevel.into(),
    })
}

fn decrypt(
    act: &Activity,
    key: &PrivKey,
    message: &Message<'_>,
    data: &mut SecurityData,
) -> Result<(), Unproven> {
    let PrivKey { protocol, found, key } = key;
    let salt = message.parameters.privacy;
    let clock = message.clock();
    let plain = &mut data.scoped_pdu;
    let decrypted = found.proxy.decrypt(act, protocol, key, clock, salt, message.data, plain);
    decrypted.map_err(|error| match error.kind {
        PrivacyErrorKind::DecryptionError | PrivacyErrorKind::EncryptionError => {
            SecurityErrorKind::DecryptionError.into()
        }
        PrivacyErrorKind::Call if is_gone(error.detail) => Unproven::Renew,
        PrivacyErrorKind::Call => {
            Unproven::Refused(SecurityError::detailed(SecurityErrorKind::Call, error.detail))
        }
        PrivacyErrorKind::UnknownProtocol | PrivacyErrorKind::WrongKeyLength => Unproven::Renew,
    })
}
