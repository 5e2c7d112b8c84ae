// The compiler should explain: an `Option` of an `Option` loses the difference between its two `None`s.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 1)]
struct Counter {
    hits: Option<Option<u64>>,
}

fn main() {}
