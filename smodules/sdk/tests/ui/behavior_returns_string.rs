// The compiler should explain: a result is plain data.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Greeter {
    fn greet(&self, act: &Activity) -> Result<String, CallError>;
}

fn main() {}
