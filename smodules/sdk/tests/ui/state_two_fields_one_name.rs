// The compiler should explain, at `limit`: version 1 would have two fields of that name.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, drop(limit: u32 = 0)))]
struct Counter {
    limit: u32,
}

fn main() {}
