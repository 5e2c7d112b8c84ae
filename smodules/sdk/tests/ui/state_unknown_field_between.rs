// The compiler should explain, at `hits`: version 2 has `calls`, as the step after it says.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 3)]
#[state(step(1 => 2, default(hits: u64)))]
#[state(step(2 => 3, rename(calls -> served)))]
struct Counter {
    served: u64,
}

fn main() {}
