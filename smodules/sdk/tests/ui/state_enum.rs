// The compiler should explain: a state is a struct; an enum goes into a field.
use s_sdk::State;

#[derive(State)]
#[state(kind = "mode", version = 1)]
enum Mode {
    Idle,
}

fn main() {}
