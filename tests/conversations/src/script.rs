//! A conversation as a file: what comes, what is answered, which counters move, and why.
//!
//! ```text
//! # A comment.
//! at 12.5                   the clock, in seconds since the start
//! from 192.0.2.1:4000       who speaks
//! module COMPONENT NAME     another module is put there (wider, inner, none), and looked at
//! >> v2c public get B.1.1.0 what comes, in words (see `compose`)
//! > 30 2b …                 the same in octets; by itself where no words lead to it
//! < 30 2b …                 the answer, `nothing`, or that it is `encrypted`
//! : response#1 …            the answer in words
//! = snmpInBadVersions 1     a counter that moved, and its value now
//! ? no-such-version         why it was refused
//! ```
//! Lines of `>` that follow each other are one datagram. Replaying a file answers the file as it should
//! be: who wants to know whether all is well compares the two, who wants to record writes it back.
//! Everything from `<` on is the agent's, and so is `>` below `>>`.

use crate::Agent;
use crate::compose::{AUTH_PASSPHRASE, PRIV_PASSPHRASE, compose, from_hex, to_hex};
use crate::keys::{Cipher, Hash};
use crate::sample;
use roles::error::Counter;
use s_wire::{AnyPdu, Message, Reader, ScopedPdu, ScopedPduData, UsmParameters, V3Message, Value};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// Plays a conversation with a new agent; answers the file as it should be.
///
/// # Errors
/// The number of a line, and what is wrong with it.
pub fn replay(text: &str) -> Result<String, String> {
    let mut replay = Replay {
        agent: Agent::default(),
        from: vec![192, 0, 2, 1, 0x0f, 0xa0],
        out: String::new(),
        counters: vec![0; Counter::ALL.len()],
    };
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        let wrong = |what: String| format!("line {number}: {what}");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            ">>" => {
                replay.line(line);
                replay.comes(&compose(rest).map_err(wrong)?);
                while lines.next_if(|(_, line)| line.starts_with("> ")).is_some() {}
            }
            ">" => {
                let mut digits = rest.to_owned();
                while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with("> ")) {
                    digits.push_str(&more[1..]);
                }
                replay.comes(&from_hex(&digits).map_err(wrong)?);
            }
            // What the agent said when it was recorded.
            "<" | ":" | "=" | "?" => {}
            _ => {
                replay.line(line);
                replay.set(word, rest).map_err(wrong)?;
            }
        }
    }
    Ok(replay.out)
}

/// What comes in a conversation, in octets.
///
/// # Errors
/// A line is not hexadecimal.
pub fn inputs(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut inputs = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("> ") else { continue };
        let mut digits = first.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("> ")) {
            digits.push_str(&more[1..]);
        }
        inputs.push(from_hex(&digits)?);
    }
    Ok(inputs)
}

struct Replay {
    agent: Agent,
    from: Vec<u8>,
    out: String,
    counters: Vec<u32>,
}

impl Replay {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn set(&mut self, word: &str, rest: &str) -> Result<(), String> {
        match word {
            "at" => {
                let seconds: f64 = rest.parse().map_err(|error| format!("{rest}: {error}"))?;
                self.agent.set_time(Duration::from_secs_f64(seconds));
            }
            "from" => {
                let from: SocketAddr = rest.parse().map_err(|error| format!("{rest}: {error}"))?;
                self.from = match from {
                    SocketAddr::V4(v4) => v4.ip().octets().to_vec(),
                    SocketAddr::V6(v6) => v6.ip().octets().to_vec(),
                };
                self.from.extend(from.port().to_be_bytes());
            }
            "module" => {
                let (component, name) = rest.split_once(' ').unwrap_or((rest, ""));
                let module = match name {
                    "wider" => Some(&sample::wider::S_MODULE),
                    "inner" => Some(&sample::inner::S_MODULE),
                    "none" => None,
                    _ => return Err(format!("there is no module {name}")),
                };
                self.agent.swap(component, module);
                self.agent.look();
            }
            "" | "#" => {}
            _ => return Err(format!("what is `{word}`?")),
        }
        Ok(())
    }

    fn comes(&mut self, datagram: &[u8]) {
        for line in to_hex(datagram) {
            self.line(&format!("> {line}"));
        }
        let refused: u64 = self.refused();
        match self.agent.ask(&self.from, datagram) {
            None => self.line("< nothing"),
            Some(answer) => {
                // Its salt is drawn at random, and with it every octet behind.
                if is_encrypted(&answer) {
                    self.line("< encrypted");
                } else {
                    to_hex(&answer).iter().for_each(|line| self.line(&format!("< {line}")));
                }
                let told = in_words(&answer).unwrap_or("what nobody can read".to_owned());
                self.line(&format!(": {told}"));
            }
        }
        for (at, counter) in Counter::ALL.iter().enumerate() {
            let value = self.agent.engine.facts().counters().get(*counter);
            let is_moved = std::mem::replace(&mut self.counters[at], value) != value;
            if is_moved && *counter != Counter::InPackets {
                self.line(&format!("= {} {value}", counter.name()));
            }
        }
        let newest = self.agent.engine.why().last(None).first().copied();
        if let Some(newest) = newest.filter(|_| self.refused() != refused) {
            let name =
                newest.security_name().map(|name| String::from_utf8_lossy(name).into_owned());
            let name = name.map_or(String::new(), |name| format!(" as {name}"));
            self.line(&format!("? {}{name}", newest.reason.name()));
        }
    }

    fn refused(&self) -> u64 {
        self.agent.engine.why().last(None).iter().map(|entry| entry.times).sum()
    }
}

fn is_encrypted(message: &[u8]) -> bool {
    matches!(
        Message::decode(message),
        Ok(Message::V3(V3Message { data: ScopedPduData::Encrypted(_), .. }))
    )
}

/// The scopedPDU of an encrypted message whose code is right.
fn opened(message: &[u8]) -> Option<Vec<u8>> {
    let Message::V3(V3Message { security_parameters, data, .. }) = Message::decode(message).ok()?
    else {
        return None;
    };
    let ScopedPduData::Encrypted(secret) = data else { return None };
    let usm = UsmParameters::decode(security_parameters).ok()?;
    let code = usm.authentication;
    let mut without_code = message.to_vec();
    without_code.get_mut(code.at..code.at + code.octets.len())?.fill(0);
    let hash = Hash::of(usm.user_name);
    if hash.code(AUTH_PASSPHRASE, usm.engine_id, &without_code) != code.octets {
        return None;
    }
    let clock = (usm.engine_id, usm.engine_boots, usm.engine_time);
    let cipher = Cipher::new(PRIV_PASSPHRASE, clock, usm.user_name, usm.privacy)?;
    let mut plain = secret.octets.to_vec();
    cipher.decrypt(&mut plain);
    Some(plain)
}

/// A message in words.
fn in_words(message: &[u8]) -> Option<String> {
    let plain;
    let (part, version) = match Message::decode(message).ok()? {
        Message::Community(message) => (message.pdu, message.version),
        Message::V3(v3) => {
            let scoped = match v3.data {
                ScopedPduData::Plain(scoped) => ScopedPdu::decode(scoped.reader()).ok()?,
                ScopedPduData::Encrypted(_) => {
                    plain = opened(message)?;
                    ScopedPdu::decode_decrypted(Reader::new(&plain)).ok()?
                }
            };
            (scoped.pdu, s_wire::PduVersion::V2)
        }
    };
    let AnyPdu::Pdu(pdu) = AnyPdu::decode(Reader::new(part.octets), version).ok()? else {
        return None;
    };
    let mut words = format!("{:?}#{}", pdu.kind, pdu.request_id).to_lowercase();
    if (pdu.error_status, pdu.error_index) != (0, 0) {
        write!(words, " error {} at {}", pdu.error_status, pdu.error_index).ok()?;
    }
    let base: String = sample::BASE.iter().map(|arc| format!("{arc}.")).collect();
    for binding in pdu.bindings {
        let name = binding.name.to_string();
        let name = name.strip_prefix(&base).map_or(name.clone(), |rest| format!("B.{rest}"));
        let value = match binding.value {
            Value::Null => String::new(),
            Value::Octets(octets) => format!("={:?}", String::from_utf8_lossy(octets)),
            Value::Oid(oid) => format!("={oid}"),
            value => format!("={value:?}"),
        };
        write!(words, " {name}{value}").ok()?;
    }
    Some(words)
}
