//! The swap manager: packages in, a new version serving, or nothing changed.
//!
//! [`SwapManager`] is one handle on everything under `swap-manager/`. It plans a request, lets the
//! transaction machine say what is to be done, does it (`execution`), and answers with the outcome: which
//! phase, which member, why, and what serves now.
//!
//! What this crate never does: decide the order of a swap (the transaction does), run a module's code
//! before its rehearsal, or leave a gate closed beyond its deadline, whatever a module does.
//!
//! In the order a package meets them: [`order`] (a swap written down), [`request`] (what is asked, and what it
//! would change), [`preview`] (what a swap would do), `execution` (one running swap), `member` (one component in
//! it), `rows` (its resident tables), `timing` (the deadlines and the troubles of all running swaps), [`status`]
//! (what is told to operators), [`kept`] (the versions to go back to), [`carried`] (a look at a module's state);
//! `surroundings` is what modules get from the host, `told` how errors are told.

pub mod carried;
mod execution;
mod facts;
pub mod kept;
mod manager;
mod member;
pub mod order;
pub mod preview;
pub mod request;
mod rows;
mod start;
pub mod status;
mod surroundings;
mod timing;
mod told;

pub use facts::facts;
pub use manager::{
    Config, Preflight, StartError, Started, SwapError, SwapManager, Ticket, TrustError,
};
pub use request::{Item, Request, RequestFault};
pub use surroundings::LogSink;
pub use told::chain;
