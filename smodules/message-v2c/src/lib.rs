//! SNMPv2c message processing (RFC 1901 §3): a version, a community and a PDU of RFC 3416.
//!
//! All of it is in `message-community`, which says what it never does; here is only the version. It has no
//! state, so it is swapped without a gate.

use message_community::{CommunityMessages, Version};
use roles::message::{
    DataElements, Incoming, MessageError, MessageHeader, MessageProcessing, StateReference,
};
use s_sdk::{Activity, Buf, Host, Module, Refusal, s_module};

/// The module.
pub struct MessageV2c(CommunityMessages);

#[s_module(
    component = "message.v2c",
    version = "1.0.0",
    annotation = "RFC 1901: SNMPv2c messages",
    depends("security.community" = "^1")
)]
impl MessageProcessing for MessageV2c {
    fn prepare_data_elements(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
        elements: &mut DataElements,
    ) -> Result<Incoming, MessageError> {
        self.0.prepare_data_elements(act, transport_domain, transport_address, message, elements)
    }

    fn prepare_response_message(
        &self,
        act: &Activity,
        header: MessageHeader,
        elements: &DataElements,
        state: StateReference,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        self.0.prepare_response_message(act, header, elements, state, message)
    }

    fn prepare_outgoing_message(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        header: MessageHeader,
        elements: &DataElements,
        message: &mut Buf,
    ) -> Result<(), MessageError> {
        let (domain, address) = (transport_domain, transport_address);
        self.0.prepare_outgoing_message(act, domain, address, header, elements, message)
    }
}

impl Module for MessageV2c {
    fn init(host: Host) -> Result<Self, Refusal> {
        CommunityMessages::new(Version::V2c, &host).map(MessageV2c)
    }
}
