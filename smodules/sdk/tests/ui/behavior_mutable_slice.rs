// The compiler should explain: outputs are growing lists.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Cipher {
    fn encrypt(&self, act: &Activity, data: &mut [u8]) -> Result<(), CallError>;
}

fn main() {}
