// The compiler should explain: a row with padding would show the host what nobody wrote.
use s_sdk::{Activity, CallError, Host, Module, Plain, Refusal, behavior, s_module};

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, CallError>;
}

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Seen {
    kind: u8,
    times: u32,
}

struct Simple;

#[s_module(component = "counter", version = "1.0.0", resident("seen" = [Seen; 4]))]
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
