//! What `rasn-snmp` and `snmp-parser` read, as [`OwnedMessage`]s.
//!
//! It only takes apart what they said, and never decides who is right.

use crate::owned::{Data, Datum, OwnedBinding, OwnedMessage, OwnedPdu, Security};
use s_wire::{Flags, Header, Oid, PduKind, PduVersion};

/// What a judge made of octets.
pub(crate) enum Verdict {
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
pub(crate) struct NotSnmp;

fn number<T, U: TryFrom<T>>(number: T) -> Result<U, NotSnmp> {
    U::try_from(number).map_err(|_| NotSnmp)
}

pub(crate) mod rasn_judge {
    use super::*;
    use rasn::types::Integer;
    use rasn_smi::{v1 as smi1, v2 as smi2};
    use rasn_snmp::{v1, v2, v2c, v3};

    pub(crate) fn judge(octets: &[u8]) -> Verdict {
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

pub(crate) mod snmp_parser_judge {
    use super::*;
    use snmp_parser::asn1_rs::{self, FromBer};
    use snmp_parser::{
        NetworkAddress, ObjectSyntax, PduType, ScopedPduData, SecurityParameters, SnmpMessage,
        SnmpPdu, SnmpV3Message, SnmpVariable, VarBindValue,
    };

    pub(crate) fn judge(octets: &[u8]) -> Verdict {
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
