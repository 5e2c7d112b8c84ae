//! What the kernel says of the network, as plain values: links, addresses, neighbours, routes, sockets,
//! counters. What the MIB modules of the network share; no module itself.
//!
//! Tables come over netlink in one dump each, counters of protocols from /proc/net. It never keeps anything,
//! never waits, and knows no MIB but for [`mib_kit::Inet`], the form that addresses have in indexes.
//!
//! Invariant: whatever octets arrive, in whatever length, reading them does no harm: what cannot be
//! understood is left out.

pub mod netlink;

pub mod address;
pub mod link;
pub mod neighbour;
pub mod numbers;
pub mod owners;
pub mod route;
pub mod socket;
pub mod sysfs;

pub use address::{Address, addresses};
pub use link::{Link, links, links6};
pub use neighbour::{Neighbour, neighbours, retransmit_times};
pub use numbers::{Numbers, host_up_time, interface_numbers, protocol_numbers};
pub use owners::{Owners, owners};
pub use route::{Route, routes};
pub use socket::{Socket, sockets};
