// The compiler should explain: a type becomes a module by `impl Module`.
use s_sdk::{Activity, CallError, behavior, s_module};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}

struct Simple;

#[s_module(component = "counter", version = "1.0.0")]
impl Counter for Simple {
    fn total(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(0)
    }
}

fn main() {}
