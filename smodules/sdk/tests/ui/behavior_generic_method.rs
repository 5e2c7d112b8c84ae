// The compiler should explain: a method is one slot in a table.
use s_sdk::{Activity, CallError, Plain, behavior};

#[behavior]
trait Store {
    fn put<T: Plain>(&self, act: &Activity, value: T) -> Result<(), CallError>;
}

fn main() {}
