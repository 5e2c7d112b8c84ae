// The compiler should explain, at `widen`: the function returns `u32`, but the rule says `u64`.
use s_sdk::State;

fn widen(limit: u16) -> u32 {
    limit.into()
}

fn narrow(limit: u64) -> u16 {
    limit.try_into().unwrap_or(u16::MAX)
}

#[derive(State)]
#[state(kind = "counter", version = 2, step(1 => 2, convert(limit: u16 -> u64, up = widen, down = narrow)))]
struct Counter {
    limit: u64,
}

fn main() {}
