// The compiler should explain, at `usize`: it cannot be carried; use `u64`.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 1)]
struct Counter {
    hits: usize,
}

fn main() {}
