// The compiler should explain: the method's own error must also say that the call failed.
use s_sdk::{Activity, Plain, behavior};

#[derive(Clone, Copy, Plain)]
#[repr(u32)]
enum Refused {
    Always,
}

#[behavior]
trait Counter {
    fn total(&self, act: &Activity) -> Result<u64, Refused>;
}

fn main() {}
