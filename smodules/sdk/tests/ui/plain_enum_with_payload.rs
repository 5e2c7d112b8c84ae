// The compiler should explain: a variant with fields has no layout that two compilers share.
use s_sdk::Plain;

#[derive(Clone, Copy, Plain)]
#[repr(u32)]
enum Answer {
    Nothing,
    Number(u64),
}

fn main() {}
