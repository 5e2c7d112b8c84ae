// The compiler should explain: plain data is copied freely.
use s_sdk::Plain;

#[derive(Plain)]
#[repr(C)]
struct Row {
    calls: u64,
}

fn main() {}
