//! A wall clock that steps a day under a running agent: what has a date goes by it, and nothing else does.
//!
//! Only the agent sees the steps: Debian's libfaketime is between it and the clock, and the monotonic clock stays as
//! it is. Invariant: each test proves by a date that the agent has seen the step.

use crate::started::{Agent, command};
use crate::world::{Live, Load, MAKER, MANAGER, code, facts, package, packed, signed};
use s_package::{Release, Timestamp};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const UP_TIME: &str = ".1.3.6.1.2.1.1.3.0";
const ENGINE_TIME: &str = ".1.3.6.1.6.3.10.2.1.3.0";
const DAY: u64 = 86_400;

/// An agent whose wall clock the test turns.
struct Turned {
    live: Live,
    /// Read by the library at each look at the clock.
    clock: PathBuf,
}

impl Turned {
    /// None where there is no such library, which is said.
    fn start() -> Option<Self> {
        let mut ask = Command::new("faketime");
        let library = match ask.args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output() {
            Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
            asked => {
                eprintln!("skipped: nothing here turns the clock, install faketime: {asked:?}");
                return None;
            }
        };
        let directory = crate::world::trusting(crate::world::trust(), "");
        let clock = directory.path().join("clock");
        std::fs::write(&clock, "+0").unwrap();
        let mut command = command(directory.path());
        command
            .env("LD_PRELOAD", library.trim())
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        let agent = Agent::try_start_by(command, &[]).unwrap_or_else(|said| panic!("{said}"));
        Some(Turned { live: Live::of(agent, directory), clock })
    }

    /// Turns the agent's clock this many days away from the one here.
    fn turn(&self, days: i64) {
        // In one step: whoever reads meanwhile must not find half of it.
        let next = self.clock.with_added_extension("next");
        std::fs::write(&next, format!("{days:+}d")).unwrap();
        std::fs::rename(next, &self.clock).unwrap();
    }

    /// A number that the agent answers, which is its last word.
    fn number(&self, name: &str) -> u64 {
        let answer = self.live.tool("snmpget", MANAGER, &["-Ot", name]);
        answer.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{answer}"))
    }

    /// Where its clocks stand that must not step: hundredths of a second and seconds since it started.
    fn clocks(&self) -> [u64; 2] {
        [self.number(UP_TIME), self.number(ENGINE_TIME)]
    }

    /// A swap that goes well; history's time of it is so many days away from now.
    fn swap_is_dated(&self, module: &str, days: i64) {
        let before = now();
        let outcome = self.live.must_push(&[module]);
        let ended = self.dated(&outcome);
        let away = |moment: u64| moment.checked_add_signed(days * DAY.cast_signed()).unwrap();
        assert!(
            (away(before)..=away(now())).contains(&ended),
            "{ended}, {days} days from {before}"
        );
    }

    /// When a swap ended, as history has it.
    fn dated(&self, outcome: &Json) -> u64 {
        let history = self.live.client.get("/v1/history").unwrap();
        let mut swaps = history["swaps"].as_array().unwrap().iter();
        let past = swaps.find(|past| past["txn"] == outcome["txn"]).unwrap();
        Timestamp::parse(past["at"].as_str().unwrap()).unwrap().unix_seconds()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_step_of_the_wall_clock_moves_dates_and_neither_up_time_nor_engine_time() {
    let Some(agent) = Turned::start() else { return };
    let load = Load::on(&agent.live);
    let boots = agent.live.boots();
    let mut before = agent.clocks();
    let modules = ["security-usm-next", "mib-udp", "priv-des"];
    for (days, module) in [1, -1, 0].into_iter().zip(modules) {
        agent.turn(days);
        agent.swap_is_dated(module, days);
        let after = agent.clocks();
        for (now, before) in after.iter().zip(before) {
            assert!((before..before + DAY / 2).contains(now), "{before} became {now}");
        }
        before = after;
    }
    assert_eq!(agent.live.boots(), boots);
    // Each request of it was within the time window (RFC 3414 §3.2 step 7).
    load.finish();
}

#[test]
fn a_trial_is_as_long_as_it_was_asked_for_whatever_the_wall_clock_does() {
    let Some(agent) = Turned::start() else { return };
    let (live, load) = (&agent.live, Load::on(&agent.live));
    let before = live.version("security.usm");
    let on_trial = |seconds: u64| {
        let order = json!({ "confirm": { "by": "operator", "seconds": seconds } });
        let txn = live.begin(&order, &[package("security-usm-next")]).unwrap();
        live.until_on_trial(txn);
        txn
    };
    // Backwards it is not longer.
    let txn = on_trial(2);
    agent.turn(-1);
    let outcome = live.end_of(txn);
    assert_eq!(outcome["verdict"], "rolled_back", "{outcome}");
    assert!(agent.dated(&outcome) < now() - DAY / 2, "the agent has not seen the step");
    assert_eq!(live.version("security.usm"), before);
    // Forwards it is not shorter.
    let txn = on_trial(600);
    agent.turn(1);
    let looks = (0..20).all(|_| {
        std::thread::sleep(Duration::from_millis(50));
        live.client.get(&format!("/v1/swaps/{txn}")).unwrap()["phase"] == "confirm"
    });
    assert!(looks, "{}", live.end_of(txn));
    live.confirm(txn);
    let outcome = live.end_of(txn);
    assert_eq!(outcome["verdict"], "committed", "{outcome}");
    assert!(agent.dated(&outcome) > now() + DAY / 2, "the agent has not seen the step");
    load.finish();
}

#[test]
fn a_package_is_valid_when_the_wall_clock_says_so() {
    let Some(agent) = Turned::start() else { return };
    let (live, load) = (&agent.live, Load::on(&agent.live));
    let moment = |seconds: u64| Some(Timestamp::from_unix_seconds(seconds).unwrap());
    let release = Release {
        not_before: moment(now() - DAY / 2),
        expires: moment(now() + DAY / 2),
        ..Release::default()
    };
    let code = code("security-usm-next");
    let facts = facts(&code);
    let today = signed(&packed(code, facts, release), MAKER);
    let push = || {
        let txn = live.begin(&json!({}), std::slice::from_ref(&today)).unwrap();
        live.confirm(txn);
        live.end_of(txn)
    };
    let before = live.version("security.usm");
    for (days, reason) in [(1, "the package expired at"), (-1, "the package is valid from")] {
        agent.turn(days);
        let outcome = push();
        assert_eq!(outcome["verdict"], "aborted", "{outcome}");
        let cause = outcome["cause"].to_string();
        assert!(cause.contains(reason) && cause.contains("this host's clock"), "{cause}");
        assert_eq!(live.version("security.usm"), before);
    }
    agent.turn(0);
    let outcome = push();
    assert_eq!(outcome["verdict"], "committed", "{outcome}");
    // Whatever serves stays, also past its date.
    agent.turn(1);
    assert!(live.version("security.usm").starts_with("2."));
    load.finish();
}
