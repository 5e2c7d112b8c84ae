// The compiler should explain: numbers are answered, not written through a reference.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity, total: &mut u64) -> Result<(), CallError>;
}

fn main() {}
