//! Whole messages as values that own what they hold: to make, to keep and to compare. The fuzzer uses
//! this file too. It reads every layer that the codec reads, to the last binding.

use s_wire::ber::{Encode, Full, Part, Writer};
use s_wire::varbind::VarBindIter;
use s_wire::{
    AnyPdu, Arcs, Bindings, CommunityMessage, Error, Header, Message, Oid, Pdu, PduKind,
    PduVersion, ScopedPdu, ScopedPduData, TrapV1, UsmParameters, V3Message, Value, VarBind,
};

/// The User-based Security Model (RFC 3411 §5).
const USM: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Datum {
    Integer(i32),
    Octets(Vec<u8>),
    Null,
    Oid(Vec<u32>),
    IpAddress([u8; 4]),
    Counter32(u32),
    Gauge32(u32),
    TimeTicks(u32),
    Opaque(Vec<u8>),
    NsapAddress(Vec<u8>),
    Counter64(u64),
    UInteger32(u32),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

impl Datum {
    fn of(value: Value<'_>) -> Datum {
        match value {
            Value::Integer(integer) => Datum::Integer(integer),
            Value::Octets(octets) => Datum::Octets(octets.to_vec()),
            Value::Null => Datum::Null,
            Value::Oid(name) => Datum::Oid(name.arcs().collect()),
            Value::IpAddress(address) => Datum::IpAddress(address),
            Value::Counter32(number) => Datum::Counter32(number),
            Value::Gauge32(number) => Datum::Gauge32(number),
            Value::TimeTicks(number) => Datum::TimeTicks(number),
            Value::Opaque(octets) => Datum::Opaque(octets.to_vec()),
            Value::NsapAddress(octets) => Datum::NsapAddress(octets.to_vec()),
            Value::Counter64(number) => Datum::Counter64(number),
            Value::UInteger32(number) => Datum::UInteger32(number),
            Value::NoSuchObject => Datum::NoSuchObject,
            Value::NoSuchInstance => Datum::NoSuchInstance,
            Value::EndOfMibView => Datum::EndOfMibView,
        }
    }

    fn value(&self) -> Value<'_, Arcs<'_>> {
        match self {
            Datum::Integer(integer) => Value::Integer(*integer),
            Datum::Octets(octets) => Value::Octets(octets),
            Datum::Null => Value::Null,
            Datum::Oid(arcs) => Value::Oid(name(arcs)),
            Datum::IpAddress(address) => Value::IpAddress(*address),
            Datum::Counter32(number) => Value::Counter32(*number),
            Datum::Gauge32(number) => Value::Gauge32(*number),
            Datum::TimeTicks(number) => Value::TimeTicks(*number),
            Datum::Opaque(octets) => Value::Opaque(octets),
            Datum::NsapAddress(octets) => Value::NsapAddress(octets),
            Datum::Counter64(number) => Value::Counter64(*number),
            Datum::UInteger32(number) => Value::UInteger32(*number),
            Datum::NoSuchObject => Value::NoSuchObject,
            Datum::NoSuchInstance => Value::NoSuchInstance,
            Datum::EndOfMibView => Value::EndOfMibView,
        }
    }
}

fn name(arcs: &[u32]) -> Arcs<'_> {
    Arcs::new(arcs).expect("tests make, and the codec reads, names that can be written")
}

fn arcs(name: Oid<'_>) -> Vec<u32> {
    name.arcs().collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedBinding {
    pub(crate) name: Vec<u32>,
    pub(crate) value: Datum,
}

impl OwnedBinding {
    pub(crate) fn borrowed(&self) -> VarBind<'_, Arcs<'_>> {
        VarBind { name: name(&self.name), value: self.value.value() }
    }

    fn all(bindings: VarBindIter<'_>) -> Vec<OwnedBinding> {
        let expected = bindings.len();
        let all: Vec<_> = bindings
            .map(|bind| OwnedBinding { name: arcs(bind.name), value: Datum::of(bind.value) })
            .collect();
        assert_eq!(all.len(), expected, "a validated list ends where it said");
        all
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnedPdu {
    Pdu {
        kind: PduKind,
        request_id: i32,
        error_status: i32,
        error_index: i32,
        bindings: Vec<OwnedBinding>,
    },
    TrapV1 {
        enterprise: Vec<u32>,
        agent_address: [u8; 4],
        generic_trap: i32,
        specific_trap: i32,
        time_stamp: u32,
        bindings: Vec<OwnedBinding>,
    },
}

impl OwnedPdu {
    pub(crate) fn of(pdu: AnyPdu<'_>) -> OwnedPdu {
        let bindings = OwnedBinding::all(pdu.bindings().iter());
        match pdu {
            AnyPdu::Pdu(Pdu { kind, request_id, error_status, error_index, bindings: _ }) => {
                OwnedPdu::Pdu { kind, request_id, error_status, error_index, bindings }
            }
            AnyPdu::TrapV1(trap) => OwnedPdu::TrapV1 {
                enterprise: arcs(trap.enterprise),
                agent_address: trap.agent_address,
                generic_trap: trap.generic_trap,
                specific_trap: trap.specific_trap,
                time_stamp: trap.time_stamp,
                bindings,
            },
        }
    }

    pub(crate) fn bindings(&self) -> &[OwnedBinding] {
        match self {
            OwnedPdu::Pdu { bindings, .. } | OwnedPdu::TrapV1 { bindings, .. } => bindings,
        }
    }

    /// What the codec writes, borrowed from this.
    fn with<T>(&self, use_it: impl FnOnce(&dyn Encode) -> T) -> T {
        let list = Bindings(self.bindings().iter().map(OwnedBinding::borrowed));
        match self {
            OwnedPdu::Pdu { kind, request_id, error_status, error_index, .. } => use_it(&Pdu {
                kind: *kind,
                request_id: *request_id,
                error_status: *error_status,
                error_index: *error_index,
                bindings: list,
            }),
            OwnedPdu::TrapV1 {
                enterprise,
                agent_address,
                generic_trap,
                specific_trap,
                time_stamp,
                ..
            } => use_it(&TrapV1 {
                enterprise: name(enterprise),
                agent_address: *agent_address,
                generic_trap: *generic_trap,
                specific_trap: *specific_trap,
                time_stamp: *time_stamp,
                bindings: list,
            }),
        }
    }
}

impl Encode for OwnedPdu {
    fn encoded_len(&self) -> usize {
        self.with(|pdu| pdu.encoded_len())
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        self.with(|pdu| pdu.encode(writer))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Usm {
        engine_id: Vec<u8>,
        engine_boots: u32,
        engine_time: u32,
        user_name: Vec<u8>,
        authentication: Vec<u8>,
        privacy: Vec<u8>,
    },
    Other(Vec<u8>),
}

impl Security {
    pub(crate) fn octets(&self) -> Vec<u8> {
        match self {
            Security::Usm {
                engine_id,
                engine_boots,
                engine_time,
                user_name,
                authentication,
                privacy,
            } => octets(&UsmParameters {
                engine_id,
                engine_boots: *engine_boots,
                engine_time: *engine_time,
                user_name,
                authentication: authentication.as_slice().into(),
                privacy,
            }),
            Security::Other(octets) => octets.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Plain { context_engine_id: Vec<u8>, context_name: Vec<u8>, pdu: OwnedPdu },
    Encrypted(Vec<u8>),
}

impl Data {
    fn borrowed(&self) -> ScopedPduData<'_, ScopedPdu<'_, &OwnedPdu>> {
        match self {
            Data::Plain { context_engine_id, context_name, pdu } => {
                ScopedPduData::Plain(ScopedPdu { context_engine_id, context_name, pdu })
            }
            Data::Encrypted(octets) => ScopedPduData::Encrypted(octets.as_slice().into()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnedMessage {
    Community { version: PduVersion, community: Vec<u8>, pdu: OwnedPdu },
    V3 { header: Header, security: Security, data: Data },
}

impl OwnedMessage {
    /// Reads everything in a message that the codec can read.
    pub(crate) fn decode(octets: &[u8]) -> Result<OwnedMessage, Error> {
        match Message::decode(octets)? {
            Message::Community(message) => Ok(OwnedMessage::Community {
                version: message.version,
                community: message.community.octets.to_vec(),
                pdu: OwnedPdu::of(message.decode_pdu()?),
            }),
            Message::V3(message) => {
                let parameters = message.security_parameters;
                let security = if message.header.security_model == USM {
                    let usm = UsmParameters::decode(parameters)?;
                    assert_eq!(&octets[usm.authentication.range()], usm.authentication.octets);
                    Security::Usm {
                        engine_id: usm.engine_id.to_vec(),
                        engine_boots: usm.engine_boots,
                        engine_time: usm.engine_time,
                        user_name: usm.user_name.to_vec(),
                        authentication: usm.authentication.octets.to_vec(),
                        privacy: usm.privacy.to_vec(),
                    }
                } else {
                    Security::Other(parameters.octets.to_vec())
                };
                let data = match message.data {
                    ScopedPduData::Encrypted(data) => Data::Encrypted(data.octets.to_vec()),
                    ScopedPduData::Plain(data) => {
                        let scoped = ScopedPdu::decode(data.reader())?;
                        Data::Plain {
                            context_engine_id: scoped.context_engine_id.to_vec(),
                            context_name: scoped.context_name.to_vec(),
                            pdu: OwnedPdu::of(scoped.decode_pdu()?),
                        }
                    }
                };
                Ok(OwnedMessage::V3 { header: message.header, security, data })
            }
        }
    }

    /// In the shortest form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            OwnedMessage::Community { version, community, pdu } => octets(&CommunityMessage {
                version: *version,
                community: community.as_slice().into(),
                pdu,
            }),
            OwnedMessage::V3 { header, security, data } => octets(&V3Message {
                header: *header,
                security_parameters: Part::from(security.octets().as_slice()),
                data: data.borrowed(),
            }),
        }
    }
}

/// What is written, in a buffer of exactly the size that was announced.
pub(crate) fn octets(encode: &impl Encode) -> Vec<u8> {
    let mut buffer = vec![0; encode.encoded_len()];
    let written = encode.encode_into(&mut buffer).expect("as long as announced").len();
    assert_eq!(written, buffer.len(), "exactly as long as announced");
    buffer
}
