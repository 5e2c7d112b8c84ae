// The compiler should explain: callers by name see the parameter's name.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Counter {
    fn add(&self, act: &Activity, _: u64) -> Result<u64, CallError>;
}

fn main() {}
