// The compiler should explain: only methods cross.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Counter {
    const STEP: u64;
    fn add(&self, act: &Activity) -> Result<u64, CallError>;
}

fn main() {}
