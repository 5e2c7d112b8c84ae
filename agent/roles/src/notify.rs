//! Notifications (RFC 3413 §3.3): what has happened is told to everybody who asked to be told.
//!
//! A module of this role knows who is told of what, in which way, and who has not acknowledged yet. It
//! decides nothing about what has happened and opens no socket: messages leave through [`Transport`], which
//! the component `engine` has beside its other behavior, and what comes back is handed to `answered`.
//!
//! The contract:
//! 1. `notify` never waits: it takes a notification over, or says that there is no room (`Full`); what is
//!    refused is counted, and `statistics` tells of it.
//! 2. A notification is sent to a target at most once per notification, but an inform that is not
//!    acknowledged is repeated as the target says. A target whose filter or whose notify view lacks a
//!    variable is told nothing (RFC 3413 §3.3 steps 1 to 3).
//! 3. sysUpTime.0 and snmpTrapOID.0 are the module's to add; the bindings that it is given are those of the
//!    notification's definition, in order.
//! 4. `answered` takes what answers an inform or a discovery: the header of the message, from where it
//!    came, and its PDU. Of anything else it changes nothing and answers `false`.
//! 5. authenticationFailure is told only while snmpEnableAuthenTraps says so (RFC 3418).
//! 6. `send` never waits. It sends a message whole and once, and answers true; or it sends nothing and
//!    answers false: so for a transport domain that it does not know, and for what is no address in it.
//! 7. `source_of` appends the four or sixteen octets of an IP address, or nothing.

use crate::message::MessageHeader;
use crate::varbind::VarBinds;
use s_sdk::{Activity, Buf, CallError, Plain, behavior};

/// The most bindings of one notification; what has more is refused as `Full`.
pub const MAX_BINDINGS: usize = 128;

/// What became of notifications so far. Numbers wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Statistics {
    /// Notifications that were taken over.
    pub accepted: u32,
    /// Notifications that found no room.
    pub dropped: u32,
    /// Messages that were sent, repetitions included.
    pub sent: u32,
    /// Messages that could not be made or sent.
    pub failed: u32,
    /// Targets that a filter or a view kept from being told.
    pub withheld: u32,
    /// Informs that were acknowledged.
    pub acknowledged: u32,
    /// Informs that were given up.
    pub given_up: u32,
    /// Informs that wait for an acknowledgement now.
    pub waiting: u32,
}

/// Tells others what has happened.
#[behavior(name = "notification-originator")]
pub trait Notifier {
    /// Takes a notification over: the value of its snmpTrapOID.0, the context that it is about, and its
    /// bindings.
    fn notify(
        &self,
        act: &Activity,
        notification: &[u32],
        context_name: &[u8],
        bindings: &VarBinds,
    ) -> Result<(), CallError>;

    /// Takes a Response or a Report over; false when nobody waits for it.
    fn answered(
        &self,
        act: &Activity,
        header: MessageHeader,
        transport_domain: &[u32],
        transport_address: &[u8],
        pdu: &[u8],
    ) -> Result<bool, CallError>;

    /// What became of notifications so far.
    fn statistics(&self, act: &Activity) -> Result<Statistics, CallError>;
}

/// The way out: filled by the host.
#[behavior(name = "transport")]
pub trait Transport {
    /// Sends a message, without waiting; false when it cannot be sent there, or not now.
    fn send(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
    ) -> Result<bool, CallError>;

    /// Appends the IP address from which a message to an address leaves; nothing where that is not known.
    fn source_of(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        source: &mut Buf,
    ) -> Result<(), CallError>;
}

/// snmpUDPDomain (RFC 3417): four octets of address and two of port.
pub const UDP_DOMAIN: &[u32] = &[1, 3, 6, 1, 6, 1, 1];

/// transportDomainUdpIpv4 (RFC 3419): the same form under another name.
pub const UDP_IPV4_DOMAIN: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 1];

/// transportDomainUdpIpv6 (RFC 3419): sixteen octets of address and two of port.
pub const UDP_IPV6_DOMAIN: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];

/// The one name of a transport domain that has several: the one under which messages come in.
pub fn canonical(domain: &[u32]) -> &[u32] {
    if domain == UDP_IPV4_DOMAIN { UDP_DOMAIN } else { domain }
}

/// The notifications of RFC 3418, by the values of their snmpTrapOID.0.
pub mod standard {
    /// snmpTraps.
    pub const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
    /// coldStart: the engine has started, perhaps with another configuration.
    pub const COLD_START: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 1];
    /// linkDown (RFC 2863).
    pub const LINK_DOWN: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 3];
    /// linkUp (RFC 2863).
    pub const LINK_UP: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 4];
    /// authenticationFailure: a message came that was not properly authenticated.
    pub const AUTHENTICATION_FAILURE: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 5];
}
