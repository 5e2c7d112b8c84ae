// The compiler should explain: fields are mapped by name.
use s_sdk::State;

#[derive(State)]
#[state(kind = "counter", version = 1)]
struct Counter(u64);

fn main() {}
