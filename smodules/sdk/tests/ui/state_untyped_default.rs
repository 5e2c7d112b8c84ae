// The compiler should explain, at `since`: the type is needed, older versions know it only from here.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, default(since = 0)))]
struct Counter {
    since: u64,
}

fn main() {}
