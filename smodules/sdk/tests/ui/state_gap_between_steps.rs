// The compiler should explain, at the `3`: the step before ends at version 2.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 4)]
#[state(step(1 => 2, default(since: u64)), step(3 => 4, rename(hits -> calls)))]
struct Counter {
    since: u64,
    calls: u64,
}

fn main() {}
