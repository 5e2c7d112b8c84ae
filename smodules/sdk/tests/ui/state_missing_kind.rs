// The compiler should explain: the attribute `#[state(kind = …, version = …)]` is missing altogether.
use s_sdk::State;

#[derive(State)]
struct Counter {
    hits: u64,
}

fn main() {}
