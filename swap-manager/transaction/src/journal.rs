//! The journal: what must outlive the process, one checksummed record after the other.
//!
//! It is append-only: a record once written is never changed, only followed by another or, by
//! [`Journal::compact`], left out of a new file. Four parts: `record` and `set` (bytes ↔ values), `recover` (what
//! the records mean for a start), `disk` (the only IO). Invariant: the set that starts is one that a single
//! record names in full; no set is ever put together from several records.

mod record;
pub use record::{
    Cut, Digest, EncodeFault, MAX_PAYLOAD, Record, Scan, ScanFault, encode, new_journal, scan,
};
mod set;
pub use set::{Bound, Set};
mod recover;
pub use recover::{
    Candidate, Committed, Recovered, StartPolicy, Why, candidates, compacted, recover,
};
mod disk;
pub use disk::{Disk, FileDisk, Journal, JournalFault};
