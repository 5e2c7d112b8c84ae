// The compiler should explain: both sides must agree on size and numbers.
use s_sdk::Plain;

#[derive(Clone, Copy, Plain)]
enum Mode {
    Idle,
    Busy,
}

fn main() {}
