//! SNMPv3 messages (RFC 3412) for the group of `grouped-role`.
//!
//! It does what `message-v3` does, with its codec and its state, but reaches the security model through
//! [`GroupedSecurity`] alone: one of another group it does not find. It never proves anything itself.

use grouped_role::{Envelope, GroupedSecurity, GroupedSecurityProxy, Outgoing};
use message_v3_model::V3Messages;
use roles::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityHeader, SecurityModel,
    SecurityStateReference,
};
use s_sdk::{Activity, Buf, Host, Refusal};
pub use wire::Wire;

#[path = "../../../message-v3/src/wire.rs"]
pub mod wire;

/// The module.
pub struct MessageV3Grouped(V3Messages<Wire, Grouped>);

message_v3_model::message_v3_module!(
    MessageV3Grouped as over_the_group,
    depends("security.usm" = "^3"),
    version = "2.0.0",
    annotation =
        "RFC 3412: the SNMPv3 message processing model, with an interface of its group's own"
);

fn over_the_group(host: &Host) -> Result<V3Messages<Wire, Grouped>, Refusal> {
    let usm = host.lookup("security.usm").map_err(|error| format!("security.usm: {error}"))?;
    V3Messages::over(host, Grouped(usm))
}

/// The security model of the group, in the words of the role.
pub struct Grouped(GroupedSecurityProxy);

impl SecurityModel for Grouped {
    fn process_incoming(
        &self,
        act: &Activity,
        header: SecurityHeader,
        parts: MessageParts,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        self.0.admit(act, Envelope { header, parts }, message, data)
    }

    fn generate_request(
        &self,
        act: &Activity,
        header: SecurityHeader,
        global_data: &[u8],
        data: &SecurityData,
        message: &mut Buf,
    ) -> Result<(), SecurityError> {
        let outgoing = Outgoing { header, state: SecurityStateReference::none(), is_answer: 0 };
        self.0.make(act, outgoing, global_data, data, message)
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
        let outgoing = Outgoing { header, state, is_answer: 1 };
        self.0.make(act, outgoing, global_data, data, message)
    }
}
