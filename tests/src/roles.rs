//! The behaviors of the fixtures: small, and each answer tells which version gave it.
//!
//! Nothing in here is a module. Invariant: an answer carries the version of its module, so that a caller
//! sees every mixture of versions.

use s_sdk::{Activity, Buf, CallError, Plain, behavior};

/// A total, and the major version of the module that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Tagged {
    /// The total.
    pub total: u64,
    /// How many calls the answering instance has taken since it was created.
    pub calls: u64,
    /// The major version of the module.
    pub version: u32,
    /// Always [`Tagged::SEAL`]: a torn answer is seen.
    pub seal: u32,
}

impl Tagged {
    /// What every whole answer ends with.
    pub const SEAL: u32 = 0x5ea1_5ea1;

    /// An answer.
    pub const fn new(version: u32, total: u64, calls: u64) -> Self {
        Tagged { total, calls, version, seal: Self::SEAL }
    }
}

/// Counts, with state that is carried.
#[behavior]
pub trait Counter {
    /// Adds to the total.
    fn add(&self, act: &Activity, amount: u64) -> Result<Tagged, CallError>;

    /// The total.
    fn total(&self, act: &Activity) -> Result<Tagged, CallError>;
}

/// Gives back what it gets, and carries nothing.
#[behavior]
pub trait Echo {
    /// Gives back the octets, and answers its major version.
    fn echo(&self, act: &Activity, octets: &[u8], into: &mut Buf) -> Result<u32, CallError>;

    /// How many octets a text has. Modules may lack it.
    #[optional]
    fn measure(&self, act: &Activity, text: &str) -> Result<u64, CallError>;
}

/// What only later echoes can.
#[behavior]
pub trait Extra {
    /// Gives back the octets in reverse.
    fn reverse(&self, act: &Activity, octets: &[u8], into: &mut Buf) -> Result<u32, CallError>;
}

/// One of a group: says which version it is, asked alone or through another.
#[behavior]
pub trait Partner {
    /// Its major version.
    fn version(&self, act: &Activity) -> Result<u32, CallError>;
}

/// The public side of a pair.
#[behavior]
pub trait Front {
    /// Asks the back, and answers `100 * own version + version of the back`.
    fn ask(&self, act: &Activity, question: u64) -> Result<u64, CallError>;
}

/// What the two of a pair say to each other, first form.
#[behavior(name = "back")]
pub trait BackOne {
    /// Answers its major version.
    fn tell(&self, act: &Activity, question: u64) -> Result<u64, CallError>;
}

/// The second form: another signature under the same name.
#[behavior(name = "back", version = 2)]
pub trait BackTwo {
    /// Answers its major version.
    fn tell(&self, act: &Activity, question: u64, nonce: u32) -> Result<u64, CallError>;
}

/// Asks what an active module took from its mailbox, over all versions.
#[behavior]
pub trait Taken {
    /// How many messages; the calls are how many timers.
    fn taken(&self, act: &Activity) -> Result<Tagged, CallError>;
    /// The number that is next from a sender: how many it took of it, where none was lost.
    fn next_of(&self, act: &Activity, sender: u32) -> Result<u64, CallError>;
    /// How many signals.
    fn signals(&self, act: &Activity) -> Result<u64, CallError>;
    /// How many messages and signals came out of order.
    fn disordered(&self, act: &Activity) -> Result<u64, CallError>;
}

/// Uses the services of the host, one for one, and says what came back.
#[behavior]
pub trait Services {
    /// Writes a log line at each level, from error to debug.
    fn log(&self, act: &Activity, text: &str) -> Result<(), CallError>;
    /// Adds to a counter.
    fn count(&self, act: &Activity, name: &str, add: u64) -> Result<(), CallError>;
    /// The clock that never steps, in nanoseconds.
    fn now(&self, act: &Activity) -> Result<u64, CallError>;
    /// The time since 1970, in nanoseconds.
    fn wall_clock(&self, act: &Activity) -> Result<u64, CallError>;
    /// Random octets.
    fn random(&self, act: &Activity, count: u32, into: &mut Buf) -> Result<(), CallError>;
    /// Has an echo give back octets, and answers its major version.
    fn ask(
        &self,
        act: &Activity,
        echo: &str,
        octets: &[u8],
        into: &mut Buf,
    ) -> Result<u32, CallError>;
    /// Publishes an event of this tag that carries a number.
    fn publish(&self, act: &Activity, tag: &str, number: u64) -> Result<(), CallError>;
    /// Hears events of this tag from now on, or no more.
    fn listen(&self, act: &Activity, tag: &str, on: bool) -> Result<(), CallError>;
    /// The sum of the numbers that it heard.
    fn heard(&self, act: &Activity) -> Result<u64, CallError>;
}

/// A row of a resident table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct Row {
    /// The value.
    pub value: u64,
    /// The major version of the module that wrote it.
    pub written_by: u32,
    /// Fills the row.
    pub flags: u32,
}

/// Works on a resident table.
#[behavior]
pub trait Rows {
    /// Writes rows `0..count`, each its own number.
    fn fill(&self, act: &Activity, count: u64) -> Result<u64, CallError>;
    /// Writes one row.
    fn put(&self, act: &Activity, key: u64, value: u64) -> Result<(), CallError>;
    /// One row.
    fn get(&self, act: &Activity, key: u64) -> Result<Row, CallError>;
    /// How many rows there are, and the major version of the module.
    fn count(&self, act: &Activity) -> Result<Tagged, CallError>;
}

/// Carries as many octets as it is told to.
#[behavior]
pub trait Blob {
    /// Takes so many octets; the total is their sum.
    fn resize(&self, act: &Activity, octets: u64) -> Result<Tagged, CallError>;
    /// The sum of the octets; the calls are how many there are.
    fn sum(&self, act: &Activity) -> Result<Tagged, CallError>;
}

/// Can be told not to be swapped.
#[behavior]
pub trait Stubborn {
    /// Begins an S-critical section.
    fn enter(&self, act: &Activity) -> Result<u32, CallError>;
    /// Ends it.
    fn leave(&self, act: &Activity) -> Result<u32, CallError>;
}
