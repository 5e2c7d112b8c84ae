// The compiler should explain: every call is part of an activity.
use s_sdk::{CallError, behavior};

#[behavior]
trait Counter {
    fn add(&self, amount: u64) -> Result<u64, CallError>;
}

fn main() {}
