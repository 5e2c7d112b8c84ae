// The compiler should explain: text crosses as `&str`.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Greeter {
    fn greet(&self, act: &Activity, name: String) -> Result<u32, CallError>;
}

fn main() {}
