//! Messages to one agent, and the proof of its answers.
//!
//! It never trusts an answer: community, msgID, user, engine, clock, code and salt are looked at before a
//! PDU is handed on. Invariant: a PDU that [`Session::open`] answers came from the agent, under the number
//! that it has, to the user who asked.

use crate::usm::{Auth, AuthKey, aes_key, decrypt, encrypt, localized};
use crate::{Error, socket};
use aes::Aes128;
use s_wire::ber::{Encode, Part};
use s_wire::{
    AnyPdu, CommunityMessage, Flags, Header, Pdu, PduKind, PduVersion, ScopedPdu, ScopedPduData,
    UsmParameters, V3Message, VarBindList,
};
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Who {
    /// Nobody: what is sent comes back.
    Echo,
    /// SNMPv2c.
    Community(String),
    /// SNMPv3: authPriv with AES-128 where there is a second passphrase, else authNoPriv.
    User {
        /// The name.
        name: String,
        /// The protocol.
        auth: Auth,
        /// The passphrase for it.
        auth_passphrase: String,
        /// And for privacy.
        priv_passphrase: Option<String>,
    },
}

/// A session with one agent.
pub struct Session {
    who: Known,
}

enum Known {
    Echo,
    Community(Vec<u8>),
    User(Box<User>),
}

struct User {
    name: Vec<u8>,
    auth: AuthKey,
    private: Option<Aes128>,
    engine_id: Vec<u8>,
    boots: u32,
    /// Its time when it said so, and when that was.
    time: u32,
    heard: Instant,
    salt: u64,
}

/// An answer that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub &'static str);

/// What a whole message may have at most.
const MAX_SIZE: u32 = 65_507;

impl Session {
    /// Begins a session; of SNMPv3 with the agent's engine and clock.
    ///
    /// # Errors
    /// The agent does not answer, or not with a Report.
    pub fn begin(agent: SocketAddr, who: &Who) -> Result<Self, Error> {
        let who = match who {
            Who::Echo => Known::Echo,
            Who::Community(community) => Known::Community(community.clone().into()),
            Who::User { name, auth, auth_passphrase, priv_passphrase } => {
                let (engine_id, boots, time) = discover(&socket(agent)?)?;
                let key = localized(*auth, auth_passphrase.as_bytes(), &engine_id);
                let private = priv_passphrase.as_ref().and_then(|passphrase| {
                    aes_key(&localized(*auth, passphrase.as_bytes(), &engine_id))
                });
                Known::User(Box::new(User {
                    name: name.clone().into(),
                    auth: AuthKey::new(*auth, &key).ok_or("no key of this length")?,
                    private,
                    engine_id,
                    boots,
                    time,
                    heard: Instant::now(),
                    salt: 0x5a5a << 48,
                }))
            }
        };
        Ok(Session { who })
    }

    /// Writes a message around a PDU; in SNMPv3 its msgID is the PDU's request-id.
    pub fn write<B: Encode>(&mut self, pdu: &Pdu<B>, message: &mut Vec<u8>) {
        message.clear();
        match &mut self.who {
            Known::Echo => append(message, &community_message(b"public", pdu)),
            Known::Community(community) => append(message, &community_message(community, pdu)),
            Known::User(user) => user.write(pdu, message),
        }
    }

    /// Goes by the boots and the time of a Report that says that ours are not the agent's (RFC 3414 §3.2,
    /// step 7); says whether it was one. An agent that was started again has others.
    pub fn follow(&mut self, report: &[u8]) -> bool {
        match &mut self.who {
            Known::User(user) => user.follow(report),
            Known::Echo | Known::Community(_) => false,
        }
    }

    /// How often the agent was started, as it says.
    pub const fn boots(&self) -> Option<u32> {
        match &self.who {
            Known::User(user) => Some(user.boots),
            Known::Echo | Known::Community(_) => None,
        }
    }

    /// The number under which an answer answers: what to look for before it is proven.
    ///
    /// # Errors
    /// It is no message.
    pub fn number(&self, message: &[u8]) -> Result<i32, Wrong> {
        match &self.who {
            Known::Echo | Known::Community(_) => {
                let message =
                    CommunityMessage::decode(message).map_err(|_| Wrong("not a message"))?;
                s_wire::pdu::peek(message.pdu.reader(), PduVersion::V2)
                    .map(|(_, request_id)| request_id)
                    .map_err(|_| Wrong("not a PDU"))
            }
            Known::User(_) => {
                let message = V3Message::decode(message).map_err(|_| Wrong("not a message"))?;
                i32::try_from(message.header.msg_id).map_err(|_| Wrong("no msgID"))
            }
        }
    }

    /// Proves an answer to a request and takes it apart; `room` is where it is decrypted.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open<'a>(
        &self,
        request: &[u8],
        answer: &'a [u8],
        room: &'a mut Vec<u8>,
    ) -> Result<Pdu<VarBindList<'a>>, Wrong> {
        let (number, pdu) = match &self.who {
            Known::Echo => {
                let message = CommunityMessage::decode(answer);
                let pdu = message.and_then(|message| message.decode_pdu());
                return match pdu {
                    Ok(AnyPdu::Pdu(pdu)) if request == answer => Ok(pdu),
                    _ => Err(Wrong("not what was sent")),
                };
            }
            Known::Community(community) => {
                let message =
                    CommunityMessage::decode(answer).map_err(|_| Wrong("not a message"))?;
                if message.community.octets != community || message.version != PduVersion::V2 {
                    return Err(Wrong("another community or version"));
                }
                (None, message.decode_pdu())
            }
            Known::User(user) => {
                let (msg_id, scoped) = user.open(request, answer, room)?;
                if scoped.context_engine_id != user.engine_id || !scoped.context_name.is_empty() {
                    return Err(Wrong("another context"));
                }
                (Some(msg_id), scoped.decode_pdu())
            }
        };
        match pdu {
            Ok(AnyPdu::Pdu(pdu)) if pdu.kind == PduKind::Response => {
                match number.is_none_or(|number| i32::try_from(number) == Ok(pdu.request_id)) {
                    true => Ok(pdu),
                    false => Err(Wrong("another request-id in it")),
                }
            }
            Ok(AnyPdu::Pdu(pdu)) if pdu.kind == PduKind::Report => Err(Wrong("a Report")),
            Ok(_) => Err(Wrong("not a Response")),
            Err(_) => Err(Wrong("not a PDU")),
        }
    }
}

impl User {
    fn now(&self) -> u32 {
        let passed = u32::try_from(self.heard.elapsed().as_secs()).unwrap_or(u32::MAX);
        self.time.saturating_add(passed)
    }

    fn write<B: Encode>(&mut self, pdu: &Pdu<B>, message: &mut Vec<u8>) {
        let time = self.now();
        self.salt = self.salt.wrapping_add(1);
        let salt = self.salt.to_be_bytes();
        let mut scoped = Vec::new();
        append(
            &mut scoped,
            &ScopedPdu { context_engine_id: &self.engine_id, context_name: &[], pdu },
        );
        let mut flags = Flags::REPORTABLE | Flags::AUTHENTICATED;
        if let Some(key) = &self.private {
            flags |= Flags::PRIVATE;
            encrypt(key, self.boots, time, salt, &mut scoped);
        }
        let scoped = Part::from(&scoped[..]);
        let zeros = [0; 32];
        let whole = V3Message {
            header: Header {
                msg_id: pdu.request_id.cast_unsigned(),
                max_size: MAX_SIZE,
                flags: Flags(flags),
                security_model: 3,
            },
            security_parameters: UsmParameters {
                engine_id: &self.engine_id,
                engine_boots: self.boots,
                engine_time: time,
                user_name: &self.name,
                authentication: Part::from(&zeros[..self.auth.code_len()]),
                privacy: if self.private.is_some() { &salt } else { &[] },
            },
            data: match self.private {
                Some(_) => ScopedPduData::Encrypted(scoped),
                None => ScopedPduData::Plain(scoped),
            },
        };
        append(message, &whole);
        let range = whole.authentication_range(message.len());
        let code = self.auth.code([message, &[], &[]]);
        if let (Some(field), Some(code)) =
            (message.get_mut(range), code.get(..self.auth.code_len()))
        {
            field.copy_from_slice(code);
        }
    }

    /// Whether the code of a message fits.
    fn is_proven(&self, message: &[u8], usm: &UsmParameters<'_>) -> bool {
        let field = usm.authentication.range();
        let (before, after) = (message.get(..field.start), message.get(field.end..));
        let parts = [
            before.unwrap_or_default(),
            &[0; 32][..self.auth.code_len()],
            after.unwrap_or_default(),
        ];
        let code = self.auth.code(parts);
        Some(usm.authentication.octets) == code.get(..self.auth.code_len())
    }

    fn follow(&mut self, report: &[u8]) -> bool {
        let Ok(message) = V3Message::decode(report) else { return false };
        let Ok(usm) = UsmParameters::decode(message.security_parameters) else { return false };
        let is_a_report = match message.data {
            ScopedPduData::Plain(scoped) => ScopedPdu::decode(scoped.reader())
                .and_then(|scoped| scoped.decode_pdu())
                .is_ok_and(|pdu| matches!(pdu, AnyPdu::Pdu(pdu) if pdu.kind == PduKind::Report)),
            ScopedPduData::Encrypted(_) => false,
        };
        let is_ours = usm.engine_id == self.engine_id && self.is_proven(report, &usm);
        // RFC 3414 §3.2, step 7b 1: a clock goes forward only.
        if is_a_report && is_ours && (usm.engine_boots, usm.engine_time) > (self.boots, self.time) {
            (self.boots, self.time) = (usm.engine_boots, usm.engine_time);
            self.heard = Instant::now();
            return true;
        }
        false
    }

    fn open<'a>(
        &self,
        request: &[u8],
        answer: &'a [u8],
        room: &'a mut Vec<u8>,
    ) -> Result<(u32, ScopedPdu<'a>), Wrong> {
        let message = V3Message::decode(answer).map_err(|_| Wrong("not a message"))?;
        message.check().map_err(|_| Wrong("flags that contradict the data"))?;
        let usm = UsmParameters::decode(message.security_parameters)
            .map_err(|_| Wrong("no security parameters"))?;
        let wanted = match self.private {
            Some(_) => Flags::AUTHENTICATED | Flags::PRIVATE,
            None => Flags::AUTHENTICATED,
        };
        if message.header.flags.0 != wanted {
            return Err(Wrong("another level than was asked at"));
        }
        // The agent wrote this after it was asked, by its own clock, which runs as ours does.
        let asked = V3Message::decode(request)
            .and_then(|request| UsmParameters::decode(request.security_parameters));
        let asked = asked.map_err(|_| Wrong("nothing was asked"))?;
        let is_of_then = asked.engine_time.saturating_sub(2)..=self.now().saturating_add(2);
        let clock = (usm.engine_boots, is_of_then.contains(&usm.engine_time));
        if usm.engine_id != self.engine_id || clock != (self.boots, true) {
            return Err(Wrong("another engine or clock"));
        }
        if usm.user_name != self.name {
            return Err(Wrong("another user"));
        }
        if !self.is_proven(answer, &usm) {
            return Err(Wrong("a code that does not fit"));
        }
        let scoped = match (message.data, &self.private) {
            (ScopedPduData::Plain(scoped), None) => ScopedPdu::decode(scoped.reader()),
            (ScopedPduData::Encrypted(cipher), Some(key)) => {
                let salt = usm.privacy.try_into().map_err(|_| Wrong("no salt"))?;
                // RFC 3826 §3.1.2.1: a salt that was used already would give the plain text away.
                if asked.privacy == usm.privacy {
                    return Err(Wrong("the salt of the request"));
                }
                room.clear();
                room.extend_from_slice(cipher.octets);
                decrypt(key, usm.engine_boots, usm.engine_time, salt, room);
                ScopedPdu::decode_decrypted(Part::from(&room[..]).reader())
            }
            _ => return Err(Wrong("data of another level")),
        };
        Ok((message.header.msg_id, scoped.map_err(|_| Wrong("no scopedPDU in it"))?))
    }
}

/// Who is there, and what time is it (RFC 3414 §4)? Its Report says both.
fn discover(socket: &UdpSocket) -> Result<(Vec<u8>, u32, u32), Error> {
    let bindings: [s_wire::VarBind<'_, s_wire::Arcs<'_>>; 0] = [];
    let pdu = Pdu {
        kind: PduKind::Get,
        request_id: 1,
        error_status: 0,
        error_index: 0,
        bindings: &bindings[..],
    };
    let mut message = Vec::new();
    append(
        &mut message,
        &V3Message {
            header: Header {
                msg_id: 1,
                max_size: MAX_SIZE,
                flags: Flags(Flags::REPORTABLE),
                security_model: 3,
            },
            security_parameters: UsmParameters {
                engine_id: &[],
                engine_boots: 0,
                engine_time: 0,
                user_name: &[],
                authentication: Part::from(&[][..]),
                privacy: &[],
            },
            data: ScopedPduData::Plain(ScopedPdu {
                context_engine_id: &[],
                context_name: &[],
                pdu: &pdu,
            }),
        },
    );
    let mut answer = [0; 2048];
    for _ in 0..5 {
        socket.send(&message)?;
        let Ok(len) = socket.recv(&mut answer) else { continue };
        let heard = V3Message::decode(&answer[..len])?;
        let usm = UsmParameters::decode(heard.security_parameters)?;
        return Ok((usm.engine_id.to_vec(), usm.engine_boots, usm.engine_time));
    }
    Err("the agent does not say which engine it is".into())
}

fn community_message<'a, P>(community: &'a [u8], pdu: P) -> CommunityMessage<'a, P> {
    CommunityMessage { version: PduVersion::V2, community: Part::from(community), pdu }
}

fn append(out: &mut Vec<u8>, what: &impl Encode) {
    let at = out.len();
    out.resize(at + what.encoded_len(), 0);
    // It has exactly the room that it says it needs.
    let _ = what.encode_into(&mut out[at..]);
}
