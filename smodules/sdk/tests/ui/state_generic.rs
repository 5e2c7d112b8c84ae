// The compiler should explain, at `<T>`: a state cannot be generic.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 1)]
struct Counter<T> {
    hits: T,
}

fn main() {}
