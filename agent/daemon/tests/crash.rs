//! `kill -9` at any moment: what was answered as done is done, and boots only go up.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod started;

use started::{Agent, CONFIG, PASSPHRASE, PUBLIC, command, furnished, writer};
use std::hash::{BuildHasher as _, RandomState};
use std::process::Stdio;
use std::time::Duration;

const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";

/// Milliseconds below a bound, another number each time; every number is a case that must hold.
fn random_below(bound: u64) -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % bound)
}

#[test]
fn what_was_answered_as_done_outlives_any_end() {
    let directory = furnished(CONFIG);
    let mut last_boots = 0;
    // The value that was acknowledged last, and what may stand there instead: one that was on its way.
    let mut acknowledged = String::new();
    for round in 0..6 {
        let agent = Agent::start(directory.path(), &[]);
        let boots = agent.boots();
        assert!(boots > last_boots, "boots went from {last_boots} to {boots}");
        last_boots = boots;
        if round > 0 {
            let found = agent.answer("snmpget", PUBLIC, &[SYS_NAME]);
            let number = |text: &str| -> u64 {
                text.trim_matches('"').rsplit([' ', '"']).next().unwrap().parse().unwrap()
            };
            let (found, wanted) = (number(&found), number(&acknowledged));
            assert!((wanted..=wanted + 1).contains(&found), "{found} stands for {wanted}");
            acknowledged = found.to_string();
        } else {
            agent.answer("snmpset", &writer(PASSPHRASE), &[SYS_NAME, "s", "0"]);
            acknowledged = "0".into();
        }
        let process = agent.process.id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(random_below(400));
            let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        });
        for _ in 0..1000 {
            let next = (acknowledged.parse::<u64>().unwrap() + 1).to_string();
            let address = format!("udp:127.0.0.1:{}", agent.port);
            let set = [SYS_NAME, "s", &next];
            let output = agent.ask_at(&address, "snmpset", &writer(PASSPHRASE), &set);
            if !output.status.success() {
                break;
            }
            acknowledged = next;
        }
        killer.join().unwrap();
    }
}

#[test]
fn an_end_while_it_starts_leaves_a_state_that_starts() {
    let directory = furnished(CONFIG);
    let mut last = 0;
    for _ in 0..4 {
        for _ in 0..3 {
            let mut process = command(directory.path())
                .arg(format!("udp:127.0.0.1:{}", started::free_port()))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(random_below(120));
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let agent = Agent::start(directory.path(), &[]);
        let boots = agent.boots();
        assert!(boots > last, "boots went from {last} to {boots}: {}", agent.log());
        assert!(!agent.log().contains("damaged"), "{}", agent.log());
        last = boots;
        agent.stop();
    }
}
