//! Loads verified bytes, and unloads them when that is proven safe.
//!
//! In the order things happen: [`sealed`] puts the bytes where nobody can change them and hashes what it
//! then holds; [`elf`] reads them without running them; `library` maps them and makes sure that what is
//! mapped is what was sealed; [`descriptor`] checks what the module says of itself; [`ledger`] notes what
//! the module leaves behind in threads; [`unload`] takes it out of memory once that is nothing. [`membarrier`] and
//! [`turns`] are two bare system calls that have their room here.
//!
//! What this crate never does: call into a module beyond its descriptor and its static constructors,
//! decide whether bytes are trusted, unload on hope.
//!
//! The invariant it keeps: the bytes that were hashed are the bytes that are mapped, and no code is
//! unmapped that a thread may still run.

pub mod descriptor;
pub mod elf;
pub mod ledger;
mod library;
mod maps;
pub mod membarrier;
pub mod sealed;
pub mod turns;
pub mod unload;

pub use descriptor::{DescriptorError, InstanceGuard, LoadedModule, Origin};
pub use elf::{Elf, ElfError, inspect};
pub use ledger::Tally;
pub use library::LoadError;
pub use maps::{QUERY as MAPS_QUERY, keep_open as keep_maps_open};
pub use sealed::{Digest, SealError, Sealed};
pub use unload::{Budget, BudgetExhausted, Loader, PinReason, Pinned, Unload};
