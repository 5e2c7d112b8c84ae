// The compiler should explain which options there are.
use s_sdk::{Activity, CallError, behavior};

#[behavior(since = 2)]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}

fn main() {}
