// The compiler should explain: a call can always fail.
use s_sdk::{Activity, behavior};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> u64;
}

fn main() {}
