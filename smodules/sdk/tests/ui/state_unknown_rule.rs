// The compiler should explain, at `remove`: there is no such rule, and which ones there are.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, remove(scratch: u64)))]
struct Counter {
    limit: u64,
}

fn main() {}
