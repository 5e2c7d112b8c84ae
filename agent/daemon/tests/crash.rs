//! `kill -9` at any moment: what was answered as done is done, and boots only go up.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod started;

use started::{Agent, CONFIG, PASSPHRASE, PUBLIC, command, furnished, writer};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::Duration;

const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";

/// Milliseconds below a bound, another number each time; every number is a case that must hold.
fn random_below(bound: u64) -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % bound)
}

/// Ends it without a word, at a random moment.
fn killed_within(agent: &Agent, milliseconds: u64) -> JoinHandle<()> {
    let id = rustix::process::Pid::from_child(&agent.process);
    std::thread::spawn(move || {
        std::thread::sleep(random_below(milliseconds));
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    })
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
        let killer = killed_within(&agent, 400);
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

/// The arcs of a name, and those of its length and itself.
fn implied(name: &str) -> String {
    name.bytes().fold(String::new(), |mut arcs, octet| {
        write!(arcs, ".{octet}").unwrap();
        arcs
    })
}

fn counted(name: &str) -> String {
    format!(".{}{}", name.len(), implied(name))
}

/// What a manager asks for, and which variables have which values from then on.
struct Deed {
    tool: &'static str,
    option: Option<&'static str>,
    arguments: Vec<String>,
    seen: Vec<(String, Vec<&'static str>)>,
}

impl Deed {
    fn new(tool: &'static str, option: Option<&'static str>, arguments: &str) -> Self {
        let arguments = arguments.split('|').map(str::to_owned).collect();
        Deed { tool, option, arguments, seen: Vec::new() }
    }

    fn seen_as(mut self, variable: String, values: &[&'static str]) -> Self {
        self.seen.push((variable, values.to_vec()));
        self
    }

    /// Whether it was confirmed; the agent that is asked must not refuse it.
    fn is_done(&self, agent: &Agent) -> bool {
        let address = format!("udp:127.0.0.1:{}", agent.port);
        let principal: Vec<&str> = writer(PASSPHRASE).into_iter().chain(self.option).collect();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let output = agent.ask_at(&address, self.tool, &principal, &arguments);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!said.contains("Reason"), "{} {arguments:?}: {said}", self.tool);
        output.status.success() && (self.tool == "snmpset" || said.contains("success"))
    }

    fn check(&self, agent: &Agent) {
        for (variable, values) in &self.seen {
            let found = agent.answer("snmpget", &writer(PASSPHRASE), &[variable]);
            let is_there = values.iter().any(|value| found.ends_with(&format!("INTEGER: {value}")));
            assert!(is_there, "{} {:?}: {found}", self.tool, self.arguments);
        }
    }
}

const ENGINE_ID: &str = "[engine]\nid = \"80001f8880aabbccdd\"\n";
const ENGINE_INDEX: &str = ".9.128.0.31.136.128.170.187.204.221";

/// The passphrase of those who are made.
const NEW: &str = "a passphrase of one's own";

/// A user with keys of his own, his rights, and somebody to tell, step by step.
fn deeds(name: &str) -> Vec<Deed> {
    let user = format!(".1.3.6.1.6.3.15.1.2.2.1.13{ENGINE_INDEX}{}", counted(name));
    let (own, whole) = (implied(name), counted(name));
    let addr = |column: u32| format!(".1.3.6.1.6.3.12.1.2.1.{column}{own}");
    let params = |column: u32| format!(".1.3.6.1.6.3.12.1.3.1.{column}{own}");
    let notify = |column: u32| format!(".1.3.6.1.6.3.13.1.1.1.{column}{own}");
    let target = [
        format!("{}|o|.1.3.6.1.6.1.1|{}|x|7f0000010009", addr(2), addr(3)),
        format!("{}|s|{name}|{}|s|{name}|{}|i|4", addr(6), addr(7), addr(9)),
        format!("{}|i|3|{}|i|3|{}|s|{name}", params(2), params(3), params(4)),
        format!("{}|i|3|{}|i|4", params(5), params(7)),
    ];
    let notification = format!("{}|s|{name}|{}|i|4", notify(2), notify(5));
    vec![
        // Clones are not in use before they have keys of their own.
        Deed::new("snmpusm", Some("-Cw"), &format!("create|{name}|writer"))
            .seen_as(user.clone(), &["1", "2", "3"]),
        Deed::new("snmpusm", Some("-Ca"), &format!("passwd|{PASSPHRASE}|{NEW}|{name}")),
        Deed::new("snmpusm", Some("-Cx"), &format!("passwd|{PASSPHRASE}|{NEW}|{name}")),
        Deed::new("snmpusm", None, &format!("activate|{name}")).seen_as(user, &["1"]),
        Deed::new("snmpvacm", None, &format!("createSec2Group|3|{name}|{name}"))
            .seen_as(format!(".1.3.6.1.6.3.16.1.2.1.5.3{whole}"), &["1"]),
        Deed::new("snmpvacm", None, &format!("createView|{name}|.1.3.6.1.2.1.1|fe"))
            .seen_as(format!(".1.3.6.1.6.3.16.1.5.2.1.6{whole}.7.1.3.6.1.2.1.1"), &["1"]),
        Deed::new("snmpvacm", None, &format!("createAccess|{name}|3|3|1|{name}|none|none"))
            .seen_as(format!(".1.3.6.1.6.3.16.1.4.1.9{whole}.0.3.3"), &["1"]),
        Deed::new("snmpset", None, &target.join("|"))
            .seen_as(addr(9), &["1"])
            .seen_as(params(7), &["1"]),
        Deed::new("snmpset", None, &notification).seen_as(notify(5), &["1"]),
    ]
}

#[test]
fn users_rights_and_receivers_that_were_confirmed_outlive_any_end() {
    let directory = furnished(&format!("{ENGINE_ID}{CONFIG}"));
    let (mut last_boots, mut number) = (0, 0);
    let mut done: Vec<Deed> = Vec::new();
    // Those who were confirmed in all steps, so that they can ask.
    let mut whole: Vec<String> = Vec::new();
    let check = |agent: &Agent, last_boots: &mut u32, done: &[Deed], whole: &[String]| {
        let boots = agent.boots();
        assert!(boots > *last_boots, "boots went from {last_boots} to {boots}");
        *last_boots = boots;
        done.iter().for_each(|deed| deed.check(agent));
        for name in whole {
            let mut theirs = writer(NEW);
            (theirs[4], theirs[12]) = (name, NEW);
            agent.answer("snmpget", &theirs, &[SYS_NAME]);
        }
    };
    for _ in 0..3 {
        let agent = Agent::start(directory.path(), &[]);
        check(&agent, &mut last_boots, &done, &whole);
        // One is done for certain, so that there is something to lose.
        let mut killer = None;
        'until_it_is_gone: loop {
            number += 1;
            let name = format!("crash-{number}");
            for deed in deeds(&name) {
                if !deed.is_done(&agent) {
                    break 'until_it_is_gone;
                }
                done.push(deed);
            }
            whole.push(name);
            killer.get_or_insert_with(|| killed_within(&agent, 2500));
        }
        killer.expect("nothing was confirmed").join().unwrap();
    }
    let agent = Agent::start(directory.path(), &[]);
    check(&agent, &mut last_boots, &done, &whole);
    assert!(whole.len() >= 3 && !agent.log().contains("damaged"), "{}", agent.log());
}
