// The compiler should explain, at the field: the size of a `usize` differs between targets.
use s_sdk::Plain;

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Row {
    calls: u64,
    name: usize,
}

fn main() {}
