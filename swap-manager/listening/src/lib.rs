//! The listening service: what operators ask of a swap manager from outside the process, over HTTP.
//!
//! [`Service`] listens on a Unix socket, where the kernel says who calls, and over TLS 1.3, where a certificate
//! does. It knows the swap manager, and an [`Application`] of which it knows nothing else; `/v1/openapi.json`
//! describes every route. [`client`] asks such a service.
//!
//! What this crate never does: decide what a swap does (the swap manager does), run on a thread of the
//! application, or believe a length, a name or a pace that a caller claims.
//!
//! In the order a request meets them: [`service`] (the sockets and the one thread), `connections` (who may
//! stay), [`operators`] (who calls, and what they may do), `routes` (what there is, and for whom), `limits` (how
//! much and how fast), `shared` (what all routes share), the route's own file; `json` is how modules' values
//! are written for operators, `fault` how a no is.

mod application;
mod certificate;
pub mod client;
mod connections;
mod fault;
mod json;
mod limits;
pub mod operators;
mod routes;
pub mod service;
mod shared;

pub use application::Application;
pub use operators::{Operator, Operators, OperatorsFault, Role};
pub use service::{Config, OpenError, Service, Tls};
