//! Two codecs that are not ours judge the same messages: `rasn-snmp` and `snmp-parser`, on good messages
//! and on damaged ones, from a fixed seed.
//!
//! Every kind of disagreement stands in [`LISTED`] with who is right and by which paragraph. A kind that is
//! not listed fails the test, and so does a listed one that is not met any more.

use crate::owned::{Data, Datum, OwnedBinding, OwnedMessage, OwnedPdu, Security};
use crate::strategies::{damage, message};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use s_wire::{Flags, Header, Oid, PduKind, PduVersion, Reader, Reason, V3Message};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Judge {
    Rasn,
    SnmpParser,
}
use Judge::*;

/// How a judge disagrees with us, and over what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It accepts what we refuse for this reason.
    Accepts(&'static str),
    /// It refuses what we accept, in a message that has this.
    Refuses(Trait),
    /// It reads another value, in a message that has this.
    Differs(Trait),
}
use Kind::*;

/// What a message can have that codecs disagree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    NumberInMoreOctets,
    StringNotUtf8,
    NegativeInteger,
    /// In a GetBulk.
    NegativeCount,
    /// In another PDU.
    NegativeError,
    UInteger32,
    NsapAddress,
    EmptyOctets,
    GenericTrapAbove255,
    FlagsUnlikeData,
}

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// This codec.
    Ours,
    /// The judge; we differ on purpose.
    Theirs,
    /// The standards leave it to the receiver.
    Either,
}

struct Row(Judge, Kind, Right, &'static str);

#[rustfmt::skip]
const LISTED: &[Row] = &[
    Row(Rasn, Accepts("BadVersion"), Right::Ours, "RFC 3412 §4.2.1 step 2: any number is a version to it"),
    Row(Rasn, Accepts("Constructed"), Right::Ours, "RFC 3417 §8 (2): strings are primitive"),
    Row(Rasn, Accepts("IndefiniteLength"), Right::Ours, "RFC 3417 §8 (1): only the definite form"),
    Row(Rasn, Accepts("IntegerOutOfRange"), Right::Ours, "RFC 3412 §6, RFC 3414 §2.4, RFC 2578 §7.1.1: ranges"),
    Row(Rasn, Accepts("PaddedArc"), Right::Ours, "X.690 §8.19.2: the leading octet is not 0x80"),
    Row(Rasn, Accepts("TooManyArcs"), Right::Ours, "RFC 2578 §3.5: at most 128"),
    Row(Rasn, Accepts("TrailingOctets"), Right::Ours, "RFC 3412 §4.2.1 step 1: a datagram is one message"),
    Row(Rasn, Accepts("UnexpectedTag"), Right::Ours, "X.690 §8.3.1, §8.8.1: numbers, nulls and exceptions are primitive"),
    Row(Rasn, Accepts("WrongSize"), Right::Ours, "RFC 3412 §6.4, RFC 3414 §2.4: sizes of flags and names"),
    Row(Rasn, Refuses(Trait::NegativeCount), Right::Ours, "RFC 3416 §4.2.3: less than zero is set to zero"),
    Row(Rasn, Refuses(Trait::NegativeError), Right::Either, "RFC 3416 §3: requests have zeros there, which receivers ignore"),
    Row(Rasn, Refuses(Trait::NsapAddress), Right::Either, "RFC 1442 §7.1.8 has it, RFC 2578 has not"),
    Row(Rasn, Refuses(Trait::UInteger32), Right::Either, "RFC 1442 §7.1.10 has it, RFC 2578 has not"),

    Row(SnmpParser, Accepts("ArcTooLarge"), Right::Ours, "RFC 2578 §3.5: at most 2^32-1; it keeps the octets unread"),
    Row(SnmpParser, Accepts("BadVersion"), Right::Ours, "RFC 3412 §4.2.1 step 2: it does not look in SNMPv3"),
    Row(SnmpParser, Accepts("Constructed"), Right::Ours, "RFC 3417 §8 (2): strings are primitive"),
    Row(SnmpParser, Accepts("EmptyInteger"), Right::Ours, "X.690 §8.3.1: at least one octet"),
    Row(SnmpParser, Accepts("EmptyOid"), Right::Ours, "X.690 §8.19.1: at least one subidentifier"),
    Row(SnmpParser, Accepts("IndefiniteLength"), Right::Ours, "RFC 3417 §8 (1): it does not read the PDU's length"),
    Row(SnmpParser, Accepts("IntegerOutOfRange"), Right::Ours, "RFC 3412 §6, RFC 3416 §3: ranges"),
    Row(SnmpParser, Accepts("NotInVersion"), Right::Ours, "RFC 1155 §3.2.3 has no such type"),
    Row(SnmpParser, Accepts("PaddedArc"), Right::Ours, "X.690 §8.19.2: the leading octet is not 0x80"),
    Row(SnmpParser, Accepts("TooManyArcs"), Right::Ours, "RFC 2578 §3.5: at most 128"),
    Row(SnmpParser, Accepts("TrailingOctets"), Right::Ours, "X.690 §8.9: it ignores what stands behind the last component"),
    Row(SnmpParser, Accepts("Truncated"), Right::Ours, "X.690 §8.1.3: it does not read the PDU's length"),
    Row(SnmpParser, Accepts("UnexpectedTag"), Right::Ours, "RFC 3416 §3: it looks at tag numbers without their class"),
    Row(SnmpParser, Accepts("UnknownPdu"), Right::Ours, "RFC 3416 §3: it looks at tag numbers without their class"),
    Row(SnmpParser, Accepts("UnterminatedArc"), Right::Ours, "X.690 §8.19.2: it keeps the octets unread"),
    Row(SnmpParser, Accepts("WrongSize"), Right::Ours, "X.690 §8.8.2, RFC 3416 §3: exceptions have no contents"),
    Row(SnmpParser, Differs(Trait::EmptyOctets), Right::Ours, "X.690 §8.7: it takes an empty string for no value"),
    Row(SnmpParser, Differs(Trait::GenericTrapAbove255), Right::Ours, "RFC 1157 §4.1.6: an INTEGER, of which it keeps eight bits"),
    Row(SnmpParser, Differs(Trait::NsapAddress), Right::Ours, "RFC 1442 §7.1.8: it takes [APPLICATION 5] for NULL"),
    Row(SnmpParser, Refuses(Trait::FlagsUnlikeData), Right::Either, "RFC 3412 §7.2 step 5: ours says so when asked, after step 4"),
    Row(SnmpParser, Refuses(Trait::NegativeCount), Right::Ours, "RFC 3416 §4.2.3: less than zero is set to zero"),
    Row(SnmpParser, Refuses(Trait::NegativeError), Right::Either, "RFC 3416 §3: requests have zeros there, which receivers ignore"),
    Row(SnmpParser, Refuses(Trait::NegativeInteger), Right::Ours, "RFC 3416 §3: a request-id is an Integer32"),
    Row(SnmpParser, Refuses(Trait::NumberInMoreOctets), Right::Theirs, "X.690 §8.3.2: the shortest form; ours is lenient to old equipment"),
    Row(SnmpParser, Refuses(Trait::StringNotUtf8), Right::Ours, "RFC 1157 §4, RFC 3414 §2.4: an OCTET STRING"),
];

/// What a judge made of octets.
enum Verdict {
    Refused,
    Said(Box<OwnedMessage>),
    /// It accepted something that is no SNMP message.
    SaidMore,
}

impl From<Result<OwnedMessage, NotSnmp>> for Verdict {
    fn from(said: Result<OwnedMessage, NotSnmp>) -> Verdict {
        said.map_or(Verdict::SaidMore, |message| Verdict::Said(Box::new(message)))
    }
}

/// A value that SNMP does not have.
struct NotSnmp;

fn number<T, U: TryFrom<T>>(number: T) -> Result<U, NotSnmp> {
    U::try_from(number).map_err(|_| NotSnmp)
}

mod rasn_judge {
    use super::*;
    use rasn::types::Integer;
    use rasn_smi::{v1 as smi1, v2 as smi2};
    use rasn_snmp::{v1, v2, v2c, v3};

    pub(super) fn judge(octets: &[u8]) -> Verdict {
        let (mut said_more, mut versions) = (false, Vec::new());
        if let Ok(message) = rasn::ber::decode::<v3::Message>(octets) {
            match v3_message(&message) {
                Ok(Some(owned)) if message.version == 3.into() => return Ok(owned).into(),
                Ok(_) => {}
                Err(NotSnmp) => said_more |= message.version == 3.into(),
            }
            versions.push(message.version);
        }
        if let Ok(message) = rasn::ber::decode::<v2c::Message<v2::Pdus>>(octets) {
            if message.version == 1.into() {
                return said(&message.community, PduVersion::V2, pdu2(&message.data));
            }
            versions.push(message.version);
        }
        if let Ok(message) = rasn::ber::decode::<v1::Message<v1::Pdus>>(octets) {
            if message.version == 0.into() {
                return said(&message.community, PduVersion::V1, pdu1(&message.data));
            }
            versions.push(message.version);
        }
        said_more |=
            versions.iter().any(|version| ![0.into(), 1.into(), 3.into()].contains(version));
        if said_more { Verdict::SaidMore } else { Verdict::Refused }
    }

    fn said(community: &[u8], version: PduVersion, pdu: Result<OwnedPdu, NotSnmp>) -> Verdict {
        let community = community.to_vec();
        pdu.map(|pdu| OwnedMessage::Community { version, community, pdu }).into()
    }

    fn natural(integer: &Integer) -> Result<u32, NotSnmp> {
        let natural: i32 = number(integer.clone())?;
        number(natural)
    }

    /// None where the security parameters are refused.
    fn v3_message(message: &v3::Message) -> Result<Option<OwnedMessage>, NotSnmp> {
        let header = &message.global_data;
        let &[flags] = header.flags.as_ref() else { return Err(NotSnmp) };
        let header = Header {
            msg_id: natural(&header.message_id)?,
            max_size: natural(&header.max_size)?,
            flags: Flags(flags),
            security_model: natural(&header.security_model)?,
        };
        if header.max_size < 484 || header.security_model == 0 {
            return Err(NotSnmp);
        }
        let security = if header.security_model == 3 {
            let usm = rasn::ber::decode::<v3::USMSecurityParameters>(&message.security_parameters);
            let Ok(usm) = usm else { return Ok(None) };
            if usm.user_name.len() > 32 {
                return Err(NotSnmp);
            }
            Security::Usm {
                engine_id: usm.authoritative_engine_id.to_vec(),
                engine_boots: natural(&usm.authoritative_engine_boots)?,
                engine_time: natural(&usm.authoritative_engine_time)?,
                user_name: usm.user_name.to_vec(),
                authentication: usm.authentication_parameters.to_vec(),
                privacy: usm.privacy_parameters.to_vec(),
            }
        } else {
            Security::Other(message.security_parameters.to_vec())
        };
        let data = match &message.scoped_data {
            v3::ScopedPduData::EncryptedPdu(octets) => Data::Encrypted(octets.to_vec()),
            v3::ScopedPduData::CleartextPdu(scoped) => Data::Plain {
                context_engine_id: scoped.engine_id.to_vec(),
                context_name: scoped.name.to_vec(),
                pdu: pdu2(&scoped.data)?,
            },
        };
        Ok(Some(OwnedMessage::V3 { header, security, data }))
    }

    fn pdu1(pdus: &v1::Pdus) -> Result<OwnedPdu, NotSnmp> {
        let (kind, pdu) = match pdus {
            v1::Pdus::GetRequest(pdu) => (PduKind::Get, &pdu.0),
            v1::Pdus::GetNextRequest(pdu) => (PduKind::GetNext, &pdu.0),
            v1::Pdus::GetResponse(pdu) => (PduKind::Response, &pdu.0),
            v1::Pdus::SetRequest(pdu) => (PduKind::Set, &pdu.0),
            v1::Pdus::Trap(trap) => {
                let smi1::NetworkAddress::Internet(address) = &trap.agent_addr;
                return Ok(OwnedPdu::TrapV1 {
                    enterprise: name(&trap.enterprise)?,
                    agent_address: *address.0,
                    generic_trap: number(trap.generic_trap.clone())?,
                    specific_trap: number(trap.specific_trap.clone())?,
                    time_stamp: trap.time_stamp.0,
                    bindings: trap.variable_bindings.iter().map(bind1).collect::<Result<_, _>>()?,
                });
            }
        };
        Ok(OwnedPdu::Pdu {
            kind,
            request_id: number(pdu.request_id.clone())?,
            error_status: number(pdu.error_status.clone())?,
            error_index: number(pdu.error_index.clone())?,
            bindings: pdu.variable_bindings.iter().map(bind1).collect::<Result<_, _>>()?,
        })
    }

    fn bind1(bind: &v1::VarBind) -> Result<OwnedBinding, NotSnmp> {
        use smi1::{ApplicationSyntax as Wide, ObjectSyntax, SimpleSyntax};
        let value = match &bind.value {
            ObjectSyntax::Simple(simple) => match simple {
                SimpleSyntax::Number(integer) => Datum::Integer(number(integer.clone())?),
                SimpleSyntax::String(octets) => Datum::Octets(octets.to_vec()),
                SimpleSyntax::Object(oid) => Datum::Oid(name(oid)?),
                SimpleSyntax::Empty => Datum::Null,
            },
            ObjectSyntax::ApplicationWide(wide) => match wide {
                Wide::Address(smi1::NetworkAddress::Internet(ip)) => Datum::IpAddress(*ip.0),
                Wide::Counter(counter) => Datum::Counter32(counter.0),
                Wide::Gauge(gauge) => Datum::Gauge32(gauge.0),
                Wide::Ticks(ticks) => Datum::TimeTicks(ticks.0),
                Wide::Arbitrary(opaque) => Datum::Opaque(opaque.as_ref().to_vec()),
            },
        };
        Ok(OwnedBinding { name: name(&bind.name)?, value })
    }

    fn pdu2(pdus: &v2::Pdus) -> Result<OwnedPdu, NotSnmp> {
        let (kind, pdu) = match pdus {
            v2::Pdus::GetRequest(pdu) => (PduKind::Get, &pdu.0),
            v2::Pdus::GetNextRequest(pdu) => (PduKind::GetNext, &pdu.0),
            v2::Pdus::Response(pdu) => (PduKind::Response, &pdu.0),
            v2::Pdus::SetRequest(pdu) => (PduKind::Set, &pdu.0),
            v2::Pdus::InformRequest(pdu) => (PduKind::Inform, &pdu.0),
            v2::Pdus::Trap(pdu) => (PduKind::TrapV2, &pdu.0),
            v2::Pdus::Report(pdu) => (PduKind::Report, &pdu.0),
            v2::Pdus::GetBulkRequest(v2::GetBulkRequest(bulk)) => {
                return Ok(OwnedPdu::Pdu {
                    kind: PduKind::GetBulk,
                    request_id: bulk.request_id,
                    error_status: number(bulk.non_repeaters)?,
                    error_index: number(bulk.max_repetitions)?,
                    bindings: bulk.variable_bindings.iter().map(bind2).collect::<Result<_, _>>()?,
                });
            }
        };
        Ok(OwnedPdu::Pdu {
            kind,
            request_id: pdu.request_id,
            error_status: number(pdu.error_status)?,
            error_index: number(pdu.error_index)?,
            bindings: pdu.variable_bindings.iter().map(bind2).collect::<Result<_, _>>()?,
        })
    }

    fn bind2(bind: &v2::VarBind) -> Result<OwnedBinding, NotSnmp> {
        use smi2::{ApplicationSyntax as Wide, ObjectSyntax, SimpleSyntax};
        let value = match &bind.value {
            v2::VarBindValue::Value(ObjectSyntax::Simple(simple)) => match simple {
                SimpleSyntax::Integer(integer) => Datum::Integer(number(integer.clone())?),
                SimpleSyntax::String(octets) => Datum::Octets(octets.to_vec()),
                SimpleSyntax::ObjectId(oid) => Datum::Oid(name(oid)?),
            },
            v2::VarBindValue::Value(ObjectSyntax::ApplicationWide(wide)) => match wide {
                Wide::Address(ip) => Datum::IpAddress(*ip.0),
                Wide::Counter(counter) => Datum::Counter32(counter.0),
                Wide::Ticks(ticks) => Datum::TimeTicks(ticks.0),
                Wide::Arbitrary(opaque) => Datum::Opaque(opaque.as_ref().to_vec()),
                Wide::BigCounter(counter) => Datum::Counter64(counter.0),
                Wide::Unsigned(gauge) => Datum::Gauge32(gauge.0),
            },
            v2::VarBindValue::Unspecified => Datum::Null,
            v2::VarBindValue::NoSuchObject => Datum::NoSuchObject,
            v2::VarBindValue::NoSuchInstance => Datum::NoSuchInstance,
            v2::VarBindValue::EndOfMibView => Datum::EndOfMibView,
        };
        Ok(OwnedBinding { name: name(&bind.name)?, value })
    }

    fn name(oid: &[u32]) -> Result<Vec<u32>, NotSnmp> {
        s_wire::Arcs::new(oid).map(|arcs| arcs.as_slice().to_vec()).ok_or(NotSnmp)
    }
}

mod snmp_parser_judge {
    use super::*;
    use snmp_parser::asn1_rs::{self, FromBer};
    use snmp_parser::{
        NetworkAddress, ObjectSyntax, PduType, ScopedPduData, SecurityParameters, SnmpMessage,
        SnmpPdu, SnmpV3Message, SnmpVariable, VarBindValue,
    };

    pub(super) fn judge(octets: &[u8]) -> Verdict {
        // It hands back what stands behind the message, so that its caller can refuse it.
        if let Ok((&[], message)) = SnmpMessage::from_ber(octets) {
            return community_message(&message).into();
        }
        match SnmpV3Message::from_ber(octets) {
            Ok((&[], message)) if message.version == 3 => v3_message(&message).into(),
            // It never looks at this number.
            Ok((&[], message)) if message.version > 3 || message.version == 2 => Verdict::SaidMore,
            _ => Verdict::Refused,
        }
    }

    fn community_message(message: &SnmpMessage<'_>) -> Result<OwnedMessage, NotSnmp> {
        let version = if message.version == 0 { PduVersion::V1 } else { PduVersion::V2 };
        let community = message.community.as_bytes().to_vec();
        Ok(OwnedMessage::Community { version, community, pdu: pdu(&message.pdu, version)? })
    }

    fn natural(natural: u32) -> Result<u32, NotSnmp> {
        number::<u32, i32>(natural).and_then(number)
    }

    fn v3_message(message: &SnmpV3Message<'_>) -> Result<OwnedMessage, NotSnmp> {
        let header = Header {
            msg_id: natural(message.header_data.msg_id)?,
            max_size: natural(message.header_data.msg_max_size)?,
            flags: Flags(message.header_data.msg_flags),
            security_model: natural(message.header_data.msg_security_model.0)?,
        };
        if header.max_size < 484 || header.security_model == 0 {
            return Err(NotSnmp);
        }
        let security = match &message.security_params {
            SecurityParameters::Raw(octets) => Security::Other(octets.to_vec()),
            SecurityParameters::USM(usm) if usm.msg_user_name.len() > 32 => return Err(NotSnmp),
            SecurityParameters::USM(usm) => Security::Usm {
                engine_id: usm.msg_authoritative_engine_id.to_vec(),
                engine_boots: natural(usm.msg_authoritative_engine_boots)?,
                engine_time: natural(usm.msg_authoritative_engine_time)?,
                user_name: usm.msg_user_name.as_bytes().to_vec(),
                authentication: usm.msg_authentication_parameters.to_vec(),
                privacy: usm.msg_privacy_parameters.to_vec(),
            },
        };
        let data = match &message.data {
            ScopedPduData::Encrypted(octets) => Data::Encrypted(octets.to_vec()),
            ScopedPduData::Plaintext(scoped) => Data::Plain {
                context_engine_id: scoped.ctx_engine_id.to_vec(),
                context_name: scoped.ctx_engine_name.to_vec(),
                pdu: pdu(&scoped.data, PduVersion::V2)?,
            },
        };
        Ok(OwnedMessage::V3 { header, security, data })
    }

    fn pdu(pdu: &SnmpPdu<'_>, version: PduVersion) -> Result<OwnedPdu, NotSnmp> {
        let all = |var: &[SnmpVariable<'_>]| var.iter().map(bind).collect::<Result<Vec<_>, _>>();
        match pdu {
            SnmpPdu::Generic(pdu) => {
                let PduType(bits) = pdu.pdu_type;
                let tag = 0xa0 | number::<u32, u8>(bits)?;
                Ok(OwnedPdu::Pdu {
                    kind: PduKind::of(tag, version).ok_or(NotSnmp)?,
                    request_id: number(pdu.req_id)?,
                    error_status: number(pdu.err.0)?,
                    error_index: number(pdu.err_index)?,
                    bindings: all(&pdu.var)?,
                })
            }
            SnmpPdu::Bulk(_) if version == PduVersion::V1 => Err(NotSnmp),
            SnmpPdu::Bulk(pdu) => Ok(OwnedPdu::Pdu {
                kind: PduKind::GetBulk,
                request_id: number(pdu.req_id)?,
                error_status: number(pdu.non_repeaters)?,
                error_index: number(pdu.max_repetitions)?,
                bindings: all(&pdu.var)?,
            }),
            SnmpPdu::TrapV1(_) if version == PduVersion::V2 => Err(NotSnmp),
            SnmpPdu::TrapV1(trap) => {
                let NetworkAddress::IPv4(address) = trap.agent_addr;
                Ok(OwnedPdu::TrapV1 {
                    enterprise: name(&trap.enterprise)?,
                    agent_address: address.octets(),
                    generic_trap: trap.generic_trap.0.into(),
                    specific_trap: number(trap.specific_trap)?,
                    time_stamp: trap.timestamp,
                    bindings: all(&trap.var)?,
                })
            }
        }
    }

    fn bind(bind: &SnmpVariable<'_>) -> Result<OwnedBinding, NotSnmp> {
        let value = match &bind.val {
            VarBindValue::Unspecified => Datum::Null,
            VarBindValue::NoSuchObject => Datum::NoSuchObject,
            VarBindValue::NoSuchInstance => Datum::NoSuchInstance,
            VarBindValue::EndOfMibView => Datum::EndOfMibView,
            VarBindValue::Value(value) => match value {
                ObjectSyntax::Number(integer) => Datum::Integer(*integer),
                ObjectSyntax::String(octets) => Datum::Octets(octets.to_vec()),
                ObjectSyntax::Object(oid) => Datum::Oid(name(oid)?),
                ObjectSyntax::IpAddress(NetworkAddress::IPv4(ip)) => Datum::IpAddress(ip.octets()),
                ObjectSyntax::Counter32(number) => Datum::Counter32(*number),
                ObjectSyntax::Gauge32(number) => Datum::Gauge32(*number),
                ObjectSyntax::TimeTicks(number) => Datum::TimeTicks(*number),
                ObjectSyntax::Opaque(octets) => Datum::Opaque(octets.to_vec()),
                ObjectSyntax::NsapAddress(octets) => Datum::NsapAddress(octets.to_vec()),
                ObjectSyntax::Counter64(number) => Datum::Counter64(*number),
                ObjectSyntax::UInteger32(number) => Datum::UInteger32(*number),
                // What an element without contents becomes, whatever its tag.
                ObjectSyntax::Empty => Datum::Null,
                ObjectSyntax::BitString(_)
                | ObjectSyntax::UnknownSimple(_)
                | ObjectSyntax::UnknownApplication(_) => return Err(NotSnmp),
            },
        };
        Ok(OwnedBinding { name: name(&bind.oid)?, value })
    }

    fn name(oid: &asn1_rs::Oid<'_>) -> Result<Vec<u32>, NotSnmp> {
        Oid::new(oid.as_bytes()).map(|oid| oid.arcs().collect()).map_err(|_| NotSnmp)
    }
}

/// What of [`Trait`] a message has that we accept.
fn traits(octets: &[u8], message: &OwnedMessage) -> BTreeSet<Trait> {
    let mut found = BTreeSet::new();
    walk(Reader::new(octets), &mut found);
    let pdu = match message {
        OwnedMessage::Community { community, pdu, .. } => {
            if str::from_utf8(community).is_err() {
                found.insert(Trait::StringNotUtf8);
            }
            Some(pdu)
        }
        OwnedMessage::V3 { header, security, data } => {
            if let Security::Usm { user_name, .. } = security {
                let parameters = V3Message::decode(octets).unwrap().security_parameters;
                walk(parameters.reader(), &mut found);
                if str::from_utf8(user_name).is_err() {
                    found.insert(Trait::StringNotUtf8);
                }
            }
            if header.flags.is_private() != matches!(data, Data::Encrypted(_)) {
                found.insert(Trait::FlagsUnlikeData);
            }
            match data {
                Data::Plain { pdu, .. } => Some(pdu),
                Data::Encrypted(_) => None,
            }
        }
    };
    for bind in pdu.into_iter().flat_map(OwnedPdu::bindings) {
        found.extend(match &bind.value {
            Datum::UInteger32(_) => Some(Trait::UInteger32),
            Datum::NsapAddress(_) => Some(Trait::NsapAddress),
            Datum::Octets(octets) if octets.is_empty() => Some(Trait::EmptyOctets),
            _ => None,
        });
    }
    match pdu {
        Some(OwnedPdu::Pdu { kind, request_id, error_status, error_index, .. }) => {
            if *request_id < 0 {
                found.insert(Trait::NegativeInteger);
            }
            if *error_status < 0 || *error_index < 0 {
                let is_bulk = *kind == PduKind::GetBulk;
                found.insert(if is_bulk { Trait::NegativeCount } else { Trait::NegativeError });
            }
        }
        Some(OwnedPdu::TrapV1 { generic_trap, specific_trap, .. }) => {
            if *generic_trap < 0 || *specific_trap < 0 {
                found.insert(Trait::NegativeInteger);
            }
            if *generic_trap > 255 {
                found.insert(Trait::GenericTrapAbove255);
            }
        }
        None => {}
    }
    found
}

/// Looks at how numbers are written. Lengths in more octets than they need disturb nobody.
fn walk(mut reader: Reader<'_>, found: &mut BTreeSet<Trait>) {
    while !reader.is_empty() {
        let (tag, contents) = reader.any().unwrap();
        let is_number = matches!(tag, 0x02 | 0x41 | 0x42 | 0x43 | 0x46 | 0x47);
        if is_number && matches!(contents.octets, [0, 0..0x80, ..] | [0xff, 0x80..=0xff, ..]) {
            found.insert(Trait::NumberInMoreOctets);
        }
        if tag & 0x20 != 0 {
            walk(contents.reader(), found);
        }
    }
}

/// How they disagree over one message: the kinds of which one at least must be listed. `None` where they
/// agree.
fn disagreement(octets: &[u8], verdict: &Verdict) -> Option<Vec<Kind>> {
    let over = |ours: &OwnedMessage, kind: fn(Trait) -> Kind| {
        Some(traits(octets, ours).into_iter().map(kind).collect())
    };
    match (OwnedMessage::decode(octets), verdict) {
        (Err(_), Verdict::Refused) => None,
        (Ok(ours), Verdict::Said(theirs)) if ours == **theirs => None,
        (Err(error), _) => Some(vec![Accepts(reason_name(error.reason))]),
        (Ok(ours), Verdict::Refused) => over(&ours, Refuses),
        (Ok(ours), _) => over(&ours, Differs),
    }
}

/// Names compare and sort; reasons need not.
fn reason_name(reason: Reason) -> &'static str {
    Box::leak(format!("{reason:?}").into_boxed_str())
}

/// Messages from a fixed seed: some as they were made, most of them damaged.
fn inputs(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (message(), prop_oneof![1 => vec(damage(), 0), 4 => vec(damage(), 1..3)]);
    std::iter::repeat_with(move || {
        let (message, damages) = strategy.new_tree(&mut runner).unwrap().current();
        let mut octets = message.encode();
        damages.iter().for_each(|damage| damage.apply(&mut octets));
        octets
    })
    .take(count)
}

/// How many messages by chance are judged, after the rows of the cases.
const COUNT: usize = 60_000;

#[test]
fn every_disagreement_is_listed_and_every_listed_one_is_met() {
    let count = std::env::var("JUDGED").ok().map_or(COUNT, |n| n.parse().expect("a number"));
    let mut met: BTreeMap<(Judge, Kind), usize> = BTreeMap::new();
    let mut unlisted: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let rows = crate::cases::rows().into_iter().map(|(_, octets, _)| octets);
    for octets in rows.chain(inputs(count)) {
        let verdicts =
            [(Rasn, rasn_judge::judge(&octets)), (SnmpParser, snmp_parser_judge::judge(&octets))];
        for (judge, verdict) in verdicts {
            let Some(kinds) = disagreement(&octets, &verdict) else { continue };
            let listed = kinds.iter().find(|kind| {
                LISTED.iter().any(|Row(who, what, ..)| *who == judge && what == *kind)
            });
            match listed {
                Some(kind) => *met.entry((judge, kind.clone())).or_default() += 1,
                None => {
                    let (times, example) =
                        unlisted.entry(format!("{judge:?} {kinds:?}")).or_default();
                    *times += 1;
                    // The shortest says most.
                    if example.is_empty() || example.len() > 2 * octets.len() {
                        *example = hex(&octets);
                    }
                }
            }
        }
    }
    assert!(unlisted.is_empty(), "not listed: {unlisted:#?}");
    for Row(judge, kind, right, paragraph) in LISTED {
        let times = met.get(&(*judge, kind.clone())).copied().unwrap_or(0);
        println!("{times:6} {judge:?} {kind:?}: right is {right:?}, {paragraph}");
        assert!(times > 0, "{judge:?} {kind:?} is listed and never met");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
