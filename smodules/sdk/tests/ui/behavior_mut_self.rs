// The compiler should explain: modules are called from many threads at once.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Counter {
    fn add(&mut self, act: &Activity, amount: u64) -> Result<u64, CallError>;
}

fn main() {}
