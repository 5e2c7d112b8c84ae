// The compiler should explain: a version is needed, because it says which fields the struct has.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter")]
struct Counter {
    hits: u64,
}

fn main() {}
