//! SNMP messages as octets and as values: BER of SNMPv1, v2c and v3 (RFC 1157, 1901, 3412, 3416, 3417 §8).
//!
//! It never allocates, asks no clock, does no IO and no cryptography, and depends on nothing of the agent.
//! It says what a message *is*, never what becomes of it: whether a user exists, which PDU answers which.
//!
//! In the order in which octets meet the files: [`ber`] reads and writes single elements, [`message`] the
//! envelope of SNMPv1 and v2c, [`v3`] that of SNMPv3 and [`usm`] its security parameters, [`pdu`] what is
//! inside, [`varbind`] the list in a PDU, [`oid`] and [`value`] its names and values. [`budget`] knows the
//! size of a response before it is written, [`error`] why octets are refused and whose counter moves.
//!
//! Invariants:
//! 1. What is decoded borrows the input. A list of bindings is validated to its last octet when its PDU is
//!    decoded, so that going through it cannot fail. Nobody copies a binding here: whoever hands a list
//!    over a module's boundary copies names and values into the list that crosses it, one push each.
//! 2. Whatever decodes encodes, and decodes again to the same values. What is written is in the shortest
//!    form, and as long as [`Encode::encoded_len`] says, to the octet.
//! 3. Strict: one way to nest, definite lengths, primitive strings, nothing behind the end, numbers within
//!    their ranges. Lenient only where old equipment is known to need it: lengths and integers may have
//!    more octets than they need, and GETBULK may ask for a negative number of things.
#![forbid(unsafe_code)]
// Without `std` and `alloc` there is nothing to allocate with.
#![cfg_attr(not(test), no_std)]

pub mod ber;
pub mod budget;
pub mod error;
pub mod message;
pub mod oid;
pub mod pdu;
pub mod usm;
pub mod v3;
pub mod value;
pub mod varbind;

pub use ber::{Encode, Full, Part, Reader, Writer};
pub use budget::Budget;
pub use error::{Error, Fault, Reason};
pub use message::{CommunityMessage, Message, Version};
pub use oid::{Arcs, Oid};
pub use pdu::{AnyPdu, Pdu, PduKind, PduVersion, TrapV1};
pub use usm::UsmParameters;
pub use v3::{Flags, Header, ScopedPdu, ScopedPduData, V3Message};
pub use value::Value;
pub use varbind::{Bindings, VarBind, VarBindList};
