//! The codec from outside: the cases that codecs get wrong, round trips, sizes, and the judgement of two
//! codecs that are not ours.
#![expect(clippy::unwrap_used, reason = "a failed unwrap here is a failed test with a line number")]

mod allocations;
mod cases;
mod foreign;
mod judges;
mod owned;
mod round_trips;
mod strategies;
mod verdicts;
