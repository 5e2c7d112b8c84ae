//! What is sent: a notification as it waits in the mailbox, and the PDUs that carry it (RFC 3416 §4.2.6 and
//! §4.2.7; RFC 3584 §3.2 for SNMPv1).
//!
//! It decides nothing about who is told.

use roles::notify::standard::SNMP_TRAPS;
use roles::varbind::{ValueKind, VarBind, VarBinds, VarValue};
use roles::wire::to_wire;
use s_sdk::Full;
use s_sdk::value::Field;
use s_wire::{Arcs, Bindings, Encode, Pdu, PduKind, TrapV1, VarBindList};

/// sysUpTime.0.
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// snmpTrapOID.0.
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// snmpTrapEnterprise.0.
const SNMP_TRAP_ENTERPRISE: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0];

/// In front of a notification's own bindings: sysUpTime.0 and snmpTrapOID.0.
const ADDED: usize = 2;

/// A notification as it waits in the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct Notification {
    /// The value of snmpTrapOID.0.
    pub(crate) name: Vec<u32>,
    /// The context that it is about.
    pub(crate) context: Vec<u8>,
    /// sysUpTime when it happened.
    pub(crate) up_time: u32,
    /// snmpTargetAddrName of the last target that was told; empty before the first one.
    pub(crate) told_up_to: Vec<u8>,
    bindings: Vec<Binding>,
}

/// A binding; what its value is not is empty or 0.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
struct Binding {
    name: Vec<u32>,
    /// The BER tag of the value.
    kind: u32,
    number: u64,
    octets: Vec<u8>,
    arcs: Vec<u32>,
}

impl Binding {
    fn of(bind: VarBind<'_>) -> Self {
        let mut binding = Binding {
            name: bind.name.to_vec(),
            kind: bind.value.kind() as u32,
            number: 0,
            octets: Vec::new(),
            arcs: Vec::new(),
        };
        match bind.value {
            VarValue::Integer(number) => binding.number = u64::from(number.cast_unsigned()),
            VarValue::Counter32(number)
            | VarValue::Gauge32(number)
            | VarValue::TimeTicks(number) => binding.number = u64::from(number),
            VarValue::Counter64(number) => binding.number = number,
            VarValue::IpAddress(address) => binding.octets = address.to_vec(),
            VarValue::Octets(octets) | VarValue::Opaque(octets) => binding.octets = octets.to_vec(),
            VarValue::Oid(arcs) => binding.arcs = arcs.to_vec(),
            VarValue::Unspecified
            | VarValue::NoSuchObject
            | VarValue::NoSuchInstance
            | VarValue::EndOfMibView => {}
        }
        binding
    }

    /// The value; none where it is not one that a notification can carry.
    fn value(&self) -> Option<VarValue<'_>> {
        let narrow = || u32::try_from(self.number).ok();
        let is = |kind: ValueKind| self.kind == kind as u32;
        Some(match () {
            () if is(ValueKind::Integer) => VarValue::Integer(narrow()?.cast_signed()),
            () if is(ValueKind::Octets) => VarValue::Octets(&self.octets),
            () if is(ValueKind::Oid) => VarValue::Oid(&self.arcs),
            () if is(ValueKind::IpAddress) => {
                VarValue::IpAddress(self.octets.as_slice().try_into().ok()?)
            }
            () if is(ValueKind::Counter32) => VarValue::Counter32(narrow()?),
            () if is(ValueKind::Gauge32) => VarValue::Gauge32(narrow()?),
            () if is(ValueKind::TimeTicks) => VarValue::TimeTicks(narrow()?),
            () if is(ValueKind::Opaque) => VarValue::Opaque(&self.octets),
            () if is(ValueKind::Counter64) => VarValue::Counter64(self.number),
            () => return None,
        })
    }
}

impl Notification {
    /// A notification of these bindings.
    pub(crate) fn of(name: &[u32], context: &[u8], up_time: u32, bindings: &VarBinds) -> Self {
        Notification {
            name: name.to_vec(),
            context: context.to_vec(),
            up_time,
            told_up_to: Vec::new(),
            bindings: bindings.iter().map(Binding::of).collect(),
        }
    }

    /// All its bindings, with the two that every notification has in front (RFC 3416 §4.2.6).
    ///
    /// # Errors
    /// A value is none that a notification can carry.
    pub(crate) fn bindings(&self) -> Result<VarBinds, Full> {
        let mut binds = VarBinds::new();
        binds.push(SYS_UP_TIME, VarValue::TimeTicks(self.up_time))?;
        binds.push(SNMP_TRAP_OID, VarValue::Oid(&self.name))?;
        for binding in &self.bindings {
            binds.push(&binding.name, binding.value().ok_or(Full)?)?;
        }
        Ok(binds)
    }
}

/// All bindings from a position on; none if one cannot be carried.
fn all_to_wire(binds: &VarBinds, from: usize) -> Option<Vec<s_wire::VarBind<'_, Arcs<'_>>>> {
    binds.iter().skip(from).map(to_wire).collect()
}

fn encoded(pdu: &impl Encode) -> Option<Vec<u8>> {
    let mut octets = vec![0; pdu.encoded_len()];
    pdu.encode_into(&mut octets).ok()?;
    Some(octets)
}

/// An SNMPv2-Trap or an InformRequest; none if a binding cannot be carried.
pub(crate) fn v2(kind: PduKind, request_id: u32, binds: &VarBinds) -> Option<Vec<u8>> {
    let bindings = all_to_wire(binds, 0)?;
    encoded(&Pdu {
        kind,
        request_id: request_id.cast_signed(),
        error_status: 0,
        error_index: 0,
        bindings: Bindings(bindings.iter().copied()),
    })
}

/// What asks an engine who it is (RFC 3414 §4): a Get of nothing.
pub(crate) fn discovery(request_id: u32) -> Option<Vec<u8>> {
    encoded(&Pdu {
        kind: PduKind::Get,
        request_id: request_id.cast_signed(),
        error_status: 0,
        error_index: 0,
        bindings: VarBindList::EMPTY,
    })
}

/// A Trap of SNMPv1 (RFC 3584 §3.2); none for a notification that SNMPv1 cannot carry.
pub(crate) fn v1(
    notification: &Notification,
    binds: &VarBinds,
    agent_address: [u8; 4],
) -> Option<Vec<u8>> {
    let Translated { enterprise, generic_trap, specific_trap } =
        Translated::of(&notification.name, binds)?;
    let bindings = all_to_wire(binds, ADDED)?;
    encoded(&TrapV1 {
        enterprise: Arcs::new(enterprise)?,
        agent_address,
        generic_trap,
        specific_trap,
        time_stamp: notification.up_time,
        bindings: Bindings(bindings.iter().copied()),
    })
}

/// What SNMPv1 says in the place of snmpTrapOID.0.
#[derive(Debug, PartialEq, Eq)]
struct Translated<'a> {
    enterprise: &'a [u32],
    generic_trap: i32,
    specific_trap: i32,
}

impl<'a> Translated<'a> {
    fn of(name: &'a [u32], binds: &'a VarBinds) -> Option<Self> {
        /// enterpriseSpecific.
        const SPECIFIC: i32 = 6;
        // RFC 3584 §3.2 at its end: SNMPv1 has no Counter64.
        if binds.iter().any(|bind| matches!(bind.value, VarValue::Counter64(_))) {
            return None;
        }
        let (last, before) = name.split_last()?;
        // Steps 1 and 3: one of the six generic traps.
        if before == SNMP_TRAPS && (1..=6).contains(last) {
            let named = binds.iter().find(|bind| bind.name == SNMP_TRAP_ENTERPRISE);
            let enterprise = match named.map(|bind| bind.value) {
                Some(VarValue::Oid(enterprise)) => enterprise,
                _ => SNMP_TRAPS,
            };
            let generic_trap = i32::try_from(*last).ok()? - 1;
            return Some(Translated { enterprise, generic_trap, specific_trap: 0 });
        }
        // Steps 1, 3 and 4: a notification of an enterprise, whose name may have a 0 in between.
        let enterprise = match before.split_last() {
            Some((0, enterprise)) => enterprise,
            _ => before,
        };
        let specific_trap = last.cast_signed();
        Some(Translated { enterprise, generic_trap: SPECIFIC, specific_trap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::notify::standard;
    use s_wire::{AnyPdu, PduVersion, Reader};

    fn bindings(list: &[(&[u32], VarValue<'_>)]) -> VarBinds {
        let mut binds = VarBinds::new();
        list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
        binds
    }

    #[test]
    fn a_notification_comes_out_of_the_mailbox_as_it_went_in() {
        let given = bindings(&[
            (&[1, 3, 1], VarValue::Integer(-7)),
            (&[1, 3, 2], VarValue::Octets(b"text")),
            (&[1, 3, 3], VarValue::Oid(&[1, 3, 6])),
            (&[1, 3, 4], VarValue::IpAddress([10, 0, 0, 255])),
            (&[1, 3, 5], VarValue::Counter32(u32::MAX)),
            (&[1, 3, 6], VarValue::Gauge32(6)),
            (&[1, 3, 7], VarValue::TimeTicks(7)),
            (&[1, 3, 8], VarValue::Opaque(b"\x9f\x78")),
            (&[1, 3, 9], VarValue::Counter64(u64::MAX)),
        ]);
        let notification = Notification::of(&[1, 3, 6, 1], b"ctx", 42, &given);
        let document = roles::settings::write(&notification);
        let read: Notification = roles::settings::read(&document).unwrap();
        assert_eq!(read, notification);
        let binds = read.bindings().unwrap();
        assert_eq!(binds.get(0).unwrap().value, VarValue::TimeTicks(42));
        assert_eq!(binds.get(1).unwrap().value, VarValue::Oid(&[1, 3, 6, 1]));
        assert!(binds.iter().skip(2).eq(given.iter()));
        // What is no value is refused, whoever wrote the message.
        let mut wrong = notification;
        wrong.bindings[0].kind = ValueKind::NoSuchObject as u32;
        assert!(wrong.bindings().is_err());
    }

    #[test]
    fn version_1_names_a_notification_as_rfc_3584_says() {
        let none = VarBinds::new();
        let specific = |enterprise, specific_trap| {
            Some(Translated { enterprise, generic_trap: 6, specific_trap })
        };
        let generic = |enterprise, generic_trap| {
            Some(Translated { enterprise, generic_trap, specific_trap: 0 })
        };
        assert_eq!(Translated::of(standard::COLD_START, &none), generic(SNMP_TRAPS, 0));
        assert_eq!(Translated::of(standard::LINK_UP, &none), generic(SNMP_TRAPS, 3));
        assert_eq!(Translated::of(standard::AUTHENTICATION_FAILURE, &none), generic(SNMP_TRAPS, 4));
        assert_eq!(
            Translated::of(&[1, 3, 6, 1, 4, 1, 9, 0, 7], &none),
            specific(&[1, 3, 6, 1, 4, 1, 9], 7)
        );
        assert_eq!(
            Translated::of(&[1, 3, 6, 1, 4, 1, 9, 7], &none),
            specific(&[1, 3, 6, 1, 4, 1, 9], 7)
        );
        // Not one of the six.
        let seventh = [SNMP_TRAPS, &[7]].concat();
        assert_eq!(Translated::of(&seventh, &none), specific(SNMP_TRAPS, 7));
        let named = bindings(&[(SNMP_TRAP_ENTERPRISE, VarValue::Oid(&[1, 3, 6, 1, 4, 1, 5]))]);
        assert_eq!(
            Translated::of(standard::COLD_START, &named),
            generic(&[1, 3, 6, 1, 4, 1, 5], 0)
        );
        let wide = bindings(&[(&[1, 3], VarValue::Counter64(1))]);
        assert_eq!(Translated::of(standard::COLD_START, &wide), None);
    }

    #[test]
    fn the_trap_of_version_1_carries_address_time_and_its_own_bindings_only() {
        let given = bindings(&[(&[1, 3, 9, 0], VarValue::Integer(3))]);
        let notification = Notification::of(standard::LINK_DOWN, b"", 4711, &given);
        let binds = notification.bindings().unwrap();
        let octets = v1(&notification, &binds, [192, 0, 2, 1]).unwrap();
        let AnyPdu::TrapV1(trap) = AnyPdu::decode(Reader::new(&octets), PduVersion::V1).unwrap()
        else {
            panic!("another PDU")
        };
        assert_eq!((trap.agent_address, trap.time_stamp), ([192, 0, 2, 1], 4711));
        assert_eq!((trap.generic_trap, trap.specific_trap, trap.bindings.len()), (2, 0, 1));
    }
}
