//! A manager that writes its own octets: from a line of words to a datagram.
//!
//! It shares the codec with the agent and nothing else; its keys and codes are its own (`keys`). A line is
//! ```text
//! v1 COMMUNITY PDU BINDING…      v2c COMMUNITY PDU BINDING…
//! v3 USER [auth] [key=WORDS] [priv] [privkey=WORDS] [reportable] [engine=HEX] [boots=N] [time=N] [context=NAME]
//!    [priv] [privkey=WORDS] [context-engine=HEX] [max=N] [model=N] [flags=HEX] PDU BINDING…
//! PDU      get getnext set response inform bulk/NON-REPEATERS/MAX-REPETITIONS, with an id: get#7
//! BINDING  NAME, and in a set NAME=i:NUMBER or NAME=s:TEXT; a NAME may begin with B for the samples
//! ```

use crate::keys::{Cipher, Hash};
use crate::sample::BASE;
use s_wire::ber::{Encode, Part};
use s_wire::{
    Arcs, Bindings, CommunityMessage, Flags, Header, Pdu, PduKind, ScopedPdu, ScopedPduData,
    UsmParameters, V3Message, Value, VarBind,
};
use std::collections::HashMap;

/// The agent's snmpEngineID.
pub const ENGINE_ID: &[u8] = b"\x80\x00\x1f\x88\x04conversation";
/// Of every user.
pub const AUTH_PASSPHRASE: &str = "authentic passphrase";
/// Of every user.
pub const PRIV_PASSPHRASE: &str = "private passphrase";

/// The datagram of a line, or what is wrong with the line.
///
/// # Errors
/// In words.
pub fn compose(line: &str) -> Result<Vec<u8>, String> {
    let mut words = line.split_whitespace().peekable();
    let version = words.next().ok_or("a version is missing")?;
    let principal = words.next().ok_or("a community or a user is missing")?;
    let mut options = HashMap::new();
    while let Some(option) = words.next_if(|word| is_option(word)) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        options.insert(name, value);
    }
    let operation = words.next().ok_or("a PDU is missing")?;
    let bindings: Vec<(Vec<u32>, Set)> = words.map(binding).collect::<Result<_, _>>()?;
    let bindings: Vec<_> = bindings
        .iter()
        .map(|(name, set)| {
            let value = match set {
                Set::Nothing => Value::Null,
                Set::Integer(number) => Value::Integer(*number),
                Set::Text(text) => Value::Octets(text.as_bytes()),
            };
            Arcs::new(name).map(|name| VarBind { name, value }).ok_or("no name")
        })
        .collect::<Result<_, _>>()?;
    let pdu = pdu(operation, Bindings(bindings.iter().copied()))?;
    match version {
        "v1" | "v2c" => {
            let version =
                if version == "v1" { s_wire::PduVersion::V1 } else { s_wire::PduVersion::V2 };
            written(&CommunityMessage { version, community: Part::from(principal.as_bytes()), pdu })
        }
        "v3" => v3(principal, &options, pdu),
        other => Err(format!("there is no version {other}")),
    }
}

fn is_option(word: &str) -> bool {
    const OPTIONS: [&str; 13] = [
        "auth",
        "priv",
        "privkey",
        "reportable",
        "key",
        "engine",
        "boots",
        "time",
        "context",
        "context-engine",
        "max",
        "model",
        "flags",
    ];
    OPTIONS.contains(&word.split('=').next().unwrap_or(""))
}

enum Set {
    Nothing,
    Integer(i32),
    Text(String),
}

fn binding(word: &str) -> Result<(Vec<u32>, Set), String> {
    let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
    let (start, name): (&[u32], _) = match name.strip_prefix("B.") {
        Some(rest) => (BASE, rest),
        None => (&[], name),
    };
    let more: Result<Vec<u32>, _> = name.split('.').map(str::parse).collect();
    let more = more.map_err(|error| format!("{word}: {error}"))?;
    let set = match value.map(|value| value.split_once(':').unwrap_or(("", value))) {
        None => Set::Nothing,
        Some(("i", number)) => {
            Set::Integer(number.parse().map_err(|error| format!("{word}: {error}"))?)
        }
        Some(("s", text)) => Set::Text(text.replace('_', " ")),
        Some((kind, _)) => return Err(format!("{word}: there is no value of kind `{kind}`")),
    };
    Ok(([start, &more].concat(), set))
}

fn pdu<B>(operation: &str, bindings: B) -> Result<Pdu<B>, String> {
    let (operation, id) = operation.split_once('#').unwrap_or((operation, "1"));
    let request_id = id.parse().map_err(|error| format!("{id}: {error}"))?;
    let mut parts = operation.split('/');
    let kind = match parts.next() {
        Some("get") => PduKind::Get,
        Some("getnext") => PduKind::GetNext,
        Some("bulk") => PduKind::GetBulk,
        Some("set") => PduKind::Set,
        Some("response") => PduKind::Response,
        Some("inform") => PduKind::Inform,
        _ => return Err(format!("there is no PDU {operation}")),
    };
    let mut number = || parts.next().map_or(Ok(0), str::parse);
    let error_status = number().map_err(|error| format!("{operation}: {error}"))?;
    let error_index = number().map_err(|error| format!("{operation}: {error}"))?;
    Ok(Pdu { kind, request_id, error_status, error_index, bindings })
}

fn v3(user: &str, options: &HashMap<&str, &str>, pdu: Pdu<impl Encode>) -> Result<Vec<u8>, String> {
    let number = |name: &str, usual: u32| {
        options.get(name).map_or(Ok(usual), |text| text.parse()).map_err(|e| format!("{name}: {e}"))
    };
    let octets = |name: &str, usual: &[u8]| {
        options.get(name).map_or(Ok(usual.to_vec()), |text| from_hex(text))
    };
    let phrase = |name: &str, usual: &str| {
        options.get(name).map_or(usual.to_owned(), |phrase| phrase.replace('_', " "))
    };
    let user = if user == "-" { b"" } else { user.as_bytes() };
    let engine_id = octets("engine", ENGINE_ID)?;
    let context_engine_id = octets("context-engine", &engine_id)?;
    let (engine_boots, engine_time) = (number("boots", crate::agent::BOOTS)?, number("time", 0)?);
    let [is_authenticated, is_private] = ["auth", "priv"].map(|name| options.contains_key(name));
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    let flags = bit(is_authenticated, Flags::AUTHENTICATED)
        | bit(is_private, Flags::PRIVATE)
        | bit(options.contains_key("reportable"), Flags::REPORTABLE);
    // One that is never used twice, if requests are told apart by their ids.
    let salt = u64::from(pdu.request_id.cast_unsigned()).to_be_bytes();
    let scoped = ScopedPdu {
        context_engine_id: &context_engine_id[..],
        context_name: options.get("context").unwrap_or(&"").as_bytes(),
        pdu,
    };
    let mut secret = written(&scoped)?;
    let data = if is_private {
        let phrase = phrase("privkey", PRIV_PASSPHRASE);
        let clock = (&engine_id[..], engine_boots, engine_time);
        Cipher::new(&phrase, clock, user, &salt).ok_or("no key")?.encrypt(&mut secret);
        ScopedPduData::Encrypted(Part::from(&secret[..]))
    } else {
        ScopedPduData::Plain(scoped)
    };
    let hash = Hash::of(user);
    let no_code = vec![0; if is_authenticated { hash.code_len() } else { 0 }];
    let message = V3Message {
        header: Header {
            msg_id: 77,
            max_size: number("max", 65_507)?,
            flags: Flags(octets("flags", &[flags])?.first().copied().unwrap_or(flags)),
            security_model: number("model", 3)?,
        },
        security_parameters: UsmParameters {
            engine_id: &engine_id,
            engine_boots,
            engine_time,
            user_name: user,
            authentication: Part::from(&no_code[..]),
            privacy: if is_private { &salt } else { &[] },
        },
        data,
    };
    let mut octets = written(&message)?;
    if is_authenticated {
        let code = hash.code(&phrase("key", AUTH_PASSPHRASE), &engine_id, &octets);
        let place = message.authentication_range(octets.len());
        octets[place].copy_from_slice(&code);
    }
    Ok(octets)
}

fn written(message: &impl Encode) -> Result<Vec<u8>, String> {
    let mut room = vec![0; 65_536];
    let written = message.encode_into(&mut room).map_err(|_| "too large")?;
    Ok(written.to_vec())
}

/// Octets from hexadecimal digits, with or without spaces.
///
/// # Errors
/// In words.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let octet = |pair: &[char]| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).ok().filter(|_| pair.len() == 2)
    };
    let octets: Option<Vec<u8>> = digits.chunks(2).map(octet).collect();
    octets.ok_or(format!("`{text}` is not hexadecimal"))
}

/// Octets as hexadecimal digits, 32 to a line.
pub fn to_hex(octets: &[u8]) -> Vec<String> {
    let line =
        |octets: &[u8]| octets.iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(" ");
    octets.chunks(32).map(line).collect()
}
