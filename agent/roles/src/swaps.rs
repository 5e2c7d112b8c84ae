//! What was replaced in this engine: swaps that ended, what they cost, and what serves since.
//!
//! The component `engine` implements it beside [`crate::components`], whose numbers it uses, so that the
//! monitoring that an operator has already sees swaps: SWAP-MIB shows them, and its notifications tell of
//! them. It never begins, ends or judges a swap.
//!
//! The contract:
//! 1. `past_swaps` appends the swaps that ended, the oldest that is remembered first; their numbers grow.
//! 2. `swap_counts` counts the swaps that ended since the process started, each once, whether or not they
//!    are still remembered, and the requests that were refused because another swap ran.
//! 3. `swapped_components` appends every component of [`crate::components`] once, with its number there.
//! 4. Texts are UTF-8 of [`MAX_TEXT`] octets at most, in which the spans of the entries lie.
//! 5. `swaps_revision` moves with every change of what the others answer.

use crate::varbind::Span;
use s_sdk::{Activity, Buf, CallError, List, Plain, behavior};

/// SnmpAdminString: a text has so many octets at most.
pub const MAX_TEXT: usize = 255;

/// How a swap ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(u32)]
pub enum SwapOutcome {
    /// There was no swap.
    #[default]
    None = 0,
    /// The successors serve.
    Committed = 1,
    /// Nothing has changed.
    Aborted = 2,
    /// The successors served for a while; the predecessors are back.
    RolledBack = 3,
    /// A step that cannot fail did: what serves keeps serving.
    Unreachable = 4,
}

impl SwapOutcome {
    /// The notification that tells of it; none for what tells of itself otherwise.
    pub const fn notification(self) -> Option<&'static [u32]> {
        match self {
            SwapOutcome::Committed => Some(&[1, 3, 6, 1, 4, 1, 32_473, 2, 0, 1]),
            SwapOutcome::Aborted => Some(&[1, 3, 6, 1, 4, 1, 32_473, 2, 0, 2]),
            SwapOutcome::RolledBack => Some(&[1, 3, 6, 1, 4, 1, 32_473, 2, 0, 3]),
            SwapOutcome::None | SwapOutcome::Unreachable => None,
        }
    }
}

/// swapTransactionEntry of the SWAP-MIB; behind it stand a column and the number of the swap.
pub const TRANSACTION_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 2, 1, 3, 1];

/// The columns of swapTransactionTable.
pub mod column {
    /// swapTransactionOutcome.
    pub const OUTCOME: u32 = 2;
    /// swapTransactionComponents.
    pub const COMPONENTS: u32 = 3;
    /// swapTransactionCause.
    pub const CAUSE: u32 = 4;
    /// swapTransactionBlackout.
    pub const BLACKOUT: u32 = 5;
    /// swapTransactionDuration.
    pub const DURATION: u32 = 6;
    /// swapTransactionEnded.
    pub const ENDED: u32 = 7;
}

/// A swap that ended. Texts are spans of the octets that come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct PastSwap {
    /// Its number, which no other swap of this agent has, over restarts too.
    pub number: u64,
    /// sysUpTime when it ended.
    pub ended: u32,
    /// How it ended.
    pub outcome: SwapOutcome,
    /// How long its gates were closed; 0 where none was. No number is greater than the greatest.
    pub blackout_microseconds: u32,
    /// From its beginning to its end.
    pub took_microseconds: u32,
    /// Its components, each with the version that serves since.
    pub components: Span,
    /// What ended it before its time; empty where nothing did.
    pub cause: Span,
}

/// What a component binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(u32)]
pub enum ComponentState {
    /// Nothing: it has no module.
    #[default]
    Empty = 1,
    /// A module.
    Serving = 2,
    /// A module whose predecessor still waits to be called back.
    Confirming = 3,
}

/// What became of a component in swaps. Its texts are spans of the octets that come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct SwappedComponent {
    /// The last swap that it was a member of; 0 for none since the process started.
    pub last_swap: u64,
    /// The component's own number.
    pub number: u32,
    /// What it binds.
    pub state: ComponentState,
    /// How often another module came to serve: swaps that committed or were rolled back.
    pub swaps: u32,
    /// How the last one ended.
    pub last_outcome: SwapOutcome,
    /// How long its gate was closed in the last one; 0 where it was not.
    pub last_blackout_microseconds: u32,
    /// How many calls panicked in the module that serves.
    pub panics: u32,
    /// Where the module's code is from: `sha256:…` or `linked`; empty where that is not known.
    pub origin: Span,
}

/// What was counted since the process started. Numbers wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct SwapCounts {
    /// Swaps that committed.
    pub committed: u32,
    /// Swaps that changed nothing.
    pub aborted: u32,
    /// Swaps that were taken back.
    pub rolled_back: u32,
    /// Requests that were refused because another swap ran.
    pub busy: u32,
}

/// Answers what was swapped.
#[behavior(name = "swaps")]
pub trait Swaps {
    /// Appends the swaps that ended, as far as they are remembered.
    fn past_swaps(
        &self,
        act: &Activity,
        entries: &mut List<PastSwap>,
        texts: &mut Buf,
    ) -> Result<(), CallError>;

    /// Appends what became of each component.
    fn swapped_components(
        &self,
        act: &Activity,
        entries: &mut List<SwappedComponent>,
        texts: &mut Buf,
    ) -> Result<(), CallError>;

    /// What was counted.
    fn swap_counts(&self, act: &Activity) -> Result<SwapCounts, CallError>;

    /// A number that is another one after every change.
    fn swaps_revision(&self, act: &Activity) -> Result<u64, CallError>;
}

/// Appends a text, cut between two characters if it is too long, and answers where it is.
///
/// # Errors
/// The list is full.
pub fn push_text(texts: &mut Buf, text: &str) -> Result<Span, s_sdk::Full> {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text);
    let at = u32::try_from(texts.len()).map_err(|_| s_sdk::Full)?;
    let len = u32::try_from(text.len()).map_err(|_| s_sdk::Full)?;
    texts.append(text.as_bytes())?;
    Ok(Span::new(at, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut texts = Buf::from(b"before".to_vec());
        let short = push_text(&mut texts, "short").unwrap();
        let long = push_text(&mut texts, &["x", &"é".repeat(200)].concat()).unwrap();
        assert_eq!(short.of(&texts), Some(&b"short"[..]));
        let long = std::str::from_utf8(long.of(&texts).unwrap()).unwrap();
        assert_eq!(long, ["x", &"é".repeat(127)].concat());
    }

    #[test]
    fn every_outcome_that_is_told_has_a_name_of_its_own() {
        use SwapOutcome::{Aborted, Committed, None, RolledBack, Unreachable};
        let told: Vec<_> =
            [Committed, Aborted, RolledBack].iter().map(|o| o.notification().unwrap()).collect();
        assert!(told.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((None.notification(), Unreachable.notification()), Default::default());
    }
}
