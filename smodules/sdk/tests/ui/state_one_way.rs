// The compiler should explain, at `convert`: a rule works both ways, `down` is missing.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, convert(limit: u32 -> u64, up = u64::from)))]
struct Counter {
    limit: u64,
}

fn main() {}
