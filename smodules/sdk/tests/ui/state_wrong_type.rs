// The compiler should explain, at `u32`: the field of version 2 is a `u64`.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, convert(limit: u16 -> u32)))]
struct Counter {
    limit: u64,
}

fn main() {}
