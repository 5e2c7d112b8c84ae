// The compiler should explain: a behavior has one method table.
use s_sdk::{Activity, CallError, Plain, behavior};

#[behavior]
trait Store<T: Plain> {
    fn put(&self, act: &Activity, value: T) -> Result<(), CallError>;
}

fn main() {}
