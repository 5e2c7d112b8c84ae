// The compiler should explain: both sides must agree on the layout.
use s_sdk::Plain;

#[derive(Clone, Copy, Plain)]
struct Row {
    calls: u64,
}

fn main() {}
