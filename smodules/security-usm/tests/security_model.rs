//! The contract suite of security models, for every user at every level, and what it says of a module that
//! breaks the contract.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod world;

use roles::contract::Broken;
use roles::contract::security::{Conversation, Refused, suite};
use roles::privacy::EngineTime;
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityErrorKind, SecurityHeader,
    SecurityModel, SecurityModelProxy, SecurityStateReference,
};
use roles::varbind::{SecurityLevel, Span, message_model, security_model};
use s_sdk::{Activity, Buf};
use s_wire::ber::Part;
use s_wire::{Flags, Header, PduKind, ScopedPdu, ScopedPduData, V3Message, Value};
use world::{AES_128, Ask, CLOCK, Manager, OTHER, OWN, SHA_256, USERS, World, octets, pdu};

const LEVELS: [(SecurityLevel, u8); 3] = [
    (SecurityLevel::NoAuthNoPriv, 0),
    (SecurityLevel::AuthNoPriv, 1),
    (SecurityLevel::AuthPriv, 3),
];

/// The level that flags say.
fn level_of(flags: u8) -> SecurityLevel {
    LEVELS.iter().find(|(_, number)| *number == flags & 3).unwrap().0
}

fn header(security_level: SecurityLevel) -> SecurityHeader {
    SecurityHeader {
        message_model: message_model::SNMPV3,
        security_model: security_model::USM,
        security_level,
        max_message_size: 1472,
    }
}

/// The version and the msgGlobalData.
fn global_data(level: SecurityLevel) -> Vec<u8> {
    let flags = LEVELS.iter().find(|(known, _)| *known == level).unwrap().1;
    let header = Header { msg_id: 7, max_size: 1472, flags: Flags(flags), security_model: 3 };
    [&[2, 1, 3][..], &octets(&header)].concat()
}

/// Where the message processing model finds the parts.
fn parts(message: &[u8]) -> Option<MessageParts> {
    let decoded = V3Message::decode(message).ok()?;
    let span = |part: Part<'_>| {
        Some(Span::new(u32::try_from(part.at).ok()?, u32::try_from(part.octets.len()).ok()?))
    };
    let (ScopedPduData::Plain(data) | ScopedPduData::Encrypted(data)) = decoded.data;
    Some(MessageParts {
        security_parameters: span(decoded.security_parameters)?,
        data: span(data)?,
    })
}

fn data(user: &str) -> SecurityData {
    let pdu = pdu(PduKind::Get, 77, &[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::Null);
    let scoped =
        ScopedPdu { context_engine_id: OWN, context_name: b"ctx", pdu: Part::from(&pdu[..]) };
    SecurityData {
        engine_id: OWN.to_vec().into(),
        security_name: user.as_bytes().to_vec().into(),
        scoped_pdu: octets(&scoped).into(),
    }
}

/// Requests that are refused: whether a Report may be sent of them.
fn wrong() -> Vec<(Ask, SecurityErrorKind)> {
    let alice = Ask::of(USERS[0]);
    let late = EngineTime { time_seconds: CLOCK.time_seconds - 151, ..CLOCK };
    vec![
        (Ask { engine_id: OTHER.to_vec(), ..alice.clone() }, SecurityErrorKind::UnknownEngineId),
        (Ask { user: "mallory", ..alice.clone() }, SecurityErrorKind::UnknownUserName),
        (Ask::of(("frank", SHA_256, AES_128)), SecurityErrorKind::UnsupportedSecurityLevel),
        // Bob's key is another one.
        (Ask { user: "bob", ..alice.clone() }.at_level(1), SecurityErrorKind::WrongDigest),
        (Ask { clock: late, ..alice }, SecurityErrorKind::NotInTimeWindow),
    ]
}

/// Holds a module to the contract, as a user at a level.
fn held(
    world: &World,
    model: &dyn SecurityModel,
    user: &str,
    level: SecurityLevel,
) -> Result<(), Broken> {
    let mut worker = world.runtime.worker();
    let proxy: SecurityModelProxy = world.runtime.proxy("security.usm").unwrap();
    let (header, data) = (header(level), data(user));
    let (ended, messages) = {
        let act = worker.activity();
        let mut message = Buf::new();
        proxy.generate_request(&act, header, &global_data(level), &data, &mut message).unwrap();
        let mut heard = SecurityData::default();
        let found = parts(&message).unwrap();
        let accepted = proxy.process_incoming(&act, header, found, &message, &mut heard).unwrap();
        let manager = Manager { runtime: world.runtime, act: &act };
        let messages = wrong().into_iter().map(|(ask, kind)| (manager.ask(&ask), ask.flags, kind));
        (accepted.state, messages.collect::<Vec<_>>())
    };
    let refused: Vec<_> = messages
        .iter()
        .map(|(message, flags, kind)| Refused {
            header: self::header(level_of(*flags)),
            message,
            kind: *kind,
            is_reported: true,
        })
        .collect();
    let conversation = Conversation {
        header,
        global_data: &global_data,
        data: &data,
        parts: &parts,
        refused: &refused,
        ended,
    };
    suite(model, &conversation, &mut |step| step(&worker.activity()))
}

#[test]
fn the_contract_holds_for_every_user_at_every_level() {
    let world = World::new();
    let proxy: SecurityModelProxy = world.runtime.proxy("security.usm").unwrap();
    for who in USERS {
        let highest = level_of(Ask::of(who).flags);
        for (level, _) in LEVELS.into_iter().filter(|(level, _)| *level <= highest) {
            held(&world, &proxy, who.0, level)
                .unwrap_or_else(|broken| panic!("{who:?} at {level:?}: {broken}"));
        }
    }
}

/// What a module does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Overwrites,
    ForgetsTheRequest,
    RefusesOtherwise,
    CannotReport,
    LowersTheLevel,
    RaisesTheLevel,
    AnswersNobody,
    AcceptsWhatIsAltered,
    KnowsNoSize,
    SaysAnotherSize,
}

/// The module, but for one thing.
struct Faulty(SecurityModelProxy, Fault);

impl Faulty {
    fn sized(&self, header: SecurityHeader) -> SecurityHeader {
        let Faulty(_, fault) = self;
        match fault {
            Fault::KnowsNoSize => SecurityHeader { max_message_size: 65507, ..header },
            _ => header,
        }
    }

    fn made(&self, made: Result<(), SecurityError>) -> Result<(), SecurityError> {
        let Faulty(_, fault) = self;
        made.map_err(|error| match (fault, error.kind) {
            (Fault::SaysAnotherSize, SecurityErrorKind::TooBig) => {
                SecurityError { detail: error.detail + 1, ..error }
            }
            _ => error,
        })
    }
}

impl SecurityModel for Faulty {
    fn process_incoming(
        &self,
        act: &Activity,
        header: SecurityHeader,
        parts: MessageParts,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        let Faulty(module, fault) = self;
        if *fault == Fault::Overwrites {
            data.clear();
        }
        let answer = module.process_incoming(act, header, parts, message, data);
        match (fault, answer) {
            (Fault::ForgetsTheRequest, Ok(accepted)) => {
                Ok(Accepted { state: SecurityStateReference::none(), ..accepted })
            }
            (Fault::RefusesOtherwise, Err(error))
                if error.kind == SecurityErrorKind::UnknownUserName =>
            {
                Err(SecurityError { kind: SecurityErrorKind::WrongDigest, ..error })
            }
            (Fault::CannotReport, Err(error)) => Err(error.kind.into()),
            (Fault::AcceptsWhatIsAltered, Err(error))
                if error.kind == SecurityErrorKind::WrongDigest
                    && header.security_level == SecurityLevel::AuthPriv =>
            {
                Ok(Accepted { max_response_size: 0, state: SecurityStateReference::none() })
            }
            (_, answer) => answer,
        }
    }

    fn generate_request(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let made = self.0.generate_request(act, self.sized(header), global_data, data, message);
        self.made(made)
    }

    fn generate_response(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        state: SecurityStateReference,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let Faulty(module, fault) = self;
        let security_level = match fault {
            Fault::LowersTheLevel => SecurityLevel::NoAuthNoPriv,
            Fault::RaisesTheLevel => SecurityLevel::AuthPriv,
            _ => header.security_level,
        };
        let header = SecurityHeader { security_level, ..self.sized(header) };
        let made = module.generate_response(act, header, global_data, data, state, message);
        match made {
            Err(_) if *fault == Fault::AnswersNobody => Ok(()),
            made => self.made(made),
        }
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    let world = World::new();
    let proxy: SecurityModelProxy = world.runtime.proxy("security.usm").unwrap();
    for (fault, sentence) in [
        (Fault::Overwrites, 1),
        (Fault::ForgetsTheRequest, 2),
        (Fault::RefusesOtherwise, 3),
        (Fault::CannotReport, 3),
        (Fault::LowersTheLevel, 4),
        (Fault::RaisesTheLevel, 4),
        (Fault::AnswersNobody, 5),
        (Fault::AcceptsWhatIsAltered, 6),
        (Fault::KnowsNoSize, 7),
        (Fault::SaysAnotherSize, 7),
    ] {
        let broken = held(&world, &Faulty(proxy, fault), "alice", SecurityLevel::AuthPriv);
        assert_eq!(broken.unwrap_err().sentence, sentence, "{fault:?}");
    }
}
