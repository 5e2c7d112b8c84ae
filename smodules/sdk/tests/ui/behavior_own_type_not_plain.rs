// The compiler should explain, at the parameter: an ordinary struct has no layout that two compilers share.
use s_sdk::{Activity, CallError, behavior};

#[derive(Clone, Copy)]
struct Row {
    calls: u64,
}

#[behavior]
trait Store {
    fn put(&self, act: &Activity, row: Row) -> Result<(), CallError>;
}

fn main() {}
