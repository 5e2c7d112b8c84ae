// The compiler should explain: what `also` names has to be implemented.
use s_sdk::{Activity, CallError, Host, Module, Refusal, behavior, s_module};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}

#[behavior]
trait Resetter {
    fn reset(&self, act: &Activity) -> Result<(), CallError>;
}

struct Simple;

#[s_module(component = "counter", version = "1.0.0", also(Resetter))]
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
