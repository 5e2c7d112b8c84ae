// The compiler should explain: an optional method is marked, not written.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError> {
        Ok(0)
    }
}

fn main() {}
