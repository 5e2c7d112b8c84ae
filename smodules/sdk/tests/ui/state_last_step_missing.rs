// The compiler should explain, at `version = 3`: the last step ends at version 2.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 3, step(1 => 2, rename(hits -> calls)))]
struct Counter {
    calls: u64,
}

fn main() {}
