// The compiler should explain: octets cross as `&[u8]`, answers as `&mut Buf`.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Digest {
    fn digest(&self, act: &Activity, octets: &[u8], hash: &mut Vec<u8>) -> Result<(), CallError>;
}

fn main() {}
