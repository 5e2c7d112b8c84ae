//! Answers one request so many times, for counting instructions: run it under callgrind with two numbers,
//! and divide the difference of the totals by that of the numbers.
#![allow(clippy::unwrap_used, reason = "a tool for developers: a failed unwrap names its line")]

use s_conversations::Agent;
use s_conversations::compose::compose;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let times: u32 = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1000);
    let line = arguments.next().unwrap_or("v2c public get B.1.1.0".to_owned());
    let agent = Agent::default();
    let mut thread = agent.thread();
    let request = compose(&line).unwrap();
    let answered =
        (0..times).filter(|_| thread.ask(&[127, 0, 0, 1, 1, 2], &request).is_some()).count();
    println!("{answered} of {times} answered");
}
