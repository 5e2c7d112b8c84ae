//! SNMPv3 messages (RFC 3412), read and written by `s-wire`.
//!
//! What becomes of them is in `message-v3-model`, which says what it never does; [`wire`] is the codec. It
//! allocates nothing. The module carries what was sent and is not answered yet.

pub mod wire;

use message_v3_model::V3Messages;
pub use wire::Wire;

/// The module.
pub struct MessageV3(V3Messages<Wire>);

message_v3_model::message_v3_module!(
    MessageV3,
    version = "1.0.0",
    annotation = "RFC 3412: the SNMPv3 message processing model"
);
