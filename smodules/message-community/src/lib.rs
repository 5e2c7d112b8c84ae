//! What the messages of SNMPv1 (RFC 1157 §4) and SNMPv2c (RFC 1901 §3) have in common: all but a number.
//!
//! The modules `message-v1` and `message-v2c` are a [`CommunityMessages`] each. It never looks into a PDU
//! beyond its tag and request-id, and keeps nothing beyond the activity: what a response needs of its
//! request, the community above all, is in the activity, and a Response is awaited under its request-id.
//! Taking a message apart and answering it allocates nothing once the caller's buffers have grown, and
//! there is no lock.

use roles::community::{CommunitySecurity as _, CommunitySecurityProxy, MAX_COMMUNITY};
use roles::engine::{Engine as _, EngineProxy};
use roles::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, PduClass, StateReference,
};
use roles::security::{SecurityError, SecurityErrorKind};
use roles::varbind::{self, SecurityLevel, message_model, security_model};
use s_sdk::{Activity, Buf, Handle, Host, Plain, Refusal};
pub use s_wire::Version;
use s_wire::ber::{element_len, integer_len, largest_contents, tag};
use s_wire::{CommunityMessage, Fault, PduKind, Reader, Writer, pdu};

/// Takes messages of one version apart and puts them together.
pub struct CommunityMessages {
    version: Version,
    communities: CommunitySecurityProxy,
    engine: EngineProxy,
}

/// What a response needs of its request. Most communities are short, and what an activity keeps is wiped
/// when it ends, so the rest of a long one is kept apart.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Request {
    version: u32,
    request_id: i32,
    max_message_size: u32,
    community_len: u32,
    community: [u8; SHORT],
    rest: Handle<Rest>,
}

const SHORT: usize = 32;
type Rest = [u8; MAX_COMMUNITY - SHORT];

/// The longest part of a message in front of its community: two lengths of at most five octets.
const MAX_FRONT: usize = 6 + 3 + 6;

impl CommunityMessages {
    /// The model of a version, with the components that it calls.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn new(version: Version, host: &Host) -> Result<Self, Refusal> {
        let missing = |name| move |error| Refusal(format!("{name}: {error}"));
        Ok(CommunityMessages {
            version,
            communities: host
                .lookup("security.community")
                .map_err(missing("security.community"))?,
            engine: host.lookup("engine").map_err(missing("engine"))?,
        })
    }

    /// Takes a message apart (RFC 3584 §5.2.1, with the order of checks of RFC 1157 §4.1).
    ///
    /// # Errors
    /// It is none of this version, its community is not admitted, or it has a PDU of another version.
    pub fn prepare_data_elements(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError> {
        let CommunityMessage { version, community, pdu } =
            CommunityMessage::decode(message).map_err(refused)?;
        if version != self.version.pdu_version() {
            return Err(MessageErrorKind::BadVersion.into());
        }
        let DataElements { security_name, context_name, pdu: pdu_out, context_engine_id: _ } =
            elements;
        let (domain, address, octets) = (transport_domain, transport_address, community.octets);
        self.communities
            .admit(act, domain, address, octets, security_name, context_name)
            .map_err(not_admitted)?;
        let (kind, request_id) = pdu::peek(pdu.reader(), version).map_err(refused)?;
        pdu_out.append(pdu.octets)?;

        let class = class_of(kind);
        let send_pdu_handle = match class {
            PduClass::Response => request_id.cast_unsigned(),
            PduClass::Confirmed | PduClass::Unconfirmed => 0,
        };
        if class == PduClass::Response && send_pdu_handle == 0 {
            // Nothing is awaited under the number that says so.
            return Err(MessageErrorKind::UnknownResponse.into());
        }
        let max_message_size = self.engine.max_message_size(act)?;
        let state = match class {
            PduClass::Confirmed => {
                self.keep_request(act, request_id, max_message_size, octets)?.of()
            }
            PduClass::Response | PduClass::Unconfirmed => StateReference::none(),
        };
        let max_response_size = largest_pdu(max_message_size, octets.len());
        Ok(Incoming { header: self.header(class, send_pdu_handle), max_response_size, state })
    }

    /// Appends the answer to a request, under the request's community (RFC 3584 §5.2.2).
    ///
    /// # Errors
    /// The reference is of nothing here, the PDU does not answer the request, or the message is too big.
    pub fn prepare_response_message(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let stale = |_| MessageError::new(MessageErrorKind::StaleReference);
        let request = act.recall(state.of::<Request>()).map_err(stale)?;
        if request.version != self.version as u32 {
            return Err(MessageErrorKind::StaleReference.into());
        }
        let answers = self.fits(header, &elements.pdu, PduClass::Response)?;
        if answers != request.request_id {
            return Err(MessageErrorKind::InvalidMessage.into());
        }
        let mut community = [0; MAX_COMMUNITY];
        let len = request.community_len as usize;
        community[..SHORT].copy_from_slice(&request.community);
        if len > SHORT {
            community[SHORT..].copy_from_slice(&act.recall(request.rest).map_err(stale)?);
        }
        let community = community.get(..len).ok_or(MessageErrorKind::StaleReference)?;
        self.write(community, &elements.pdu, request.max_message_size, message)
    }

    /// Appends a request or a notification (RFC 3584 §5.2.3). A request is awaited under its request-id,
    /// so that is its `send_pdu_handle`.
    ///
    /// # Errors
    /// No community stands for the principal, the header does not fit the PDU, or the message is too big.
    pub fn prepare_outgoing_message(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        header: MessageHeader,
        elements: &DataElements,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let request_id = self.fits(header, &elements.pdu, header.class)?;
        let awaited = match header.class {
            PduClass::Confirmed => request_id.cast_unsigned(),
            PduClass::Response | PduClass::Unconfirmed => 0,
        };
        let nameless = header.class == PduClass::Confirmed && awaited == 0;
        if header.send_pdu_handle != awaited || nameless || header.class == PduClass::Response {
            return Err(MessageErrorKind::InvalidMessage.into());
        }
        let mut room = Buf::new();
        let DataElements { security_name, context_name, pdu, .. } = elements;
        let (domain, address) = (transport_domain, transport_address);
        self.communities
            .community_of(act, domain, address, security_name, context_name, &mut room)
            .map_err(not_admitted)?;
        let max_message_size = self.engine.max_message_size(act)?;
        self.write(&room, pdu, max_message_size, message)
    }

    /// The numbers of every message of this version.
    const fn header(&self, class: PduClass, send_pdu_handle: u32) -> MessageHeader {
        let (message_model, security_model, pdu_version) = match self.version {
            Version::V1 => (message_model::SNMPV1, security_model::SNMPV1, varbind::PduVersion::V1),
            _ => (message_model::SNMPV2C, security_model::SNMPV2C, varbind::PduVersion::V2),
        };
        MessageHeader {
            message_model,
            security_model,
            security_level: SecurityLevel::NoAuthNoPriv,
            pdu_version,
            class,
            send_pdu_handle,
        }
    }

    /// The request-id of a PDU that is to be sent under a header, if the two fit together.
    fn fits(
        &self,
        header: MessageHeader,
        pdu: &[u8],
        class: PduClass,
    ) -> Result<i32, MessageError> {
        let peeked = pdu::peek(Reader::new(pdu), self.version.pdu_version());
        match peeked {
            Ok((kind, request_id))
                if class_of(kind) == class
                    && header == self.header(class, header.send_pdu_handle) =>
            {
                Ok(request_id)
            }
            _ => Err(MessageErrorKind::InvalidMessage.into()),
        }
    }

    fn keep_request(
        &self,
        act: &Activity,
        request_id: i32,
        max_message_size: u32,
        octets: &[u8],
    ) -> Result<Handle<Request>, MessageError> {
        // No longer one is admitted (sentence 4 of `roles::community`).
        let too_long = MessageErrorKind::InvalidMessage;
        let community_len = u32::try_from(octets.len()).map_err(|_| too_long)?;
        let (start, rest) = octets.split_at(octets.len().min(SHORT));
        let mut community = [0; SHORT];
        community[..start.len()].copy_from_slice(start);
        let rest = if rest.is_empty() {
            Handle::none()
        } else {
            let mut kept: Rest = [0; MAX_COMMUNITY - SHORT];
            kept.get_mut(..rest.len()).ok_or(too_long)?.copy_from_slice(rest);
            act.keep(kept)?
        };
        let version = self.version as u32;
        let request =
            Request { version, request_id, max_message_size, community_len, community, rest };
        Ok(act.keep(request)?)
    }

    /// Appends a message, or refuses to make one that is larger than the limit.
    fn write(
        &self,
        community: &[u8],
        pdu: &[u8],
        limit: u32,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let contents = integer_len(self.version as i32) + element_len(community.len()) + pdu.len();
        let size = u32::try_from(element_len(contents)).unwrap_or(u32::MAX);
        if size > limit {
            return Err(MessageError::detailed(MessageErrorKind::TooBig, size));
        }
        let mut room = [0; MAX_FRONT];
        let mut front = Writer::new(&mut room);
        // Written from the last to the first, as the codec does.
        front
            .header(tag::OCTET_STRING, community.len())
            .and_then(|()| front.integer(self.version as i32))
            .and_then(|()| front.header(tag::SEQUENCE, contents))
            .map_err(|_| MessageErrorKind::InvalidMessage)?;
        message.append(front.finish())?;
        message.append(community)?;
        message.append(pdu)?;
        Ok(())
    }
}

/// The largest PDU in a message of at most `limit` octets.
fn largest_pdu(limit: u32, community_len: usize) -> u32 {
    let beside = integer_len(0) + element_len(community_len);
    let contents = usize::try_from(limit).ok().and_then(largest_contents);
    let pdu = contents.and_then(|contents| contents.checked_sub(beside)).unwrap_or(0);
    u32::try_from(pdu).unwrap_or(u32::MAX)
}

/// RFC 3411 §2.8. The Trap-PDU of SNMPv1 wants no answer either.
const fn class_of(kind: PduKind) -> PduClass {
    match kind {
        PduKind::Get | PduKind::GetNext | PduKind::GetBulk | PduKind::Set | PduKind::Inform => {
            PduClass::Confirmed
        }
        PduKind::Response | PduKind::Report => PduClass::Response,
        PduKind::TrapV1 | PduKind::TrapV2 => PduClass::Unconfirmed,
    }
}

/// What a decoder's error is here. A PDU that the version does not have is none of the alternatives that
/// its ASN.1 allows, so the message cannot be parsed (RFC 1157 §4.1, RFC 1901 §3).
fn refused(error: s_wire::Error) -> MessageError {
    match error.reason.fault() {
        Fault::AsnParse | Fault::UnknownPduHandler => MessageErrorKind::ParseError,
        Fault::BadVersion => MessageErrorKind::BadVersion,
        Fault::InvalidMessage => MessageErrorKind::InvalidMessage,
    }
    .into()
}

fn not_admitted(error: SecurityError) -> MessageError {
    match error.kind {
        SecurityErrorKind::Call => MessageError::detailed(MessageErrorKind::Call, error.detail),
        kind => MessageError::detailed(MessageErrorKind::Security, kind as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s_wire::Reason;

    #[test]
    fn the_largest_pdu_fits_and_one_octet_more_does_not() {
        for community in [0, 6, 127, 128, 255] {
            for limit in 0..70_000u32 {
                let message = |pdu: u32| element_len(3 + element_len(community) + pdu as usize);
                let pdu = largest_pdu(limit, community);
                assert!(pdu == 0 || message(pdu) <= limit as usize, "{pdu} in {limit}");
                assert!(message(pdu + 1) > limit as usize, "{pdu} is not all of {limit}");
            }
        }
    }

    #[test]
    fn a_pdu_of_another_version_cannot_be_parsed() {
        for (reason, kind) in [
            (Reason::UnknownPdu, MessageErrorKind::ParseError),
            (Reason::TrailingOctets, MessageErrorKind::ParseError),
            (Reason::BadVersion, MessageErrorKind::BadVersion),
        ] {
            assert_eq!(refused(reason.at(0)).kind, kind);
        }
    }
}
