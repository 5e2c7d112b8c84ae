// The compiler should explain: which options there are.
use s_sdk::{Activity, CallError, Host, Module, Refusal, behavior, s_module};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}

struct Simple;

#[s_module(component = "counter", version = "1.0.0", author = "me")]
impl Counter for Simple {
    fn total(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(0)
    }
}

impl Module for Simple {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(Simple)
    }
}

fn main() {}
