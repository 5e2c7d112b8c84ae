// The compiler should explain: a future has no layout that two compilers share.
use s_sdk::{Activity, CallError, behavior};

#[behavior]
trait Fetcher {
    async fn fetch(&self, act: &Activity) -> Result<u64, CallError>;
}

fn main() {}
