// The compiler should explain, at `calls`: the rule gives a field that version 2, the struct, does not have.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, rename(hits -> calls)))]
struct Counter {
    hits: u64,
}

fn main() {}
