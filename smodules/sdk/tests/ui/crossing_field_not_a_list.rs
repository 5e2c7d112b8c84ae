// The compiler should explain, at the field: what crosses by reference is made of lists.
use s_sdk::{Buf, Crossing};

#[derive(Crossing)]
#[repr(C)]
struct Message {
    name: Buf,
    parts: Vec<u32>,
}

fn main() {}
